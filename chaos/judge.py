"""What the mail server received and what lies in storage, held against the register: the sets must be equal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.casework.verification import deviations
from include.engagement import process
from include.mail.ledger import STOPPED, WAITING
from include.register.models import (
    Document,
    Engagement,
    Mail,
    NumberSeries,
    Request,
    RequestItem,
    ReserveEntry,
    ScheduledRun,
    SignOff,
    StagePeriod,
)
from include.storage.local import LocalStorage

NEVER_DUE = ("cancelled", "dry_run")
INCIDENTS = frozenset({"already_decided", "answer_refused", "mail_stopped", "mail_waits", "new_link"})
"""Mails that tell of what went wrong on the way: an undisturbed engagement has none."""


class Received(Protocol):
    """A mail as the mail server has it."""

    @property
    def message_id(self) -> str: ...


class Answer(Protocol):
    """An answer to a sign-off that somebody was told is taken."""

    @property
    def engagement_id(self) -> str: ...
    @property
    def gate(self) -> str: ...
    @property
    def who(self) -> str: ...
    @property
    def option(self) -> str: ...
    @property
    def by(self) -> str: ...


@dataclass
class Verdict:
    """What was found; counts are of mails and decisions, ``findings`` says in words what is wrong."""

    mails_due: int = 0
    mails_lost: int = 0
    mails_doubled: int = 0
    decisions: int = 0
    decisions_lost: int = 0
    decisions_changed: int = 0
    documents: int = 0
    files_handed_in: int = 0
    findings: list[str] = field(default_factory=list)


def judge(
    session: Session,
    *,
    letters: Iterable[Received],
    storage: Path,
    given: Collection[Answer],
    handed_in: Collection[str],
    undisturbed: Mapping[str, Counter[tuple[str, str]]],
) -> Verdict:
    """Compare everything.

    ``handed_in`` are the SHA-256 of files that somebody was told have arrived; ``undisturbed`` the mails, by day (ISO)
    and template, of an engagement when nothing breaks.
    """
    verdict = Verdict()
    _mails(session, Counter(letter.message_id for letter in letters), verdict)
    _reasons(session, undisturbed, verdict)
    _decisions(session, given, verdict)
    _files(session, storage, handed_in, verdict)
    _numbers(session, verdict)
    return verdict


def _mails(session: Session, received: Counter[str], verdict: Verdict) -> None:
    rows = session.scalars(select(Mail)).all()
    due = {row.message_id: row for row in rows if row.state not in NEVER_DUE}
    verdict.mails_due = len(due)
    for message_id, row in due.items():
        name = f"mail {row.id} ({row.template}, {row.state})"
        if received[message_id] == 0:
            verdict.mails_lost += 1
            verdict.findings.append(f"{name} is due and never arrived")
        elif received[message_id] > 1:
            verdict.mails_doubled += 1
            verdict.findings.append(f"{name} arrived {received[message_id]} times")
        if row.state in (*WAITING, *STOPPED):
            verdict.findings.append(f"{name} has not come to its end")
    for message_id in received.keys() - due.keys():
        verdict.mails_doubled += 1
        verdict.findings.append(f"a mail arrived that the register does not say was due: {message_id}")
    reasons = Counter((row.engagement_id, row.template, row.recipient, row.subject, row.day) for row in due.values())
    for (engagement_id, template, _, _, day), number in reasons.items():
        if number > 1:
            verdict.mails_doubled += number - 1
            verdict.findings.append(f"{engagement_id}: {template} of {day} stands {number} times for one recipient")


def _reasons(session: Session, undisturbed: Mapping[str, Counter[tuple[str, str]]], verdict: Verdict) -> None:
    for engagement_id, wanted in undisturbed.items():
        rows = session.execute(
            select(Mail.day, Mail.template).where(
                Mail.engagement_id == engagement_id, Mail.template.not_in(INCIDENTS), Mail.state.not_in(NEVER_DUE)
            )
        )
        got = Counter((day.isoformat(), template) for day, template in rows)
        for (day, template), number in (wanted - got).items():
            verdict.mails_lost += number
            verdict.findings.append(f"{engagement_id}: {template} of {day} was never due, undisturbed it is")
        for (day, template), number in (got - wanted).items():
            verdict.mails_doubled += number
            verdict.findings.append(f"{engagement_id}: {template} of {day} is one too many")


def _decisions(session: Session, given: Collection[Answer], verdict: Verdict) -> None:
    decided = select(SignOff).where(SignOff.decision.is_not(None)).order_by(SignOff.round, SignOff.attempt)
    kept: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for row in session.scalars(decided):
        assert row.decision is not None
        label = process.SIGN_OFFS[row.gate].options[row.decision]
        kept[row.engagement_id, row.gate, row.who].append((label, row.decided_by or ""))
        verdict.decisions += 1
    told: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for answer in given:
        told[answer.engagement_id, answer.gate, answer.who].append((answer.option, answer.by))
    for place, answers in told.items():
        there = kept.get(place, [])
        lost = len(answers) - len(there)
        if lost > 0:
            verdict.decisions_lost += lost
            verdict.findings.append(f"{place}: {len(answers)} answers were taken, {len(there)} are kept")
        missing = Counter(answers) - Counter(there)
        if lost <= 0 and missing:
            verdict.decisions_changed += missing.total()
            verdict.findings.append(f"{place}: taken was {answers}, kept is {there}")


def _files(session: Session, storage: Path, handed_in: Collection[str], verdict: Verdict) -> None:
    documents = session.scalars(select(Document)).all()
    verdict.documents = len(documents)
    words = {"gone": "is registered and not there", "changed": "is not what was registered",
             "unknown": "is in the storage and not registered"}  # fmt: skip
    verdict.findings += [f"{path} {words[why]}" for path, why in deviations(session, LocalStorage(storage))]
    made = [(row.engagement_id, row.key, row.occasion) for row in documents if row.direction == "made"]
    verdict.findings += [f"{key} was made {number} times on {occasion}: {engagement_id}"
                         for (engagement_id, key, occasion), number in Counter(made).items() if number > 1]  # fmt: skip
    received = {row.sha256 for row in documents if row.direction == "received"}
    verdict.files_handed_in = len(set(handed_in))
    for digest in set(handed_in) - received:
        verdict.findings.append(f"a file that was handed in is gone: {digest}")


def _numbers(session: Session, verdict: Verdict) -> None:
    """A series has no gap and no twin: as many numbers as the series says, all different (the column is unique)."""
    for series in session.scalars(select(NumberSeries)):
        if series.kind == "engagement":
            given = session.scalars(select(Engagement.id).where(Engagement.id.like(f"%-{series.year}-%"))).all()
        else:
            like = f"%/{series.year}/{series.kind}-%"
            given = session.scalars(select(Document.number).where(Document.number.like(like))).all()
        if len(given) != series.last:
            verdict.findings.append(f"{series.kind} of {series.year}: {len(given)} given, the last is {series.last}")


def picture(session: Session) -> Mapping[str, Any]:
    """Return what must not change when a task that is done is done again: everything that was decided, made or sent."""
    def rows(*columns: Any) -> list[tuple[Any, ...]]:
        return sorted(tuple(str(each) for each in row) for row in session.execute(select(*columns)))

    return {
        "engagements": rows(Engagement.id, Engagement.status, Engagement.promised, Engagement.delivered,
                            Engagement.form),
        "mails": rows(Mail.key, Mail.message_id, Mail.state),
        "documents": rows(Document.engagement_id, Document.key, Document.version, Document.sha256),
        "decisions": rows(SignOff.engagement_id, SignOff.gate, SignOff.round, SignOff.who, SignOff.attempt,
                          SignOff.decision, SignOff.outcome),
        "requests": rows(Request.engagement_id, Request.key, Request.times_asked, Request.due, Request.status),
        "items": rows(RequestItem.request_id, RequestItem.key, RequestItem.state, RequestItem.document_id),
        "reserve": rows(ReserveEntry.engagement_id, ReserveEntry.kind, ReserveEntry.round, ReserveEntry.days),
        "stages": rows(StagePeriod.engagement_id, StagePeriod.stage, StagePeriod.round, StagePeriod.opened,
                       StagePeriod.due, StagePeriod.closed),
        "planned runs": rows(ScheduledRun.dag_id, ScheduledRun.run_id, ScheduledRun.status),
    }  # fmt: skip

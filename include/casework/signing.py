"""Sign-offs: what is asked of whom, and the one decision that is kept.

The register is read before anybody is asked. The first valid answer is kept, then applied; both survive whatever
happens to the Airflow task that asked. Who answers second is told what stands. To decide anew, a person reopens the
sign-off with a reason: the old decision stays in the register, the task is cleared in Airflow and asks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from include.casework.correspondence import post
from include.casework.office import Case
from include.engagement import process
from include.engagement.errors import InvalidSignOff, RuleBroken
from include.engagement.signoffs import check_sign_off
from include.engagement.text import cleaned
from include.register.models import Document, Event, Mail, ReserveEntry, SignOff

# What a client gets whatever staff decide: it stands in the way of no new decision.
ANSWERING_MAILS = ("reminder", "new_link", "items_complete", "items_missing", "reply_unclear", "intake_details")
ASKED_AGAIN = "asked_again/"  # occasions of items_missing that a review sent
PARALLEL_GATES = ("first_meeting",)  # nothing later rests on them


@dataclass(frozen=True)
class Answer:
    """A decision as it stands in the register: who is a council member's key, or empty."""

    gate: str
    round: int
    who: str
    decision: str
    form: Mapping[str, Any]
    day: date


@dataclass(frozen=True)
class Said:
    """An answer as Airflow has it: the option as people see it, the form, by whom and when."""

    label: str
    entries: Mapping[str, Any]
    by: str
    at: datetime


def sign_off(case: Case, gate: str, number: int, who: str = "") -> SignOff | None:
    """Return the sign-off of a gate and round, asked or decided: its newest attempt."""
    return case.session.scalar(
        select(SignOff)
        .where(SignOff.engagement_id == case.id, SignOff.gate == gate, SignOff.round == number, SignOff.who == who)
        .order_by(SignOff.attempt.desc())
        .limit(1)
    )


def ask_for(case: Case, gate: str, number: int, who: str = "") -> SignOff:
    """Write down that a decision is asked for, once."""
    case.session.execute(
        insert(SignOff)
        .values(engagement_id=case.id, gate=gate, round=number, who=who, asked=case.today, attempt=1)
        .on_conflict_do_nothing()
    )
    case.session.commit()
    found = sign_off(case, gate, number, who)
    assert found is not None
    return found


def answer_of(row: SignOff) -> Answer:
    """Return the decision that ``row`` holds. Raises ValueError when it holds none."""
    if row.decision is None or row.day is None:
        raise ValueError(f"{row.gate}/{row.round} is not decided")
    return Answer(row.gate, row.round, row.who, row.decision, row.form or {}, row.day)


def weigh(case: Case, row: SignOff, label: str, entries: Mapping[str, Any]) -> Answer:
    """Return what an answer given in Airflow means. Raises InvalidSignOff with what to mend."""
    gate = process.SIGN_OFFS[row.gate]
    decision = next((key for key, text in gate.options.items() if text == label), "")
    form = check_sign_off(gate, decision, entries)
    return Answer(row.gate, row.round, row.who, decision, form, case.today)


def keep(case: Case, row: SignOff, answer: Answer, *, by: str, at: datetime) -> None:
    """Keep the decision; part of the transaction that its consequences in the register belong to."""
    row.decision, row.form, row.day = answer.decision, dict(answer.form), case.today
    row.decided_by, row.decided_at, row.refusal = by, at, None
    row.documents = decided_on(case, row.gate)
    case.event("decided", key=f"decided/{row.gate}/{row.round}/{row.who}{_again(row)}", gate=row.gate, round=row.round,
               who=row.who, decision=answer.decision)  # fmt: skip


def decided_on(case: Case, gate: str) -> list[dict[str, Any]]:
    """Return what a decision taken now is taken on: ``key``, ``version`` and ``sha256`` of each document.

    These are the newest versions of the documents that belong to the gate's stage, made or received, and of those
    that go with the stage's mails (the council's deliverables).
    """
    stage = process.SIGN_OFFS[gate].stage
    mailed = {key for mail in process.MAILS.values() if mail.stage == stage for key in mail.attachments}
    rows = case.session.scalars(
        select(Document)
        .where(Document.engagement_id == case.id, (Document.stage == stage) | Document.key.in_(mailed))
        .order_by(Document.key, Document.version)
    )
    newest = {row.key: row for row in rows}
    return [{"key": row.key, "version": row.version, "sha256": row.sha256} for row in newest.values()]


def refuse(case: Case, row: SignOff, error: InvalidSignOff, *, at: datetime) -> None:
    """Write down why an answer, given at ``at``, was not valid."""
    case.session.rollback()
    row.refusal = str(error)
    number = len(_refusals(case, row)) + 1
    case.event("answer_refused", key=f"{_refusal_key(row)}{number}", why=str(error), at=_instant(at))
    case.session.commit()


def was_weighed(case: Case, row: SignOff, at: datetime) -> bool:
    """Say whether the register knows the answer given at ``at``, so that a later try must not take it again.

    It was refused, or it is the decision of an attempt, or its giver was told that another one stands.
    """
    if any(event.facts.get("at") == _instant(at) for event in _refusals(case, row)):
        return True
    if case.happened(_second_key(row, at)) is not None:
        return True
    decided = select(SignOff.id).where(
        SignOff.engagement_id == case.id, SignOff.gate == row.gate, SignOff.round == row.round,
        SignOff.who == row.who, SignOff.decided_at == at,
    )  # fmt: skip
    return case.session.scalar(decided) is not None


def tell_second(case: Case, row: SignOff, said: Said) -> bool:
    """Tell who answered when another decision stood already what stands, once for each such answer.

    Two people may answer within the same moment, and a cleared task may be answered again: Airflow tells both that it
    took their answer. The same decision by the same person with the same form is no second answer.
    """
    if row.decision is None or (row.decided_by == said.by and _says_the_same(case, row, said)):
        return False
    gate = process.SIGN_OFFS[row.gate]
    key = _second_key(row, said.at)
    if case.happened(key) is not None:
        return False
    case.event("second_answer", key=key, gate=row.gate, round=row.round, who=row.who, answered=said.label, by=said.by,
               stands=row.decision)  # fmt: skip
    case.session.commit()
    post(
        case, "already_decided", key, to=f"council.{row.who}" if row.who else gate.role, stage=gate.stage,
        request_title=gate.title,
        second={"answer": said.label, "by": said.by, "stands": gate.options[row.decision],
                "decided_by": row.decided_by or "", "decided_on": row.day},
    )  # fmt: skip
    return True


def _says_the_same(case: Case, row: SignOff, said: Said) -> bool:
    try:
        answer = weigh(case, row, said.label, said.entries)
    except InvalidSignOff:
        return False
    return answer.decision == row.decision and dict(answer.form) == (row.form or {})


def reopen(case: Case, gate: str, number: int, who: str = "", *, by: str, reason: str) -> SignOff:
    """Have a decision taken anew: return the next attempt, which the task asks for when it is cleared in Airflow.

    The old decision stays in the register, ended. Done twice, the second finds the attempt that waits. Raises
    RuleBroken (Vietnamese) without a reason, for what is not decided, and once the decision can no longer be undone:
    the engagement is closed, the client got a mail because of it, a verdict, a grant of days or a later decision
    rests on it.
    """
    waiting = sign_off(case, gate, number, who)
    if waiting is not None and waits_anew(waiting):
        return waiting
    if not cleaned(reason):
        raise RuleBroken("Xin ghi lý do quyết định lại.")
    row = refuse_reopening(case, gate, number, who)
    row.ended = case.today
    again = SignOff(engagement_id=case.id, gate=gate, round=number, who=who, attempt=row.attempt + 1, asked=case.today)
    case.session.add(again)
    case.event("reopened", key=f"reopened/{gate}/{number}/{who}/{again.attempt}", gate=gate, round=number, who=who,
               by=by, reason=cleaned(reason)[:500], decision=row.decision)  # fmt: skip
    case.session.commit()
    return again


def waits_anew(row: SignOff) -> bool:
    """Say whether a decision is being taken anew: the old one ended, the next attempt waits."""
    return row.decision is None and row.attempt > 1 and row.ended is None


def refuse_reopening(case: Case, gate: str, number: int, who: str = "") -> SignOff:
    """Return the decision that can be taken anew. Raises RuleBroken (Vietnamese) where none can: see ``reopen``."""
    row = sign_off(case, gate, number, who)
    title = process.SIGN_OFFS[gate].title
    if row is None or row.decision is None:
        raise RuleBroken(f"“{title}” chưa có quyết định nào để quyết định lại.")
    if case.engagement.closed is not None:
        raise RuleBroken(f"Hồ sơ {case.id} đã đóng: không quyết định lại được.")
    if why := _rests_on(case, row):
        raise RuleBroken(f"Không quyết định lại “{title}” được nữa: {why}.")
    return row


def _rests_on(case: Case, row: SignOff) -> str:
    """Return what can no longer be undone because of a decision (Vietnamese); empty: nothing."""
    if row.gate == "scorecard" and case.happened(f"verdict/{row.round}") is not None:
        return f"hội đồng đã kết luận vòng {row.round}"
    if row.gate == "reserve_exhausted" and case.session.scalar(
        select(ReserveEntry.id).where(ReserveEntry.engagement_id == case.id, ReserveEntry.kind == "granted",
                                      ReserveEntry.round == row.round)
    ) is not None:  # fmt: skip
        return "số ngày cấp thêm đã ghi vào thời gian dự trù"
    mails = case.session.scalars(
        select(Mail)
        .where(Mail.engagement_id == case.id, Mail.claimed_at >= row.decided_at,
               Mail.state.not_in(("cancelled", "dry_run")))
        .order_by(Mail.id)
    )  # fmt: skip
    for mail in mails:
        if process.MAILS[mail.template].to == "client" and _because_of(row, mail, case.id):
            return f"khách đã được gửi thư “{mail.subject}”"
    if row.gate in PARALLEL_GATES:
        return ""
    later = case.session.scalar(
        select(SignOff)
        .where(SignOff.engagement_id == case.id, SignOff.ended.is_(None), SignOff.decided_at > row.decided_at,
               SignOff.gate.not_in((row.gate, *PARALLEL_GATES)) | (SignOff.round > row.round))
        .order_by(SignOff.id)
        .limit(1)
    )  # fmt: skip
    return f"“{process.SIGN_OFFS[later.gate].title}” đã được quyết định sau đó" if later is not None else ""


def _because_of(row: SignOff, mail: Mail, engagement_id: str) -> bool:
    if row.gate == "first_meeting":
        return mail.template == "meeting_invitation"
    if mail.template == "items_missing":
        return mail.key.startswith(f"{engagement_id}/{ASKED_AGAIN}")
    return mail.template not in (*ANSWERING_MAILS, "meeting_invitation")


def _instant(at: datetime) -> str:
    return at.astimezone(timezone.utc).isoformat()


def _again(row: SignOff) -> str:
    return f"/{row.attempt}" if row.attempt > 1 else ""


def tell_why(case: Case, row: SignOff) -> None:
    """Mail who is asked again why the last answer could not be taken, once for each such answer.

    The form itself cannot: Airflow 3.3 keeps its first text when a later try asks again.
    """
    if row.refusal is None:
        return
    gate = process.SIGN_OFFS[row.gate]
    role = f"council.{row.who}" if row.who else gate.role
    last = _refusals(case, row)[-1]
    post(case, "answer_refused", last.key, to=role, stage=gate.stage, request_title=gate.title, reason=row.refusal)


def _refusal_key(row: SignOff) -> str:
    return f"answer_refused/{row.gate}/{row.round}/{row.who}/"


def _second_key(row: SignOff, at: datetime) -> str:
    return f"second_answer/{row.gate}/{row.round}/{row.who}/{_instant(at)}"


def _refusals(case: Case, row: SignOff) -> list[Event]:
    return list(
        case.session.scalars(
            select(Event)
            .where(Event.engagement_id == case.id, Event.key.startswith(_refusal_key(row), autoescape=True))
            .order_by(Event.id)
        )
    )

"""What monitoring asks of the register: numbers without names, by what they count.

A gauge's samples are numbers by their labels, which are states, stages, kinds and roles of ``process``, never an
engagement or a person. ``as_text`` writes them as Prometheus reads them (text format 0.0.4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.engagement import process
from include.register.models import (
    Document,
    Engagement,
    IncomingMail,
    Installation,
    Mail,
    ReminderSent,
    Request,
    SignOff,
    StagePeriod,
    UndeliverableAddress,
)
from include.register.queries import first_of_each

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Calendar days that a wait has lasted, and how waits of that age are called: the last name that fits.
AGES = ((0, "under 3 days"), (3, "3 to 9 days"), (10, "10 days and more"))
MAIL_STATES = ("claimed", "handed_over", "sent", "refused", "unclear", "expired", "cancelled", "dry_run")
LEAVING = ("claimed", "handed_over")
INCOMING_STATES = ("kept", "filing", "filed", "triage", "dismissed", "automatic", "bounced", "delayed", "own",
                   "duplicate")  # fmt: skip
WAITED_FOR = ("client", "service_department", *dict.fromkeys(row.role for row in process.SIGN_OFFS.values()))

DAY = 86_400.0  # seconds

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Gauge:
    """A number, or one for each of its labels' values."""

    name: str
    what: str
    samples: Mapping[Labels, float]


def gauges(session: Session, *, today: date, now: datetime) -> list[Gauge]:
    """Read everything that monitoring is told, in a fixed number of queries."""
    return [*_engagements(session, today), *_waits(session, today), *_mails(session, now), *_in_hand(session)]


def as_text(gauges: Iterable[Gauge]) -> str:
    """Return the gauges as a page that Prometheus reads."""
    lines: list[str] = []
    for each in gauges:
        lines += [f"# HELP {each.name} {each.what}", f"# TYPE {each.name} gauge"]
        for labels, value in each.samples.items():
            named = ",".join(f'{label}="{text}"' for label, text in labels)
            lines.append(f"{each.name}{'{' + named + '}' if named else ''} {value:.15g}")
    return "\n".join(lines) + "\n"


def _engagements(session: Session, today: date) -> Iterator[Gauge]:
    newest = first_of_each(StagePeriod, StagePeriod.closed.is_(None), StagePeriod.id.desc())
    late = func.coalesce(Engagement.promised < today, False) | func.coalesce(newest.c.due < today, False)
    rows = session.execute(
        select(newest.c.stage, late, func.count()).select_from(Engagement)
        .outerjoin(newest, newest.c.engagement_id == Engagement.id)
        .where(Engagement.closed.is_(None)).group_by(newest.c.stage, late)
    ).all()  # fmt: skip
    stages = Counter({stage: 0 for stage in process.STAGES})
    for stage, _, count in rows:
        stages[stage or "between stages"] += count
    yield Gauge("engagement_open", "Open engagements, by the stage that they entered last.", _by("stage", stages))
    yield Gauge("engagement_late", "Open engagements past their promised date or the due date of their stage.",
                {(): sum(count for _, is_late, count in rows if is_late)})  # fmt: skip


def _waits(session: Session, today: date) -> Iterator[Gauge]:
    """Yield the waits for clients and staff: open requests, and sign-offs that nobody has decided."""
    asked = [
        (row.of, row.asked) for row in session.execute(
            select(Request.of, Request.asked).join(Engagement, Engagement.id == Request.engagement_id)
            .where(Request.status == "open", Engagement.closed.is_(None))
        )
    ]  # fmt: skip
    asked += [
        (process.SIGN_OFFS[row.gate].role if row.gate in process.SIGN_OFFS else "nobody", row.asked)
        for row in session.execute(
            select(SignOff.gate, SignOff.asked).where(SignOff.decision.is_(None), SignOff.ended.is_(None))
        )
    ]
    counted: Counter[Labels] = Counter({(("on", on), ("age", age)): 0 for on in WAITED_FOR for _, age in AGES})
    oldest = {on: 0.0 for on in WAITED_FOR}
    for on, since in asked:
        days = max(0, (today - since).days)
        counted[("on", on), ("age", [name for least, name in AGES if days >= least][-1])] += 1
        oldest[on] = max(oldest.get(on, 0.0), days * DAY)
    yield Gauge("engagement_waits", "Open requests and undecided sign-offs, by who is waited for and since when.",
                counted)  # fmt: skip
    yield Gauge("engagement_wait_oldest_seconds", "Seconds of whole days since the oldest of them was asked.",
                _by("on", oldest))  # fmt: skip


def _mails(session: Session, now: datetime) -> Iterator[Gauge]:
    states = Counter({state: 0 for state in MAIL_STATES})
    states.update({row.state: row.n for row in session.execute(
        select(Mail.state, func.count().label("n")).group_by(Mail.state)
    )})  # fmt: skip
    yield Gauge("engagement_mails", "Mails of the ledger by state; refused, unclear and expired wait for a person.",
                _by("state", states))  # fmt: skip
    oldest = session.scalar(select(func.min(Mail.claimed_at)).where(Mail.state.in_(LEAVING)))
    yield Gauge("engagement_mail_waiting_oldest_seconds", "Seconds since the oldest mail that has not left was made.",
                {(): max(0.0, (now - oldest).total_seconds()) if oldest else 0.0})  # fmt: skip
    paused = session.scalar(select(Installation.mail_paused_at).where(Installation.id == 1))
    yield Gauge("engagement_mail_paused", "1 while staff hold all mail back.", {(): float(paused is not None)})
    levels: Counter[str] = Counter({row.level: 0 for row in process.REMINDERS})
    levels.update({row.level: row.n for row in session.execute(
        select(ReminderSent.level, func.count().label("n")).group_by(ReminderSent.level)
    )})  # fmt: skip
    yield Gauge("engagement_reminders_sent", "Reminders that went out, by the level that they told.",
                _by("level", levels))  # fmt: skip


def _in_hand(session: Session) -> Iterator[Gauge]:
    """Yield what came in and waits for a person."""
    states = Counter({state: 0 for state in INCOMING_STATES})
    states.update({row.state: row.n for row in session.execute(
        select(IncomingMail.state, func.count().label("n")).group_by(IncomingMail.state)
    )})  # fmt: skip
    yield Gauge("engagement_incoming_mails", "Messages of the reply mailbox by state; triage waits for a person.",
                _by("state", states))  # fmt: skip
    quarantined = select(func.count()).select_from(Document).where(Document.key.startswith("quarantined/"))
    yield Gauge("engagement_quarantined_files", "Files that were set aside, never opened.",
                {(): session.scalar(quarantined) or 0})  # fmt: skip
    failing = session.scalar(select(func.count()).select_from(UndeliverableAddress)) or 0
    yield Gauge("engagement_undeliverable_addresses", "Addresses that relays report as failing.", {(): failing})


def _by(label: str, counted: Mapping[str, float]) -> dict[Labels, float]:
    return {((label, value),): number for value, number in counted.items()}

"""The board: every open engagement, where it stands, and who is waited for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.engagement import process
from include.engagement.calendar import WorkingCalendar
from include.engagement.reminders import reminder_day
from include.engagement.text import folded, vietnamese_order
from include.register.models import Engagement, ReminderSent, Request, ReserveEntry, SignOff, StagePeriod

PER_PAGE = 50
SORTS = ("promised", "client", "since", "id")


@dataclass(frozen=True)
class BoardRow:
    """An open engagement.

    ``stage`` and ``round`` are those entered last that are open; ``due`` is the stage's. ``days_left`` counts working
    days to the promised date, or before signature to ``due``; negative: late. ``waiting_on`` is client,
    service_department or a role of a sign-off, ``council`` for a scorecard; empty: nobody. ``waiting_for`` names what,
    ``since`` when it was asked, ``answer_due`` until when. ``next_reminder`` is the level told next, and the day.
    """

    id: str
    client: str
    stage: str
    round: int
    due: date | None
    promised: date | None
    days_left: int | None
    late: bool
    reserve_left: int | None
    waiting_on: str
    waiting_for: str
    since: date | None
    answer_due: date | None
    next_reminder: tuple[str, date] | None


@dataclass(frozen=True)
class BoardPage:
    """A page of rows; ``total`` rows fit the search, ``stages`` counts them by stage before the stage was chosen."""

    rows: Sequence[BoardRow]
    total: int
    page: int
    pages: int
    stages: Mapping[str, int]


@dataclass
class _Standing:
    """What is known of an engagement before anything is reckoned."""

    id: str
    client: str
    tax_code: str
    contact: str
    promised: date | None
    period: StagePeriod | None = None
    request: Request | None = None
    gate: SignOff | None = None

    @property
    def stage(self) -> str:
        return self.period.stage if self.period else ""

    @property
    def since(self) -> date | None:
        return self.gate.asked if self.gate else self.request.asked if self.request else None

    @property
    def waiting_on(self) -> str:
        if self.gate:
            return process.SIGN_OFFS[self.gate.gate].role
        return self.request.of if self.request else ""

    def is_late(self, today: date) -> bool:
        dues = (self.promised, self.period.due if self.period else None)
        return any(due is not None and due < today for due in dues)


def board(
    session: Session,
    *,
    today: date,
    calendar: WorkingCalendar,
    search: str = "",
    stage: str = "",
    waiting_on: str = "",
    late: bool = False,
    sort: str = "promised",
    page: int = 1,
) -> BoardPage:
    """Return a page of the open engagements: six queries, whatever their number.

    ``search`` is looked for in id, company, tax code and contact, without accents. ``sort`` is one of ``SORTS``;
    names in Vietnamese order. Engagements without a promised date come after those with one, the oldest first.
    """
    words = folded(search).split()
    standing = [
        each for each in _standing(session)
        if all(word in folded(f"{each.id} {each.client} {each.tax_code} {each.contact}") for word in words)
        and (not waiting_on or each.waiting_on == waiting_on)
        and (not late or each.is_late(today))
    ]  # fmt: skip
    stages = Counter(each.stage for each in standing)
    if stage:
        standing = [each for each in standing if each.stage == stage]
    if sort == "client":
        standing.sort(key=lambda each: (vietnamese_order(each.client), each.id))
    elif sort == "since":
        standing.sort(key=lambda each: (each.since or date.max, each.id))
    elif sort == "promised":
        standing.sort(key=lambda each: (each.promised or date.max, each.id))
    pages = max(1, -(-len(standing) // PER_PAGE))
    page = min(max(page, 1), pages)
    chosen = standing[(page - 1) * PER_PAGE : page * PER_PAGE]
    rows = _reckoned(session, chosen, today, calendar)
    return BoardPage(rows, len(standing), page, pages, {key: stages[key] for key in process.STAGES if stages[key]})


def _standing(session: Session) -> list[_Standing]:
    """Return all open engagements in the order of their ids."""
    client = Engagement.form["client"]
    found = {
        row.id: _Standing(row.id, row.name or "", row.tax_code or "", row.contact or "", row.promised)
        for row in session.execute(
            select(
                Engagement.id, Engagement.promised, client["name"].astext.label("name"),
                client["tax_code"].astext.label("tax_code"), client["contact"]["name"].astext.label("contact"),
            ).where(Engagement.closed.is_(None)).order_by(Engagement.id)
        )
    }  # fmt: skip
    is_open = Engagement.closed.is_(None)
    for period in session.scalars(
        select(StagePeriod).join(Engagement, Engagement.id == StagePeriod.engagement_id)
        .where(is_open, StagePeriod.closed.is_(None)).order_by(StagePeriod.id)
    ):  # fmt: skip
        found[period.engagement_id].period = period
    for request in session.scalars(
        select(Request).join(Engagement, Engagement.id == Request.engagement_id)
        .where(is_open, Request.status == "open").order_by(Request.id)
    ):  # fmt: skip
        found[request.engagement_id].request = request
    for gate in session.scalars(
        select(SignOff).join(Engagement, Engagement.id == SignOff.engagement_id)
        .where(is_open, SignOff.decision.is_(None), SignOff.ended.is_(None)).order_by(SignOff.id.desc())
    ):  # fmt: skip
        # An invitation that nobody decides about holds nothing up: what the client is asked for counts.
        if gate.gate != "first_meeting" or found[gate.engagement_id].request is None:
            found[gate.engagement_id].gate = gate
    return list(found.values())


def _reckoned(
    session: Session, chosen: Iterable[_Standing], today: date, calendar: WorkingCalendar
) -> list[BoardRow]:
    chosen = list(chosen)
    reserves: dict[str, int] = {
        row.engagement_id: int(row.left)
        for row in session.execute(
            select(ReserveEntry.engagement_id, func.sum(ReserveEntry.days).label("left"))
            .where(ReserveEntry.engagement_id.in_([each.id for each in chosen]))
            .group_by(ReserveEntry.engagement_id)
        )
    }
    asked = [each.request for each in chosen if each.request is not None]
    sent = {
        (row.request_id, row.times_asked, row.reminder)
        for row in session.scalars(select(ReminderSent).where(ReminderSent.request_id.in_([r.id for r in asked])))
    }
    return [_row(each, reserves.get(each.id), sent, today, calendar) for each in chosen]


def _row(
    each: _Standing, reserve: int | None, sent: set[tuple[int, int, str]], today: date, calendar: WorkingCalendar
) -> BoardRow:
    due = each.period.due if each.period else None
    until = each.promised or due
    request, gate = each.request, each.gate
    return BoardRow(
        id=each.id, client=each.client, stage=each.stage, round=each.period.round if each.period else 1, due=due,
        promised=each.promised,
        days_left=None if until is None
        else calendar.between(today, until) if until >= today else -calendar.between(until, today),
        late=each.is_late(today), reserve_left=reserve, waiting_on=each.waiting_on,
        waiting_for=process.SIGN_OFFS[gate.gate].title if gate
        else process.REQUESTS[request.kind].title.vi if request else "",
        since=each.since, answer_due=request.due if request and not gate else None,
        next_reminder=_next_reminder(request, sent, today, calendar) if request and not gate else None,
    )  # fmt: skip


def _next_reminder(
    request: Request, sent: set[tuple[int, int, str]], today: date, calendar: WorkingCalendar
) -> tuple[str, date] | None:
    if request.of != "client":
        return None
    days = sorted(
        (reminder_day(row, calendar.first_on_or_after(request.due), calendar), row.level)
        for row in process.REMINDERS if (request.id, request.times_asked, row.key) not in sent
    )  # fmt: skip
    return next(((level, day) for day, level in days if day > today), None)

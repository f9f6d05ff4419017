"""The board: every open engagement, where it stands, and who is waited for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, Select, func, select, true
from sqlalchemy.orm import Session

from include.casework.reminders import paused_among
from include.engagement import process
from include.engagement.calendar import WorkingCalendar
from include.engagement.reminders import reminder_day
from include.engagement.text import folded, vietnamese_order
from include.register.models import Engagement, ReminderSent, Request, ReserveEntry, SignOff, StagePeriod
from include.register.queries import first_of_each

PER_PAGE = 50
NOBODY = "nobody"  # what is filtered by where nobody is waited for
SORTS = ("promised", "client", "since", "id")


@dataclass(frozen=True)
class BoardRow:
    """An open engagement.

    ``stage`` and ``round`` are those entered last that are open; ``due`` is the stage's. ``days_left`` counts working
    days to the promised date, or before signature to ``due``; negative: late. ``waiting_on`` is client,
    service_department or a role of a sign-off, ``council`` for a scorecard, of the ``members`` that did not hand theirs
    in; empty: nobody. ``waiting_for`` names what, ``since`` when it was asked, ``answer_due`` until when.
    ``next_reminder`` is the level told next, and the day.
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
    members: Sequence[str]
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


def _waiting_on(gate: str | None, of: str | None) -> str:
    return process.SIGN_OFFS[gate].role if gate else of or ""


def _is_late(row: Row[Any], today: date) -> bool:
    return any(due is not None and due < today for due in (row.promised, row.stage_due))


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
    members: Collection[str] = (),
) -> BoardPage:
    """Return a page of the open engagements: five queries, whatever their number.

    ``search`` is looked for in id, company, tax code and contact, without accents. ``sort`` is one of ``SORTS``;
    names in Vietnamese order. Engagements without a promised date come after those with one, the oldest first.
    With ``members`` of the council, only what one of them was asked to judge.
    """
    standing: Sequence[Row[Any]] = session.execute(_open_engagements(members)).all()
    if words := folded(search).split():
        standing = [
            row for row in standing
            if (told := folded(f"{row.id} {row.client} {row.tax_code} {row.contact}"))
            and all(word in told for word in words)
        ]  # fmt: skip
    if waiting_on:
        whom = "" if waiting_on == NOBODY else waiting_on
        standing = [row for row in standing if _waiting_on(row.gate, row.of) == whom]
    if late:
        standing = [row for row in standing if _is_late(row, today)]
    stages = Counter(row.stage for row in standing)
    if stage:
        standing = [row for row in standing if row.stage == stage]
    if sort == "client":
        standing = sorted(standing, key=lambda row: (vietnamese_order(row.client), row.id))
    elif sort == "since":
        standing = sorted(standing, key=lambda row: (row.gate_asked or row.asked or date.max, row.id))
    elif sort == "promised":
        standing = sorted(standing, key=lambda row: (row.promised or date.max, row.id))
    pages = max(1, -(-len(standing) // PER_PAGE))
    page = min(max(page, 1), pages)
    chosen = standing[(page - 1) * PER_PAGE : page * PER_PAGE]
    rows = _reckoned(session, chosen, today, calendar)
    return BoardPage(rows, len(standing), page, pages, {key: stages[key] for key in process.STAGES if stages[key]})


def judged_by(members: Collection[str]) -> Select[Any]:
    """Select the ids of the engagements whose work one of these members of the council was asked to judge."""
    return select(SignOff.engagement_id).where(SignOff.gate == "scorecard", SignOff.who.in_(members))


def _open_engagements(members: Collection[str]) -> Select[Any]:
    """Select the open engagements in the order of their ids, each with its newest open stage, request and sign-off."""
    client = Engagement.form["client"]
    stage = first_of_each(StagePeriod, StagePeriod.closed.is_(None), StagePeriod.id.desc())
    request = first_of_each(Request, Request.status == "open", Request.id.desc())
    # Those who decide oldest first. An invitation that nobody decides about holds nothing up: what the client is asked
    # for counts.
    gate = first_of_each(
        SignOff, SignOff.decision.is_(None) & SignOff.ended.is_(None), SignOff.gate == "first_meeting", SignOff.id
    )
    holds_up = (gate.c.engagement_id == Engagement.id) & ((gate.c.gate != "first_meeting") | request.c.id.is_(None))
    return (
        select(
            Engagement.id, Engagement.promised, func.coalesce(client["name"].astext, "").label("client"),
            func.coalesce(client["tax_code"].astext, "").label("tax_code"),
            func.coalesce(client["contact"]["name"].astext, "").label("contact"),
            func.coalesce(stage.c.stage, "").label("stage"), func.coalesce(stage.c.round, 1).label("round"),
            stage.c.due.label("stage_due"), request.c.id.label("request_id"), request.c.kind, request.c.of,
            request.c.asked, request.c.due, request.c.times_asked, gate.c.gate, gate.c.asked.label("gate_asked"),
        )
        .outerjoin(stage, stage.c.engagement_id == Engagement.id)
        .outerjoin(request, request.c.engagement_id == Engagement.id)
        .outerjoin(gate, holds_up)
        .where(Engagement.closed.is_(None), Engagement.id.in_(judged_by(members)) if members else true())
        .order_by(Engagement.id)
    )  # fmt: skip


def _reckoned(
    session: Session, chosen: Sequence[Row[Any]], today: date, calendar: WorkingCalendar
) -> list[BoardRow]:
    ids = [row.id for row in chosen]
    reserves: dict[str, int] = {
        row.engagement_id: int(row.left)
        for row in session.execute(
            select(ReserveEntry.engagement_id, func.sum(ReserveEntry.days).label("left"))
            .where(ReserveEntry.engagement_id.in_(ids)).group_by(ReserveEntry.engagement_id)
        )
    }  # fmt: skip
    sent = {
        (row.request_id, row.times_asked, row.reminder)
        for row in session.scalars(
            select(ReminderSent).where(ReminderSent.request_id.in_([row.request_id for row in chosen]))
        )
    }
    members: dict[str, list[str]] = defaultdict(list)
    for row in session.execute(
        select(SignOff.engagement_id, SignOff.who).order_by(SignOff.id)
        .where(SignOff.engagement_id.in_(ids), SignOff.gate == "scorecard", SignOff.decision.is_(None),
               SignOff.ended.is_(None))
    ):  # fmt: skip
        members[row.engagement_id].append(row.who)
    paused = paused_among(session, ids)
    return [
        _row(row, reserves.get(row.id), members[row.id], None if row.id in paused else sent, today, calendar)
        for row in chosen
    ]


def _row(
    row: Row[Any], reserve: int | None, members: Sequence[str], sent: set[tuple[int, int, str]] | None, today: date,
    calendar: WorkingCalendar,
) -> BoardRow:  # fmt: skip
    """Reckon one row; ``sent`` None: its reminders are paused."""
    until = row.promised or row.stage_due
    asked = row.request_id is not None and not row.gate
    return BoardRow(
        id=row.id, client=row.client, stage=row.stage, round=row.round, due=row.stage_due, promised=row.promised,
        days_left=None if until is None
        else calendar.between(today, until) if until >= today else -calendar.between(until, today),
        late=_is_late(row, today), reserve_left=reserve, waiting_on=_waiting_on(row.gate, row.of),
        members=members if row.gate == "scorecard" else (),
        waiting_for=process.SIGN_OFFS[row.gate].title if row.gate
        else process.REQUESTS[row.kind].title.vi if asked else "",
        since=row.gate_asked or row.asked, answer_due=row.due if asked else None,
        next_reminder=_next_reminder(row, sent, today, calendar) if asked and sent is not None else None,
    )  # fmt: skip


def _next_reminder(
    request: Row[Any], sent: set[tuple[int, int, str]], today: date, calendar: WorkingCalendar
) -> tuple[str, date] | None:
    if request.of != "client":
        return None
    days = sorted(
        (reminder_day(row, calendar.first_on_or_after(request.due), calendar), row.level)
        for row in process.REMINDERS if (request.request_id, request.times_asked, row.key) not in sent
    )  # fmt: skip
    return next(((level, day) for day, level in days if day > today), None)

"""The picture of an engagement's timetable: planned against actual, stage by stage and round by round, on one scale.

Lengths are units of the picture, ``WIDTH`` of them across. The same facts stand as rows for whoever reads no pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from include.engagement import process
from include.engagement.calendar import WorkingCalendar
from include.engagement.process import Text
from include.engagement.timetable import RESERVE, RESERVE_TITLE, timetable
from include.register.models import Engagement, Request, StagePeriod

WIDTH, LEFT, ROW, TOP = 960, 250, 34, 38
MOST_TICKS = 10


@dataclass(frozen=True)
class Span:
    """Days from ``start`` to ``end`` (the day after which it is over)."""

    start: date
    end: date


@dataclass(frozen=True)
class Bar:
    """A row: what was planned (with the due date as it stands), what came, when the client was waited for.

    ``waited`` and ``lost`` are working days: all of the client's, and those beyond their share. ``reserve`` marks the
    row of the reserve, ``late`` a stage over its due date.
    """

    title: Text
    round: int
    planned: Span
    due: date
    actual: Span | None
    open: bool
    waits: tuple[Span, ...] = ()
    waited: int = 0
    lost: int = 0
    late: bool = False
    reserve: bool = False

    @property
    def over(self) -> Span | None:
        """The part of what came that is past the due date."""
        return Span(self.due, self.actual.end) if self.late and self.actual else None


@dataclass(frozen=True)
class Picture:
    """The rows and their scale: ``x`` says where a day is."""

    bars: Sequence[Bar]
    first: date
    last: date
    today: date
    promised: date | None
    ticks: Sequence[date]

    @property
    def height(self) -> int:
        """The picture's height."""
        return TOP + ROW * len(self.bars) + 22

    def x(self, day: date) -> float:
        """Return where ``day`` is, kept within the picture."""
        share = (day - self.first).days / max(1, (self.last - self.first).days)
        return round(LEFT + (WIDTH - LEFT - 10) * min(1.0, max(0.0, share)), 1)

    def width(self, span: Span) -> float:
        """Return how long a bar is; a day that began and ended something can be seen."""
        return round(max(4.0, self.x(span.end) - self.x(span.start)), 1)


def picture(
    engagement: Engagement,
    periods: Sequence[StagePeriod],
    requests: Sequence[tuple[Request, date]],
    *,
    spent: int,
    today: date,
    calendar: WorkingCalendar,
) -> Picture | None:
    """Return the picture, None before anything began. ``requests``: each with the day it was first asked."""
    if not periods:
        return None
    until = engagement.closed or today
    planned = {}
    if engagement.signed is not None and engagement.terms is not None:
        rows = timetable(engagement.signed, int(engagement.terms["reserve_days"]), calendar)
        planned = {row.stage: Span(row.start, row.end) for row in rows}
    bars = [_bar(period, requests, planned, until, calendar) for period in periods]
    begun = {period.stage for period in periods}
    for key, span in planned.items():
        if key == RESERVE:
            used = Span(span.start, calendar.add(span.start, spent)) if spent else None
            bars.append(Bar(RESERVE_TITLE, 1, span, span.end, used, open=False, reserve=True, lost=spent))
        elif key not in begun and engagement.closed is None:
            bars.append(Bar(process.STAGES[key].title, 1, span, span.end, None, open=False))
    days = [day for bar in bars for span in (bar.planned, bar.actual) if span for day in (span.start, span.end)]
    days += [engagement.opened, until, engagement.promised or until, *(bar.due for bar in bars)]
    first, last = min(days) - timedelta(1), max(days) + timedelta(3)
    return Picture(bars, first, last, today, engagement.promised, _ticks(first, last))


def _bar(
    period: StagePeriod, requests: Sequence[tuple[Request, date]], planned: dict[str, Span], until: date,
    calendar: WorkingCalendar,
) -> Bar:  # fmt: skip
    end = period.closed or max(until, period.opened)
    waits = tuple(
        Span(max(asked, period.opened), min(request.answered or end, end))
        for request, asked in requests
        if request.of == "client" and request.stage == period.stage and request.stage_round == period.round
        and asked <= end
    )  # fmt: skip
    plan = planned.get(period.stage) if period.round == 1 else None
    return Bar(
        process.STAGES[period.stage].title, period.round,
        plan or Span(period.opened, calendar.add(period.opened, period.days)), period.due,
        Span(period.opened, end), period.closed is None, waits, period.client_waited, period.client_wait_days,
        end > period.due,
    )  # fmt: skip


def _ticks(first: date, last: date) -> list[date]:
    """Return the days that are named below the picture: Mondays, as many as there is room for."""
    monday = first + timedelta((7 - first.weekday()) % 7)
    weeks = max(1, -(-((last - monday).days // 7 + 1) // MOST_TICKS))
    days = []
    while monday <= last:
        days.append(monday)
        monday += timedelta(7 * weeks)
    return days

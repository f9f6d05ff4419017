"""Where time goes: how long stages take against their standard, and whom they wait for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Float, cast, func, select
from sqlalchemy.orm import Session

from include.casework.reports.period import Period, day_numbers
from include.engagement import process
from include.engagement.calendar import WorkingCalendar
from include.register.models import Event, StagePeriod

TIMED_STAGES = tuple(key for key, stage in process.STAGES.items() if stage.days is not None)


@dataclass(frozen=True)
class StageTime:
    """The finished periods of a stage, in working days.

    ``first_rounds``, their ``median``, ``slowest_tenth`` (nine in ten took no longer) and ``within`` the ``standard``
    are of first rounds only: rework has no standard. ``firm_days`` and ``client_days`` are those of all rounds: waiting
    for the client's answer, and all else. ``late_firm`` and ``late_client`` are what went beyond the days given: the
    client's beyond the client's share, the firm's the rest.
    """

    stage: str
    standard: int
    first_rounds: int
    median: float | None
    slowest_tenth: float | None
    within: int
    rounds: int
    firm_days: int
    client_days: int
    late_firm: int
    late_client: int


def stage_times(session: Session, period: Period, calendar: WorkingCalendar) -> tuple[StageTime, ...]:
    """Return for each stage with a standard how long those took that were finished in the period.

    A stage that was cut short because the engagement ended was not finished.
    """
    closed = StagePeriod.closed.between(period.since, period.until) & StagePeriod.stage.in_(TIMED_STAGES)
    finished = select(Event.id).where(
        Event.engagement_id == StagePeriod.engagement_id, Event.kind == "stage_closed",
        Event.key == func.concat("stage_closed/", StagePeriod.stage, "/", StagePeriod.round),
    ).exists()  # fmt: skip
    first = session.scalar(select(func.min(StagePeriod.opened)).where(closed))
    rows: dict[str, Any] = {}
    if first is not None:
        number = day_numbers(calendar, first, period.until)
        each = select(
            StagePeriod.stage, StagePeriod.round, StagePeriod.days,
            (number(StagePeriod.closed) - number(StagePeriod.opened)).label("taken"),
            StagePeriod.client_waited, StagePeriod.client_wait_days,
        ).where(closed, finished).cte("each").prefix_with("materialized")  # fmt: skip
        waited = func.least(each.c.client_waited, each.c.taken)
        over = func.greatest(each.c.taken - each.c.days, 0)
        late_client = func.least(each.c.client_wait_days, over)
        is_first = each.c.round == 1
        for row in session.execute(
            select(
                each.c.stage,
                func.count().filter(is_first).label("first_rounds"),
                _quantile(0.5, each.c.taken, is_first).label("median"),
                _quantile(0.9, each.c.taken, is_first).label("slowest_tenth"),
                func.count().filter(is_first, each.c.taken <= each.c.days).label("within"),
                func.count().label("rounds"),
                func.sum(each.c.taken - waited).label("firm_days"),
                func.sum(waited).label("client_days"),
                func.sum(over - late_client).label("late_firm"),
                func.sum(late_client).label("late_client"),
            ).group_by(each.c.stage)
        ):  # fmt: skip
            rows[row.stage] = row
    return tuple(_stage_time(stage, rows.get(stage)) for stage in TIMED_STAGES)


def _stage_time(stage: str, row: Any) -> StageTime:
    standard = process.STAGES[stage].days
    assert standard is not None
    if row is None:
        return StageTime(stage, standard, 0, None, None, 0, 0, 0, 0, 0, 0)
    return StageTime(
        stage, standard, row.first_rounds, row.median, row.slowest_tenth, row.within, row.rounds,
        int(row.firm_days), int(row.client_days), int(row.late_firm), int(row.late_client),
    )  # fmt: skip


def _quantile(share: float, column: ColumnElement[Any], where: ColumnElement[bool]) -> Any:
    return cast(func.percentile_cont(share).within_group(column).filter(where), Float)

"""What management reads of a period: engagements by month, where time goes, council, reserve, reminders, evaluations.

The register reckons: each reading is one or two aggregates, whatever the number of engagements. A period is whole
months; a figure belongs to the month in which it happened (a stage to the one it was finished in). Days are working
days of the firm's calendar, counted from the day after a stage was opened.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from include.casework.reports.council import Council, Criterion, council
from include.casework.reports.evaluations import (
    DETRACTOR,
    PROMOTER,
    RATINGS,
    RECOMMEND,
    Evaluation,
    Evaluations,
    evaluations,
)
from include.casework.reports.flow import Flow, Month, StageFlow, first_month, flow, listed, stage_flow
from include.casework.reports.period import MOST_MONTHS, Period, months
from include.casework.reports.reminders import AT_ONCE, SOON, ReminderEffect, reminder_effects
from include.casework.reports.reserve import Reserve, reserve
from include.casework.reports.times import TIMED_STAGES, StageTime, stage_times
from include.engagement.calendar import WorkingCalendar

__all__ = [
    "AT_ONCE",
    "DETRACTOR",
    "MOST_MONTHS",
    "PROMOTER",
    "RATINGS",
    "RECOMMEND",
    "SOON",
    "TIMED_STAGES",
    "Council",
    "Criterion",
    "Evaluation",
    "Evaluations",
    "Flow",
    "Month",
    "Period",
    "ReminderEffect",
    "Report",
    "Reserve",
    "StageFlow",
    "StageTime",
    "council",
    "evaluations",
    "first_month",
    "flow",
    "listed",
    "months",
    "reminder_effects",
    "report",
    "reserve",
    "stage_flow",
    "stage_times",
]  # fmt: skip


@dataclass(frozen=True)
class Report:
    """Everything that management reads of a period."""

    period: Period
    flow: Flow
    stages: tuple[StageFlow, ...]
    times: tuple[StageTime, ...]
    council: Council
    reserve: Reserve
    reminders: tuple[ReminderEffect, ...]
    evaluations: Evaluations


def report(session: Session, period: Period, calendar: WorkingCalendar) -> Report:
    """Return the report of a period."""
    return Report(
        period, flow(session, period), stage_flow(session, period), stage_times(session, period, calendar),
        council(session, period), reserve(session, period), reminder_effects(session, period, calendar),
        evaluations(session, period),
    )  # fmt: skip

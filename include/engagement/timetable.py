"""Due dates, the promised date and the timetable that is signed with the client (stages 3 to 6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from include.engagement.calendar import WorkingCalendar
from include.engagement.process import STAGES, Text

RESERVE = "reserve"
RESERVE_TITLE = Text("Thời gian dự trù", "Reserve")
TIMETABLE_ORDER = ("delivery", "appraisal", RESERVE, "handover")


@dataclass(frozen=True)
class TimetableRow:
    """A line of the timetable: ``days`` working days from ``start`` to ``end``, both included."""

    stage: str
    title: Text
    days: int
    start: date
    end: date
    reserve: bool


def due_at(start: date, days: int, calendar: WorkingCalendar) -> date:
    """Return the day on which something of ``days`` working days is due that was begun on ``start``."""
    return calendar.add(start, days)


def moved_due(
    *, opened: date, days: int, client_days: int, client_waited: int, calendar: WorkingCalendar
) -> tuple[date, int]:
    """Return a stage's due date and the working days lost to the client.

    A stage of ``days`` working days includes ``client_days`` of the client's; of ``client_waited`` only what goes
    beyond them stops the firm's clock.
    """
    lost = max(0, client_waited - client_days)
    return due_at(opened, days + lost, calendar), lost


def _days(stage: str, reserve_days: int) -> int:
    if stage == RESERVE:
        return reserve_days
    days = STAGES[stage].days
    if days is None:
        raise ValueError(f"stage {stage} is periodic and has no place in a timetable")
    return days


def promised_date(signed: date, reserve_days: int, calendar: WorkingCalendar) -> date:
    """Return the date promised at signature: delivery, appraisal and handover, and the reserve (working days)."""
    return due_at(signed, sum(_days(stage, reserve_days) for stage in TIMETABLE_ORDER), calendar)


def timetable(signed: date, reserve_days: int, calendar: WorkingCalendar) -> list[TimetableRow]:
    """Return what happens when after signature, the reserve shown; its last end is the promised date."""
    rows: list[TimetableRow] = []
    previous_end = signed
    for stage in TIMETABLE_ORDER:
        days = _days(stage, reserve_days)
        if days == 0:
            continue
        title = RESERVE_TITLE if stage == RESERVE else STAGES[stage].title
        end = due_at(previous_end, days, calendar)
        rows.append(TimetableRow(stage, title, days, calendar.next(previous_end), end, stage == RESERVE))
        previous_end = end
    return rows

"""Which reminders of an open request are due on a day (rows: ``process.REMINDERS``)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from include.engagement.calendar import WorkingCalendar
from include.engagement.process import REMINDERS, Reminder


@dataclass(frozen=True)
class OpenRequest:
    """A request that waits: the day it was last asked and the day it is due."""

    request_id: int
    asked: date
    due: date


def reminder_day(row: Reminder, due: date, calendar: WorkingCalendar) -> date:
    """Return the working day on which a reminder goes out for a request due on ``due``."""
    return calendar.subtract(due, -row.offset) if row.offset < 0 else calendar.add(due, row.offset)


def due_reminders(day: date, request: OpenRequest, sent: Collection[str], calendar: WorkingCalendar) -> list[Reminder]:
    """Return the reminders to send on ``day``, in the order of the rows; at most one of each level.

    ``sent``: keys of the reminders already sent since the request was last asked. When sweeps were missed only the
    latest row of a level counts, and a reminder that comes before the due day is not sent after it. A level that heard
    a later row is not told an earlier one, whichever way the clock moved meanwhile. Nothing is sent on a day off, nor
    on or before the day the request was asked. What is due on a day off is due on the next working day (Civil Code
    2015, Art. 148 (5)): the firm may add a day off to its calendar after it asked.
    """
    if day <= request.asked or not calendar.is_working_day(day):
        return []
    due = calendar.first_on_or_after(request.due)
    latest: dict[str, Reminder] = {}
    for row in sorted(REMINDERS, key=lambda row: row.offset):
        if reminder_day(row, due, calendar) <= day and not (row.offset < 0 and day >= due):
            latest[row.level] = row
    told = {row.level: row.offset for row in sorted(REMINDERS, key=lambda row: row.offset) if row.key in sent}
    return [
        row for row in REMINDERS
        if latest.get(row.level) is row and (row.level not in told or row.offset > told[row.level])
    ]  # fmt: skip

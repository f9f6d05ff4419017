"""The working days that a chart or plan lays its columns and tasks on."""

from __future__ import annotations

from datetime import date, timedelta


def working_days(first: date, last: date) -> list[date]:
    """Return the working days from ``first`` to ``last``, both included, in the calendar of Viet Nam."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5]

"""The working days that a chart or plan lays its columns and tasks on."""

from __future__ import annotations

from datetime import date, timedelta

from include.engagement.calendar import working_calendar


def working_days(first: date, last: date) -> list[date]:
    """Return the firm's working days from ``first`` to ``last``, both included."""
    return working_calendar().days(first - timedelta(days=1), last)

"""The months that a report is of, and how the register counts by month and in working days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

from sqlalchemy import ARRAY, Date, Integer, Numeric, case, cast, func, literal, select
from sqlalchemy.orm import Session

from include.engagement.calendar import WorkingCalendar

MOST_MONTHS = 36  # of one report: more would not be legible


@dataclass(frozen=True)
class Period:
    """Whole months, from ``since`` (a first) to ``until`` (a last day)."""

    since: date
    until: date

    @classmethod
    def of(cls, first: date, last: date) -> Period:
        """Return the months from that of ``first`` to that of ``last``, at most ``MOST_MONTHS``, the newest."""
        first, last = min(first, last), max(first, last)
        end = months_later(last, 1) - timedelta(days=1)
        return cls(max(first.replace(day=1), months_later(last, 1 - MOST_MONTHS)), end)

    @property
    def months(self) -> tuple[date, ...]:
        """The first day of each month."""
        return months(self.since, self.until)


def months(first: date, last: date) -> tuple[date, ...]:
    """Return the first day of each month from that of ``first`` to that of ``last``."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return tuple(months_later(first, n) for n in range(count))


def months_later(day: date, months: int) -> date:
    """Return the first day of the month so many ``months`` after that of ``day``."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


def month_of(column: Any) -> Any:
    """Return the first day of a day's month, in SQL."""
    return cast(func.date_trunc("month", column), Date)


def counted_by_month(session: Session, column: Any, period: Period) -> dict[date, int]:
    """Return how many rows have their day in each month of the period."""
    month = month_of(column)
    rows = session.execute(
        select(month, func.count()).where(column.between(period.since, period.until)).group_by(month)
    )
    return {row[0]: row[1] for row in rows}


def number_in(value: Any) -> Any:
    """Return a JSON value as a number, and null for whatever is none."""
    return case((func.jsonb_typeof(value) == "number", cast(value.astext, Numeric)), else_=None)


def two_places(value: Decimal | None) -> float | None:
    """Return a mean as it is shown."""
    return None if value is None else round(float(value), 2)


def day_numbers(calendar: WorkingCalendar, first: date, last: date) -> Any:
    """Return what gives the number of a day, in SQL: two days' difference is the working days between them."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    numbers = list(accumulate(int(calendar.is_working_day(day)) for day in days))
    # PostgreSQL takes an index only of what stands in parentheses.
    known = cast(literal(numbers, ARRAY(Integer)), ARRAY(Integer)).self_group()
    table = select(known.label("numbers")).cte("working_days")

    def number(day: Any) -> Any:
        return select(table.c.numbers[day - cast(literal(first), Date) + 1]).scalar_subquery()

    return number

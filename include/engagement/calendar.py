"""Working days in Viet Nam: Labour Code 2019 Art. 112, the yearly announcements, and the firm's own overrides.

Days off come from the ``holidays`` package; ``calendar.yaml`` beside this module adds, removes and exchanges days, and
the register's calendar, which staff edit, wins over both (``include.casework.working_days``).
``python -m include.engagement.calendar 2027`` prints a year for comparison with the official announcement.
"""

from __future__ import annotations

import sys
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from holidays import HolidayBase, country_holidays

OVERRIDES = Path(__file__).with_name("calendar.yaml")
ONE_DAY = timedelta(days=1)


def _official_days() -> HolidayBase:
    return country_holidays("VN", language="vi")


@dataclass(frozen=True)
class DayRule:
    """What a day is: ``off`` with its occasion, ``worked`` in exchange for another, or ``ordinary``, as if no holiday
    fell on it."""

    kind: Literal["off", "worked", "ordinary"]
    occasion: str = ""


@dataclass(frozen=True, eq=False)
class WorkingCalendar:
    """The firm's working days: Monday to Friday without days off, and the Saturdays worked in exchange.

    ``extra_holidays``, ``not_holidays`` and ``working_days`` are the rows of the overrides file by day, with the
    occasion. ``confirmed_years`` are those whose official days somebody compared with the announcement.
    """

    extra_holidays: Mapping[date, str] = field(default_factory=dict)
    not_holidays: Mapping[date, str] = field(default_factory=dict)
    working_days: Mapping[date, str] = field(default_factory=dict)
    confirmed_years: frozenset[int] = frozenset()
    _official: HolidayBase = field(default_factory=_official_days, repr=False)

    def holiday(self, d: date) -> str | None:
        """Return the occasion for which ``d`` is a day off, None when it is not one (weekends have none)."""
        if d in self.extra_holidays:
            return self.extra_holidays[d]
        if d in self.not_holidays or d in self.working_days:
            return None
        occasion: str | None = self._official.get(d)
        return occasion

    def with_rules(self, rules: Mapping[date, DayRule], *, confirmed_years: Iterable[int] = ()) -> WorkingCalendar:
        """Return this calendar with ``rules`` in place of what it says of their days; more years are confirmed."""

        def layer(kind: str, own: Mapping[date, str]) -> dict[date, str]:
            kept = {day: occasion for day, occasion in own.items() if day not in rules}
            return kept | {day: rule.occasion for day, rule in rules.items() if rule.kind == kind}

        return replace(
            self,
            extra_holidays=layer("off", self.extra_holidays),
            not_holidays=layer("ordinary", self.not_holidays),
            working_days=layer("worked", self.working_days),
            confirmed_years=self.confirmed_years | frozenset(confirmed_years),
        )

    def is_working_day(self, d: date) -> bool:
        """Tell whether the firm works on ``d``."""
        if d in self.working_days:
            return True
        if self.holiday(d) is not None:
            return False
        return d.weekday() < 5 or d in self._official.weekend_workdays

    def add(self, d: date, days: int) -> date:
        """Return the ``days``-th working day after ``d``; for 0, ``d`` itself or the next working day.

        Raises ValueError for negative ``days``.
        """
        if days < 0:
            raise ValueError(f"working days to add must not be negative: {days}")
        if days == 0:
            return self.first_on_or_after(d)
        for _ in range(days):
            d = self.next(d)
        return d

    def subtract(self, d: date, days: int) -> date:
        """Return the ``days``-th working day before ``d``; for 0, ``d`` itself or the working day before it.

        Raises ValueError for negative ``days``.
        """
        if days < 0:
            raise ValueError(f"working days to subtract must not be negative: {days}")
        if days == 0:
            return d if self.is_working_day(d) else self.subtract(d, 1)
        for _ in range(days):
            d -= ONE_DAY
            while not self.is_working_day(d):
                d -= ONE_DAY
        return d

    def between(self, a: date, b: date) -> int:
        """Return the number of working days after ``a`` up to and including ``b``; 0 when ``b`` is not later."""
        return len(self.days(a, b))

    def next(self, d: date) -> date:
        """Return the first working day after ``d``."""
        return self.first_on_or_after(d + ONE_DAY)

    def first_on_or_after(self, d: date) -> date:
        """Return ``d`` when it is a working day, else the first one after it."""
        while not self.is_working_day(d):
            d += ONE_DAY
        return d

    def days(self, after: date, until: date) -> list[date]:
        """Return the working days after ``after`` up to and including ``until``, in order."""
        span = (until - after).days
        return [d for n in range(1, span + 1) if self.is_working_day(d := after + timedelta(days=n))]

    def add_months(self, d: date, months: int) -> date:
        """Return the day ``months`` calendar months after ``d`` (31 January + 1 = end of February), moved to the
        first working day on or after it.
        """
        year, month = divmod(d.year * 12 + d.month - 1 + months, 12)
        month += 1
        return self.first_on_or_after(date(year, month, min(d.day, monthrange(year, month)[1])))


def read_calendar(path: Path) -> WorkingCalendar:
    """Read an overrides file. Raises ValueError when a row is not a day, or a day stands in two lists."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    unknown = set(rows) - {"confirmed_years", "holidays", "not_holidays", "working_days"}
    if unknown:
        raise ValueError(f"{path.name}: unknown lists {sorted(unknown)}")
    lists: dict[str, dict[date, str]] = {}
    seen: dict[date, str] = {}
    for name in ("holidays", "not_holidays", "working_days"):
        lists[name] = dict(rows.get(name) or {})
        for day in lists[name]:
            if type(day) is not date:
                raise ValueError(f"{path.name}: {name}: {day!r} is not a day (YYYY-MM-DD)")
            if day in seen:
                raise ValueError(f"{path.name}: {day} stands in {seen[day]} and in {name}")
            seen[day] = name
    return WorkingCalendar(
        extra_holidays=lists["holidays"],
        not_holidays=lists["not_holidays"],
        working_days=lists["working_days"],
        confirmed_years=frozenset(int(year) for year in rows.get("confirmed_years") or ()),
    )


@cache
def working_calendar() -> WorkingCalendar:
    """Return the calendar without what staff changed in the register, read once in a process."""
    return read_calendar(OVERRIDES)


def _print_year(year: int) -> None:
    calendar = working_calendar()
    day = date(year, 1, 1)
    while day.year == year:
        occasion = calendar.holiday(day)
        if occasion is not None:
            print(f"{day:%a %Y-%m-%d}  {occasion}")
        elif day.weekday() >= 5 and calendar.is_working_day(day):
            print(f"{day:%a %Y-%m-%d}  (working day)")
        day += ONE_DAY


if __name__ == "__main__":
    _print_year(int(sys.argv[1]))

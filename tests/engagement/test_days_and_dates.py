"""Due dates and promises over Tết, working Saturdays and the year's end, whatever zone the machine keeps."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.clock import ZONE, morning
from include.engagement.calendar import working_calendar
from include.engagement.process import STAGES
from include.engagement.timetable import moved_due, promised_date, timetable

CALENDAR = working_calendar()
# Half of the days around the turns of the year, where calendars go wrong.
DAYS = st.one_of(st.dates(date(2025, 12, 15), date(2026, 3, 10)), st.dates(date(2026, 12, 15), date(2027, 3, 1)),
                 st.dates(date(2026, 1, 1), date(2028, 6, 1)))  # fmt: skip


@given(DAYS, st.integers(0, 40))
def test_what_is_due_is_due_on_a_working_day(day: date, days: int) -> None:
    assert CALENDAR.is_working_day(CALENDAR.add(day, days))


@given(DAYS, st.integers(1, 30), st.integers(0, 30))
def test_who_begins_later_is_never_due_earlier(day: date, days: int, later: int) -> None:
    assert CALENDAR.add(day, days) <= CALENDAR.add(day + timedelta(days=later), days)


@given(DAYS, st.integers(1, 10), st.integers(1, 20))
def test_a_later_day_of_waiting_moves_a_due_date_by_one_working_day_or_not_at_all(
    opened: date, share: int, waited: int
) -> None:
    before, lost = moved_due(opened=opened, days=10, client_days=share, client_waited=waited, calendar=CALENDAR)
    after, more = moved_due(opened=opened, days=10, client_days=share, client_waited=waited + 1, calendar=CALENDAR)
    assert more - lost in (0, 1)
    assert CALENDAR.between(before, after) == more - lost


@given(DAYS, st.integers(1, 30))
def test_a_promise_counts_its_working_days_and_no_other(signed: date, reserve: int) -> None:
    promised = promised_date(signed, reserve, CALENDAR)
    days = sum(STAGES[key].days or 0 for key in ("delivery", "appraisal", "handover")) + reserve
    assert CALENDAR.between(signed, promised) == days
    assert sum(row.days for row in timetable(signed, reserve, CALENDAR)) == days


@given(DAYS, st.sampled_from([-12, -8, 0, 5.5, 7, 9, 14]))
def test_the_office_opens_at_the_same_instant_in_every_zone(day: date, hours: float) -> None:
    elsewhere = morning(day).astimezone(timezone(timedelta(hours=hours)))
    assert elsewhere == morning(day)
    assert elsewhere.astimezone(ZONE).date() == day
    assert morning(day).astimezone(timezone.utc).hour == 1


@pytest.mark.parametrize(
    ("utc", "day"),
    [
        (datetime(2026, 12, 31, 16, 59, tzinfo=timezone.utc), date(2026, 12, 31)),
        (datetime(2026, 12, 31, 17, 0, tzinfo=timezone.utc), date(2027, 1, 1)),
        (datetime(2028, 2, 28, 17, 0, tzinfo=timezone.utc), date(2028, 2, 29)),
    ],
)
def test_the_day_turns_at_midnight_in_viet_nam(utc: datetime, day: date) -> None:
    assert utc.astimezone(ZONE).date() == day

"""Due dates, the promised date, the timetable, and reminders."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engagement.calendar import working_calendar
from include.engagement.process import REMINDERS, STAGES
from include.engagement.reminders import OpenRequest, due_reminders
from include.engagement.reserve import Balance, round_cost
from include.engagement.timetable import moved_due, promised_date, timetable

CALENDAR = working_calendar()
DAYS = st.dates(date(2026, 1, 1), date(2028, 12, 1))


def test_a_late_client_stops_the_clock():
    opened = date(2026, 12, 1)
    share = STAGES["information"].client_days
    assert moved_due(opened=opened, days=6, client_days=share, client_waited=8, calendar=CALENDAR) == (
        date(2026, 12, 11), 2,
    )  # fmt: skip


@pytest.mark.parametrize("waited", [0, 4, 6])
def test_a_client_in_time_moves_nothing(waited):
    assert moved_due(opened=date(2026, 12, 1), days=6, client_days=6, client_waited=waited, calendar=CALENDAR) == (
        date(2026, 12, 9), 0,
    )  # fmt: skip


def test_the_promise_over_tet_counts_no_day_off():
    # Monday 25 January + 29: 7 days before Tết, 2 in its week, then four whole weeks.
    assert promised_date(date(2027, 1, 25), 6, CALENDAR) == date(2027, 3, 12)


@given(DAYS, st.integers(1, 30))
def test_the_timetable_ends_on_the_promised_date_without_gaps(signed, reserve_days):
    rows = timetable(signed, reserve_days, CALENDAR)
    assert rows[-1].end == promised_date(signed, reserve_days, CALENDAR)
    assert [row.days for row in rows if row.reserve] == [reserve_days]
    assert rows[0].start == CALENDAR.next(signed)
    assert all(later.start == CALENDAR.next(earlier.end) for earlier, later in pairwise(rows))
    assert all(len(CALENDAR.days(row.start - timedelta(days=1), row.end)) == row.days for row in rows)


@given(DAYS, st.integers(0, 20), st.integers(1, 10))
def test_more_reserve_never_promises_earlier(signed, reserve_days, more):
    assert promised_date(signed, reserve_days, CALENDAR) < promised_date(signed, reserve_days + more, CALENDAR)


@pytest.mark.parametrize(("taken", "left", "cost"), [(3, 5, 3), (7, 5, 5), (0, 5, 0), (4, 0, 0), (-1, 5, 0)])
def test_a_round_costs_what_it_took_and_at_most_what_is_left(taken, left, cost):
    assert round_cost(days_taken=taken, left=left) == cost


def test_what_is_granted_adds_to_the_reserve():
    assert Balance(contracted=5, granted=3, spent=6).left == 2


# Asked on Wednesday 6 January 2027, due on Thursday 14 January.
REQUEST = OpenRequest(request_id=1, asked=date(2027, 1, 6), due=date(2027, 1, 14))


def swept(days: list[date], request: OpenRequest) -> list[tuple[str, str]]:
    sent: list[tuple[str, str]] = []
    for day in days:
        sent += [(day.isoformat(), row.key) for row in due_reminders(day, request, {key for _, key in sent}, CALENDAR)]
    return sent


def every_day(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def test_daily_sweeps_send_every_row_on_its_day_once():
    assert swept(every_day(date(2027, 1, 5), date(2027, 2, 3)) * 2, REQUEST) == [
        ("2027-01-13", "before_due"),
        ("2027-01-14", "on_due_day"),
        ("2027-01-15", "overdue"),
        ("2027-01-19", "overdue_account_manager"),
        ("2027-01-20", "overdue_again"),
        ("2027-01-22", "overdue_director"),
    ]


def test_after_missed_sweeps_each_level_hears_the_latest_only():
    assert swept([date(2027, 1, 25), date(2027, 1, 26)], REQUEST) == [
        ("2027-01-25", "overdue_again"),
        ("2027-01-25", "overdue_account_manager"),
        ("2027-01-25", "overdue_director"),
    ]


def test_a_reminder_before_the_due_day_is_not_sent_on_it():
    assert [row.key for row in due_reminders(REQUEST.due, REQUEST, (), CALENDAR)] == ["on_due_day"]


def test_a_missed_early_reminder_is_still_sent_before_the_due_day():
    friday_before = OpenRequest(request_id=2, asked=date(2027, 1, 4), due=date(2027, 2, 11))
    # The working day before is Wednesday 3 February: Tết lies between.
    assert swept(every_day(date(2027, 2, 2), date(2027, 2, 11)), friday_before) == [
        ("2027-02-03", "before_due"), ("2027-02-11", "on_due_day"),
    ]  # fmt: skip


def test_nothing_goes_out_on_the_day_of_asking_or_before():
    tomorrow = OpenRequest(request_id=3, asked=date(2027, 1, 13), due=date(2027, 1, 14))
    assert due_reminders(date(2027, 1, 13), tomorrow, (), CALENDAR) == []
    assert due_reminders(date(2027, 1, 12), tomorrow, (), CALENDAR) == []


@given(DAYS, st.integers(1, 15), st.integers(0, 60))
def test_no_sweep_reminds_on_a_day_off_twice_or_a_level_twice(asked, answer_days, later):
    request = OpenRequest(request_id=4, asked=asked, due=CALENDAR.add(asked, answer_days))
    day = asked + timedelta(days=later)
    rows = due_reminders(day, request, (), CALENDAR)
    assert not rows or (CALENDAR.is_working_day(day) and day > asked)
    assert len({row.level for row in rows}) == len(rows)
    assert due_reminders(day, request, {row.key for row in REMINDERS}, CALENDAR) == []
    assert due_reminders(day, request, {row.key for row in rows}, CALENDAR) == []

"""Working days in Viet Nam."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engagement.calendar import WorkingCalendar, read_calendar, working_calendar

CALENDAR = working_calendar()
DAYS = st.dates(date(2024, 1, 1), date(2030, 12, 31))

OFFICIAL_WEEKDAYS_OFF_2026 = [
    "2026-01-01", "2026-01-02",
    "2026-02-16", "2026-02-17", "2026-02-18", "2026-02-19", "2026-02-20",
    "2026-04-27", "2026-04-30", "2026-05-01",
    "2026-08-31", "2026-09-01", "2026-09-02",
    "2026-11-24",
]  # fmt: skip


def test_the_weekdays_off_of_2026_are_those_announced():
    day, off = date(2026, 1, 1), []
    while day.year == 2026:
        if day.weekday() < 5 and not CALENDAR.is_working_day(day):
            off.append(day.isoformat())
        day += timedelta(days=1)
    assert off == OFFICIAL_WEEKDAYS_OFF_2026


@pytest.mark.parametrize(
    ("occasion", "day", "works"),
    [
        ("a Saturday worked for 31 August", "2026-08-22", True),
        ("a Saturday worked for 2 January", "2026-01-10", True),
        ("an ordinary Saturday", "2026-08-15", False),
        ("29 Tết, a Thursday", "2027-02-04", False),
        ("the Wednesday before that", "2027-02-03", True),
        ("Mùng năm, in lieu of the Sunday", "2027-02-10", False),
        ("the Thursday after Tết", "2027-02-11", True),
        ("Hùng Kings, a Friday", "2027-04-16", False),
        ("in lieu of Saturday 1 May", "2027-05-03", False),
        ("the day after National Day, a Friday", "2027-09-03", False),
        ("the last weekday of the Tết of 2028", "2028-01-28", False),
    ],
)
def test_a_day_is_worked_or_not(occasion, day, works):
    assert CALENDAR.is_working_day(date.fromisoformat(day)) is works, occasion


def test_an_answer_about_a_worked_saturday_needs_no_question_asked_before():
    assert WorkingCalendar().is_working_day(date(2026, 8, 22))


def test_the_third_working_day_after_the_wednesday_before_tet_lies_after_tet():
    assert CALENDAR.add(date(2027, 2, 3), 3) == date(2027, 2, 15)


@pytest.mark.parametrize(
    ("day", "expected"), [("2026-12-01", "2026-12-01"), ("2026-12-05", "2026-12-07"), ("2027-02-06", "2027-02-11")]
)
def test_adding_nothing_gives_the_day_or_the_next_working_day(day, expected):
    assert CALENDAR.add(date.fromisoformat(day), 0) == date.fromisoformat(expected)


def test_negative_days_are_refused():
    with pytest.raises(ValueError):
        CALENDAR.add(date(2026, 12, 1), -1)
    with pytest.raises(ValueError):
        CALENDAR.subtract(date(2026, 12, 1), -1)


@given(DAYS, st.integers(1, 60))
def test_between_counts_what_add_added(day, days):
    assert CALENDAR.between(day, CALENDAR.add(day, days)) == days


@given(DAYS, st.integers(0, 30), st.integers(1, 30))
def test_adding_twice_is_adding_the_sum(day, first, second):
    day = CALENDAR.first_on_or_after(day)
    assert CALENDAR.add(CALENDAR.add(day, first), second) == CALENDAR.add(day, first + second)


@given(DAYS, st.integers(1, 40))
def test_subtracting_undoes_adding_from_a_working_day(day, days):
    day = CALENDAR.first_on_or_after(day)
    assert CALENDAR.subtract(CALENDAR.add(day, days), days) == day


@given(DAYS, DAYS)
def test_between_never_counts_backwards(a, b):
    assert CALENDAR.between(a, b) == (0 if b <= a else len(CALENDAR.days(a, b)))


def test_months_end_at_the_end_of_a_shorter_month():
    assert CALENDAR.add_months(date(2026, 12, 31), 4) == date(2027, 5, 4)  # 30 April, 1 May and its day in lieu are off
    assert CALENDAR.add_months(date(2026, 8, 31), 6) == date(2027, 3, 1)  # 28 February is a Sunday


def test_overrides_add_remove_and_exchange_days(tmp_path):
    path = tmp_path / "calendar.yaml"
    path.write_text(
        "confirmed_years: [2027]\nholidays: {2027-06-01: 'Ngày của công ty'}\n"
        "not_holidays: {2027-11-24: 'chưa có luật'}\nworking_days: {2027-06-05: 'làm bù'}\n",
        encoding="utf-8",
    )
    calendar = read_calendar(path)
    days = [date(2027, 6, 1), date(2027, 11, 24), date(2027, 6, 5)]
    assert [calendar.is_working_day(day) for day in days] == [False, True, True]
    assert calendar.holiday(days[0]) == "Ngày của công ty"


@pytest.mark.parametrize(
    "text",
    [
        "holidays: {2027-06-01: a}\nworking_days: {2027-06-01: b}",
        "holidays: {tomorrow: a}",
        "holydays: {}",
    ],
)
def test_a_contradictory_overrides_file_is_refused(tmp_path, text):
    path = tmp_path / "calendar.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError):
        read_calendar(path)


def unconfirmed(today: date, confirmed: frozenset[int]) -> list[int]:
    """Years that should be confirmed by ``today``: this one, and the next one after 15 December."""
    wanted = [today.year] + ([today.year + 1] if (today.month, today.day) > (12, 15) else [])
    return [year for year in wanted if year not in confirmed]


def test_next_years_days_are_wanted_only_after_15_december():
    confirmed = frozenset({2026})
    assert unconfirmed(date(2026, 12, 15), confirmed) == []
    assert unconfirmed(date(2026, 12, 16), confirmed) == [2027]
    assert unconfirmed(date(2027, 1, 4), confirmed) == [2027]


def test_the_official_days_of_this_and_soon_of_next_year_are_confirmed():
    today = datetime.now(timezone(timedelta(hours=7))).date()
    assert unconfirmed(today, CALENDAR.confirmed_years) == [], (
        "compare the announcement with `python -m include.engagement.calendar YEAR`, then add it to confirmed_years"
    )

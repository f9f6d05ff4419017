"""Reminders whatever the scheduler missed: down for days, swept twice, a clock that went back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from include.clock import ZONE
from include.engagement.calendar import working_calendar
from include.engagement.process import REMINDERS
from include.engagement.reminders import OpenRequest, due_reminders, reminder_day

CALENDAR = working_calendar()
ROWS = {row.key: row for row in REMINDERS}
# Around the year's end, Tết with its working Saturdays in exchange, Reunification Day and National Day.
ASKED = st.one_of(
    st.dates(date(2026, 12, 20), date(2027, 2, 20)), st.dates(date(2027, 4, 20), date(2027, 5, 5)),
    st.dates(date(2026, 8, 20), date(2026, 9, 5)), st.dates(date(2026, 1, 1), date(2027, 12, 31)),
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> OpenRequest:
    asked = draw(ASKED)
    return OpenRequest(request_id=1, asked=asked, due=CALENDAR.add(asked, draw(st.integers(1, 12))))


def told_by(days: list[date], request: OpenRequest) -> list[tuple[date, str]]:
    told: list[tuple[date, str]] = []
    for day in days:
        told += [(day, row.key) for row in due_reminders(day, request, {key for _, key in told}, CALENDAR)]
    return told


offsets = st.lists(st.integers(0, 45), max_size=40)


@given(requests(), offsets)
def test_whatever_days_the_sweep_ran_on_each_row_is_told_at_most_once(request: OpenRequest, ran: list[int]) -> None:
    keys = [key for _, key in told_by([request.asked + timedelta(days=n) for n in ran], request)]
    assert len(keys) == len(set(keys))


@given(requests(), offsets)
def test_nothing_is_announced_as_due_soon_on_or_after_the_due_day(request: OpenRequest, ran: list[int]) -> None:
    for day, key in told_by([request.asked + timedelta(days=n) for n in ran], request):
        row = ROWS[key]
        assert (day < request.due) if row.offset < 0 else (day >= reminder_day(row, request.due, CALENDAR))


@given(requests(), offsets)
def test_a_level_is_never_told_an_earlier_row_after_a_later_one(request: OpenRequest, ran: list[int]) -> None:
    """Even when the clock or a person's ``day`` went back in between."""
    told = told_by([request.asked + timedelta(days=n) for n in ran], request)
    for level in {row.level for row in REMINDERS}:
        steps = [ROWS[key].offset for _, key in told if ROWS[key].level == level]
        assert steps == sorted(steps)


@given(requests(), offsets, st.integers(1, 45))
def test_the_first_sweep_after_a_pause_tells_all_that_still_makes_sense(
    request: OpenRequest, ran: list[int], after: int
) -> None:
    day = CALENDAR.first_on_or_after(request.asked + timedelta(days=after))
    before = [d for n in sorted(ran) if (d := request.asked + timedelta(days=n)) < day]
    sent = {key for _, key in told_by(before, request)}
    due_now = {row.key for row in due_reminders(day, request, sent, CALENDAR)} | sent
    for level in {row.level for row in REMINDERS}:
        reached = [
            row for row in REMINDERS
            if row.level == level and reminder_day(row, request.due, CALENDAR) <= day
            and not (row.offset < 0 and day >= request.due)
        ]  # fmt: skip
        if reached:
            assert max(reached, key=lambda row: row.offset).key in due_now


@given(requests(), st.integers(1, 45), st.integers(-10, 10))
def test_a_clock_ten_minutes_off_tells_nobody_twice(request: OpenRequest, later: int, minutes: int) -> None:
    """The sweep of 8 o'clock in Viet Nam falls on the same day however a clock steps within minutes, in any zone."""
    day = request.asked + timedelta(days=later)
    sweep = datetime(day.year, day.month, day.day, 8, tzinfo=ZONE)
    stepped = (sweep + timedelta(minutes=minutes)).astimezone(timezone.utc)
    days = [instant.astimezone(ZONE).date() for instant in (sweep.astimezone(timezone.utc), stepped, sweep)]
    assert days == [day] * 3
    assert told_by(days, request) == told_by([day], request)


@given(requests())
def test_a_day_off_added_on_the_due_day_moves_the_reminders_to_the_next_working_day(request: OpenRequest) -> None:
    moved = replace(CALENDAR, extra_holidays={**CALENDAR.extra_holidays, request.due: "Nghỉ bù"},
                    working_days={d: why for d, why in CALENDAR.working_days.items() if d != request.due})  # fmt: skip
    following = moved.next(request.due)
    assert due_reminders(request.due, request, (), moved) == []
    assert [row.key for row in due_reminders(following, request, (), moved)] == ["on_due_day"]


def test_late_evening_in_utc_is_the_next_day_in_viet_nam() -> None:
    assert datetime(2026, 11, 23, 23, 30, tzinfo=timezone.utc).astimezone(ZONE).date() == date(2026, 11, 24)

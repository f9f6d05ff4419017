"""The calendar of the register: which layer wins, what a change moves, and what it leaves alone."""

from __future__ import annotations

from datetime import date, datetime
from io import BytesIO
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from include.casework import working_days
from include.casework.working_days import Change, Move
from include.engagement.calendar import DayRule, working_calendar
from include.engagement.errors import RuleBroken
from include.register.models import CalendarEdition, Event, Request, StagePeriod
from tests.firm import QUOTE, Firm

OFF = DayRule("off", "Nghỉ của công ty")
FRIDAY, DUE, NEXT = date(2026, 12, 4), date(2026, 12, 9), date(2026, 12, 10)  # asked on 1 December for 6 working days


def saved(firm: Firm, *changes: Change, base: int = 0, by: str = "quan-tri", **more: Any) -> CalendarEdition | None:
    with firm.office().sessions() as session:
        return working_days.save(session, base=base, changes=changes, by=by, today=date(2026, 12, 1), **more)


def due(firm: Firm) -> tuple[date, date]:
    with firm.office().sessions() as session:
        stage = session.scalars(select(StagePeriod).where(StagePeriod.stage == "information")).one()
        return session.scalars(select(Request).where(Request.kind == "information")).one().due, stage.due


def events(firm: Firm) -> list[dict[str, Any]]:
    with firm.office().sessions() as session:
        return list(session.scalars(select(Event.facts).where(Event.kind == working_days.CHANGED).order_by(Event.id)))


@pytest.fixture
def asked(firm: Firm) -> Firm:
    firm.open().ask("information")
    assert due(firm) == (DUE, DUE)
    return firm


@pytest.mark.parametrize(
    ("what", "day", "rule"),
    [
        ("a holiday by law, made ordinary", date(2026, 9, 2), DayRule("ordinary")),
        ("a day off of the file, worked", date(2026, 11, 24), DayRule("worked", "đơn hàng gấp")),
        ("an ordinary Saturday, worked", date(2026, 12, 12), DayRule("worked", "làm bù")),
    ],
)
def test_the_register_wins_over_the_file_and_the_law(what: str, day: date, rule: DayRule) -> None:
    own = working_calendar()
    assert not own.is_working_day(day), what
    assert own.with_rules({day: rule}).is_working_day(day), what
    assert not own.is_working_day(day), "the calendar itself stays as it was"


def test_a_working_saturday_of_the_file_can_be_taken_off_by_the_register() -> None:
    saturday = date(2026, 1, 10)
    assert working_calendar().is_working_day(saturday)
    assert not working_calendar().with_rules({saturday: OFF}).is_working_day(saturday)


def test_a_day_off_moves_what_is_due_after_it_and_the_record_says_who_and_what(asked: Firm) -> None:
    saved(asked, Change(FRIDAY, OFF))
    assert due(asked) == (NEXT, NEXT)
    [told] = events(asked)
    assert (told["by"], told["version"]) == ("quan-tri", 1)
    assert {"what": "request/information", "before": "2026-12-09", "after": "2026-12-10"} in told["moved"]
    assert {"what": "stage/information/1", "before": "2026-12-09", "after": "2026-12-10"} in told["moved"]
    with asked.office().sessions() as session:
        [mine] = working_days.affected(session, 1)
    assert (mine.engagement_id, len(mine.moved)) == (asked.engagement, 2)


def test_every_case_that_opens_later_goes_by_the_new_calendar(asked: Firm) -> None:
    saved(asked, Change(FRIDAY, OFF))
    with asked.case() as case:
        assert not case.calendar.is_working_day(FRIDAY)
    asked.open(client={**asked_client(asked), "name": "Hai"}).ask("information")
    with asked.case() as case:
        assert case.request("information").due == NEXT


def asked_client(firm: Firm) -> dict[str, Any]:
    with firm.case() as case:
        return dict(case.form["client"])


def test_a_clients_due_date_never_comes_earlier_than_the_client_was_told(asked: Firm) -> None:
    saved(asked, Change(FRIDAY, OFF))
    saved(asked, Change(FRIDAY, None), base=1)
    assert due(asked) == (NEXT, DUE)


def test_a_promised_date_stays_and_the_days_left_are_told(firm: Firm) -> None:
    firm.open().inform().decide().contract().ask("delivery")
    with firm.case() as case:
        promised = case.engagement.promised
    old, new = working_calendar(), working_calendar().with_rules({FRIDAY: OFF})
    with firm.office().sessions() as session:
        [mine] = working_days.promises(session, old, new, today=date(2026, 12, 1))
    assert (mine.promised, mine.left_before - mine.left_after) == (promised, 1)
    saved(firm, Change(FRIDAY, OFF))
    with firm.case() as case:
        assert case.engagement.promised == promised
        assert case.request("delivery").due == case.calendar.add(date(2026, 12, 1), 20)


def test_what_is_answered_or_closed_does_not_move(firm: Firm) -> None:
    firm.open().inform()
    with firm.office().sessions() as session:
        new = working_calendar().with_rules({FRIDAY: OFF})
        assert [move for move in working_days.moves(session, new) if isinstance(move.row, Request)] == []


def test_a_preview_changes_nothing(asked: Firm) -> None:
    with asked.office().sessions() as session:
        found: list[Move] = working_days.moves(session, working_days.drafted(None, [Change(FRIDAY, OFF)]))
    assert {(move.before, move.after) for move in found} == {(DUE, NEXT)}
    assert due(asked) == (DUE, DUE)


def test_saved_twice_it_is_one_edition_and_one_event(asked: Firm) -> None:
    for _ in range(2):
        row = saved(asked, Change(FRIDAY, OFF))
        assert row is not None
        assert row.version == 1
    assert len(events(asked)) == 1


def test_of_two_who_edit_at_once_the_second_is_told_and_nothing_of_it_is_saved(asked: Firm) -> None:
    saved(asked, Change(FRIDAY, OFF), by="ha")
    with pytest.raises(RuleBroken, match="ha đã lưu lịch bản 1"):
        saved(asked, Change(date(2026, 12, 7), OFF), by="nam")
    with asked.office().sessions() as session:
        assert working_days.rules_of(working_days.edition(session)) == {FRIDAY: OFF}


def test_what_an_old_calendar_left_behind_is_found_and_put_right(asked: Firm) -> None:
    saved(asked, Change(FRIDAY, OFF))
    with asked.office().sessions.begin() as session:
        session.scalars(select(StagePeriod).where(StagePeriod.stage == "information")).one().due = DUE
    with asked.office().sessions() as session:
        [astray] = working_days.moves(session, working_days.calendar_in_force(session))
        assert (astray.before, astray.after) == (DUE, NEXT)
    saved(asked, base=1)
    assert due(asked) == (NEXT, NEXT)
    with asked.office().sessions() as session:
        assert working_days.edition(session).version == 1


def test_a_request_from_before_the_register_kept_its_days_moves_all_the_same(asked: Firm) -> None:
    with asked.office().sessions.begin() as session:
        session.scalars(select(Request).where(Request.kind == "information")).one().days = None
    saved(asked, Change(date(2027, 1, 4), OFF))
    assert due(asked) == (DUE, DUE)
    saved(asked, Change(FRIDAY, OFF), base=1)
    assert due(asked) == (NEXT, NEXT)


def test_an_answer_that_leaves_something_open_gives_days_that_follow_the_calendar_too(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {"answers": {"strategy": "Chuỗi khách sạn"}}).receive("information")
    saved(firm, Change(FRIDAY, OFF))
    assert due(firm)[0] == NEXT


@pytest.mark.parametrize(
    "change", [Change(date(2036, 1, 1), OFF), Change(date(2020, 1, 1), OFF), Change(FRIDAY, DayRule("off", " "))]
)
def test_a_day_too_far_off_or_without_an_occasion_is_refused(firm: Firm, change: Change) -> None:
    with pytest.raises(RuleBroken):
        saved(firm, change)


def test_a_paper_made_after_an_edit_is_laid_on_the_edited_calendar(firm: Firm) -> None:
    firm.open().inform().decide()
    off = date(2026, 12, 16)
    saved(firm, Change(off, OFF))
    firm.sign("quote", "send", **QUOTE)
    firm.ask("quote")
    with firm.case() as case:
        paper = case.latest("timetable")
        assert paper is not None
        sheet = load_workbook(BytesIO(case.office.storage.get(paper.path))).active
    assert sheet is not None
    shown = {cell.date() for row in sheet.iter_rows(values_only=True) for cell in row if isinstance(cell, datetime)}
    assert off not in shown
    assert {date(2026, 12, 15), date(2026, 12, 17)} <= shown


def test_a_year_is_a_projection_until_somebody_compared_it(firm: Firm) -> None:
    def confirmed() -> frozenset[int]:
        with firm.office().sessions() as session:
            return working_days.calendar_in_force(session).confirmed_years

    assert 2028 not in confirmed()
    saved(firm, years={2028: True})
    assert 2028 in confirmed()
    saved(firm, years={2028: False}, base=1)
    assert 2028 not in confirmed()

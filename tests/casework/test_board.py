"""The board says where every open engagement stands and who is waited for."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import event

from include.casework.board import PER_PAGE, BoardPage, board
from include.casework.ending import end
from include.casework.interventions import PauseReminders, ResumeReminders, carry_out
from include.casework.signing import ask_for
from include.engagement.calendar import working_calendar
from include.engagement.text import vietnamese_order
from tests.firm import FORM, GOOD, Firm


def named(name: str) -> dict[str, Any]:
    return {"client": {**FORM["client"], "name": name}}


def seen(firm: Firm, **choice: Any) -> BoardPage:
    office = firm.office()
    with office.sessions() as session:
        return board(session, today=office.today, calendar=working_calendar(), **choice)


def test_a_client_who_was_asked_is_waited_for_until_the_due_day_and_reminded_before(firm: Firm) -> None:
    firm.open().ask("information")
    firm.sign("first_meeting", "no")
    [row] = seen(firm).rows
    assert (row.stage, row.waiting_on, row.since) == ("information", "client", date(2026, 12, 1))
    assert row.answer_due == date(2026, 12, 9)
    assert row.next_reminder == ("client", date(2026, 12, 8))
    assert (row.promised, row.reserve_left, row.late) == (None, None, False)
    firm.day(date(2026, 12, 11))
    [row] = seen(firm).rows
    assert (row.late, row.days_left) == (True, -2)


def test_while_reminders_are_paused_none_is_announced_and_afterwards_it_is_again(firm: Firm) -> None:
    firm.open().ask("information")
    firm.sign("first_meeting", "no")
    with firm.case() as case:
        carry_out(case, PauseReminders("khách đi công tác"), by="thu-ha", nonce="1")
    [row] = seen(firm).rows
    assert (row.waiting_on, row.next_reminder) == ("client", None)
    with firm.case() as case:
        carry_out(case, ResumeReminders(), by="thu-ha", nonce="2")
    [row] = seen(firm).rows
    assert row.next_reminder == ("client", date(2026, 12, 8))


def test_of_the_council_those_are_named_who_did_not_hand_in_their_scorecard(firm: Firm) -> None:
    firm.open()
    with firm.case() as case:
        for member in ("chair", "finance", "industry"):
            ask_for(case, "scorecard", 1, member)
    firm.sign("scorecard", "submit", who="finance", **GOOD)
    [row] = seen(firm).rows
    assert (row.waiting_on, list(row.members)) == ("council", ["chair", "industry"])


def test_one_of_the_council_sees_what_they_were_asked_to_judge(firm: Firm) -> None:
    firm.open()
    judged = firm.engagement
    with firm.case() as case:
        ask_for(case, "scorecard", 1, "finance")
    firm.open(**named("Chưa đến lượt"))
    assert [row.id for row in seen(firm, members=["finance"]).rows] == [judged]
    assert seen(firm, members=["chair"]).total == 0


def test_a_signed_engagement_shows_promise_and_reserve_and_waits_for_the_department(firm: Firm) -> None:
    firm.open().inform().decide().contract()
    firm.ask("delivery")
    [row] = seen(firm).rows
    assert (row.stage, row.waiting_on, row.reserve_left) == ("delivery", "service_department", 5)
    assert row.promised is not None
    assert row.days_left == working_calendar().between(date(2026, 12, 1), row.promised)
    assert row.next_reminder is None


def test_what_is_closed_is_not_on_the_board(firm: Firm) -> None:
    firm.open()
    assert seen(firm).total == 1
    end(firm.office(), firm.engagement, by="thu-ha", reason="khách đổi ý")
    assert seen(firm).total == 0


@pytest.mark.parametrize("search", ["phe ban", "PHÊ", "khv-2026-0001", "cà phê mê"])
def test_a_search_needs_no_accents_and_no_order(firm: Firm, search: str) -> None:
    firm.open()
    firm.open(**named("Công ty TNHH Bánh Mì"))
    found = seen(firm, search=search)
    assert [row.client for row in found.rows] == ["Công ty TNHH Cà phê Ban Mê Sớm"]


def test_names_stand_in_vietnamese_order(firm: Firm) -> None:
    names = ["Đá Quý", "Ăn Ngon", "Dừa Xiêm", "An Bình", "Ánh Sao", "Âu Lạc", "Em Bé", "Ê Đê"]
    for name in names:
        firm.open(**named(name))
    assert [row.client for row in seen(firm, sort="client").rows] == [
        "An Bình", "Ánh Sao", "Ăn Ngon", "Âu Lạc", "Dừa Xiêm", "Đá Quý", "Em Bé", "Ê Đê"]  # fmt: skip
    assert sorted(["mạ", "má", "ma", "mã", "mả", "mà"], key=vietnamese_order) == ["ma", "mà", "mả", "mã", "má", "mạ"]


def test_filters_narrow_and_the_stages_are_counted(firm: Firm) -> None:
    firm.open().ask("information")
    firm.open(**named("Hai")).inform()
    found = seen(firm)
    assert sum(found.stages.values()) == found.total == 2
    assert [row.client for row in seen(firm, waiting_on="client").rows] == ["Công ty TNHH Cà phê Ban Mê Sớm"]
    assert seen(firm, waiting_on="nobody").total == found.total - 1
    assert seen(firm, stage="information").total == found.stages["information"]
    assert seen(firm, late=True).total == 0


def test_a_page_costs_the_same_number_of_queries_however_many_are_open(firm: Firm) -> None:
    def queries() -> int:
        office, count = firm.office(), 0

        def one_more(*_: Any) -> None:
            nonlocal count
            count += 1

        with office.sessions() as session:
            event.listen(session.get_bind(), "before_cursor_execute", one_more)
            try:
                board(session, today=office.today, calendar=working_calendar())
            finally:
                event.remove(session.get_bind(), "before_cursor_execute", one_more)
        return count

    firm.open().ask("information")
    alone = queries()
    for number in range(4):
        firm.open(**named(f"Công ty {number}")).ask("information")
    assert queries() == alone == 5
    assert seen(firm).pages == 1
    assert PER_PAGE > 4

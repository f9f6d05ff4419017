"""The report's figures, reckoned by hand for a few rows; the queries stay few and quick for many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from include.casework import reports
from include.casework.report_tables import tables
from include.casework.reports import Period, ReminderEffect
from include.engagement.calendar import working_calendar
from include.register.models import (
    Engagement,
    Event,
    ReminderSent,
    Request,
    RequestItem,
    ReserveEntry,
    SignOff,
    StagePeriod,
)
from include.register.session import sessions
from tests.firm import FORM
from tests.seeded import seed

CALENDAR = working_calendar()
MARCH = Period.of(date(2026, 3, 9), date(2026, 3, 9))
ONE, TWO, THREE = "KHV-2026-0001", "KHV-2026-0002", "KHV-2026-0003"


@pytest.fixture
def session(register: str) -> Iterator[Session]:
    with sessions(register)() as session:
        yield session


def day(number: int, month: int = 3) -> date:
    return date(2026, month, number)


def engagement(session: Session, name: str, opened: date, **more: Any) -> None:
    more = {"status": "open", **more}
    session.add(Engagement(id=name, language="vi", form=FORM, form_digest=name, opened=opened, **more))
    session.flush()


def stage(session: Session, name: str, key: str, opened: date, closed: date | None, days: int, *, round: int = 1,
          waited: int = 0, lost: int = 0, cut_short: bool = False) -> None:  # fmt: skip
    session.add(StagePeriod(engagement_id=name, stage=key, round=round, opened=opened, days=days, due=opened,
                            closed=closed, client_waited=waited, client_wait_days=lost))  # fmt: skip
    if closed and not cut_short:
        happened(session, name, "stage_closed", f"stage_closed/{key}/{round}", closed)


def happened(session: Session, name: str, kind: str, key: str, on: date, **facts: Any) -> None:
    session.add(Event(engagement_id=name, kind=kind, key=key, day=on, facts=facts))


def test_a_period_is_whole_months_however_it_is_given() -> None:
    assert (MARCH.since, MARCH.until) == (day(1), day(31))
    turned = Period.of(date(2026, 5, 2), date(2025, 12, 31))
    assert (turned.since, turned.until) == (date(2025, 12, 1), date(2026, 5, 31))
    assert len(turned.months) == 6
    longest = Period.of(date(1990, 1, 1), date(2026, 12, 1))
    assert (len(longest.months), longest.until) == (reports.MOST_MONTHS, date(2026, 12, 31))


def test_engagements_are_counted_where_they_opened_and_closed(session: Session) -> None:
    engagement(session, ONE, day(20, 2), closed=day(2), status="completed", promised=day(3), delivered=day(3))
    engagement(session, TWO, day(31), closed=day(1, 4), status="refused")
    engagement(session, THREE, day(1), promised=day(10), delivered=day(11))
    engagement(session, "KHV-2026-0004", day(5, 1), closed=day(28, 2), status="withdrawn")
    found = reports.flow(session, Period.of(day(1), day(1, 4)))
    march, april = found.months
    assert (march.opened, march.closed, march.open_at_end, march.outcomes) == (2, 1, 2, (("completed", 1),))
    assert (april.opened, april.closed, april.open_at_end) == (0, 1, 1)
    assert (found.delivered, found.kept) == (2, 1)
    assert found.outcomes == {"completed": 1, "refused": 1}


def test_stages_are_counted_by_month_with_their_rounds(session: Session) -> None:
    engagement(session, ONE, day(1))
    stage(session, ONE, "delivery", day(2), day(20), 20)
    stage(session, ONE, "delivery", day(23), None, 3, round=2)
    by_stage = {each.stage: each for each in reports.stage_flow(session, MARCH)}
    assert by_stage["delivery"].months == ((day(1), 2, 1),)
    assert by_stage["delivery"].open_now == 1
    assert by_stage["intake"].months == ((day(1), 0, 0),)


def test_lead_times_are_working_days_of_first_rounds_and_lateness_has_an_owner(session: Session) -> None:
    """Monday 2 March to Friday the 13th are 9 working days: 6 were given, the client took 8, which is 2 too many."""
    for name in (ONE, TWO, THREE):
        engagement(session, name, day(1))
    stage(session, ONE, "information", day(2), day(13), 6, waited=8, lost=2)
    stage(session, TWO, "information", day(2), day(4), 6, waited=2)
    stage(session, THREE, "information", day(2), day(6), 6, waited=1)
    stage(session, ONE, "information", day(16), day(17), 6, round=2)
    found = {each.stage: each for each in reports.stage_times(session, MARCH, CALENDAR)}["information"]
    assert (found.first_rounds, found.median, found.within, found.standard) == (3, 4.0, 2, 6)  # of 9, 2 and 4
    assert found.slowest_tenth == pytest.approx(8.0)  # 4 and 0.8 of the 5 to 9
    assert (found.rounds, found.client_days, found.firm_days) == (4, 11, 1 + 0 + 3 + 1)
    assert (found.late_client, found.late_firm) == (2, 1)


def test_a_stage_that_ended_with_its_engagement_was_not_finished(session: Session) -> None:
    engagement(session, ONE, day(1))
    stage(session, ONE, "delivery", day(2), day(6), 20, cut_short=True)
    stage(session, ONE, "intake", day(2), day(6, 2), 2)
    assert [each.rounds for each in reports.stage_times(session, MARCH, CALENDAR)] == [0] * 6


def card(session: Session, name: str, who: str, points: int, *, ended: date | None = None, attempt: int = 1) -> None:
    session.add(SignOff(engagement_id=name, gate="scorecard", round=1, who=who, asked=day(9), decision="submit",
                        day=day(10), ended=ended, attempt=attempt,
                        form={"market": points, "finance": 8, "feasibility": 6.5}))  # fmt: skip


def test_the_council_passes_at_first_or_not_and_the_points_say_why(session: Session) -> None:
    for name, passed, points in ((ONE, True, 9), (TWO, False, 4), (THREE, False, 8)):
        engagement(session, name, day(1))
        happened(session, name, "verdict", "verdict/1", day(10), round=1, passed=passed, mean="7.00")
        card(session, name, "chair", points)
        card(session, name, "finance", points - 1)
    card(session, TWO, "industry", 10, ended=day(10))  # taken anew: it no longer stands
    happened(session, TWO, "verdict", "verdict/2", day(20), round=2, passed=True, mean="8.00")
    found = reports.council(session, MARCH)
    assert (found.passed, found.failed) == (1, 2)
    assert found.rounds == ((1, 1, 2), (2, 1, 0))
    market, finance, feasibility = found.criteria
    assert (market.passed, market.failed, market.below) == (8.5, 5.5, 1)  # (3.5 + 7.5) / 2
    assert (finance.failed, finance.below) == (8.0, 0)
    assert (feasibility.passed, feasibility.below) == (6.5, 2)


def test_the_reserve_is_counted_by_month_and_for_what_ended(session: Session) -> None:
    engagement(session, ONE, day(1, 1), closed=day(20), status="completed")
    engagement(session, TWO, day(1, 1), closed=day(20), status="completed")
    engagement(session, THREE, day(1, 1))
    for name, kind, round_, days, on in (
        (ONE, "contracted", 1, 5, day(1, 2)), (ONE, "spent", 2, -5, day(3)), (TWO, "contracted", 1, 4, day(1, 2)),
        (TWO, "spent", 2, -1, day(2, 2)), (THREE, "contracted", 1, 5, day(4)), (THREE, "granted", 3, 2, day(5)),
    ):  # fmt: skip
        session.add(ReserveEntry(engagement_id=name, kind=kind, round=round_, days=days, day=on, reason=""))
    found = reports.reserve(session, MARCH)
    assert found.months == ((day(1), 5, 2),)
    assert (found.engagements, found.used, found.used_up) == (2, 2, 1)
    assert (found.contracted, found.granted, found.spent) == (9, 0, 6)


def test_an_answer_counts_for_the_reminder_before_it(session: Session) -> None:
    """Told on Monday 9, Tuesday 10 and Friday 13 March; the answer came on Monday 16: one working day after."""
    engagement(session, ONE, day(1))
    request = Request(engagement_id=ONE, key="information", kind="information", round=1, stage="information",
                      stage_round=1, asked=day(2), due=day(10), of="client")  # fmt: skip
    session.add(request)
    session.flush()
    for number, key in ((9, "before_due"), (10, "on_due_day"), (13, "overdue_account_manager")):
        session.add(ReminderSent(request_id=request.id, times_asked=1, reminder=key, level="client", day=day(number)))
    happened(session, ONE, "received", "received/information/1", day(16), request="information")
    happened(session, ONE, "received", "received/other/1", day(10), request="other")
    found = {each.key: each for each in reports.reminder_effects(session, MARCH, CALENDAR)}
    assert found["overdue_account_manager"] == ReminderEffect("overdue_account_manager", "account_manager", 1, 1, 0, 0)
    assert [found[key].unanswered for key in ("before_due", "on_due_day", "overdue")] == [1, 1, 0]


def test_evaluations_are_means_by_month_and_answers_outside_the_scale_are_left_out(session: Session) -> None:
    for name, on, quality, recommend in ((ONE, day(3), 5, 10), (TWO, day(4), 2, 6), (THREE, day(2, 4), 6, "mười")):
        engagement(session, name, day(1))
        request = Request(engagement_id=name, key="evaluation", kind="evaluation", round=1, stage="feedback",
                          stage_round=1, asked=day(1), due=day(9), of="client", status="answered",
                          answered=on)  # fmt: skip
        session.add(request)
        session.flush()
        for key, value in (("quality", quality), ("schedule", 4), ("recommend", recommend)):
            session.add(RequestItem(request_id=request.id, key=key, required=True, value={"value": value}))
    found = reports.evaluations(session, Period.of(day(1), day(1, 4)))
    march, april = found.months
    assert (march.answers, march.ratings[:3], march.recommend) == (2, (3.5, 4.0, None), 8.0)
    assert (march.promoters, march.detractors, march.score) == (1, 1, 0)
    assert (april.ratings[0], april.ratings[1], april.score) == (None, 4.0, None)
    assert (found.whole.answers, found.whole.ratings[:2], found.whole.score) == (3, (3.5, 4.0), 0)


def test_a_report_costs_the_same_few_queries_however_many_engagements_there_are(session: Session) -> None:
    seen: list[str] = []

    def queries() -> int:
        seen.clear()
        reports.report(session, Period.of(date(2026, 1, 1), date(2026, 12, 1)), CALENDAR)
        return len(seen)

    event.listen(session.get_bind(), "before_cursor_execute", lambda *call: seen.append(call[2]))
    seed(session, finished=4, still_open=2, today=date(2026, 12, 1))
    few = queries()
    session.execute(text("truncate engagement cascade"))
    seed(session, finished=60, still_open=20, today=date(2026, 12, 1))
    assert queries() == few <= 20


def test_every_table_has_as_many_cells_as_columns(session: Session) -> None:
    seed(session, finished=20, still_open=5, today=date(2026, 12, 1))
    found = reports.report(session, Period.of(date(2026, 1, 1), date(2026, 12, 1)), CALENDAR)
    for table in tables(found).values():
        assert table.rows, table.key
        assert {len(row) for row in table.rows} == {len(table.columns)}, table.key

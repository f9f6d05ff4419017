"""The sign-off gate under any order of answers, second answers, crashes, clears and decisions taken anew."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from include.casework import signing
from include.casework.desks import decide, follow
from include.casework.opening import register_engagement
from include.engagement import process
from include.engagement.errors import InvalidSignOff, RuleBroken
from include.engagement.form import check_form
from include.engagement.reserve import round_cost
from include.register.models import Event, ReserveEntry, SignOff
from tests.firm import FORM, Firm

GATE = "information_review"
OPTIONS = process.SIGN_OFFS[GATE].options
START = datetime(2026, 12, 1, 1, tzinfo=timezone.utc)
GOOD_FORMS = {"accept": {}, "ask_again": {"reason": "strategy: quá ngắn"}, "refuse": {"reason": "strategy: sai"}}
people = st.sampled_from(["thuha", "viet"])
decisions = st.sampled_from(sorted(OPTIONS))


def machine_of(firm: Firm) -> type[RuleBasedStateMachine]:
    class Gate(RuleBasedStateMachine):
        """``kept`` is what must stand for each attempt: the decision and who took it."""

        count = 0

        @initialize()
        def register(self) -> None:
            type(self).count += 1
            form = check_form({**FORM, "referrer": f"gate {self.count}"})
            self.id = register_engagement(form, settings=firm.settings)
            self.kept: list[tuple[str, str] | None] = [None]
            self.answers = 0

        @contextmanager
        def case(self) -> Iterator[Any]:
            with firm.office().case(self.id) as case:
                yield case

        def at(self) -> datetime:
            self.answers += 1
            return START + timedelta(seconds=self.answers)

        def answer(self, decision: str, entries: dict[str, Any], by: str, at: datetime) -> None:
            with self.case() as case:
                row = decide(case, GATE, 1, "", label=OPTIONS[decision], entries=entries, by=by, at=at)
            if self.kept[-1] is None:
                self.kept[-1] = (decision, by)
            assert (row.decision, row.decided_by) == self.kept[-1]

        @rule(decision=decisions, by=people)
        def answered(self, decision: str, by: str) -> None:
            at, entries = self.at(), GOOD_FORMS[decision]
            stood = self.kept[-1]
            self.answer(decision, entries, by, at)
            with self.case() as case:
                row = signing.sign_off(case, GATE, 1)
                assert follow(case, row) == self.kept[-1][0]
                told = signing.tell_second(case, row, signing.Said(OPTIONS[decision], entries, by, at))
            assert told == (stood is not None and stood != (decision, by))

        @rule(decision=decisions, by=people)
        def answered_then_the_task_died(self, decision: str, by: str) -> None:
            self.answer(decision, GOOD_FORMS[decision], by, self.at())

        @rule(decision=st.sampled_from(["ask_again", "refuse"]), by=people)
        def answered_without_the_reason(self, decision: str, by: str) -> None:
            at = self.at()
            if self.kept[-1] is not None:
                return self.answer(decision, {}, by, at)
            with pytest.raises(InvalidSignOff):
                self.answer(decision, {}, by, at)
            with self.case() as case:
                assert signing.was_weighed(case, signing.sign_off(case, GATE, 1), at)
            return None

        @rule(first=decisions, other=decisions)
        def answered_by_two_at_once(self, first: str, other: str) -> None:
            said = [(first, "thuha", self.at()), (other, "viet", self.at())]

            def one(answer: tuple[str, str, datetime]) -> tuple[str | None, str | None]:
                decision, by, at = answer
                with firm.office().case(self.id) as case:
                    row = decide(case, GATE, 1, "", label=OPTIONS[decision], entries=GOOD_FORMS[decision], by=by, at=at)
                    return row.decision, row.decided_by

            with ThreadPoolExecutor(2) as pool:
                stands = set(pool.map(one, said))
            assert len(stands) == 1
            if self.kept[-1] is None:
                self.kept[-1] = stands.pop()  # type: ignore[assignment]
                assert self.kept[-1] in [(decision, by) for decision, by, _ in said]
            else:
                assert stands == {self.kept[-1]}

        @precondition(lambda self: self.kept[-1] is not None)
        @rule()
        def cleared_in_airflow(self) -> None:
            with self.case() as case:
                row = signing.sign_off(case, GATE, 1)
                assert follow(case, row) == follow(case, row) == self.kept[-1][0]

        @rule()
        def reopened(self) -> None:
            with self.case() as case:
                if self.kept[-1] is None and len(self.kept) == 1:
                    with pytest.raises(RuleBroken):
                        signing.reopen(case, GATE, 1, by="viet", reason="nhầm")
                    return
                attempt = signing.reopen(case, GATE, 1, by="viet", reason="nhầm").attempt
            if self.kept[-1] is not None:
                self.kept.append(None)
            assert attempt == len(self.kept)

        @invariant()
        def the_register_holds_every_decision_as_it_was_taken(self) -> None:
            if not hasattr(self, "id"):
                return
            with firm.office().sessions() as session:
                rows = session.scalars(
                    select(SignOff).where(SignOff.engagement_id == self.id).order_by(SignOff.attempt)
                ).all()
                events = session.scalars(
                    select(Event).where(Event.engagement_id == self.id, Event.kind == "decided").order_by(Event.id)
                ).all()
            held = [(row.decision, row.decided_by) if row.decision else None for row in rows] or [None]
            assert held == self.kept
            assert [row.attempt for row in rows] == list(range(1, len(rows) + 1))
            assert all((row.ended is None) == (row.attempt == len(rows)) for row in rows)
            assert all(row.outcome in (None, row.decision) for row in rows)
            assert [event.facts["decision"] for event in events] == [kept[0] for kept in self.kept if kept]

    return Gate


FEW = settings(max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))


def test_the_gate_keeps_every_first_valid_answer(firm: Firm) -> None:
    run_state_machine_as_test(machine_of(firm), settings=FEW)


def reserve_machine_of(firm: Firm) -> type[RuleBasedStateMachine]:
    class Reserve(RuleBasedStateMachine):
        """``booked`` maps kind and round to the days that must stand, counted positive."""

        count = 0

        @initialize(days=st.integers(1, 10))
        def sign(self, days: int) -> None:
            type(self).count += 1
            form = check_form({**FORM, "referrer": f"reserve {self.count}"})
            self.id = register_engagement(form, settings=firm.settings)
            self.booked: dict[tuple[str, int], int] = {}
            self.book("contracted", 1, days)

        def left(self) -> int:
            sums = {"contracted": 0, "granted": 0, "spent": 0}
            for (kind, _), days in self.booked.items():
                sums[kind] += days
            return sums["contracted"] + sums["granted"] - sums["spent"]

        def book(self, kind: str, number: int, days: int) -> None:
            with firm.office().case(self.id) as case:
                case.book_reserve(kind, number, days, "kiểm tra")
                case.session.commit()
            if days:
                self.booked.setdefault((kind, number), days)

        @rule(number=st.integers(1, 4), days=st.integers(1, 8))
        def granted(self, number: int, days: int) -> None:
            self.book("granted", number, days)

        @rule(number=st.integers(2, 4), taken=st.integers(0, 12))
        def spent(self, number: int, taken: int) -> None:
            with firm.office().case(self.id) as case:
                cost = round_cost(days_taken=taken, left=case.reserve()["left"])
            self.book("spent", number, cost)

        @rule(number=st.integers(2, 4), taken=st.integers(1, 12))
        def spent_by_two_tries_at_once(self, number: int, taken: int) -> None:
            def one(_: int) -> None:
                with firm.office().case(self.id) as case:
                    cost = round_cost(days_taken=taken, left=case.reserve()["left"])
                    case.book_reserve("spent", number, cost, "kiểm tra")
                    case.session.commit()

            cost = round_cost(days_taken=taken, left=self.left())
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(one, range(2)))
            if cost:
                self.booked.setdefault(("spent", number), cost)

        @invariant()
        def the_sums_agree_and_nothing_is_overspent(self) -> None:
            if not hasattr(self, "id"):
                return
            with firm.office().case(self.id) as case:
                rows = case.session.scalars(select(ReserveEntry).where(ReserveEntry.engagement_id == self.id)).all()
                reserve = case.reserve()
            assert {(row.kind, row.round): abs(row.days) for row in rows} == self.booked
            assert reserve["left"] == sum(row.days for row in rows) == self.left() >= 0

    return Reserve


def test_the_reserve_is_never_overspent(firm: Firm) -> None:
    run_state_machine_as_test(reserve_machine_of(firm), settings=FEW)

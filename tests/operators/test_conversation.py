"""A client's part and the staff's part in one task, and what is begun ahead of its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG
from airflow.sdk.bases.skipmixin import SkipMixin
from airflow.sdk.exceptions import TaskDeferred
from sqlalchemy import select

from include.engagement import process
from include.engagement.errors import RuleBroken
from include.register.models import Mail
from operators.case import CaseOperator, Step
from operators.client_request import ClientRequest
from operators.conversation import OfferedRequest, ReviewedRequest
from operators.sign_off import SignOff
from tests.firm import ANSWERS, FORM, GOOD, PAPERS, QUOTE, Firm

AT = datetime(2026, 12, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
Run = Callable[..., str]


class Asked(Exception):
    """A sign-off is asked for, and the task waits."""


@pytest.fixture
def play(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a stretch of a task: what it waits for, or the outcome that it goes on with."""
    monkeypatch.setattr("operators.case.open_office", firm.office)
    went: list[str] = []

    def ask(self: HITLOperator, context: Any) -> None:
        raise Asked

    def run(task: Any, stretch: str = "work", event: dict[str, Any] | None = None) -> str:
        monkeypatch.setattr(HITLOperator, "execute", ask)
        monkeypatch.setattr(CaseOperator, "go_on", lambda self, context, outcome: went.append(str(outcome)))
        run = SimpleNamespace(run_id=firm.engagement, conf={"engagement_id": firm.engagement})
        context = {"dag_run": run, "params": {}, "ti": SimpleNamespace(id="1"), "run_id": firm.engagement}
        try:
            getattr(task, stretch)(context, *([event] if event is not None else []))
        except TaskDeferred as deferred:
            return f"waits for {deferred.trigger.folder}, then {deferred.method_name}"  # type: ignore[attr-defined]
        except Asked:
            return "asks for a sign-off"
        return went[-1]

    return run


def answer(gate: str, option: str, **entries: Any) -> dict[str, Any]:
    return {"chosen_options": [process.SIGN_OFFS[gate].options[option]], "params_input": entries, "responded_at": AT,
            "responded_by_user": {"id": "viet", "name": "viet"}}  # fmt: skip


def mails(firm: Firm) -> list[str]:
    with firm.office().sessions() as session:
        return list(session.scalars(select(Mail.template).order_by(Mail.id)))


def test_the_sign_off_follows_the_answer_in_the_same_task(firm: Firm, play: Run) -> None:
    firm.open()
    task = ReviewedRequest(task_id="x", kind="information", gate="information_review")
    waits = f"waits for {firm.engagement}/information, then receive"
    assert play(task) == waits
    assert play(task, "receive", {}) == waits, "nothing has come"
    firm.put("information", {"answers": ANSWERS}, PAPERS)
    assert play(task, "receive", {}) == "asks for a sign-off"
    assert "items_complete" in mails(firm)
    assert play(task, "execute_complete", answer("information_review", "accept")) == "accept"
    before = mails(firm)
    assert play(task) == "accept", "begun anew it finds everything done"
    assert mails(firm) == before


def test_only_the_outcome_that_is_reviewed_is_signed_off(firm: Firm, play: Run) -> None:
    firm.open().inform().decide().contract().deliver().score(GOOD)
    firm.conclude()
    for number, reply, comes in ((1, {"reply": "changes", "items": ["Sửa bảng 2"]}, "asks for a sign-off"),
                                 (2, {"reply": "accept"}, "accept")):  # fmt: skip
        task = ReviewedRequest(task_id="x", kind="handover", gate="handover_changes", reviewed="changes", number=number)
        assert play(task).startswith("waits for ")
        firm.put("handover" if number == 1 else "handover-2", reply)
        assert play(task, "receive", {}) == comes
        if number == 1:
            assert play(task, "execute_complete", answer("handover_changes", "done")) == "done"


def test_the_client_is_asked_once_the_quote_is_signed_off(firm: Firm, play: Run) -> None:
    firm.open().inform().decide()
    task = OfferedRequest(task_id="x", gate="quote", kind="quote")
    assert play(task) == "asks for a sign-off"
    assert "quote" not in mails(firm)
    waits = f"waits for {firm.engagement}/quote, then receive"
    assert play(task, "execute_complete", answer("quote", "send", **QUOTE)) == waits
    assert mails(firm).count("quote") == 1
    assert play(task) == waits, "begun anew it asks nobody twice"
    firm.put("quote", {"reply": "accept"})
    assert play(task, "receive", {}) == "accept"
    assert mails(firm).count("quote") == 1


@contextmanager
def going_on(firm: Firm, monkeypatch: pytest.MonkeyPatch, followed: ClientRequest) -> Iterator[Callable[[], None]]:
    """A step that ends and leads to a request."""
    monkeypatch.setattr("operators.case.open_office", firm.office)
    monkeypatch.setattr(SkipMixin, "skip", lambda *_: None)
    with DAG("d", schedule=None):
        ends = Step(task_id="ends", action="contract:decline")
    followed.dag = ends.dag
    ends.when("accept", "nhận", followed)
    run = SimpleNamespace(run_id=firm.engagement, conf={"engagement_id": firm.engagement})
    context: Any = {"dag_run": run, "params": {}, "ti": SimpleNamespace(id="1")}
    yield lambda: ends.go_on(context, "accept")


def test_the_request_that_follows_goes_out_while_the_task_ends(
    firm: Firm, play: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm.open()
    request = ClientRequest(task_id="follows", kind="information")
    with going_on(firm, monkeypatch, request) as go_on:
        go_on()
        assert mails(firm).count("information_request") == 1
        go_on()
    assert play(request) == f"waits for {firm.engagement}/information, then receive"
    assert mails(firm).count("information_request") == 1


def test_what_cannot_be_begun_is_left_to_its_own_turn(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    firm.open()
    request = ClientRequest(task_id="follows", kind="quote")  # before the decision
    with going_on(firm, monkeypatch, request) as go_on:
        go_on()
    with firm.case() as case, pytest.raises(RuleBroken):
        request.begin(case)
    assert "quote" not in mails(firm)


def test_an_offer_is_not_begun_before_it_is_signed_off(firm: Firm) -> None:
    firm.open().inform().decide()
    offer = OfferedRequest(task_id="follows", gate="quote", kind="quote")
    with firm.case() as case:
        offer.begin(case)
        assert case.request("quote", 1) is None


def test_nothing_is_begun_in_an_engagement_that_was_ended(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    firm.open()
    with firm.case() as case:
        case.event("ended", key="ended")
        case.session.commit()
        assert case.ended
    with going_on(firm, monkeypatch, ClientRequest(task_id="follows", kind="information")) as go_on:
        go_on()
    with firm.case() as case:
        assert case.request("information", 1) is None


def test_a_task_of_another_flow_is_not_begun(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    firm.open()
    before = mails(firm)
    with going_on(firm, monkeypatch, ClientRequest(task_id="follows", kind="information", since=2)) as go_on:
        go_on()
    assert mails(firm) == before


def test_what_follows_two_tasks_is_begun_by_the_one_that_ends_last(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operators.case.open_office", firm.office)
    with DAG("d", schedule=None):
        meet = SignOff(task_id="meet", gate="first_meeting")
        complete = ClientRequest(task_id="complete", kind="intake")
        [meet, complete] >> ClientRequest(task_id="follows", kind="information")
    firm.open(finance={**FORM["finance"], "employees": None}).ask("intake")
    run = SimpleNamespace(run_id=firm.engagement, conf={"engagement_id": firm.engagement})
    context: Any = {"dag_run": run, "params": {}, "ti": SimpleNamespace(id="1")}

    complete.go_on(context, "complete")
    meet.go_on(context, "no")
    assert "information_request" not in mails(firm), "neither knows of the other that it is done"
    firm.sign("first_meeting", "no")
    meet.go_on(context, "no")
    assert "information_request" not in mails(firm), "the client has not answered"
    firm.put("intake", {"answers": {"employees": 12}}).receive("intake")
    complete.go_on(context, "complete")
    meet.go_on(context, "no")
    assert mails(firm).count("information_request") == 1

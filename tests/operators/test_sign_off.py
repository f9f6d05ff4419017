"""Sign-offs as Airflow shows them, and how often they ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import yaml
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import TaskDeferred
from sqlalchemy import select

from include.engagement import process
from include.register.models import Mail
from operators.answer_on_file import AnswerOnFile
from operators.sign_off import SignOff, form_param
from tests.firm import Firm


@pytest.mark.parametrize("entry", [entry for row in process.SIGN_OFFS.values() for entry in row.entries])
def test_an_empty_field_leaves_the_buttons_usable(entry: process.Entry) -> None:
    """An empty-string default would grey Airflow's buttons out."""
    param = form_param(entry)
    assert param.value is None
    assert "null" in param.schema["type"]
    param.resolve()


@pytest.mark.parametrize("gate", process.SIGN_OFFS)
def test_a_sign_off_shows_vietnamese_options_and_says_what_follows(gate: str) -> None:
    operator = SignOff(task_id="x", gate=gate)
    assert operator.options == list(process.SIGN_OFFS[gate].options.values())
    assert len(operator.body or "") > 40
    assert operator.defaults is None


def test_nothing_of_a_sign_off_is_rendered_as_a_template() -> None:
    """Its subject names the client's company: data, never a template."""
    assert tuple(SignOff(task_id="x", gate="decision").template_fields) == ()


def assigned(firm: Firm, gate: str, who: str = "") -> list[str] | None:
    operator = SignOff(task_id="x", gate=gate, who=who)
    with firm.case() as case:
        operator._prepare_form(case, 1)
    return operator.assigned_users and [user["id"] for user in operator.assigned_users]


def test_only_the_logins_that_the_firm_lists_for_a_role_may_answer(firm: Firm, tmp_path: Path) -> None:
    listed = yaml.safe_load(yaml.safe_dump(firm.settings.firm))
    listed["staff"]["director"]["logins"] = ["viet", 12]
    listed["staff"]["council"]["finance"]["logins"] = ["ngan"]
    path = tmp_path / "firm.yaml"
    path.write_text(yaml.safe_dump(listed), encoding="utf-8")
    firm.settings = replace(firm.settings, firm_file=path)
    firm.open()
    assert assigned(firm, "decision") == ["viet", "12"]
    assert assigned(firm, "scorecard", "finance") == ["ngan"]
    assert assigned(firm, "scorecard", "chair") is None
    assert assigned(firm, "quote") is None


def test_in_a_rehearsal_the_player_answers_for_all_of_the_staff(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    firm.settings.firm["staff"]["director"]["logins"] = ["viet"]
    try:
        firm.open()
        assert assigned(firm, "decision") == ["viet"]
        monkeypatch.setenv("ENGAGEMENT_REHEARSAL", "1")
        assert assigned(firm, "decision") is None
    finally:
        del firm.settings.firm["staff"]["director"]["logins"]


AT = datetime(2026, 12, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
Begin = Callable[..., str]


@pytest.fixture
def begin(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Begin the decision's task, or resume it: what it came to."""
    monkeypatch.setattr("operators.case.open_office", firm.office)
    came_to: list[str] = []
    monkeypatch.setattr(HITLOperator, "execute", lambda self, context: came_to.append("asked"))
    monkeypatch.setattr(SignOff, "go_on", lambda self, context, outcome: came_to.append(f"went on: {outcome}"))
    firm.open().inform()

    def run(event: dict[str, Any] | None = None, try_number: int = 1) -> str:
        operator: Any = SignOff(task_id="x", gate="decision")
        run = SimpleNamespace(run_id=firm.engagement, conf={"engagement_id": firm.engagement})
        context = {"dag_run": run, "params": {}, "ti": SimpleNamespace(id=uuid4(), try_number=try_number)}
        try:
            operator.work(context) if event is None else operator.ask_again(context, event)
        except TaskDeferred as deferred:
            assert isinstance(deferred.trigger, AnswerOnFile)
            assert deferred.method_name == "ask_again"
            return "looks for an answer"
        return came_to[-1]

    return run


def answer(label: str, at: datetime = AT, **entries: Any) -> dict[str, Any]:
    return {"chosen_options": [label], "params_input": entries, "responded_at": at,
            "responded_by_user": {"id": "viet", "name": "viet"}}  # fmt: skip


ACCEPT, DECLINE = (process.SIGN_OFFS["decision"].options[key] for key in ("accept", "decline"))


def test_a_sign_off_that_begins_anew_looks_for_an_answer_before_it_asks(begin: Begin) -> None:
    assert begin() == "asked"
    assert begin() == "looks for an answer", "the same try: the DAG file could not be read as it was resumed"
    assert begin(try_number=2) == "looks for an answer"
    assert begin({}) == "asked", "nobody had answered"
    assert begin(answer(ACCEPT)) == "went on: accept"
    assert begin() == "went on: accept", "what is decided is not asked again"


def test_an_answer_that_cannot_be_taken_is_told_why_and_asked_again(begin: Begin, firm: Firm) -> None:
    assert begin() == "asked"
    assert begin(answer(DECLINE)) == "asked", "it takes a reason"
    assert begin() == "looks for an answer", "the task died over it"
    assert begin(answer(DECLINE)) == "asked", "the same answer is not taken again"
    with firm.office().sessions() as session:
        assert list(session.scalars(select(Mail.template))).count("answer_refused") == 1
    assert begin(answer(DECLINE, at=AT.replace(hour=3), reason="không đủ người")) == "went on: decline"


def test_the_old_answer_is_no_answer_to_what_is_decided_anew(begin: Begin, firm: Firm) -> None:
    from include.casework import signing

    assert begin() == "asked"
    assert begin(answer(DECLINE, reason="không đủ người")) == "went on: decline"
    with firm.case() as case:
        signing.reopen(case, "decision", 1, by="viet", reason="Bấm nhầm")
    assert begin(try_number=2) == "looks for an answer"
    assert begin(answer(DECLINE, reason="không đủ người")) == "asked"
    assert begin(answer(ACCEPT, at=AT.replace(hour=3))) == "went on: accept"

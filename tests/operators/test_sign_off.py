"""Sign-off forms as Airflow shows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from include.engagement import process
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
        operator._word(case, 1)
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

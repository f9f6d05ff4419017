"""Sign-off forms as Airflow shows them."""

from __future__ import annotations

import pytest

from include.engagement import process
from operators.sign_off import SignOff, form_param


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

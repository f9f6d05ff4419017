"""What Airflow says of an answer that a try died over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import hitl
from airflow.sdk.execution_time.comms import ErrorResponse

from operators.answer_on_file import AnswerOnFile

TI = "01a20e89-924d-7b30-9736-62ac03036c6f"
AT = datetime(2026, 12, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def event_of(monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any]) -> Any:
    monkeypatch.setattr(hitl, "get_hitl_detail_content_detail", asked)
    path, arguments = AnswerOnFile(ti_id=TI).serialize()
    assert path == "operators.answer_on_file.AnswerOnFile"

    async def events() -> list[Any]:
        return [event.payload async for event in AnswerOnFile(**arguments).run()]

    [payload] = asyncio.run(events())
    return payload


def test_a_kept_answer_comes_as_a_resumed_sign_off_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    detail = SimpleNamespace(
        response_received=True, chosen_options=["Chấp nhận"], params_input={"reason": None}, responded_at=AT,
        responded_by_user=SimpleNamespace(id="7", name="thuha"),
    )  # fmt: skip
    assert event_of(monkeypatch, lambda ti_id: detail) == {
        "chosen_options": ["Chấp nhận"], "params_input": {"reason": None}, "responded_at": AT,
        "responded_by_user": {"id": "7", "name": "thuha"},
    }  # fmt: skip


def test_where_nobody_answered_the_event_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    assert event_of(monkeypatch, lambda ti_id: SimpleNamespace(response_received=False)) == {}


def refusing(status: int | None) -> Callable[..., Any]:
    def fails(ti_id: Any) -> Any:
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": status}))

    return fails


def test_where_nobody_was_asked_yet_the_event_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    assert event_of(monkeypatch, refusing(404)) == {}


@pytest.mark.parametrize("status", [None, 500, 401])
def test_where_airflow_does_not_say_the_answer_is_not_given_up(
    status: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AirflowRuntimeError):
        event_of(monkeypatch, refusing(status))

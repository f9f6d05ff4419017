"""Answers to one sign-off come one after the other, all else at once; an answer that nobody would read is refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from include.register.session import advisory_lock, make_engine
from plugins.operations import answers
from plugins.operations.answers import OneAnswerAtATime

ANSWER = "/api/v2/dags/engagement/dagRuns/KHV-2026-0001/taskInstances/contract.decide/-1/hitlDetails"
TASK = "/api/v2/dags/engagement/tasks/contract.decide"
INSTANCE = ANSWER.removesuffix("/hitlDetails")


async def reply(send: Any, status: int, body: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


class Whole:
    """An app with the guard inside of it, as Airflow's is: whoever is called inside knows the whole."""

    def __init__(self, inner: Any) -> None:
        self._guarded = OneAnswerAtATime(inner)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._guarded({**scope, "app": self}, receive, send)


@pytest.fixture(autouse=True)
def installation(register: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_REGISTER_URL", register)
    monkeypatch.setenv("ENGAGEMENT_STORAGE_URL", tmp_path.as_uri())


async def most_at_once(requests: list[tuple[str, str]], servers: int = 1) -> int:
    inside, most = 0, 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal inside, most
        assert scope["app"] in served
        if scope["method"] == "GET" and not scope["path"].endswith("/hitlDetails"):
            await reply(send, 200, {"state": "awaiting_input"})
            return
        inside += 1
        most = max(most, inside)
        for _ in range(100):  # time for the others to come in, if they can
            if inside == len(requests):
                break
            await asyncio.sleep(0.001)
        inside -= 1

    served = [Whole(app) for _ in range(servers)]
    await asyncio.gather(
        *(served[number % servers]({"type": "http", "method": method, "path": path, "headers": []}, None, None)
          for number, (method, path) in enumerate(requests))
    )  # fmt: skip
    return most


@pytest.mark.parametrize(
    ("requests", "most"),
    [
        ([("PATCH", ANSWER)] * 3, 1),
        ([("PATCH", ANSWER), ("PATCH", ANSWER.replace("decide/-1", "decide/0"))], 2),
        ([("GET", ANSWER)] * 3, 3),
        ([("PATCH", "/api/v2/dags/engagement")] * 3, 3),
    ],
)
def test_only_answers_to_the_same_sign_off_wait_for_each_other(requests: list[tuple[str, str]], most: int) -> None:
    assert asyncio.run(most_at_once(requests)) == most


def test_answers_through_two_servers_wait_for_each_other_too() -> None:
    assert asyncio.run(most_at_once([("PATCH", ANSWER)] * 8, servers=2)) == 1


@pytest.mark.parametrize("hindrance", ["the register is away", "the lock stays taken"])
def test_an_answer_that_nobody_could_keep_is_not_taken(
    hindrance: str, register: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hindrance == "the register is away":
        monkeypatch.setenv("ENGAGEMENT_REGISTER_URL", "postgresql+psycopg2://nobody@127.0.0.1:1/none")
        assert answered(200, (200, "awaiting_input")) == (503, [])
        return
    monkeypatch.setattr(answers, "PATIENCE_SECONDS", 0.0)
    with advisory_lock(make_engine(register), f"answer{ANSWER}"):
        assert answered(200, (200, "awaiting_input")) == (503, [])
    assert answered(200, (200, "awaiting_input"))[0] == 200


def answered(task: int, instance: tuple[int, str], answered_before: bool = False) -> tuple[int, list[bytes]]:
    """Answer where Airflow says this of the task and its instance: the status, and whose login asked for that."""
    asked_by: list[bytes] = []
    got: list[int] = []

    async def airflow(scope: Any, receive: Any, send: Any) -> None:
        assert scope["app"] is whole
        if scope["path"] in (TASK, INSTANCE):
            asked_by.append(dict(scope["headers"])[b"cookie"])
        taken = 409 if scope["method"] == "PATCH" and answered_before else 200
        said = {TASK: (task, {}), INSTANCE: (instance[0], {"state": instance[1]}),
                ANSWER: (taken, {"response_received": answered_before})}  # fmt: skip
        await reply(send, *said[scope["path"]])

    async def send(message: Any) -> None:
        if "status" in message:
            got.append(message["status"])

    scope = {"type": "http", "method": "PATCH", "path": ANSWER, "headers": [(b"cookie", b"_token=thu-ha")]}
    whole = Whole(airflow)
    asyncio.run(whole(scope, None, send))
    return got[0], asked_by


@pytest.mark.parametrize(
    ("task", "instance", "status"),
    [
        (200, (200, "awaiting_input"), 200),
        (404, (200, "awaiting_input"), 410),
        (200, (200, "removed"), 410),
        (403, (403, ""), 200),
        (200, (404, ""), 200),
    ],
    ids=["waits", "task gone", "instance removed", "may not look", "no such run"],
)
def test_an_answer_that_nobody_would_read_is_refused(task: int, instance: tuple[int, str], status: int) -> None:
    """Whatever else is wrong with an answer, Airflow says itself."""
    assert answered(task, instance)[0] == status


@pytest.mark.parametrize("state", ["scheduled", "queued", "running", "up_for_retry", "deferred", "failed", None])
def test_an_answer_to_a_task_that_does_not_wait_is_not_taken_and_may_be_given_again(state: str) -> None:
    assert answered(200, (200, state))[0] == 503


def test_airflow_says_itself_that_somebody_was_first() -> None:
    assert answered(200, (200, "scheduled"), answered_before=True)[0] == 409


def test_airflow_is_asked_with_the_login_of_who_answers() -> None:
    assert answered(200, (200, "awaiting_input"))[1] == [b"_token=thu-ha"] * 2

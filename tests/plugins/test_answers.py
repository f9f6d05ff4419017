"""Answers to one sign-off come one after the other, all else at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plugins.operations.answers import OneAnswerAtATime

ANSWER = "/api/v2/dags/engagement/dagRuns/KHV-2026-0001/taskInstances/contract.decide/-1/hitlDetails"


async def most_at_once(requests: list[tuple[str, str]]) -> int:
    inside, most = 0, 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _ in range(5):
            await asyncio.sleep(0)
        inside -= 1

    served = OneAnswerAtATime(app)
    await asyncio.gather(
        *(served({"type": "http", "method": method, "path": path}, None, None) for method, path in requests)
    )
    return most


@pytest.mark.parametrize(
    ("requests", "most"),
    [
        ([("PATCH", ANSWER)] * 3, 1),
        ([("PATCH", ANSWER), ("PATCH", ANSWER.replace("0001", "0002"))], 2),
        ([("GET", ANSWER)] * 3, 3),
        ([("PATCH", "/api/v2/dags/engagement")] * 3, 3),
    ],
)
def test_only_answers_to_the_same_sign_off_wait_for_each_other(requests: list[tuple[str, str]], most: int) -> None:
    assert asyncio.run(most_at_once(requests)) == most

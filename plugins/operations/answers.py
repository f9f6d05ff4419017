"""What guards the answers to sign-offs: one at a time, and none that nobody would read."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from include.register.session import lock_number, make_engine
from include.settings import load_settings

PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.05

ANSWER = re.compile(
    r"(?P<api>.*/api/v2)/dags/(?P<dag>[^/]+)/dagRuns/(?P<run>[^/]+)/taskInstances/(?P<task>[^/]+)/(?P<index>-?\d+)"
    r"/hitlDetails"
)
GONE = (
    "Việc này thuộc phiên bản cũ của quy trình, câu trả lời không được ghi nhận. Xin mở lại Required Actions, trả lời "
    "tại việc thay thế. | This sign-off belongs to an older version of the flow and the answer was not taken. Look in "
    "Required Actions for the one in its place."
)

NOT_NOW = (
    "Cơ sở dữ liệu hồ sơ không trả lời, câu trả lời chưa được ghi nhận. Xin thử lại sau ít phút. | The register "
    "does not answer and your answer was not taken. Try again in a few minutes."
)

NOT_YET = (
    "Việc này đang được chuẩn bị, câu trả lời chưa được ghi nhận. Xin thử lại sau ít giây. | This sign-off is being "
    "prepared and your answer was not taken. Try again in a few seconds."
)


class OneAnswerAtATime:
    """Lets the answers to one sign-off through Airflow's API one after the other, whichever API server they reach.

    Airflow looks whether a sign-off was answered, then writes the answer: of two in the same moment it tells both that
    theirs was taken, and hands one on. One after the other, the second gets 409. The turn is a lock of the register's;
    without the register an answer gets 503: nobody could keep it.

    An answer to a task that the DAG no longer has, or no longer maps, would be taken by Airflow and read by nobody: it
    gets 410. While a task does not wait, because it is about to ask or to be tried again, Airflow would take an answer
    and the asking would wipe it: it gets 503. How the task stands is asked of Airflow's own API in this process, with
    the caller's own login.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve."""
        answer = ANSWER.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "PATCH" else None
        if answer is None:
            await self._app(scope, receive, send)
            return
        try:
            async with _turn(scope["path"]):
                refusal = await _refusal(scope["app"], answer, scope["headers"])
                if refusal is None:
                    await self._app(scope, receive, send)
                else:
                    await _refuse(send, *refusal)
        except (OperationalError, TimeoutError):
            await _refuse(send, 503, NOT_NOW)


@asynccontextmanager
async def _turn(path: str) -> AsyncIterator[None]:
    """Hold the lock of one sign-off. Raises OperationalError without the register, TimeoutError if it stays taken."""
    engine = make_engine(load_settings().register_url)
    connection = await asyncio.to_thread(engine.connect)
    try:
        take, number = text("select pg_try_advisory_lock(:n)"), {"n": lock_number(f"answer{path}")}
        deadline = time.monotonic() + PATIENCE_SECONDS
        # Asked again and again: to wait inside of PostgreSQL would hold one of the server's few threads.
        while not await asyncio.to_thread(connection.scalar, take, number):
            if time.monotonic() > deadline:
                raise TimeoutError
            await asyncio.sleep(LOOK_SECONDS)
        yield
    finally:
        await asyncio.to_thread(connection.close)


async def _refusal(
    app: Any, answer: re.Match[str], headers: list[tuple[bytes, bytes]]
) -> tuple[int, str] | None:
    """Ask the whole app, as a caller from outside would: what stands inside of it needs to know the whole."""
    api, dag, run, task, index = (quote(part) for part in answer.groups())
    login = [each for each in headers if each[0].lower() in (b"authorization", b"cookie", b"host")]
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=login) as airflow:
        there = await airflow.get(f"{api}/dags/{dag}/tasks/{task}")
        if there.status_code == 404:
            return 410, GONE
        path = f"{api}/dags/{dag}/dagRuns/{run}/taskInstances/{task}/{index}"
        instance = await airflow.get(path)
        if there.status_code != 200 or instance.status_code != 200 or instance.json()["state"] == "awaiting_input":
            return None
        if instance.json()["state"] == "removed":
            return 410, GONE
        asked = await airflow.get(f"{path}/hitlDetails")
        waits = asked.status_code == 200 and not asked.json()["response_received"]
        return (503, NOT_YET) if waits else None


async def _refuse(send: Any, status: int, why: str) -> None:
    body = json.dumps({"detail": why}, ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

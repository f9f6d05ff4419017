"""Airflow's public API in this process: with the login of whoever asked for the page, and its health."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
from anyio.from_thread import run
from fastapi import Request

LOGIN = ("authorization", "cookie", "host")
WAITING = ("deferred", "awaiting_input", "up_for_retry", "scheduled", "queued", "up_for_reschedule")


HEALTH_KEPT_SECONDS = 5.0  # so that pictures and files of one page do not ask again
HEALTH_PATIENCE_SECONDS = 3.0
PARTS = ("scheduler", "triggerer")  # nothing moves on without the one, nothing that waits wakes without the other
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Silent:
    """A part of Airflow that does not answer: one of ``PARTS``, or the ``database`` where it keeps all else.

    ``since``: its last sign of life; None: none is known.
    """

    part: str
    since: datetime | None


async def ask_after_airflow(request: Request) -> None:
    """Note for the page which parts of Airflow do not answer."""
    kept = getattr(request.app.state, "health", None)
    if kept is None or time.monotonic() - kept[0] > HEALTH_KEPT_SECONDS:
        kept = request.app.state.health = (time.monotonic(), await silent_parts())
    request.state.silent = kept[1]


async def silent_parts() -> tuple[Silent, ...]:
    """Return the parts of Airflow that do not answer, by its own word."""
    transport = httpx.ASGITransport(app=airflow_app(), raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as airflow:
            answer = await asyncio.wait_for(airflow.get("/api/v2/monitor/health"), HEALTH_PATIENCE_SECONDS)
        health = answer.raise_for_status().json()
    except (httpx.HTTPError, TimeoutError, asyncio.TimeoutError) as error:
        log.error("Airflow does not say how it is: %s", type(error).__name__)
        return (Silent("database", None),)
    if health["metadatabase"]["status"] != "healthy":
        return (Silent("database", None),)
    return tuple(
        Silent(part, datetime.fromisoformat(seen) if (seen := health[part].get(f"latest_{part}_heartbeat")) else None)
        for part in PARTS if health[part]["status"] != "healthy"
    )  # fmt: skip


def airflow_app() -> Any:
    """Return the app that this API server serves."""
    from airflow.api_fastapi.main import app

    return app


class OwnAirflow:
    """What the page's reader may do in Airflow. To be called from routes that are no coroutines."""

    def __init__(self, request: Request) -> None:
        self._login = {name: value for name in LOGIN if (value := request.headers.get(name))}

    def skip_waiting(self, runs: Iterable[tuple[str, str]]) -> bool:
        """Skip the tasks that wait in these runs (DAG, run id) and delete queued runs; False: Airflow refused some.

        What is left finds the engagement ended when it wakes, and skips itself.
        """
        whole = True
        for dag_id, run_id in runs:
            path = f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"
            found = self._ask("GET", path)
            if found.status_code == 404:
                continue
            if found.is_success and found.json()["state"] == "queued":
                whole &= self._ask("DELETE", path).status_code in (204, 404, 409)
                continue
            listed = self._ask("GET", f"{path}/taskInstances", params={"state": list(WAITING), "limit": 100})
            whole &= listed.is_success
            for task in listed.json()["task_instances"] if listed.is_success else ():
                skipped = self._ask(
                    "PATCH", f"{path}/taskInstances/{quote(task['task_id'])}",
                    params={"update_mask": "new_state"}, json={"new_state": "skipped"},
                )  # fmt: skip
                whole &= skipped.is_success or skipped.status_code in (404, 409)
        return whole

    def ask_again(self, dag_id: str, run_id: str, task_id: str) -> bool:
        """Clear a task and what follows it, so that it asks once more; False: Airflow refused."""
        cleared = self._ask(
            "POST", f"/dags/{quote(dag_id)}/clearTaskInstances",
            json={"dag_run_id": run_id, "task_ids": [task_id], "dry_run": False, "only_failed": False,
                  "reset_dag_runs": True, "include_downstream": True},
        )  # fmt: skip
        return cleared.is_success

    def _ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        return run(self._send, method, path, sent)

    async def _send(self, method: str, path: str, sent: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(app=airflow_app(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=self._login) as airflow:
            return await airflow.request(method, f"/api/v2{path}", **sent)

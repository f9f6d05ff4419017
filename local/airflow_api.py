"""Airflow's REST API, as far as the engagement's players and commands use it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

PAGE = 100  # rows; Airflow's own limit
TIMEOUT_SECONDS = 60.0


class ApiError(Exception):
    """Airflow refused a request: ``status`` is HTTP's; the message carries Airflow's reason."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"{status}: {message}")


class Conflict(ApiError):
    """What was asked for is there already: the run exists, the sign-off is decided."""


class NotFound(ApiError):
    """The DAG, run or task is not there (or not any more)."""


@dataclass(frozen=True)
class PendingSignOff:
    """A decision that a task waits for. ``params`` maps a form field to its value, description and schema.

    ``state`` is the task's: "awaiting_input" once it is parked. An answer within about a second of the parking, so soon
    after ``asked_at``, can fail the task's try: Airflow resumes it while its first process still reports.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    subject: str
    body: str
    options: list[str]
    params: dict[str, Any] = field(hash=False)
    asked_at: datetime
    assigned_users: tuple[str, ...] = ()
    state: str = ""


class AirflowApi:
    """One user's access to Airflow at ``url``; logs in at the first request, and again when its token has expired."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._login = {"username": username, "password": password}
        # Local addresses never go through a proxy.
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS, trust_env=False)
        self._token = ""

    def __enter__(self) -> AirflowApi:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def health(self) -> dict[str, Any]:
        """Return the state of Airflow's parts."""
        return self._request("GET", "/monitor/health")

    # --- DAGs ---------------------------------------------------------------------------------------------

    def dag(self, dag_id: str) -> dict[str, Any]:
        """Return a DAG as Airflow knows it. Raises NotFound before it was parsed."""
        return self._request("GET", f"/dags/{_id(dag_id)}")

    def import_errors(self) -> list[dict[str, Any]]:
        """Return the errors of DAG files that could not be parsed."""
        return list(self._pages("/importErrors", "import_errors"))

    def wait_for_dags(self, dag_ids: Iterable[str], *, seconds: float = 90.0) -> None:
        """Wait until DAGs are parsed. Raises ApiError with the import errors, or when they do not come in time."""
        waiting = list(dag_ids)
        deadline = time.monotonic() + seconds
        while waiting:
            try:
                self.dag(waiting[0])
                waiting.pop(0)
                continue
            except NotFound:
                pass
            if errors := self.import_errors():
                told = "; ".join(f"{error['filename']}: {error['stack_trace'].splitlines()[-1]}" for error in errors)
                raise ApiError(503, f"A DAG file cannot be read. {told}")
            if time.monotonic() > deadline:
                raise ApiError(503, f"The DAG {waiting[0]} was not parsed within {seconds:.0f} seconds.")
            time.sleep(0.3)

    def unpause(self, dag_id: str) -> None:
        """Let a DAG's runs start."""
        self._request("PATCH", f"/dags/{_id(dag_id)}", params={"update_mask": "is_paused"}, json={"is_paused": False})

    # --- Runs ---------------------------------------------------------------------------------------------

    def trigger(
        self,
        dag_id: str,
        run_id: str | None = None,
        conf: Mapping[str, Any] | None = None,
        run_after: datetime | None = None,
    ) -> dict[str, Any]:
        """Create a run and return it; with ``run_after`` (aware) it starts no earlier. Raises Conflict if it exists."""
        body: dict[str, Any] = {"logical_date": None, "conf": dict(conf or {})}
        if run_id is not None:
            body["dag_run_id"] = run_id
        if run_after is not None:
            body["run_after"] = run_after.isoformat()
        return self._request("POST", f"/dags/{_id(dag_id)}/dagRuns", json=body)

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a run. Raises NotFound."""
        return self._request("GET", f"/dags/{_id(dag_id)}/dagRuns/{_id(run_id)}")

    def runs(self, dag_id: str | None = None, states: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Return runs, of all DAGs or one, in any state or one of ``states`` (queued, running, success, failed)."""
        path = f"/dags/{_id(dag_id) if dag_id else '~'}/dagRuns"
        return list(self._pages(path, "dag_runs", state=list(states)))

    def ended_runs(self, dag_id: str, *, before: datetime, after_these: int = 0) -> list[str]:
        """Return ids of runs that ended before an aware instant, the first that ended first; at most a page of them.

        ``after_these`` passes over so many.
        """
        params = {"state": ["success", "failed"], "end_date_lt": before.isoformat(), "order_by": "end_date",
                  "limit": PAGE, "offset": after_these}  # fmt: skip
        runs = self._request("GET", f"/dags/{_id(dag_id)}/dagRuns", params=params)["dag_runs"]
        return [run["dag_run_id"] for run in runs]

    def delete_runs(self, dag_id: str, run_ids: Iterable[str]) -> set[str]:
        """Delete runs that are not running, and return those that are gone; Airflow leaves the others as they are."""
        wanted = list(run_ids)
        action = {"action": "delete", "action_on_non_existence": "skip",
                  "entities": [{"dag_run_id": run_id} for run_id in wanted]}  # fmt: skip
        done = self._request("PATCH", f"/dags/{_id(dag_id)}/dagRuns", json={"actions": [action]})
        gone = set(done["delete"]["success"])
        return {run_id for run_id in wanted if f"{dag_id}.{run_id}" in gone}

    def delete_run(self, dag_id: str, run_id: str) -> None:
        """Delete a run that is not running. Raises NotFound, Conflict."""
        self._request("DELETE", f"/dags/{_id(dag_id)}/dagRuns/{_id(run_id)}")

    def task_instances(
        self, dag_id: str | None = None, run_id: str | None = None, states: Iterable[str] = ()
    ) -> list[dict[str, Any]]:
        """Return task instances; without ``run_id`` those of all runs, without ``dag_id`` those of all DAGs."""
        dag, run = _id(dag_id) if dag_id else "~", _id(run_id) if run_id else "~"
        return list(self._pages(f"/dags/{dag}/dagRuns/{run}/taskInstances", "task_instances", state=list(states)))

    def skip_task(self, dag_id: str, run_id: str, task_id: str, *, map_index: int = -1) -> None:
        """Mark a task that waits as skipped. Raises NotFound, Conflict (it is so already)."""
        path = f"/dags/{_id(dag_id)}/dagRuns/{_id(run_id)}/taskInstances/{_id(task_id)}"
        path += f"/{map_index}" if map_index >= 0 else ""
        self._request("PATCH", path, params={"update_mask": "new_state"}, json={"new_state": "skipped"})

    def clear_task(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Have a task of a run done again, and nothing after it. Raises NotFound."""
        body = {"dag_run_id": run_id, "task_ids": [task_id], "dry_run": False, "only_failed": False,
                "reset_dag_runs": True, "include_downstream": False}  # fmt: skip
        self._request("POST", f"/dags/{_id(dag_id)}/clearTaskInstances", json=body)

    # --- Sign-offs ----------------------------------------------------------------------------------------

    def pending_sign_offs(self, dag_id: str | None = None, run_id: str | None = None) -> list[PendingSignOff]:
        """Return the sign-offs that nobody has answered yet; narrowed to a DAG or a run if given."""
        dag, run = _id(dag_id) if dag_id else "~", _id(run_id) if run_id else "~"
        path = f"/dags/{dag}/dagRuns/{run}/hitlDetails"
        return [_pending(row) for row in self._pages(path, "hitl_details", response_received="false")]

    def answer(self, pending: PendingSignOff, option: str, params: Mapping[str, Any] | None = None) -> None:
        """Answer a sign-off with one of its options. Raises Conflict if it was answered, NotFound if it is gone."""
        path = (
            f"/dags/{_id(pending.dag_id)}/dagRuns/{_id(pending.run_id)}"
            f"/taskInstances/{_id(pending.task_id)}/{pending.map_index}/hitlDetails"
        )
        self._request("PATCH", path, json={"chosen_options": [option], "params_input": dict(params or {})})

    # --- HTTP ---------------------------------------------------------------------------------------------

    def _pages(self, path: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._request("GET", path, params={**params, "limit": PAGE, "offset": offset})
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= (page.get("total_entries") or 0):
                return

    def _request(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        response = self._send(method, path, **sent)
        if response.status_code == 401:
            self._token = ""
            response = self._send(method, path, **sent)
        if response.is_success:
            result: dict[str, Any] = response.json() if response.content else {}
            return result
        kinds: dict[int, type[ApiError]] = {404: NotFound, 409: Conflict}
        raise kinds.get(response.status_code, ApiError)(response.status_code, _reason(response))

    def _send(self, method: str, path: str, **sent: Any) -> httpx.Response:
        if not self._token:
            response = self._client.post("/auth/token", json=self._login)
            if not response.is_success:
                raise ApiError(response.status_code, f"{self._login['username']} may not log in: {_reason(response)}")
            self._token = response.json()["access_token"]
        return self._client.request(
            method, f"/api/v2{path}", headers={"Authorization": f"Bearer {self._token}"}, **sent
        )


def _id(text: str) -> str:
    return quote(text, safe="")


def _reason(response: httpx.Response) -> str:
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = response.text[:500]
    return str(detail)


def _pending(row: Mapping[str, Any]) -> PendingSignOff:
    task = row["task_instance"]
    return PendingSignOff(
        dag_id=task["dag_id"],
        run_id=task["dag_run_id"],
        task_id=task["task_id"],
        map_index=task["map_index"],
        subject=row["subject"],
        body=row["body"] or "",
        options=list(row["options"]),
        params=dict(row["params"]),
        asked_at=datetime.fromisoformat(row["created_at"].replace("Z", "+00:00")),
        assigned_users=tuple(user["id"] for user in row["assigned_users"]),
        state=task["state"] or "",
    )

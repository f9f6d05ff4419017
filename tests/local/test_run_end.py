"""Ending what an engagement still has in Airflow, against an Airflow that only remembers."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from local.airflow_api import AirflowApi
from local.run_end import end_runs

ID = "KHV-2026-0042"


class Airflow:
    """Answers like Airflow's API and keeps what was asked of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.runs = {ID: "running", f"{ID}__monitoring-1": "queued", f"{ID}__feedback-1": None}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v2")
        if path == "/auth/token":
            return httpx.Response(201, json={"access_token": "x"})
        run = path.split("/")[4]
        if self.runs[run] is None:
            return httpx.Response(404, json={"detail": "not found"})
        if request.method == "GET" and path.endswith("/taskInstances"):
            assert "awaiting_input" in request.url.params.get_list("state")
            rows = [{"task_id": "information.collect_information_1", "map_index": -1},
                    {"task_id": "start_run", "map_index": 2}]  # fmt: skip
            return httpx.Response(200, json={"task_instances": rows, "total_entries": 2})
        if request.method == "GET":
            return httpx.Response(200, json={"state": self.runs[run]})
        self.calls.append((request.method, path, json.loads(request.content or b"null")))
        return httpx.Response(200, json={})


def test_waiting_tasks_are_skipped_and_runs_to_come_deleted() -> None:
    airflow = Airflow()
    with AirflowApi("http://airflow.example", "admin", "x") as api:
        api._client = httpx.Client(base_url="http://airflow.example", transport=httpx.MockTransport(airflow))
        runs = [("engagement", ID), ("monitoring", f"{ID}__monitoring-1"), ("feedback", f"{ID}__feedback-1")]
        assert end_runs(api, runs) == 3
    tasks = f"/dags/engagement/dagRuns/{ID}/taskInstances"
    assert airflow.calls == [
        ("PATCH", f"{tasks}/information.collect_information_1", {"new_state": "skipped"}),
        ("PATCH", f"{tasks}/start_run/2", {"new_state": "skipped"}),
        ("DELETE", f"/dags/monitoring/dagRuns/{ID}__monitoring-1", None),
    ]


def test_without_a_reason_the_command_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    from local.end import main

    with pytest.raises(SystemExit):
        main([ID])
    assert "--reason" in capsys.readouterr().err

"""What ended long ago is deleted from Airflow, page by page; what Airflow will not let go is passed over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import httpx
import pytest

from local.airflow_api import PAGE, AirflowApi
from local.airflow_cleaning import OF_ENGAGEMENTS, SWEEPS, clean
from local.stack import ROOT

BEFORE = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Airflow:
    """Answers as Airflow's public API does for runs: those that ended, and what it refuses to delete."""

    def __init__(self, count: int) -> None:
        self.ended = [f"run-{number:04}" for number in range(count)]
        self.held = set[str]()
        self.asked = list[httpx.URL]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        if request.method == "GET":
            assert request.url.params.get_list("state") == ["success", "failed"]
            assert request.url.params["end_date_lt"] == BEFORE.isoformat()
            offset = int(request.url.params["offset"])
            runs = [{"dag_run_id": run} for run in self.ended[offset : offset + PAGE]]
            return httpx.Response(200, json={"dag_runs": runs, "total_entries": len(self.ended)})
        [action] = json.loads(request.content)["actions"]
        gone = [each["dag_run_id"] for each in action["entities"] if each["dag_run_id"] not in self.held]
        self.ended = [run for run in self.ended if run not in gone]
        return httpx.Response(200, json={"delete": {"success": [f"outbox.{run}" for run in gone], "errors": []}})


@pytest.fixture
def airflow() -> Airflow:
    return Airflow(2 * PAGE + 1)


@pytest.fixture
def api(airflow: Airflow) -> Iterator[AirflowApi]:
    with AirflowApi("http://airflow.example", "admin", "p") as api:
        api._client = httpx.Client(base_url="http://airflow.example", transport=httpx.MockTransport(airflow))
        yield api


def test_every_run_that_ended_goes(airflow: Airflow, api: AirflowApi) -> None:
    assert clean(api, "outbox", before=BEFORE, logs=None) == 2 * PAGE + 1
    assert airflow.ended == []


def test_a_dry_run_counts_and_deletes_nothing(airflow: Airflow, api: AirflowApi) -> None:
    assert clean(api, "outbox", before=BEFORE, logs=None, dry_run=True) == 2 * PAGE + 1
    assert len(airflow.ended) == 2 * PAGE + 1


def test_what_airflow_holds_on_to_is_passed_over(airflow: Airflow, api: AirflowApi) -> None:
    airflow.held = {"run-0001", "run-0150"}
    clean(api, "outbox", before=BEFORE, logs=None)
    assert airflow.ended == ["run-0001", "run-0150"]


def test_the_logs_of_a_run_go_with_it_and_no_others(airflow: Airflow, api: AirflowApi, tmp_path: Path) -> None:
    for name in ("run_id=run-0000", "run_id=alive"):
        (tmp_path / "dag_id=outbox" / name / "task_id=x").mkdir(parents=True)
    clean(api, "outbox", before=BEFORE, logs=tmp_path)
    assert [path.name for path in (tmp_path / "dag_id=outbox").iterdir()] == ["run_id=alive"]


def test_a_run_whose_id_is_a_path_leads_nowhere(airflow: Airflow, api: AirflowApi, tmp_path: Path) -> None:
    airflow.ended = ["../../other"]
    (tmp_path / "logs" / "dag_id=outbox" / "run_id=..").mkdir(parents=True)
    (tmp_path / "logs" / "other").mkdir()
    clean(api, "outbox", before=BEFORE, logs=tmp_path / "logs")
    assert (tmp_path / "logs" / "other").exists()


def test_every_dag_has_its_time() -> None:
    known = json.loads((ROOT / "tests" / "dags" / "task_ids.json").read_text(encoding="utf-8"))
    assert sorted([*OF_ENGAGEMENTS, *SWEEPS]) == sorted(known)

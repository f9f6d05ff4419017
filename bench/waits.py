"""A rehearsal with a clock beside it: when answers landed, tasks ran and mails arrived."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from include.settings import load_settings
from local.airflow_api import AirflowApi
from local.stack import ROOT, Stack
from rehearsal.__main__ import play
from rehearsal.letters import Mailbox
from rehearsal.players import engagement_of
from rehearsal.progress import Progress
from rehearsal.record import Record
from rehearsal.report import unmet
from rehearsal.scenario import find_scenario, read_scenario

FURTHER = "furniture-workshop"  # more waits; not part of the rehearsal's wall time
TRIVIAL = "bench_trivial"
MANY = "bench_many"
RECEIPTS = frozenset({"items_complete", "items_missing"})
PATIENCE_SECONDS = 180.0


class BenchStack(Stack):
    """The installation of a rehearsal with the trivial DAG among its DAGs."""

    def environment(self) -> dict[str, str]:
        """See ``Stack.environment``."""
        folder = self.data / "dags"
        if not folder.is_dir():
            folder.mkdir()
            for file in (*sorted((ROOT / "dags").glob("*.py")), ROOT / "bench" / "trivial.py"):
                shutil.copyfile(file, folder / file.name)
        return super().environment() | {"AIRFLOW__CORE__DAGS_FOLDER": str(folder)}


class Landing(NamedTuple):
    """An answer put into the inbox."""

    at: float
    engagement_id: str
    request: str


class Clock(Progress):
    """Notes when answers land; shows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.landings: list[Landing] = []

    def __enter__(self) -> Clock:
        return self

    def say(self, text: str, *, style: str = "") -> None:
        """Show nothing."""

    def answered(self, engagement_id: str, request: str, what: str) -> None:
        """An answer lies in the inbox."""
        self.landings.append(Landing(time.time(), engagement_id, request))


class Segment(NamedTuple):
    """A stretch in which a task's process ran: from its start to its end or its parking."""

    dag_id: str
    run_id: str
    task_id: str
    began: float
    ended: float


def measure(folder: Path, scenario: str) -> dict[str, Any]:
    """Play and return the numbers: seconds, each with median, max and how many."""
    clock = Clock()
    first, second = (read_scenario(find_scenario(name)) for name in (scenario, FURTHER))
    began = time.monotonic()
    with BenchStack(folder / "stack", rehearsal=True) as stack:
        up = time.monotonic()
        results = play(stack, [first], clock, out=folder / "first")
        played = time.monotonic()
        results += play(stack, [second], clock, out=folder / "second")
        if missed := unmet(results):
            raise RuntimeError("the rehearsal did not go as expected: " + "; ".join(missed))
        with AirflowApi(stack.api_url, "admin", stack.users["admin"]) as airflow:
            tasks = [task for dag_id in ("engagement", "monitoring", "feedback")
                     for task in airflow.task_instances(dag_id)]  # fmt: skip
            trivial_tasks = _run(airflow, TRIVIAL)
        settings = load_settings()
        templates = Record(settings).templates([landing.engagement_id for landing in clock.landings])
        letters = [each for each in Mailbox(stack.mails).letters() if templates.get(each.message_id) in RECEIPTS]
        receipts = [(letter.path.stat().st_mtime, letter.engagement) for letter in letters]
        segments = list(_segments(stack.data / "airflow" / "logs"))
    task = _numbers([s.ended - s.began for s in segments if s.dag_id not in (TRIVIAL, "reminders")])
    trivial = _numbers([s.ended - s.began for s in segments if s.dag_id == TRIVIAL])
    starts = [(_instant(t["start_date"]), engagement_of(t["dag_run_id"])) for t in tasks if t["start_date"]]
    resumed = [(segment.began, engagement_of(segment.run_id)) for segment in segments]
    return {
        "rehearsal": {"scenario": scenario, "seconds": played - began, "play_seconds": played - up},
        "inbox_poll_seconds": settings.inbox_poll_seconds,
        "file_to_task": _numbers(_delays(clock.landings, resumed)),
        "file_to_receipt": _numbers(_delays(clock.landings, receipts)),
        "file_to_next_task": _numbers(_delays(clock.landings, starts)),
        "task": task,
        "trivial_task": trivial,
        "task_ratio": task["median"] / trivial["median"],
        "hop": _numbers(_hops(tasks)),
        "trivial_hop": _numbers(_hops(trivial_tasks)),
    }


def _numbers(seconds: Sequence[float]) -> dict[str, Any]:
    return {"median": statistics.median(seconds), "max": max(seconds), "n": len(seconds)}


def _delays(landings: Sequence[Landing], happened: Iterable[tuple[float, str]]) -> list[float]:
    """Return how long after each landing the engagement's next such thing happened; none before the next landing."""
    moments = sorted(happened)
    ends = [each.at for each in landings[1:]] + [float("inf")]
    # A wait that leads to nothing of the kind (an evaluation is followed by no task) has no delay.
    horizon = 20.0
    found = []
    for landing, end in zip(landings, ends, strict=True):
        after = [at for at, id_ in moments
                 if id_ == landing.engagement_id and landing.at < at < min(end, landing.at + horizon)]  # fmt: skip
        if after:
            found.append(after[0] - landing.at)
    return found


def _hops(tasks: Iterable[dict[str, Any]]) -> list[float]:
    """Return the seconds from the end of a task to the start of the one after it in the same run."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for task in tasks:
        if task["start_date"] and task["end_date"] and task["state"] == "success":
            runs.setdefault(task["dag_run_id"], []).append(task)
    found = []
    for each in runs.values():
        each.sort(key=lambda task: _instant(task["start_date"]))
        for before, after in pairwise(each):
            gap = _instant(after["start_date"]) - _instant(before["end_date"])
            if gap > 0:  # else they ran side by side
                found.append(gap)
    return found


def tasks_a_second(airflow: AirflowApi) -> float:
    """Return how many tasks that do nothing and do not wait for each other come to their end in a second."""
    tasks = _run(airflow, MANY)
    return len(tasks) / (max(_instant(t["end_date"]) for t in tasks) - min(_instant(t["queued_when"]) for t in tasks))


def _run(airflow: AirflowApi, dag_id: str) -> list[dict[str, Any]]:
    airflow.wait_for_dags([dag_id])
    run_id = str(airflow.trigger(dag_id)["dag_run_id"])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while airflow.run(dag_id, run_id)["state"] != "success":
        if time.monotonic() > deadline:
            raise RuntimeError(f"{dag_id} did not end within {PATIENCE_SECONDS:.0f} seconds")
        time.sleep(0.5)
    return airflow.task_instances(dag_id, run_id)


def _segments(logs: Path) -> Iterable[Segment]:
    """Read from the tasks' logs when their processes ran."""
    for path in sorted(logs.glob("dag_id=*/run_id=*/task_id=*/**/attempt=*.log")):
        names = dict(part.split("=", 1) for part in path.parts if part.startswith(("dag_id=", "run_id=", "task_id=")))
        began = last = 0.0
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
                at = _instant(entry["timestamp"])
            except (ValueError, KeyError, TypeError):
                continue
            if entry.get("event") == "::group::Pre Execute":
                if began:
                    yield Segment(names["dag_id"], names["run_id"], names["task_id"], began, last)
                began = at
            last = at
        if began:
            yield Segment(names["dag_id"], names["run_id"], names["task_id"], began, last)


def _instant(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

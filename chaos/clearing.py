"""Every task that is done is cleared in Airflow and done again, one at a time in each run: nothing must change."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from chaos.judge import picture
from chaos.monkey import Happened
from chaos.people import patiently
from chaos.stand import until
from local.airflow_api import AirflowApi, ApiError

SETTLED = ("success", "skipped")
SECONDS = 180.0
DAGS = ("engagement", "monitoring", "feedback")


def clear_each(
    api: AirflowApi, register: sessionmaker[Session], *, seed: int, most: int | None, say: Callable[[str], None]
) -> list[Happened]:
    """Clear tasks of finished runs, at most so many a run, chosen by the seed; all runs at the same time."""
    ahead: dict[tuple[str, str], list[str]] = defaultdict(list)
    for dag_id in DAGS:
        for task in patiently(partial(api.task_instances, dag_id, states=SETTLED)):
            ahead[dag_id, task["dag_run_id"]].append(task["task_id"])
    drawn = random.Random(seed)
    turns = {run: sorted(set(tasks)) for run, tasks in ahead.items()}
    for tasks in turns.values():
        drawn.shuffle(tasks)
        del tasks[most if most is not None else len(tasks) :]
    happened: list[Happened] = []
    while any(turns.values()):
        with register() as session:
            before = picture(session)
        cleared = {run: tasks.pop() for run, tasks in turns.items() if tasks}
        for (dag_id, run_id), task_id in cleared.items():
            patiently(partial(api.clear_task, dag_id, run_id, task_id))
        over = until(partial(_settled, api, cleared), seconds=SECONDS)
        with register() as session:
            after = picture(session)
        changed = [name for name in before if before[name] != after[name]]
        for (dag_id, run_id), task_id in cleared.items():
            if not over or changed:
                say(f"{dag_id}/{run_id}/{task_id} cleared: {'changed ' + ', '.join(changed) if over else 'not over'}")
            happened.append(Happened("task cleared", over and not changed))
    return happened


def _settled(api: AirflowApi, cleared: Mapping[tuple[str, str], str]) -> bool:
    for (dag_id, run_id), task_id in cleared.items():
        try:
            if api.run(dag_id, run_id)["state"] not in ("success", "failed"):
                return False
        except ApiError:
            return False
        states: list[Any] = [task["state"] for task in api.task_instances(dag_id, run_id) if task["task_id"] == task_id]
        if any(state not in SETTLED for state in states):
            return False
    return True

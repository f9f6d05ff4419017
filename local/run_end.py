"""Ending what an engagement still has in Airflow: its waiting tasks, and runs that have not begun."""

from __future__ import annotations

from collections.abc import Iterable

from local.airflow_api import AirflowApi, Conflict, NotFound

WAITING = ("deferred", "awaiting_input", "up_for_retry", "scheduled", "queued", "up_for_reschedule")


def end_runs(api: AirflowApi, runs: Iterable[tuple[str, str]]) -> int:
    """Skip the tasks that wait in these runs (DAG, run id) and delete runs still queued; return how many there were.

    What follows a skipped task skips itself. A task that is at work finds the engagement ended when it looks next.
    """
    count = 0
    for dag_id, run_id in runs:
        try:
            if api.run(dag_id, run_id)["state"] == "queued":
                api.delete_run(dag_id, run_id)
                count += 1
                continue
            for task in api.task_instances(dag_id, run_id, states=WAITING):
                api.skip_task(dag_id, run_id, task["task_id"], map_index=int(task["map_index"]))
                count += 1
        except (NotFound, Conflict):
            continue  # it ended or began meanwhile; what begins finds the engagement ended
    return count

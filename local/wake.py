"""``python -m local.wake``: have every task that waits look into the register again. Part of a restore.

An Airflow that was restored to an earlier moment than the register waits for what has come already: for an answer that
was taken in, for a decision that was taken. Each task of an engagement that waits is cleared, by Airflow's public API:
it begins from scratch, finds in the register what was done, does nothing twice, and goes on or waits again. Done for
nothing it changes nothing. Takes the same login as ``local.airflow_cleaning``, and ``--url``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from local.airflow_api import AirflowApi, ApiError, Conflict, NotFound
from local.airflow_cleaning import OF_ENGAGEMENTS, address_and_login
from local.stack import StackError

WAITING = ("deferred", "awaiting_input")


def wake(api: AirflowApi) -> int:
    """Clear the tasks that wait; return how many there were. Raises ApiError."""
    count = 0
    for dag_id in OF_ENGAGEMENTS:
        waiting = {(task["dag_run_id"], task["task_id"]) for task in api.task_instances(dag_id, states=WAITING)}
        for run_id, task_id in sorted(waiting):
            try:
                api.clear_task(dag_id, run_id, task_id)
                count += 1
            except (NotFound, Conflict):
                continue  # it went on meanwhile
    return count


def main(arguments: Sequence[str]) -> int:
    """Wake the installation; prints the number of tasks."""
    parser = argparse.ArgumentParser(prog="python -m local.wake")
    parser.add_argument("--url", help="Airflow's address, if not AIRFLOW__API__BASE_URL")
    given = parser.parse_args(arguments)
    try:
        with AirflowApi(*address_and_login(os.environ, given.url)) as api:
            print(f"{wake(api)} tasks look into the register again.")
    except (ApiError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

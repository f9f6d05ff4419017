"""``python -m local.airflow_cleaning``: delete runs that ended long ago from Airflow, with their XCom and logs.

By Airflow's public API and by each run's own end: a run that has not ended is never touched, however long ago it began.
(``airflow db clean`` goes by the day a run began: an engagement that waits for a client is older than most.) What the
register knows stays as it is.

::

    --engagements-months 24    runs of engagements, visits and follow-ups that ended before (default)
    --sweeps-days 30           runs of mailbox, outbox, reminders, … that ended before (default)
    --dry-run                  only counts

    --url http://airflow-apiserver:8080    Airflow's address, if not AIRFLOW__API__BASE_URL

The installation is the running stack, or the one of the environment with a login of AIRFLOW_CLEANING_USER and
AIRFLOW_CLEANING_PASSWORD that may delete runs. Log files are deleted where AIRFLOW__LOGGING__BASE_LOG_FOLDER, or
``logs`` in AIRFLOW_HOME, is a folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from include.engagement.dates import months_later
from local.airflow_api import AirflowApi, ApiError
from local.stack import DATA, StackError, running_environment

OF_ENGAGEMENTS = ("engagement", "monitoring", "feedback")
SWEEPS = ("mailbox", "new_links", "openings", "outbox", "reminders", "retention")


def clean(api: AirflowApi, dag_id: str, *, before: datetime, logs: Path | None, dry_run: bool = False) -> int:
    """Delete the runs of a DAG that ended before an aware instant, their logs first; return how many.

    Raises ApiError.
    """
    count = 0
    skipped = set[str]()
    while True:
        found = [run for run in api.ended_runs(dag_id, before=before, after_these=len(skipped)) if run not in skipped]
        if not found:
            return count
        count += len(found)
        if dry_run:
            skipped.update(found)
            continue
        for run_id in found:
            _delete_logs(logs, dag_id, run_id)
        # What could not be deleted, since somebody cleared it just now, is passed over.
        skipped.update(set(found) - api.delete_runs(dag_id, found))


def _delete_logs(logs: Path | None, dag_id: str, run_id: str) -> None:
    """Delete a run's folder of logs, as Airflow's log_filename_template names it."""
    if logs is not None and not {"/", "\\", "\0"} & set(run_id) and run_id not in (".", ".."):
        shutil.rmtree(logs / f"dag_id={dag_id}" / f"run_id={run_id}", ignore_errors=True)


def main(arguments: Sequence[str]) -> int:
    """Clean the installation; prints the number of runs of each DAG."""
    parser = argparse.ArgumentParser(prog="python -m local.airflow_cleaning")
    parser.add_argument("--engagements-months", type=int, default=24)
    parser.add_argument("--sweeps-days", type=int, default=30)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--url")
    given = parser.parse_args(arguments)
    now = datetime.now(timezone.utc)
    first = months_later(now.date(), -given.engagements_months)
    limits = dict.fromkeys(OF_ENGAGEMENTS, datetime(first.year, first.month, first.day, tzinfo=timezone.utc))
    limits |= dict.fromkeys(SWEEPS, now - timedelta(days=given.sweeps_days))
    try:
        env = installation(os.environ)
        folder = Path(env.get("AIRFLOW__LOGGING__BASE_LOG_FOLDER") or Path(env.get("AIRFLOW_HOME", ""), "logs"))
        logs = folder if folder.is_absolute() and folder.is_dir() else None
        with AirflowApi(*address_and_login(env, given.url)) as api:
            for dag_id, before in limits.items():
                count = clean(api, dag_id, before=before, logs=logs, dry_run=given.dry_run)
                print(f"{dag_id}: {count} runs that ended before {before:%Y-%m-%d}{' (kept)' if given.dry_run else ''}")
    except (ApiError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def installation(env: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment if it has a login, else the running stack's. Raises StackError when none runs."""
    return env if "AIRFLOW_CLEANING_USER" in env else running_environment(Path(env.get("DATA") or DATA))


def address_and_login(env: Mapping[str, str], url: str | None) -> tuple[str, str, str]:
    """Return Airflow's address, a user and a password. Raises StackError when there is no installation."""
    env = installation(env)
    url = url or env["AIRFLOW__API__BASE_URL"]
    if "AIRFLOW_CLEANING_USER" in env:
        return url, env["AIRFLOW_CLEANING_USER"], env["AIRFLOW_CLEANING_PASSWORD"]
    file = Path(env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    return url, "admin", json.loads(file.read_text(encoding="utf-8"))["admin"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

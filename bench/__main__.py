"""``make bench``: how fast the process moves here. Compare figures of one run, not of two machines."""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from include.casework.opening import register_engagement
from include.clock import set_rehearsal_day
from include.engagement import process
from include.register.session import sessions
from include.settings import ROOT, load_settings
from local.airflow_api import AirflowApi, Conflict
from local.stack import Stack
from rehearsal.players import put_into_inbox
from rehearsal.scenario import find_scenario, read_scenario

WAITS = 10
IMPORTS = 5
PATIENCE = 600.0  # seconds
OUT = ROOT / "data" / "bench"
ANSWERS = {"strategy": "x", "activities": "x", "products": "x", "capacity": "x"}
PAPERS = {f"{key}.pdf": b"%PDF-1.4\n%%EOF\n" for key in ("business_registration", "sales_documents",
                                                         "financial_statements")}  # fmt: skip
BARE = "import airflow.sdk, airflow.models, airflow.providers.standard.operators.hitl"


def until(found: Callable[[], Any]) -> Any:
    """Return what ``found`` finds, asking ten times a second. Raises TimeoutError after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (what := found()) is not None:
            return what
        time.sleep(0.1)
    raise TimeoutError("nothing came of a file in the inbox")


def started(api: AirflowApi, run_id: str, task_id: str) -> datetime | None:
    """Return when a task of a run first started; None before."""
    for task in api.task_instances("engagement", run_id):
        if task["task_id"] == task_id and task["start_date"]:
            return datetime.fromisoformat(task["start_date"].replace("Z", "+00:00"))
    return None


def waiting(api: AirflowApi) -> set[str]:
    """Decline first meetings that are asked about; return the engagements that wait for the client's information."""
    row = process.SIGN_OFFS["first_meeting"]
    for asked in api.pending_sign_offs("engagement"):
        if asked.state == "awaiting_input":
            with suppress(Conflict):
                api.answer(asked, row.options["no"], {entry.key: None for entry in row.entries})
    waits = api.task_instances("engagement", states=["deferred"])
    return {wait["dag_run_id"] for wait in waits if wait["task_id"] == "information.request_information_1"}


def receipt(mails: Path, engagement: str) -> datetime | None:
    """Return when the relay had taken the receipt for the information; None before."""
    for sidecar in mails.glob("*.json"):
        mail = sidecar.with_suffix(".eml")
        if mail.exists() and f"+{engagement}.information@".encode() in (data := mail.read_bytes()):
            if b"multipart/mixed" in data[:4000]:
                continue  # the request itself, with its letter and questionnaire
            return datetime.fromtimestamp(mail.stat().st_mtime, timezone.utc)
    return None


def measure_waits(stack: Stack) -> dict[str, list[float]]:
    """Open WAITS engagements, answer each and return seconds to the receipt and to the next task, and a task's own."""
    os.environ.update({name: value for name, value in stack.environment().items() if name.startswith("ENGAGEMENT_")})
    settings = load_settings()
    scenario = read_scenario(find_scenario("coffee-roastery"))
    with sessions(settings.register_url)() as session:
        set_rehearsal_day(session, settings, date(2026, 12, 1))
    figures: dict[str, list[float]] = {"first effect": [], "next task": [], "a task": []}
    with AirflowApi(stack.api_url, "admin", stack.users["admin"]) as api:
        api.wait_for_dags(["engagement"])
        ids = [register_engagement({**scenario.form, "referrer": f"{n}"}, settings=settings) for n in range(WAITS)]
        for engagement in ids:
            api.trigger("engagement", run_id=engagement, conf={"engagement_id": engagement})
        until(lambda: True if waiting(api) >= set(ids) else None)
        for engagement in ids:
            put_into_inbox(stack.storage, engagement, "information", files=PAPERS, reply={"answers": ANSWERS})
            landed = datetime.now(timezone.utc)
            effect = until(lambda run=engagement: receipt(stack.mails, run))
            following = until(lambda run=engagement: started(api, run, "information.review_information_1"))
            figures["first effect"].append((effect - landed).total_seconds())
            figures["next task"].append((following - landed).total_seconds())
        for engagement in ids:
            figures["a task"] += [t["duration"] for t in api.task_instances("engagement", engagement)
                                  if t["state"] == "success" and t["duration"]]  # fmt: skip
    return figures


def seconds(command: Sequence[str], **environment: str) -> float:
    """Return the wall time of a command that must succeed."""
    began = time.monotonic()
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, check=True,
                   capture_output=True)  # fmt: skip
    return time.monotonic() - began


def measure_imports() -> tuple[float, float]:
    """Return the median seconds of a bare import of Airflow and of one that also parses all our DAGs, in turn."""
    names = ", ".join(sorted(path.stem for path in (ROOT / "dags").glob("*.py")))
    ours = f"{BARE}; import sys; sys.path.insert(0, 'dags'); import {names}"
    with tempfile.TemporaryDirectory() as home:
        pairs = [
            tuple(seconds([sys.executable, "-c", script], AIRFLOW_HOME=home) for script in (BARE, ours))
            for _ in range(IMPORTS + 1)
        ][1:]
    return statistics.median(bare for bare, _ in pairs), statistics.median(all_ for _, all_ in pairs)


def main() -> int:
    """Measure, print a table, keep the figures in ``data/bench``."""
    bare, with_dags = measure_imports()
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        with Stack(folder / "stack", rehearsal=True) as stack:
            figures = measure_waits(stack)
        whole = seconds([sys.executable, "-m", "rehearsal", "run", "--out", str(folder / "out"), "coffee-roastery"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "airflow": version("apache-airflow")},
        "file in the inbox to the client's receipt, s": spread(figures["first effect"]),
        "file in the inbox to the next task's start, s": spread(figures["next task"]),
        "a task, s": spread(figures["a task"]),
        "import of Airflow alone, s": round(bare, 2),
        "import of Airflow and all DAGs, s": round(with_dags, 2),
        "DAG import against Airflow's alone": round(with_dags / bare, 2),
        "a whole rehearsal (coffee-roastery), start and stop included, s": round(whole, 1),
    }
    for name, value in result.items():
        print(f"{name:66} {value}")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "bench.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, maximum and number of measurements."""
    return {"median": round(statistics.median(values), 2), "max": round(max(values), 2), "n": len(values)}


if __name__ == "__main__":
    sys.exit(main())

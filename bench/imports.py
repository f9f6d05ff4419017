"""What importing our DAG files costs beyond Airflow itself."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from local.stack import ROOT

RUNS = 7
EMPTY = "from airflow.sdk import DAG, Param, TaskGroup\nwith DAG('empty', schedule=None): pass\n"


def measure() -> dict[str, Any]:
    """Return the seconds that a process takes for all our DAG files and for an empty DAG, and their ratio.

    The two take turns, so that what else the machine does weighs on both alike.
    """
    files = sorted(path.stem for path in (ROOT / "dags").glob("*.py"))
    ours = "\n".join(f"import dags.{name}" for name in files)
    with tempfile.TemporaryDirectory(prefix="bench-airflow-") as home:
        for code in (ours, EMPTY):  # the first run compiles
            _seconds(code, home)
        pairs = [(_seconds(ours, home), _seconds(EMPTY, home)) for _ in range(RUNS)]
    with_dags, bare = zip(*pairs, strict=True)
    return {
        "files": len(files),
        "dags": {"median": statistics.median(with_dags), "max": max(with_dags), "n": RUNS},
        "bare": {"median": statistics.median(bare), "max": max(bare), "n": RUNS},
        "ratio": statistics.median(one / other for one, other in pairs),
    }


def _seconds(code: str, home: str) -> float:
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("AIRFLOW") and name != "PYTHONDONTWRITEBYTECODE"}  # fmt: skip
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**kept, "PYTHONPATH": str(ROOT), "AIRFLOW_HOME": home},
        check=True, capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - began

"""``python -m bench``: how fast the process moves on this machine.

Prints a table and writes ``data/bench/<instant>.json``. Absolute times depend on the machine and on what else it does;
the ratios carry further.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import imports, inbox, machine, pages, sweep, waits
from local.stack import ROOT

OUT = ROOT / "data" / "bench"


def main(arguments: list[str] | None = None) -> int:
    """Measure everything, print and write it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER")
    parser.add_argument("--scenario", default="coffee-roastery")
    given = parser.parse_args(arguments)
    console = Console(highlight=False)
    before = machine.facts()
    console.print("DAG imports…")
    results: dict[str, Any] = {"machine": before, "imports": imports.measure()}
    console.print("The staff's pages…")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        results["pages"] = pages.measure(Path(folder))
    console.print("The reminders sweep…")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        results["sweep"] = sweep.measure(Path(folder))
    console.print("The inbox…")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        results["inbox"] = inbox.measure(Path(folder))
    console.print("A rehearsal, its waits and its tasks…")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        results |= waits.measure(Path(folder), given.scenario)
    results["machine"]["load_after"] = machine.load()
    console.print(_table(results))
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {path}")
    return 0


def _table(results: dict[str, Any]) -> Table:
    facts = results["machine"]
    table = Table(
        title=f"{facts['cores']} cores, Python {facts['python']}, Airflow {facts['airflow']}; "
        f"load {facts['load']:.1f} before, {facts['load_after']:.1f} after (1 minute)"
    )
    table.add_column("What")
    for column in ("median", "max", "n"):
        table.add_column(column, justify="right")
    for name, row in _rows(results):
        table.add_row(name, f"{row['median']:.2f}", f"{row['max']:.2f}" if "max" in row else "", str(row.get("n", "")))
    return table


def _rows(results: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    imported, rehearsal, swept = results["imports"], results["rehearsal"], results["sweep"]
    rates = swept["mails_a_second"]
    return [
        ("an answer lies in the inbox → its task runs again [s]", results["file_to_task"]),
        ("an answer lies in the inbox → its receipt is in the client's mailbox [s]", results["file_to_receipt"]),
        ("an answer lies in the inbox → the next task starts [s]", results["file_to_next_task"]),
        ("a task, from its start to its end or its parking [s]", results["task"]),
        ("the same of a task that does nothing [s]", results["trivial_task"]),
        ("from the end of a task to the start of the next [s]", results["hop"]),
        ("the same between tasks that do nothing [s]", results["trivial_hop"]),
        ("a task against one that does nothing [ratio]", {"median": results["task_ratio"]}),
        ("import of every DAG file, Airflow's included [s]", imported["dags"]),
        ("import of an empty DAG file, Airflow's included [s]", imported["bare"]),
        ("import of every DAG file against an empty one [ratio]", {"median": imported["ratio"]}),
        (f"installation up and the play of {rehearsal['scenario']} [s]", {"median": rehearsal["seconds"], "n": 1}),
        ("of these, the play [s]", {"median": rehearsal["play_seconds"], "n": 1}),
        (f"sweep of {swept['open']} open requests, {swept['sent']} mails due [s]",
         {"median": swept["seconds"], "n": 1}),
        ("memory that it took beyond what it began with [MB]", {"median": swept["memory_grown"] / 1e6}),
        ("mails over one connection, with TLS and login [mails/s]", {"median": rates["one connection"]}),
        ("against a connection for each [ratio]", {"median": swept["ratio"]}),
        *(row for kind, seen in results["inbox"].items() for row in (
            (f"{kind}: a file lies ready → one of {seen['waits']} waits ends [s]", seen["noticed"]),
            (f"{kind}: listing requests an interval", {"median": seen["requests_an_interval"]}),
            (f"{kind}: CPU of the waits while nothing comes [s/min]", {"median": seen["idle_cpu"]}),
        )),
        *(row for name, page in results["pages"].items() for row in (
            (f"{name}, with {pages.MANY['still_open']} open engagements [ms]", page),
            (f"{name}, against {pages.FEW['still_open']} [ratio]", {"median": page["ratio_to_few"]}),
        )),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())

"""The scoreboard: every kind of fault, how often it was tried and survived; what was due, lost, doubled, changed."""

from __future__ import annotations

import json
import os
import platform
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from chaos.judge import Verdict
from chaos.monkey import Happened

FILE = "scoreboard.json"
LEAST_FAULTS = 20  # a stand on which hardly anything broke shows nothing


def make(
    verdict: Verdict, happened: Iterable[Happened], *, seed: int, scenarios: list[str], minutes: float
) -> dict[str, Any]:
    """Return the scoreboard as it is written: counts, never a client's data."""
    faults: dict[str, dict[str, int]] = defaultdict(lambda: {"tried": 0, "survived": 0})
    for each in happened:
        faults[each.fault]["tried"] += 1
        faults[each.fault]["survived"] += each.survived
    return {
        "seed": seed,
        "scenarios": scenarios,
        "minutes": round(minutes, 1),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "faults": dict(sorted(faults.items())),
        "tried": sum(each["tried"] for each in faults.values()),
        "survived": sum(each["survived"] for each in faults.values()),
        "mails": {"due": verdict.mails_due, "lost": verdict.mails_lost, "doubled": verdict.mails_doubled},
        "decisions": {"taken": verdict.decisions, "lost": verdict.decisions_lost, "changed": verdict.decisions_changed},
        "documents": verdict.documents,
        "files_handed_in": verdict.files_handed_in,
        "findings": verdict.findings,
    }


def held(board: dict[str, Any]) -> bool:
    """Say whether every promise was kept: enough faults tried, all survived, nothing found."""
    return LEAST_FAULTS <= board["tried"] == board["survived"] and not board["findings"]


def write(board: dict[str, Any], out: Path) -> Path:
    """Write the scoreboard into a folder and return its file."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / FILE
    file.write_text(json.dumps(board, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return file


def show(board: dict[str, Any], console: Console) -> None:
    """Print the scoreboard."""
    table = Table(title=f"Seed {board['seed']}, {', '.join(board['scenarios'])}, {board['minutes']} minutes")
    table.add_column("Fault")
    table.add_column("tried", justify="right")
    table.add_column("survived", justify="right")
    for name, each in board["faults"].items():
        style = "" if each["tried"] == each["survived"] else "red"
        table.add_row(name, str(each["tried"]), str(each["survived"]), style=style)
    table.add_section()
    table.add_row("all", str(board["tried"]), str(board["survived"]), style="bold")
    console.print(table)
    mails, decisions = board["mails"], board["decisions"]
    console.print(
        f"Mails: {mails['due']} due, {mails['lost']} lost, {mails['doubled']} doubled. "
        f"Decisions: {decisions['taken']} taken, {decisions['lost']} lost, {decisions['changed']} changed. "
        f"Documents: {board['documents']}; files handed in: {board['files_handed_in']}.",
        highlight=False,
    )
    for finding in board["findings"]:
        console.print(f"  {finding}", style="red", markup=False, highlight=False)

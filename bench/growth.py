"""``python -m bench.growth RESULTS.json… --out PICTURE.svg``: what grows with the number of open engagements, drawn.

Reads what ``bench.scale`` wrote, of a level measured twice the last, and prints the laws, by least squares:
value = fixed + open × slope.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy

from bench.scale import airflow_cpu

matplotlib.use("svg")
import matplotlib.pyplot as plt

SOON_SECONDS = 20.0  # the next task comes after half a round in the middle: beyond this, people notice
COLOURS = {"ours": "#0b5cad", "defaults": "#b45309"}

VALUES: dict[str, tuple[str, Callable[[Mapping[str, Any]], float]]] = {
    "receipt": ("s", lambda row: row["receipt"]["median"]),
    "sign_off": ("s", lambda row: row["sign_off"]["median"]),
    "documents": ("s", lambda row: row["documents"]["median"]),
    "next_task": ("s", lambda row: row["next_task"]["median"]),
    "round": ("s", lambda row: row["round"]),
    "cpu": ("s a minute", lambda row: airflow_cpu(row["waiting_cpu"])),
    "memory": ("MB", lambda row: row["memory"] / 1e6),
    "database": ("MB", lambda row: row["database"]["bytes"] / 1e6),
    "rows": ("rows", lambda row: row["database"]["rows"]),
}
PANELS = (
    ("Seconds: the scheduler's round (line), a decision → the next task (dots)", "round", "next_task"),
    ("Seconds: a file → its receipt (line), → the sign-off (dots)", "receipt", "sign_off"),
    ("CPU of Airflow while all wait [s a minute]", "cpu", None),
    ("Memory of Airflow's processes (line), its database (dots) [MB]", "memory", "database"),
)


class Law(NamedTuple):
    """Value = ``fixed`` + open engagements × ``slope``."""

    fixed: float
    slope: float


def law(rows: Sequence[Mapping[str, Any]], what: str) -> Law:
    """Fit a value (``VALUES``)."""
    value = VALUES[what][1]
    slope, fixed = numpy.polyfit([row["open"] for row in rows], [value(row) for row in rows], 1)
    return Law(float(fixed), float(slope))


def knee(rows: Sequence[Mapping[str, Any]]) -> float:
    """Return with how many open engagements half a round of the scheduler takes SOON_SECONDS."""
    fixed, slope = law(rows, "round")
    return (2 * SOON_SECONDS - fixed) / slope


def draw(runs: Mapping[str, Sequence[Mapping[str, Any]]], out: Path) -> None:
    """Draw reaction with its knee, CPU, memory and database against the number of open engagements."""
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    for axis, (title, line, dots) in zip(axes.flat, PANELS, strict=True):
        for name, rows in runs.items():
            many = [row["open"] for row in rows]
            axis.plot(many, [VALUES[line][1](row) for row in rows], "-", color=COLOURS[name], label=name)
            if dots:
                axis.plot(many, [VALUES[dots][1](row) for row in rows], "o", color=COLOURS[name])
        axis.set(title=title, xlabel="open engagements")
        axis.title.set_fontsize(10)
        axis.grid(alpha=0.3)
        axis.set_ylim(bottom=0)
    for name, rows in runs.items():
        label = f"{name}: half a round is {SOON_SECONDS:.0f} s"
        axes.flat[0].axvline(knee(rows), linestyle=":", color=COLOURS[name], label=label)
    axes.flat[0].legend(loc="upper left", fontsize=8)
    with plt.rc_context({"svg.hashsalt": "growth"}):  # the same numbers, the same file
        figure.savefig(out, metadata={"Date": None})


def main(arguments: list[str] | None = None) -> int:
    """Draw, and print the laws; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, metavar="PICTURE")
    given = parser.parse_args(arguments)
    measured: dict[str, dict[int, Any]] = {}
    for path in given.results:
        for name, rows in json.loads(path.read_text(encoding="utf-8"))["settings"].items():
            measured.setdefault(name, {}).update({row["open"]: row for row in rows})
    runs = {name: [rows[number] for number in sorted(rows)] for name, rows in measured.items()}
    draw(runs, given.out)
    for name, rows in runs.items():
        for what, (unit, _) in VALUES.items():
            fixed, slope = law(rows, what)
            print(f"{name}, {what}: {fixed:.1f} {unit} + {slope * 1000:.2f} {unit} per 1 000 open")
        print(f"{name}: half a round takes {SOON_SECONDS:.0f} s with {knee(rows):.0f} open")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m bench.growth RESULTS.json… --out PICTURE.svg``: what grows with the number of open engagements, drawn.

Reads what ``bench.scale`` wrote. The law is that of least squares: seconds = fixed + open × slope.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy

from bench.scale import WHAT, airflow_cpu

matplotlib.use("svg")
import matplotlib.pyplot as plt

COLOURS = {"ours": "#0b5cad", "defaults": "#b45309"}
MARKS = {"ours": "o", "defaults": "s"}


class Law(NamedTuple):
    """Seconds = ``fixed`` + open engagements × ``slope``."""

    fixed: float
    slope: float

    def __str__(self) -> str:
        return f"{self.fixed:.1f} s + {self.slope * 1000:.1f} s per 1 000 open"


def law(rows: Sequence[Mapping[str, Any]], what: str) -> Law:
    """Fit the medians of ``what`` (``WHAT``)."""
    slope, fixed = numpy.polyfit([row["open"] for row in rows], [row[what]["median"] for row in rows], 1)
    return Law(float(fixed), float(slope))


def draw(runs: Mapping[str, Sequence[Mapping[str, Any]]], out: Path) -> None:
    """Draw reaction, CPU, memory and database against the number of open engagements, for each settings' rows."""
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    panels = (
        ("From a decision to the next task's (line), from a file to the sign-off (dashed) [s]",
         lambda row: row["next_task"]["median"]),
        ("CPU of Airflow while all wait [s a minute]", lambda row: airflow_cpu(row["waiting_cpu"])),
        ("Memory of Airflow's processes [MB]", lambda row: row["memory"] / 1e6),
        ("Airflow's database [MB]", lambda row: row["database"]["bytes"] / 1e6),
    )
    for axis, (title, value) in zip(axes.flat, panels, strict=True):
        for name, rows in runs.items():
            style = {"color": COLOURS[name], "marker": MARKS[name]}
            axis.plot([row["open"] for row in rows], [value(row) for row in rows], label=name, **style)
            if axis is axes.flat[0]:
                axis.plot([row["open"] for row in rows], [row["sign_off"]["median"] for row in rows], "--", **style)
        axis.set(title=title, xlabel="open engagements")
        axis.title.set_fontsize(10)
        axis.grid(alpha=0.3)
        axis.set_ylim(bottom=0)
    axes.flat[0].legend()
    figure.savefig(out)


def main(arguments: list[str] | None = None) -> int:
    """Draw, and print the laws; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, metavar="PICTURE")
    given = parser.parse_args(arguments)
    runs: dict[str, list[Any]] = {}
    for path in given.results:
        for name, rows in json.loads(path.read_text(encoding="utf-8"))["settings"].items():
            runs.setdefault(name, []).extend(rows)
    for rows in runs.values():
        rows.sort(key=lambda row: row["open"])
    draw(runs, given.out)
    for name, rows in runs.items():
        for what in WHAT:
            print(f"{name}, {what}: {law(rows, what)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

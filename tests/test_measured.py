"""What docs/operations.md says was measured is what docs/growth.json holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.growth import knee
from bench.scale import airflow_cpu
from include.settings import ROOT

MEASURED = json.loads((ROOT / "docs" / "growth.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
NAMES = {"ours": "these", "defaults": "Airflow's own"}
ROWS = [(name, row) for name, rows in MEASURED["settings"].items() for row in rows]


def seconds(number: float) -> str:
    return f"{number:.1f} s" if number < 10 else f"{number:.0f} s"


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[f"{name}-{row['open']}" for name, row in ROWS])
def test_the_page_shows_the_measured_row(name: str, row: dict[str, Any]) -> None:
    told = [seconds(row[what]["median"]) for what in ("receipt", "sign_off", "documents", "next_task")]
    cells = [f"{row['open']:,}".replace(",", " "), NAMES[name], *told, seconds(row["round"]),
             f"{airflow_cpu(row['waiting_cpu']):.0f} s a minute"]  # fmt: skip
    assert f"| {' | '.join(cells)} |" in PAGE


def test_the_page_names_the_knees() -> None:
    for rows in MEASURED["settings"].values():
        assert f"{round(knee(rows), -1):,.0f}".replace(",", " ") in PAGE

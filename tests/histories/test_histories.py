"""What people said in finished engagements is said again to the code as it is now: it decides the same."""

from __future__ import annotations

import dataclasses
import difflib
import json
from pathlib import Path
from typing import Any

import pytest

from include.engagement import process
from rehearsal.scenario import FOLDER as SCENARIOS
from tests.histories.flow import change
from tests.histories.history import FOLDER, replay, written

HISTORIES = sorted(FOLDER.glob("*.json"))
WHAT_TO_DO = (
    "The present code decides otherwise than the history (-) in a finished engagement. If that is meant, record the "
    "histories anew with “make histories” and read what changed before it is committed."
)


def read(name: str) -> dict[str, Any]:
    history: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return history


def differences(history: dict[str, Any], decided: dict[str, Any]) -> str:
    """Return the decisions that differ, each with a few lines around it; empty: none."""
    was, now = (written({**history, "decided": each}).splitlines() for each in (history["decided"], decided))
    return "\n".join(difflib.unified_diff(was, now, "history", "now", n=1, lineterm=""))


@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
def test_the_present_code_decides_as_the_history_says(path: Path, register: str, tmp_path: Path) -> None:
    history = read(path.stem)

    difference = differences(history, replay(history, register, tmp_path))

    assert not difference, f"{path.stem}\n{WHAT_TO_DO}\n{difference}"


def test_every_scenario_has_its_history() -> None:
    assert [path.stem for path in HISTORIES] == sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('task_id="decide"', 'task_id="decide_together"', '"task": "contract.decide_together", "came_to": "decline"'),
        ('decide.when("decline", "không nhận", decline)',
         'decide.when("decline", "không nhận", refuse); refuse >> decline', '"task": "refuse"'),
    ],
    ids=["renamed", "led elsewhere"],
)  # fmt: skip
def test_a_changed_flow_is_told(
    dags: Path, before: str, after: str, told: str, register: str, tmp_path: Path
) -> None:
    change(dags, (before, after))
    history = read("declined-by-firm")

    assert told in differences(history, replay(history, register, tmp_path, dags=dags))


def test_a_changed_rule_is_told(register: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    information = dataclasses.replace(process.REQUESTS["information"], answer_days=7)
    monkeypatch.setitem(process.REQUESTS, "information", information)
    history = read("declined-by-firm")

    difference = differences(history, replay(history, register, tmp_path))

    assert [line for line in difference.splitlines() if line.startswith("+") and '"request": "information"' in line]


def test_what_nobody_waits_for_any_more_is_told(register: str, tmp_path: Path) -> None:
    history = read("declined-by-firm")
    history["days"][-1]["said"].append(history["days"][-1]["said"][-1])

    assert '"unheard": "decision/1/: decline"' in differences(history, replay(history, register, tmp_path))

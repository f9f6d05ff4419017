"""The flow changes under engagements under way, day by day of finished ones: they decide as if it had not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from docx import Document as WordDocument

from include.documents import render
from include.engagement import process
from tests.histories.flow import FLOW_2, change
from tests.histories.history import replay
from tests.histories.test_histories import differences, read
from tests.histories.walk import Walk, load_dags


def but_for_the_tasks(decided: dict[str, Any]) -> dict[str, Any]:
    return {name: rows for name, rows in decided.items() if name != "tasks"}


@pytest.mark.parametrize("day", [1, 2, 4])
def test_engagements_under_way_go_by_the_flow_they_were_opened_under(
    dags: Path, day: int, register: str, tmp_path: Path
) -> None:
    history = read("terminated")
    change(dags, *FLOW_2)

    def meanwhile(walk: Walk, number: int) -> None:
        if number == day:
            walk.change(load_dags(dags))

    decided = replay(history, register, tmp_path, each_day=meanwhile)

    assert not differences(
        {**history, "decided": but_for_the_tasks(history["decided"])}, but_for_the_tasks(decided)
    )
    tasks = {row["task"]: row["came_to"] for row in decided["tasks"]}
    assert tasks["intake.meet_again"] == "success"
    assert tasks["contract.decide_together"] == "accept"


def test_an_engagement_opened_under_the_new_flow_goes_by_it(
    dags: Path, register: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "FLOW", 2)
    change(dags, *FLOW_2)

    decided = replay(read("terminated"), register, tmp_path, dags=dags)

    assert [(row["gate"], row["round"]) for row in decided["sign_offs"]] == [("first_meeting", 2)]


@pytest.mark.parametrize("name", ["furniture-workshop", "terminated"])
def test_tasks_begun_from_scratch_every_day_do_nothing_twice_and_decide_nothing_anew(
    name: str, register: str, tmp_path: Path
) -> None:
    """As if every task were renamed over night: the register is read before anything is done."""
    history = read(name)

    decided = replay(history, register, tmp_path, each_day=lambda walk, number: walk.forget())

    assert not differences(
        {**history, "decided": but_for_the_tasks(history["decided"])}, but_for_the_tasks(decided)
    )


def test_a_changed_template_holds_from_the_next_document_on_and_changes_none_in_force(
    register: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = Path(shutil.copytree(render.TEMPLATES, tmp_path / "templates"))
    for file in templates.glob("*.docx"):
        template = WordDocument(str(file))
        template.add_paragraph("Mẫu sửa đổi.")
        template.save(str(file))
    history = read("terminated")
    in_force: dict[Path, bytes] = {}
    stored: list[Path] = []

    def meanwhile(walk: Walk, number: int) -> None:
        stored[:] = [walk.storage / "engagements"]
        if number == 3:
            in_force.update({path: path.read_bytes() for path in stored[0].rglob("*") if path.is_file()})
            monkeypatch.setattr(render, "TEMPLATES", templates)

    decided = replay(history, register, tmp_path, each_day=meanwhile)

    assert not differences(
        {**history, "decided": but_for_the_tasks(history["decided"])}, but_for_the_tasks(decided)
    )
    assert in_force and all(path.read_bytes() == content for path, content in in_force.items())
    later = [path for path in stored[0].rglob("*.docx") if path not in in_force and "received" not in path.parts]
    assert later
    for path in later:
        assert "Mẫu sửa đổi." in [paragraph.text for paragraph in WordDocument(str(path)).paragraphs], path.name

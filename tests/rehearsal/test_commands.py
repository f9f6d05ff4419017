"""The commands: what they refuse before anything is started, and how a failed task's log is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rehearsal.__main__ import log_reader, main
from rehearsal.scenario import SCHEMA


def test_a_refused_scenario_ends_with_exit_code_2_and_its_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("today: 2026-12-01\nengagement: {}\nlunch: 1\n", encoding="utf-8")

    assert main(["run", "--out", str(tmp_path / "out"), str(bad)]) == 2

    assert "dòng 3, mục “lunch”" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_every_refused_scenario_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--out", str(tmp_path), "tea-house", "bakery"]) == 2

    err = capsys.readouterr().err
    assert "tea-house" in err
    assert "bakery" in err


def test_the_schema_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_the_tail_of_a_log_is_readable(tmp_path: Path) -> None:
    folder = tmp_path / "airflow" / "logs" / "dag_id=engagement" / "run_id=KHV-2026-0001" / "task_id=intake.receive"
    folder.mkdir(parents=True)
    entry = {"level": "error", "event": "Task failed", "error_detail": [{"exc_type": "OSError", "exc_value": "disk"}]}
    (folder / "attempt=1.log").write_text(f"plain text\n{json.dumps(entry)}\n", encoding="utf-8")

    read = log_reader(tmp_path)

    task = {"dag_id": "engagement", "dag_run_id": "KHV-2026-0001", "task_id": "intake.receive"}
    assert read(task) == "plain text\nERROR Task failed OSError: disk"
    assert read({**task, "task_id": "other"}) == ""

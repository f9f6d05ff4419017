"""The points inside of effects: what the seed draws strikes once, and only in a task."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chaos import points
from chaos.points import FOLDER, POINTS, SEED, Point, reached, strikes
from local.stack import ROOT

TASK = {"AIRFLOW_CTX_DAG_ID": "engagement", "AIRFLOW_CTX_DAG_RUN_ID": "KHV-2026-0001", "AIRFLOW_CTX_TASK_ID": "decide"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setenv(SEED, "1")
    for name, value in TASK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(points, "_passed", type(points._passed)())
    return tmp_path


def always(monkeypatch: pytest.MonkeyPatch, *, kills: float = 0, fails: float = 0) -> None:
    monkeypatch.setitem(POINTS, "file/inside", Point(kills, fails))


def test_a_place_that_is_drawn_strikes_once_however_often_the_task_is_tried(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    always(monkeypatch, fails=100)
    with pytest.raises(OSError) as failure:
        reached("file/inside")
    assert failure.value.errno == errno.ENOSPC

    points._passed.clear()  # the next try: a process of its own
    reached("file/inside")

    assert [each["fault"] for each in strikes(folder)] == ["disk full"]


def test_a_task_is_not_struck_more_often_than_it_can_bear(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    always(monkeypatch, fails=100)
    for _ in range(20):
        try:
            reached("file/inside")
        except OSError:
            continue
    assert len(strikes(folder)) == points.MOST_A_TASK


def test_what_is_no_task_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    always(monkeypatch, fails=100)
    monkeypatch.delenv("AIRFLOW_CTX_TASK_ID")
    reached("file/inside")
    assert strikes(folder) == []


def test_the_same_seed_draws_the_same_places(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    always(monkeypatch, fails=30)
    monkeypatch.setattr(points, "MOST_A_TASK", 1000)

    def drawn(seed: str, where: str) -> list[int]:
        monkeypatch.setenv(SEED, seed)
        monkeypatch.setenv(FOLDER, str(folder / where))
        (folder / where).mkdir()
        points._passed.clear()
        found = []
        for number in range(60):
            try:
                reached("file/inside")
            except OSError:
                found.append(number)
        return found

    assert drawn("1", "a") == drawn("1", "b") != drawn("2", "c")


@pytest.mark.parametrize(
    ("point", "effect"),
    [
        ("file/before", "storage.put('a/b.txt', b'x', media_type='text/plain')"),
        ("file/inside", "storage.put('a/b.txt', b'x', media_type='text/plain')"),
        ("file/after", "storage.put('a/b.txt', b'x', media_type='text/plain')"),
        ("move/before", "storage.move('there', 'a/b.txt')"),
        ("move/after", "storage.move('there', 'a/b.txt')"),
        ("commit/before", "session.commit()"),
        ("commit/after", "session.commit()"),
    ],
)
def test_the_process_dies_where_the_point_is(tmp_path: Path, point: str, effect: str) -> None:
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage" / "there").write_bytes(b"x")
    program = f"""
from pathlib import Path
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from chaos import points
from include.storage.local import LocalStorage
points.install()
points.POINTS.update({{name: points.Point(100.0 if name == {point!r} else 0.0) for name in points.POINTS}})
storage = LocalStorage({str(tmp_path / "storage")!r})
session = Session(create_engine("sqlite://"))
session.execute(text("select 1"))
{effect}
"""
    env = {**os.environ, **TASK, FOLDER: str(tmp_path), SEED: "1", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", program], env=env, cwd=ROOT, capture_output=True, text=True,
                         check=False)  # fmt: skip

    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert [each["point"] for each in strikes(tmp_path)] == [point]
    put = (tmp_path / "storage" / "a" / "b.txt").exists()
    assert put == (point in ("file/after", "move/after"))

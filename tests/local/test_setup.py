"""Set-up on machines where something is missing: one sentence, no traceback. Nothing is installed here."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local import setup

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "local").mkdir()
    for name in ("local/setup.py", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def run(clone: Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "local/setup.py"],
        cwd=clone,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_python_that_is_too_old_is_refused(clone: Path) -> None:
    old = program(clone / "python3.9", 'echo "3 9"')
    code, told = run(clone, PYTHON=old)
    assert code == 1
    assert told == (
        f"Python 3.10 to 3.13 is needed, and {old} has 3.9: install one, or name it with PYTHON=/path/to/python3.12.\n"
    )


def test_a_python_that_is_not_there_is_told(clone: Path) -> None:
    code, told = run(clone, PYTHON="/no/such/python")
    assert (code, told.count("\n")) == (1, 1)
    assert "/no/such/python was not found" in told


def test_debian_without_venv_is_told_which_package(clone: Path) -> None:
    stripped = program(
        clone / "python", 'if [ "$1" = -c ]; then echo "3 11"; else echo "ensurepip is not available"; exit 1; fi'
    )
    code, told = run(clone, PYTHON=stripped, PATH="/nowhere")
    assert (code, told.count("\n")) == (1, 1)
    assert "apt-get install python3.11-venv" in told


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("error: Failed to fetch: `https://…`\n  Caused by: dns error", "the package index does not answer"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        ("error: failed to create directory: Permission denied (os error 13)", "no permission to write there"),
        ("  × No solution found\n  error: hash mismatch.", "error: hash mismatch"),
    ],
)
def test_an_installers_output_becomes_one_reason(output: str, reason: str) -> None:
    assert setup._reason(output).startswith(reason)


def test_nothing_is_done_when_everything_is_in_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stamp = tmp_path / "setup.json"
    digest = hashlib.sha256((ROOT / "requirements.txt").read_bytes()).hexdigest()
    stamp.write_text(json.dumps({"requirements.txt": digest}), encoding="utf-8")
    monkeypatch.setattr(setup, "STAMP", stamp)
    monkeypatch.setattr(setup, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(setup, "_run", lambda *_: pytest.fail("installed again"))
    setup.set_up(dev=False)


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(setup, "STAMP", tmp_path / "setup.json")
    monkeypatch.setattr(setup, "NEEDED_BYTES", 10**18)
    with pytest.raises(setup.SetupError, match=r"^Only [\d.]+ GB are free"):
        setup.set_up(dev=False)

"""The quick form of the stand: one engagement on an installation that is being broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.stack import ROOT

LIMIT_SECONDS = 1500


@pytest.mark.system
@pytest.mark.stand
@pytest.mark.timeout(LIMIT_SECONDS + 60)
def test_every_promise_is_kept_while_everything_breaks(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "chaos", "--quick", "--out", str(tmp_path)], cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip
    assert (tmp_path / "scoreboard.json").exists(), ran.stdout + ran.stderr
    board = json.loads((tmp_path / "scoreboard.json").read_text(encoding="utf-8"))

    assert board["findings"] == [], ran.stdout[-5000:]
    assert board["survived"] == board["tried"] > 20
    assert (board["mails"]["lost"], board["mails"]["doubled"]) == (0, 0)
    assert (board["decisions"]["lost"], board["decisions"]["changed"]) == (0, 0)
    assert ran.returncode == 0

"""What the tests of histories and of changed flows share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from include.settings import ROOT


@pytest.fixture
def dags(tmp_path: Path) -> Path:
    """A copy of the DAG files, to be changed."""
    return Path(shutil.copytree(ROOT / "dags", tmp_path / "dags"))

"""Loaded by every process of a stand's Airflow: what the one-machine stack loads, and the points at which it breaks."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from chaos import points

__all__: list[str] = []

if "scheduler" in sys.argv:
    runpy.run_path(str(Path(points.__file__).parent.parent / "local" / "airflow_config" / "airflow_local_settings.py"))
points.install()

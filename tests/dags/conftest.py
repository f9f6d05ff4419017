"""A metadata database of Airflow's own for the tests that parse DAGs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.settings import ROOT


@pytest.fixture(scope="session", autouse=True)
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Set Airflow's home before its first import."""
    home = tmp_path_factory.mktemp("airflow")
    wanted = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    yield home
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})

"""Whole installations, one after the other in a process of tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def environment_as_it_was() -> Iterator[None]:
    """Whoever plays on an installation sets its environment; the next module has another installation, or none."""
    before = {name: value for name, value in os.environ.items() if name.startswith(("ENGAGEMENT_", "AIRFLOW"))}
    yield
    for name in [name for name in os.environ if name.startswith(("ENGAGEMENT_", "AIRFLOW"))]:
        del os.environ[name]
    os.environ.update(before)

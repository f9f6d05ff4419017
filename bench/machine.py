"""What the numbers were measured on, and with which settings."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def load() -> float:
    """Return the machine's load over the last minute: processes that want a core."""
    return os.getloadavg()[0]


def facts() -> dict[str, Any]:
    """Return the machine's facts, without names of host or user."""
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "airflow": importlib.metadata.version("apache-airflow-core"),
        "load": load(),
    }


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set variables of this process's environment meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

"""What the numbers were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
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

"""The deployment with Docker Compose as tests read it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

import yaml

from include.settings import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INTERPOLATION = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?P<rest>[^}]*)\}")


def interpolated(text: str, value_of: Callable[[re.Match[str]], str]) -> str:
    """Return a text of the file as Compose hands it on, with ``value_of`` each variable in it."""
    return INTERPOLATION.sub(value_of, text).replace("$$", "$")


def image_environment() -> dict[str, str]:
    """Return what the image sets."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return dict(
        word.split("=", 1) for line in joined.splitlines() if line.startswith("ENV ") for word in shlex.split(line)[1:]
    )

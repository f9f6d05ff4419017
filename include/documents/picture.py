"""A picture as a fact of a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Picture:
    """A PNG that a Word template prints like any fact. ``alt`` is what a screen reader says; ``width_mm`` its width."""

    data: bytes
    alt: str
    width_mm: float


def has_pictures(facts: Any) -> bool:
    """Say whether a picture is among ``facts``, at any depth."""
    if isinstance(facts, Mapping):
        return any(has_pictures(inner) for inner in facts.values())
    if isinstance(facts, (list, tuple)):
        return any(has_pictures(inner) for inner in facts)
    return isinstance(facts, Picture)

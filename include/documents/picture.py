"""A picture as a fact of a document."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A PNG that a Word template prints like any fact. ``alt`` is what a screen reader says; ``width_mm`` its width."""

    data: bytes
    alt: str
    width_mm: float

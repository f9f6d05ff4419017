"""Figures and days as clients and the register write them, read into numbers and dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from include.engagement import figures


def figure(value: object) -> float | None:
    """Return a client's figure of at least 0 for a cell of numbers, None where there is none."""
    number = figures.figure(value)
    return float(number) if number is not None and number >= 0 else None


def day(value: object) -> date | None:
    """Return the date in ``value``: a date, a datetime or an ISO text; None where there is none."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)[:10]) if value else None
    except ValueError:
        return None


def at(facts: Mapping[str, Any], path: str) -> Any:
    """Return the fact at a dotted path, None where a part of the way is missing or empty."""
    value: Any = facts
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value

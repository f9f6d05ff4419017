"""Figures and days as clients and the register write them, read into numbers and dates."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

_MULTIPLES = {"tỷ": 10**9, "tỉ": 10**9, "billion": 10**9, "triệu": 10**6, "million": 10**6, "nghìn": 10**3}
_CURRENCY = re.compile(r"(vnd|vnđ|đồng|₫|đ)\.?$", re.IGNORECASE)
_GROUPED = re.compile(r"\d{1,3}(?:([.,' ])\d{3})(?:\1\d{3})*")
_PLAIN = re.compile(r"\d+(?:[.,]\d+)?")


def figure(value: object) -> float | None:
    """Return a figure of at least 0 read from ``value``, None where it is empty or no plain figure.

    Understands what people write: ``14.500.000.000``, ``14,500,000,000 VND``, ``14,5 tỷ``. A group of three
    digits after a separator is read as thousands, since amounts in VND have no decimals.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float, Decimal)):
        number = float(value)
        return number if math.isfinite(number) and number >= 0 else None
    text = _CURRENCY.sub("", str(value).replace("\u00a0", " ").strip().casefold()).strip()
    multiple = 1
    for word, size in _MULTIPLES.items():
        if text.endswith(word):
            text, multiple = text[: -len(word)].strip(), size
            break
    if multiple == 1 and _GROUPED.fullmatch(text):
        return float(re.sub(r"\D", "", text))
    if _PLAIN.fullmatch(text):
        return float(Decimal(text.replace(",", ".")) * multiple)
    return None


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

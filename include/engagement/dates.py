"""Dates as documents have them."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

from include.engagement.process import Language

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def long_date(d: date, language: Language) -> str:
    """Return “ngày 05 tháng 7 năm 2026” or “5 July 2026”.

    Vietnamese has a zero only before days 1 to 9 and months 1 and 2 (Decree 30/2020/NĐ-CP, Annex I).
    """
    if language == "en":
        return f"{d.day} {MONTHS[d.month - 1]} {d.year}"
    month = f"{d.month:02}" if d.month <= 2 else str(d.month)
    return f"ngày {d.day:02} tháng {month} năm {d.year}"


def months_later(d: date, months: int) -> date:
    """Return the day ``months`` calendar months after ``d``, or before it; 31 January + 1 is the end of February."""
    year, month = divmod(d.year * 12 + d.month - 1 + months, 12)
    return date(year, month + 1, min(d.day, monthrange(year, month + 1)[1]))


def short_date(d: date) -> str:
    """Return “05/07/2026”, in both languages."""
    return f"{d.day:02}/{d.month:02}/{d.year}"

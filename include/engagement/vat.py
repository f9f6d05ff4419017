"""VAT on services at the standard rate: rows with their dates of effect. The rate of the invoice date counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class Rate:
    """A rate in percent, from ``since`` on until the next row; ``source`` is the law."""

    since: date
    percent: Decimal
    source: str


RATES: tuple[Rate, ...] = (
    Rate(date(2023, 1, 1), Decimal(10), "Luật Thuế GTGT 13/2008/QH12, Điều 8"),
    Rate(date(2023, 7, 1), Decimal(8), "Nghị quyết 101/2023/QH15 và các nghị quyết gia hạn"),
    Rate(date(2025, 7, 1), Decimal(8), "Nghị quyết 204/2025/QH15"),
    Rate(date(2027, 1, 1), Decimal(10), "Luật Thuế GTGT 48/2024/QH15, Điều 9"),
)


def vat_percent_on(day: date) -> Decimal:
    """Return the VAT rate in percent for consulting services invoiced on ``day``. Raises ValueError before 2023."""
    in_force = [rate for rate in RATES if rate.since <= day]
    if not in_force:
        raise ValueError(f"no VAT rate is known for {day}")
    return in_force[-1].percent

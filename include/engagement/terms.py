"""The terms of a quote: price, VAT, reserve and instalments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from include.engagement.errors import InvalidSignOff
from include.engagement.figures import figure

LARGEST_VND = 10**14
MOST_INSTALMENTS = 12
MOST_RESERVE_DAYS = 250
RESERVE_RULE = (
    "Theo quy trình (bước 3), tiến độ ký với khách luôn có thời gian dự trù cho trường hợp thẩm định không đạt: "
    "số ngày dự trù phải ít nhất là 1."
)


def _dong(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True)
class Terms:
    """Price before VAT in VND, VAT and instalments in percent, reserve in working days."""

    net_vnd: int
    vat_percent: Decimal
    reserve_days: int
    instalments_percent: tuple[Decimal, ...]

    @property
    def vat_vnd(self) -> int:
        """VAT in VND, half a đồng rounded up."""
        return _dong(self.net_vnd * self.vat_percent / 100)

    @property
    def gross_vnd(self) -> int:
        """Price with VAT in VND."""
        return self.net_vnd + self.vat_vnd

    @property
    def instalments(self) -> list[tuple[Decimal, int]]:
        """Each instalment's percent and amount in VND; the amounts add up to ``gross_vnd`` to the đồng."""
        amounts: list[tuple[Decimal, int]] = []
        percent_so_far, paid = Decimal(0), 0
        for percent in self.instalments_percent:
            percent_so_far += percent
            amount = _dong(self.gross_vnd * percent_so_far / 100) - paid
            amounts.append((percent, amount))
            paid += amount
        return amounts

    def to_json(self) -> dict[str, Any]:
        """Return the terms as JSON values; percentages as text, so that they stay exact."""
        return {
            "net_vnd": self.net_vnd,
            "vat_percent": _plain(self.vat_percent),
            "reserve_days": self.reserve_days,
            "instalments_percent": [_plain(percent) for percent in self.instalments_percent],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Terms:
        """Return the terms that ``to_json`` wrote; further keys are left aside. Raises KeyError for missing ones."""
        return cls(
            net_vnd=int(data["net_vnd"]),
            vat_percent=Decimal(str(data["vat_percent"])),
            reserve_days=int(data["reserve_days"]),
            instalments_percent=tuple(Decimal(str(percent)) for percent in data["instalments_percent"]),
        )


def make_terms(entries: Mapping[str, Any], previous: Terms | None) -> Terms:
    """Return the terms that a quote's form states; an empty field keeps what ``previous`` says.

    Instalments come as ``"40, 40, 20"`` or a list. Raises InvalidSignOff (Vietnamese) when something is missing or
    out of range, when instalments do not add up to 100, or without reserve (PROCESS, stage 3).
    """
    net = _number(entries.get("net_vnd"), "Giá trước thuế")
    vat = _number(entries.get("vat_percent"), "Thuế GTGT")
    reserve = _number(entries.get("reserve_days"), "Ngày dự trù")
    instalments = _instalments(entries.get("instalments_percent"))
    if previous is not None:
        net = Decimal(previous.net_vnd) if net is None else net
        vat = previous.vat_percent if vat is None else vat
        reserve = Decimal(previous.reserve_days) if reserve is None else reserve
        instalments = previous.instalments_percent if instalments is None else instalments
    if reserve is None or reserve < 1:
        raise InvalidSignOff(RESERVE_RULE)
    if net is None or vat is None or instalments is None:
        raise InvalidSignOff("Báo giá phải ghi đủ: giá trước thuế, thuế suất, số ngày dự trù và các đợt thanh toán.")
    if not 1 <= net <= LARGEST_VND or net != int(net):
        raise InvalidSignOff("Giá trước thuế phải là số nguyên đồng, lớn hơn 0.")
    if not 0 <= vat <= 100:
        raise InvalidSignOff("Thuế GTGT phải từ 0 đến 100 %.")
    if reserve != int(reserve) or reserve > MOST_RESERVE_DAYS:
        raise InvalidSignOff(f"Số ngày dự trù phải là số nguyên, nhiều nhất là {MOST_RESERVE_DAYS}.")
    return Terms(int(net), vat, int(reserve), instalments)


def _number(value: Any, title: str) -> Decimal | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = figure(value)
    if number is None:
        raise InvalidSignOff(f"Ô “{title}” phải là một con số.")
    return number


def _instalments(value: Any) -> tuple[Decimal, ...] | None:
    if value is None or value == [] or (isinstance(value, str) and not value.strip()):
        return None
    parts = [part for part in re.split(r"[\s,;/%+]+", value) if part] if isinstance(value, str) else value
    try:
        percents = tuple(Decimal(str(part)) for part in parts)
    except (InvalidOperation, TypeError):
        raise InvalidSignOff("Các đợt thanh toán phải ghi bằng số, cách nhau dấu phẩy, ví dụ: 40, 40, 20.") from None
    if not all(percent.is_finite() and percent > 0 for percent in percents):
        raise InvalidSignOff("Mỗi đợt thanh toán phải lớn hơn 0 %.")
    if len(percents) > MOST_INSTALMENTS:
        raise InvalidSignOff(f"Có nhiều nhất {MOST_INSTALMENTS} đợt thanh toán.")
    if sum(percents) != 100:
        total = _plain(Decimal(sum(percents)))
        raise InvalidSignOff(f"Các đợt thanh toán cộng lại phải bằng 100 %, hiện là {total} %.")
    return percents

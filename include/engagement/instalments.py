"""When the instalments of the price fall due, and what each comes to with the VAT of its day (stage 3, contract)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from include.engagement.process import Text
from include.engagement.terms import Terms
from include.engagement.vat import vat_percent_on

PAYMENT_DAYS = 5  # working days from the occasion

Occasion = Literal["signature", "draft", "passed", "handover", "acceptance"]
OCCASIONS: dict[Occasion, Text] = {
    "signature": Text("ngày ký hợp đồng", "signature"),
    "draft": Text("ngày Bên B trình sản phẩm ra hội đồng thẩm định",
                  "the day on which Party B lays the work before its appraisal council"),
    "passed": Text("ngày hội đồng thẩm định đánh giá đạt", "the appraisal council's approval"),
    "handover": Text("ngày ký biên bản bàn giao", "the handover minutes"),
    "acceptance": Text("ngày ký biên bản nghiệm thu", "the acceptance minutes"),
}  # fmt: skip
# Between the first and the last, by how many there are: no two of up to five fall due on the same occasion.
_BETWEEN: dict[int, tuple[Occasion, ...]] = {
    0: (),
    1: ("passed",),
    2: ("draft", "passed"),
    3: ("draft", "passed", "handover"),
}


def occasions(count: int) -> list[Occasion]:
    """Return when each of ``count`` instalments falls due; beyond five, further ones join the council's approval."""
    if count == 1:
        return ["signature"]
    between = _BETWEEN[min(count - 2, 3)]
    more: list[Occasion] = ["passed" for _ in range(count - 2 - len(between))]
    return ["signature", *between[:1], *more, *between[1:], "acceptance"]


def falling_due(occasion: Occasion, count: int) -> list[int]:
    """Return the numbers (from 1) of those of ``count`` instalments that fall due on an occasion."""
    return [number for number, when in enumerate(occasions(count), 1) if when == occasion]


def due_wording(occasion: Occasion) -> Text:
    """Return how contracts say when an instalment is due."""
    since = OCCASIONS[occasion]
    return Text(f"trong {PAYMENT_DAYS:02d} ngày làm việc kể từ {since.vi}",
                f"within {PAYMENT_DAYS} working days of {since.en}")  # fmt: skip


@dataclass(frozen=True)
class Payment:
    """One instalment as it is asked for: amounts in VND, rates in percent.

    ``agreed_vat_percent`` is the rate in the contract; it differs from ``vat_percent`` when the law changed since.
    """

    number: int
    count: int
    percent: Decimal
    net_vnd: int
    vat_vnd: int
    vat_percent: Decimal
    agreed_vat_percent: Decimal

    @property
    def amount_vnd(self) -> int:
        """What is to be paid, VAT included."""
        return self.net_vnd + self.vat_vnd

    @property
    def rate_changed(self) -> bool:
        """Say whether the amount differs from the contract's because the VAT rate does."""
        return self.vat_percent != self.agreed_vat_percent


def payment(terms: Terms, number: int, *, agreed_on: date, invoiced_on: date) -> Payment:
    """Return what instalment ``number`` (from 1) comes to when it is invoiced on ``invoiced_on``.

    The net parts add up to the net price to the đồng. At the contract's VAT rate the amount is that of the contract.
    A contract at the standard rate of ``agreed_on`` follows the standard rate: the one of the invoice date counts
    (Law on VAT 48/2024/QH15, Art. 8 and 9); any other agreed rate stays.
    """
    percent, agreed_vnd = terms.instalments[number - 1]
    net = _net_until(terms, number) - _net_until(terms, number - 1)
    standard = vat_percent_on(agreed_on)
    rate = vat_percent_on(invoiced_on) if terms.vat_percent == standard else terms.vat_percent
    vat = agreed_vnd - net if rate == terms.vat_percent else _dong(net * rate / 100)
    return Payment(number, len(terms.instalments), percent, net, vat, rate, terms.vat_percent)


def _net_until(terms: Terms, number: int) -> int:
    return _dong(terms.net_vnd * sum(terms.instalments_percent[:number], Decimal(0)) / 100)


def _dong(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))

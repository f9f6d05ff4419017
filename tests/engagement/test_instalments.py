"""When instalments fall due, and what they come to."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engagement.instalments import OCCASIONS, due_wording, falling_due, occasions, payment
from include.engagement.terms import LARGEST_VND, Terms

DECEMBER, JANUARY = date(2026, 12, 14), date(2027, 1, 13)
TERMS = Terms(185_000_000, Decimal(8), 5, (Decimal(40), Decimal(40), Decimal(20)))


@pytest.mark.parametrize("count", range(1, 6))
def test_no_two_instalments_fall_due_on_the_same_occasion(count: int) -> None:
    assert len(occasions(count)) == count == len(set(occasions(count)))


def test_many_instalments_begin_with_the_signature_and_end_with_the_acceptance() -> None:
    assert len(occasions(12)) == 12
    assert (occasions(12)[0], occasions(12)[-1]) == ("signature", "acceptance")


@pytest.mark.parametrize("count", range(1, 13))
def test_every_instalment_is_asked_for_on_one_occasion(count: int) -> None:
    asked = [number for occasion in OCCASIONS for number in falling_due(occasion, count)]
    assert sorted(asked) == list(range(1, count + 1))


def test_a_contract_says_when_an_instalment_is_due() -> None:
    assert due_wording("signature").vi == "trong 05 ngày làm việc kể từ ngày ký hợp đồng"
    assert due_wording("acceptance").en == "within 5 working days of the acceptance minutes"


def test_at_the_contracts_rate_an_instalment_is_the_contracts() -> None:
    asked = payment(TERMS, 1, agreed_on=DECEMBER, invoiced_on=DECEMBER)
    assert (asked.net_vnd, asked.vat_vnd, asked.amount_vnd) == (74_000_000, 5_920_000, 79_920_000)
    assert not asked.rate_changed


def test_the_rate_of_the_invoice_date_counts() -> None:
    asked = payment(TERMS, 2, agreed_on=DECEMBER, invoiced_on=JANUARY)
    assert (asked.net_vnd, asked.vat_percent, asked.vat_vnd, asked.amount_vnd) == (
        74_000_000, Decimal(10), 7_400_000, 81_400_000,
    )  # fmt: skip
    assert asked.rate_changed


@pytest.mark.parametrize("agreed", ["0", "5", "10"])
def test_a_rate_that_is_not_the_standard_one_of_its_day_stays(agreed: str) -> None:
    terms = Terms(185_000_000, Decimal(agreed), 5, (Decimal(100),))
    asked = payment(terms, 1, agreed_on=DECEMBER, invoiced_on=JANUARY)
    assert (asked.vat_percent, asked.rate_changed) == (Decimal(agreed), False)


def _shares(cuts: set[int]) -> list[int]:
    edges = [0, *sorted(cuts), 100]
    return [after - before for before, after in pairwise(edges)]


PERCENTS = st.sets(st.integers(1, 99), max_size=11).map(_shares)


@given(net=st.integers(1, LARGEST_VND), percents=PERCENTS, vat=st.sampled_from(["0", "5", "8", "10"]),
       invoiced=st.sampled_from([DECEMBER, JANUARY]))  # fmt: skip
def test_instalments_add_up_to_the_dong(net: int, percents: list[int], vat: str, invoiced: date) -> None:
    terms = Terms(net, Decimal(vat), 1, tuple(Decimal(percent) for percent in percents))
    asked = [payment(terms, n, agreed_on=DECEMBER, invoiced_on=invoiced) for n in range(1, len(percents) + 1)]
    assert sum(part.net_vnd for part in asked) == net
    if not asked[0].rate_changed:
        assert [part.amount_vnd for part in asked] == [amount for _, amount in terms.instalments]
        assert sum(part.amount_vnd for part in asked) == terms.gross_vnd

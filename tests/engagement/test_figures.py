"""Numbers as clients write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engagement.figures import figure
from include.engagement.money import format_vnd


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1.450.000.000", "1450000000"), ("12,5", "12.5"), ("1.450", "1450"), ("1.450.000,50", "1450000.5"),
        ("1,450,000,000", "1450000000"), ("12.5", "12.5"), (" 1 450 000 ", "1450000"), ("1.450.000 đồng", "1450000"),
        ("1.450.000 VND", "1450000"), ("12.000 ₫", "12000"), ("12,5 tỷ", "12500000000"),
        ("300 triệu đồng", "300000000"),
        ("-5", "-5"), (36, "36"), (36.0, "36"), ("0", "0"),
    ],
)  # fmt: skip
def test_a_written_number_is_read(written, number):
    assert figure(written) == Decimal(number)


@pytest.mark.parametrize(
    "written",
    ["", "nhiều", "12 cái", "1.2.3", "1,2,3", "12..5", True, None, [1], float("nan"), float("inf"), "NaN", "1e9", "²",
     "5" * 61, "=1+1"],
)  # fmt: skip
def test_what_is_no_number_is_none(written):
    assert figure(written) is None


@given(st.integers(-(10**15), 10**15))
def test_what_documents_print_is_read_back(number):
    assert figure(format_vnd(number)) == number


@given(st.text())
def test_no_text_makes_it_fail(text):
    figure(text)

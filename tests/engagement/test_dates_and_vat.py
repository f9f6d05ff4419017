"""Dates as documents have them, and the VAT rate of a day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from include.engagement.dates import long_date, short_date
from include.engagement.vat import RATES, vat_percent_on


@pytest.mark.parametrize(
    ("day", "vi", "en"),
    [
        (date(2026, 7, 5), "ngày 05 tháng 7 năm 2026", "5 July 2026"),
        (date(2027, 2, 10), "ngày 10 tháng 02 năm 2027", "10 February 2027"),
        (date(2027, 1, 9), "ngày 09 tháng 01 năm 2027", "9 January 2027"),
        (date(2026, 12, 31), "ngày 31 tháng 12 năm 2026", "31 December 2026"),
    ],
)
def test_long_dates_have_zeros_only_where_custom_puts_them(day, vi, en):
    assert (long_date(day, "vi"), long_date(day, "en")) == (vi, en)


def test_short_dates_have_two_digits():
    assert short_date(date(2026, 7, 5)) == "05/07/2026"


@pytest.mark.parametrize(("day", "percent"), [(date(2026, 12, 31), 8), (date(2027, 1, 1), 10), (date(2023, 6, 30), 10)])
def test_the_rate_is_that_of_the_day(day, percent):
    assert vat_percent_on(day) == Decimal(percent)


def test_rates_stand_in_order():
    assert [rate.since for rate in RATES] == sorted(rate.since for rate in RATES)


def test_a_day_before_the_first_row_has_no_rate():
    with pytest.raises(ValueError):
        vat_percent_on(date(2022, 12, 31))

"""Contradictions: what two places say differently is asked about, what only looks different is not."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.engagement.contradictions import PAIRS, Contradiction, contradictions
from include.engagement.process import INFORMATION_ITEMS

TODAY = date(2026, 12, 1)
NAME = "Công ty TNHH Cà phê Ban Mê Sớm"


def form(**finance: Any) -> dict[str, Any]:
    return {"client": {"name": NAME, "tax_code": "6001234562"},
            "finance": {"employees": 34, "project_vnd": 12_500_000_000, "charter_capital_vnd": 5_000_000_000,
                        "investment_vnd": 8_200_000_000, **finance}}  # fmt: skip


def found(answers: dict[str, Any], **finance: Any) -> list[Contradiction]:
    return contradictions(form(**finance), answers, today=TODAY)


def codes(answers: dict[str, Any], **finance: Any) -> list[str]:
    return [each.code for each in found(answers, **finance)]


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"registered_capital_vnd": 2_000_000_000}, "charter_capital"),
        ({"charter_capital": "2 tỷ"}, "charter_capital"),
        ({"registered_tax_code": "0109876500"}, "tax_code"),
        ({"registered_tax_code": "6001234562-001"}, "tax_code"),
        ({"registered_name": "Công ty Cổ phần Cà phê Ban Mê Sớm"}, "company_name"),
        ({"registered_name": "Công ty TNHH Cà phê Ban Mê Sơm"}, "company_name"),
        ({"employees": 340}, "employees"),
        ({"loan_vnd": 13_000_000_000}, "loan_above_project"),
        ({"loan_vnd": 6_000_000_000, "equity_vnd": 1_000_000_000}, "financing_total"),
        ({"shareholders": "Ông A 60 %, bà B 30%"}, "shares_total"),
        ({"shareholders": "A 60,5%; B 50%; tổng 100%"}, "shares_total"),
        ({"founded_year": "2027"}, "year_ahead"),
        ({"founded_year": "12/05/2025", "last_full_year": "2024"}, "years_out_of_order"),
        ({"revenue_vnd": -5}, "negative_amount"),
    ],
)
def test_what_cannot_both_hold_is_found(answers: dict[str, Any], code: str) -> None:
    assert codes(answers) == [code]


@pytest.mark.parametrize(
    "answers",
    [
        {"registered_capital_vnd": 5_000_000_000},
        {"charter_capital": "5 tỷ đồng"},
        {"registered_tax_code": "600 123 4562"},
        {"registered_tax_code": 6001234562},
        {"registered_name": "CTY TNHH CÀ PHÊ BAN MÊ SỚM"},
        {"registered_name": "Công ty Trách nhiệm hữu hạn Cà phê Ban Mê Sớm"},
        {"registered_name": unicodedata.normalize("NFD", NAME)},
        {"registered_name": "cong ty tnhh ca phe ban me som"},
        {"loan_vnd": 6_000_000_000},
        {"loan_vnd": 8_000_000_000, "equity_vnd": 4_500_000_000},
        {"loan_vnd": 6_000_000_000, "equity_vnd": 2_200_000_000},
        {"shareholders": "Ông A 66,7%; bà B 33,3%"},
        {"shareholders": "A 60%, B 40%, cộng 100%"},
        {"shareholders": "Ông A giữ 60%, còn lại là gia đình"},
        {"founded_year": "2015", "last_full_year": "2025"},
        {"registered_capital_vnd": "không rõ", "registered_tax_code": "chưa có", "registered_name": " "},
    ],
)
def test_what_only_looks_different_is_not_asked_about(answers: dict[str, Any]) -> None:
    assert codes(answers) == []


@pytest.mark.parametrize(
    ("first", "second"), [("Công ty CP Hoà Phát", "Công ty Cổ phần Hòa Phát"), ("DNTN Tân & Phát", "DNTN Tân và Phát")]
)
def test_a_name_spelt_another_way_is_the_same_name(first: str, second: str) -> None:
    assert not contradictions({"client": {"name": first}}, {"registered_name": second}, today=TODAY)


def test_both_values_and_both_places_stand_in_the_question() -> None:
    (contradiction,) = found({"registered_capital_vnd": 2_000_000_000})
    for words in ("phiếu tiếp nhận ghi 5.000.000.000 đồng", "phần trả lời ghi 2.000.000.000 đồng", "vui lòng"):
        assert words in contradiction.text.vi
    assert "VND 5,000,000,000" in contradiction.text.en and "VND 2,000,000,000" in contradiction.text.en
    assert [each.key for each in contradiction.evidence] == ["finance.charter_capital_vnd", "registered_capital_vnd"]
    assert "5" not in contradiction.label.vi


def test_a_figure_in_thousands_is_asked_about_as_such() -> None:
    (contradiction,) = found({"registered_capital_vnd": 5_000_000})
    assert "nghìn đồng" in contradiction.text.vi


def test_the_same_contradiction_keeps_its_key_and_another_value_has_another() -> None:
    key = found({"registered_capital_vnd": 2})[0].key
    assert found({"registered_capital_vnd": "2"})[0].key == key != found({"registered_capital_vnd": 3})[0].key


def test_every_row_of_the_questionnaire_that_is_compared_is_asked_for() -> None:
    asked = {item.key for item in INFORMATION_ITEMS}
    compared = {"registered_name", "registered_tax_code", "registered_capital_vnd", "founded_year", "last_full_year",
                "equity_vnd", "loan_vnd", "shareholders"}  # fmt: skip
    assert compared <= asked


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_the_question_takes_no_side(first: int, second: int) -> None:
    one = contradictions(
        {"finance": {"charter_capital_vnd": first}}, {"registered_capital_vnd": second}, today=TODAY)  # fmt: skip
    other = contradictions(
        {"finance": {"charter_capital_vnd": second}}, {"registered_capital_vnd": first}, today=TODAY)  # fmt: skip
    assert bool(one) == bool(other) == (first != second)
    for here, there in zip(one, other, strict=True):
        a, b = (each.said.vi for each in here.evidence)
        assert here.text.vi.replace(a, "\0").replace(b, a).replace("\0", b) == there.text.vi or a in b or b in a


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text() | st.binary()
    | st.sampled_from(["60% 70%", "1e999", "NaN", "९%", "\ud800", "²", "٣٤", "-1 tỷ", "9" * 500]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
KEYS = sorted({key for pair in PAIRS for key in pair.answers} | {item.key for item in INFORMATION_ITEMS})


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES), st.dictionaries(st.sampled_from(["client", "finance"]), VALUES),
       VALUES)  # fmt: skip
def test_no_value_of_a_client_makes_it_raise(answers: dict[str, Any], blocks: dict[str, Any], value: Any) -> None:
    contradictions(blocks, answers, today=TODAY)
    pairs = contradictions(form(charter_capital_vnd=value, employees=value), answers, today=TODAY)
    for each in pairs:
        assert each.key and each.text.vi and each.text.en and each.evidence and "\n" not in each.text.vi

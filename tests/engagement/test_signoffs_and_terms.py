"""What a sign-off must say to count, and the terms of a quote."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engagement.errors import InvalidSignOff
from include.engagement.process import CRITERIA, SIGN_OFFS
from include.engagement.signoffs import check_sign_off, parse_reasons
from include.engagement.terms import Terms, make_terms

POINTS = {criterion.key: 8 for criterion in CRITERIA}


@pytest.mark.parametrize(
    ("gate", "decision"),
    [(gate.key, decision) for gate in SIGN_OFFS.values() for decision in gate.reason_for],
)
def test_a_decision_that_needs_a_reason_is_refused_without(gate, decision):
    for reason in (None, "", " \n"):
        with pytest.raises(InvalidSignOff):
            check_sign_off(SIGN_OFFS[gate], decision, {"reason": reason})
    assert check_sign_off(SIGN_OFFS[gate], decision, {"reason": " vì "})["reason"] == "vì"


@pytest.mark.parametrize("gate", SIGN_OFFS.values(), ids=SIGN_OFFS)
def test_a_cleaned_form_has_every_field_and_is_json(gate):
    decision = next(d for d in reversed(gate.options) if d not in gate.reason_for)
    cleaned = check_sign_off(gate, decision, {**POINTS, "surprise": 1})
    assert set(cleaned) == {entry.key for entry in gate.entries}
    json.dumps(cleaned)


def test_an_unknown_decision_is_refused():
    with pytest.raises(InvalidSignOff):
        check_sign_off(SIGN_OFFS["decision"], "perhaps", {})


@pytest.mark.parametrize(
    "spoilt", [{"market": None}, {"market": 11}, {"market": -1}, {"market": "tốt"}, {"market": True}]
)
def test_a_scorecard_needs_every_criterion_within_its_points(spoilt):
    with pytest.raises(InvalidSignOff):
        check_sign_off(SIGN_OFFS["scorecard"], "submit", {**POINTS, **spoilt})


def test_an_absent_member_gives_no_points():
    cleaned = check_sign_off(SIGN_OFFS["scorecard"], "absent", {**POINTS, "comment": "đi công tác"})
    assert all(cleaned[key] is None for key in POINTS)


def test_half_points_written_with_a_comma_count():
    assert check_sign_off(SIGN_OFFS["scorecard"], "submit", {**POINTS, "market": "7,5"})["market"] == 7.5


@pytest.mark.parametrize("days", [None, "", 0, -1, 1.5, "vài"])
def test_granting_days_needs_a_whole_number_of_them(days):
    with pytest.raises(InvalidSignOff):
        check_sign_off(SIGN_OFFS["reserve_exhausted"], "grant_days", {"days": days})


def test_a_termination_needs_no_days():
    assert check_sign_off(SIGN_OFFS["reserve_exhausted"], "terminate", {})["days"] is None


@pytest.mark.parametrize("at", ["mai", "2026-12-03", "2026-13-03 09:00", "03/12/2026 09:00"])
def test_a_meeting_time_that_cannot_be_read_is_refused(at):
    with pytest.raises(InvalidSignOff):
        check_sign_off(SIGN_OFFS["first_meeting"], "yes", {"meeting_at": at})


def test_a_meeting_time_is_optional_and_normalised():
    gate = SIGN_OFFS["first_meeting"]
    assert check_sign_off(gate, "yes", {})["meeting_at"] == ""
    assert check_sign_off(gate, "yes", {"meeting_at": "2026-12-03T09:00:00"})["meeting_at"] == "2026-12-03 09:00"


def test_a_quote_without_reserve_is_refused_by_its_form():
    with pytest.raises(InvalidSignOff):
        check_sign_off(SIGN_OFFS["quote"], "send", {"net_vnd": 1, "reserve_days": 0})


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("strategy: quá ngắn", {"strategy": "quá ngắn"}),
        ("- Vốn điều lệ: khai 20 tỷ, đăng ký 2 tỷ", {"charter_capital_vnd": "khai 20 tỷ, đăng ký 2 tỷ"}),
        ("BÁO CÁO TÀI CHÍNH: không khớp tờ khai", {"financial_statements": "không khớp tờ khai"}),
        ("charter_capital: a\nfinancial_statements: b", {"charter_capital": "a", "financial_statements": "b"}),
        ("strategy: a\nstrategy: b", {"strategy": "a; b"}),
        ("Số liệu không thống nhất\nvà thiếu", {"": "Số liệu không thống nhất và thiếu"}),
        ("Hẹn lúc 9:30 không đến", {"": "Hẹn lúc 9:30 không đến"}),
        ("xem https://a.example", {"": "xem https://a.example"}),
        ("strategy:", {"": "strategy:"}),
        (" \n", {}),
    ],
)
def test_lines_of_reasons_find_their_items(text, reasons):
    assert parse_reasons(text) == reasons


@given(st.text())
def test_no_words_of_a_reason_are_lost_to_an_error(text):
    parse_reasons(text)


QUOTE = {"net_vnd": 185_000_000, "vat_percent": 8, "reserve_days": 5, "instalments_percent": "40, 40, 20"}
FIRST = Terms(185_000_000, Decimal(8), 5, (Decimal(40), Decimal(40), Decimal(20)))


def test_a_quotes_form_makes_terms():
    assert make_terms(QUOTE, None) == FIRST
    assert (FIRST.vat_vnd, FIRST.gross_vnd) == (14_800_000, 199_800_000)
    assert FIRST.instalments == [(Decimal(40), 79_920_000), (Decimal(40), 79_920_000), (Decimal(20), 39_960_000)]


def test_an_empty_field_keeps_the_previous_quotes():
    empty = {"net_vnd": 178_000_000, "vat_percent": None, "reserve_days": "", "instalments_percent": " "}
    assert make_terms(empty, FIRST) == Terms(178_000_000, FIRST.vat_percent, 5, FIRST.instalments_percent)


@pytest.mark.parametrize(
    "written", ["30,30,25,15", [30, 30, 25, 15], "30/30/25/15", "30 % + 30 % + 25 % + 15 %", "30; 30; 25; 15"]
)
def test_instalments_are_read_however_written(written):
    assert make_terms({"instalments_percent": written}, FIRST).instalments_percent == tuple(
        map(Decimal, (30, 30, 25, 15))
    )


@pytest.mark.parametrize(
    "spoilt",
    [{"reserve_days": 0}, {"reserve_days": None}, {"reserve_days": 1.5}, {"net_vnd": 0}, {"net_vnd": None},
     {"net_vnd": 1.5}, {"vat_percent": None}, {"vat_percent": 101}, {"vat_percent": -1}, {"instalments_percent": ""},
     {"instalments_percent": "40, 40"}, {"instalments_percent": "40, 40, 21"}, {"instalments_percent": "100, 0"},
     {"instalments_percent": "150, -50"}, {"instalments_percent": "một nửa"}, {"instalments_percent": ["NaN"]},
     {"instalments_percent": 100}, {"net_vnd": "nhiều"}],
)  # fmt: skip
def test_incomplete_or_impossible_terms_are_refused(spoilt):
    with pytest.raises(InvalidSignOff):
        make_terms({**QUOTE, **spoilt}, None)


def test_a_refusal_without_reserve_cites_the_rule():
    with pytest.raises(InvalidSignOff, match="bước 3"):
        make_terms({**QUOTE, "reserve_days": None}, None)


PERCENTS = st.lists(st.integers(1, 60), min_size=1, max_size=6).map(
    lambda parts: tuple(Decimal(p) for p in (*parts, 400 - sum(parts))) if sum(parts) < 400 else (Decimal(400),)
).map(lambda parts: tuple(part / 4 for part in parts))  # fmt: skip


@given(
    st.integers(1, 10**12), st.sampled_from([Decimal(0), Decimal(5), Decimal(8), Decimal(10), Decimal("8.5")]), PERCENTS
)
def test_instalments_add_up_to_the_dong(net, vat, percents):
    terms = Terms(net, vat, 1, percents)
    amounts = [amount for _, amount in terms.instalments]
    assert sum(amounts) == terms.gross_vnd
    assert all(
        abs(amount - terms.gross_vnd * percent / 100) <= 1 for amount, percent in zip(amounts, percents, strict=True)
    )


@given(st.integers(1, 10**12), PERCENTS)
def test_terms_survive_json(net, percents):
    terms = Terms(net, Decimal("8.5"), 3, percents)
    assert Terms.from_json({**json.loads(json.dumps(terms.to_json())), "version": 2}) == terms

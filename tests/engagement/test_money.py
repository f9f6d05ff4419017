"""Amounts in words and figures, against an independent implementation and as properties."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engagement import money

VECTORS = json.loads(Path(__file__).with_name("amounts_vi.json").read_text(encoding="utf-8"))["vectors"]
ODD_WORDS = {"mốt": "một", "tư": "bốn", "lăm": "năm"}


@pytest.mark.parametrize(("number", "words"), VECTORS)
def test_vietnamese_words_agree_with_an_independent_implementation(number, words):
    assert money.number_in_words(int(number), billion="tỉ") == words


def read_back(words: str) -> int:
    """Read Vietnamese words into the number: an own, other way round."""
    sign = -1 if words.startswith("âm ") else 1
    total, below_billion, group, digit = 0, 0, 0, 0
    for word in words.removeprefix("âm ").split():
        word = ODD_WORDS.get(word, word)
        if word in money.DIGITS:
            digit = money.DIGITS.index(word)
        elif word == "trăm":
            group, digit = digit * 100, 0
        elif word == "mươi":
            group, digit = group + digit * 10, 0
        elif word == "mười":
            group, digit = group + 10, 0
        elif word in ("nghìn", "triệu"):
            below_billion += (group + digit) * (1000 if word == "nghìn" else 10**6)
            group, digit = 0, 0
        elif word == "tỷ":
            total += (below_billion + group + digit) * 10**9
            below_billion, group, digit = 0, 0, 0
        else:
            assert word == "lẻ", word
    return sign * (total + below_billion + group + digit)


@given(st.integers(-(10**15), 10**15))
def test_words_read_back_give_the_number(number):
    assert read_back(money.number_in_words(number)) == number


@given(st.integers(0, 10**15))
def test_spellings_differ_in_their_word_only(number):
    plain = money.number_in_words(number).split()
    other = money.number_in_words(number, odd="linh", billion="tỉ").split()
    assert [{"linh": "lẻ", "tỉ": "tỷ"}.get(word, word) for word in other] == plain


@given(st.integers(-(10**15), 10**15))
def test_separators_group_by_three_and_lose_nothing(number):
    text = money.format_vnd(number)
    assert int(text.replace(".", "")) == number
    assert all(len(group) == 3 for group in text.lstrip("-").split(".")[1:])


@pytest.mark.parametrize(
    ("number", "options", "words"),
    [
        (185_000_000, {}, "Một trăm tám mươi lăm triệu đồng"),
        (185_000_000, {"exact": True}, "Một trăm tám mươi lăm triệu đồng chẵn"),
        (1_000_000_005, {"odd": "linh", "billion": "tỉ"}, "Một tỉ không trăm linh năm đồng"),
        (0, {}, "Không đồng"),
        (-5, {}, "Âm năm đồng"),
    ],
)
def test_an_amount_is_spelt_as_contracts_have_it(number, options, words):
    assert money.amount_in_words(number, "vi", **options) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "Zero Vietnamese dong"),
        (21, "Twenty-one Vietnamese dong"),
        (105, "One hundred and five Vietnamese dong"),
        (1_000_015, "One million and fifteen Vietnamese dong"),
        (199_800_000, "One hundred and ninety-nine million eight hundred thousand Vietnamese dong"),
        (10**15, "One quadrillion Vietnamese dong"),
        (-40, "Minus forty Vietnamese dong"),
    ],
)
def test_an_amount_is_spelt_in_english(number, words):
    assert money.amount_in_words(number, "en") == words


def test_numbers_too_large_for_words_are_refused():
    with pytest.raises(ValueError):
        money.amount_in_words(10**18, "vi")
    with pytest.raises(ValueError):
        money.amount_in_words(-(10**18), "en")

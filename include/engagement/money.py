"""Amounts in VND: with separators, and in words as contracts and invoices have them."""

from __future__ import annotations

from typing import Literal

from include.engagement.process import Language

DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
ENGLISH_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
ENGLISH_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ENGLISH_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
LARGEST = 10**18 - 1

Odd = Literal["lẻ", "linh"]
Billion = Literal["tỷ", "tỉ"]


def format_vnd(n: int, language: Language = "vi") -> str:
    """Return an amount with the language's separators, without a unit: ``185.000.000``, ``185,000,000``."""
    return f"{n:,}".replace(",", ".") if language == "vi" else f"{n:,}"


def with_unit(n: int, language: Language) -> str:
    """Return an amount with its unit: ``185.000.000 đồng``, ``VND 185,000,000``."""
    return f"{format_vnd(n)} đồng" if language == "vi" else f"VND {format_vnd(n, language)}"


def amount_in_words(
    n: int, language: Language, *, odd: Odd = "lẻ", billion: Billion = "tỷ", exact: bool = False
) -> str:
    """Return an amount of VND in words with its unit, beginning with a capital letter.

    ``odd`` and ``billion`` choose the Vietnamese spelling; ``exact`` adds “chẵn” (“only”), which says that nothing
    follows. Raises ValueError beyond ±(10^18 − 1).
    """
    if language == "vi":
        words = f"{number_in_words(n, odd=odd, billion=billion)} đồng" + (" chẵn" if exact else "")
    else:
        words = f"{number_in_english(n)} Vietnamese dong" + (" only" if exact else "")
    return words[0].upper() + words[1:]


def _checked(n: int) -> None:
    if abs(n) > LARGEST:
        raise ValueError(f"no words for {n}: beyond ±{LARGEST}")


def number_in_words(n: int, *, odd: Odd = "lẻ", billion: Billion = "tỷ") -> str:
    """Return a whole number in Vietnamese words, lower case. Raises ValueError beyond ±(10^18 − 1)."""
    _checked(n)
    if n < 0:
        return f"âm {number_in_words(-n, odd=odd, billion=billion)}"
    if n == 0:
        return DIGITS[0]
    high, low = divmod(n, 10**9)
    words = [*_below_billion(high, False, odd), billion] if high else []
    return " ".join([*words, *_below_billion(low, bool(high), odd)])


def _below_billion(n: int, continued: bool, odd: Odd) -> list[str]:
    """Words for 0 ≤ n < 10^9, nothing for 0; ``continued``: something larger was said before."""
    words: list[str] = []
    for scale, name in ((10**6, "triệu"), (10**3, "nghìn"), (1, "")):
        group = n // scale % 1000
        if group:
            words += _group(group, continued or bool(words), odd)
            words += [name] if name else []
    return words


def _group(n: int, continued: bool, odd: Odd) -> list[str]:
    hundreds, rest = divmod(n, 100)
    tens, units = divmod(rest, 10)
    words = [DIGITS[hundreds], "trăm"] if hundreds or continued else []
    if tens == 0:
        if units:
            words += [odd, DIGITS[units]] if words else [DIGITS[units]]
        return words
    words += ["mười"] if tens == 1 else [DIGITS[tens], "mươi"]
    if units == 1 and tens > 1:
        words.append("mốt")
    elif units == 4 and tens > 1:
        words.append("tư")
    elif units == 5:
        words.append("lăm")
    elif units:
        words.append(DIGITS[units])
    return words


def number_in_english(n: int) -> str:
    """Return a whole number in English words, lower case. Raises ValueError beyond ±(10^18 − 1)."""
    _checked(n)
    if n < 0:
        return f"minus {number_in_english(-n)}"
    if n < 20:
        return ENGLISH_SMALL[n]
    if n < 100:
        tens, units = divmod(n, 10)
        return ENGLISH_TENS[tens] + (f"-{ENGLISH_SMALL[units]}" if units else "")
    if n < 1000:
        hundreds, rest = divmod(n, 100)
        return f"{ENGLISH_SMALL[hundreds]} hundred" + (f" and {number_in_english(rest)}" if rest else "")
    words: list[str] = []
    for power in range(len(ENGLISH_SCALES) - 1, -1, -1):
        group = n // 1000**power % 1000
        if not group:
            continue
        if power == 0 and group < 100 and words:
            words.append("and")
        words.append(number_in_english(group))
        if power:
            words.append(ENGLISH_SCALES[power])
    return " ".join(words)

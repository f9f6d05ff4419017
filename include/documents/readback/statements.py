"""What a text states, found by its form: amounts, dates, tax codes, numbers of documents, names of companies.

Amounts are kept as digits without separators, so that “185.000.000” and “185,000,000” are one amount; dates as days.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from include.documents.readback.lines import lines_of, plain
from include.engagement import process
from include.engagement.dates import MONTHS
from include.engagement.money import DIGITS, ENGLISH_SCALES, ENGLISH_SMALL, ENGLISH_TENS

_UNIT = r"(?:đồng|đ|₫|VND|VNĐ|dong)\b"
_FIGURE = r"\d+(?:[.,]\d+)*"
_GROUPED = re.compile(r"(?<![\w.,/])\d{1,3}(?:[.,]\d{3})+(?![\w/])(?![.,]\d)")
_WITH_UNIT = re.compile(rf"(?<![\w.,/])({_FIGURE}(?: \d{{3}})*) ?{_UNIT}|\bVN[DĐ] ({_FIGURE})", re.IGNORECASE)
_SCALED = re.compile(rf"(?<![\w.,/])({_FIGURE}) ?(nghìn|ngàn|triệu|tỷ|tỉ|thousand|million|billion|trillion)\b", re.I)
_ANY_FIGURE = re.compile(rf"{_FIGURE}(?: \d{{3}})*")
_LONG_VI = re.compile(r"ngày (\d{1,2}) tháng (\d{1,2}) năm (\d{4})", re.IGNORECASE)
_LONG_EN = re.compile(rf"\b(\d{{1,2}}) ({'|'.join(MONTHS)}) (\d{{4}})", re.IGNORECASE)
_SHORT = re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4})(?![\d/])")
_TAX_CODE = re.compile(r"(?<![\w.,-])\d{10}(?:-\d{3})?(?![\w-])(?![.,]\d)")
_NUMBER = re.compile(rf"(?<![\w/])\d+/\d{{4}}/(?:{'|'.join(sorted(process.NUMBER_KINDS))})-\w+")
_VAT = re.compile(
    rf"(?:giá trị gia tăng|GTGT|value added tax|VAT)\b[^|%.;]{{0,40}}?(?<![\w.,])({_FIGURE}) ?%", re.IGNORECASE
)
_COMPANY_VI = re.compile(r"\bcông ty (?:tnhh|cổ phần|cp|hợp danh|trách nhiệm hữu hạn)\b", re.IGNORECASE)
_COMPANY_EN = re.compile(r"\b(?:co\.?, ?ltd|joint[- ]stock company|company limited|jsc|llc)\b", re.IGNORECASE)
_NUMERALS_VI = "|".join(sorted(
    {*DIGITS, "mười", "mươi", "mốt", "tư", "lăm", "trăm", "nghìn", "ngàn", "triệu", "tỷ", "tỉ", "lẻ", "linh", "âm"},
    key=len, reverse=True))  # fmt: skip
_NUMERALS_EN = "|".join(sorted(
    {*ENGLISH_SMALL, *ENGLISH_TENS, *ENGLISH_SCALES, "hundred", "and", "minus"} - {""}, key=len, reverse=True
))  # fmt: skip
_WORDS = re.compile(
    rf"\b(?:(?:{_NUMERALS_VI}) ){{2,}}đồng(?: chẵn)?|\b(?:(?:{_NUMERALS_EN})[ -]){{2,}}Vietnamese dong(?: only)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Statements:
    """A text, line by line, and what stands in it."""

    lines: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        """The whole, on one line."""
        return " ".join(self.lines)

    @cached_property
    def folded(self) -> str:
        """The whole, whatever the case."""
        return self.text.casefold()

    @cached_property
    def amounts(self) -> dict[str, str]:
        """Amounts as they are written, by their digits."""
        return {digits: shown for line in self.lines for digits, shown in amounts_in(line)}

    @cached_property
    def figures(self) -> frozenset[str]:
        """The digits of every figure, amount or not."""
        return frozenset(digits_of(found) for line in self.lines for found in _ANY_FIGURE.findall(line))

    @cached_property
    def dates(self) -> dict[date, str]:
        """Days, long and short, as they are written."""
        return dates_in(self.lines)

    @cached_property
    def tax_codes(self) -> frozenset[str]:
        """Figures of ten digits, or of ten and three, as tax codes are."""
        return frozenset(found for line in self.lines for found in _TAX_CODE.findall(line))

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Numbers of the firm's documents: ``12/2026/HĐ-KHV``; those of laws are not among them."""
        return frozenset(found for line in self.lines for found in _NUMBER.findall(line))

    @cached_property
    def vat_percents(self) -> frozenset[str]:
        """Rates of VAT in percent, with a point before decimals."""
        return frozenset(found.replace(",", ".") for line in self.lines for found in _VAT.findall(line))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Amounts in words."""
        return tuple(found for line in self.lines for found in _WORDS.findall(line))

    def said(self, phrase: str) -> bool:
        """Say whether a phrase stands in the text, whatever its case."""
        wanted = plain(phrase)
        return wanted.casefold() in self.folded or wanted.upper().casefold() in self.folded

    def companies_beyond(self, names: Iterable[str]) -> list[str]:
        """Return the companies named in the text, by their legal forms, that are none of ``names``."""
        own = [plain(name).casefold() for name in names]
        beyond = []
        for line in self.lines:
            folded = line.casefold()
            beyond += [
                line[found.start() : found.start() + 60]
                for found in _COMPANY_VI.finditer(folded)
                if not any(_covers(folded, name, found.start(), found.end()) for name in own)
            ]
            beyond += [
                line[max(0, found.start() - 50) : found.end()]
                for found in _COMPANY_EN.finditer(folded)
                if not any(_covers(folded, name, found.start(), found.end()) for name in own)
            ]
        return beyond


def _covers(line: str, name: str, start: int, end: int) -> bool:
    at = line.find(name, max(0, end - len(name)))
    return bool(name) and -1 < at <= start and end <= at + len(name)


def amounts_in(line: str) -> list[tuple[str, str]]:
    """Return the amounts of a line, in order: digits (with the scale where one is written), and as written."""
    found = [(match.start(), digits_of(match.group()), match.group()) for match in _GROUPED.finditer(line)]
    found += [
        (match.start(), digits_of(match.group(1) or match.group(2)), match.group())
        for match in _WITH_UNIT.finditer(line)
    ]
    found += [
        (match.start(), f"{digits_of(match.group(1))} {match.group(2).casefold()}", match.group())
        for match in _SCALED.finditer(line)
    ]
    return [(digits, shown) for _, digits, shown in sorted(found)]


def dates_in(lines: Iterable[str]) -> dict[date, str]:
    """Return the days that stand in ``lines``, as they are written; what no calendar has is left aside."""
    found: dict[date, str] = {}
    for line in lines:
        for pattern in (_LONG_VI, _LONG_EN, _SHORT):
            for match in pattern.finditer(line):
                day, month, year = match.groups()
                number = int(month) if month.isdigit() else [m.casefold() for m in MONTHS].index(month.casefold()) + 1
                try:
                    found[date(int(year), number, int(day))] = match.group()
                except ValueError:
                    continue
    return found


def words_in(line: str) -> list[re.Match[str]]:
    """Return the amounts in words of a line."""
    return list(_WORDS.finditer(line))


def digits_of(figure: str) -> str:
    """Return a figure without separators."""
    return "".join(character for character in figure if character.isdigit())


_READ: OrderedDict[tuple[str, str], Statements | None] = OrderedDict()
_MOST_KEPT = 64


def read_statements(data: bytes, *, extension: str, sha256: str) -> Statements | None:
    """Return what a finished file states; None for a kind that is not read. Read once per ``sha256`` and process."""
    key = (sha256, extension)
    if key not in _READ:
        lines = lines_of(data, extension=extension)
        _READ[key] = None if lines is None else Statements(lines)
        while len(_READ) > _MOST_KEPT:
            _READ.popitem(last=False)
    return _READ[key]

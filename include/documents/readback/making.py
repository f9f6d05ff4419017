"""A document just made, held against the facts that it was made from.

Whatever it states must come from the facts: a price, a rate, a tax code, a number or a company that somebody typed
into a template is a difference. And it must state what a reader needs of it (``STATES``), in its right form.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from include.documents.readback.lines import lines_of, plain
from include.documents.readback.statements import Statements, amounts_in, read_statements, words_in
from include.engagement import process
from include.engagement.errors import FactsDiffer
from include.engagement.money import amount_in_words
from include.engagement.process import Language

_PRICE = ("terms.net_vnd", "terms.vat_percent", "terms.vat_vnd", "terms.gross_vnd", "terms.instalments")
_CONTRACT = ("contract.number", "contract.day")
_PARTIES = ("client.name", "client.tax_code", "client.representative.name", "firm.name", "firm.tax_code",
            "firm.representative.name")  # fmt: skip
_LETTER = ("number", "day", "client.name", "firm.representative.name")

# What a document must state, if it is known: facts by their paths. Every other document must name the client.
STATES: dict[str, tuple[str, ...]] = {
    "information_letter": _LETTER,
    "refusal_letter": _LETTER,
    "decline_letter": _LETTER,
    "termination_letter": (*_LETTER, *_CONTRACT),
    "quote": (*_LETTER, *_PRICE, "terms.reserve_days"),
    "contract": ("number", *_PARTIES, *_PRICE, "terms.reserve_days", "promised"),
    "contract_appendix": ("number", *_PARTIES, *_PRICE, *_CONTRACT, "terms.reserve_days", "promised"),
    "extension_appendix": ("number", *_PARTIES, *_CONTRACT, "promised"),
    "payment_request": (*_LETTER, *_CONTRACT, "instalment.amount_vnd", "firm.bank.account"),
    "handover_minutes": ("number", *_PARTIES, *_CONTRACT),
    "acceptance_minutes": ("number", "day", *_PARTIES, *_CONTRACT),
    "liquidation_minutes": ("number", "day", *_PARTIES, *_CONTRACT, *_PRICE),
    "monitoring_report": _LETTER,
}
_EVERY = ("client.name",)
_MOST_DIGITS = 18
_NEAR = 4  # lines with amounts above one with words: a table of the price, its parts and the words
_RESERVE = re.compile(r"dự trù|reserve", re.IGNORECASE)
_IN_WORDS = frozenset(("terms.gross_vnd", "instalment.amount_vnd"))
_LABELS = {
    "number": "số văn bản", "day": "ngày văn bản", "client.name": "tên khách hàng",
    "client.tax_code": "mã số thuế của khách hàng", "client.representative.name": "người đại diện của khách hàng",
    "firm.name": "tên công ty", "firm.tax_code": "mã số thuế của công ty",
    "firm.representative.name": "người đại diện của công ty", "firm.bank.account": "số tài khoản của công ty",
    "terms.net_vnd": "giá trước thuế", "terms.vat_percent": "thuế suất GTGT", "terms.vat_vnd": "tiền thuế GTGT",
    "terms.gross_vnd": "tổng giá trị", "terms.instalments": "các đợt thanh toán",
    "terms.reserve_days": "số ngày dự trù", "contract.number": "số hợp đồng", "contract.day": "ngày ký hợp đồng",
    "promised": "ngày hẹn", "instalment.amount_vnd": "số tiền của đợt thanh toán",
}  # fmt: skip


def check_made(
    key: str, rendered: bytes, *, facts: Mapping[str, Any], language: Language, template: bytes | None
) -> None:
    """Raise FactsDiffer (Vietnamese) if the document ``key`` states what its facts do not, or lacks a key fact.

    ``template``: the Word template it was made from, whose own dates (of laws) may stand; None for a workbook.
    """
    row = process.DOCUMENTS[key]
    stated = read_statements(rendered, extension=row.format, sha256=hashlib.sha256(rendered).hexdigest())
    assert stated is not None
    known = _known(facts)
    differences = [
        *_foreign(stated, known, template=template, computed=row.format == "xlsx"),
        *_wrong_words(stated, known, language),
        *_lacking(stated, facts, STATES.get(key, _EVERY), language),
    ]
    if differences:
        where = f"mẫu templates/documents/{key}.*.docx" if template is not None else "cách lập bảng tính"
        raise FactsDiffer(
            f"Văn bản “{row.title.vi}” không khớp với dữ liệu hồ sơ nên không được dùng:\n"
            + "\n".join(f"– {difference}" for difference in differences)
            + f"\nHãy sửa {where} rồi chạy lại: giá, thuế suất, mã số thuế, số văn bản và tên công ty lấy từ các "
            "trường của mẫu, không gõ thẳng vào."
        )


@dataclass(frozen=True)
class _Known:
    """What may stand in a document: the facts as a text of their own, and the amounts among them."""

    text: Statements
    amounts: frozenset[int]
    days: frozenset[date]
    percents: frozenset[str]


def _known(facts: Mapping[str, Any]) -> _Known:
    # A calendar has many days, which is no reason to state one of them.
    leaves = [(path, value) for path, value in _leaves(facts) if path != "working_days"]
    texts = tuple(dict.fromkeys(text for _, value in leaves if isinstance(value, str) and (text := plain(value))))
    amounts = {value for _, value in leaves if type(value) is int}
    for row in _rows_of_amounts(facts):
        amounts |= {abs(one - other) for one, other in itertools.combinations(row, 2)}
    days = {value.date() if isinstance(value, datetime) else value for _, value in leaves if isinstance(value, date)}
    percents = {
        f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"
        for path, value in leaves
        if path.endswith("vat_percent") and value not in (None, "")
        for number in (Decimal(str(value).replace(",", ".")),)
    }
    said = Statements(texts)
    return _Known(
        text=said,
        amounts=frozenset(amounts),
        days=frozenset(days) | said.dates.keys(),
        percents=frozenset(percents) | said.vat_percents,
    )


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, value


def _rows_of_amounts(value: Any) -> Iterator[list[int]]:
    """The amounts that stand beside each other in one mapping: a template may print their difference."""
    if isinstance(value, Mapping):
        yield [inner for key, inner in value.items() if str(key).endswith("_vnd") and type(inner) is int]
        for inner in value.values():
            yield from _rows_of_amounts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _rows_of_amounts(inner)


def _foreign(stated: Statements, known: _Known, *, template: bytes | None, computed: bool) -> Iterator[str]:
    """What is stated and is no fact. A workbook computes amounts and days of its own."""
    if not computed:
        figures = {str(abs(amount)) for amount in known.amounts} | known.text.figures | known.text.amounts.keys()
        for digits, shown in stated.amounts.items():
            if digits not in figures:
                yield f"số tiền “{shown}” không có trong dữ liệu"
        own = _days_of(template) if template is not None else frozenset()
        for day, shown in stated.dates.items():
            if day not in known.days and day not in own:
                yield f"ngày “{shown}” không có trong dữ liệu"
    for code in sorted(stated.tax_codes - known.text.tax_codes):
        yield f"mã số thuế (hoặc dãy 10 chữ số) “{code}” không có trong dữ liệu"
    for number in sorted(stated.numbers - known.text.numbers):
        yield f"số văn bản “{number}” không có trong dữ liệu"
    for percent in sorted(stated.vat_percents - known.percents):
        yield f"thuế suất GTGT “{percent} %” không có trong dữ liệu"
    for company in stated.companies_beyond(known.text.lines):
        yield f"tên công ty “{company.strip()}” không có trong dữ liệu"


@lru_cache(maxsize=64)
def _days_of(template: bytes) -> frozenset[date]:
    return frozenset(Statements(lines_of(template, extension="docx") or ()).dates)


def _wrong_words(stated: Statements, known: _Known, language: Language) -> Iterator[str]:
    """Amounts in words that are of none of the amounts before them: in their line, else in the nearest lines.

    What somebody wrote himself is not judged.
    """
    nearest: deque[list[tuple[str, str]]] = deque(maxlen=_NEAR)
    for line in stated.lines:
        for words in words_in(line):
            said = words.group().casefold()
            if any(said in text.casefold() and len(said) < len(text) - 1 for text in known.text.lines):
                continue
            here = amounts_in(line[: words.start()]) or [amount for earlier in nearest for amount in earlier]
            if not any(said in _spellings(digits, language) for digits, _ in here):
                shown = here[-1][1] if here else "không có số nào đứng trước"
                yield f"số tiền bằng chữ “{words.group()}” không phải là của số đứng trước ({shown})"
        if amounts := amounts_in(line):
            nearest.append(amounts)


@lru_cache(maxsize=256)
def _spellings(digits: str, language: Language) -> frozenset[str]:
    """The right words for an amount; none for what has no words: millions in short, figures beyond all prices."""
    if not digits.isdigit() or len(digits) > _MOST_DIGITS:
        return frozenset()
    return frozenset(
        amount_in_words(int(digits), language, odd=odd, billion=billion, exact=exact).casefold()
        for odd in ("lẻ", "linh")
        for billion in ("tỷ", "tỉ")
        for exact in (False, True)
    )


def _lacking(
    stated: Statements, facts: Mapping[str, Any], paths: Sequence[str], language: Language
) -> Iterator[str]:
    for path in paths:
        value = _at(facts, path)
        if value in (None, "", []):
            continue
        if path == "terms.instalments":
            total = sum(part["amount_vnd"] for part in value)
            if total != facts["terms"]["gross_vnd"]:
                yield f"các đợt thanh toán cộng lại là {total}, tổng giá trị là {facts['terms']['gross_vnd']}"
            missing = [part["amount_vnd"] for part in value if not _states(stated, "_vnd", part["amount_vnd"])]
            if missing:
                yield f"thiếu {_LABELS[path]}: {missing}"
        elif not _states(stated, path, value):
            yield f"thiếu {_LABELS.get(path, path)}: {value}"
        elif path in _IN_WORDS and not any(stated.said(words) for words in _spellings(str(value), language)):
            yield f"thiếu {_LABELS[path]} bằng chữ: {amount_in_words(value, language)}"


def _states(stated: Statements, path: str, value: Any) -> bool:
    if path.endswith("_vnd"):
        return str(value) in stated.amounts
    if path.endswith("vat_percent"):
        return str(value).replace(",", ".") in stated.vat_percents
    if path.endswith("reserve_days"):
        days = re.compile(rf"(?<![\d.,/]){value}(?![\d.,/])")
        return any(_RESERVE.search(line) and days.search(line) for line in stated.lines)
    if isinstance(value, date):
        return value in stated.dates
    return stated.said(str(value))


def _at(facts: Mapping[str, Any], path: str) -> Any:
    value: Any = facts
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value

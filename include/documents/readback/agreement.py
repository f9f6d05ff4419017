"""What the papers of one engagement must agree on, read from their text by where it stands in them.

The wordings are those of the templates (``templates/documents``); a test holds each to them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from include.documents.readback.lines import plain
from include.documents.readback.statements import Statements, amounts_in, dates_in

CLIENT_FACTS = ("client_name", "client_tax_code", "client_representative")
PRICE_FACTS = ("net", "vat", "vat_percent", "gross")
LABELS = {
    "client_name": "tên khách hàng", "client_tax_code": "mã số thuế của khách hàng",
    "client_representative": "người đại diện của khách hàng", "net": "giá trước thuế", "vat": "tiền thuế GTGT",
    "vat_percent": "thuế suất GTGT", "gross": "tổng giá trị", "contract_number": "số hợp đồng",
    "contract_day": "ngày ký hợp đồng",
}  # fmt: skip

_PARTY_A = re.compile(r"^(?:BÊN A|PARTY A)\b[^:]*: (.+)$")
_PARTY_B = re.compile(r"^(?:BÊN B|PARTY B)\b")
_ADDRESSEE = re.compile(r"(?:^|\| )(?:Kính gửi|To): ([^|]+)$")
_ATTENTION = re.compile(r"^(?:Người nhận|Attention): (.+?)(?: – .*)?$")
_TAX_CODE = re.compile(r"^(?:Mã số thuế|Tax code)\b[ |:]*(\d{10}(?:-\d{3})?)")
_REPRESENTATIVE = re.compile(r"^(?:Đại diện(?: bởi)?|Represented by)\b[ |:]*(.+?)(?: – .*)?$")
_VAT = re.compile(r"^(?:Thuế giá trị gia tăng|Value added tax)\b[^|:]*?(\d+(?:[.,]\d+)?) ?%")
_CONTRACT_PRICE = re.compile(r"^(?:Giá trị Hợp đồng|Contract price) \| ")
_CONTRACT = re.compile(
    r"(?:\b(?:Số|No\.): |\bHợp đồng(?: dịch vụ)? số |\bcontract No\. )(\d+/\d{4}/HĐ-\w+)(?:,? (?:ký|of) ([^|]{0,40}))?",
    re.IGNORECASE,
)
_DOTS = "…"


@dataclass(frozen=True)
class Said:
    """One fact as a paper states it: ``value`` for comparing, ``shown`` as it is written."""

    value: str
    shown: str


def agreed_facts(paper: Statements) -> dict[str, Said]:
    """Return what a Word paper states of ``LABELS``; what it leaves open (dots) or does not mention is missing."""
    found = {**_client(paper.lines), **_price(paper.lines), **_contract(paper.lines)}
    return {fact: said for fact, said in found.items() if said.shown and not said.shown.startswith(_DOTS)}


def _client(lines: tuple[str, ...]) -> dict[str, Said]:
    found: dict[str, Said] = {}
    within = False
    for line in lines:
        if match := _PARTY_A.match(line):
            within = True
            found["client_name"] = as_said(match.group(1))
        elif _PARTY_B.match(line):
            return found
        elif match := _ADDRESSEE.search(line):
            found.setdefault("client_name", as_said(match.group(1)))
        elif match := _ATTENTION.match(line):
            found.setdefault("client_representative", as_said(match.group(1)))
        elif within and (match := _TAX_CODE.match(line)):
            found["client_tax_code"] = as_said(match.group(1))
        elif within and (match := _REPRESENTATIVE.match(line)):
            found["client_representative"] = as_said(match.group(1))
    return found


def _price(lines: tuple[str, ...]) -> dict[str, Said]:
    """The line of the VAT stands between those of the price without and with it."""
    for before, line, after in zip(lines, lines[1:], lines[2:], strict=False):
        match = _VAT.match(line)
        amounts = [amounts_in(text) for text in (before, line, after)]
        if match and all(amounts):
            net, vat, gross = amounts[0][-1], amounts[1][0], amounts[2][0]
            return {"net": Said(*net), "vat": Said(*vat), "gross": Said(*gross),
                    "vat_percent": Said(match.group(1).replace(",", "."), f"{match.group(1)} %")}  # fmt: skip
    for line in lines:
        if _CONTRACT_PRICE.match(line) and (found := amounts_in(line)):
            return {"gross": Said(*found[0])}
    return {}


def _contract(lines: tuple[str, ...]) -> dict[str, Said]:
    found: dict[str, Said] = {}
    for line in lines:
        for match in _CONTRACT.finditer(line):
            number, signed = match.groups()
            found.setdefault("contract_number", Said(number, number))
            for day, shown in dates_in([signed or ""]).items():
                found.setdefault("contract_day", Said(day.isoformat(), shown))
    return found


def as_said(text: str) -> Said:
    """Return a name for comparing: whatever its case, since parties stand in capitals in some papers."""
    shown = plain(text)
    return Said(shown.upper().casefold(), shown)

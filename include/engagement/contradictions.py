"""What a client says in two places, and says differently: found, worded as a question, never as a reproach.

“Inaccurate information gives the firm the right to refuse the service” (PROCESS, stage 2): staff decide that. What is
found here is only that two statements cannot both hold; which one is wrong is for the client to say.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from include.engagement.figures import figure
from include.engagement.money import with_unit
from include.engagement.process import Text
from include.engagement.text import cleaned, folded

Kind = Literal["amount", "count", "tax_code", "name"]
FORM, ANSWER = Text("phiếu tiếp nhận", "the intake form"), Text("phần trả lời", "the answers")
ROUNDED = Decimal("0.005")  # of a total: clients write “12,5 tỷ” for a sum of exact parts
SHARES_ROUNDED = Decimal("0.5")  # percentage points that rounded shares may miss 100 by
LONGEST_SHOWN = 120  # characters of a client's own words in a question
EARLIEST_YEAR = 1900


@dataclass(frozen=True)
class Statement:
    """What one place says: ``where`` people know the place as, ``key`` of an answer or dotted path in the form."""

    key: str
    where: Text
    label: Text
    said: Text

    @property
    def in_form(self) -> bool:
        """Whether it stands in the intake form rather than in an answer."""
        return self.where == FORM


@dataclass(frozen=True)
class Contradiction:
    """Statements that cannot all hold.

    ``items`` are the keys of the answers concerned, ``label`` what it is about (no values: fit for sign-off texts),
    ``text`` the question to the client, ``evidence`` what each place says.
    """

    code: str
    items: tuple[str, ...]
    label: Text
    text: Text
    evidence: tuple[Statement, ...]

    @property
    def key(self) -> str:
        """Equal for the same statements whenever they are found, so that a contradiction is recorded once."""
        said = "\n".join(f"{each.key}={each.said.vi}" for each in self.evidence)
        return f"{self.code}/{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


@dataclass(frozen=True)
class Pair:
    """A fact of the intake form that answers may state too, under any of ``answers``."""

    code: str
    path: str
    answers: tuple[str, ...]
    kind: Kind
    label: Text


PAIRS: tuple[Pair, ...] = (
    Pair("company_name", "client.name", ("registered_name", "company_name"), "name",
         Text("tên công ty", "the company's name")),
    Pair("tax_code", "client.tax_code", ("registered_tax_code", "tax_code"), "tax_code",
         Text("mã số thuế", "the tax code")),
    Pair("charter_capital", "finance.charter_capital_vnd",
         ("registered_capital_vnd", "charter_capital_vnd", "charter_capital"), "amount",
         Text("vốn điều lệ", "the charter capital")),
    Pair("project_size", "finance.project_vnd", ("project_vnd",), "amount",
         Text("quy mô dự án", "the project size")),
    Pair("investment", "finance.investment_vnd", ("investment_vnd",), "amount",
         Text("vốn đầu tư", "the investment capital")),
    Pair("employees", "finance.employees", ("employees",), "count", Text("số lao động", "the number of employees")),
)  # fmt: skip
AMOUNTS: dict[str, Text] = {
    "revenue_vnd": Text("doanh thu", "revenue"), "cost_vnd": Text("chi phí", "costs"),
    "loan_vnd": Text("số tiền vay", "the loan"), "equity_vnd": Text("vốn tự có", "own funds"),
    "registered_capital_vnd": Text("vốn điều lệ", "the charter capital"),
    "charter_capital_vnd": Text("vốn điều lệ", "the charter capital"),
    "project_vnd": Text("quy mô dự án", "the project size"),
    "investment_vnd": Text("vốn đầu tư", "the investment capital"),
}  # fmt: skip


def contradictions(form: Mapping[str, Any], answers: Mapping[str, Any], *, today: date) -> list[Contradiction]:
    """Return what the intake form and the answers (by item key) contradict each other or themselves in.

    What cannot be understood is no contradiction: no value of a client makes this raise.
    """
    return [
        *_different(form, answers),
        *_negative(answers),
        *_financing(form, answers),
        *_shares(answers),
        *_years(answers, today),
    ]


# --- Two places for one fact ----------------------------------------------------------------------------


def _different(form: Mapping[str, Any], answers: Mapping[str, Any]) -> Iterator[Contradiction]:
    for pair in PAIRS:
        known = _at(form, pair.path)
        for key in pair.answers:
            first, second = _meaning(known, pair.kind), _meaning(answers.get(key), pair.kind)
            if first is None or second is None or first == second:
                continue
            if pair.kind == "name" and _same_name(str(known), str(answers[key])):
                continue
            said = _shown(known, pair.kind), _shown(answers[key], pair.kind)
            evidence = (
                Statement(pair.path, FORM, pair.label, said[0]),
                Statement(key, ANSWER, pair.label, said[1]),
            )
            hint = _unit_slip(first, second) if pair.kind == "amount" else Text("", "")
            yield Contradiction(
                pair.code, (key,), pair.label,
                Text(
                    f"Hai nơi ghi khác nhau về {pair.label.vi}: {FORM.vi} ghi {said[0].vi}, {ANSWER.vi} ghi "
                    f"{said[1].vi}.{hint.vi} Quý khách vui lòng cho biết nội dung nào đúng.",
                    f"Two places differ on {pair.label.en}: {FORM.en} say{_s(FORM)} {said[0].en}, {ANSWER.en} "
                    f"say{_s(ANSWER)} {said[1].en}.{hint.en} Please tell us which one is right.",
                ),
                evidence,
            )  # fmt: skip


def _s(place: Text) -> str:
    return "" if place == ANSWER else "s"


def _at(form: Mapping[str, Any], path: str) -> Any:
    value: Any = form
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _meaning(value: Any, kind: Kind) -> Any:
    """Return what a value says, comparable; None where it says nothing that can be compared."""
    if kind in ("amount", "count"):
        return _number(value)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    if isinstance(value, int) and abs(value) >= 10**20:
        return None  # no code, and Python writes none of more than 4 300 digits
    text = _plain(value)
    if kind == "tax_code":
        digits = re.sub(r"[\s.\-–]", "", text)
        # A number cell has no zero in front.
        digits = digits.zfill(10) if isinstance(value, int) and len(digits) == 9 else digits
        return digits if digits.isascii() and digits.isdigit() else None
    return text if folded(text) else None


def _number(value: Any) -> Decimal | None:
    number = figure(value)
    return number if number is not None and number.is_finite() and abs(number) < Decimal(10) ** 18 else None


def _plain(value: Any) -> str:
    """A client's words on one line, whatever they were typed as."""
    return " ".join(cleaned(str(value) if not isinstance(value, int) else f"{value:d}").split())


def _shown(value: Any, kind: Kind) -> Text:
    number = _number(value) if kind in ("amount", "count") else None
    if number is not None and number == number.to_integral_value():
        if kind == "amount":
            return Text(with_unit(int(number), "vi"), with_unit(int(number), "en"))
        return Text(f"{int(number):,}".replace(",", "."), f"{int(number):,}")
    words = _plain(value)
    words = words if len(words) <= LONGEST_SHOWN else words[: LONGEST_SHOWN - 1] + "…"
    return Text(f"“{words}”", f"“{words}”")


def _unit_slip(first: Decimal, second: Decimal) -> Text:
    small, large = sorted((abs(first), abs(second)))
    if small and large in (small * 10**3, small * 10**6):
        return Text(" Có thể một nơi tính bằng nghìn đồng hoặc triệu đồng.",
                    " One of them may be in thousands or millions of dong.")  # fmt: skip
    return Text("", "")


# --- Names of companies ---------------------------------------------------------------------------------

_TONES = "\u0300\u0301\u0303\u0309\u0323"
_SHORTER: tuple[tuple[str, str], ...] = (
    ("cong ty", "cty"), ("c ty", "cty"), ("trach nhiem huu han", "tnhh"), ("mot thanh vien", "mtv"),
    ("hai thanh vien", "2tv"), ("co phan", "cp"), ("doanh nghiep tu nhan", "dntn"), ("thuong mai", "tm"),
    ("dich vu", "dv"), ("san xuat", "sx"), ("xuat nhap khau", "xnk"), ("xay dung", "xd"), ("dau tu", "dt"),
    ("company limited", "co ltd"), ("joint stock company", "jsc"),
)  # fmt: skip
_SHORT = frozenset(short for _, short in _SHORTER)


def _same_name(first: str, second: str) -> bool:
    """Tell whether two spellings name one company.

    Capitals, punctuation, “và” and “&”, usual abbreviations and where a tone mark stands (hoà, hòa) make no
    difference; a name typed without any accents is compared without them.
    """
    plain = [_shortened(folded(name)) for name in (first, second)]
    if plain[0] != plain[1]:
        return False
    accented = [sorted(_accented(name)) for name in (first, second)]
    bare = [all(word == folded(word) for word in words) for words in accented]
    if any(bare):
        return True
    # The words of abbreviations have no accents to compare.
    kept = set(plain[0].split()) - _SHORT
    common = [[word for word in words if folded(word) in kept] for words in accented]
    return common[0] == common[1]


def _shortened(name: str) -> str:
    padded = f" {name} "
    for long, short in _SHORTER:
        padded = padded.replace(f" {long} ", f" {short} ")
    return " ".join(word for word in padded.split() if word not in ("va", "and"))


def _accented(name: str) -> list[str]:
    """The words of a name, each with its tone mark at its end, wherever the writer put it."""
    words: list[str] = []
    for word in re.split(r"[\W_]+", unicodedata.normalize("NFC", name.casefold())):
        letters = unicodedata.normalize("NFD", word)
        tone = "".join(mark for mark in letters if mark in _TONES)
        rest = unicodedata.normalize("NFC", "".join(mark for mark in letters if mark not in _TONES))
        if rest:
            words.append(rest + tone)
    return words


# --- Sums, shares, years --------------------------------------------------------------------------------


def _negative(answers: Mapping[str, Any]) -> Iterator[Contradiction]:
    for key, label in AMOUNTS.items():
        number = _number(answers.get(key))
        if number is not None and number < 0:
            said = _shown(answers[key], "amount")
            yield Contradiction(
                "negative_amount", (key,), label,
                Text(f"Phần trả lời ghi {label.vi} là {said.vi}, một số âm. Quý khách vui lòng cho biết số đúng.",
                     f"The answers give {label.en} as {said.en}, below zero. Please tell us the right figure."),
                (Statement(key, ANSWER, label, said),),
            )  # fmt: skip


def _financing(form: Mapping[str, Any], answers: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Loan and own funds make up what the project costs; without own funds stated, a loan is not more than it costs.

    The form's project size and its investment capital may both be meant by the cost: one that fits is enough.
    """
    loan, equity = _number(answers.get("loan_vnd")), _number(answers.get("equity_vnd"))
    costs = {
        path: number for path in ("finance.project_vnd", "finance.investment_vnd")
        if (number := _number(_at(form, path))) is not None and number > 0
    }  # fmt: skip
    if loan is None or loan <= 0 or not costs:
        return
    labels = {pair.path: pair.label for pair in PAIRS}
    parts = [("loan_vnd", loan)] + ([("equity_vnd", equity)] if equity is not None and equity >= 0 else [])
    total = sum((number for _, number in parts), Decimal(0))
    if len(parts) == 1:
        if total <= max(costs.values()) * (1 + ROUNDED):
            return
    elif any(abs(total - cost) <= cost * ROUNDED for cost in costs.values()):
        return
    stated = [Statement(path, FORM, labels[path], _shown(cost, "amount")) for path, cost in costs.items()]
    given = [Statement(key, ANSWER, AMOUNTS[key], _shown(number, "amount")) for key, number in parts]
    keys = tuple(key for key, _ in parts)
    form_vi = ", ".join(f"{each.label.vi} {each.said.vi}" for each in stated)
    form_en = ", ".join(f"{each.label.en} as {each.said.en}" for each in stated)
    given_vi = ", ".join(f"{each.label.vi} {each.said.vi}" for each in given)
    given_en = ", ".join(f"{each.label.en} as {each.said.en}" for each in given)
    relation = (Text("Số tiền vay lớn hơn chi phí của dự án.", "The loan is more than the project costs.")
                if len(parts) == 1 else
                Text("Vốn vay cộng vốn tự có không bằng chi phí của dự án.",
                     "Loan and own funds together do not make up what the project costs."))  # fmt: skip
    yield Contradiction(
        "loan_above_project" if len(parts) == 1 else "financing_total", keys,
        Text("nguồn vốn của dự án", "how the project is financed"),
        Text(f"Hai nơi ghi khác nhau về nguồn vốn của dự án: {FORM.vi} ghi {form_vi}; {ANSWER.vi} ghi {given_vi}. "
             f"{relation.vi} Quý khách vui lòng cho biết số nào đúng.",
             f"Two places differ on how the project is financed: {FORM.en} gives {form_en}; {ANSWER.en} give "
             f"{given_en}. {relation.en} Please tell us which figure is right."),
        (*stated, *given),
    )  # fmt: skip


def _shares(answers: Mapping[str, Any]) -> Iterator[Contradiction]:
    text = answers.get("shareholders")
    if not isinstance(text, str):
        return
    found = re.findall(r"(?<![0-9.,])([0-9]{1,3}(?:[.,][0-9]{1,4})?)\s*%", text, re.ASCII)
    shares = [Decimal(share.replace(",", ".")) for share in found]
    # “Tổng 100%” sums the others up; of one share alone nothing follows.
    parts = [share for share in shares if share != 100]
    total = sum(parts, Decimal(0))
    if len(parts) < 2 or abs(total - 100) <= SHARES_ROUNDED:
        return
    label = Text("tỷ lệ góp vốn của các cổ đông", "the shareholders' shares")
    percent = f"{total.normalize():f}"
    said = Text(f"cộng lại là {percent.replace('.', ',')} %", f"add up to {percent}%")
    yield Contradiction(
        "shares_total", ("shareholders",), label,
        Text(f"Phần trả lời ghi {label.vi} {said.vi}, không phải 100 %. Quý khách vui lòng kiểm tra giúp.",
             f"By the answers, {label.en} {said.en}, not to 100%. Please look at them once more."),
        (Statement("shareholders", ANSWER, label, said),),
    )  # fmt: skip


def _years(answers: Mapping[str, Any], today: date) -> Iterator[Contradiction]:
    founded, closed = _year(answers.get("founded_year")), _year(answers.get("last_full_year"))
    names = {"founded_year": Text("năm thành lập", "the year of founding"),
             "last_full_year": Text("năm tài chính gần nhất", "the last full financial year")}  # fmt: skip
    for key, year in (("founded_year", founded), ("last_full_year", closed)):
        if year is not None and year > today.year:
            label, said = names[key], Text(str(year), str(year))
            yield Contradiction(
                "year_ahead", (key,), label,
                Text(f"Phần trả lời ghi {label.vi} là {year}, một năm chưa đến. Quý khách vui lòng cho biết năm đúng.",
                     f"The answers give {label.en} as {year}, which is still to come. Please tell us the right year."),
                (Statement(key, ANSWER, label, said),),
            )  # fmt: skip
    if founded is not None and closed is not None and founded > closed:
        label = Text("thứ tự các năm", "the order of the years")
        yield Contradiction(
            "years_out_of_order", ("founded_year", "last_full_year"), label,
            Text(f"Hai nơi ghi khác nhau về {label.vi}: năm thành lập ghi {founded}, năm tài chính gần nhất ghi "
                 f"{closed}. Quý khách vui lòng cho biết năm nào đúng.",
                 f"Two places differ on {label.en}: the year of founding is given as {founded}, the last full "
                 f"financial year as {closed}. Please tell us which one is right."),
            tuple(Statement(key, ANSWER, names[key], Text(str(year), str(year)))
                  for key, year in (("founded_year", founded), ("last_full_year", closed))),
        )  # fmt: skip


def _year(value: Any) -> int | None:
    """Return the first year that an answer names, also within a date."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = value if isinstance(value, str) else f"{value:.0f}" if abs(value) < 10_000 else ""  # not for NaN
    found = re.search(r"(?<![0-9])([0-9]{4})(?![0-9])", text[:LONGEST_SHOWN], re.ASCII)
    year = int(found[1]) if found else 0
    return year if year >= EARLIEST_YEAR else None

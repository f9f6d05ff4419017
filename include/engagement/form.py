"""The intake form: what stands in it, what may stand in it, and what is still missing (stage 1).

A checked form has every key; empty is ``""``, ``None`` (numbers), ``[]``, ``{}`` or ``False``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from stdnum.exceptions import ValidationError
from stdnum.vn import mst

from include.engagement.errors import InvalidInput, Problem
from include.engagement.figures import figure
from include.engagement.process import INTAKE_ITEMS, LANGUAGES, Item, Text
from include.engagement.text import cleaned, folded, normalise, text_problem
from include.engagement.yaml_lines import load_with_lines

Kind = Literal["text", "language", "email", "phone", "tax_code", "integer", "flag", "texts"]


@dataclass(frozen=True)
class Field:
    """A value of the form: ``longest`` in characters, ``least`` and ``most`` for whole numbers."""

    path: str
    kind: Kind = "text"
    required: bool = False
    multiline: bool = False
    longest: int = 300
    least: int = 0
    most: int = 10**15


FIELDS: dict[str, Field] = {
    field.path: field
    for field in (
        Field("language", "language"),
        Field("referrer"),
        Field("need.purpose", multiline=True, longest=2000),
        Field("need.horizon_months", "integer", least=1, most=600),
        Field("client.name", required=True),
        Field("client.tax_code", "tax_code", longest=20),
        Field("client.address", longest=500),
        Field("client.sector"),
        Field("client.representative.name", longest=200),
        Field("client.representative.title", longest=200),
        Field("client.contact.name", required=True, longest=200),
        Field("client.contact.email", "email", required=True, longest=254),
        Field("client.contact.phone", "phone", longest=40),
        Field("client.bank.account", longest=50),
        Field("client.bank.bank"),
        Field("finance.employees", "integer", most=10**7),
        Field("finance.project_vnd", "integer"),
        Field("finance.charter_capital_vnd", "integer"),
        Field("finance.investment_vnd", "integer"),
        Field("interests", "texts", longest=200),
        Field("consent", "flag"),
    )
}
MOST_INTERESTS = 50
EMPTY: dict[Kind, Any] = {"language": "vi", "integer": None, "flag": False, "texts": []}
MONITORING: dict[str, Field] = {
    "every_months": Field("add_ons.monitoring.every_months", "integer", required=True, least=1, most=24),
    "visits": Field("add_ons.monitoring.visits", "integer", required=True, least=1, most=60),
}
ENTRIES: dict[str, Field] = FIELDS | {field.path: field for field in MONITORING.values()}
EMPTY_REQUIRED = Text("còn trống; mục này phải có", "is empty; it is needed")
YES, NO = ("co", "x", "true", "yes", "dong y", "1"), ("khong", "false", "no", "0")
LANGUAGE_NAMES = {"tieng viet": "vi", "vietnamese": "vi", "tieng anh": "en", "english": "en"}


class _Refused(Exception):
    """A value that its field cannot take; carries the reason for whoever wrote it."""

    def __init__(self, vi: str, en: str) -> None:
        self.reason = Text(vi, en)
        super().__init__(en)


# --- One value ------------------------------------------------------------------------------------------


def _checked_text(field: Field, value: object) -> str:
    if not isinstance(value, str):
        if isinstance(value, int) and not isinstance(value, bool):
            raise _Refused("phải là chữ; hãy đặt số trong dấu ngoặc kép", "must be text; put the number in quotes")
        raise _Refused("phải là chữ", "must be text")
    text = normalise(value)
    problem = text_problem(text, multiline=field.multiline, longest=field.longest)
    if problem is not None:
        raise _Refused(problem.vi, problem.en)
    return text


def _checked_tax_code(text: str) -> str:
    compact = re.sub(r"[ .\-]", "", text)
    # Since 1 July 2025 a household business goes by its owner's 12-digit personal number.
    if re.fullmatch(r"[0-9]{12}", compact):
        return compact
    if not re.fullmatch(r"[0-9]{10}([0-9]{3})?", compact):
        raise _Refused(
            "mã số thuế phải có 10 chữ số, 10 chữ số và 3 chữ số chi nhánh (0123456789-001), hoặc 12 chữ số",
            "is no tax code: those have 10 digits, 10 and 3 for the branch (0123456789-001), or 12",
        )
    try:
        return mst.format(mst.validate(compact))
    except ValidationError:
        raise _Refused("mã số thuế không đúng (chữ số kiểm tra không khớp)",
                       "is not a valid tax code (its check digit does not fit)") from None  # fmt: skip


def _checked_phone(text: str) -> str:
    refused = _Refused("không phải là số điện thoại hợp lệ, ví dụ 0236 3822 456 hoặc +84 912 345 678",
                       "is not a valid phone number, for instance 0236 3822 456 or +84 912 345 678")  # fmt: skip
    if not re.fullmatch(r"[0-9+ ().\-/]+", text):
        raise refused
    try:
        number = phonenumbers.parse(text, "VN")
    except phonenumbers.NumberParseException:
        raise refused from None
    if not phonenumbers.is_valid_number(number):
        raise refused
    return text


def _checked_email(text: str) -> str:
    try:
        checked = validate_email(text, check_deliverability=False, allow_smtputf8=False, allow_quoted_local=False)
    except EmailNotValidError:
        raise _Refused("không phải là địa chỉ thư điện tử hợp lệ", "is not a valid email address") from None
    return checked.ascii_email or checked.normalized


def _checked_integer(field: Field, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Refused("phải là số nguyên, không có dấu chấm hay đơn vị", "must be a whole number")
    if not field.least <= value <= field.most:
        raise _Refused(f"phải từ {field.least} đến {field.most}", f"must be from {field.least} to {field.most}")
    return value


def _checked_texts(field: Field, value: object) -> list[str]:
    if not isinstance(value, list):
        raise _Refused("phải là một danh sách, ví dụ [“xuất khẩu”, “tín dụng”]", "must be a list of texts")
    if len(value) > MOST_INTERESTS:
        raise _Refused(f"có nhiều nhất {MOST_INTERESTS} chủ đề", f"at most {MOST_INTERESTS} topics are possible")
    return [text for text in (_checked_text(field, entry) for entry in value) if text]


def _checked(field: Field, value: object) -> Any:
    """Return the value as it is kept. Raises _Refused."""
    if value is None:
        empty = EMPTY.get(field.kind, "")
        value = list(empty) if isinstance(empty, list) else empty
        if value is None:
            if field.required:
                raise _Refused(EMPTY_REQUIRED.vi, EMPTY_REQUIRED.en)
            return None
    if field.kind == "integer":
        return _checked_integer(field, value)
    if field.kind == "flag":
        if not isinstance(value, bool):
            raise _Refused("phải là true hoặc false", "must be true or false")
        return value
    if field.kind == "texts":
        return _checked_texts(field, value)
    text = _checked_text(field, value)
    if not text:
        if field.required:
            raise _Refused(EMPTY_REQUIRED.vi, EMPTY_REQUIRED.en)
        return EMPTY.get(field.kind, "")
    if field.kind == "language":
        if text not in LANGUAGES:
            raise _Refused("phải là " + " hoặc ".join(LANGUAGES), "must be " + " or ".join(LANGUAGES))
    elif field.kind == "tax_code":
        return _checked_tax_code(text)
    elif field.kind == "phone":
        return _checked_phone(text)
    elif field.kind == "email":
        return _checked_email(text)
    return text


def column_value(column: str, value: object) -> tuple[Any, Text | None]:
    """Check a client's answer for the form's field ``column``: the value to keep, or why it cannot be kept.

    Numbers may come as Vietnamese text (``1.450.000.000``). Raises KeyError for an unknown field.
    """
    return _column_value(FIELDS[column], value)


def _column_value(field: Field, value: object) -> tuple[Any, Text | None]:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None, EMPTY_REQUIRED
    if field.kind == "integer":
        number = figure(value)
        if number is None:
            return None, Text("không phải là một con số", "is not a number")
        value = int(number) if number == number.to_integral_value() else None
    elif isinstance(value, str):
        # What comes from a mail or a cell may be broken into lines; that is no reason to ask again.
        value = cleaned(value) if field.multiline else " ".join(cleaned(value).split())
    elif isinstance(value, float) and value.is_integer():
        value = str(int(value))
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    try:
        if field.kind == "integer" and value is None:
            raise _Refused("phải là số nguyên", "must be a whole number")
        return _checked(field, value), None
    except _Refused as refused:
        return None, refused.reason


def _entered(field: Field, value: object) -> tuple[Any, Text | None]:
    """Check what a person entered: text as it is typed, or a cell's number. Empty: as in a form that leaves it out."""
    if value is None or (isinstance(value, str) and not cleaned(value)):
        value = None
    elif field.kind == "flag" and not isinstance(value, bool):
        word = folded(str(value))
        if word not in (*YES, *NO):
            return None, Text("phải là “có” hoặc “không”", "must be “có” (yes) or “không” (no)")
        value = word in YES
    elif field.kind == "texts":
        value = [" ".join(part.split()) for part in re.split(r"[\n;]", cleaned(str(value)))]
    elif field.kind == "language":
        value = LANGUAGE_NAMES.get(folded(str(value)), str(value).strip())
    elif field.kind != "flag":
        return _column_value(field, value)
    try:
        return _checked(field, value), None
    except _Refused as refused:
        return None, refused.reason


# --- The whole form -------------------------------------------------------------------------------------


def _blocks() -> dict[str, set[str]]:
    blocks: dict[str, set[str]] = {"": {"add_ons"}}
    for path in FIELDS:
        parts = path.split(".")
        for depth, name in enumerate(parts):
            blocks.setdefault(".".join(parts[:depth]), set()).add(name)
    return blocks


BLOCKS = _blocks()


def _unknown_keys(data: Mapping[Any, Any], block: str) -> Iterator[tuple[str, str]]:
    """Yield path and reason of every key that the form does not have, and of blocks that are none."""
    for key, value in data.items():
        path = f"{block}.{key}" if block else str(key)
        if key not in BLOCKS[block]:
            yield path, "mục này không có trong phiếu"
        elif path in BLOCKS and value is not None:
            if isinstance(value, dict):
                yield from _unknown_keys(value, path)
            else:
                yield path, "phải gồm các mục con: " + ", ".join(sorted(BLOCKS[path]))


def _get(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = data.get(name) if isinstance(data, Mapping) else None
    return data


def _put(form: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        form = form.setdefault(name, {})
    form[last] = value


def _add_ons(value: object, refuse: Callable[[str, str], None]) -> dict[str, Any]:
    if value is None or value == {}:
        return {}
    if not isinstance(value, dict):
        refuse("add_ons", "phải gồm các mục con: monitoring")
        return {}
    for key in value:
        if key != "monitoring":
            refuse(f"add_ons.{key}", "không có dịch vụ cộng thêm này; hiện có: monitoring")
    monitoring = value.get("monitoring")
    if monitoring is None:
        return {}
    if not isinstance(monitoring, dict):
        refuse("add_ons.monitoring", "phải gồm các mục con: every_months, visits")
        return {}
    for key in monitoring:
        if key not in MONITORING:
            refuse(f"add_ons.monitoring.{key}", "mục này không có trong phiếu")
    kept: dict[str, int] = {}
    for key, field in MONITORING.items():
        try:
            kept[key] = _checked(field, monitoring.get(key))
        except _Refused as refused:
            refuse(field.path, refused.reason.vi)
    return {"monitoring": kept}


def check_form(data: object, *, line_of: Callable[[str], int] = lambda path: 0) -> dict[str, Any]:
    """Return the form with every key present, text in NFC; ``line_of`` tells the line of a dotted path.

    Raises InvalidInput with every problem found, in the order of their lines.
    """
    if not isinstance(data, dict):
        raise InvalidInput([Problem(line_of(""), "", "phiếu phải gồm các mục như language, need, client")])
    problems: list[Problem] = []

    def refuse(path: str, reason: str) -> None:
        problems.append(Problem(line_of(path), path, reason))

    for path, reason in _unknown_keys(data, ""):
        refuse(path, reason)
    broken_blocks = tuple(f"{problem.field}." for problem in problems)
    form: dict[str, Any] = {}
    for field in FIELDS.values():
        if field.path.startswith(broken_blocks):
            continue
        try:
            _put(form, field.path, _checked(field, _get(data, field.path)))
        except _Refused as refused:
            refuse(field.path, refused.reason.vi)
    form["add_ons"] = _add_ons(data.get("add_ons"), refuse)
    if problems:
        raise InvalidInput(sorted(problems, key=lambda problem: problem.line))
    return form


def entered_form(entries: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Text]]:
    """Return the form that was entered on a page or in a row of a sheet, and why each field that does not fit does not.

    ``entries`` are by the paths of ``ENTRIES``: text as it was typed (a list with a line or semicolon between its
    parts, numbers as Vietnamese write them), or a cell's number. The form is whole only where nothing is refused.
    """
    form: dict[str, Any] = {}
    refused: dict[str, Text] = {}
    monitored = any(str(entries.get(field.path) or "").strip() for field in MONITORING.values())
    for field in (*FIELDS.values(), *(MONITORING.values() if monitored else ())):
        value, reason = _entered(field, entries.get(field.path))
        if reason is not None:
            refused[field.path] = reason
        else:
            _put(form, field.path, value)
    form.setdefault("add_ons", {})
    return form, refused


def read_form(text: str) -> dict[str, Any]:
    """Read a form file: YAML with the form's keys at the top, or within ``engagement:``.

    Raises InvalidInput with line, field and reason of every problem.
    """
    data, line_of = load_with_lines(text)
    if isinstance(data, dict) and set(data) == {"engagement"}:
        return check_form(
            data["engagement"], line_of=lambda path: line_of(f"engagement.{path}" if path else "engagement")
        )
    return check_form(data, line_of=line_of)


def form_digest(form: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a checked form: equal forms have equal digests."""
    canonical = json.dumps(form, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def missing_items(form: Mapping[str, Any]) -> list[Item]:
    """Return the required rows of ``INTAKE_ITEMS`` that the form leaves empty; a stated 0 is an answer."""
    return [item for item in INTAKE_ITEMS if item.required and _get(form, item.column) in ("", None)]


def fill_form(form: Mapping[str, Any], answers: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the form with the answers (by item key) put in, and the Vietnamese reason of each that does not fit.

    Answers for other than intake items are left alone; the given form is not changed.
    """
    filled: dict[str, Any] = deepcopy(dict(form))
    refused: dict[str, str] = {}
    for item in INTAKE_ITEMS:
        if item.key not in answers:
            continue
        value, reason = column_value(item.column, answers[item.key])
        if reason is not None:
            refused[item.key] = reason.vi
        else:
            _put(filled, item.column, value)
    return filled, refused

"""What a sign-off's form must say for its decision to count."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from include.engagement import process
from include.engagement.errors import InvalidSignOff
from include.engagement.figures import figure
from include.engagement.process import Entry, SignOff
from include.engagement.text import cleaned, folded

LONGEST_KEY = 60
MEETING_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?")


def check_sign_off(gate: SignOff, decision: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form of a decision, cleaned: every field of the gate, empty text ``""``, empty numbers None.

    Raises InvalidSignOff (Vietnamese) saying what to fill in.
    """
    if decision not in gate.options:
        raise InvalidSignOff(f"“{decision}” không phải là lựa chọn của “{gate.title}”.")
    form = {entry.key: _value(entry, entries.get(entry.key)) for entry in gate.entries}
    if decision in gate.reason_for and not form.get("reason"):
        raise InvalidSignOff(f"Chọn “{gate.options[decision]}” thì phải ghi lý do vào ô “{process.REASON.title}”.")
    if gate.key == "scorecard":
        _check_scorecard(decision, form)
    if gate.key == "reserve_exhausted" and decision == "grant_days" and form["days"] is None:
        raise InvalidSignOff("Cấp thêm ngày thì phải ghi số ngày làm việc cấp thêm, ít nhất 1.")
    if gate.key == "first_meeting" and decision == "yes" and form["meeting_at"]:
        form["meeting_at"] = _meeting_time(form["meeting_at"])
    return form


def _value(entry: Entry, value: Any) -> Any:
    if entry.kind == "string":
        text = "" if value is None else cleaned(str(value))
        return text if entry.multiline else " ".join(text.split())
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = figure(value)
    if number is None:
        raise InvalidSignOff(f"Ô “{entry.title}” phải là một con số.")
    _check_range(entry, number)
    if number == number.to_integral_value():
        return int(number)
    if entry.kind == "integer":
        raise InvalidSignOff(f"Ô “{entry.title}” phải là số nguyên.")
    return float(number)


def _check_range(entry: Entry, number: Decimal) -> None:
    if entry.minimum is not None and number < entry.minimum:
        upper = "" if entry.maximum is None else f", nhiều nhất là {entry.maximum}"
        raise InvalidSignOff(f"Ô “{entry.title}” ít nhất là {entry.minimum}{upper}.")
    if entry.maximum is not None and number > entry.maximum:
        raise InvalidSignOff(f"Ô “{entry.title}” nhiều nhất là {entry.maximum}.")


def _check_scorecard(decision: str, form: dict[str, Any]) -> None:
    if decision == "absent":
        form.update({criterion.key: None for criterion in process.CRITERIA})
        return
    lacking = [criterion.title.vi for criterion in process.CRITERIA if form[criterion.key] is None]
    if lacking:
        raise InvalidSignOff(
            f"Phiếu thẩm định còn thiếu điểm: {', '.join(lacking)} (0–{process.COUNCIL_POINTS} điểm mỗi tiêu chí)."
        )


def _meeting_time(text: str) -> str:
    """Return the time as ``YYYY-MM-DD HH:MM``, in the firm's zone."""
    try:
        if MEETING_TIME.fullmatch(text):
            return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        pass
    raise InvalidSignOff("Ngày giờ gặp mặt phải ghi dạng 2026-12-03 09:00 (năm-tháng-ngày giờ:phút).")


def _item_names() -> Iterator[tuple[str, str]]:
    for request in reversed(process.REQUESTS.values()):
        for item in request.items:
            yield folded(item.label.vi), item.key
            yield folded(item.key), item.key


ITEM_KEYS: dict[str, str] = dict(_item_names())


def parse_reasons(text: str) -> dict[str, str]:
    """Read lines of “mục: lý do” into reasons by item key.

    Keys may be item keys or Vietnamese labels (accents and case aside); other keys are kept as written. Lines
    without a key are joined under ``""``; reasons given twice for a key are joined.
    """
    reasons: dict[str, list[str]] = {}
    for line in cleaned(text).split("\n"):
        line = re.sub(r"^[\s\-–•*+]+", "", line).strip()
        if not line:
            continue
        key, reason = _split(line)
        reasons.setdefault(key, []).append(reason)
    return {key: (" " if key == "" else "; ").join(parts) for key, parts in reasons.items()}


def _split(line: str) -> tuple[str, str]:
    match = re.fullmatch(r"([^:：]+)[:：](?!//)\s*(.+)", line)
    if match is None:
        return "", line
    key, reason = match.group(1).strip(" “”\"'"), match.group(2).strip()
    known = ITEM_KEYS.get(folded(key))
    if known is not None:
        return known, reason
    # "9:30" or a whole clause before a colon is part of a sentence, not the name of an item.
    if len(key) > LONGEST_KEY or key[-1:].isdigit() or "." in key or "," in key or not key:
        return "", line
    return key, reason

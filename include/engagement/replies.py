"""What arrives in the inbox: ``reply.json``, and which files are whole (docs/architecture.md)."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.engagement.errors import InvalidReply
from include.engagement.text import cleaned

REPLY = "reply.json"
LONGEST = 1_000_000  # bytes
DEEPEST = 6
MOST_ENTRIES = 500
UNFINISHED = (".part", ".tmp")


@dataclass(frozen=True)
class Reply:
    """A parsed ``reply.json``.

    ``answers``: item key → value as given; ``files``: item key → file name; ``items``: changes asked for;
    ``manifest``: file name → SHA-256 (hex, lower case) of the files that belong to this reply.
    """

    answers: dict[str, Any]
    files: dict[str, str]
    reply: str | None
    message: str
    items: list[str]
    manifest: dict[str, str]


@dataclass(frozen=True)
class Entry:
    """A file in the inbox: ``size`` in bytes, seconds since it last changed, its hash when it was computed."""

    name: str
    size: int
    age_seconds: float
    sha256: str | None


def parse_reply(data: bytes) -> Reply:
    """Read ``reply.json``; unknown keys are left aside, text is cleaned of what breaks documents.

    Raises InvalidReply (Vietnamese) for what is not such a reply, or too large or too deep to be one.
    """
    if len(data) > LONGEST:
        raise InvalidReply(f"Tệp {REPLY} lớn hơn {LONGEST // 1000} kB.")
    try:
        content = json.loads(
            data.decode("utf-8-sig"), parse_int=_integer, parse_float=_number, parse_constant=_constant
        )
    except UnicodeDecodeError as error:
        raise InvalidReply(f"Tệp {REPLY} không phải là văn bản UTF-8.") from error
    except ValueError as error:
        raise InvalidReply(f"Tệp {REPLY} không đúng cú pháp JSON ({error}).") from error
    except RecursionError as error:
        raise InvalidReply(f"Tệp {REPLY} lồng nhau quá sâu.") from error
    if not isinstance(content, dict):
        raise InvalidReply(f"Tệp {REPLY} phải là một đối tượng JSON có các mục như answers, files, reply.")
    decision = _text(content, "reply").casefold()
    return Reply(
        answers={cleaned(key): _cleaned(value, 1) for key, value in _mapping(content, "answers").items()},
        files={cleaned(key): _file_name(name, "files") for key, name in _mapping(content, "files").items()},
        reply=decision or None,
        message=_text(content, "message"),
        items=_texts(content, "items"),
        manifest={_file_name(name, "manifest"): _hash(value) for name, value in _mapping(content, "manifest").items()},
    )


def _integer(digits: str) -> int:
    if len(digits) > 30:
        raise ValueError("a number of more than 30 digits")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number too large")
    return number


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _mapping(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidReply(f"Mục “{key}” trong {REPLY} phải là một đối tượng JSON.")
    if len(value) > MOST_ENTRIES:
        raise InvalidReply(f"Mục “{key}” trong {REPLY} có hơn {MOST_ENTRIES} phần.")
    return value


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidReply(f"Mục “{key}” trong {REPLY} phải là chữ.")
    return cleaned(value)


def _texts(content: Mapping[str, Any], key: str) -> list[str]:
    value = content.get(key)
    if value is None:
        return []
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or len(value) > MOST_ENTRIES or not all(isinstance(v, str) for v in value):
        raise InvalidReply(f"Mục “{key}” trong {REPLY} phải là một danh sách các dòng chữ.")
    return [text for text in map(cleaned, value) if text]


def _file_name(value: object, key: str) -> str:
    name = unicodedata.normalize("NFC", value) if isinstance(value, str) else ""
    if not name or len(name) > 255 or cleaned(name) != name or "/" in name or "\\" in name or _left_alone(name):
        raise InvalidReply(f"Mục “{key}” trong {REPLY} có tên tệp không dùng được: “{cleaned(name)[:80]}”.")
    return name


def _hash(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise InvalidReply(f"Mục “manifest” trong {REPLY} phải ghi mã SHA-256 (64 chữ số hệ mười sáu) của từng tệp.")
    return value.lower()


def _cleaned(value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise InvalidReply(f"Tệp {REPLY} lồng nhau quá sâu.")
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, list):
        return [_cleaned(part, depth + 1) for part in value]
    if isinstance(value, dict):
        return {cleaned(key): _cleaned(part, depth + 1) for key, part in value.items()}
    return value


def _left_alone(name: str) -> bool:
    return name.startswith(".") or name.casefold().endswith(UNFINISHED)


def ready_names(entries: Sequence[Entry], manifest: Mapping[str, str] | None, *, settle_seconds: float) -> list[str]:
    """Return the names of the files that are whole and may be read, in the order of ``entries``.

    ``manifest`` is that of the ``reply.json`` among the entries: the files it names, and the reply itself, are
    ready once all of them are there with these hashes. Everything else is ready when it has held still for
    ``settle_seconds``. Hidden and unfinished names (``.x``, ``x.part``, ``x.tmp``) never are.
    """
    named = {unicodedata.normalize("NFC", name): sha.lower() for name, sha in (manifest or {}).items() if name != REPLY}
    visible = [entry for entry in entries if not _left_alone(entry.name)]
    hashes = {unicodedata.normalize("NFC", entry.name): (entry.sha256 or "").lower() for entry in visible}
    whole = all(hashes.get(name) == sha for name, sha in named.items())

    def ready(entry: Entry) -> bool:
        name = unicodedata.normalize("NFC", entry.name)
        if name in named or (named and name == REPLY):
            return whole
        return entry.age_seconds >= settle_seconds

    return [entry.name for entry in visible if ready(entry)]

"""Text that others wrote: what of it may be kept.

Control characters, lone surrogates and XML's non-characters break documents; bidirectional overrides make a name
read as something that it is not (Unicode TR 36). Vietnamese text is kept in NFC, so that equal words are equal.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from include.engagement.process import Text

BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
LINE_BREAKS = frozenset("\n\r\u0085\u2028\u2029")
INVISIBLE = Text("có ký tự điều khiển hoặc ký tự không hiển thị được", "contains control characters")
DIRECTION = Text("có ký tự đổi chiều chữ", "contains characters that change the direction of writing")
ONE_LINE = Text("phải nằm trên một dòng", "must stand on one line")


def _breaks_documents(character: str) -> bool:
    code = ord(character)
    if 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
        return True
    return unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t"


def normalise(value: str) -> str:
    """Return ``value`` in NFC, with plain line breaks and without blanks around it."""
    return unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n")).strip()


def text_problem(value: str, *, multiline: bool, longest: int) -> Text | None:
    """Return why ``value`` cannot be kept as it is, None when it can; ``longest`` in characters."""
    if any(character in BIDI for character in value):
        return DIRECTION
    if not multiline and any(character in LINE_BREAKS for character in value):
        return ONE_LINE
    if any(_breaks_documents(character) for character in value):
        return INVISIBLE
    if len(value) > longest:
        return Text(f"dài {len(value)} ký tự, nhiều nhất là {longest}",
                    f"is {len(value)} characters long, at most {longest} are possible")  # fmt: skip
    return None


def cleaned(value: str) -> str:
    """Return ``value`` normalised, without the characters that ``text_problem`` objects to."""
    lines = "".join("\n" if character in LINE_BREAKS else character for character in normalise(value))
    return "".join(c for c in lines if c not in BIDI and not _breaks_documents(c)).strip()


class _Folds(dict[int, str]):
    """What each character counts as when text is compared; worked out once for each, as Vietnamese has few."""

    def __missing__(self, code: int) -> str:
        plain = unicodedata.normalize("NFD", chr(code)).replace("đ", "d")
        plain = "".join(character for character in plain if not unicodedata.combining(character))
        self[code] = "".join(character if character.isalnum() else " " for character in plain)
        return self[code]


_FOLDS = _Folds()


def folded(value: str) -> str:
    """Return ``value`` in lower case without accents, words one blank apart: for comparing, never for showing."""
    return " ".join(value.casefold().translate(_FOLDS).split())


_ALPHABET = {letter: place for place, letter in enumerate("aăâbcdđeêfghijklmnoôơpqrstuưvwxyz", 1_000)}
_TONES = "\u0300\u0309\u0303\u0301\u0323"  # huyền, hỏi, ngã, sắc, nặng


def vietnamese_order(value: str) -> tuple[list[int], list[int]]:
    """Return what sorts text as Vietnamese dictionaries do: letters first (a ă â … d đ …), then tones."""
    places = [_place(character) for character in unicodedata.normalize("NFC", value.casefold())]
    return [letter for letter, _ in places], [tone for _, tone in places]


@cache
def _place(character: str) -> tuple[int, int]:
    parts = unicodedata.normalize("NFD", character)
    tone = next((part for part in parts if part in _TONES), "")
    letter = unicodedata.normalize("NFC", parts.replace(tone, "")) if tone else character
    # Blanks and digits come before all letters.
    return _ALPHABET.get(letter, min(ord(letter[0]), 999)), _TONES.index(tone) + 1 if tone else 0

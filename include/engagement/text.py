"""Text that others wrote: what of it may be kept.

Control characters, lone surrogates and XML's non-characters break documents; bidirectional overrides make a name
read as something that it is not (Unicode TR 36). Vietnamese text is kept in NFC, so that equal words are equal.
"""

from __future__ import annotations

import unicodedata

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


def folded(value: str) -> str:
    """Return ``value`` in lower case without accents, words one blank apart: for comparing, never for showing."""
    plain = unicodedata.normalize("NFD", value.casefold()).replace("đ", "d")
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return " ".join("".join(character if character.isalnum() else " " for character in plain).split())

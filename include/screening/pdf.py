"""PDF: whole, not locked, and nothing in it that starts by itself."""

from __future__ import annotations

import contextlib
import mmap
import re
import zlib
from collections.abc import Iterator

from include.screening.content import EICAR, HEAD_BYTES, refuse_program
from include.screening.limits import Limits
from include.screening.refusal import Refused

_TAIL = 2_048
_ATTACHED = re.compile(
    rb"\([^()\r\n]{1,200}\.(?:exe|scr|com|bat|cmd|js|jse|vbs|vbe|wsf|ps1|hta|lnk|msi|jar|dll|pif)\)", re.IGNORECASE
)


def _name(plain: str) -> bytes:
    """Return the pattern of a PDF name, any letter of which may be written as ``#`` and its number."""
    letters = "".join(f"(?:{letter}|#{ord(letter):02x}|#{ord(letter):02X})" for letter in plain)
    return f"/{letters}(?![A-Za-z0-9])".encode()


_LOCKED = re.compile(_name("Encrypt"))
_ACTIVE = re.compile(b"|".join(map(_name, ("JavaScript", "Launch", "RichMedia"))))
_EMBEDDED = re.compile(_name("EmbeddedFile"))
_PACKED_OBJECTS = re.compile(_name("ObjStm"))


def check_pdf(data: mmap.mmap, limits: Limits) -> None:
    """Raise Refused for a PDF that is cut off, locked by a password, acts by itself or carries a program."""
    if b"%%EOF" not in data[max(0, len(data) - _TAIL) :]:
        raise Refused("truncated", "PDF without its end")
    if _LOCKED.search(data):
        raise Refused("encrypted", "PDF with /Encrypt")
    _refuse_active(data)
    left = limits.unpacked_bytes
    for objects in _streams(data, _PACKED_OBJECTS, limits):
        left -= len(objects)
        if left < 0:
            raise Refused("unpacks_too_large", "PDF whose object streams unpack beyond the limit")
        _refuse_active(objects)
    for embedded in _streams(data, _EMBEDDED, limits):
        left -= len(embedded)
        if left < 0:
            raise Refused("unpacks_too_large", "PDF whose attachments unpack beyond the limit")
        refuse_program(embedded[:HEAD_BYTES])
        if EICAR in embedded:
            raise Refused("virus", "the EICAR test string in a PDF's attachment")


def _refuse_active(data: mmap.mmap | bytes) -> None:
    if found := _ACTIVE.search(data):
        raise Refused("active_content", f"PDF with {found[0].decode('ascii', 'replace')}")
    if _EMBEDDED.search(data) and _ATTACHED.search(data):
        raise Refused("program", "PDF with a program attached")


def _streams(data: mmap.mmap, marked: re.Pattern[bytes], limits: Limits) -> Iterator[bytes]:
    """Yield the unpacked streams of the objects whose dictionary has a name, at most one limit of each."""
    for match in marked.finditer(data):
        start = data.find(b"stream", match.end(), match.end() + 4_096)
        end = data.find(b"endstream", start) if start >= 0 else -1
        if end < 0:
            continue
        packed = data[start + len(b"stream") : end].lstrip(b"\r\n")
        inflater = zlib.decompressobj()
        content = b""
        with contextlib.suppress(zlib.error):
            content = inflater.decompress(packed, limits.ratio_floor_bytes)
            if inflater.unconsumed_tail and len(content) > limits.ratio * len(packed):
                raise Refused("unpacks_too_large", "PDF with a stream that unpacks beyond the limit")
        yield content or packed

"""What content is, by its first bytes: names and endings are what the sender says."""

from __future__ import annotations

import re
from collections.abc import Iterable

from include.screening.refusal import Refused

HEAD_BYTES = 8_192
# The test file of the antivirus makers, in two halves so that this file is not taken for it.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"%PDF-", "pdf"), (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"), (b"Rar!\x1a\x07", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"), (b"\x1f\x8b\x08", "archive"), (b"BZh", "archive"),
    (b"\xfd7zXZ\x00", "archive"), (b"MSCF", "archive"), (b"{\\rtf", "rtf"),
)  # fmt: skip
_PROGRAMS: tuple[tuple[bytes, str], ...] = (
    (b"MZ", "Windows program"), (b"\x7fELF", "ELF program"), (b"\xfe\xed\xfa\xce", "Mach-O program"),
    (b"\xfe\xed\xfa\xcf", "Mach-O program"), (b"\xce\xfa\xed\xfe", "Mach-O program"),
    (b"\xcf\xfa\xed\xfe", "Mach-O program"), (b"\xca\xfe\xba\xbe", "Mach-O or Java program"),
    (b"dex\n03", "Android program"), (b"\x00asm", "WebAssembly program"), (b"#!", "script"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "Windows shortcut"), (b"ITSF", "compiled help"),
)  # fmt: skip
_SCRIPT = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|svg|iframe|hta:|job|package|scriptlet)[\s>/:]|<\?php|<%@|\bwscript\.|"
    rb"\bactivexobject\b|\bcreateobject\s*\(|\bon\s+error\s+resume\s+next\b|^\s*@?echo\s+off\b|\bpowershell(?:\.exe)?\s|"
    rb"\binvoke-(?:expression|webrequest|item)\b|\bnew-object\s|\bcmd(?:\.exe)?\s+/[ck]\b|\bdocument\.write\b|"
    rb"\bmsgbox\s*\(|\[internetshortcut\]|^\s*windows registry editor",
    re.IGNORECASE | re.MULTILINE,
)
_PROGRAM_ENDINGS = frozenset(re.findall(
    r"\S+",
    "apk app appref-ms bat bin cab chm cmd com cpl dll dmg elf exe gadget hta htm html inf iso jar js jse lnk msc msi "
    "msix msp pif ps1 psm1 py rb reg run scf scr sct sh svg svgz sys url vb vbe vbs vhd wasm wsc wsf wsh xht xhtml xll",
))  # fmt: skip
_OFFICE_PARTS = ("xl/", "word/", "ppt/", "docProps/", "customXml/", "_rels/", "[Content_Types].xml")
_DRAWING_SCRIPT = re.compile(rb"<script|\bon[a-z]+\s*=|javascript:", re.IGNORECASE)


def kind_of(head: bytes) -> str:
    """Return the kind of content with this beginning: ``zip``, ``pdf``, ``png``, ``jpeg``, ``ole``, … or ``""``."""
    plain = head.lstrip(b"\xef\xbb\xbf \t\r\n\x00") if b"%PDF-" in head[:1024] else head
    return next((kind for magic, kind in _MAGIC if plain.startswith(magic)), "")


def refuse_program(head: bytes, *, name: str = "") -> None:
    """Raise Refused for what a machine would run: programs by their first bytes, scripts and pages by their text.

    ``name`` is of a part inside an archive: its ending counts too, since whoever unpacks it goes by that.
    """
    for magic, what in _PROGRAMS:
        # “MZ” begins words too; a program's header has bytes that no text has.
        if head.startswith(magic) and (magic != b"MZ" or not _is_text(head) or len(head) < 64):
            raise Refused("program", what)
    text = _as_ascii(head)
    if name.startswith(_OFFICE_PARTS):
        # Word's text may speak of scripts, and its icons are drawings of the web's kind.
        if name.lower().endswith(".svg") and _DRAWING_SCRIPT.search(text):
            raise Refused("program", "a drawing with a script")
        return
    ending = name.lower().rstrip(". ").rpartition(".")[2] if "." in name else ""
    if ending in _PROGRAM_ENDINGS:
        raise Refused("program", f"a part that ends in .{ending}")
    if kind_of(head):
        return
    if _is_text(text) and (found := _SCRIPT.search(text)):
        raise Refused("program", f"script or page ({found[0][:20].decode('ascii', 'replace').strip().lower()})")


def _as_ascii(head: bytes) -> bytes:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[1:8:2] == b"\0\0\0\0" or head[:8:2] == b"\0\0\0\0":
        return head.replace(b"\0", b"").lstrip(b"\xff\xfe")
    return head.removeprefix(b"\xef\xbb\xbf")


def _is_text(head: bytes) -> bool:
    return not any(byte < 9 or 13 < byte < 27 for byte in head[:1024])


class Watch:
    """Looks at content as it goes by: keeps its first bytes, raises Refused where the EICAR string stands."""

    def __init__(self) -> None:
        self.head = b""
        self._last = b""

    def see(self, chunk: bytes) -> None:
        """Take the next piece."""
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
        if EICAR in self._last + chunk:
            raise Refused("virus", "the EICAR test string")
        self._last = (self._last + chunk)[-len(EICAR) :]

    def see_all(self, chunks: Iterable[bytes]) -> None:
        """Take all pieces."""
        for chunk in chunks:
            self.see(chunk)

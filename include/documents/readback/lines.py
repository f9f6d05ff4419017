"""The text of a finished file, line by line, as a reader sees it: a paragraph a line, a table row a line."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import unicodedata
import zipfile
from collections.abc import Iterator
from datetime import date, datetime

from lxml import etree  # type: ignore[import-untyped]

from include.engagement.money import format_vnd

CELL = " | "
PDF_SECONDS = 30.0
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_PARTS = re.compile(r"word/(document|header\d*|footer\d*|footnotes|endnotes)\.xml")
_SPACE = re.compile(r"\s+")
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Cn"))


def lines_of(data: bytes, *, extension: str) -> tuple[str, ...] | None:
    """Return the lines of a .docx, .xlsx or .pdf; None for other kinds, and for a PDF without poppler installed.

    Body, headers, footers, notes, tables and text boxes of Word; cells and names of sheets of Excel.
    """
    if extension == "docx":
        return tuple(_word(data))
    if extension == "xlsx":
        return tuple(_workbook(data))
    if extension == "pdf":
        return _pdf(data)
    return None


def plain(text: str) -> str:
    """Return a text composed, without characters that nobody sees, blanks made one: for comparing."""
    visible = (c for c in unicodedata.normalize("NFC", text) if c.isspace() or unicodedata.category(c) not in _UNSEEN)
    return _SPACE.sub(" ", "".join(visible)).strip()


def _word(data: bytes) -> Iterator[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        names = [name for name in package.namelist() if _PARTS.fullmatch(name)]
        for name in sorted(names):
            root = etree.fromstring(package.read(name), etree.XMLParser(resolve_entities=False, huge_tree=True))
            yield from _lines_of_part(root)


def _lines_of_part(root: etree._Element) -> Iterator[str]:
    row: etree._Element | None = None
    cells: list[str] = []
    for paragraph in root.iter(f"{_W}p"):
        within = [above.tag for above in paragraph.iterancestors()]
        if _FALLBACK in within:
            continue  # the same text box once more, for old programs
        its_row = next(paragraph.iterancestors(f"{_W}tr"), None)
        if its_row is not row and cells:
            yield CELL.join(cells)
            cells = []
        row = its_row
        text = _text(paragraph)
        if row is None:
            if text:
                yield text
        elif text:
            cells.append(text)
    if cells:
        yield CELL.join(cells)


def _text(paragraph: etree._Element) -> str:
    pieces = []
    for node in paragraph.iter(f"{_W}t", f"{_W}br", f"{_W}cr", f"{_W}tab", f"{_W}noBreakHyphen"):
        if next(node.iterancestors(f"{_W}p")) is not paragraph:
            continue  # a text box's own paragraph
        pieces.append(node.text or "" if node.tag == f"{_W}t" else "-" if node.tag.endswith("Hyphen") else " ")
    return plain("".join(pieces))


def _workbook(data: bytes) -> Iterator[str]:
    import python_calamine

    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    for name in book.sheet_names:
        yield plain(name)
        for row in book.get_sheet_by_name(name).to_python():
            cells = [text for value in row if (text := _cell(value))]
            if cells:
                yield CELL.join(cells)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, date):
        return f"{value.day:02}/{value.month:02}/{value.year}"
    if isinstance(value, float):
        return format_vnd(int(value)) if value.is_integer() else str(value)
    return plain(str(value))


def _pdf(data: bytes) -> tuple[str, ...] | None:
    program = shutil.which("pdftotext")
    if program is None:
        return None
    done = subprocess.run(
        [program, "-raw", "-enc", "UTF-8", "-", "-"], input=data, capture_output=True, timeout=PDF_SECONDS,
        check=True,
    )  # fmt: skip
    return tuple(line for raw in done.stdout.decode().splitlines() if (line := plain(raw)))

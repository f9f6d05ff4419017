"""The look that all workbooks share: page, type, colours, title block, and how text and files are written."""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from collections.abc import Mapping
from copy import copy
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
from openpyxl.styles.cell_style import StyleArray
from openpyxl.utils.cell import coordinate_to_tuple
from openpyxl.utils.indexed_list import IndexedList
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter
from openpyxl.xml.constants import ARC_CORE
from openpyxl.xml.functions import tostring

from include.documents.package import read_parts, write_parts
from include.documents.workbooks.figures import at, day
from include.engagement import process
from include.engagement.process import Language, Text

FONT = "Times New Roman"
NAVY, BLUE, PALE, INPUT, GREY, RULE = "1F3864", "2F5597", "DDE7F3", "FFF6D6", "F2F2F2", "BFBFBF"
RED, GREEN, AMBER, RED_PALE, GREEN_PALE = "B00020", "2E7D32", "C55A11", "FCE4E4", "E3F1E3"

MONEY = '#,##0;[Red]-#,##0;"–"'
COUNT = "#,##0"
PERCENT = "0.0%"
RATIO = '0.00"×"'
DAY = "dd/mm/yyyy"

TEXT_LIMIT = 32_767  # characters that a cell holds; Excel calls a file with more damaged
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

_VIETNAMESE = "[$-42A]"  # the language's number in a number format
_POINTS_A_CHARACTER = 5.25  # of a column's width: a digit of the workbook's standard font is 7 pixels wide
_SPACE = 0.25  # em

_THIN = Side(style="thin", color=RULE)
BOX = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)


def clean(value: object) -> str:
    """Return ``value`` as text that a cell can hold: composed, without control characters, cut to the limit."""
    return _UNWRITABLE.sub("", unicodedata.normalize("NFC", str(value)).replace("\r\n", "\n"))[:TEXT_LIMIT]


def fill(colour: str) -> PatternFill:
    """Return a solid fill of ``colour`` (RRGGBB)."""
    return PatternFill("solid", start_color=colour, end_color=colour)


class Look(NamedTuple):
    """How a cell looks; ``size`` in points, colours RRGGBB, ``quoted``: a text that a program must not take apart."""

    bold: bool = False
    italic: bool = False
    size: float = 11
    colour: str = "000000"
    background: str | None = None
    box: bool = False
    number_format: str | None = None
    horizontal: str | None = None
    vertical: str = "center"
    wrap: bool = False
    indent: int = 0
    unlocked: bool = False
    quoted: bool = False


class Book(Workbook):
    """A workbook in one language that knows each look only once: styles of openpyxl are slow to make and compare."""

    def __init__(self, language: Language) -> None:
        super().__init__()
        self.language = language
        # Programs measure columns in digits of this font: one that a computer lacks would change every width.
        normal = Font(name=FONT, size=11)
        self._fonts = IndexedList([normal])
        self._named_styles["Normal"].font = normal  # type: ignore[attr-defined]
        self._looks: dict[Look, StyleArray] = {}

    def dress(self, cell: Cell, look: Look) -> None:
        """Give a cell its look."""
        style = self._looks.get(look)
        if style is None:
            style = self._looks[look] = self._style(cell, look)
        cell._style = copy(style)  # type: ignore[attr-defined]

    def _style(self, cell: Cell, look: Look) -> StyleArray:
        cell._style = style = StyleArray()  # type: ignore[attr-defined]
        # A cell whose text stands left or right by its kind shows no indent.
        horizontal = look.horizontal or ("left" if look.indent else None)
        cell.font = Font(name=FONT, size=look.size, bold=look.bold, italic=look.italic, color=look.colour)
        cell.alignment = Alignment(
            horizontal=horizontal, vertical=look.vertical, wrap_text=look.wrap, indent=look.indent
        )
        if look.background:
            cell.fill = fill(look.background)
        if look.box:
            cell.border = BOX
        if look.number_format:
            cell.number_format = numbers_in(self.language, look.number_format)
        if look.unlocked:
            cell.protection = Protection(locked=False)
        cell.quotePrefix = look.quoted
        return copy(style)


def numbers_in(language: Language, number_format: str) -> str:
    """Return a number format with the separators of ``language``: 1.234.567,8 in Vietnamese.

    LibreOffice, and so every PDF of ours, goes by it on any computer; Excel takes its separators from the computer.
    """
    return _VIETNAMESE + number_format if language == "vi" and re.search("[0#]", number_format) else number_format


def put(
    sheet: Worksheet,
    where: str,
    value: object,
    *,
    bold: bool = False,
    italic: bool = False,
    size: float = 11,
    colour: str = "000000",
    background: str | None = None,
    box: bool = False,
    number_format: str | None = None,
    horizontal: str | None = None,
    vertical: str = "center",
    wrap: bool = False,
    indent: int = 0,
    unlocked: bool = False,
) -> Cell:
    """Write ``value`` into the cell ``where`` and style it. Text is always text, whatever it begins with."""
    row, column = _place(where)
    cell = sheet.cell(row, column)
    assert isinstance(cell, Cell)
    text = isinstance(value, str)
    look = Look(
        bold, italic, size, colour, background, box, number_format, horizontal, vertical, wrap, indent, unlocked, text
    )
    _book(sheet).dress(cell, look)
    if text:
        cell.value = clean(value)
        cell.data_type = "s"
    elif value is not None:
        cell.value = value  # type: ignore[assignment]
    return cell


@lru_cache(maxsize=8192)
def _place(where: str) -> tuple[int, int]:
    """Return row and column of a cell's name; the same names come up in every sheet."""
    row, column = coordinate_to_tuple(where)
    return row, column


def calculate(sheet: Worksheet, where: str, formula: str, **style: Any) -> Cell:
    """Write one of our own formulas (``=…``) into the cell ``where``; ``style`` as for ``put``."""
    cell = put(sheet, where, None, **style)
    cell.value = formula
    cell.data_type = "f"
    return cell


def dress(cell: Cell, **style: Any) -> None:
    """Give a cell its look; ``style`` as for ``put``."""
    _book(cell.parent).dress(cell, Look(**style, quoted=bool(cell.quotePrefix)))


def _book(sheet: Any) -> Book:
    book = sheet.parent
    assert isinstance(book, Book)
    return book


def colour_when(sheet: Worksheet, area: str, condition: str, colour: str, *, edges: bool = False) -> None:
    """Colour the cells of ``area`` for which ``condition`` (a formula seen from its first cell) holds.

    The first rule that holds counts. ``edges``: colour the cells' borders too, so that neighbours run together.
    """
    side = Side(style="thin", color=colour)
    border = Border(left=side, right=side, top=side, bottom=side) if edges else None
    rule = FormulaRule(formula=[condition], fill=fill(colour), border=border, stopIfTrue=True)  # type: ignore[no-untyped-call]
    sheet.conditional_formatting.add(area, rule)


def head(sheet: Worksheet, row: int, titles: list[str], *, first_column: int = 1, height: float = 32) -> None:
    """Write a table's header row, dark, wrapped and boxed."""
    for offset, title in enumerate(titles):
        where = sheet.cell(row=row, column=first_column + offset).coordinate
        put(sheet, where, title, bold=True, colour="FFFFFF", background=NAVY, box=True, horizontal="center", wrap=True)
    sheet.row_dimensions[row].height = height


def widths(sheet: Worksheet, **columns: float) -> None:
    """Set column widths, in characters."""
    for letter, width in columns.items():
        sheet.column_dimensions[letter].width = width


def lines(text: object, width: float, *, size: float = 11) -> int:
    """Return how many lines ``text`` takes in a cell ``width`` characters wide; programs do not grow merged cells.

    Reckoned from the widths of Times New Roman (``size`` in points), with a little to spare.
    """
    room = width * _POINTS_A_CHARACTER / size / 1.04
    return sum(_wrapped(part, room) for part in str(text).split("\n"))


def _wrapped(paragraph: str, room: float) -> int:
    """Return the lines of a paragraph; ``room`` is a line's, in ems."""
    count, filled = 1, 0.0
    for word in paragraph.split(" "):
        wide = sum(_em(character) for character in word)
        if filled and filled + _SPACE + wide > room:
            count, filled = count + 1, 0.0
        filled += (_SPACE if filled else 0.0) + wide
        while filled > room:  # a word longer than the line is broken where the line ends
            count, filled = count + 1, filled - room
    return count


def _em(character: str) -> float:
    plain = unicodedata.normalize("NFD", character)[0]
    if plain in "fijlrtI.,;:'’|!()[]/-\u00a0":
        return 0.31
    if plain in "mwMW%@—…●":
        return 0.83
    return 0.68 if plain.isupper() else 0.48


def new_workbook(language: Language) -> tuple[Book, Worksheet]:
    """Return an empty workbook and its first sheet, calculated in full when it is opened."""
    workbook = Book(language)
    workbook.calculation.fullCalcOnLoad = True
    sheet = workbook.active
    assert isinstance(sheet, Worksheet)
    return workbook, sheet


def title_block(
    sheet: Worksheet,
    *,
    title: str,
    language: Language,
    facts: Mapping[str, Any],
    first_column: str = "A",
    subtitle: str = "",
) -> int:
    """Write firm, title, engagement and client at the top of a sheet; return the first free row."""

    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    made = day(facts.get("day"))
    rows: list[tuple[str, dict[str, Any]]] = [
        (str(at(facts, "firm.name") or ""), {"size": 10, "colour": BLUE, "bold": True}),
        (title, {"size": 16, "bold": True, "colour": NAVY}),
    ]
    if subtitle:
        rows.append((subtitle, {"size": 11, "italic": True, "colour": "595959"}))
    rows.append(
        (
            " · ".join(
                part
                for part in (
                    say("Khách hàng: ", "Client: ") + str(at(facts, "client.name") or "–"),
                    say("Mã hồ sơ: ", "Engagement: ") + str(at(facts, "engagement.id") or "–"),
                    say("Ngày lập: ", "Date: ") + made.strftime("%d/%m/%Y") if made else "",
                )
                if part
            ),
            {"size": 10},
        )
    )
    for row, (text, style) in enumerate(rows, start=1):
        put(sheet, f"{first_column}{row}", text, **style)
        sheet.row_dimensions[row].height = 26 if style["size"] == 16 else 16
    return len(rows) + 2


def page(
    sheet: Worksheet,
    *,
    language: Language,
    facts: Mapping[str, Any],
    landscape: bool = True,
    title_rows: tuple[int, int] | None = None,
    freeze: str | None = None,
    area: str | None = None,
    tall: int = 0,
) -> None:
    """Set a sheet up for A4: one page wide, margins, running footer, repeated rows, print area, frozen header."""
    sheet.sheet_view.showGridLines = False
    sheet.page_setup.paperSize = int(sheet.PAPERSIZE_A4)
    sheet.page_setup.orientation = "landscape" if landscape else "portrait"
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, tall
    sheet.sheet_properties.pageSetUpPr.fitToPage = True  # type: ignore[union-attr]
    margins = sheet.page_margins
    margins.left, margins.right, margins.top, margins.bottom = (0.5, 0.5, 0.6, 0.7)
    margins.header = margins.footer = 0.3
    sheet.print_options.horizontalCentered = True
    # An ampersand begins a code in a footer; the firm's name and the id are written as they are.
    footer = sheet.oddFooter
    assert footer is not None
    footer.left.text = clean(at(facts, "firm.short_name") or "").replace("&", "&&")
    footer.center.text = clean(at(facts, "engagement.id") or "").replace("&", "&&")
    footer.right.text = Text("Trang", "Page").in_(language) + " &P/&N"
    for part in (footer.left, footer.center, footer.right):
        part.size = 9
        part.font = f"{FONT},Regular"
    if title_rows:
        sheet.print_title_rows = f"{title_rows[0]}:{title_rows[1]}"
    if freeze:
        sheet.freeze_panes = freeze
    if area:
        sheet.print_area = area


def save(workbook: Workbook, key: str, *, language: Language, facts: Mapping[str, Any]) -> bytes:
    """Return a document's bytes with its properties set; nothing in them depends on the clock."""
    return save_titled(workbook, process.DOCUMENTS[key].title.in_(language), language=language, facts=facts)


def save_titled(workbook: Workbook, title: str, *, language: Language, facts: Mapping[str, Any]) -> bytes:
    """Return the bytes of a workbook that is no document of an engagement, as ``save`` does."""
    made = day(facts.get("day")) or date(2000, 1, 1)
    moment = datetime.combine(made, time())
    properties = workbook.properties
    properties.title = clean(title)
    properties.subject = clean(at(facts, "engagement.id") or "")
    properties.creator = properties.lastModifiedBy = clean(at(facts, "firm.name") or "")
    properties.language = language
    properties.created = moment
    written = io.BytesIO()
    # Not packed here: that is done once, when all parts are as they stay.
    ExcelWriter(workbook, zipfile.ZipFile(written, "w", zipfile.ZIP_STORED)).save()
    properties.modified = moment  # openpyxl sets the clock's time while it saves
    parts = read_parts(written.getvalue())
    _describe_charts(workbook, parts)
    return write_parts({**parts, ARC_CORE: tostring(properties.to_tree())})


def _describe_charts(workbook: Workbook, parts: dict[str, bytes]) -> None:
    """Give each chart its title as alternative text, for which openpyxl has no place."""
    drawn = [sheet._charts for sheet in workbook.worksheets if sheet._charts]  # type: ignore[attr-defined]
    for number, charts in enumerate(drawn, start=1):
        name = f"xl/drawings/drawing{number}.xml"
        for place, chart in enumerate(charts, start=1):
            title = quoteattr(chart.title.tx.rich.p[0].r[0].t)
            plain, described = f'name="Chart {place}"', f'name="Chart {place}" descr={title}'
            parts[name] = parts[name].replace(plain.encode(), described.encode())


def missing(label: str, language: Language) -> str:
    """Return the note that stands where a figure is lacking."""
    return Text(f"Thiếu số liệu: {label}", f"Missing: {label}").in_(language)

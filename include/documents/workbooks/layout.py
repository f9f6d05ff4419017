"""The look that all workbooks share: page, type, colours, title block, and how text and files are written."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
from openpyxl.worksheet.worksheet import Worksheet
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

_THIN = Side(style="thin", color=RULE)
BOX = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)


def clean(value: object) -> str:
    """Return ``value`` as text that a cell can hold: composed, without control characters, cut to the limit."""
    return _UNWRITABLE.sub("", unicodedata.normalize("NFC", str(value)).replace("\r\n", "\n"))[:TEXT_LIMIT]


def fill(colour: str) -> PatternFill:
    """Return a solid fill of ``colour`` (RRGGBB)."""
    return PatternFill("solid", start_color=colour, end_color=colour)


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
    cell = sheet[where]
    assert isinstance(cell, Cell)
    if isinstance(value, str):
        cell.value = clean(value)
        cell.data_type = "s"
        cell.quotePrefix = True
    elif value is not None:
        cell.value = value  # type: ignore[assignment]
    dress(
        cell,
        bold=bold,
        italic=italic,
        size=size,
        colour=colour,
        background=background,
        box=box,
        number_format=number_format,
        horizontal=horizontal,
        vertical=vertical,
        wrap=wrap,
        indent=indent,
        unlocked=unlocked,
    )
    return cell


def calculate(sheet: Worksheet, where: str, formula: str, **style: Any) -> Cell:
    """Write one of our own formulas (``=…``) into the cell ``where``; ``style`` as for ``put``."""
    cell = put(sheet, where, None, **style)
    cell.value = formula
    cell.data_type = "f"
    return cell


def dress(
    cell: Cell,
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
) -> None:
    """Give a cell its look."""
    cell.font = Font(name=FONT, size=size, bold=bold, italic=italic, color=colour)
    cell.alignment = Alignment(horizontal=horizontal, vertical=vertical, wrap_text=wrap, indent=indent)
    if background:
        cell.fill = fill(background)
    if box:
        cell.border = BOX
    if number_format:
        cell.number_format = number_format
    if unlocked:
        cell.protection = Protection(locked=False)


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


def lines(text: object, width: float) -> int:
    """Return how many lines ``text`` takes in a cell ``width`` characters wide; Excel does not grow merged cells."""
    return sum(max(1, -(-len(part) // max(1, int(width)))) for part in str(text).split("\n"))


def new_workbook() -> tuple[Workbook, Worksheet]:
    """Return an empty workbook and its first sheet, calculated in full when it is opened."""
    workbook = Workbook()
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
    last_column: str,
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
        sheet.merge_cells(f"{first_column}{row}:{last_column}{row}")
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
    if title_rows:
        sheet.print_title_rows = f"{title_rows[0]}:{title_rows[1]}"
    if freeze:
        sheet.freeze_panes = freeze
    if area:
        sheet.print_area = area


def save(workbook: Workbook, key: str, *, language: Language, facts: Mapping[str, Any]) -> bytes:
    """Return the workbook's bytes with its properties set; nothing in them depends on the clock."""
    made = day(facts.get("day")) or date(2000, 1, 1)
    moment = datetime.combine(made, time())
    properties = workbook.properties
    properties.title = clean(process.DOCUMENTS[key].title.in_(language))
    properties.subject = clean(at(facts, "engagement.id") or "")
    properties.creator = properties.lastModifiedBy = clean(at(facts, "firm.name") or "")
    properties.language = language
    properties.created = moment
    written = io.BytesIO()
    workbook.save(written)
    properties.modified = moment  # openpyxl sets the clock's time while it saves
    core = tostring(properties.to_tree())
    return write_parts({**read_parts(written.getvalue()), ARC_CORE: core})


def missing(label: str, language: Language) -> str:
    """Return the note that stands where a figure is lacking."""
    return Text(f"Thiếu số liệu: {label}", f"Missing: {label}").in_(language)

"""Tables of figures, and the workbook that holds them: one sheet each, as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from openpyxl.utils import get_column_letter

from include.documents.workbooks import layout
from include.documents.workbooks.layout import put
from include.engagement.process import Language, Text

Kind = Literal["text", "month", "day", "count", "mean", "share"]
Cell = str | int | float | date | Text | None
_FORMATS: dict[Kind, str | None] = {
    "text": None, "month": "mm/yyyy", "day": layout.DAY, "count": layout.COUNT, "mean": "0.0#", "share": "0%",
}  # fmt: skip
_HEADER = 5


@dataclass(frozen=True)
class Column:
    """A column and how its cells read: ``share`` is a part of 1, ``mean`` a number with places."""

    title: Text
    kind: Kind


@dataclass(frozen=True)
class Table:
    """Figures in rows; None: there is none. ``note`` says what was counted."""

    key: str
    title: Text
    note: Text
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


def build(tables: Sequence[Table], *, title: Text, subtitle: str, language: Language, facts: dict[str, Any]) -> bytes:
    """Return a workbook with a sheet for each table. ``facts``: the firm and the day, as documents have them."""
    workbook, sheet = layout.new_workbook(language)
    for number, table in enumerate(tables):
        if number:
            sheet = workbook.create_sheet()
        sheet.title = layout.clean(table.title.in_(language))[:31].replace("/", "-").replace(":", "")
        put(sheet, "A1", str(facts["firm"]["name"]), size=10, bold=True, colour=layout.BLUE)
        put(sheet, "A2", table.title.in_(language), size=16, bold=True, colour=layout.NAVY)
        put(sheet, "A3", f"{title.in_(language)} · {subtitle}", size=10)
        put(sheet, "A4", table.note.in_(language), size=10, italic=True, colour="595959")
        sheet.row_dimensions[2].height = 26
        layout.head(sheet, _HEADER, [column.title.in_(language) for column in table.columns])
        for row, cells in enumerate(table.rows, start=_HEADER + 1):
            for place, (column, cell) in enumerate(zip(table.columns, cells, strict=True), start=1):
                text = column.kind == "text"
                put(sheet, f"{get_column_letter(place)}{row}", _words(cell, language) if text else cell, box=True,
                    wrap=text, horizontal="left" if text else "right", number_format=_FORMATS[column.kind])  # fmt: skip
        for place, column in enumerate(table.columns, start=1):
            words = [_words(row[place - 1], language) for row in table.rows if column.kind == "text"]
            widest = max(map(len, words), default=0)
            sheet.column_dimensions[get_column_letter(place)].width = min(60, max(14, widest + 2))
        last = max(_HEADER + 1, _HEADER + len(table.rows))
        layout.page(sheet, language=language, facts=facts, freeze=f"B{_HEADER + 1}", title_rows=(_HEADER, _HEADER),
                    area=f"A1:{get_column_letter(len(table.columns))}{last}")  # fmt: skip
    return layout.save_titled(workbook, title.in_(language), language=language, facts=facts)


def _words(cell: Cell, language: Language) -> str:
    return cell.in_(language) if isinstance(cell, Text) else str(cell or "")

"""Sheets of years: rows that are named by key, and formulas written with these keys instead of cell addresses."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openpyxl.cell.cell import Cell
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.pagebreak import Break
from openpyxl.worksheet.worksheet import Worksheet

from include.documents.workbooks import layout
from include.documents.workbooks.figures import at, day, figure
from include.documents.workbooks.layout import MONEY, put
from include.engagement.process import Language, Text

SHORTEST, LONGEST, USUAL = 3, 10, 5  # years of a model: at least, at most, and where the horizon is not known
YEAR_0 = 3  # column C; year 1 stands in D
LABEL, UNIT, AMOUNT, LONG_AMOUNT = 50, 7, 16, 18  # widths of columns, in characters
_LONG_VND = 250_000_000_000  # a figure of the client's from which some year's may pass 1 000 000 000 000

_KEY = re.compile(r"\[(\w+)(-|:|:0|@0|\.\.)?\]")


@dataclass(frozen=True)
class _Pending:
    sheet: Worksheet
    cell: Cell
    template: str
    column: int


class Model:
    """The workbook under construction: its sheets, the place of every row, and formulas still to be resolved."""

    def __init__(self, *, language: Language, facts: Mapping[str, Any]) -> None:
        self.language = language
        self.facts = facts
        months = figure(at(facts, "need.horizon_months"))
        self.horizon_known = bool(months)
        self.years = min(LONGEST, max(SHORTEST, math.ceil(months / 12))) if months else USUAL
        stated = ("answer.revenue_vnd", "answer.cost_vnd", "finance.investment_vnd", "finance.project_vnd")
        largest = max(figure(at(facts, path)) or 0 for path in stated)
        self.amount_width = LONG_AMOUNT if largest >= _LONG_VND else AMOUNT
        made = day(facts.get("day"))
        self.first_year = made.year + 1 if made else 1
        self.workbook, self._unused = layout.new_workbook(language)
        self._pages: list[Page] = []
        self._places: dict[str, tuple[Worksheet, int]] = {}
        self._pending: list[_Pending] = []

    def say(self, vi: str, en: str) -> str:
        """Return the wording in the model's language."""
        return Text(vi, en).in_(self.language)

    @property
    def last_column(self) -> int:
        """The column of the last year."""
        return YEAR_0 + self.years

    def page(self, vi: str, en: str) -> Page:
        """Add a sheet."""
        sheet = self._unused if not self._pages else self.workbook.create_sheet()
        sheet.title = self.say(vi, en)
        page = Page(self, sheet)
        self._pages.append(page)
        return page

    def name(self, name: str, sheet: Worksheet, where: str) -> None:
        """Give the cell ``where`` a name that formulas and readers use."""
        letter, row = re.fullmatch(r"([A-Z]+)(\d+)", where).groups()  # type: ignore[union-attr]
        self.workbook.defined_names[name] = DefinedName(
            name, attr_text=f"{quote_sheetname(sheet.title)}!${letter}${row}"
        )

    def place(self, key: str, sheet: Worksheet, row: int) -> None:
        """Remember where the row ``key`` stands; a key has one place."""
        if key in self._places:
            raise ValueError(f"row {key} written twice")
        self._places[key] = (sheet, row)

    def cells(self, key: str) -> tuple[Worksheet, int]:
        """Return the sheet and row of a key."""
        return self._places[key]

    def later(self, sheet: Worksheet, where: str, template: str, *, column: int = YEAR_0, **style: Any) -> None:
        """Write a formula whose keys are resolved at the end; ``column`` is what plain keys refer to.

        ``[key]`` is the same year, ``[key-]`` the year before, ``[key:]`` years 1 to the last, ``[key:0]`` the same
        with year 0, ``[key@0]`` year 0, ``[key..]`` year 1 up to this one. Other words are names or functions.
        """
        self._pending.append(_Pending(sheet, put(sheet, where, None, **style), template, column))

    def finish(self) -> None:
        """Resolve all formulas and set the pages up for print."""
        for pending in self._pending:
            pending.cell.value = "=" + _KEY.sub(
                lambda match, p=pending: self._reference(match, p),  # type: ignore[misc]
                pending.template,
            )
            pending.cell.data_type = "f"
        for page in self._pages:
            page.finish()

    def _reference(self, match: re.Match[str], pending: _Pending) -> str:
        sheet, row = self._places[match[1]]
        prefix = "" if sheet is pending.sheet else f"{quote_sheetname(sheet.title)}!"
        here, first, last = (get_column_letter(n) for n in (pending.column, YEAR_0 + 1, self.last_column))
        zero = get_column_letter(YEAR_0)
        if match[2] is None:
            return f"{prefix}{here}{row}"
        return (
            prefix
            + {
                "-": f"{get_column_letter(pending.column - 1)}{row}",
                ":": f"${first}${row}:${last}${row}",
                ":0": f"${zero}${row}:${last}${row}",
                "@0": f"${zero}${row}",
                "..": f"${first}{row}:{here}{row}",
            }[match[2]]
        )


class Page:
    """A sheet with a title block; ``row`` is the next free row."""

    def __init__(self, model: Model, sheet: Worksheet) -> None:
        self.model = model
        self.sheet = sheet
        self.row = 1
        self.landscape = True
        self.one_page = True
        self.row_height = 18.0  # points
        self.label_width = LABEL
        self._header: int | None = None
        self._wide = YEAR_0

    def title(self, subtitle: str = "", *, columns: int | None = None) -> None:
        """Write the title block across ``columns`` (default: the years)."""
        self._wide = columns or self.model.last_column
        self.row = layout.title_block(
            self.sheet,
            title=self.sheet.title.upper(),
            language=self.model.language,
            facts=self.model.facts,
            subtitle=subtitle,
        )

    def years(self, *, repeat: bool = True) -> None:
        """Write the header of a table of years; ``repeat``: on every page, frozen, and it sets the columns' widths."""
        model, sheet = self.model, self.sheet
        titles = [model.say("Chỉ tiêu", "Item"), model.say("Đơn vị", "Unit"), model.say("Năm 0", "Year 0")]
        titles += [
            model.say(f"Năm {n}", f"Year {n}") + (f"\n{model.first_year + n - 1}" if model.first_year > 1 else "")
            for n in range(1, model.years + 1)
        ]
        layout.head(sheet, self.row, titles, height=34)
        if repeat and self._header is None:
            self._header = self.row
            layout.widths(sheet, A=self.label_width, B=UNIT)
            for column in range(YEAR_0, model.last_column + 1):
                sheet.column_dimensions[get_column_letter(column)].width = model.amount_width
        self.row += 1

    def section(self, vi: str, en: str, *, columns: int | None = None) -> None:
        """Write a heading across the table."""
        for column in range(2, (columns or self._wide) + 1):
            put(self.sheet, f"{get_column_letter(column)}{self.row}", None, background=layout.PALE)
        put(self.sheet, f"A{self.row}", self.model.say(vi, en), bold=True, colour=layout.NAVY, background=layout.PALE)
        self.sheet.row_dimensions[self.row].height = self.row_height
        self.row += 1

    def line(
        self,
        key: str,
        vi: str,
        en: str,
        formula: str | None,
        *,
        zero: str | None = None,
        unit: str = "VND",
        number_format: str = MONEY,
        strong: bool = False,
        soft: bool = False,
    ) -> None:
        """Write a row of years: ``formula`` for years 1 and on, ``zero`` for year 0 (None: no figure)."""
        model, sheet, row = self.model, self.sheet, self.row
        background = layout.PALE if strong else None
        colour = "595959" if soft else "000000"
        model.place(key, sheet, row)
        put(
            sheet,
            f"A{row}",
            model.say(vi, en),
            box=True,
            bold=strong,
            italic=soft,
            background=background,
            colour=colour,
            wrap=True,
            indent=0 if strong else 1,
        )
        put(sheet, f"B{row}", unit, box=True, size=9, horizontal="center", background=background, colour=colour)
        for column in range(YEAR_0, model.last_column + 1):
            where = f"{get_column_letter(column)}{row}"
            template = zero if column == YEAR_0 else formula
            style: dict[str, Any] = {
                "box": True,
                "bold": strong,
                "italic": soft,
                "colour": colour,
                "number_format": number_format,
                "background": background,
                "horizontal": "right",
            }
            if template is None:
                put(sheet, where, None, **style)
            else:
                model.later(sheet, where, template, column=column, **style)
        self.height(model.say(vi, en))
        self.row += 1

    def height(self, label: str) -> None:
        """Set the height of the row that ``label`` stands in, by its lines."""
        more = layout.lines(label, self.label_width - 2) - 1
        self.sheet.row_dimensions[self.row].height = self.row_height + 14 * more

    def break_here(self) -> None:
        """Begin a new page with the next row; a sheet that has breaks is not squeezed onto one page."""
        self.sheet.row_breaks.append(Break(id=self.row - 1))
        self.one_page = False

    def remark(self, vi: str, en: str, *, columns: int | None = None, characters: int | None = None) -> None:
        """Write a remark under a table, wrapped."""
        wide = columns or self._wide
        text = self.model.say(vi, en)
        self.sheet.merge_cells(f"A{self.row}:{get_column_letter(wide)}{self.row}")
        put(self.sheet, f"A{self.row}", text, italic=True, size=10, wrap=True, vertical="top", colour="595959")
        width = characters or LABEL + UNIT + self.model.amount_width * (wide - 2)
        self.sheet.row_dimensions[self.row].height = 14 * layout.lines(text, width, size=10) + 4
        self.row += 1

    def finish(self) -> None:
        """Set the page up for print."""
        header = self._header
        layout.page(
            self.sheet,
            language=self.model.language,
            facts=self.model.facts,
            landscape=self.landscape,
            title_rows=(header, header) if header else None,
            tall=1 if self.one_page else 0,
            freeze=f"C{header + 1}" if header else None,
            area=f"A1:{get_column_letter(self._wide)}{max(1, self.row - 1)}",
        )


def text(value: str) -> str:
    """Return ``value`` as a text inside a formula."""
    return '"' + value.replace('"', '""') + '"'

"""Workbooks opened again in tests: by openpyxl for what is written, by LibreOffice for what it comes to."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from python_calamine import CalamineWorkbook

from include.documents.libreoffice import find_libreoffice

needs_libreoffice = pytest.mark.skipif(
    find_libreoffice() is None,
    reason="LibreOffice (soffice) is not installed: no workbook has been recalculated",
)


def opened(data: bytes) -> Workbook:
    """Return the workbook as openpyxl reads it."""
    return load_workbook(io.BytesIO(data))


def saved(workbook: Workbook) -> bytes:
    """Return the bytes of a workbook that a test has filled in."""
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def cell_of(workbook: Workbook, name: str) -> Any:
    """Return the cell that a defined name points to."""
    title, where = re.fullmatch(r"'?(.+?)'?!(\$[A-Z]+\$\d+)", workbook.defined_names[name].attr_text).groups()
    return workbook[title.replace("''", "'")][where.replace("$", "")]


def recalculated(data: bytes) -> dict[str, list[list[Any]]]:
    """Return every sheet's values after LibreOffice has calculated the workbook."""
    libreoffice = find_libreoffice()
    assert libreoffice is not None
    book = CalamineWorkbook.from_filelike(io.BytesIO(libreoffice.recalculated(data)))
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


def value_of(values: dict[str, list[list[Any]]], workbook: Workbook, name: str) -> Any:
    """Return the calculated value under a defined name of the workbook as built."""
    cell = cell_of(workbook, name)
    return values[cell.parent.title][cell.row - 1][cell.column - 1]


def row_of(values: dict[str, list[list[Any]]], sheet: str, label: str) -> list[float]:
    """Return the figures of the row that begins with ``label``: years in order, empty cells left out."""
    row = next(row for row in values[sheet] if row and row[0] == label)
    return [cell for cell in row[2:] if cell != ""]

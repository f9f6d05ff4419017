"""Workbooks carry the values of their formulas, so that previews and Protected View show them."""

from __future__ import annotations

import io

import pytest
from openpyxl import Workbook, load_workbook

from include.documents import workbooks
from include.documents.cached_values import with_cached_values
from include.documents.libreoffice import LibreOffice, find_libreoffice
from include.documents.package import read_parts
from include.documents.render import render
from include.documents.sample import bare_facts, sample_facts
from include.engagement.errors import FormulaFailed
from tests.documents.workbook_reading import needs_libreoffice, saved

pytestmark = needs_libreoffice


@pytest.fixture(scope="module")
def office() -> LibreOffice:
    found = find_libreoffice()
    assert found is not None
    return found


@pytest.mark.parametrize("key", workbooks.KEYS)
@pytest.mark.parametrize("facts_of", [sample_facts, bare_facts])
def test_every_formula_has_the_value_that_libreoffice_computes(key: str, facts_of, office: LibreOffice) -> None:
    data = render(key, language="vi", facts=facts_of("vi")).data
    ours = load_workbook(io.BytesIO(with_cached_values(data, office)), data_only=True)
    theirs = load_workbook(io.BytesIO(office.recalculated(data)), data_only=True)
    formulas = [
        (sheet.title, cell.coordinate)
        for sheet in load_workbook(io.BytesIO(data)) for row in sheet.iter_rows() for cell in row
        if cell.data_type == "f"
    ]  # fmt: skip
    assert [ours[sheet][cell].value for sheet, cell in formulas] == [
        theirs[sheet][cell].value for sheet, cell in formulas
    ]


def test_all_but_the_values_stays_as_it_was(office: LibreOffice) -> None:
    data = render("financial_model", language="vi", facts=sample_facts("vi")).data
    before, after = read_parts(data), read_parts(with_cached_values(data, office))
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name] and not name.startswith("xl/worksheets/sheet")] == []
    formulas = {
        sheet.title: {cell.coordinate: cell.value for row in sheet.iter_rows() for cell in row}
        for sheet in load_workbook(io.BytesIO(data))
    }
    kept = load_workbook(io.BytesIO(with_cached_values(data, office)))
    assert formulas == {
        sheet.title: {cell.coordinate: cell.value for row in sheet.iter_rows() for cell in row} for sheet in kept
    }


def test_the_same_workbook_gives_the_same_bytes(office: LibreOffice) -> None:
    data = render("financial_model", language="en", facts=sample_facts("en")).data
    assert with_cached_values(data, office) == with_cached_values(data, office)


def test_an_error_value_names_its_sheet_and_cell(office: LibreOffice) -> None:
    book = Workbook()
    book.active.title = "Dòng tiền"
    book.active["B3"] = "=1/0"
    with pytest.raises(FormulaFailed, match="ô B3, trang “Dòng tiền”"):
        with_cached_values(saved(book), office)


def test_texts_and_truths_keep_their_kind(office: LibreOffice) -> None:
    book = Workbook()
    book.active["A1"], book.active["A2"], book.active["A3"] = '="Đạt & <tốt>"', "=1=1", "=40+2"
    values = load_workbook(io.BytesIO(with_cached_values(saved(book), office)), data_only=True).active
    assert [values[cell].value for cell in ("A1", "A2", "A3")] == ["Đạt & <tốt>", True, 42]

"""The questionnaire and the progress form: what is asked, what may be entered, and that it is read back."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from openpyxl import Workbook

from include.documents import workbooks
from include.documents.package import read_parts, write_parts
from include.documents.sample import bare_facts, sample_facts
from include.documents.workbooks import read_questionnaire
from include.engagement import process
from include.engagement.errors import InvalidReply
from tests.documents.workbook_reading import cell_of, opened, saved


def questionnaire(language: process.Language = "vi") -> Workbook:
    return opened(workbooks.build("questionnaire", language=language, facts=sample_facts(language)))


@pytest.mark.parametrize("language", process.LANGUAGES)
def test_an_unfilled_questionnaire_has_no_answers(language: process.Language) -> None:
    assert read_questionnaire(saved(questionnaire(language))) == {}


@pytest.mark.parametrize("language", process.LANGUAGES)
def test_every_answer_is_read_back_under_its_key(language: process.Language) -> None:
    book = questionnaire(language)
    given: dict[str, Any] = {}
    for item in process.INFORMATION_ITEMS:
        if item.kind != "file":
            given[item.key] = 14_500_000_000 if item.kind == "number" else f"{item.key}: đủ, rõ\nhai dòng"
            cell_of(book, f"answer_{item.key}").value = given[item.key]
    assert read_questionnaire(saved(book)) == given


def test_answers_are_found_after_rows_and_columns_were_inserted() -> None:
    book = questionnaire()
    cell_of(book, "answer_strategy").value = "Dẫn đầu miền Trung"
    sheet = cell_of(book, "answer_strategy").parent
    sheet.insert_rows(8, 2)
    sheet.insert_cols(3)
    assert read_questionnaire(saved(book)) == {"strategy": "Dẫn đầu miền Trung"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("  có khoảng trắng  ", "có khoảng trắng"),
        ("   ", None),
        (0, 0),
        (1.5, 1.5),
        (34.0, 34),
        (True, True),
        ("=1+1", None),
        (date(2026, 12, 1), "2026-12-01"),
    ],
)
def test_values_come_back_as_plain_types(written: Any, read: Any) -> None:
    book = questionnaire()
    cell = cell_of(book, "answer_revenue_vnd")
    cell.value = written
    if isinstance(written, date):
        cell.number_format = "yyyy-mm-dd"
    assert read_questionnaire(saved(book)) == ({} if read is None else {"revenue_vnd": read})


def test_ticked_papers_are_no_answers() -> None:
    book = questionnaire()
    for row in book["Hồ sơ gửi kèm"].iter_rows():
        if row[4].fill.start_color.rgb.endswith("FFF6D6"):
            row[4].value = "Có, gửi kèm"
    assert read_questionnaire(saved(book)) == {}


def test_each_theme_with_questions_has_its_sheet_after_the_guide() -> None:
    assert questionnaire().sheetnames == [
        "Hướng dẫn",
        *(process.THEMES[theme].vi for theme in process.THEMES),
    ]


def test_amounts_must_be_whole_and_not_negative_and_papers_are_chosen_from_a_list() -> None:
    book = questionnaire()
    rules = {rule.type: rule for rule in book["Tài chính"].data_validations.dataValidation if "E" in str(rule.sqref)}
    assert (rules["whole"].operator, rules["whole"].formula1) == ("greaterThanOrEqual", "0")
    assert cell_of(book, "answer_revenue_vnd").coordinate in str(rules["whole"].sqref.ranges)
    papers = book["Hồ sơ gửi kèm"].data_validations.dataValidation
    assert [rule.type for rule in papers] == ["list"]
    assert len(papers[0].formula1) <= 257  # Excel cuts longer lists and calls the file damaged


def test_required_items_are_marked_and_all_answer_cells_may_be_edited() -> None:
    book = questionnaire()
    for item in process.INFORMATION_ITEMS:
        if item.kind == "file":
            continue
        cell = cell_of(book, f"answer_{item.key}")
        assert not cell.protection.locked
        assert (cell.parent.cell(cell.row, 4).value == "●") == item.required
        assert cell.parent.column_dimensions["A"].hidden


@pytest.mark.parametrize("language", process.LANGUAGES)
def test_no_step_of_the_guide_leaves_a_line_empty_and_a_telephone_number_does_not_break(
    language: process.Language,
) -> None:
    guide = questionnaire(language).worksheets[0]
    steps = [row[1] for row in guide.iter_rows() if isinstance(row[0].value, int) and row[2].value is None]
    assert len(steps) == 9
    assert {guide.row_dimensions[step.row].height for step in steps} == {21}
    assert "0912\u00a0000\u00a0111" in steps[-1].value


def test_a_questionnaire_without_questions_still_opens() -> None:
    assert opened(workbooks.build("questionnaire", language="vi", facts=bare_facts("vi"))).sheetnames == ["Hướng dẫn"]


def test_the_progress_form_is_read_back_too() -> None:
    book = opened(workbooks.build("progress_form", language="vi", facts=sample_facts("vi")))
    figures = {"revenue_vnd": 1_610_000_000, "cost_vnd": 1_270_000_000, "jobs": 38, "notes": "=không phải công thức"}
    for key, value in figures.items():
        cell = cell_of(book, f"answer_{key}")
        cell.value = value
        cell.data_type = "s" if key == "notes" else "n"
    assert read_questionnaire(saved(book)) == figures


def test_a_workbook_of_another_kind_gives_no_answers_however_large() -> None:
    book = Workbook()
    book.active["XFD1048576"] = "xa"
    assert read_questionnaire(saved(book)) == {}


@pytest.mark.parametrize("where", ["A2001", "AE1", "XFD1048576"])
def test_a_cell_filled_beyond_the_bounds_is_refused_by_name(where: str) -> None:
    book = questionnaire()
    book["Tài chính"][where] = "xa"
    with pytest.raises(InvalidReply, match=where):
        read_questionnaire(saved(book))


_WITH_PREFIX = b'<worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
_CELL_BY_ROW = b'<row r="2001"><c><v>1</v></c></row></sheetData>'


def rewritten(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Return a workbook whose sheets another program, or somebody with intent, has written otherwise."""
    parts = read_parts(data)
    return write_parts({name: change(part) if "/sheet" in name else part for name, part in parts.items()})


@pytest.mark.parametrize(
    "far",
    [
        b'<c r="xfd1048576" t="n"><v>1</v></c>',  # calamine takes small letters
        b"<c r='XFD1048576' t='n'><v>1</v></c>",
        b'<c t="n" r = "XFD1048576"><v>1</v></c>',
        b'<c t="n" r="&#88;FD1048576"><v>1</v></c>',
        b'<c r="A2001"><v>1</v></c>',
        b'<c r="AE1"><f>1+1</f></c>',
        b'<c r="A99999999"><v>1</v></c>',
        b'<c r="1"><v>1</v></c>',
    ],
)
def test_a_far_cell_is_refused_however_it_is_written(far: bytes) -> None:
    end = b"</row></sheetData>"
    data = rewritten(saved(questionnaire()), lambda part: part.replace(end, far + end))
    with pytest.raises(InvalidReply, match="nằm ngoài phạm vi"):
        read_questionnaire(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda part: part.replace(b"<c ", b"<x:c ").replace(b"</c>", b"</x:c>").replace(b"<worksheet ", _WITH_PREFIX),
        lambda part: part.decode().encode("utf-16") if b"XFD1048576" in part else part,
        lambda part: part.replace(b' r="XFD1048576"', b"").replace(b"</sheetData>", _CELL_BY_ROW),
    ],
    ids=["prefix", "utf-16", "a row's number alone"],
)  # fmt: skip
def test_a_far_cell_is_refused_in_another_dialect_too(change: Callable[[bytes], bytes]) -> None:
    book = questionnaire()
    book["Tài chính"]["XFD1048576"] = "xa"
    with pytest.raises(InvalidReply, match="nằm ngoài phạm vi"):
        read_questionnaire(rewritten(saved(book), change))


def test_a_far_cell_that_only_has_a_look_does_no_harm() -> None:
    book = questionnaire()
    cell_of(book, "answer_strategy").value = "có"
    styled = b'<c r="AE5" s="1"/><c r="XFD9" s="1"></c>'
    data = rewritten(saved(book), lambda part: part.replace(b"</row></sheetData>", styled + b"</row></sheetData>"))
    assert read_questionnaire(data) == {"strategy": "có"}


def test_sheets_beyond_the_twentieth_are_not_read() -> None:
    book = questionnaire()
    cell_of(book, "answer_strategy").value = "có"
    sheet = cell_of(book, "answer_strategy").parent
    for number in range(25):
        book.create_sheet(f"Thêm {number}", 0)
    assert sheet.title in book.sheetnames
    assert read_questionnaire(saved(book)) == {}


@pytest.mark.parametrize("data", [b"", b"khong phai xlsx", b"PK\x03\x04" + b"\x00" * 50])
def test_a_damaged_file_is_refused_in_vietnamese(data: bytes) -> None:
    with pytest.raises(InvalidReply, match="Không đọc được"):
        read_questionnaire(data)


def test_a_questionnaire_that_unpacks_too_large_is_refused() -> None:
    target = io.BytesIO(saved(questionnaire()))
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/big.bin", b"\x00" * 31_000_000)
    with pytest.raises(InvalidReply, match="30 MB"):
        read_questionnaire(target.getvalue())

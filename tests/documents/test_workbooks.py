"""What holds for every workbook: same bytes, live formulas, text that stays text, notes instead of errors."""

from __future__ import annotations

import copy
import io
import os
import re
import shutil
import subprocess
import sys
import unicodedata
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl.styles import Font

from include.documents import workbooks
from include.documents.libreoffice import find_libreoffice
from include.documents.sample import bare_facts, sample_facts
from include.documents.workbooks import layout
from include.engagement import process
from tests.documents.workbook_reading import needs_libreoffice, opened, recalculated

KEYS = workbooks.KEYS
ROOT = Path(__file__).resolve().parents[2]
HOSTILE = (
    '=HYPERLINK("http://evil.example","x")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "#REF!",
    "a\x00b\x08\x1f\ud800\uffffz",
    "& < > \" ' {{ x }} {% y %}",
    "😀 \u202eabc\u202c",
    "x" * 40_000,
    unicodedata.normalize("NFD", "Đắk Lắk ộ ữ"),
    "[a]:*?/\\'",
)


def built(key: str, language: process.Language = "vi") -> bytes:
    return workbooks.build(key, language=language, facts=sample_facts(language))


def hostile(value: Any, text: str) -> Any:
    """Put ``text`` into every text of the facts but keys of our own."""
    if isinstance(value, dict):
        return {
            key: part
            if key in {"language", "theme", "key", "stage", "revenue_vnd", "cost_vnd", "loan_vnd"}
            else hostile(part, text)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [hostile(part, text) for part in value]
    return text if isinstance(value, str) else value


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("language", process.LANGUAGES)
def test_the_same_facts_give_the_same_bytes_and_other_facts_do_not(key: str, language: process.Language) -> None:
    first = workbooks.build(key, language=language, facts=sample_facts(language))
    assert workbooks.build(key, language=language, facts=sample_facts(language)) == first
    other = {**sample_facts(language), "day": date(2026, 12, 15)}
    assert workbooks.build(key, language=language, facts=other) != first


def test_the_bytes_depend_neither_on_the_hash_seed_nor_on_the_clocks_zone() -> None:
    program = (
        "import hashlib;from include.documents import workbooks;from include.documents.sample import sample_facts\n"
        "built = [workbooks.build(key, language='vi', facts=sample_facts('vi')) for key in workbooks.KEYS]\n"
        "print([hashlib.sha256(data).hexdigest() for data in built])"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Ho_Chi_Minh"))
    }
    assert len(seen) == 1


def test_importing_the_package_loads_no_openpyxl() -> None:
    program = "import sys, include.documents.workbooks; sys.exit('openpyxl' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
        ).returncode
        == 0
    )


def test_every_workbook_of_the_procedure_is_built_and_nothing_else() -> None:
    assert set(KEYS) == {key for key, document in process.DOCUMENTS.items() if document.format == "xlsx"}
    with pytest.raises(KeyError):
        workbooks.build("contract", language="vi", facts=sample_facts("vi"))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
def test_client_text_never_becomes_a_formula_or_breaks_the_file(key: str, text: str) -> None:
    plain = opened(workbooks.build(key, language="vi", facts=sample_facts("vi")))
    facts = hostile(copy.deepcopy(sample_facts("vi")), text)
    book = opened(workbooks.build(key, language="vi", facts=facts))
    assert "HYPERLINK" not in str([c.value for s in book for r in s.iter_rows() for c in r if c.data_type == "f"])
    formulas = [sum(c.data_type == "f" for s in w for r in s.iter_rows() for c in r) for w in (plain, book)]
    assert formulas[0] == formulas[1]
    shown = text[:10] if text.startswith("=") else ""
    if shown:
        cells = [c for s in book for r in s.iter_rows() for c in r if isinstance(c.value, str) and shown in c.value]
        assert cells and all(c.data_type == "s" and c.quotePrefix for c in cells)


@pytest.mark.parametrize("key", KEYS)
def test_no_macro_link_or_connection_is_in_the_file(key: str) -> None:
    with zipfile.ZipFile(io.BytesIO(workbooks.build(key, language="vi", facts=sample_facts("vi")))) as archive:
        names = archive.namelist()
    assert not [name for name in names if "vba" in name.lower() or "external" in name.lower() or "connection" in name]


@pytest.mark.parametrize("key", KEYS)
def test_every_visible_sheet_is_set_up_for_a4_with_a_print_area(key: str) -> None:
    for sheet in opened(workbooks.build(key, language="vi", facts=sample_facts("vi"))):
        if sheet.sheet_state == "visible":
            assert sheet.page_setup.paperSize == 9, sheet.title
            assert sheet.page_setup.fitToWidth == 1, sheet.title
            assert sheet.print_area, sheet.title
            assert "KHV-2026-0042" in sheet.oddFooter.center.text


@pytest.mark.parametrize("key", KEYS)
def test_an_english_workbook_has_no_vietnamese_wording_of_ours(key: str) -> None:
    facts = sample_facts("en")
    for party in (facts["firm"], facts["client"]):
        party["bank"] = {"account": "", "bank": ""}
        party["representative"] = {"name": "", "title": ""}
    facts["firm"]["account_manager"]["name"] = facts["client"]["contact"]["name"] = "A"
    for sheet in opened(workbooks.build(key, language="en", facts=facts)):
        for row in sheet.iter_rows():
            for cell in row:
                assert not set(str(cell.value or "").lower()) & set(
                    "ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệịọỏốồổỗộớờởỡợụủứừửữự"
                ), cell


@needs_libreoffice
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("facts_of", [sample_facts, bare_facts], ids=["whole", "bare"])
def test_libreoffice_calculates_it_without_an_error_value(key: str, facts_of: Any, tmp_path: Path) -> None:
    values = recalculated(workbooks.build(key, language="vi", facts=facts_of("vi")))
    for title, rows in values.items():
        for row in rows:
            for cell in row:
                assert not (isinstance(cell, str) and cell.startswith("#")) and "Err:" not in str(cell), (title, row)


def test_the_questionnaire_and_its_guide_say_nothing_of_a_price() -> None:
    for language in process.LANGUAGES:
        facts = sample_facts(language)
        book = opened(workbooks.build("questionnaire", language=language, facts=facts))
        text = " ".join(str(c.value) for s in book for r in s.iter_rows() for c in r if c.value).casefold()
        for word in ("báo giá", "thù lao", "phí dịch vụ", "our fee", "quote", "199.800.000", "199800000", "185000000"):
            assert word not in text


def _formats(data: bytes) -> set[str]:
    return {
        cell.number_format
        for sheet in opened(data)
        for row in sheet.iter_rows()
        for cell in row
        if cell.number_format != "General" and any(sign in cell.number_format for sign in "0#")
    }


@pytest.mark.parametrize("key", KEYS)
def test_numbers_in_a_vietnamese_workbook_are_written_the_vietnamese_way_on_any_computer(key: str) -> None:
    assert all(entry.startswith("[$-42A]") for entry in _formats(built(key)))
    assert not [entry for entry in _formats(built(key, "en")) if "[$-42A]" in entry]
    assert key in ("timetable", "work_plan") or _formats(built(key))


@needs_libreoffice
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not installed")
def test_an_amount_is_printed_with_dots_in_vietnamese_and_commas_in_english(tmp_path: Path) -> None:
    office = find_libreoffice()
    assert office is not None
    amounts = {"vi": "8.200.000.000", "en": "8,200,000,000"}
    for language in process.LANGUAGES:
        pdf = tmp_path / f"{language}.pdf"
        pdf.write_bytes(office.pdf(built("financial_model", language), extension="xlsx"))
        first = subprocess.run(
            ["pdftotext", "-l", "1", pdf, "-"], capture_output=True, check=True, text=True, timeout=60
        ).stdout
        assert [amount for amount in amounts.values() if amount in first] == [amounts[language]]


@pytest.mark.parametrize("key", KEYS)
def test_sheets_charts_and_footers_are_in_one_type(key: str) -> None:
    with zipfile.ZipFile(io.BytesIO(built(key))) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".xml")}
    assert set(re.findall(r'<name val="([^"]+)"', parts["xl/styles.xml"])) == {"Times New Roman"}
    for name, part in parts.items():
        if name.startswith("xl/charts/"):
            assert part.count('<a:latin typeface="Times New Roman"') >= 4, name
        if name.startswith("xl/worksheets/"):
            assert part.count("Times New Roman,Regular") in (0, 3), name


def test_the_lines_of_a_text_are_reckoned_by_words_and_by_breaks() -> None:
    assert layout.lines("", 10) == 1
    assert layout.lines("một\nhai\n", 10) == 3
    assert layout.lines("mười hai chữ cái", 40) == 1
    sentence = "Kế hoạch chỉ chính xác khi thông tin đầy đủ và đúng thực tế."
    assert layout.lines(sentence, 60) == 1
    assert layout.lines(sentence, 30) == 2
    assert 10 <= layout.lines("x" * 100, 10) <= 12  # a word that no line holds
    assert layout.lines(sentence, 60, size=22) == 2


def test_looks_that_are_alike_are_kept_once() -> None:
    book, sheet = layout.new_workbook("vi")
    first = layout.put(sheet, "A1", "một", bold=True, box=True)
    second = layout.put(sheet, "B7", "hai", bold=True, box=True)
    other = layout.put(sheet, "C1", "ba", bold=True)
    assert first.style_id == second.style_id != other.style_id
    second.font = Font(name="Arial")  # a cell that is changed later leaves the others alone
    assert first.font.name == layout.FONT and len(book.worksheets) == 1


@pytest.mark.parametrize(
    ("key", "titles"),
    [
        (
            "financial_model",
            ["Doanh thu và lợi nhuận (triệu VND)", "Tiền cuối năm và dư nợ (triệu VND)",
             "NPV theo kịch bản (triệu VND)", "NPV thay đổi (triệu VND)"],
        ),
        (
            "plan_against_actual",
            ["Doanh thu: kế hoạch và thực hiện (triệu VND)", "Lợi nhuận: kế hoạch và thực hiện (triệu VND)"],
        ),
    ],
)  # fmt: skip
def test_each_chart_has_its_title_as_alternative_text(key: str, titles: list[str]) -> None:
    with zipfile.ZipFile(io.BytesIO(built(key))) as archive:
        drawings = [archive.read(name).decode() for name in sorted(archive.namelist()) if "/drawings/draw" in name]
    assert re.findall(r'name="Chart \d" descr="([^"]+)"', "".join(drawings)) == titles

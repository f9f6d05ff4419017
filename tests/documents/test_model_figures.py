"""The business plan shows what the financial model says, and says so where it says nothing."""

from __future__ import annotations

import io

import docx
import pytest
from openpyxl import load_workbook

from include.documents.cached_values import with_cached_values
from include.documents.libreoffice import find_libreoffice
from include.documents.model_figures import model_figures, plan_figures
from include.documents.render import render
from include.documents.sample import bare_facts, sample_facts
from tests.documents.workbook_reading import needs_libreoffice

pytestmark = needs_libreoffice


def _model(facts_of, language: str) -> bytes:
    office = find_libreoffice()
    assert office is not None
    return with_cached_values(render("financial_model", language=language, facts=facts_of(language)).data, office)


@pytest.fixture(scope="module")
def full() -> bytes:
    return _model(sample_facts, "vi")


def test_each_row_stands_where_its_label_says(full: bytes) -> None:
    book = load_workbook(io.BytesIO(full), data_only=True).worksheets
    places = ((7, 7), (7, 10), (7, 16), (8, 25), (10, 25), (10, 26))
    assert [book[sheet].cell(row, 1).value for sheet, row in places] == [
        "Doanh thu", "Lợi nhuận trước khấu hao, lãi vay và thuế (EBITDA)", "Lợi nhuận sau thuế", "Tiền cuối năm",
        "Gốc và lãi phải trả", "DSCR toàn doanh nghiệp",
    ]  # fmt: skip
    assert [book[11].cell(row, 1).value for row in (8, 9, 10)] == ["Cơ sở", "Thận trọng", "Thuận lợi"]
    assert book[11].cell(7, 11).value == "NPV (VND)"
    assert [book[7].cell(row, 1).value for row in (8, 9)] == ["Chi phí biến đổi", "Chi phí cố định"]


def test_costs_are_what_lies_between_revenue_and_ebitda(full: bytes) -> None:
    numbers = model_figures(full, "vi")["numbers"]
    assert min(numbers["costs"]) > 0
    between = [revenue - ebitda for revenue, ebitda in zip(numbers["revenue"], numbers["ebitda"], strict=True)]
    assert numbers["costs"] == pytest.approx(between)


def test_loan_and_own_capital_pay_the_investment(full: bytes) -> None:
    assert model_figures(full, "vi")["numbers"]["funding"] == {"loan": 6_000_000_000, "own_capital": 2_200_000_000}


def test_figures_are_written_as_vietnamese_readers_write_them(full: bytes) -> None:
    figures = model_figures(full, "vi")
    assert figures["years"][0] == "Năm 1 – 2027"
    assert figures["rows"][0] == {
        "title": "Doanh thu (triệu đồng)", "values": ["18.809", "21.216", "23.123", "24.153", "25.230"],
    }  # fmt: skip
    assert [entry["value"] for entry in figures["key"]] == ["-649", "9,4%", "Chưa hoàn vốn trong kỳ", "12.900", "1,91"]
    assert figures["numbers"]["scenarios"][0] == pytest.approx(figures["numbers"]["project_npv"])


def test_an_english_model_gives_the_same_numbers(full: bytes) -> None:
    vietnamese, english = model_figures(full, "vi"), model_figures(_model(sample_facts, "en"), "en")
    assert english["numbers"] == vietnamese["numbers"]
    assert english["rows"][0]["values"][0] == "18,809"


def test_what_the_model_cannot_compute_is_said_to_be_missing() -> None:
    figures = model_figures(_model(bare_facts, "vi"), "vi")
    assert {text for row in figures["rows"] for text in row["values"]} == {"chưa có số liệu"}
    assert {entry["value"] for entry in figures["key"] + figures["scenarios"]} == {"chưa có số liệu"}
    numbers = figures["numbers"]
    assert {*numbers["costs"], *numbers["funding"].values(), numbers["opening_cash"]} == {None}
    assert figures["notes"] == [
        "Thiếu số liệu: doanh thu năm gần nhất; chi phí năm gần nhất; vốn đầu tư dự án",
        "Không có hoặc thiếu số tiền vay: mô hình tính toàn bộ bằng vốn tự có.",
        "Thiếu số liệu: vốn điều lệ. Tình hình tài chính chưa phản ánh đúng.",
        "Chưa có số liệu tiền đầu kỳ: tiền cuối năm chưa gồm số tiền doanh nghiệp đang có.",
        "Thiếu số liệu: thời gian lập kế hoạch. Tạm tính 5 năm.",
    ]


def test_cash_that_leaves_out_what_the_company_has_is_not_shown_without_a_word(full: bytes) -> None:
    assert model_figures(full, "vi")["notes"] == [
        "Chưa có số liệu tiền đầu kỳ: tiền cuối năm chưa gồm số tiền doanh nghiệp đang có."
    ]


def test_a_model_in_the_other_language_is_not_read(full: bytes) -> None:
    with pytest.raises(ValueError, match="Summary"):
        model_figures(full, "en")


def test_years_without_debt_lack_nothing() -> None:
    def longer(language: str) -> dict[str, object]:
        facts = sample_facts(language)
        return {**facts, "need": {**facts["need"], "horizon_months": 84}}

    rows = model_figures(_model(longer, "vi"), "vi")["rows"]
    assert rows[-1]["values"][-1] == "–"
    assert "chưa có số liệu" not in rows[-1]["values"]


def test_a_plan_shows_notes_instead_of_a_table_of_gaps() -> None:
    shown = plan_figures(_model(bare_facts, "vi"), "vi")
    assert (shown["by_year"], shown["results"], shown["charts"]) == ([], [], [])
    assert any("Thiếu số liệu" in note for note in shown["notes"])
    facts = bare_facts("vi") | {"model": shown}
    text = "\n".join(p.text for p in docx.Document(io.BytesIO(render("business_plan", language="vi", facts=facts).data))
                     .paragraphs)
    assert "Thiếu số liệu" in text and "Kết quả của mô hình tài chính theo năm" not in text

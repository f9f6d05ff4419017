"""The financial model: live formulas, equal to plain Python's reckoning, and nothing missing is an error."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from include.documents import workbooks
from include.documents.libreoffice import find_libreoffice
from include.documents.sample import bare_facts, sample_facts
from include.documents.workbooks.financial_model.assumptions import SCENARIOS, VARIED, tax_rate
from tests.documents.independent_model import reckon
from tests.documents.workbook_reading import (
    cell_of,
    needs_libreoffice,
    opened,
    recalculated,
    row_of,
    saved,
    value_of,
)

SINGLE = (
    "revenue_base",
    "cost_base",
    "charter_capital",
    "opening_cash",
    "opening_retained",
    "investment",
    "share_building",
    "share_machine",
    "share_other",
    "life_building",
    "life_machine",
    "life_other",
    "loan",
    "loan_rate",
    "loan_term",
    "loan_grace",
    "variable_share",
    "project_fixed_share",
    "receivable_days",
    "inventory_days",
    "payable_days",
    "tax_rate",
    "payout",
    "discount_rate",
    "residual_rate",
)


def model(**changes: Any) -> Workbook:
    return opened(workbooks.build("financial_model", language="vi", facts={**sample_facts("vi"), **changes}))


def assumptions(book: Workbook, scenario: int) -> tuple[dict[str, float], list[float]]:
    """Read the inputs as they stand in the workbook."""
    given = {name: float(cell_of(book, name).value or 0) for name in SINGLE}
    for varied in VARIED:
        cell = cell_of(book, varied.name)
        given[varied.name] = float(cell.parent.cell(cell.row, 3 + scenario).value)
    sheet = book["Giả định"]
    ramp = next(row for row in sheet.iter_rows() if row[0].value == "Mức sử dụng công suất của dự án")
    return given, [float(cell.value) for cell in ramp[3:] if cell.value is not None]


HARD = {  # inputs far from the usual ones: overrun, grace, losses, short life, dividends, heavy working capital
    "cost_base": 15_200_000_000,
    "opening_cash": 700_000_001,
    "opening_retained": -350_000_000,
    "loan_grace": 1,
    "life_other": 2,
    "payout": 0.35,
    "receivable_days": 75,
    "inventory_days": 90,
    "payable_days": 11,
    "loan": 9_000_000_000,
    "variable_share": 0.55,
    "discount_rate": 0.085,
}
CASES = [
    pytest.param(60, {}, 1, id="sample, base"),
    pytest.param(60, {}, 2, id="sample, cautious"),
    pytest.param(12, {}, 3, id="three years, favourable"),
    pytest.param(200, {"cost_base": 8_000_000_000}, 3, id="ten years, profitable"),
    pytest.param(84, HARD, 2, id="seven years, loss-making"),
]


@needs_libreoffice
@pytest.mark.parametrize(("months", "inputs", "scenario"), CASES)
def test_libreoffice_and_plain_python_agree_to_the_dong(
    months: int, inputs: dict[str, float], scenario: int, tmp_path: Path
) -> None:
    book = model(need={"purpose": "Vay vốn", "horizon_months": months})
    for name, value in inputs.items():
        cell_of(book, name).value = value
    cell_of(book, "scenario").value = SCENARIOS[scenario - 1].vi
    expected = reckon(*assumptions(book, scenario))
    values = recalculated(saved(book))

    def at(name: str) -> Any:
        return value_of(values, book, name)

    assert at("project_npv") == pytest.approx(expected.npv, abs=0.5)
    if expected.irr is None:
        assert at("project_irr") == "Không xác định"
    else:
        assert at("project_irr") == pytest.approx(expected.irr, abs=1e-9)
    if expected.payback is None:
        assert at("payback") == "Chưa hoàn vốn trong kỳ"
    else:
        assert at("payback") == pytest.approx(expected.payback, abs=1e-9)
    assert row_of(values, "Tình hình tài chính", "Tiền và tương đương tiền") == pytest.approx(expected.cash, abs=0.5)
    assert row_of(values, "Tình hình tài chính", "Tổng tài sản") == pytest.approx(expected.assets, abs=0.5)
    assert row_of(values, "Tình hình tài chính", "Tổng nguồn vốn") == pytest.approx(expected.sources, abs=0.5)
    assert expected.assets == pytest.approx(expected.sources, abs=0.5)
    assert row_of(values, "Kết quả kinh doanh", "Lợi nhuận sau thuế") == pytest.approx(expected.net, abs=0.5)
    assert row_of(values, "Thẩm định", "DSCR toàn doanh nghiệp") == pytest.approx(expected.dscr, abs=1e-9)
    assert at("break_even_first") == pytest.approx(expected.break_even_first, abs=0.5)
    checks = row_of(values, "Tình hình tài chính", "Kiểm tra: tài sản trừ nguồn vốn (phải bằng 0)")
    assert set(checks) == {0}
    assert at("check_balance") == 0 and at("check_scenarios") == 0


@needs_libreoffice
def test_the_three_scenarios_side_by_side_equal_each_reckoned_alone(tmp_path: Path) -> None:
    book = model()
    values = recalculated(saved(book))
    rows = {row[0]: row for row in values["Kịch bản, độ nhạy"]}
    for number, scenario in enumerate(SCENARIOS, start=1):
        alone = reckon(*assumptions(book, number))
        assert rows[scenario.vi][10] == pytest.approx(alone.npv, abs=0.5)
        assert rows[scenario.vi][11] == pytest.approx(alone.irr, abs=1e-9)
    given, ramp = assumptions(book, 1)
    dearer = reckon({**given, "investment": given["investment"] * 1.2}, ramp)
    assert rows["Vốn đầu tư +20%"][10] == pytest.approx(dearer.npv, abs=0.5)


@needs_libreoffice
def test_an_unbalanced_statement_would_show_in_the_check(tmp_path: Path) -> None:
    book = model()
    sheet = book["Tình hình tài chính"]
    retained = next(row for row in sheet.iter_rows() if row[0].value == "Lợi nhuận chưa phân phối")
    for cell in retained[3:8]:
        cell.value = f"{cell.value}+5"
    assert value_of(recalculated(saved(book)), book, "check_balance") != 0


@needs_libreoffice
@pytest.mark.parametrize(
    ("missing", "value", "note"),
    [
        ("revenue_vnd", "", "doanh thu năm gần nhất"),
        ("revenue_vnd", "0", "doanh thu năm gần nhất"),
        ("cost_vnd", "chưa có", "chi phí năm gần nhất"),
    ],
)
def test_a_missing_or_zero_figure_is_named_where_results_stand(
    missing: str, note: str, value: str, tmp_path: Path
) -> None:
    facts = sample_facts("vi")
    book = model(answer={**facts["answer"], missing: value})
    values = recalculated(saved(book))
    assert value_of(values, book, "project_npv") == f"Thiếu số liệu: {note}"
    assert any(row and row[0] == f"Thiếu số liệu: {note}" for row in values["Tổng quan"])
    shown = [cell for rows in values.values() for row in rows for cell in row if isinstance(cell, str)]
    assert not [cell for cell in shown if cell.startswith("#") or "Err:" in cell]


@needs_libreoffice
def test_without_a_loan_the_model_says_so_and_still_has_a_net_present_value(tmp_path: Path) -> None:
    book = model(answer={**sample_facts("vi")["answer"], "loan_vnd": ""})
    values = recalculated(saved(book))
    assert value_of(values, book, "dscr_min") == "Không có khoản vay"
    assert isinstance(value_of(values, book, "project_npv"), float)
    assert any("Không có hoặc thiếu số tiền vay" in str(cell) for row in values["Tổng quan"] for cell in row)


@needs_libreoffice
def test_the_first_page_says_that_opening_cash_is_missing_until_somebody_enters_it() -> None:
    book = model()
    values = recalculated(saved(book))
    assert value_of(values, book, "notes").startswith("• Chưa có số liệu tiền đầu kỳ")
    assert any("Lưu ý" in row for row in values["Tổng quan"])
    cell_of(book, "opening_cash").value = 0
    values = recalculated(saved(book))
    assert value_of(values, book, "notes") == ""
    assert not any("Lưu ý" in row for row in values["Tổng quan"])


@needs_libreoffice
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not installed")
def test_amounts_of_a_large_company_have_room_on_paper(tmp_path: Path) -> None:
    facts = sample_facts("vi")
    large = {**facts["answer"], "revenue_vnd": "845.000.000.000", "cost_vnd": "790.000.000.000"}
    finance = {**facts["finance"], "investment_vnd": 310_000_000_000}
    book = model(need={"purpose": "", "horizon_months": 120}, answer=large, finance=finance)
    office = find_libreoffice()
    assert office is not None
    pdf = tmp_path / "model.pdf"
    pdf.write_bytes(office.pdf(saved(book), extension="xlsx"))
    text = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, check=True, text=True, timeout=60).stdout
    assert "1.096.134.000.000" in text and "##" not in text


def test_assumptions_stand_upright_on_one_page_unless_there_are_many_years() -> None:
    for months, orientation, tall in ((60, "portrait", 1), (120, "landscape", 0)):
        setup = model(need={"purpose": "", "horizon_months": months})["Giả định"].page_setup
        assert (setup.orientation, setup.fitToHeight) == (orientation, tall)


@pytest.mark.parametrize(("months", "years"), [(1, 3), (36, 3), (37, 4), (60, 5), (120, 10), (600, 10), (None, 5)])
def test_the_years_follow_the_horizon_between_three_and_ten(months: int | None, years: int) -> None:
    book = model(need={"purpose": "", "horizon_months": months})
    header = next(row for row in book["Doanh thu"].iter_rows() if row[0].value == "Chỉ tiêu")
    assert sum(str(cell.value).startswith("Năm ") for cell in header) == years + 1


def test_results_and_statements_are_formulas_and_only_inputs_are_numbers() -> None:
    book = model()
    for title in (
        "Khấu hao",
        "Lịch vay",
        "Doanh thu",
        "Chi phí",
        "Kết quả kinh doanh",
        "Lưu chuyển tiền",
        "Tình hình tài chính",
        "Thẩm định",
        "Tính kịch bản",
    ):
        cells = [cell for row in book[title].iter_rows() for cell in row]
        assert sum(cell.data_type == "f" for cell in cells) > 20
        assert not [cell for cell in cells if cell.data_type == "n" and cell.value is not None], title
    for name in SINGLE:
        cell = cell_of(book, name)
        assert cell.data_type == "n" and cell.fill.start_color.rgb.endswith("FFF6D6"), name


def test_the_clients_figures_stand_in_the_assumptions() -> None:
    book = model()
    figures = {
        name: cell_of(book, name).value
        for name in ("revenue_base", "cost_base", "loan", "investment", "charter_capital")
    }
    assert figures == {
        "revenue_base": 14_500_000_000,
        "cost_base": 11_900_000_000,
        "loan": 6_000_000_000,
        "investment": 8_200_000_000,
        "charter_capital": 5_000_000_000,
    }


def test_the_project_size_stands_in_for_an_investment_that_was_not_given() -> None:
    facts = sample_facts("vi")
    book = model(finance={**facts["finance"], "investment_vnd": None})
    assert cell_of(book, "investment").value == 12_500_000_000


def test_the_scenario_is_chosen_from_a_list_and_charts_are_there() -> None:
    book = model()
    scenario = cell_of(book, "scenario")
    lists = [rule for rule in scenario.parent.data_validations.dataValidation if rule.type == "list"]
    assert [rule.formula1 for rule in lists] == ['"Cơ sở,Thận trọng,Thuận lợi"']
    assert scenario.coordinate in str(lists[0].sqref)
    assert len(book["Tổng quan"]._charts) == 2 and len(book["Kịch bản, độ nhạy"]._charts) == 2


def test_only_functions_that_old_spreadsheet_programs_know_are_used() -> None:
    known = {
        "ABS",
        "AND",
        "AVERAGE",
        "CHAR",
        "COUNT",
        "IF",
        "IFERROR",
        "INDEX",
        "IRR",
        "ISNUMBER",
        "MATCH",
        "MAX",
        "MID",
        "MIN",
        "N",
        "NPV",
        "ROUND",
        "SUM",
    }
    used = {
        name
        for sheet in model()
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f"
        for name in re.findall(r"([A-Z][A-Z.]+|N)\(", re.sub(r'"[^"]*"', "", cell.value))
    }
    assert used <= known


@pytest.mark.parametrize(
    ("revenue", "rate"),
    [
        (None, 0.20),
        (0, 0.20),
        (3_000_000_000, 0.15),
        (3_000_000_001, 0.17),
        (50_000_000_000, 0.17),
        (50_000_000_001, 0.20),
    ],
)
def test_the_tax_rate_follows_the_revenue_of_the_year_before(revenue: float | None, rate: float) -> None:
    assert tax_rate(revenue) == rate


def test_a_bare_engagement_gets_a_model_to_fill_in() -> None:
    book = opened(workbooks.build("financial_model", language="en", facts=bare_facts("en")))
    assert cell_of(book, "revenue_base").value is None
    assert book.sheetnames[0] == "Summary"

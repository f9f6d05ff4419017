"""The first sheet: results, whether they meet the usual conditions, what is missing, checks and charts."""

from __future__ import annotations

from typing import Any

from openpyxl.chart import BarChart, LineChart, Reference
from openpyxl.chart.series import SeriesLabel

from include.documents.workbooks import layout
from include.documents.workbooks.charts import finish
from include.documents.workbooks.figures import at
from include.documents.workbooks.financial_model.grid import YEAR_0, Model, Page, text
from include.documents.workbooks.layout import MONEY, RATIO, calculate, put
from include.engagement import process

_LAST = 8
_ROW = 22  # points


def write(model: Model, page: Page) -> None:
    """Write the sheet; the others must have their places by now."""
    sheet, say = page.sheet, model.say
    layout.widths(sheet, A=42, B=8, C=24, D=20, E=12, F=3, G=42, H=18)
    page.title(
        process.DOCUMENTS["financial_model"].title.in_(model.language)
        + say(f" – {model.years} năm", f" – {model.years} years"),
        columns=_LAST,
    )
    purpose = str(at(model.facts, "need.purpose") or "–")
    sheet.merge_cells(f"A{page.row}:H{page.row}")
    put(sheet, f"A{page.row}", say("Mục đích: ", "Purpose: ") + purpose, wrap=True, vertical="top")
    sheet.row_dimensions[page.row].height = min(120, 16 * layout.lines(purpose, 155) + 2)
    page.row += 1
    put(
        sheet,
        f"A{page.row}",
        say("Kịch bản đang tính (đổi ở trang Giả định)", "Scenario in use (change it on Assumptions)"),
    )
    calculate(sheet, f"C{page.row}", "=scenario", bold=True, colour=layout.RED, horizontal="center", box=True)
    page.row += 1
    sheet.merge_cells(f"A{page.row}:H{page.row}")
    calculate(sheet, f"A{page.row}", "=missing_note", bold=True, colour=layout.RED, size=12)
    layout.colour_when(sheet, f"A{page.row}:H{page.row}", "ready=0", layout.RED_PALE)
    page.row += 1
    first = page.row
    _results(page)
    below = page.row
    page.row = first
    _checks(page)
    _notes(page, last=below - 1)
    page.row = below + 1
    _charts(page)


def _results(page: Page) -> None:
    sheet, say = page.sheet, page.model.say
    layout.head(
        sheet,
        page.row,
        [
            say("Kết quả", "Result"),
            say("Đơn vị", "Unit"),
            say("Giá trị", "Value"),
            say("Điều kiện thường dùng", "Usual condition"),
        ],
        height=_ROW,
    )
    sheet.merge_cells(f"D{page.row}:E{page.row}")
    page.row += 1
    met, unmet = text(say("Đạt", "Met")), text(say("Chưa đạt", "Not met"))
    years, times = say("năm", "years"), say("lần", "times")
    lacking = text(say("Thiếu số liệu", "Figures missing"))  # which ones stands in full above: here is no room
    rows: tuple[tuple[str, str, str, str, str | None, str], ...] = (
        (say("Tổng vốn đầu tư", "Investment"), "invest_total", "VND", MONEY, None, ""),
        (say("Vốn vay", "Loan"), "funding_loan", "VND", MONEY, None, ""),
        ("NPV", "project_npv", "VND", MONEY, "project_npv>0", "> 0"),
        ("IRR", "project_irr", "%", "0.0%", "project_irr>discount_rate", say("> suất chiết khấu", "> discount rate")),
        (say("Thời gian hoàn vốn có chiết khấu", "Discounted payback"), "payback", years, "0.0", None, ""),
        (say("Chỉ số sinh lời (PI)", "Profitability index"), "profitability", times, "0.00", "profitability>1", "> 1"),
        (
            say("DSCR thấp nhất, toàn doanh nghiệp", "Lowest DSCR of the company"),
            "dscr_min",
            times,
            RATIO,
            "dscr_min>=dscr_required",
            say("≥ mức yêu cầu", "≥ required"),
        ),
        (
            say("DSCR thấp nhất, chỉ từ dự án", "Lowest DSCR of the project alone"),
            "dscr_project_min",
            times,
            RATIO,
            "dscr_project_min>=dscr_required",
            say("≥ mức yêu cầu", "≥ required"),
        ),
        (say("Doanh thu hòa vốn năm 1", "Break-even revenue of year 1"), "break_even_first", "VND", MONEY, None, ""),
    )
    first = page.row
    for label, name, unit, number_format, condition, wording in rows:
        sheet.row_dimensions[page.row].height = _ROW
        put(sheet, f"A{page.row}", label, box=True, indent=1)
        put(sheet, f"B{page.row}", unit, box=True, size=9, horizontal="center")
        calculate(
            sheet,
            f"C{page.row}",
            f"=IF(ISNUMBER({name}),{name},IF(ready=1,{name},{lacking}))",
            box=True,
            bold=True,
            number_format=number_format,
            horizontal="right",
            wrap=True,
        )
        put(sheet, f"D{page.row}", wording, box=True, horizontal="center", size=10)
        # Text compares as greater than any number: a note must not look like a condition met.
        formula = f'=IF(ISNUMBER({name}),IF({condition},{met},{unmet}),"–")' if condition else '=""'
        calculate(sheet, f"E{page.row}", formula, box=True, bold=True, horizontal="center")
        page.row += 1
    area = f"E{first}:E{page.row - 1}"
    layout.colour_when(sheet, area, f"E{first}={met}", layout.GREEN_PALE)
    layout.colour_when(sheet, area, f"E{first}={unmet}", layout.RED_PALE)


def _checks(page: Page) -> None:
    model, sheet, say = page.model, page.sheet, page.model.say
    titles = [say("Kiểm tra mô hình", "Checks"), say("Chênh lệch (VND)", "Difference (VND)")]
    layout.head(sheet, page.row, titles, first_column=7, height=_ROW)
    page.row += 1
    first = page.row
    style: dict[str, Any] = {"box": True, "number_format": "0", "horizontal": "right"}
    put(
        sheet,
        f"G{page.row}",
        say("Tài sản = nguồn vốn, mọi năm", "Assets = liabilities and equity, all years"),
        box=True,
        indent=1,
    )
    model.later(sheet, f"H{page.row}", "MAX(MAX([check:0]),-MIN([check:0]))", **style)
    model.name("check_balance", sheet, f"H{page.row}")
    page.row += 1
    put(sheet, f"G{page.row}", say("NPV hai cách tính bằng nhau", "NPV reckoned twice agrees"), box=True, indent=1)
    calculate(sheet, f"H{page.row}", "=check_scenarios", **style)
    page.row += 1
    put(sheet, f"G{page.row}", say("Thiếu nguồn vốn cho đầu tư", "Investment not funded"), box=True, indent=1)
    calculate(sheet, f"H{page.row}", "=MAX(0,-check_funding)", **style)
    area = f"H{first}:H{page.row}"
    layout.colour_when(sheet, area, f"H{first}=0", layout.GREEN_PALE)
    layout.colour_when(sheet, area, f"H{first}<>0", layout.RED_PALE)
    page.row += 1


def _notes(page: Page, *, last: int) -> None:
    """Repeat the notes of the sheet of assumptions, down to the row ``last``, where a reader of page 1 sees them."""
    model, sheet = page.model, page.sheet
    heading = text(model.say("Lưu ý", "Notes"))
    calculate(sheet, f"G{page.row}", f'=IF(notes="","",{heading})', bold=True, colour=layout.NAVY, vertical="bottom")
    page.row += 1
    sheet.merge_cells(f"G{page.row}:H{last}")
    calculate(sheet, f"G{page.row}", "=notes", colour=layout.AMBER, size=10, wrap=True, vertical="top")


def _charts(page: Page) -> None:
    model, sheet, say = page.model, page.sheet, page.model.say
    income, header_row = model.cells("is_revenue")
    last = model.last_column

    def row_of(key: str, *, from_zero: bool = False) -> Reference:
        on, row = model.cells(key)
        return Reference(on, min_col=YEAR_0 if from_zero else YEAR_0 + 1, max_col=last, min_row=row)

    years = Reference(income, min_col=YEAR_0 + 1, max_col=last, min_row=header_row - 1)
    for anchor, chart, title, width, series in (
        (
            "A",
            BarChart(),
            say("Doanh thu và lợi nhuận (triệu VND)", "Revenue and profit (VND million)"),
            13.4,
            (
                ("is_revenue", say("Doanh thu", "Revenue")),
                ("ebitda", "EBITDA"),
                ("net", say("Lợi nhuận sau thuế", "Net profit")),
            ),
        ),
        (
            "D",
            LineChart(),
            say("Tiền cuối năm và dư nợ (triệu VND)", "Cash and loan (VND million)"),
            17.4,
            (("cash", say("Tiền", "Cash")), ("debt", say("Dư nợ", "Loan"))),
        ),
    ):
        for key, name in series:
            chart.add_data(row_of(key), from_rows=True, titles_from_data=False)
            chart.series[-1].tx = SeriesLabel(v=name)
        chart.set_categories(years)
        finish(chart, title=title, x="", width=width, height=9, language=model.language)
        sheet.add_chart(chart, f"{anchor}{page.row}")
    page.row += 18

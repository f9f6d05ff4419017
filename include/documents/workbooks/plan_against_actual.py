"""Plan against actual after the handover: the visits' figures beside the plan's, variances as formulas, charts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openpyxl.chart import BarChart, LineChart, Reference
from openpyxl.worksheet.worksheet import Worksheet

from include.documents.workbooks import layout
from include.documents.workbooks.charts import finish
from include.documents.workbooks.figures import at, day, figure
from include.documents.workbooks.layout import calculate, put
from include.engagement import process
from include.engagement.process import Language, Text

_MEASURES: tuple[tuple[str, Text], ...] = (
    ("revenue", Text("Doanh thu", "Revenue")),
    ("cost", Text("Chi phí", "Costs")),
    ("profit", Text("Lợi nhuận", "Profit")),
)
_MOST_VISITS_ON_A_PAGE = 12


def build(*, language: Language, facts: Mapping[str, Any]) -> bytes:
    """Return the comparison of ``facts["visit"]["history"]`` with a twelfth of the plan's year for each month."""

    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    workbook, sheet = layout.new_workbook(language)
    sheet.title = say("So sánh", "Comparison")
    layout.widths(sheet, A=10, B=20, C=15, D=15, E=15, F=9, G=15, H=15, I=15, J=9, K=15, L=15, M=15, N=9)
    history = list(at(facts, "visit.history") or [])
    last_day = day(at(facts, "visit.day"))
    row = layout.title_block(
        sheet,
        title=process.DOCUMENTS["plan_against_actual"].title.in_(language).upper(),
        language=language,
        facts=facts,
        subtitle=say("Đơn vị: VND", "Amounts in VND") + (f" – {last_day:%d/%m/%Y}" if last_day else ""),
    )
    base = _baseline(sheet, row, language=language, facts=facts)
    header = base + 3
    _header(sheet, header - 1, language)
    if not history:
        put(
            sheet,
            f"A{header + 1}",
            layout.missing(say("chưa có số liệu theo dõi", "no monitoring figures yet"), language),
            italic=True,
            colour=layout.RED,
        )
    for offset, visit in enumerate(history):
        _visit(sheet, header + 1 + offset, visit, base=row)
    last = header + max(1, len(history))
    _total(sheet, last + 1, header + 1, last, language)
    limit = f"$C${row + 4}"
    for letters in ("E", "I", "M"):
        worse = "<0" if letters != "I" else ">0"
        share = chr(ord(letters) + 1)
        beyond = f"AND(ISNUMBER(${share}{header + 1}),ABS(${share}{header + 1})>{limit},${letters}{header + 1}{worse})"
        layout.colour_when(sheet, f"{letters}{header + 1}:{share}{last + 1}", beyond, layout.RED_PALE)
    bottom = _notes(sheet, last + 3, history, language)
    if history:
        _charts(sheet, header, last, bottom + 2, language)
        bottom += 20
    layout.page(
        sheet,
        language=language,
        facts=facts,
        freeze=f"C{header + 1}",
        area=f"A1:N{bottom}",
        tall=1 if len(history) <= _MOST_VISITS_ON_A_PAGE else 0,
    )
    return layout.save(workbook, "plan_against_actual", language=language, facts=facts)


def _baseline(sheet: Worksheet, row: int, *, language: Language, facts: Mapping[str, Any]) -> int:
    """Write the plan's year, months a period and tolerance as inputs; return the row after them."""

    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    every = figure(at(facts, "monitoring.every_months"))
    inputs = (
        (
            say("Doanh thu kế hoạch một năm", "Planned revenue a year"),
            figure(at(facts, "answer.revenue_vnd")),
            layout.MONEY,
            "VND",
        ),
        (
            say("Chi phí kế hoạch một năm", "Planned costs a year"),
            figure(at(facts, "answer.cost_vnd")),
            layout.MONEY,
            "VND",
        ),
        (
            say("Số lao động kế hoạch", "Planned employees"),
            figure(at(facts, "finance.employees")),
            layout.COUNT,
            say("người", "people"),
        ),
        (say("Số tháng mỗi kỳ theo dõi", "Months a period"), every or 1, layout.COUNT, say("tháng", "months")),
        (say("Ngưỡng cảnh báo chênh lệch", "Tolerance of variances"), 0.05, "0%", ""),
    )
    for offset, (label, value, number_format, unit) in enumerate(inputs):
        at_row = row + offset
        put(sheet, f"A{at_row}", label, box=True, background=layout.PALE, wrap=True, indent=1)
        sheet.merge_cells(f"A{at_row}:B{at_row}")
        put(
            sheet,
            f"C{at_row}",
            value,
            box=True,
            background=layout.INPUT,
            number_format=number_format,
            horizontal="right",
        )
        put(sheet, f"D{at_row}", unit, size=10, italic=True, indent=1)
        sheet.row_dimensions[at_row].height = 20
        if offset < 3:
            # The cell is asked, not the fact: the note goes when somebody fills the figure in.
            note = layout.missing(label[0].lower() + label[1:], language).replace('"', '""')
            calculate(sheet, f"E{at_row}", f'=IF(N(C{at_row})>0,"","{note}")', italic=True, colour=layout.RED)
    return row + len(inputs)


def _header(sheet: Worksheet, row: int, language: Language) -> None:
    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    layout.head(sheet, row, [say("Kỳ", "Visit"), say("Ngày", "Date")])
    for letter in "AB":
        sheet.merge_cells(f"{letter}{row}:{letter}{row + 1}")
    for number, (_, title) in enumerate(_MEASURES):
        first = 3 + 4 * number
        layout.head(sheet, row, [title.in_(language), "", "", ""], first_column=first, height=20)
        sheet.merge_cells(start_row=row, end_row=row, start_column=first, end_column=first + 3)
        layout.head(
            sheet,
            row + 1,
            [say("Kế hoạch", "Plan"), say("Thực hiện", "Actual"), say("Chênh lệch", "Variance"), "%"],
            first_column=first,
            height=20,
        )


def _visit(sheet: Worksheet, row: int, visit: Mapping[str, Any], *, base: int) -> None:
    sheet.row_dimensions[row].height = 20
    put(sheet, f"A{row}", visit.get("number"), box=True, horizontal="center")
    put(sheet, f"B{row}", day(visit.get("day")), box=True, horizontal="center", number_format=layout.DAY)
    months = f"$C${base + 3}"
    for letter, place in (("C", base), ("G", base + 1)):
        calculate(
            sheet,
            f"{letter}{row}",
            f'=IF(N($C${place})>0,$C${place}/12*{months},"")',
            box=True,
            number_format=layout.MONEY,
        )
    put(
        sheet,
        f"D{row}",
        figure(visit.get("revenue_vnd")),
        box=True,
        number_format=layout.MONEY,
        background=layout.INPUT,
    )
    put(sheet, f"H{row}", figure(visit.get("cost_vnd")), box=True, number_format=layout.MONEY, background=layout.INPUT)
    calculate(sheet, f"K{row}", f'=IF(COUNT(C{row},G{row})=2,C{row}-G{row},"")', box=True, number_format=layout.MONEY)
    calculate(sheet, f"L{row}", f'=IF(COUNT(D{row},H{row})=2,D{row}-H{row},"")', box=True, number_format=layout.MONEY)
    _variances(sheet, row)


def _variances(sheet: Worksheet, row: int, *, bold: bool = False, background: str | None = None) -> None:
    for plan, actual, difference, share in (("C", "D", "E", "F"), ("G", "H", "I", "J"), ("K", "L", "M", "N")):
        calculate(
            sheet,
            f"{difference}{row}",
            f'=IF(COUNT({plan}{row},{actual}{row})=2,{actual}{row}-{plan}{row},"")',
            box=True,
            number_format=layout.MONEY,
            bold=bold,
            background=background,
        )
        calculate(
            sheet,
            f"{share}{row}",
            f'=IF(AND(ISNUMBER({difference}{row}),N({plan}{row})<>0),{difference}{row}/ABS({plan}{row}),"")',
            box=True,
            number_format="+0.0%;-0.0%;0.0%",
            horizontal="right",
            bold=bold,
            background=background,
        )


def _total(sheet: Worksheet, row: int, first: int, last: int, language: Language) -> None:
    put(sheet, f"A{row}", Text("Lũy kế", "Total").in_(language), bold=True, box=True, background=layout.PALE)
    put(sheet, f"B{row}", None, box=True, background=layout.PALE)
    for letter in "CDGHKL":
        calculate(
            sheet,
            f"{letter}{row}",
            f'=IF(COUNT({letter}{first}:{letter}{last})=0,"",SUM({letter}{first}:{letter}{last}))',
            bold=True,
            box=True,
            number_format=layout.MONEY,
            background=layout.PALE,
        )
    _variances(sheet, row, bold=True, background=layout.PALE)


def _notes(sheet: Worksheet, row: int, history: list[Mapping[str, Any]], language: Language) -> int:
    """Write employees and remarks of the visits; return the last row used."""

    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    layout.head(
        sheet,
        row,
        [say("Kỳ", "Visit"), say("Lao động", "Employees"), say("Ghi chú của khách hàng", "The client's notes")],
        height=20,
    )
    sheet.merge_cells(f"C{row}:N{row}")
    for visit in history:
        row += 1
        put(sheet, f"A{row}", visit.get("number"), box=True, horizontal="center")
        put(sheet, f"B{row}", figure(visit.get("jobs")), box=True, horizontal="center", number_format=layout.COUNT)
        notes = str(visit.get("notes") or "–")
        put(sheet, f"C{row}", notes, wrap=True, box=True, vertical="top", indent=1)
        sheet.merge_cells(f"C{row}:N{row}")
        sheet.row_dimensions[row].height = min(400, 16 * layout.lines(notes, 160) + 2)
    return row


def _charts(sheet: Worksheet, header: int, last: int, row: int, language: Language) -> None:
    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    categories = Reference(sheet, min_col=1, min_row=header + 1, max_row=last)
    for anchor, chart, title, columns in (
        (
            f"A{row}",
            BarChart(),
            say("Doanh thu: kế hoạch và thực hiện (triệu VND)", "Revenue: plan and actual (VND million)"),
            (3, 4),
        ),
        (
            f"H{row}",
            LineChart(),
            say("Lợi nhuận: kế hoạch và thực hiện (triệu VND)", "Profit: plan and actual (VND million)"),
            (11, 12),
        ),
    ):
        for column in columns:
            chart.add_data(Reference(sheet, min_col=column, min_row=header, max_row=last), titles_from_data=True)
        chart.set_categories(categories)
        finish(chart, title=title, x=say("Kỳ theo dõi", "Visit"), width=16.2, height=9.5, language=language)
        sheet.add_chart(chart, anchor)

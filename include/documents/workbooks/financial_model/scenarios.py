"""Scenarios and sensitivity side by side: the project's cash flow is calculated again for each case."""

from __future__ import annotations

from dataclasses import dataclass

from openpyxl.chart import BarChart, Reference
from openpyxl.utils import quote_sheetname

from include.documents.workbooks import layout
from include.documents.workbooks.charts import finish
from include.documents.workbooks.financial_model.assumptions import SCENARIOS, VARIED, choices
from include.documents.workbooks.financial_model.grid import Model, Page, text
from include.documents.workbooks.layout import PERCENT, RATIO, calculate, put
from include.engagement.process import Text

_STEPS = (-0.2, -0.1, 0.1, 0.2)


@dataclass(frozen=True)
class Case:
    """One case: a scenario (1–3, None: the one in use) and shocks to revenue, costs and investment (shares)."""

    label: Text
    scenario: int | None
    revenue: float = 0.0
    cost: float = 0.0
    investment: float = 0.0


def _cases() -> tuple[list[Case], list[list[Case]]]:
    scenarios = [Case(title, number) for number, title in enumerate(SCENARIOS, start=1)]
    factors = [
        [
            Case(Text(f"Doanh thu dự án {step:+.0%}", f"Project revenue {step:+.0%}"), None, revenue=step)
            for step in _STEPS
        ],
        [Case(Text(f"Chi phí dự án {step:+.0%}", f"Project costs {step:+.0%}"), None, cost=step) for step in _STEPS],
        [Case(Text(f"Vốn đầu tư {step:+.0%}", f"Investment {step:+.0%}"), None, investment=step) for step in _STEPS],
    ]
    return scenarios, factors


def write(model: Model) -> None:
    """Write the comparison and, behind it, the sheet that calculates each case."""
    page = model.page("Kịch bản, độ nhạy", "Scenarios, sensitivity")
    working = model.page("Tính kịch bản", "Scenario workings")
    working.title(
        model.say("Dòng tiền dự án tính lại cho từng trường hợp", "The project's cash flow, once for each case")
    )
    working.years()
    working.one_page = False
    working.row_height = 15
    page.title(
        model.say(
            "Dòng tiền dự án; doanh thu thay đổi theo sản lượng nên chi phí biến đổi đổi theo",
            "Project cash flow; revenue changes by volume, so variable costs follow",
        ),
        columns=14,
    )
    page.label_width = 32
    layout.widths(page.sheet, A=page.label_width, B=8, C=9, D=9, E=9, F=9, G=9, H=9, I=9, J=9, L=10, N=10)
    layout.widths(page.sheet, K=model.amount_width + 1, M=model.amount_width + 1)
    scenarios, factors = _cases()
    page.section("Ba kịch bản", "Three scenarios")
    _header(page)
    first = page.row
    for case in scenarios:
        _case(page, working, case, base=None)
    names = f"K{first}:K{first + len(scenarios) - 1}"
    page.row += 1
    page.section("Độ nhạy, theo kịch bản đang tính", "Sensitivity, of the scenario in use")
    _header(page)
    base = page.row
    _case(page, working, Case(Text("Không thay đổi", "Unchanged"), None), base=None)
    starts = []
    for factor in factors:
        starts.append(page.row)
        for case in factor:
            _case(page, working, case, base=base)
    page.row += 1
    put(
        page.sheet,
        f"A{page.row}",
        model.say(
            "Kiểm tra: NPV trang Thẩm định trừ NPV tại đây (phải bằng 0)",
            "Check: NPV of the appraisal less the one here (must be 0)",
        ),
        italic=True,
    )
    calculate(
        page.sheet,
        f"K{page.row}",
        f"=IF(ready=1,ROUND(project_npv-INDEX({names},scenario_number),0),0)",
        box=True,
        number_format="0",
    )
    model.name("check_scenarios", page.sheet, f"K{page.row}")
    page.row += 2
    page.break_here()
    _charts(page, first, base, starts)
    page.row += 28


def _header(page: Page) -> None:
    say = page.model.say
    layout.head(
        page.sheet,
        page.row,
        [
            say("Trường hợp", "Case"),
            say("Kịch bản số", "Scenario"),
            say("Doanh thu", "Revenue"),
            say("Chi phí", "Costs"),
            say("Vốn đầu tư", "Investment"),
            say("DT tăng thêm", "Added revenue"),
            say("Tăng giá", "Prices"),
            say("Tăng CP cố định", "Fixed costs"),
            say("Hệ số CP biến đổi", "Variable costs"),
            say("Vượt dự toán", "Overrun"),
            "NPV (VND)",
            "IRR",
            say("NPV so với không đổi (VND)", "NPV against unchanged (VND)"),
            say("DSCR dự án thấp nhất", "Lowest project DSCR"),
        ],
        height=48,
    )
    page.row += 1


def _case(page: Page, working: Page, case: Case, *, base: int | None) -> None:
    """Write a case's row of parameters and results, and its cash flow on the sheet of workings."""
    model, sheet, row = page.model, page.sheet, page.row
    label = case.label.in_(model.language)
    put(sheet, f"A{row}", label, box=True, wrap=True, indent=1, bold=case.scenario is not None)
    page.height(label)
    if case.scenario:
        put(sheet, f"B{row}", case.scenario, box=True, horizontal="center")
    else:
        calculate(sheet, f"B{row}", "=scenario_number", box=True, horizontal="center")
    for letter, shock in (("C", case.revenue), ("D", case.cost), ("E", case.investment)):
        put(
            sheet,
            f"{letter}{row}",
            shock,
            box=True,
            number_format='+0%;-0%;"–"',
            horizontal="center",
            background=layout.INPUT if base else None,
        )
    varied = [assumption.name for assumption in VARIED if assumption.name != "revenue_growth"]
    for letter, name in zip("FGHIJ", varied, strict=True):
        calculate(
            sheet,
            f"{letter}{row}",
            f"=INDEX({choices(model, name)},1,$B{row})",
            box=True,
            number_format=PERCENT,
            horizontal="center",
        )
    here = f"{quote_sheetname(sheet.title)}!"
    p = {
        name: f"{here}${letter}${row}"
        for name, letter in zip(("revenue", "cost", "investment", *varied), "CDEFGHIJ", strict=True)
    }
    k = f"case{row}"
    size = f"(1+{p['overrun']})*(1+{p['investment']})"
    working.section(case.label.vi, case.label.en)
    working.line(
        f"{k}_revenue",
        "Doanh thu",
        "Revenue",
        f"N(revenue_base)*{p['uplift']}*[ramp]*(1+{p['price_growth']})^[t]*(1+{p['revenue']})",
        soft=True,
    )
    working.line(
        f"{k}_cost",
        "Chi phí",
        "Costs",
        f"([{k}_revenue]*IF(N(revenue_base)>0,N(cost_base)*variable_share/revenue_base*{p['variable_factor']},0)"
        f"+N(revenue_base)*{p['uplift']}*project_fixed_share*(1+{p['fixed_inflation']})^[t])*(1+{p['cost']})",
        soft=True,
    )
    # Depreciation and book value are proportional to what was invested; the scenario in use is taken out first.
    working.line(
        f"{k}_tax", "Thuế TNDN", "Tax", f"MAX(0,[{k}_revenue]-[{k}_cost]-[dep]/(1+overrun)*{size})*tax_rate", soft=True
    )
    working.line(
        f"{k}_committed",
        "Vốn lưu động",
        "Working capital",
        f"MAX([{k}_committed@0],[{k}_revenue]*receivable_days/365+[{k}_cost]*(inventory_days-payable_days)/365)",
        zero=f"invest_working/(1+overrun)*{size}",
        soft=True,
    )
    working.line(
        f"{k}_fcf",
        "Dòng tiền thuần",
        "Net cash flow",
        f"[{k}_revenue]-[{k}_cost]-[{k}_tax]-([{k}_committed]-[{k}_committed-])"
        f"+IF([t]=MAX([t:]),[{k}_committed]+[nbv]/(1+overrun)*{size}*residual_rate,0)",
        zero=f"-(invest_building+invest_machine+invest_other)/(1+overrun)*{size}-[{k}_committed]",
    )
    working.line(
        f"{k}_dscr",
        "DSCR dự án",
        "Project DSCR",
        f'IF([service]>0,([{k}_revenue]-[{k}_cost]-[{k}_tax])/[service],"")',
        unit="",
        number_format=RATIO,
        soft=True,
    )
    model.later(
        sheet,
        f"K{row}",
        f'IF(ready=1,NPV(discount_rate,[{k}_fcf:])+[{k}_fcf@0],"–")',
        box=True,
        bold=True,
        number_format=layout.MONEY,
        horizontal="right",
        background=layout.PALE,
    )
    undefined = text(model.say("Không xác định", "Undefined"))
    model.later(
        sheet,
        f"L{row}",
        f'IF(ready=1,IFERROR(IRR([{k}_fcf:0]),{undefined}),"–")',
        box=True,
        number_format="0.0%",
        horizontal="right",
        background=layout.PALE,
    )
    calculate(
        sheet,
        f"M{row}",
        f'=IF(ready=1,K{row}-K{base},"–")' if base else '="–"',
        box=True,
        number_format=layout.MONEY,
        horizontal="right",
    )
    model.later(
        sheet,
        f"N{row}",
        f'IF(AND(ready=1,COUNT([{k}_dscr:])>0),MIN([{k}_dscr:]),"–")',
        box=True,
        number_format=RATIO,
        horizontal="right",
    )
    page.row += 1


def _charts(page: Page, first: int, base: int, starts: list[int]) -> None:
    say, sheet = page.model.say, page.sheet
    bars = BarChart()
    bars.add_data(Reference(sheet, min_col=11, min_row=first, max_row=first + len(SCENARIOS) - 1))
    bars.set_categories(Reference(sheet, min_col=1, min_row=first, max_row=first + len(SCENARIOS) - 1))
    title = say("NPV theo kịch bản (triệu VND)", "NPV by scenario (VND million)")
    finish(bars, title=title, x="", width=13.5, height=14, language=page.model.language)
    bars.legend = None
    sheet.add_chart(bars, f"A{page.row}")
    tornado = BarChart()
    tornado.type = "bar"
    tornado.add_data(Reference(sheet, min_col=13, min_row=base + 1, max_row=starts[-1] + len(_STEPS) - 1))
    tornado.set_categories(Reference(sheet, min_col=1, min_row=base + 1, max_row=starts[-1] + len(_STEPS) - 1))
    title = say("NPV thay đổi (triệu VND)", "Change of NPV (VND million)")
    finish(tornado, title=title, x="", width=16.4, height=14, language=page.model.language)
    tornado.legend = None
    sheet.add_chart(tornado, f"G{page.row}")

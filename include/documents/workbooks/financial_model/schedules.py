"""Investment and funding, depreciation, loan, revenue and costs."""

from __future__ import annotations

from include.documents.workbooks import layout
from include.documents.workbooks.financial_model.grid import Model, Page
from include.documents.workbooks.layout import PERCENT, calculate, head, put


def write(model: Model) -> None:
    """Write the five sheets."""
    _investment(model)
    _depreciation(model)
    _loan(model)
    _revenue(model)
    _costs(model)


def _investment(model: Model) -> None:
    page = model.page("Đầu tư, nguồn vốn", "Investment, funding")
    page.title(columns=4)
    layout.widths(page.sheet, A=68, B=10, C=28, D=18)
    _table(
        page,
        "Hạng mục đầu tư",
        "Investment",
        "invest_total",
        (
            ("invest_building", "Nhà xưởng, xây dựng", "Buildings", "=N(investment)*(1+overrun)*share_building"),
            ("invest_machine", "Máy móc, thiết bị", "Machinery", "=N(investment)*(1+overrun)*share_machine"),
            (
                "invest_other",
                "Phương tiện, tài sản khác",
                "Vehicles and other assets",
                "=N(investment)*(1+overrun)*share_other",
            ),
            (
                "invest_working",
                "Vốn lưu động ban đầu (phần còn lại)",
                "Initial working capital (the rest)",
                "=N(investment)*(1+overrun)*MAX(0,1-share_building-share_machine-share_other)",
            ),
        ),
    )
    page.row += 1
    _table(
        page,
        "Nguồn vốn",
        "Funding",
        "funding_total",
        (
            ("funding_loan", "Vốn vay", "Loan", "=N(loan)"),
            ("own_capital", "Vốn chủ sở hữu góp thêm", "Owners' new capital", "=MAX(0,invest_total-N(loan))"),
        ),
    )
    page.row += 1
    put(
        page.sheet,
        f"A{page.row}",
        model.say(
            "Kiểm tra: nguồn vốn trừ đầu tư (từ 0 trở lên là đủ vốn)",
            "Check: funding less investment (0 or more: funded)",
        ),
        italic=True,
    )
    calculate(
        page.sheet,
        f"C{page.row}",
        "=ROUND(funding_total-invest_total,0)",
        box=True,
        number_format=layout.MONEY,
        italic=True,
    )
    model.name("check_funding", page.sheet, f"C{page.row}")
    page.row += 2
    page.remark(
        "Phần vượt dự toán (nếu kịch bản có) do chủ sở hữu góp thêm. Số liệu chưa gồm thuế GTGT.",
        "An overrun (where the scenario has one) is paid by the owners. Amounts are without VAT.",
        characters=124,
    )


def _table(page: Page, vi: str, en: str, total: str, rows: tuple[tuple[str, str, str, str], ...]) -> None:
    model, sheet = page.model, page.sheet
    head(
        sheet,
        page.row,
        [
            model.say(vi, en),
            model.say("Đơn vị", "Unit"),
            model.say("Số tiền", "Amount"),
            model.say("Tỷ trọng", "Share"),
        ],
        height=22,
    )
    page.row += 1
    first = page.row
    for name, label_vi, label_en, formula in (
        *rows,
        (total, "Tổng cộng", "Total", f"=SUM(C{first}:C{first + len(rows) - 1})"),
    ):
        strong = name == total
        background = layout.PALE if strong else None
        put(
            sheet,
            f"A{page.row}",
            model.say(label_vi, label_en),
            box=True,
            bold=strong,
            indent=0 if strong else 1,
            background=background,
        )
        put(sheet, f"B{page.row}", "VND", box=True, size=9, horizontal="center", background=background)
        calculate(
            sheet, f"C{page.row}", formula, box=True, bold=strong, number_format=layout.MONEY, background=background
        )
        calculate(
            sheet,
            f"D{page.row}",
            f"=IF({total}>0,C{page.row}/{total},0)",
            box=True,
            bold=strong,
            number_format=PERCENT,
            background=background,
        )
        model.name(name, sheet, f"C{page.row}")
        sheet.row_dimensions[page.row].height = 20
        page.row += 1


def _depreciation(model: Model) -> None:
    page = model.page("Khấu hao", "Depreciation")
    page.title(model.say("Phương pháp đường thẳng", "Straight line"))
    page.years()
    groups = (
        ("building", "nhà xưởng, xây dựng", "buildings"),
        ("machine", "máy móc, thiết bị", "machinery"),
        ("other", "phương tiện, tài sản khác", "vehicles and other assets"),
    )
    for group, vi, en in groups:
        page.line(
            f"dep_{group}",
            f"Khấu hao {vi}",
            f"Depreciation of {en}",
            f"IF(life_{group}>0,MIN(invest_{group}/life_{group},[nbv_{group}-]),[nbv_{group}-])",
        )
        page.line(
            f"nbv_{group}",
            f"Giá trị còn lại {vi}",
            f"Net book value of {en}",
            f"[nbv_{group}-]-[dep_{group}]",
            zero=f"invest_{group}",
            soft=True,
        )
    page.line("dep", "Tổng khấu hao", "Depreciation", "[dep_building]+[dep_machine]+[dep_other]", strong=True)
    page.line(
        "nbv",
        "Tổng giá trị còn lại",
        "Net book value",
        "[nbv_building]+[nbv_machine]+[nbv_other]",
        zero="[nbv_building]+[nbv_machine]+[nbv_other]",
        strong=True,
    )


def _loan(model: Model) -> None:
    page = model.page("Lịch vay", "Loan")
    page.title(
        model.say(
            "Gốc trả đều, lãi tính trên dư nợ đầu năm",
            "Equal principal, interest on the balance at the beginning of the year",
        )
    )
    page.years()
    page.line("loan_opening", "Dư nợ đầu năm", "Balance at the beginning", "[loan_closing-]")
    page.line(
        "principal",
        "Trả gốc",
        "Principal",
        "IF(AND([t]>loan_grace,[t]<=loan_term,loan_term>loan_grace),"
        "MIN([loan_opening],N(loan)/MAX(1,loan_term-loan_grace)),0)",
    )
    page.line("interest", "Trả lãi", "Interest", "[loan_opening]*loan_rate")
    page.line("service", "Tổng trả nợ", "Debt service", "[principal]+[interest]", strong=True)
    page.line(
        "loan_closing",
        "Dư nợ cuối năm",
        "Balance at the end",
        "[loan_opening]-[principal]",
        zero="N(loan)",
        strong=True,
    )


def _revenue(model: Model) -> None:
    page = model.page("Doanh thu", "Revenue")
    page.title(model.say("Năm 0 là năm gần nhất đã có số liệu", "Year 0 is the last full year"))
    page.years()
    page.line(
        "rev_existing",
        "Doanh thu hoạt động hiện có",
        "Revenue of the present business",
        "[rev_existing-]*(1+revenue_growth)",
        zero="N(revenue_base)",
    )
    page.line(
        "project_full",
        "Doanh thu dự án khi đạt công suất, giá năm 0",
        "Project at full capacity, prices of year 0",
        "N(revenue_base)*uplift",
        soft=True,
    )
    page.line(
        "ramp_used", "Mức sử dụng công suất", "Use of capacity", "[ramp]", unit="%", number_format=PERCENT, soft=True
    )
    page.line(
        "price_index",
        "Chỉ số giá bán",
        "Price index",
        "(1+price_growth)^[t]",
        unit="",
        number_format="0.000",
        soft=True,
    )
    page.line(
        "rev_project",
        "Doanh thu tăng thêm từ dự án",
        "Revenue added by the project",
        "[project_full]*[ramp_used]*[price_index]",
        zero="0",
    )
    page.line(
        "rev",
        "Tổng doanh thu",
        "Revenue",
        "[rev_existing]+[rev_project]",
        zero="[rev_existing]+[rev_project]",
        strong=True,
    )
    page.line(
        "rev_change",
        "Tăng so với năm trước",
        "Change on the year before",
        'IF([rev-]>0,[rev]/[rev-]-1,"")',
        unit="%",
        number_format=PERCENT,
        soft=True,
    )


def _costs(model: Model) -> None:
    page = model.page("Chi phí", "Costs")
    page.title(
        model.say(
            "Chi phí hoạt động, chưa gồm khấu hao và lãi vay của dự án",
            "Operating costs, without the project's depreciation and interest",
        )
    )
    page.years()
    page.line(
        "variable_ratio",
        "Chi phí biến đổi trên doanh thu",
        "Variable costs to revenue",
        "IF(N(revenue_base)>0,N(cost_base)*variable_share/revenue_base*variable_factor,0)",
        unit="%",
        number_format=PERCENT,
        soft=True,
    )
    page.line(
        "var_existing",
        "Chi phí biến đổi, hoạt động hiện có",
        "Variable costs of the present business",
        "[rev_existing]*[variable_ratio]",
        zero="N(cost_base)*variable_share",
    )
    page.line(
        "fixed_existing",
        "Chi phí cố định, hoạt động hiện có",
        "Fixed costs of the present business",
        "[fixed_existing-]*(1+fixed_inflation)",
        zero="N(cost_base)*(1-variable_share)",
    )
    page.line(
        "var_project",
        "Chi phí biến đổi, dự án",
        "Variable costs of the project",
        "[rev_project]*[variable_ratio]",
        zero="0",
    )
    page.line(
        "fixed_project",
        "Chi phí cố định, dự án",
        "Fixed costs of the project",
        "[project_full]*project_fixed_share*(1+fixed_inflation)^[t]",
        zero="0",
    )
    page.line(
        "cost",
        "Tổng chi phí hoạt động",
        "Operating costs",
        "[var_existing]+[fixed_existing]+[var_project]+[fixed_project]",
        zero="[var_existing]+[fixed_existing]+[var_project]+[fixed_project]",
        strong=True,
    )
    page.line(
        "cost_share",
        "Chi phí trên doanh thu",
        "Costs to revenue",
        'IF([rev]>0,[cost]/[rev],"")',
        zero='IF([rev]>0,[cost]/[rev],"")',
        unit="%",
        number_format=PERCENT,
        soft=True,
    )
    page.row += 1
    page.remark(
        "Chi phí hiện tại được coi là đã gồm khấu hao tài sản hiện có; khoản khấu hao đó được tái đầu tư để duy trì "
        "tài sản, vì vậy giá trị tài sản hiện có không đổi.",
        "Present costs are taken to include the depreciation of present assets, which is reinvested to keep them "
        "up: their value does not change.",
    )

"""Appraisal of the project: what it adds, discounted; debt service and break-even of the company."""

from __future__ import annotations

from include.documents.workbooks import layout
from include.documents.workbooks.financial_model.grid import Model, Page, text
from include.documents.workbooks.layout import PERCENT, RATIO, put


def write(model: Model) -> None:
    """Write the sheet and name its results."""
    page = model.page("Thẩm định", "Appraisal")
    page.title(
        model.say(
            "Dòng tiền tăng thêm của dự án, trước nguồn vốn vay", "The project's added cash flow, before financing"
        )
    )
    page.years()
    _flow(page)
    _debt(page)
    page.break_here()
    _break_even(page)
    _results(page)


def _flow(page: Page) -> None:
    page.section("Dòng tiền của dự án", "The project's cash flow")
    page.line("p_revenue", "Doanh thu tăng thêm", "Added revenue", "[rev_project]")
    page.line("p_cost", "Chi phí tăng thêm", "Added costs", "-([var_project]+[fixed_project])")
    page.line("p_tax", "Thuế TNDN của dự án", "Tax on the project", "-MAX(0,[p_revenue]+[p_cost]-[dep])*tax_rate")
    page.line(
        "p_committed",
        "Vốn lưu động dành cho dự án",
        "Working capital committed",
        "MAX(invest_working,[p_revenue]*receivable_days/365-[p_cost]*(inventory_days-payable_days)/365)",
        zero="invest_working",
        soft=True,
    )
    page.line(
        "p_working",
        "Thay đổi vốn lưu động",
        "Change of working capital",
        "-([p_committed]-[p_committed-])",
        zero="-[p_committed]",
    )
    page.line(
        "p_invest", "Đầu tư tài sản cố định", "Fixed assets", "0", zero="-(invest_building+invest_machine+invest_other)"
    )
    page.line(
        "p_residual",
        "Thu hồi cuối kỳ (vốn lưu động, giá trị còn lại)",
        "Recovered at the end (working capital, residual)",
        "IF([t]=MAX([t:]),[p_committed]+[nbv]*residual_rate,0)",
    )
    page.line(
        "fcf",
        "Dòng tiền thuần của dự án",
        "Net cash flow of the project",
        "[p_revenue]+[p_cost]+[p_tax]+[p_working]+[p_invest]+[p_residual]",
        zero="[p_working]+[p_invest]",
        strong=True,
    )
    page.line(
        "factor",
        "Hệ số chiết khấu",
        "Discount factor",
        "1/(1+discount_rate)^[t]",
        zero="1",
        unit="",
        number_format="0.0000",
        soft=True,
    )
    page.line("pv", "Giá trị hiện tại", "Present value", "[fcf]*[factor]", zero="[fcf]*[factor]")
    page.line(
        "pv_cum", "Giá trị hiện tại lũy kế", "Present value, cumulative", "[pv_cum-]+[pv]", zero="[pv]", strong=True
    )
    page.line(
        "fcf_cum",
        "Dòng tiền lũy kế (không chiết khấu)",
        "Cash flow, cumulative",
        "[fcf_cum-]+[fcf]",
        zero="[fcf]",
        soft=True,
    )
    years = page.model.say("năm", "years")
    for key, cumulative, flow, vi, en in (
        ("payback_year", "pv_cum", "pv", "Thời điểm hoàn vốn có chiết khấu", "Discounted payback reached"),
        ("simple_year", "fcf_cum", "fcf", "Thời điểm hoàn vốn giản đơn", "Simple payback reached"),
    ):
        page.line(
            key,
            vi,
            en,
            f'IF(AND([{cumulative}-]<0,[{cumulative}]>=0),[t]-1-[{cumulative}-]/[{flow}],"")',
            unit=years,
            number_format="0.0",
            soft=True,
        )
    page.row += 1


def _debt(page: Page) -> None:
    page.section("Khả năng trả nợ", "Debt service")
    page.line(
        "d_available",
        "Nguồn trả nợ: lợi nhuận sau thuế, khấu hao và lãi vay",
        "Available: net profit, depreciation, interest",
        "[net]+[dep]+[interest]",
    )
    page.line("d_service", "Gốc và lãi phải trả", "Principal and interest", "[service]")
    times = page.model.say("lần", "times")
    page.line(
        "dscr",
        "DSCR toàn doanh nghiệp",
        "DSCR of the company",
        'IF([d_service]>0,[d_available]/[d_service],"")',
        unit=times,
        number_format=RATIO,
        strong=True,
    )
    page.line(
        "dscr_project",
        "DSCR chỉ từ dự án",
        "DSCR of the project alone",
        'IF([d_service]>0,([p_revenue]+[p_cost]+[p_tax])/[d_service],"")',
        unit=times,
        number_format=RATIO,
    )
    page.row += 1


def _break_even(page: Page) -> None:
    page.section("Điểm hòa vốn", "Break-even")
    page.line(
        "be_fixed",
        "Chi phí cố định, khấu hao và lãi vay",
        "Fixed costs, depreciation and interest",
        "[fixed_existing]+[fixed_project]+[dep]+[interest]",
    )
    page.line(
        "be_margin",
        "Tỷ lệ lãi góp",
        "Contribution margin",
        "IF([rev]>0,1-([var_existing]+[var_project])/[rev],0)",
        unit="%",
        number_format=PERCENT,
    )
    page.line(
        "break_even",
        "Doanh thu hòa vốn",
        "Break-even revenue",
        'IF([be_margin]>0,[be_fixed]/[be_margin],"–")',
        strong=True,
    )
    page.line(
        "safety",
        "Biên an toàn (doanh thu trên mức hòa vốn)",
        "Margin of safety",
        'IF(AND([rev]>0,ISNUMBER([break_even])),1-[break_even]/[rev],"–")',
        unit="%",
        number_format=PERCENT,
    )
    page.row += 1


def _results(page: Page) -> None:
    """Write the results that the summary shows and that readers look up by name."""
    model, sheet = page.model, page.sheet
    say = model.say
    page.section("Kết quả thẩm định", "Results")
    none_back = text(say("Chưa hoàn vốn trong kỳ", "Not within the period"))
    no_loan = text(say("Không có khoản vay", "No loan"))
    undefined = text(say("Không xác định", "Undefined"))
    years = say("năm", "years")
    times = say("lần", "times")
    for name, vi, en, formula, unit, number_format in (
        (
            "project_npv",
            "Giá trị hiện tại ròng (NPV)",
            "Net present value (NPV)",
            "NPV(discount_rate,[fcf:])+[fcf@0]",
            "VND",
            layout.MONEY,
        ),
        (
            "project_irr",
            "Tỷ suất hoàn vốn nội bộ (IRR)",
            "Internal rate of return (IRR)",
            f"IFERROR(IRR([fcf:0]),{undefined})",
            "%",
            "0.00%",
        ),
        (
            "payback",
            "Thời gian hoàn vốn có chiết khấu",
            "Discounted payback",
            f"IF(COUNT([payback_year:])=0,{none_back},MIN([payback_year:]))",
            years,
            "0.0",
        ),
        (
            "simple_payback",
            "Thời gian hoàn vốn giản đơn",
            "Simple payback",
            f"IF(COUNT([simple_year:])=0,{none_back},MIN([simple_year:]))",
            years,
            "0.0",
        ),
        (
            "profitability",
            "Chỉ số sinh lời (PI)",
            "Profitability index",
            f"IF([fcf@0]<0,1+project_npv/-[fcf@0],{undefined})",
            times,
            "0.00",
        ),
        (
            "dscr_min",
            "DSCR thấp nhất, toàn doanh nghiệp",
            "Lowest DSCR of the company",
            f"IF(COUNT([dscr:])=0,{no_loan},MIN([dscr:]))",
            times,
            RATIO,
        ),
        (
            "dscr_average",
            "DSCR bình quân, toàn doanh nghiệp",
            "Average DSCR of the company",
            f"IF(COUNT([dscr:])=0,{no_loan},AVERAGE([dscr:]))",
            times,
            RATIO,
        ),
        (
            "dscr_project_min",
            "DSCR thấp nhất, chỉ từ dự án",
            "Lowest DSCR of the project alone",
            f"IF(COUNT([dscr_project:])=0,{no_loan},MIN([dscr_project:]))",
            times,
            RATIO,
        ),
        (
            "break_even_first",
            "Doanh thu hòa vốn năm 1",
            "Break-even revenue of year 1",
            "INDEX([break_even:],1,1)",
            "VND",
            layout.MONEY,
        ),
    ):
        put(sheet, f"A{page.row}", say(vi, en), box=True, bold=True, indent=1)
        page.height(say(vi, en))
        put(sheet, f"B{page.row}", unit, box=True, size=9, horizontal="center")
        model.later(
            sheet,
            f"C{page.row}",
            f"IF(ready=1,{formula},missing_note)",
            box=True,
            bold=True,
            horizontal="right",
            number_format=number_format,
            background=layout.PALE,
        )
        sheet.merge_cells(f"C{page.row}:D{page.row}")
        model.name(name, sheet, f"C{page.row}")
        page.row += 1
    page.row += 1
    page.remark(
        "Thuế của dự án tính thận trọng: năm lỗ không được bù trừ. Toàn bộ vốn đầu tư, gồm cả vốn lưu động ban đầu, là "
        "dòng tiền ra của năm 0; vốn lưu động thu hồi ở năm cuối.",
        "Tax on the project is reckoned cautiously: a year's loss is not set off. The whole investment with its "
        "working capital is paid in year 0; working capital comes back in the last year.",
    )

"""The sheet of assumptions: the client's figures, ours, and what differs between the three scenarios."""

from __future__ import annotations

from dataclasses import dataclass

from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.worksheet.datavalidation import DataValidation

from include.documents.workbooks import layout
from include.documents.workbooks.figures import at, figure
from include.documents.workbooks.financial_model.grid import UNIT, YEAR_0, Model, Page, text
from include.documents.workbooks.layout import COUNT, MONEY, PERCENT, calculate, put
from include.engagement.process import Text

SCENARIOS = (Text("Cơ sở", "Base"), Text("Thận trọng", "Cautious"), Text("Thuận lợi", "Favourable"))
_MOST_YEARS_UPRIGHT = 6
_MOST_NOTES = 8  # lines that the notes have room for
RAMP = (0.6, 0.85)  # share of full capacity in the first years of operation; 1 from then on

# Corporate income tax by the revenue of the year before (Law 67/2025/QH15, Article 10): up to 3 and 50 billion VND.
_TAX_STEPS = ((3_000_000_000, 0.15), (50_000_000_000, 0.17))
_TAX_STANDARD = 0.20


@dataclass(frozen=True)
class Varied:
    """An assumption with one value for each scenario."""

    name: str
    label: Text
    values: tuple[float, float, float]


VARIED: tuple[Varied, ...] = (
    Varied(
        "revenue_growth", Text("Tăng doanh thu hiện có mỗi năm", "Growth of present revenue a year"), (0.05, 0.02, 0.08)
    ),
    Varied(
        "uplift",
        Text(
            "Doanh thu tăng thêm khi dự án đạt 100% công suất (so với năm gần nhất)",
            "Added revenue at full capacity (share of the last year's)",
        ),
        (0.40, 0.30, 0.50),
    ),
    Varied(
        "price_growth",
        Text("Tăng giá bán của dự án mỗi năm", "Growth of the project's prices a year"),
        (0.03, 0.02, 0.04),
    ),
    Varied(
        "fixed_inflation", Text("Tăng chi phí cố định mỗi năm", "Growth of fixed costs a year"), (0.04, 0.06, 0.035)
    ),
    Varied(
        "variable_factor",
        Text("Hệ số chi phí biến đổi so với hiện tại", "Variable costs against the present ones"),
        (1.0, 1.05, 0.98),
    ),
    Varied("overrun", Text("Vượt dự toán đầu tư", "Overrun of the investment"), (0.0, 0.10, 0.0)),
)


def tax_rate(revenue: float | None) -> float:
    """Return the rate of corporate income tax for a company of this yearly revenue (VND)."""
    for top, rate in _TAX_STEPS:
        if revenue and revenue <= top:
            return rate
    return _TAX_STANDARD


def write(model: Model) -> None:
    """Write the sheet and name its inputs."""
    page = model.page("Giả định", "Assumptions")
    page.title(
        model.say(
            "Ô nền vàng là ô nhập; mọi ô khác tự tính. Số tiền tính bằng VND, chưa gồm thuế GTGT.",
            "Yellow cells are inputs; all others are calculated. Amounts in VND, without VAT.",
        ),
        columns=max(7, model.last_column),
    )
    page.label_width = 46
    layout.widths(page.sheet, A=page.label_width, B=UNIT, C=model.amount_width + 1)
    for column in range(YEAR_0 + 1, max(7, model.last_column) + 1):
        page.sheet.column_dimensions[get_column_letter(column)].width = 11.5
    # A bank reads it on paper: upright the sheet fits a page in readable type, unless there are many years.
    page.landscape = model.years > _MOST_YEARS_UPRIGHT
    page.one_page = not page.landscape
    page.row_height = 16
    _selector(model, page)
    _varied(model, page)
    _single(model, page)
    _timeline(model, page)
    _missing(model, page)


def _selector(model: Model, page: Page) -> None:
    sheet, say = page.sheet, model.say
    names = [scenario.in_(model.language) for scenario in SCENARIOS]
    put(
        sheet,
        f"A{page.row}",
        say("Kịch bản đang tính (chọn trong danh sách)", "Scenario calculated (choose)"),
        bold=True,
        box=True,
        size=12,
    )
    put(sheet, f"B{page.row}", "", box=True)
    put(
        sheet,
        f"C{page.row}",
        names[0],
        bold=True,
        box=True,
        background=layout.INPUT,
        horizontal="center",
        size=12,
        colour=layout.RED,
    )
    choice = DataValidation(
        type="list",
        formula1='"' + ",".join(names) + '"',
        allow_blank=False,
        showErrorMessage=True,
        errorTitle=say("Chọn trong danh sách", "Choose from the list"),
        error=say("Vui lòng chọn một trong ba kịch bản.", "Please choose one of the scenarios."),
    )
    choice.add(f"C{page.row}")
    sheet.add_data_validation(choice)
    model.name("scenario", sheet, f"C{page.row}")
    page.row += 2


def _varied(model: Model, page: Page) -> None:
    sheet, say = page.sheet, model.say
    page.section(
        "1. Giả định theo kịch bản (của đơn vị tư vấn, cần kiểm chứng)",
        "1. Assumptions by scenario (the consultant's, to be verified)",
    )
    layout.head(
        sheet,
        page.row,
        [say("Giả định", "Assumption"), say("Đơn vị", "Unit"), say("Đang dùng", "In use")]
        + [scenario.in_(model.language) for scenario in SCENARIOS],
        height=20,
    )
    header = page.row
    page.row += 1
    put(sheet, f"A{page.row}", say("Số thứ tự kịch bản", "Number of the scenario"), box=True, indent=1)
    put(sheet, f"B{page.row}", "", box=True)
    calculate(
        sheet, f"C{page.row}", f"=IFERROR(MATCH(scenario,$D${header}:$F${header},0),1)", box=True, number_format=COUNT
    )
    for number, letter in enumerate("DEF", start=1):
        put(sheet, f"{letter}{page.row}", number, box=True)
    model.name("scenario_number", sheet, f"C{page.row}")
    limits = DataValidation(
        type="decimal",
        operator="between",
        formula1="-0.9",
        formula2="10",
        allow_blank=False,
        showErrorMessage=True,
        error=say("Nhập tỷ lệ, ví dụ 5%.", "Enter a share such as 5%."),
    )
    sheet.add_data_validation(limits)
    page.row += 1
    for varied in VARIED:
        row = page.row
        label = varied.label.in_(model.language)
        put(sheet, f"A{row}", label, box=True, indent=1, wrap=True)
        put(sheet, f"B{row}", "%", box=True, size=9, horizontal="center")
        calculate(
            sheet, f"C{row}", f"=INDEX(D{row}:F{row},1,scenario_number)", box=True, number_format=PERCENT, bold=True
        )
        for letter, value in zip("DEF", varied.values, strict=True):
            put(sheet, f"{letter}{row}", value, box=True, number_format=PERCENT, background=layout.INPUT)
        limits.add(f"D{row}:F{row}")
        model.name(varied.name, sheet, f"C{row}")
        # Where the three values stand, for the sheet that calculates all scenarios side by side.
        model.place(f"{varied.name}_choices", sheet, row)
        page.height(label)
        page.row += 1
    page.row += 1


def _single(model: Model, page: Page) -> None:
    facts, say = model.facts, model.say
    asked = say("Bảng câu hỏi", "Questionnaire")
    intake = say("Phiếu tiếp nhận", "Intake record")
    ours = say("Giả định của đơn vị tư vấn, cần kiểm chứng", "The consultant's assumption, to be verified")
    books = say("Nhập theo báo cáo tài chính gần nhất", "Enter from the latest financial statements")
    revenue = figure(at(facts, "answer.revenue_vnd"))
    investment = figure(at(facts, "finance.investment_vnd")) or figure(at(facts, "finance.project_vnd"))
    page.section("2. Doanh nghiệp hiện tại", "2. The company today")
    _input(page, "revenue_base", "Doanh thu năm gần nhất", "Revenue of the last full year", revenue, source=asked)
    _input(
        page,
        "cost_base",
        "Chi phí năm gần nhất (gồm khấu hao tài sản hiện có)",
        "Costs of the last full year (with depreciation of present assets)",
        figure(at(facts, "answer.cost_vnd")),
        source=asked,
    )
    _input(
        page,
        "charter_capital",
        "Vốn điều lệ",
        "Charter capital",
        figure(at(facts, "finance.charter_capital_vnd")),
        source=intake,
    )
    _input(page, "opening_cash", "Tiền và tương đương tiền đầu kỳ", "Cash at the beginning", None, source=books)
    _input(
        page,
        "opening_retained",
        "Lợi nhuận chưa phân phối đầu kỳ",
        "Retained earnings at the beginning",
        None,
        source=books,
        negative=True,
    )
    page.row += 1
    page.section("3. Dự án đầu tư và nguồn vốn", "3. Investment and funding")
    _input(page, "investment", "Vốn đầu tư dự án", "Investment of the project", investment, source=intake)
    _input(page, "share_building", "Tỷ trọng nhà xưởng, xây dựng", "Share of buildings", 0.30, PERCENT, "%", ours)
    _input(page, "share_machine", "Tỷ trọng máy móc, thiết bị", "Share of machinery", 0.45, PERCENT, "%", ours)
    _input(
        page,
        "share_other",
        "Tỷ trọng phương tiện, tài sản khác",
        "Share of vehicles and other assets",
        0.10,
        PERCENT,
        "%",
        ours,
    )
    years = say("năm", "years")
    _input(page, "life_building", "Thời gian khấu hao nhà xưởng", "Life of buildings", 25, COUNT, years, ours)
    _input(page, "life_machine", "Thời gian khấu hao máy móc", "Life of machinery", 8, COUNT, years, ours)
    _input(page, "life_other", "Thời gian khấu hao tài sản khác", "Life of other assets", 5, COUNT, years, ours)
    _input(page, "loan", "Số tiền vay", "Loan", figure(at(facts, "answer.loan_vnd")), source=asked)
    _input(page, "loan_rate", "Lãi suất vay một năm", "Interest a year", 0.095, PERCENT, "%", ours)
    _input(page, "loan_term", "Thời hạn vay", "Term of the loan", min(5, model.years), COUNT, years, ours)
    _input(page, "loan_grace", "Ân hạn gốc", "Grace period of the principal", 0, COUNT, years, ours)
    page.row += 1
    if page.landscape:
        page.break_here()
    page.section("4. Hoạt động, thuế và chiết khấu", "4. Operations, tax and discounting")
    _input(
        page,
        "variable_share",
        "Tỷ trọng chi phí biến đổi trong chi phí hiện tại",
        "Share of variable costs",
        0.70,
        PERCENT,
        "%",
        ours,
    )
    _input(
        page,
        "project_fixed_share",
        "Chi phí cố định tăng thêm (so với doanh thu dự án khi đạt công suất)",
        "Added fixed costs (share of the project's full revenue)",
        0.08,
        PERCENT,
        "%",
        ours,
    )
    days = say("ngày", "days")
    _input(
        page,
        "receivable_days",
        "Số ngày phải thu (trên doanh thu)",
        "Receivable days (of revenue)",
        30,
        COUNT,
        days,
        ours,
    )
    _input(page, "inventory_days", "Số ngày tồn kho (trên chi phí)", "Inventory days (of costs)", 30, COUNT, days, ours)
    _input(page, "payable_days", "Số ngày phải trả (trên chi phí)", "Payable days (of costs)", 20, COUNT, days, ours)
    _input(
        page,
        "tax_rate",
        "Thuế suất thuế thu nhập doanh nghiệp",
        "Corporate income tax",
        tax_rate(revenue),
        PERCENT,
        "%",
        say(
            "Luật 67/2025/QH15, Điều 10: 15%, 17% hoặc 20% theo doanh thu",
            "Law 67/2025/QH15, Article 10: 15, 17 or 20% by revenue",
        ),
    )
    _input(page, "payout", "Tỷ lệ lợi nhuận chia cho chủ sở hữu", "Share of profit paid out", 0.0, PERCENT, "%", ours)
    _input(page, "discount_rate", "Suất chiết khấu", "Discount rate", 0.12, PERCENT, "%", ours)
    _input(
        page,
        "residual_rate",
        "Tỷ lệ thu hồi giá trị còn lại cuối kỳ",
        "Residual value recovered at the end",
        0.50,
        PERCENT,
        "%",
        ours,
    )
    _input(
        page,
        "dscr_required",
        "DSCR tối thiểu theo yêu cầu",
        "DSCR required",
        1.2,
        layout.RATIO,
        say("lần", "times"),
        ours,
    )
    page.row += 1


def _input(
    page: Page,
    name: str,
    vi: str,
    en: str,
    value: float | None,
    number_format: str = MONEY,
    unit: str = "VND",
    source: str = "",
    *,
    negative: bool = False,
) -> None:
    model, sheet, row = page.model, page.sheet, page.row
    label = model.say(vi, en)
    put(sheet, f"A{row}", label, box=True, indent=1, wrap=True)
    put(sheet, f"B{row}", unit, box=True, size=9, horizontal="center")
    put(
        sheet,
        f"C{row}",
        value or (None if number_format == MONEY else 0),
        box=True,
        number_format=number_format,
        background=layout.INPUT,
        horizontal="right",
    )
    put(sheet, f"D{row}", source, italic=True, size=9, colour="595959", indent=1)
    top = {PERCENT: "1", COUNT: "730"}.get(number_format)
    if not negative:
        _limits(page, top).add(f"C{row}")
    model.name(name, sheet, f"C{row}")
    page.height(label)
    page.row += 1


def _limits(page: Page, top: str | None) -> DataValidation:
    """Return the sheet's rule for numbers from 0 to ``top``, made when it is first asked for."""
    rule: DataValidation
    for rule in page.sheet.data_validations.dataValidation:
        if (rule.type, rule.formula1, rule.formula2, rule.allow_blank) == ("decimal", "0", top, True):
            return rule
    limits = DataValidation(
        type="decimal",
        operator="between" if top else "greaterThanOrEqual",
        formula1="0",
        formula2=top,
        allow_blank=True,
        showErrorMessage=True,
        error=page.model.say(
            "Nhập một số không âm" + (" trong khoảng cho phép." if top else "."),
            "Enter a number of 0 or more" + (" within the limits." if top else "."),
        ),
    )
    page.sheet.add_data_validation(limits)
    return limits


def _timeline(model: Model, page: Page) -> None:
    page.section("5. Công suất theo năm", "5. Capacity by year")
    page.years(repeat=False)
    page.line("t", "Năm thứ", "Year", "[t-]+1", zero="0", unit="", number_format="0")
    page.line(
        "ramp",
        "Mức sử dụng công suất của dự án",
        "Use of the project's capacity",
        None,
        unit="%",
        number_format=PERCENT,
    )
    sheet, row = model.cells("ramp")
    limits = DataValidation(
        type="decimal",
        operator="between",
        formula1="0",
        formula2="1",
        allow_blank=False,
        showErrorMessage=True,
        error=model.say("Nhập tỷ lệ từ 0% đến 100%.", "Enter a share from 0% to 100%."),
    )
    sheet.add_data_validation(limits)
    for number in range(model.years):
        where = f"{get_column_letter(YEAR_0 + 1 + number)}{row}"
        put(
            sheet,
            where,
            RAMP[number] if number < len(RAMP) else 1.0,
            box=True,
            number_format=PERCENT,
            background=layout.INPUT,
            horizontal="right",
        )
        limits.add(where)
    page.row += 1


def _missing(model: Model, page: Page) -> None:
    """Write what is lacking and the name that results ask before they show a number."""
    sheet, say = page.sheet, model.say
    page.section("6. Tình trạng số liệu", "6. State of the figures")
    needed = (
        ("revenue_base", say("doanh thu năm gần nhất", "revenue of the last full year")),
        ("cost_base", say("chi phí năm gần nhất", "costs of the last full year")),
        ("investment", say("vốn đầu tư dự án", "investment of the project")),
    )
    put(
        sheet,
        f"A{page.row}",
        say("Đủ số liệu để tính (1: đủ, 0: thiếu)", "Enough figures to calculate (1: yes, 0: no)"),
        box=True,
        indent=1,
    )
    calculate(sheet, f"C{page.row}", "=IF(AND(" + ",".join(f"N({name})>0" for name, _ in needed) + "),1,0)", box=True)
    model.name("ready", sheet, f"C{page.row}")
    page.row += 1
    listed = "&".join(f'IF(N({name})>0,"",{text("; " + label)})' for name, label in needed)
    put(sheet, f"A{page.row}", say("Số liệu còn thiếu", "Missing figures"), box=True, indent=1)
    calculate(
        sheet,
        f"C{page.row}",
        f'=IF(ready=1,"",{text(say("Thiếu số liệu: ", "Missing: "))}&MID({listed},3,200))',
        colour=layout.RED,
        bold=True,
    )
    model.name("missing_note", sheet, f"C{page.row}")
    page.row += 1
    warnings: list[tuple[str, str]] = [
        (
            "N(loan)<=0",
            say(
                "Không có hoặc thiếu số tiền vay: mô hình tính toàn bộ bằng vốn tự có.",
                "No loan given: all is taken to be paid from own funds.",
            ),
        ),
        (
            "N(charter_capital)<=0",
            say(
                "Thiếu số liệu: vốn điều lệ. Tình hình tài chính chưa phản ánh đúng.",
                "Missing: charter capital. The financial position is not right yet.",
            ),
        ),
        (
            "COUNT(opening_cash)=0",
            say(
                "Chưa có số liệu tiền đầu kỳ: tiền cuối năm chưa gồm số tiền doanh nghiệp đang có.",
                "Opening cash is not available: closing cash leaves out what the company has today.",
            ),
        ),
        (
            "N(loan)>N(invest_total)",
            say("Số tiền vay lớn hơn vốn đầu tư: kiểm tra lại.", "The loan exceeds the investment: please check."),
        ),
        (
            "share_building+share_machine+share_other>1",
            say("Tổng tỷ trọng đầu tư vượt 100%: kiểm tra lại.", "Shares of the investment exceed 100%: please check."),
        ),
        (
            "AND(N(loan)>0,loan_grace>=loan_term)",
            say("Ân hạn phải ngắn hơn thời hạn vay.", "The grace period must be shorter than the term."),
        ),
        (
            "AND(ready=1,[other_assets@0]<0)",
            say(
                "Tài sản hiện có tính ra số âm: nhập số dư đầu kỳ theo báo cáo tài chính.",
                "Present assets come out negative: enter opening balances from the financial statements.",
            ),
        ),
        (
            "AND(ready=1,MIN([cash:0])<0)",
            say(
                "Có năm thiếu hụt tiền: cần thêm vốn hoặc cơ cấu lại khoản vay.",
                "Cash runs short in some year: more funds or another loan schedule are needed.",
            ),
        ),
    ]
    if not model.horizon_known:
        warnings.append(
            (
                "TRUE",
                say(
                    f"Thiếu số liệu: thời gian lập kế hoạch. Tạm tính {model.years} năm.",
                    f"Missing: period of the plan. {model.years} years are assumed.",
                ),
            )
        )
    put(sheet, f"A{page.row}", say("Lưu ý", "Notes"), indent=1, vertical="top")
    listed = "&".join(f'IF({condition},CHAR(10)&{text("• " + warning)},"")' for condition, warning in warnings)
    model.later(sheet, f"C{page.row}", f"MID({listed},2,2000)", colour=layout.AMBER, wrap=True, vertical="top")
    sheet.merge_cells(f"C{page.row}:{get_column_letter(max(7, model.last_column))}{page.row}")
    sheet.row_dimensions[page.row].height = 14 * _MOST_NOTES
    model.name("notes", sheet, f"C{page.row}")
    page.row += 1


def choices(model: Model, name: str) -> str:
    """Return the range of the three scenario values of an assumption."""
    sheet, row = model.cells(f"{name}_choices")
    return f"{quote_sheetname(sheet.title)}!$D${row}:$F${row}"

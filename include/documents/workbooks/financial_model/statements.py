"""Income statement, cash flow and statement of financial position of the whole company."""

from __future__ import annotations

from openpyxl.utils import get_column_letter

from include.documents.workbooks import layout
from include.documents.workbooks.financial_model.grid import YEAR_0, Model
from include.documents.workbooks.layout import PERCENT


def write(model: Model) -> None:
    """Write the three statements."""
    _income(model)
    _cash(model)
    _position(model)


def _income(model: Model) -> None:
    page = model.page("Kết quả kinh doanh", "Income statement")
    page.title(model.say("Toàn doanh nghiệp, gồm cả dự án", "The whole company with the project"))
    page.years()
    page.line("is_revenue", "Doanh thu", "Revenue", "[rev]", strong=True)
    page.line("is_variable", "Chi phí biến đổi", "Variable costs", "-([var_existing]+[var_project])")
    page.line("is_fixed", "Chi phí cố định", "Fixed costs", "-([fixed_existing]+[fixed_project])")
    page.line(
        "ebitda",
        "Lợi nhuận trước khấu hao, lãi vay và thuế (EBITDA)",
        "EBITDA",
        "[is_revenue]+[is_variable]+[is_fixed]",
        strong=True,
    )
    page.line("is_dep", "Khấu hao dự án", "Depreciation of the project", "-[dep]")
    page.line("ebit", "Lợi nhuận trước lãi vay và thuế (EBIT)", "EBIT", "[ebitda]+[is_dep]", strong=True)
    page.line("is_interest", "Chi phí lãi vay", "Interest", "-[interest]")
    page.line("pbt", "Lợi nhuận trước thuế", "Profit before tax", "[ebit]+[is_interest]", strong=True)
    page.line("tax", "Thuế thu nhập doanh nghiệp", "Corporate income tax", "-[taxable]*tax_rate")
    page.line("net", "Lợi nhuận sau thuế", "Net profit", "[pbt]+[tax]", strong=True)
    page.line(
        "net_margin",
        "Tỷ suất lợi nhuận sau thuế",
        "Net margin",
        'IF([rev]>0,[net]/[rev],"")',
        unit="%",
        number_format=PERCENT,
        soft=True,
    )
    page.line("dividends", "Chia cho chủ sở hữu", "Paid out to owners", "MAX(0,[net])*payout", soft=True)
    page.row += 1
    page.section("Chuyển lỗ", "Losses carried forward")
    page.line("loss_opening", "Lỗ chuyển sang đầu năm", "Losses at the beginning", "[loss_closing-]", soft=True)
    page.line("loss_used", "Lỗ được bù trong năm", "Losses used", "MIN([loss_opening],MAX(0,[pbt]))", soft=True)
    page.line(
        "loss_closing",
        "Lỗ chuyển sang năm sau",
        "Losses at the end",
        "[loss_opening]-[loss_used]+MAX(0,-[pbt])",
        zero="0",
        soft=True,
    )
    page.line("taxable", "Thu nhập tính thuế", "Taxable income", "MAX(0,[pbt])-[loss_used]", soft=True)
    page.remark(
        "Đơn giản hóa: lỗ được chuyển tiếp trong suốt kỳ mô hình; luật giới hạn liên tục không quá 5 năm.",
        "Simplified: losses are carried forward through the whole period; the law allows five years at most.",
    )


def _cash(model: Model) -> None:
    page = model.page("Lưu chuyển tiền", "Cash flow")
    page.title(model.say("Phương pháp gián tiếp, toàn doanh nghiệp", "Indirect method, the whole company"))
    page.years()
    page.section("Hoạt động kinh doanh", "Operations")
    page.line("cf_net", "Lợi nhuận sau thuế", "Net profit", "[net]")
    page.line("cf_dep", "Khấu hao", "Depreciation", "[dep]")
    page.line("cf_receivable", "Tăng (−), giảm (+) phải thu", "Receivables", "-([receivable]-[receivable-])")
    page.line("cf_inventory", "Tăng (−), giảm (+) tồn kho", "Inventory", "-([inventory]-[inventory-])")
    page.line("cf_payable", "Tăng (+), giảm (−) phải trả", "Payables", "[payable]-[payable-]")
    page.line(
        "cfo",
        "Lưu chuyển tiền từ kinh doanh",
        "Cash from operations",
        "[cf_net]+[cf_dep]+[cf_receivable]+[cf_inventory]+[cf_payable]",
        zero="0",
        strong=True,
    )
    page.section("Hoạt động đầu tư", "Investing")
    page.line(
        "cfi",
        "Đầu tư tài sản cố định",
        "Fixed assets",
        "0",
        zero="-(invest_building+invest_machine+invest_other)",
        strong=True,
    )
    page.section("Hoạt động tài chính", "Financing")
    page.line("cf_loan", "Nhận vốn vay", "Loan received", "0", zero="N(loan)")
    page.line("cf_own", "Chủ sở hữu góp thêm", "Owners' new capital", "0", zero="own_capital")
    page.line("cf_principal", "Trả gốc vay", "Principal", "-[principal]", zero="0")
    page.line("cf_dividends", "Chia cho chủ sở hữu", "Paid out to owners", "-[dividends]", zero="0")
    page.line(
        "cff",
        "Lưu chuyển tiền từ tài chính",
        "Cash from financing",
        "[cf_loan]+[cf_own]+[cf_principal]+[cf_dividends]",
        zero="[cf_loan]+[cf_own]+[cf_principal]+[cf_dividends]",
        strong=True,
    )
    page.row += 1
    page.line(
        "cash_change",
        "Lưu chuyển tiền thuần",
        "Net cash flow",
        "[cfo]+[cfi]+[cff]",
        zero="[cfo]+[cfi]+[cff]",
        strong=True,
    )
    page.line("cash_opening", "Tiền đầu năm", "Cash at the beginning", "[cash_closing-]", zero="N(opening_cash)")
    page.line(
        "cash_closing",
        "Tiền cuối năm",
        "Cash at the end",
        "[cash_opening]+[cash_change]",
        zero="[cash_opening]+[cash_change]",
        strong=True,
    )
    page.remark(
        "Chi phí lãi vay nằm trong lợi nhuận sau thuế, thuộc lưu chuyển tiền từ kinh doanh.",
        "Interest is part of net profit and so of cash from operations.",
    )


def _position(model: Model) -> None:
    page = model.page("Tình hình tài chính", "Financial position")
    page.title(
        model.say(
            "Cuối năm, toàn doanh nghiệp. Năm 0: ngay sau khi đầu tư",
            "At the end of the year, the whole company. Year 0: just after the investment",
        )
    )
    page.years()
    page.section("Tài sản", "Assets")
    page.line("cash", "Tiền và tương đương tiền", "Cash", "[cash_closing]", zero="[cash_closing]")
    for key, vi, en, of, days in (
        ("receivable", "Phải thu khách hàng", "Receivables", "rev", "receivable_days"),
        ("inventory", "Hàng tồn kho", "Inventory", "cost", "inventory_days"),
    ):
        page.line(key, vi, en, f"[{of}]*{days}/365", zero=f"[{of}]*{days}/365")
    page.line("project_assets", "Tài sản cố định của dự án", "The project's fixed assets", "[nbv]", zero="[nbv]")
    page.line(
        "other_assets",
        "Tài sản hiện có khác (số cân đối đầu kỳ)",
        "Other present assets (balancing at the start)",
        "[other_assets-]",
        zero="N(charter_capital)+N(opening_retained)+[payable]-N(opening_cash)-[receivable]-[inventory]",
    )
    page.line(
        "assets",
        "Tổng tài sản",
        "Assets",
        "[cash]+[receivable]+[inventory]+[project_assets]+[other_assets]",
        zero="[cash]+[receivable]+[inventory]+[project_assets]+[other_assets]",
        strong=True,
    )
    page.section("Nguồn vốn", "Liabilities and equity")
    page.line("payable", "Phải trả người bán", "Payables", "[cost]*payable_days/365", zero="[cost]*payable_days/365")
    page.line("debt", "Vay ngân hàng", "Bank loan", "[loan_closing]", zero="[loan_closing]")
    page.line("capital", "Vốn điều lệ", "Charter capital", "[capital-]", zero="N(charter_capital)")
    page.line(
        "new_capital", "Vốn chủ sở hữu góp thêm cho dự án", "Owners' new capital", "[new_capital-]", zero="own_capital"
    )
    page.line(
        "retained",
        "Lợi nhuận chưa phân phối",
        "Retained earnings",
        "[retained-]+[net]-[dividends]",
        zero="N(opening_retained)",
    )
    page.line(
        "sources",
        "Tổng nguồn vốn",
        "Liabilities and equity",
        "[payable]+[debt]+[capital]+[new_capital]+[retained]",
        zero="[payable]+[debt]+[capital]+[new_capital]+[retained]",
        strong=True,
    )
    page.row += 1
    page.line(
        "check",
        "Kiểm tra: tài sản trừ nguồn vốn (phải bằng 0)",
        "Check: assets less liabilities and equity (must be 0)",
        "ROUND([assets]-[sources],0)",
        zero="ROUND([assets]-[sources],0)",
        number_format="0",
        strong=True,
    )
    sheet, row = model.cells("check")
    area = f"{get_column_letter(YEAR_0)}{row}:{get_column_letter(model.last_column)}{row}"
    first = f"{get_column_letter(YEAR_0)}{row}"
    layout.colour_when(sheet, area, f"{first}<>0", layout.RED_PALE)
    layout.colour_when(sheet, area, f"{first}=0", layout.GREEN_PALE)
    page.line(
        "leverage",
        "Hệ số nợ trên tổng nguồn vốn",
        "Debt to liabilities and equity",
        'IF([sources]>0,([debt]+[payable])/[sources],"")',
        zero='IF([sources]>0,([debt]+[payable])/[sources],"")',
        unit="%",
        number_format=PERCENT,
        soft=True,
    )
    page.remark(
        "Tài sản hiện có khác là số cân đối từ vốn điều lệ và số dư đầu kỳ trên trang Giả định; thay bằng số liệu báo "
        "cáo tài chính khi có.",
        "Other present assets balance charter capital and the opening figures of the assumptions; replace them by "
        "the financial statements' when at hand.",
    )

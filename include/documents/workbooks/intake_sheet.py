"""The sheet in which staff list many intake forms: one row is one engagement. Read back by ``intake_rows``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from include.documents.workbooks import layout
from include.documents.workbooks.intake_rows import MOST_ROWS
from include.documents.workbooks.layout import put
from include.engagement.form import ENTRIES, FIELDS
from include.engagement.intake import QUESTIONS, SECTIONS

TITLE = "Danh sách hồ sơ mới"
_THEMES, _KEYS, _TITLES, _FIRST = 1, 2, 3, 4
_LAST = _FIRST + MOST_ROWS - 1
_EXAMPLES = {
    "client.name": "Công ty TNHH Bánh Mì Phố Hiến", "client.tax_code": "0900123452",
    "client.address": "45 Điện Biên, Phường Phố Hiến, Tỉnh Hưng Yên", "client.sector": "Sản xuất và bán lẻ bánh mì",
    "client.representative.name": "Đặng Thị Hoài Thu", "client.representative.title": "Giám đốc",
    "client.contact.name": "Vũ Minh Khôi", "client.contact.email": "khoi@banhmiphohien.example",
    "client.contact.phone": "0221 3862 345", "language": "Tiếng Việt", "referrer": "Khách hàng cũ giới thiệu",
    "need.purpose": "Vay vốn ngân hàng mở thêm hai cửa hàng", "need.horizon_months": "36",
    "interests": "tín dụng; xuất khẩu", "finance.employees": "18", "finance.project_vnd": "3200000000",
    "finance.charter_capital_vnd": "2000000000", "finance.investment_vnd": "1500000000",
    "client.bank.account": "112000987654", "client.bank.bank": "VietinBank – Chi nhánh Hưng Yên",
    "add_ons.monitoring.every_months": "2", "add_ons.monitoring.visits": "3", "consent": "có",
}  # fmt: skip
_RULES = (
    "Mỗi dòng của trang “Hồ sơ” là một hồ sơ. Không cần điền hết: mục nào trống, hệ thống gửi thư hỏi khách.",
    "Ba cột có dấu * phải có: tên công ty, họ tên và email người liên hệ.",
    "Dán dữ liệu vào bảng bằng “Paste Values” (chỉ dán giá trị) để mã số thuế, số điện thoại không mất số 0 ở đầu.",
    "Có thể đổi thứ tự hoặc bỏ bớt cột; không đổi tên cột và không xóa dòng tiêu đề.",
    f"Mỗi tệp nhiều nhất {MOST_ROWS} hồ sơ. Tải lên xong, trang nhập cho xem trước từng dòng; chưa mở hồ sơ nào.",
    "Dòng đúng được mở dù dòng khác còn sai. Sửa dòng sai rồi tải lại cả tệp: dòng đã mở không mở lần thứ hai.",
)


def build(facts: Mapping[str, Any]) -> bytes:
    """Return the empty sheet (.xlsx). ``facts`` holds the firm's names."""
    workbook, sheet = layout.new_workbook("vi")
    sheet.title = "Hồ sơ"
    _list(sheet)
    guide = workbook.create_sheet("Hướng dẫn")
    _guide(guide)
    layout.page(sheet, language="vi", facts=facts, freeze=f"B{_FIRST}", title_rows=(_TITLES, _TITLES))
    layout.page(guide, language="vi", facts=facts)
    return layout.save_titled(workbook, TITLE, language="vi", facts=facts)


def _list(sheet: Worksheet) -> None:
    place = 0
    for section in SECTIONS:
        first = place + 1
        for question in section.questions:
            place += 1
            letter = get_column_letter(place)
            field = ENTRIES[question.path]
            put(sheet, f"{letter}{_KEYS}", question.path, size=8, colour="7F7F7F")
            needed = " *" if question.path in FIELDS and field.required else ""
            layout.head(sheet, _TITLES, [question.label.vi + needed], first_column=place, height=46)
            sheet.column_dimensions[letter].width = 34 if question.wide else 20
            kept = layout.COUNT if field.kind == "integer" else "@"
            for row in range(_FIRST, _LAST + 1):
                put(sheet, f"{letter}{row}", None, box=True, number_format=kept,
                    horizontal="right" if field.kind == "integer" else None)  # fmt: skip
            if rule := _rule(question.path):
                sheet.add_data_validation(rule)
                rule.add(f"{letter}{_FIRST}:{letter}{_LAST}")
        put(sheet, f"{get_column_letter(first)}{_THEMES}", section.title.vi, bold=True, colour=layout.NAVY)
        for each in range(first, place + 1):
            layout.dress(sheet.cell(_THEMES, each), bold=True, colour=layout.NAVY, background=layout.PALE)  # type: ignore[arg-type]
    sheet.row_dimensions[_KEYS].hidden = True
    sheet.auto_filter.ref = f"A{_TITLES}:{get_column_letter(place)}{_LAST}"


def _rule(path: str) -> DataValidation | None:
    field = ENTRIES[path]
    told: dict[str, Any] = {"allow_blank": True, "showErrorMessage": True, "showInputMessage": True}
    if how := _how(path):
        told |= {"promptTitle": "Cách ghi", "prompt": how[:250]}
    if field.kind == "language":
        return DataValidation(type="list", formula1='"Tiếng Việt,Tiếng Anh"', errorTitle="Ngôn ngữ",
                              error="Xin chọn Tiếng Việt hoặc Tiếng Anh.", **told)  # fmt: skip
    if field.kind == "flag":
        return DataValidation(type="list", formula1='"có,không"', errorTitle="Có hay không",
                              error="Xin chọn có hoặc không.", **told)  # fmt: skip
    if field.kind == "integer":
        return DataValidation(
            type="whole", operator="between", formula1=str(field.least), formula2=str(field.most),
            errorTitle="Số không hợp lệ",
            error=f"Xin ghi số nguyên từ {field.least}{f' đến {field.most}' if field.most < 10**6 else ''}.", **told,
        )  # fmt: skip
    return DataValidation(type="textLength", operator="lessThanOrEqual", formula1=str(field.longest),
                          errorTitle="Quá dài", error=f"Ô này nhiều nhất {field.longest} ký tự.", **told)  # fmt: skip


def _how(path: str) -> str:
    if path.endswith("_vnd"):
        return "Ghi số bằng đồng, không kèm chữ; Excel tự thêm dấu chấm"
    help = QUESTIONS[path].help
    return help.vi if help else ""


def _guide(sheet: Worksheet) -> None:
    layout.widths(sheet, A=38, B=12, C=62, D=46)
    put(sheet, "A1", "Nhập nhiều hồ sơ từ Excel", bold=True, size=16, colour=layout.NAVY)
    row = 2
    for row, rule in enumerate(_RULES, start=3):
        sheet.merge_cells(f"A{row}:D{row}")
        put(sheet, f"A{row}", f"{row - 2}. {rule}", wrap=True)
        sheet.row_dimensions[row].height = 17 * layout.lines(rule, 150)
    row += 2
    layout.head(sheet, row, ["Cột", "Bắt buộc", "Cách ghi", "Ví dụ"], height=22)
    for section in SECTIONS:
        row += 1
        sheet.merge_cells(f"A{row}:D{row}")
        put(sheet, f"A{row}", section.title.vi, bold=True, colour=layout.NAVY, background=layout.PALE)
        for question in section.questions:
            row += 1
            needed = question.path in FIELDS and ENTRIES[question.path].required
            put(sheet, f"A{row}", question.label.vi, box=True, wrap=True, bold=True)
            put(sheet, f"B{row}", "bắt buộc" if needed else "", box=True, horizontal="center")
            how = _how(question.path)
            put(sheet, f"C{row}", how, box=True, wrap=True)
            put(sheet, f"D{row}", _EXAMPLES[question.path], box=True, wrap=True)
            sheet.row_dimensions[row].height = 17 * max(
                layout.lines(question.label.vi, 34), layout.lines(how, 60), layout.lines(_EXAMPLES[question.path], 44)
            )

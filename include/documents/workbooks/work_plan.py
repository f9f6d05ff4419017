"""The work plan of the delivery stage: tasks on its working days, who does them, how far they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from openpyxl.utils import quote_sheetname
from openpyxl.worksheet.datavalidation import DataValidation

from include.documents.workbooks import layout
from include.documents.workbooks.figures import at, day
from include.documents.workbooks.layout import calculate, put
from include.engagement import process
from include.engagement.process import Language, Text


@dataclass(frozen=True)
class Task:
    """A task of the delivery stage; ``begins`` and ``ends`` are shares (0–1) of the stage's working days."""

    group: Text
    title: Text
    begins: float
    ends: float
    who: Literal["lead", "analyst", "finance", "head"]


_PREPARE = Text("Chuẩn bị", "Preparation")
_PLAN = Text("Kế hoạch kinh doanh", "Business plan")
_MODEL = Text("Mô hình tài chính", "Financial model")
_CLOSE = Text("Kiểm tra và trình hội đồng", "Check and submission")

TASKS: tuple[Task, ...] = (
    Task(
        _PREPARE,
        Text("Phân công, đọc hồ sơ và thông tin khách cung cấp", "Assign, read the file and the client's answers"),
        0,
        0.1,
        "head",
    ),
    Task(
        _PREPARE,
        Text("Lập danh mục giả định, nêu chỗ còn thiếu số liệu", "List assumptions and missing figures"),
        0.05,
        0.15,
        "finance",
    ),
    Task(
        _PLAN, Text("Giới thiệu doanh nghiệp, pháp lý, nhân sự", "Company, legal matters, people"), 0.1, 0.25, "analyst"
    ),
    Task(_PLAN, Text("Thị trường và khách hàng", "Market and customers"), 0.1, 0.35, "analyst"),
    Task(_PLAN, Text("Đối thủ cạnh tranh", "Competitors"), 0.25, 0.4, "analyst"),
    Task(_PLAN, Text("Sản phẩm, dịch vụ và giá", "Products, services and prices"), 0.2, 0.4, "analyst"),
    Task(_PLAN, Text("Tiếp thị và bán hàng", "Marketing and sales"), 0.35, 0.5, "analyst"),
    Task(_PLAN, Text("Sản xuất và vận hành", "Production and operations"), 0.35, 0.55, "analyst"),
    Task(
        _MODEL,
        Text("Nhập số liệu, giả định và ba kịch bản", "Enter figures, assumptions and three scenarios"),
        0.15,
        0.35,
        "finance",
    ),
    Task(
        _MODEL,
        Text("Đầu tư, nguồn vốn, lịch vay, khấu hao", "Investment, funding, loan, depreciation"),
        0.3,
        0.5,
        "finance",
    ),
    Task(
        _MODEL,
        Text("Báo cáo tài chính dự kiến, thẩm định hiệu quả, độ nhạy", "Statements, appraisal, sensitivity"),
        0.45,
        0.65,
        "finance",
    ),
    Task(
        _PLAN,
        Text("Chương đầu tư, nguồn vốn và kế hoạch tài chính", "Investment, funding and financial plan"),
        0.6,
        0.75,
        "finance",
    ),
    Task(_PLAN, Text("Rủi ro và lộ trình triển khai", "Risks and roadmap"), 0.6, 0.75, "analyst"),
    Task(_PLAN, Text("Tóm tắt, phụ lục, biên tập toàn văn", "Summary, appendices, editing"), 0.7, 0.85, "lead"),
    Task(
        _CLOSE,
        Text("Kiểm tra chéo số liệu giữa bản Word và mô hình", "Cross-check the figures of plan and model"),
        0.8,
        0.9,
        "finance",
    ),
    Task(
        _CLOSE,
        Text("Kiểm tra nội bộ theo tiêu chí của hội đồng", "Internal check against the council's criteria"),
        0.85,
        0.95,
        "head",
    ),
    Task(
        _CLOSE,
        Text("Nộp sản phẩm, trình hội đồng thẩm định", "Submit the deliverables to the council"),
        0.95,
        1,
        "lead",
    ),
)

_WHO = {
    "lead": Text("Trưởng nhóm hồ sơ", "Team lead"),
    "analyst": Text("Chuyên viên nghiên cứu", "Research analyst"),
    "finance": Text("Chuyên viên tài chính", "Finance analyst"),
    "head": Text("Trưởng phòng dịch vụ", "Head of service department"),
}
_STATUS = (
    Text("Chưa làm", "Not started"),
    Text("Đang làm", "In progress"),
    Text("Hoàn thành", "Done"),
    Text("Vướng mắc", "Blocked"),
)


def build(*, language: Language, facts: Mapping[str, Any]) -> bytes:
    """Return the work plan for the delivery row of ``facts["timetable"]``."""

    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    workbook, sheet = layout.new_workbook(language)
    sheet.title = say("Kế hoạch công việc", "Work plan")
    calendar_sheet = workbook.create_sheet(say("Ngày làm việc", "Working days"))
    delivery_days = _delivery_days(facts)
    length = len(delivery_days) or (process.STAGES["delivery"].days or 1)
    _calendar(calendar_sheet, delivery_days, language)
    layout.widths(sheet, A=5, B=50, C=9, D=9, E=12, F=12, G=8, H=23, I=14, J=12, K=24)
    row = layout.title_block(
        sheet,
        title=process.DOCUMENTS["work_plan"].title.in_(language).upper(),
        language=language,
        facts=facts,
        subtitle=_period(delivery_days, language),
    )
    header = row + 2
    last = header + len(TASKS) + len({task.group for task in TASKS})
    put(
        sheet,
        f"B{row - 1}",
        say("Phụ trách khách hàng: ", "Account manager: ") + str(at(facts, "firm.account_manager.name") or "–"),
        size=10,
    )
    put(sheet, f"B{row}", say("Tiến độ chung (việc hoàn thành)", "Progress (tasks done)"), bold=True)
    calculate(
        sheet,
        f"C{row}",
        f"=IF(COUNTA(I{header + 1}:I{last})=0,0,COUNTIF(I{header + 1}:I{last},"
        f'"{_STATUS[2].in_(language)}")/COUNTA(I{header + 1}:I{last}))',
        bold=True,
        number_format="0%",
        horizontal="center",
        background=layout.PALE,
        box=True,
    )
    put(sheet, f"E{row}", say("Vướng mắc", "Blocked"), bold=True, horizontal="right")
    calculate(
        sheet,
        f"F{row}",
        f'=COUNTIF(I{header + 1}:I{last},"{_STATUS[3].in_(language)}")',
        bold=True,
        box=True,
        horizontal="center",
        background=layout.PALE,
    )
    layout.head(
        sheet,
        header,
        [
            say("STT", "No."),
            say("Công việc", "Task"),
            say("Từ ngày thứ", "From day"),
            say("Đến ngày thứ", "To day"),
            say("Bắt đầu", "Start"),
            say("Kết thúc", "End"),
            say("Số ngày", "Days"),
            say("Người thực hiện", "Responsible"),
            say("Trạng thái", "Status"),
            say("Xong ngày", "Finished"),
            say("Ghi chú", "Notes"),
        ],
    )
    limits = DataValidation(
        type="whole",
        operator="between",
        formula1="1",
        formula2=str(length),
        allow_blank=False,
        showErrorMessage=True,
        errorTitle=say("Ngoài giai đoạn", "Outside the stage"),
        error=say(f"Ngày thứ phải từ 1 đến {length}.", f"The day must be from 1 to {length}."),
    )
    states = DataValidation(
        type="list",
        formula1='"' + ",".join(s.in_(language) for s in _STATUS) + '"',
        allow_blank=False,
        showErrorMessage=True,
    )
    dates = DataValidation(
        type="date",
        operator="greaterThan",
        formula1="36526",
        allow_blank=True,
        showErrorMessage=True,
        errorTitle=say("Ngày không hợp lệ", "Not a valid date"),
        error=say("Vui lòng nhập ngày dạng ngày/tháng/năm.", "Please enter a date."),
    )
    for rule in (limits, states, dates):
        sheet.add_data_validation(rule)
    source = f"{quote_sheetname(calendar_sheet.title)}!$B$4:$B${3 + length}"
    row, number = header, 0
    for group in dict.fromkeys(task.group for task in TASKS):
        row += 1
        sheet.merge_cells(f"A{row}:K{row}")
        put(sheet, f"A{row}", group.in_(language), bold=True, background=layout.PALE, colour=layout.NAVY)
        for task in (task for task in TASKS if task.group == group):
            row, number = row + 1, number + 1
            begins = min(length, int(task.begins * length) + 1)
            ends = max(begins, min(length, round(task.ends * length)))
            put(sheet, f"A{row}", number, box=True, horizontal="center")
            put(sheet, f"B{row}", task.title.in_(language), box=True, wrap=True, indent=1)
            for letter, value in (("C", begins), ("D", ends)):
                put(sheet, f"{letter}{row}", value, box=True, horizontal="center", background=layout.INPUT)
            for letter, place in (("E", "C"), ("F", "D")):
                calculate(
                    sheet,
                    f"{letter}{row}",
                    f'=IFERROR(IF(INDEX({source},{place}{row})="","",INDEX({source},{place}{row})),"")',
                    box=True,
                    number_format=layout.DAY,
                    horizontal="center",
                )
            calculate(sheet, f"G{row}", f"=MAX(0,D{row}-C{row}+1)", box=True, horizontal="center")
            put(sheet, f"H{row}", _WHO[task.who].in_(language), box=True, wrap=True, background=layout.INPUT)
            put(sheet, f"I{row}", _STATUS[0].in_(language), box=True, horizontal="center", background=layout.INPUT)
            put(
                sheet, f"J{row}", None, box=True, number_format=layout.DAY, background=layout.INPUT, horizontal="center"
            )
            put(sheet, f"K{row}", None, box=True, wrap=True, background=layout.INPUT)
            sheet.row_dimensions[row].height = 6 + 15 * layout.lines(task.title.in_(language), 48)
            limits.add(f"C{row}:D{row}")
            states.add(f"I{row}")
            dates.add(f"J{row}")
    for status, colour in ((2, layout.GREEN_PALE), (3, layout.RED_PALE), (1, "FFE9B8")):
        layout.colour_when(sheet, f"I{header + 1}:I{row}", f'$I{header + 1}="{_STATUS[status].in_(language)}"', colour)
    late = f"AND(ISNUMBER($J{header + 1}),ISNUMBER($F{header + 1}),$J{header + 1}>$F{header + 1})"
    layout.colour_when(sheet, f"J{header + 1}:J{row}", late, layout.RED_PALE)
    put(
        sheet,
        f"B{row + 1}",
        say(
            "Ô vàng sửa được; ngày bắt đầu, kết thúc tự tính theo lịch làm việc. Ô “Xong ngày” chuyển đỏ khi trễ.",
            "Yellow cells may be changed; dates follow the working calendar. “Finished” turns red when late.",
        ),
        italic=True,
        size=10,
    )
    layout.page(
        sheet,
        language=language,
        facts=facts,
        title_rows=(header, header),
        freeze=f"C{header + 1}",
        area=f"A1:K{row + 1}",
        tall=1,
    )
    return layout.save(workbook, "work_plan", language=language, facts=facts)


def _delivery_days(facts: Mapping[str, Any]) -> list[date]:
    for entry in facts.get("timetable") or []:
        first, last = day(entry.get("start")), day(entry.get("end"))
        if entry.get("stage") == "delivery" and first and last:
            return [each for each in facts.get("working_days") or [] if first <= each <= last]
    return []


def _period(days: list[date], language: Language) -> str:
    if not days:
        return layout.missing(
            Text("ngày bắt đầu và kết thúc giai đoạn thực hiện", "first and last day of the delivery stage").in_(
                language
            ),
            language,
        )
    return Text(
        f"Từ {days[0]:%d/%m/%Y} đến {days[-1]:%d/%m/%Y} ({len(days)} ngày làm việc)",
        f"{days[0]:%d/%m/%Y} to {days[-1]:%d/%m/%Y} ({len(days)} working days)",
    ).in_(language)


def _calendar(sheet: Any, days: list[date], language: Language) -> None:
    """List the stage's working days, which the plan's dates are looked up in."""
    put(
        sheet,
        "A1",
        Text("Các ngày làm việc của giai đoạn thực hiện", "Working days of the delivery stage").in_(language),
        bold=True,
        colour=layout.NAVY,
    )
    layout.widths(sheet, A=12, B=16)
    layout.head(sheet, 3, [Text("Ngày thứ", "Day").in_(language), Text("Ngày", "Date").in_(language)])
    for number, on in enumerate(days, start=1):
        put(sheet, f"A{3 + number}", number, box=True, horizontal="center")
        put(sheet, f"B{3 + number}", on, box=True, number_format=layout.DAY, horizontal="center")
    sheet.sheet_state = "hidden"

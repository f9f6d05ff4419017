"""The progress form of one monitoring visit: a few figures that are read back like a questionnaire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openpyxl.utils import quote_sheetname
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation

from include.documents.workbooks import layout
from include.documents.workbooks.answer_sheet import ANSWER_MARK, KEY_MARK
from include.documents.workbooks.figures import at, day
from include.documents.workbooks.layout import calculate, put
from include.engagement import process
from include.engagement.process import Language, Text

_FIELDS: tuple[tuple[str, Text, Text, bool], ...] = (
    ("revenue_vnd", Text("Doanh thu trong kỳ", "Revenue of the period"), Text("VND", "VND"), True),
    ("cost_vnd", Text("Chi phí trong kỳ", "Costs of the period"), Text("VND", "VND"), True),
    ("jobs", Text("Số lao động cuối kỳ", "Employees at the end of the period"), Text("người", "people"), True),
    (
        "notes",
        Text("Việc đã làm được, khó khăn, kiến nghị", "What was done, difficulties, requests"),
        Text("", ""),
        False,
    ),
)


def build(*, language: Language, facts: Mapping[str, Any]) -> bytes:
    """Return the form for ``facts["visit"]``; the previous visit's figures stand beside the cells to fill."""

    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    workbook, sheet = layout.new_workbook(language)
    sheet.title = say("Tiến độ", "Progress")
    layout.widths(sheet, A=4, B=6, C=40, D=34, E=12, F=26)
    sheet.column_dimensions["A"].hidden = True
    visit: Mapping[str, Any] = facts.get("visit") or {}
    number, of, on = visit.get("number"), visit.get("of"), day(visit.get("day"))
    which = say(f"Kỳ theo dõi {number or '–'}/{of or '–'}", f"Visit {number or '–'} of {of or '–'}")
    row = layout.title_block(
        sheet,
        title=process.DOCUMENTS["progress_form"].title.in_(language).upper(),
        language=language,
        facts=facts,
        first_column="B",
        subtitle=which + (f" – {on:%d/%m/%Y}" if on else ""),
    )
    sheet.merge_cells(f"B{row - 1}:F{row - 1}")
    put(
        sheet,
        f"B{row - 1}",
        say(
            "Vui lòng điền các ô màu vàng rồi gửi lại tệp này bằng cách trả lời thư của chúng tôi.",
            "Please fill in the yellow cells and return this file by replying to our mail.",
        ),
        italic=True,
        size=10,
    )
    put(sheet, f"A{row}", KEY_MARK)
    put(sheet, f"D{row}", ANSWER_MARK)
    sheet.row_dimensions[row].hidden = True
    header = row + 1
    layout.head(
        sheet,
        header,
        [
            say("STT", "No."),
            say("Chỉ tiêu", "Figure"),
            say("Thực hiện kỳ này", "This period"),
            say("Đơn vị", "Unit"),
            say("Kỳ trước", "Previous period"),
        ],
        first_column=2,
    )
    previous = [entry for entry in visit.get("history") or [] if (entry.get("number") or 0) < (number or 0)]
    last: Mapping[str, Any] = previous[-1] if previous else {}
    amounts = DataValidation(
        type="decimal",
        operator="greaterThanOrEqual",
        formula1="0",
        allow_blank=True,
        showErrorMessage=True,
        errorTitle=say("Số không hợp lệ", "Not a valid number"),
        error=say("Vui lòng nhập một số từ 0 trở lên, không kèm chữ.", "Please enter a number of 0 or more."),
    )
    people = DataValidation(
        type="whole",
        operator="greaterThanOrEqual",
        formula1="0",
        allow_blank=True,
        showErrorMessage=True,
        errorTitle=say("Số không hợp lệ", "Not a valid number"),
        error=say("Vui lòng nhập một số nguyên từ 0 trở lên.", "Please enter a whole number of 0 or more."),
    )
    sheet.add_data_validation(amounts)
    sheet.add_data_validation(people)
    for place, (key, label, unit, is_number) in enumerate(_FIELDS, start=1):
        row = header + place
        put(sheet, f"A{row}", key, size=8, colour="7F7F7F")
        put(sheet, f"B{row}", place, box=True, horizontal="center")
        put(sheet, f"C{row}", label.in_(language), box=True, wrap=True, bold=is_number, indent=1)
        put(
            sheet,
            f"D{row}",
            None,
            box=True,
            wrap=True,
            background=layout.INPUT,
            unlocked=True,
            number_format=layout.COUNT if is_number else "@",
            horizontal="right" if is_number else "left",
            vertical="center" if is_number else "top",
        )
        put(sheet, f"E{row}", unit.in_(language), box=True, horizontal="center")
        before = last.get(key)
        put(
            sheet,
            f"F{row}",
            before if is_number else str(before or ""),
            box=True,
            wrap=True,
            background=layout.GREY,
            number_format=layout.COUNT if is_number else None,
        )
        sheet.row_dimensions[row].height = 40 if is_number else 220
        if is_number:
            (people if key == "jobs" else amounts).add(f"D{row}")
        workbook.defined_names[f"answer_{key}"] = DefinedName(
            f"answer_{key}", attr_text=f"{quote_sheetname(sheet.title)}!$D${row}"
        )
    row += 1
    put(
        sheet,
        f"C{row}",
        say("Chênh lệch thu chi trong kỳ (tự tính)", "Revenue less costs (calculated)"),
        italic=True,
        box=True,
        wrap=True,
        indent=1,
    )
    sheet.row_dimensions[row].height = 36
    calculate(
        sheet,
        f"D{row}",
        f'=IF(COUNT(D{header + 1}:D{header + 2})=2,D{header + 1}-D{header + 2},"")',
        italic=True,
        box=True,
        number_format=layout.MONEY,
        horizontal="right",
    )
    put(sheet, f"E{row}", "VND", box=True, horizontal="center")
    manager = at(facts, "firm.account_manager.name") or ""
    put(
        sheet, f"C{row + 2}", say("Người lập biểu (ký, ghi rõ họ tên)", "Prepared by (signature and name)"), italic=True
    )
    put(sheet, f"E{row + 2}", say("Phụ trách hồ sơ: ", "Account manager: ") + str(manager), italic=True)
    sheet.row_dimensions[row + 2].height = 20
    sheet.protection.sheet = True
    sheet.protection.formatRows = False
    layout.page(sheet, language=language, facts=facts, landscape=False, freeze=f"B{header + 1}", area=f"B1:F{row + 6}")
    return layout.save(workbook, "progress_form", language=language, facts=facts)

"""The timetable that goes with a quote: stages in working days, the reserve as a row of its own, Gantt bars."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from include.documents.workbooks import layout
from include.documents.workbooks.figures import day
from include.documents.workbooks.layout import calculate, put
from include.engagement import process
from include.engagement.dates import short_date
from include.engagement.process import Language, Text

_FIRST_BAR = 7  # column G
_MOST_COLUMNS = 70  # more working days than this are drawn by week: a bar must stay readable on A4
_ROW = 36  # points; a short table still fills its page
_STAGE, _RESERVE = "2F5597", "F4B183"


def build(*, language: Language, facts: Mapping[str, Any]) -> bytes:
    """Return the timetable of ``facts["timetable"]`` with the promised date."""

    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    workbook, sheet = layout.new_workbook(language)
    sheet.title = say("Tiến độ", "Timetable")
    rows = [row for row in facts.get("timetable") or [] if day(row.get("start")) and day(row.get("end"))]
    layout.widths(sheet, A=5, B=34, C=9, D=12, E=12, F=16)
    columns = _columns(rows, facts.get("working_days") or [])
    weekly = len(columns) > 1 and (columns[1] - columns[0]).days >= 7
    for offset in range(len(columns)):
        sheet.column_dimensions[get_column_letter(_FIRST_BAR + offset)].width = 3.8 if weekly else 2.9
    last_letter = get_column_letter(max(_FIRST_BAR + len(columns) - 1, 12))
    top = layout.title_block(
        sheet,
        title=process.DOCUMENTS["timetable"].title.in_(language).upper(),
        language=language,
        facts=facts,
        subtitle=say(
            "Thời gian tính bằng ngày làm việc, không kể ngày nghỉ và ngày lễ, tết theo quy định",
            "Durations are working days; weekends and public holidays are not counted",
        ),
    )
    header = top + 1
    put(
        sheet,
        f"A{top}",
        say(
            "Mỗi cột là một tuần (ghi ngày đầu tuần)" if weekly else "Mỗi cột là một ngày làm việc",
            "One column a week (first day shown)" if weekly else "One column a working day",
        ),
        italic=True,
        size=9,
    )
    layout.head(
        sheet,
        header,
        [
            say("STT", "No."),
            say("Giai đoạn", "Stage"),
            say("Ngày làm việc", "Working days"),
            say("Bắt đầu", "Start"),
            say("Kết thúc", "End"),
            say("Bên thực hiện", "Done by"),
        ],
    )
    sheet.row_dimensions[header].height = 44
    _scale(sheet, top, header, columns, language)
    if not rows:
        put(
            sheet,
            f"B{header + 1}",
            layout.missing(say("tiến độ các giai đoạn", "the stages' dates"), language),
            colour=layout.RED,
            italic=True,
        )
    row, number = header, 0
    for entry in rows:
        row += 1
        reserve = bool(entry.get("reserve"))
        number += 0 if reserve else 1
        background = "FBE5D6" if reserve else None
        put(sheet, f"A{row}", "" if reserve else number, box=True, horizontal="center", background=background)
        title = str(entry.get("title") or "")
        put(sheet, f"B{row}", title, box=True, wrap=True, indent=1, bold=reserve, background=background)
        put(sheet, f"C{row}", entry.get("days"), box=True, horizontal="center", background=background)
        put(
            sheet,
            f"D{row}",
            day(entry.get("start")),
            box=True,
            number_format=layout.DAY,
            horizontal="center",
            background=background,
        )
        put(
            sheet,
            f"E{row}",
            day(entry.get("end")),
            box=True,
            number_format=layout.DAY,
            horizontal="center",
            background=background,
        )
        stage = process.STAGES.get(str(entry.get("stage")))
        if reserve:
            who = say("Dùng khi phải làm lại", "Used only for rework")
        elif stage and stage.client_days:
            who = say("Hai bên", "Both parties")
        else:
            who = str((facts.get("firm") or {}).get("short_name") or "")
        put(sheet, f"F{row}", who, box=True, wrap=True, size=10, background=background)
        sheet.row_dimensions[row].height = max(_ROW, 16 * layout.lines(title, 32) + 4)
        for offset in range(len(columns)):
            layout.dress(sheet.cell(row=row, column=_FIRST_BAR + offset), box=True)  # type: ignore[arg-type]
    if rows:
        _bars(sheet, header, row, len(columns), weekly=weekly)
    row = _totals(sheet, row, header, language=language, facts=facts, rows=rows)
    row = _legend(sheet, row + 2, language, facts=facts)
    layout.page(
        sheet,
        language=language,
        facts=facts,
        title_rows=(header, header),
        freeze=f"C{header + 1}",
        area=f"A1:{last_letter}{row}",
    )
    return layout.save(workbook, "timetable", language=language, facts=facts)


def _columns(rows: list[Mapping[str, Any]], working_days: list[date]) -> list[date]:
    """Return the days that the chart's columns stand for: each working day, or Mondays where these are too many."""
    starts = [start for row in rows if (start := day(row.get("start")))]
    ends = [end for row in rows if (end := day(row.get("end")))]
    if not starts or not ends:
        return []
    first, last = min(starts), max(ends)
    days = [each for each in working_days if first <= each <= last]
    if days and len(days) <= _MOST_COLUMNS:
        return days
    monday = first - timedelta(days=first.weekday())
    weeks = (last - monday).days // 7 + 1
    step = -(-weeks // _MOST_COLUMNS)
    return [monday + timedelta(days=7 * step * n) for n in range(-(-weeks // step))]


def _scale(sheet: Worksheet, top: int, header: int, columns: list[date], language: Language) -> None:
    """Write the months over the days; a day cell holds its date, so that the bars can be worked out from it."""
    month_start = 0
    for offset, column_day in enumerate(columns):
        letter = get_column_letter(_FIRST_BAR + offset)
        put(
            sheet,
            f"{letter}{header}",
            column_day,
            bold=True,
            size=9,
            colour="FFFFFF",
            background=layout.NAVY,
            box=True,
            number_format="dd",
            horizontal="center",
        )
        following = columns[offset + 1] if offset + 1 < len(columns) else None
        if following is None or (following.year, following.month) != (column_day.year, column_day.month):
            first = get_column_letter(_FIRST_BAR + month_start)
            if first != letter:
                sheet.merge_cells(f"{first}{top}:{letter}{top}")
            wide = offset - month_start >= 2
            wording = (
                Text(f"Tháng {column_day:%m/%Y}", f"{column_day:%b %Y}")
                if wide
                else Text(f"{column_day:%m}", f"{column_day:%m}")
            )
            put(
                sheet,
                f"{first}{top}",
                wording.in_(language),
                bold=True,
                size=9,
                horizontal="center",
                background=layout.PALE,
                box=True,
            )
            month_start = offset + 1


def _bars(sheet: Worksheet, header: int, last_row: int, columns: int, *, weekly: bool) -> None:
    """Colour the bars by rule, so that they follow when somebody moves a date."""
    first, last = get_column_letter(_FIRST_BAR), get_column_letter(_FIRST_BAR + columns - 1)
    area = f"{first}{header + 1}:{last}{last_row}"
    reach = f"{first}${header}+6" if weekly else f"{first}${header}"
    inside = f"{reach}>=$D{header + 1},{first}${header}<=$E{header + 1}"
    for condition, colour in ((f'AND($A{header + 1}="",{inside})', _RESERVE), (f"AND({inside})", _STAGE)):
        layout.colour_when(sheet, area, condition, colour, edges=True)


def _totals(
    sheet: Worksheet,
    row: int,
    header: int,
    *,
    language: Language,
    facts: Mapping[str, Any],
    rows: list[Mapping[str, Any]],
) -> int:
    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    if not rows:
        return row + 1
    first, last = header + 1, row
    for label, formula, strong in (
        (say("Cộng các giai đoạn", "Stages together"), f'=SUMIF(A{first}:A{last},">0",C{first}:C{last})', False),
        (say("Thời gian dự trù", "Reserve"), f"=SUM(C{first}:C{last})-C{last + 1}", False),
        (say("Tổng thời gian", "Total"), f"=SUM(C{first}:C{last})", True),
    ):
        row += 1
        sheet.row_dimensions[row].height = 22
        put(sheet, f"B{row}", label, box=True, bold=strong, background=layout.PALE, indent=1)
        calculate(sheet, f"C{row}", formula, box=True, bold=strong, horizontal="center", background=layout.PALE)
        put(sheet, f"D{row}", say("ngày làm việc", "working days"), size=10, italic=True, indent=1)
    promised = day(facts.get("promised"))
    row += 2
    put(sheet, f"B{row}", say("Ngày cam kết bàn giao", "Promised date"), bold=True, size=13, colour=layout.NAVY)
    drawn_up = day(facts.get("day"))
    if promised and drawn_up and not (facts.get("contract") or {}).get("day"):
        # Before the signature there is no promise yet: the dates hold if the parties sign on this very day.
        condition = say(
            f"Dự kiến, nếu hợp đồng được ký ngày {short_date(drawn_up)}; ngày cam kết được chốt theo ngày ký.",
            f"Provisional, if the contract is signed on {short_date(drawn_up)}; fixed by the day of signature.",
        )
        put(sheet, f"B{row + 1}", condition, size=10, italic=True, colour=layout.RED)
    if promised:
        sheet.merge_cells(f"C{row}:E{row}")
        put(
            sheet,
            f"C{row}",
            promised,
            bold=True,
            size=13,
            number_format=layout.DAY,
            horizontal="left",
            colour=layout.NAVY,
        )
    else:
        put(sheet, f"C{row}", say("được xác định khi ký hợp đồng", "fixed when the contract is signed"), italic=True)
    return row


def _legend(sheet: Worksheet, row: int, language: Language, *, facts: Mapping[str, Any]) -> int:
    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    for colour, text in (
        (_STAGE, say("Thời gian thực hiện theo kế hoạch", "Planned work")),
        (
            _RESERVE,
            say(
                "Thời gian dự trù: chỉ dùng khi hội đồng thẩm định yêu cầu làm lại, để ngày cam kết không đổi",
                "Reserve: used only when the appraisal council asks for rework, so that the promised date holds",
            ),
        ),
    ):
        sheet.row_dimensions[row].height = 20
        sheet.cell(row=row, column=1).fill = layout.fill(colour)
        put(sheet, f"B{row}", text, size=10)
        row += 1
    put(
        sheet,
        f"B{row}",
        say(
            "Thời gian khách hàng trả lời chậm so với hạn được cộng vào ngày cam kết, có phụ lục gia hạn.",
            "Days that the client answers late are added to the promised date by an appendix.",
        ),
        size=10,
        italic=True,
    )
    return row

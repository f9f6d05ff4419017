"""The questionnaire: one sheet a theme, a guide in front; the client's answers are read back by their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openpyxl.utils import quote_sheetname
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from include.documents.workbooks import layout
from include.documents.workbooks.answer_sheet import ANSWER_MARK, KEY_MARK
from include.documents.workbooks.figures import at, day
from include.documents.workbooks.layout import calculate, put
from include.engagement import process
from include.engagement.process import Item, Language, Text

_ITEMS: dict[str, Item] = {item.key: item for request in process.REQUESTS.values() for item in request.items} | {
    item.key: item for item in (*process.INTAKE_ITEMS, *process.INFORMATION_ITEMS)
}

_SOURCES = (
    Text("Báo cáo tài chính đã nộp", "Filed financial statements"),
    Text("Sổ sách nội bộ", "Internal books"),
    Text("Hợp đồng, chứng từ", "Contracts and vouchers"),
    Text("Ước tính", "Estimate"),
)
_PAPERS = (
    Text("Có, gửi kèm", "Yes, enclosed"),
    Text("Có, sẽ gửi sau", "Yes, to follow"),
    Text("Không có", "Not available"),
)
_BOOLEANS = (Text("Có", "Yes"), Text("Không", "No"))
_COLUMNS = {"A": 4, "B": 5, "C": 38, "D": 10, "E": 60, "F": 10, "G": 24, "H": 26}
_ROW, _TALLEST, _LEAST = 36, 110, 60  # points: a row of figures or papers; a text at most and at least
_ROOM = 420  # points that a printed page has for rows


def build(*, language: Language, facts: Mapping[str, Any]) -> bytes:
    """Return the questionnaire of ``facts["questions"]``; it says nothing of price (rule of stage 1)."""
    workbook, guide = layout.new_workbook(language)
    themes = _by_theme(facts.get("questions") or [])
    sheets: list[tuple[str, Worksheet, list[tuple[Mapping[str, Any], str]]]] = []
    for theme, questions in themes.items():
        title = process.THEMES[theme].in_(language) if theme in process.THEMES else theme
        sheet = workbook.create_sheet(_sheet_title(title, [s.title for _, s, _ in sheets]))
        cells = _theme(
            sheet, title=title, questions=questions, papers=theme == "papers", language=language, facts=facts
        )
        sheets.append((title, sheet, cells))
        for question, cell in cells:
            key = str(question["key"])
            if _kind(question) != "file":
                name = f"answer_{key}"
                workbook.defined_names[name] = DefinedName(
                    name, attr_text=f"{quote_sheetname(sheet.title)}!${cell[0]}${cell[1:]}"
                )
    _guide(guide, sheets=sheets, language=language, facts=facts)
    return layout.save(workbook, "questionnaire", language=language, facts=facts)


def _by_theme(questions: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Group questions by the key of their theme, in the order of ``process.THEMES``."""
    titles = {wording: key for key, text in process.THEMES.items() for wording in (text.vi, text.en)}
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for question in questions:
        named = str(question.get("theme") or "general")
        item = _ITEMS.get(str(question.get("key")))
        theme = named if named in process.THEMES else titles.get(named) or (item.theme if item else "general")
        grouped.setdefault(theme, []).append(question)
    return {theme: grouped[theme] for theme in process.THEMES if theme in grouped}


def _sheet_title(title: str, taken: list[str]) -> str:
    plain = "".join(" " if character in r"[]:*?/\'" else character for character in layout.clean(title))[:28].strip()
    name, number = plain or "–", 2
    while name.casefold() in {other.casefold() for other in taken}:
        name, number = f"{plain} {number}", number + 1
    return name


def _kind(question: Mapping[str, Any]) -> str:
    item = _ITEMS.get(str(question.get("key")))
    if item:
        return item.kind
    return "file" if question.get("theme") == "papers" else str(question.get("kind") or "text")


def _theme(
    sheet: Worksheet,
    *,
    title: str,
    questions: Sequence[Mapping[str, Any]],
    papers: bool,
    language: Language,
    facts: Mapping[str, Any],
) -> list[tuple[Mapping[str, Any], str]]:
    """Lay out one theme; return each question with the cell of its answer."""

    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    layout.widths(sheet, **_COLUMNS)
    sheet.column_dimensions["A"].hidden = True
    row = layout.title_block(
        sheet,
        title=title,
        language=language,
        facts=facts,
        first_column="B",
        subtitle=say(
            "Vui lòng điền vào các ô màu vàng. Mục có dấu ● là bắt buộc.",
            "Please fill in the yellow cells. Items marked ● are required.",
        ),
    )
    put(sheet, f"A{row}", KEY_MARK)
    put(sheet, f"E{row}", ANSWER_MARK)
    sheet.row_dimensions[row].hidden = True
    header = row + 1
    layout.head(
        sheet,
        header,
        [
            say("STT", "No."),
            say("Nội dung", "Question"),
            say("Bắt buộc", "Required"),
            say("Tình trạng hồ sơ", "Paper") if papers else say("Trả lời của Quý khách", "Your answer"),
            say("Đơn vị", "Unit"),
            say("Tệp gửi kèm (tên tệp)", "File name") if papers else say("Căn cứ số liệu", "Source of the figure"),
            say("Ghi chú", "Notes"),
        ],
        first_column=2,
    )
    validations = _Validations(sheet, language)
    texts = sum(_kind(question) == "text" for question in questions)
    tall = min(_TALLEST, max(_LEAST, (_ROOM - _ROW * (len(questions) - texts)) // max(1, texts)))
    cells: list[tuple[Mapping[str, Any], str]] = []
    for number, question in enumerate(questions, start=1):
        row = header + number
        kind, unit = _kind(question), str(question.get("unit") or "")
        # A paper is sent as a file: what is ticked here is for people and not read as an answer.
        put(sheet, f"A{row}", "" if kind == "file" else str(question["key"]), colour="7F7F7F", size=8)
        put(sheet, f"B{row}", number, box=True, horizontal="center")
        label = str(question.get("label") or "")
        put(sheet, f"C{row}", label, box=True, wrap=True, indent=1, bold=bool(question.get("required")))
        put(sheet, f"D{row}", "●" if question.get("required") else "", box=True, horizontal="center", colour=layout.RED)
        answer = put(
            sheet,
            f"E{row}",
            None,
            box=True,
            wrap=True,
            background=layout.INPUT,
            unlocked=True,
            horizontal="right" if kind == "number" else "left",
            vertical="center" if kind != "text" else "top",
            number_format=layout.COUNT if kind == "number" else ("General" if papers else "@"),
        )
        put(sheet, f"F{row}", _unit(unit, language), box=True, horizontal="center", wrap=True)
        sourced = kind == "number" and unit == "VND"
        put(
            sheet,
            f"G{row}",
            None,
            box=True,
            wrap=True,
            unlocked=True,
            background=layout.INPUT if sourced or papers else layout.GREY,
        )
        put(sheet, f"H{row}", None, box=True, wrap=True, unlocked=True, background=layout.INPUT)
        sheet.row_dimensions[row].height = tall if kind == "text" else _ROW
        validations.apply(f"E{row}", question=question, kind=kind)
        if sourced:
            validations.source(f"G{row}")
        cells.append((question, answer.coordinate))
    last = header + len(questions)
    if any(question.get("required") for question in questions):
        put(sheet, f"C{last + 2}", say("Đã trả lời mục bắt buộc:", "Required items answered:"), italic=True, size=10)
        calculate(
            sheet,
            f"E{last + 2}",
            f'=SUMPRODUCT((D{header + 1}:D{last}="●")*(E{header + 1}:E{last}<>""))&"/"'
            f'&COUNTIF(D{header + 1}:D{last},"●")',
            italic=True,
            size=10,
            horizontal="left",
        )
    sheet.protection.sheet = True
    sheet.protection.formatRows = sheet.protection.formatColumns = False
    layout.page(
        sheet,
        language=language,
        facts=facts,
        title_rows=(header, header),
        freeze=f"B{header + 1}",
        area=f"B1:H{last + 2}",
    )
    sheet.sheet_properties.tabColor = layout.BLUE
    return cells


def _unit(unit: str, language: Language) -> str:
    """Return the half of a two-language unit (``tháng / months``) that is for ``language``."""
    halves = unit.split(" / ")
    return halves[0 if language == "vi" else -1]


class _Validations:
    """The drop-downs and limits of one sheet; each rule is added once and covers its cells."""

    def __init__(self, sheet: Worksheet, language: Language) -> None:
        self._sheet = sheet
        self._language = language
        self._rules: dict[str, DataValidation] = {}

    def apply(self, cell: str, *, question: Mapping[str, Any], kind: str) -> None:
        """Limit the answer cell of a question."""
        unit = str(question.get("unit") or "")
        if kind == "file":
            self._choice("papers", _PAPERS).add(cell)
        elif kind == "boolean":
            self._choice("boolean", _BOOLEANS).add(cell)
        elif kind == "number":
            self._number(whole=unit != "%", top=600 if "months" in unit else None).add(cell)
        else:
            self._text().add(cell)

    def source(self, cell: str) -> None:
        """Offer the sources that a figure may come from."""
        self._choice("source", _SOURCES).add(cell)

    def _say(self, vi: str, en: str) -> str:
        return Text(vi, en).in_(self._language)

    def _keep(self, name: str, rule: DataValidation) -> DataValidation:
        self._rules[name] = rule
        self._sheet.add_data_validation(rule)
        return rule

    def _choice(self, name: str, choices: Sequence[Text]) -> DataValidation:
        if name in self._rules:
            return self._rules[name]
        # A comma parts the choices of a list that stands in the rule itself.
        wording = ",".join(choice.in_(self._language).replace(",", ";") for choice in choices)
        return self._keep(
            name,
            DataValidation(
                type="list",
                formula1=f'"{wording}"',
                allow_blank=True,
                showErrorMessage=True,
                errorTitle=self._say("Chọn trong danh sách", "Choose from the list"),
                error=self._say("Vui lòng chọn một mục trong danh sách.", "Please choose one of the list's entries."),
            ),
        )

    def _number(self, *, whole: bool, top: int | None) -> DataValidation:
        name = f"number {whole} {top}"
        if name in self._rules:
            return self._rules[name]
        range_vi = f"từ 1 đến {top}" if top else "từ 0 trở lên"
        range_en = f"from 1 to {top}" if top else "of 0 or more"
        return self._keep(
            name,
            DataValidation(
                type="whole" if whole else "decimal",
                operator="between" if top else "greaterThanOrEqual",
                formula1="1" if top else "0",
                formula2=str(top) if top else None,
                allow_blank=True,
                showErrorMessage=True,
                showInputMessage=True,
                errorTitle=self._say("Số không hợp lệ", "Not a valid number"),
                error=self._say(
                    f"Vui lòng nhập một số nguyên {range_vi}, không kèm chữ.",
                    f"Please enter a whole number {range_en}, without words.",
                ),
                promptTitle=self._say("Nhập số", "Enter a number"),
                prompt=self._say(
                    f"Số nguyên {range_vi}, không gõ chữ hay đơn vị.", f"A whole number {range_en}; no words, no unit."
                ),
            ),
        )

    def _text(self) -> DataValidation:
        if "text" in self._rules:
            return self._rules["text"]
        return self._keep(
            "text",
            DataValidation(
                type="textLength",
                operator="lessThanOrEqual",
                formula1="10000",
                allow_blank=True,
                showErrorMessage=True,
                errorTitle=self._say("Quá dài", "Too long"),
                error=self._say(
                    "Tối đa 10.000 ký tự. Nội dung dài hơn xin gửi thành tệp kèm theo.",
                    "At most 10,000 characters. Please send longer texts as a file.",
                ),
            ),
        )


def _guide(
    sheet: Worksheet,
    *,
    sheets: Sequence[tuple[str, Worksheet, Sequence[tuple[Mapping[str, Any], str]]]],
    language: Language,
    facts: Mapping[str, Any],
) -> None:
    def say(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    sheet.title = say("Hướng dẫn", "Guide")
    layout.widths(sheet, A=6, B=38, C=24, D=24, E=28)
    row = layout.title_block(
        sheet,
        title=process.DOCUMENTS["questionnaire"].title.in_(language).upper(),
        language=language,
        facts=facts,
        subtitle=say("Thông tin lập kế hoạch kinh doanh", "Information for the business plan"),
    )
    due = day(facts.get("due"))
    manager = at(facts, "firm.account_manager") or {}
    # A telephone number stays on one line.
    reach = " – ".join(
        str(manager[part]).replace(" ", "\u00a0" if part == "phone" else " ")
        for part in ("name", "phone", "email")
        if manager.get(part)
    )
    steps = [
        say(
            "Mỗi trang tính là một chủ đề. Quý khách điền vào các ô màu vàng; ô màu xám không cần điền.",
            "Each sheet is one theme. Please fill in the yellow cells; grey cells stay as they are.",
        ),
        say(
            "Mục có dấu ● là bắt buộc. Mục khác giúp kế hoạch sát thực tế hơn, xin điền nếu có.",
            "Items marked ● are required. The others make the plan more realistic; please answer them if you can.",
        ),
        say(
            "Số tiền ghi bằng đồng Việt Nam (VND), ví dụ 14500000000, không kèm chữ.",
            "Amounts are in Vietnamese dong (VND), e.g. 14500000000, without words.",
        ),
        say(
            "Số liệu ước tính xin ghi rõ ở cột “Căn cứ số liệu”.",
            "Please mark estimates in the column “Source of the figure”.",
        ),
        say(
            "Hồ sơ (giấy đăng ký kinh doanh, báo cáo tài chính…) gửi thành tệp riêng cùng thư trả lời.",
            "Papers (business registration, financial statements…) are sent as separate files with your reply.",
        ),
        say(
            "Lưu tệp này ở dạng .xlsx, không đặt mật khẩu, và gửi lại bằng cách trả lời thư chúng tôi đã gửi.",
            "Save this file as .xlsx without a password and return it by replying to our mail.",
        ),
        say(
            "Kế hoạch chỉ chính xác khi thông tin đầy đủ và đúng thực tế. Thông tin được giữ kín và chỉ dùng để lập "
            "kế hoạch.",
            "The plan is only as sound as the information. It is kept confidential and used for the plan only.",
        ),
    ]
    if due:
        steps.insert(0, say(f"Xin gửi lại trước hết ngày {due:%d/%m/%Y}.", f"Please return it by {due:%d/%m/%Y}."))
    if reach:
        steps.append(say(f"Cần hỗ trợ, xin liên hệ: {reach}.", f"For help please contact: {reach}."))
    put(sheet, f"A{row}", say("Cách điền", "How to fill it in"), bold=True, size=13, colour=layout.NAVY)
    for number, step in enumerate(steps, start=1):
        row += 1
        put(sheet, f"A{row}", number, horizontal="center", vertical="top")
        sheet.merge_cells(f"B{row}:E{row}")
        put(sheet, f"B{row}", step, wrap=True, vertical="top", bold=bool(due) and number == 1)
        sheet.row_dimensions[row].height = 15 * layout.lines(step, 114) + 6
    row += 2
    put(sheet, f"A{row}", say("Nội dung", "Contents"), bold=True, size=13, colour=layout.NAVY)
    row += 1
    layout.head(
        sheet,
        row,
        [
            say("STT", "No."),
            say("Trang tính", "Sheet"),
            say("Số mục", "Items"),
            say("Mục bắt buộc", "Required items"),
            say("Đã trả lời", "Answered"),
        ],
    )
    for number, (title, theme_sheet, cells) in enumerate(sheets, start=1):
        row += 1
        put(sheet, f"A{row}", number, box=True, horizontal="center")
        sheet.row_dimensions[row].height = 22
        link = put(sheet, f"B{row}", title, box=True, colour=layout.BLUE, indent=1)
        link.hyperlink = f"#{quote_sheetname(theme_sheet.title)}!B1"
        layout.dress(link, box=True, colour=layout.BLUE, indent=1)
        put(sheet, f"C{row}", len(cells), box=True, horizontal="center")
        put(
            sheet, f"D{row}", sum(1 for question, _ in cells if question.get("required")), box=True, horizontal="center"
        )
        calculate(
            sheet,
            f"E{row}",
            f"=COUNTA({quote_sheetname(theme_sheet.title)}!{cells[0][1]}:{cells[-1][1]})",
            box=True,
            horizontal="center",
        )
    row += 2
    put(
        sheet,
        f"A{row}",
        say(
            "Thông tin chúng tôi đã ghi nhận (xin báo lại nếu chưa đúng)",
            "What we have on record (please tell us if anything is wrong)",
        ),
        bold=True,
        size=13,
        colour=layout.NAVY,
    )
    for label, path in (
        (say("Tên khách hàng", "Client"), "client.name"),
        (say("Mã số thuế", "Tax code"), "client.tax_code"),
        (say("Địa chỉ", "Address"), "client.address"),
        (say("Lĩnh vực", "Sector"), "client.sector"),
        (say("Người đại diện", "Representative"), "client.representative.name"),
        (say("Người liên hệ", "Contact"), "client.contact.name"),
        (say("Mục đích lập kế hoạch", "Purpose of the plan"), "need.purpose"),
    ):
        row += 1
        known = str(at(facts, path) or "–")
        put(sheet, f"A{row}", label, box=True, background=layout.PALE, indent=1)
        put(sheet, f"C{row}", known, box=True, wrap=True, indent=1)
        # Merged afterwards: the cells behind take the border over.
        sheet.merge_cells(f"A{row}:B{row}")
        sheet.merge_cells(f"C{row}:E{row}")
        sheet.row_dimensions[row].height = min(400, 15 * layout.lines(known, 74) + 7)
    sheet.protection.sheet = True
    layout.page(sheet, language=language, facts=facts, landscape=False, area=f"A1:E{row}")
    sheet.sheet_properties.tabColor = layout.NAVY

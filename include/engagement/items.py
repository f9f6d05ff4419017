"""What is asked, what came, and what of it counts: the item-by-item rule of stage 2, for every request.

“An incomplete answer is asked for again, item by item.” (PROCESS, stage 2)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.engagement import process
from include.engagement.figures import figure
from include.engagement.form import EMPTY_REQUIRED, column_value, missing_items
from include.engagement.process import Item, Text
from include.engagement.replies import Reply
from include.engagement.text import cleaned, folded

LONGEST_ANSWER = 30_000  # characters; a cell of a workbook holds 32 767
SCALES: dict[str, tuple[int, int]] = {
    item.key: (0, 10) if item.key == "recommend" else (1, 5)
    for item in process.REQUESTS["evaluation"].items
    if item.kind == "number"
}
FILE_PROBLEMS: dict[str, Text] = {
    "empty": Text("Tệp không có nội dung. Quý khách vui lòng kiểm tra và gửi lại.",
                  "The file is empty. Please check it and send it again."),
    "too_large": Text("Tệp quá lớn. Quý khách vui lòng gửi tệp nhỏ hơn hoặc chia thành nhiều tệp.",
                      "The file is too large. Please send a smaller one, or split it into several."),
    "too_many_files": Text("Mục này đã nhận quá nhiều tệp nên chúng tôi chưa mở tệp này. Quý khách vui lòng gộp những "
                           "tài liệu cần thiết vào một tệp ZIP và báo cho người phụ trách hồ sơ.",
                           "Too many files have come for this request, so we have not opened this one. Please put the "
                           "documents that are needed into one ZIP archive and tell your contact person."),
    "not_what_it_says": Text("Nội dung tệp không đúng với đuôi tệp, không mở được. Quý khách vui lòng lưu lại đúng "
                             "định dạng rồi gửi lại.",
                             "The file is not of the kind that its name says and cannot be opened. Please save it in "
                             "the right format and send it again."),
    "format_not_taken": Text("Chúng tôi không nhận loại tệp này. Quý khách vui lòng gửi tệp PDF, Word (.docx), Excel "
                             "(.xlsx), ảnh JPG hoặc PNG, hoặc tệp nén ZIP.",
                             "We cannot take files of this kind. Please send a PDF, a Word (.docx) or Excel (.xlsx) "
                             "file, a JPG or PNG picture, or a ZIP archive."),
    "truncated": Text("Tệp chưa được gửi trọn vẹn (thiếu phần cuối). Quý khách vui lòng gửi lại.",
                      "The file did not arrive whole (its end is missing). Please send it again."),
    "damaged": Text("Tệp bị hỏng, không mở được. Quý khách vui lòng mở thử trên máy, lưu lại rồi gửi lại.",
                    "The file is damaged and cannot be opened. Please try to open it, save it and send it again."),
    "encrypted": Text("Tệp được đặt mật khẩu. Quý khách vui lòng bỏ mật khẩu rồi gửi lại.",
                      "The file is protected by a password. Please remove the password and send it again."),
    "macros": Text("Tệp có chứa macro nên chúng tôi không mở. Quý khách vui lòng lưu lại dưới dạng .docx hoặc .xlsx "
                   "không có macro, hoặc PDF, rồi gửi lại.",
                   "The file contains macros, so we do not open it. Please save it as .docx or .xlsx without macros, "
                   "or as PDF, and send it again."),
    "program": Text("Tệp là chương trình hoặc chứa chương trình nên chúng tôi không mở. Quý khách vui lòng chỉ gửi "
                    "tài liệu hoặc ảnh.",
                    "The file is a program or contains one, so we do not open it. Please send only documents or "
                    "pictures."),
    "virus": Text("Phần mềm kiểm tra phát hiện mã độc trong tệp nên chúng tôi không mở. Quý khách vui lòng kiểm tra "
                  "máy tính và gửi lại tài liệu từ bản gốc sạch.",
                  "A virus check raised an alarm on the file, so we do not open it. Please check your computer and "
                  "send the document again from a clean original."),
    "active_content": Text("Tệp có phần tự chạy hoặc tải nội dung từ nơi khác nên chúng tôi không mở. Quý khách vui "
                           "lòng in tệp ra PDF thường rồi gửi lại.",
                           "The file has parts that run by themselves or load content from elsewhere, so we do not "
                           "open it. Please print it to a plain PDF and send that."),
    "xml_declarations": Text("Tệp có cấu trúc không an toàn nên chúng tôi không mở. Quý khách vui lòng mở tệp bằng "
                             "Word hoặc Excel, lưu lại rồi gửi lại.",
                             "The file is built in an unsafe way, so we do not open it. Please open it in Word or "
                             "Excel, save it again and send it."),
    "unpacks_too_large": Text("Nội dung trong tệp khi mở ra quá lớn. Quý khách vui lòng gửi riêng từng tài liệu cần "
                              "thiết.",
                              "What is packed in the file is too large once opened. Please send the documents that are "
                              "needed one by one."),
    "nested_too_deep": Text("Tệp nén chứa các tệp nén khác mà chúng tôi không mở được. Quý khách vui lòng giải nén và "
                            "gửi riêng từng tài liệu.",
                            "The archive contains other archives that we cannot open. Please unpack it and send the "
                            "documents one by one."),
    "too_many_parts": Text("Tệp nén chứa quá nhiều tệp. Quý khách vui lòng chỉ gửi những tài liệu cần thiết.",
                           "The archive contains too many files. Please send only the documents that are needed."),
    "unsafe_names": Text("Tệp nén chứa tên tệp không an toàn. Quý khách vui lòng gửi riêng từng tài liệu.",
                         "The archive contains file names that are not safe. Please send the documents one by one."),
    "image_too_large": Text("Ảnh có kích thước quá lớn. Quý khách vui lòng giảm kích thước ảnh rồi gửi lại.",
                            "The picture is too large. Please reduce its size and send it again."),
    "sheet_too_large": Text("Bảng tính quá lớn hoặc có ô nằm quá xa. Quý khách vui lòng chỉ giữ phần số liệu cần thiết "
                            "rồi gửi lại.",
                            "The worksheet is too large or has cells too far out. Please keep only the figures that "
                            "are needed and send it again."),
    "unreadable_sheet": Text("Không đọc được bảng câu hỏi. Quý khách vui lòng lưu lại tệp ở dạng .xlsx rồi gửi lại.",
                             "The questionnaire cannot be read. Please save it as .xlsx and send it again."),
    "too_complex": Text("Tệp quá phức tạp, chúng tôi không kiểm tra được. Quý khách vui lòng lưu lại dưới dạng PDF "
                        "hoặc chia nhỏ rồi gửi lại.",
                        "The file is too complex for us to check. Please save it as PDF or split it, and send it "
                        "again."),
}  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """Where an item stands before a reply: ``state`` is missing, received or returned."""

    key: str
    required: bool
    state: str
    reason: str | None


@dataclass(frozen=True)
class FileSeen:
    """A file of a reply, the item it belongs to, and what is wrong with it (a key of ``FILE_PROBLEMS`` or words)."""

    name: str
    item: str | None
    problem: str | Text | None


@dataclass(frozen=True)
class Assessment:
    """What a reply amounts to.

    ``received``: item → value (text, or int/float for numbers); ``received_files``: item → file name; ``returned``:
    item → why it cannot count; ``extra``: answers to what was not asked, kept; ``unassigned``: files of no item.
    """

    received: dict[str, Any] = field(default_factory=dict)
    received_files: dict[str, str] = field(default_factory=dict)
    returned: dict[str, Text] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    unassigned: list[str] = field(default_factory=list)

    def missing_after(self, items: Sequence[Item], standing: Mapping[str, Standing]) -> list[Item]:
        """Return the required items that are still not there, in the order of the request."""
        return [item for item in items if _required(item, standing) and not self._has(item.key, standing)]

    def _has(self, key: str, standing: Mapping[str, Standing]) -> bool:
        if key in self.returned:
            return False
        if key in self.received or key in self.received_files:
            return True
        return key in standing and standing[key].state == "received"


def _required(item: Item, standing: Mapping[str, Standing]) -> bool:
    return standing[item.key].required if item.key in standing else item.required


def items_for(kind: str, form: Mapping[str, Any]) -> list[Item]:
    """Return the rows that a request of this kind asks of this client (``kind``: a key of ``process.REQUESTS``).

    Of the intake rows, those that the form leaves empty; elsewhere rows with ``when`` only where the purpose or
    the sector has one of their words.
    """
    if kind == "intake":
        return missing_items(form)
    subject = folded(f"{form['need']['purpose']} | {form['client']['sector']}")
    return [
        item
        for item in process.REQUESTS[kind].items
        if not item.when or any(re.search(rf"\b{re.escape(folded(word))}", subject) for word in item.when)
    ]


def item_named(key: str) -> Item:
    """Return the row of an item of the information request or the intake form; of any other name, a text item."""
    rows = {item.key: item for item in (*process.INTAKE_ITEMS, *process.INFORMATION_ITEMS)}
    return rows.get(key) or Item(key, Text(key.replace("_", " "), key.replace("_", " ")), "text")


def _joined(name: str) -> str:
    return folded(name).replace(" ", "")


def _ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return ending.casefold() if stem and dot else ""


def item_of_file(name: str, items: Sequence[Item], reply: Reply) -> str | None:
    """Return the key of the item that a file answers, None when that cannot be told.

    What the reply says counts first, then the item whose key the name begins with (the longest; accents, case and
    dashes aside), then the one file item that is asked for, or the one that takes files with this ending.
    """
    keys = {item.key for item in items}
    for key, named in reply.files.items():
        if unicodedata.normalize("NFC", named) == unicodedata.normalize("NFC", name) and key in keys:
            return key
    files = [item for item in items if item.kind == "file"]
    stem = _joined(name.rpartition(".")[0] or name)
    begun = [item.key for item in files if stem.startswith(_joined(item.key))]
    if begun:
        return max(begun, key=len)
    if len(files) == 1:
        return files[0].key
    fitting = [item.key for item in files if _ending(name) in item.formats]
    return fitting[0] if len(fitting) == 1 else None


def assess(
    items: Sequence[Item], standing: Mapping[str, Standing], reply: Reply, files: Sequence[FileSeen]
) -> Assessment:
    """Sort a reply into what counts, what goes back with a reason, and what nobody asked for.

    ``items`` are the request's rows, ``standing`` where they stood before (by key). An empty answer to something
    already received changes nothing.
    """
    found = Assessment()
    rows = {_joined(item.key): item for item in items}
    for key, value in reply.answers.items():
        item = rows.get(_joined(key))
        if item is None:
            found.extra[key] = value
        elif _is_empty(value):
            had = item.key in standing and standing[item.key].state == "received"
            if _required(item, standing) and not had and item.kind != "file":
                found.returned[item.key] = _sentence(EMPTY_REQUIRED)
        else:
            kept, reason = _answer(item, value)
            if reason is None:
                found.received[item.key] = kept
            else:
                found.returned[item.key] = reason
    _sort_files({item.key: item for item in items}, files, found)
    return found


def _is_empty(value: Any) -> bool:
    return value is None or value in ([], {}) or (isinstance(value, str) and not cleaned(value))


def _sentence(reason: Text) -> Text:
    return Text(f"Câu trả lời {reason.vi}.", f"The answer {reason.en}.")


def _answer(item: Item, value: Any) -> tuple[Any, Text | None]:
    """Return the value of an answer as it is kept, or why it goes back."""
    if item.kind == "file":
        return None, Text("Mục này cần một tệp gửi kèm.", "This item needs a file.")
    if item.column:
        kept, reason = column_value(item.column, value)
        return kept, None if reason is None else _sentence(reason)
    if item.kind == "number":
        return _number(item, value)
    if isinstance(value, list) and all(isinstance(part, (str, int, float)) for part in value):
        value = "; ".join(str(part) for part in value)
    if isinstance(value, (dict, list, bool)):
        return None, Text("Câu trả lời phải là chữ.", "The answer must be text.")
    text = cleaned(f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value))
    if len(text) > LONGEST_ANSWER:
        return None, Text(
            f"Câu trả lời dài hơn {LONGEST_ANSWER} ký tự; xin gửi thành tệp.",
            f"The answer is longer than {LONGEST_ANSWER} characters; please send it as a file.",
        )
    return text, None


def _number(item: Item, value: Any) -> tuple[Any, Text | None]:
    number = figure(value)
    if number is None:
        return None, Text("Câu trả lời không phải là một con số.", "The answer is not a number.")
    least, most = SCALES.get(item.key, (0, 10**18))
    if item.key in SCALES and not least <= number <= most:
        return None, Text(f"Điểm phải từ {least} đến {most}.", f"The score must be from {least} to {most}.")
    if not least <= number <= most:
        return None, Text(
            "Con số phải từ 0 trở lên và không quá lớn.", "The number must be 0 or more, and not too large."
        )
    if number == number.to_integral_value():
        return int(number), None
    if item.unit == "VND" or item.key in SCALES:
        return None, Text("Con số phải là số nguyên.", "The number must be a whole number.")
    return float(number), None


def problem_words(problem: str | Text) -> Text:
    """Return what a client is told of a file's problem (a key of ``FILE_PROBLEMS``, or words already)."""
    if isinstance(problem, Text):
        return problem
    return FILE_PROBLEMS.get(problem, Text(problem, problem))


def _sort_files(rows: Mapping[str, Item], files: Sequence[FileSeen], found: Assessment) -> None:
    refused: dict[str, Text] = {}
    for file in files:
        item = rows.get(file.item or "")
        if item is None:
            found.unassigned.append(file.name)
        elif item.kind != "file":
            refused[item.key] = Text("Mục này cần câu trả lời bằng chữ, không phải tệp.",
                                     "This item needs an answer in words, not a file.")  # fmt: skip
        elif file.problem is not None:
            refused[item.key] = problem_words(file.problem)
        elif _ending(file.name) not in item.formats:
            formats = ", ".join(item.formats)
            refused[item.key] = Text(f"Tệp “{file.name}” không đúng định dạng; xin gửi lại dưới dạng {formats}.",
                                     f"“{file.name}” has the wrong format; please send {formats}.")  # fmt: skip
        else:
            found.received_files[item.key] = file.name
    # A good file or answer for the same item outweighs a bad one beside it.
    for key, reason in refused.items():
        if key not in found.received:
            found.returned[key] = reason
    for key in found.received_files:
        found.returned.pop(key, None)

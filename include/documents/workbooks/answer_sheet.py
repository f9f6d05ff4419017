"""Sheets that a client fills in and the pipeline reads back: where the answers stand, and how they are read.

Such a sheet has a hidden marker row with ``item_key`` above a hidden column of item keys and ``answer`` above the
column of answers. The reader goes by these marks, so inserted or sorted rows and columns do no harm.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.parsers import expat

from include.engagement.errors import InvalidReply
from include.engagement.process import Text

KEY_MARK, ANSWER_MARK = "item_key", "answer"
MAX_SHEETS, MAX_ROWS, MAX_COLUMNS = 20, 2_000, 30
MAX_BYTES = 30_000_000  # of the file, and of any part of it unpacked
_MOST_SEARCHED = 5 * MAX_BYTES
_CELL = re.compile(rb"<(?:[^<>\s/]*:)?c[\s/>]")
_CELL_WITHIN = re.compile(rb'<c r="(?:[A-Z]|A[A-D])(?:1?[0-9]{1,3}|2000)"')  # MAX_COLUMNS is AD
_REFERENCE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")  # calamine takes small letters too
_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
LONGEST_ANSWER = 32_767  # characters; what a cell of Excel holds
TOO_COMPLEX = Text(
    "Không đọc được bảng câu hỏi vì tệp quá phức tạp. Vui lòng gửi lại tệp chỉ gồm phần trả lời.",
    "The questionnaire is too complex to be read. Please send it again with nothing but the answers.",
)


class UnreadableSheet(InvalidReply):
    """A questionnaire that cannot be read; ``words`` tell the client why and what to do."""

    def __init__(self, words: Text) -> None:
        super().__init__(words.vi)
        self.words = words


def read_questionnaire(data: bytes) -> dict[str, Any]:
    """Return ``{item key: answer}`` of the filled cells in a questionnaire or progress form (.xlsx bytes).

    Answers are text, int, float or bool; a date is its ISO text. Empty cells and sheets without our marks are left
    out, so a workbook of another kind gives no answers; of a key that stands twice the first answer counts. Read are
    at most 20 sheets, 2 000 rows and 30 columns. A damaged file raises ``UnreadableSheet``, and so does one with our
    marks that is oversize or has a cell filled beyond these bounds.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if not _is_ours(archive):
                return {}
            check_size(data, archive)
        from python_calamine import CalamineWorkbook

        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        answers: dict[str, Any] = {}
        for name in workbook.sheet_names[:MAX_SHEETS]:
            rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False, nrows=MAX_ROWS)
            for key, value in _answers([row[:MAX_COLUMNS] for row in rows]):
                answers.setdefault(key, value)
        return answers
    except InvalidReply:
        raise
    except Exception as error:  # calamine and zipfile raise a dozen kinds for damaged files
        raise UnreadableSheet(
            Text(
                "Không đọc được bảng câu hỏi. Vui lòng lưu lại tệp ở dạng .xlsx, không đặt mật khẩu, rồi gửi lại.",
                "The questionnaire cannot be read. Please save it as .xlsx without a password and send it again.",
            )
        ) from error


def _answers(rows: list[list[Any]]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    key_column = answer_column = -1
    for row in rows:
        if KEY_MARK in row and ANSWER_MARK in row:
            key_column, answer_column = row.index(KEY_MARK), row.index(ANSWER_MARK)
            continue
        if key_column < 0 or len(row) <= max(key_column, answer_column):
            continue
        key, value = row[key_column], plain(row[answer_column])
        if isinstance(key, str) and _KEY.fullmatch(key) and value is not None:
            found.append((key, value))
    return found


def plain(value: object) -> str | int | float | bool | None:
    if isinstance(value, str):
        return value.strip()[:LONGEST_ANSWER] or None
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else value
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return value if isinstance(value, int) else None


def _is_ours(archive: zipfile.ZipFile) -> bool:
    """Tell whether our mark stands anywhere: clients send workbooks of their own too, of any size."""
    budget = _MOST_SEARCHED
    for entry in archive.infolist():
        if not entry.filename.endswith(".xml") or entry.file_size > min(budget, MAX_BYTES):
            continue
        budget -= entry.file_size
        if KEY_MARK.encode() in archive.read(entry):
            return True
    return False


def check_size(data: bytes, archive: zipfile.ZipFile) -> None:
    """Refuse what would not fit into memory: calamine lays a sheet out as a full rectangle before anything is read."""
    if len(data) > MAX_BYTES:
        raise UnreadableSheet(
            Text(
                "Bảng câu hỏi lớn hơn 30 MB. Vui lòng gửi lại tệp chỉ gồm phần trả lời.",
                "The questionnaire is larger than 30 MB. Please send it again with nothing but the answers.",
            )
        )
    if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
        raise UnreadableSheet(
            Text(
                "Bảng câu hỏi giải nén ra lớn hơn 30 MB. Vui lòng gửi lại tệp chỉ gồm phần trả lời.",
                "The questionnaire unpacks to more than 30 MB. Please send it again with nothing but the answers.",
            )
        )
    for name in archive.namelist():
        # Where the sheets lie is for the file to say, so every part is looked at.
        if name.endswith(".xml"):
            _check_extent(archive.read(name))


def _check_extent(part: bytes) -> None:
    """Refuse a sheet with a cell filled beyond the bounds.

    When every cell is written as programs write it and lies within, which takes no parser to see, that is all.
    """
    # A zero byte: UTF-16, in which these expressions find nothing.
    if b"\0" in part or len(_CELL.findall(part)) != len(_CELL_WITHIN.findall(part)):
        _Extent().check(part)


class _Extent:
    """Where the filled cells of a part lie."""

    def __init__(self) -> None:
        self._row = ""
        self._cell: str | None = None

    def check(self, part: bytes) -> None:
        """Go over a part; raises UnreadableSheet, or ExpatError for what is no XML."""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.Parse(part, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        kind = name.rpartition(":")[2]
        if kind == "c":
            self._cell = attributes.get("r", "")
        elif kind == "row":
            self._row, self._cell = attributes.get("r", ""), None
        elif self._cell is not None and kind in ("v", "is", "f"):
            self._check(self._cell)
            self._cell = None
        elif kind not in ("v", "is", "f"):
            self._cell = None

    def _check(self, cell: str) -> None:
        reference = _REFERENCE.fullmatch(cell or f"A{self._row or 0}")
        column = 0
        for letter in reference[1].upper() if reference else "":
            column = column * 26 + ord(letter) - 64
        if reference is None or int(reference[2]) > MAX_ROWS or column > MAX_COLUMNS:
            where = cell or self._row
            raise UnreadableSheet(
                Text(
                    f"Ô {where} nằm ngoài phạm vi bảng câu hỏi (tối đa {MAX_ROWS} dòng, "
                    f"{MAX_COLUMNS} cột). Vui lòng xóa ô này rồi gửi lại.",
                    f"Cell {where} lies outside the questionnaire (at most {MAX_ROWS} rows, {MAX_COLUMNS} "
                    "columns). Please clear it and send the questionnaire again.",
                )
            )

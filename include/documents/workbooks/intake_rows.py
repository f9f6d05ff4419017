"""A sheet of many intake forms, read back: one row is one form, its columns are found by their titles."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

from include.documents.workbooks.answer_sheet import (
    MAX_COLUMNS,
    MAX_ROWS,
    MAX_SHEETS,
    UnreadableSheet,
    check_size,
    plain,
)
from include.engagement.intake import QUESTIONS
from include.engagement.process import Text
from include.engagement.text import folded

MOST_ROWS = 500
SEARCHED = 20  # rows of a sheet in which its header may stand
NEEDED = {"client.name", "client.contact.name", "client.contact.email"}  # columns by which a header is known
_PATHS = {path: path for path in QUESTIONS} | {folded(each.label.vi): each.path for each in QUESTIONS.values()}
DAMAGED = Text("Không đọc được bảng. Xin dùng mẫu tải về ở đây, lưu ở dạng .xlsx, không đặt mật khẩu, rồi tải lên lại.",
               "The sheet cannot be read. Please use the template from here, saved as .xlsx without a password.")
NO_HEADER = Text("Không thấy dòng tiêu đề trong tệp. Xin dùng mẫu tải về ở đây và giữ nguyên tên các cột.",
                 "There is no header row. Please use the template from here and keep the titles of its columns.")
TOO_MANY = Text(f"Bảng có hơn {MOST_ROWS} dòng. Xin chia thành nhiều tệp.",
                f"The sheet has more than {MOST_ROWS} rows. Please split it into several files.")  # fmt: skip


def read_intake_rows(data: bytes) -> list[tuple[int, dict[str, Any]]]:
    """Return the number (from 1) and the filled cells, by the paths of ``form.ENTRIES``, of each row of the first sheet
    that has our header.

    Columns may be moved or left out; others than ours are not read. Raises UnreadableSheet.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_size(data, archive)
        from python_calamine import CalamineWorkbook

        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        for name in workbook.sheet_names[:MAX_SHEETS]:
            cells = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False, nrows=MAX_ROWS)
            rows = _rows([row[:MAX_COLUMNS] for row in cells])
            if rows is not None:
                break
        else:
            raise UnreadableSheet(NO_HEADER)
    except UnreadableSheet as error:
        raise error if error.words is NO_HEADER else UnreadableSheet(DAMAGED) from None
    except Exception as error:  # calamine and zipfile raise a dozen kinds for damaged files
        raise UnreadableSheet(DAMAGED) from error
    if len(rows) > MOST_ROWS:
        raise UnreadableSheet(TOO_MANY)
    return rows


def _rows(cells: Sequence[Sequence[Any]]) -> list[tuple[int, dict[str, Any]]] | None:
    """Return the rows below the header, None where there is none."""
    columns: dict[int, str] = {}
    found: list[tuple[int, dict[str, Any]]] = []
    for number, row in enumerate(cells, start=1):
        titles = _titles(row)
        if set(titles.values()) >= NEEDED:
            columns = columns or titles  # below the hidden row of keys stands that of titles
        elif columns:
            entries = {path: plain(row[place]) for place, path in columns.items() if place < len(row)}
            if entries := {path: value for path, value in entries.items() if value is not None}:
                found.append((number, entries))
        elif number >= SEARCHED:
            return None
    return found if columns else None


def _titles(row: Sequence[Any]) -> dict[int, str]:
    found: dict[int, str] = {}
    for place, cell in enumerate(row):
        path = _PATHS.get(cell.strip(), _PATHS.get(folded(cell))) if isinstance(cell, str) else None
        if path is not None and path not in found.values():
            found[place] = path
    return found

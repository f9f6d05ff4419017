"""Workbooks that clients, banks and staff open in Excel or LibreOffice: live formulas, no macros.

One module makes one workbook and is named after its key in ``process.DOCUMENTS``. They load openpyxl, so they
are imported only when a workbook is built: importing this package stays cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from include.documents.workbooks.answer_sheet import read_questionnaire
from include.engagement import process
from include.engagement.process import Language

__all__ = ["KEYS", "build", "read_questionnaire"]

KEYS: tuple[str, ...] = tuple(key for key, document in process.DOCUMENTS.items() if document.format == "xlsx")


def build(key: str, *, language: Language, facts: Mapping[str, Any]) -> bytes:
    """Return the workbook ``key`` (an xlsx row of ``process.DOCUMENTS``) as the bytes of an .xlsx file.

    The same facts give the same bytes on every machine. A fact that is missing shows as a note in the workbook
    ("Thiếu số liệu: …"), never as an error value. Raises ``KeyError`` for a key that is no workbook.
    """
    if key not in KEYS:
        raise KeyError(key)
    module = import_module(f"{__name__}.{key}")
    data: bytes = module.build(language=language, facts=facts)
    return data

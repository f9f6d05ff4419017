"""The values of a workbook's formulas, written beside the formulas.

openpyxl writes formulas only. Excel's Protected View, mail previews and phones show what is stored, so a workbook that
was just made would open empty there. LibreOffice computes the values; everything else in the workbook stays ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lxml import etree  # type: ignore[import-untyped]

from include.documents.libreoffice import LibreOffice
from include.documents.package import read_parts, write_parts
from include.engagement.errors import FormulaFailed

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_SHEET = re.compile(r"xl/worksheets/sheet(\d+)\.xml")
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


def with_cached_values(xlsx: bytes, libreoffice: LibreOffice) -> bytes:
    """Return a workbook made by openpyxl with each formula's value beside it; the same input gives the same bytes.

    Raises FormulaFailed (Vietnamese) for a formula that comes to an error value, ConversionFailed when LibreOffice
    gives no result.
    """
    computed = read_parts(libreoffice.recalculated(xlsx))
    strings = _shared_strings(computed)
    parts = read_parts(xlsx)
    for name in sorted(parts):
        found = _SHEET.fullmatch(name)
        if found is None:
            continue
        sheet = etree.fromstring(parts[name], _PARSER)
        values = {cell.get("r"): cell for cell in _cells(computed[name])}
        for cell in sheet.iter(f"{_MAIN}c"):
            if cell.find(f"{_MAIN}f") is not None:
                _set_value(cell, values.get(cell.get("r")), strings, sheet_name=_sheet_name(parts, int(found[1])))
        parts[name] = etree.tostring(sheet, xml_declaration=True, encoding="UTF-8", standalone=True)
    return write_parts(parts)


def _set_value(
    cell: etree._Element, computed: etree._Element | None, strings: list[str], *, sheet_name: str
) -> None:
    kind = computed.get("t", "n") if computed is not None else "n"
    value = computed.findtext(f"{_MAIN}v") if computed is not None else None
    if kind == "e":
        raise FormulaFailed(
            f"Công thức ở ô {cell.get('r')}, trang “{sheet_name}” cho kết quả lỗi {value}: "
            "tệp chưa được gửi đi. Hãy kiểm tra số liệu đầu vào hoặc báo người phụ trách mẫu."
        )
    if kind == "s":
        kind, value = "str", strings[int(value or 0)]
    for old in cell.findall(f"{_MAIN}v"):
        cell.remove(old)
    cell.attrib.pop("t", None)
    if value is None:
        return
    if kind in ("str", "b"):
        cell.set("t", kind)
    etree.SubElement(cell, f"{_MAIN}v").text = value


def _cells(sheet: bytes) -> Iterable[etree._Element]:
    cells: Iterable[etree._Element] = etree.fromstring(sheet, _PARSER).iter(f"{_MAIN}c")
    return cells


def _shared_strings(parts: dict[str, bytes]) -> list[str]:
    if "xl/sharedStrings.xml" not in parts:
        return []
    table = etree.fromstring(parts["xl/sharedStrings.xml"], _PARSER)
    return ["".join(text.text or "" for text in item.iter(f"{_MAIN}t")) for item in table.iter(f"{_MAIN}si")]


def _sheet_name(parts: dict[str, bytes], number: int) -> str:
    sheets = list(etree.fromstring(parts["xl/workbook.xml"], _PARSER).iter(f"{_MAIN}sheet"))
    return str(sheets[number - 1].get("name"))

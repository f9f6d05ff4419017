"""docxtpl's template, made to refuse what it would repair. Imported inside functions: docxtpl is slow to load."""

from __future__ import annotations

from typing import Any

from docx.oxml import parse_xml
from docxtpl import DocxTemplate  # type: ignore[import-untyped]


class Template(DocxTemplate):  # type: ignore[misc]
    """A Word template. ``render`` raises ``lxml.etree.XMLSyntaxError`` when tags tear the document's structure.

    docxtpl itself parses with recovery, which drops whatever follows the tear.
    """

    def fix_tables(self, xml: str) -> Any:
        parse_xml(xml)
        return super().fix_tables(xml)

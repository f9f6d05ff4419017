"""docxtpl's template, made to refuse what it would repair. Imported inside functions: docxtpl is slow to load."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from docx.oxml import parse_xml
from docx.shared import Mm
from docxtpl import DocxTemplate, InlineImage  # type: ignore[import-untyped]
from lxml import etree  # type: ignore[import-untyped]

from include.documents.picture import Picture


class Template(DocxTemplate):  # type: ignore[misc]
    """A Word template. ``render`` raises ``lxml.etree.XMLSyntaxError`` when tags tear the document's structure.

    docxtpl itself parses with recovery, which drops whatever follows the tear.
    """

    def fix_tables(self, xml: str) -> Any:
        parse_xml(xml)
        return super().fix_tables(xml)

    def with_images(self, facts: Any) -> Any:
        """Return ``facts`` with every Picture in them made ready to be printed in this document."""
        if isinstance(facts, Picture):
            return _Image(self, facts)
        if isinstance(facts, Mapping):
            return {key: self.with_images(inner) for key, inner in facts.items()}
        if isinstance(facts, (list, tuple)):
            return [self.with_images(inner) for inner in facts]
        return facts


class _Image(InlineImage):  # type: ignore[misc]
    """docxtpl's picture, with words for those who do not see it."""

    def __init__(self, document: Template, picture: Picture) -> None:
        super().__init__(document, io.BytesIO(picture.data), width=Mm(picture.width_mm))
        self._alt = picture.alt

    def _insert_image(self) -> str:
        inline = self.tpl.current_rendering_part.new_pic_inline(self.image_descriptor, self.width, self.height)
        inline.docPr.set("descr", self._alt)
        drawing = f"<w:drawing>{etree.tostring(inline, encoding='unicode')}</w:drawing>"
        return f'</w:t></w:r><w:r>{drawing}</w:r><w:r><w:t xml:space="preserve">'

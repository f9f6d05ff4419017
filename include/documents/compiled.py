"""Word templates prepared once and filled many times: the same XML as docxtpl's, without its work at each filling.

docxtpl still prepares the template, so its tags mean what its manual says. What it does after each filling is either
done here too, or shown at preparation to change nothing; a template for which it might is not compiled.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from include.documents.package import read_parts
from include.engagement.process import Language

if TYPE_CHECKING:
    from docx.opc.coreprops import CoreProperties
    from jinja2 import Environment
    from jinja2 import Template as JinjaTemplate
    from lxml.etree import _Element  # type: ignore[import-untyped]

    from include.documents.template import Template

_KEPT = 128  # templates: all of the firm's in both languages, and the earlier versions in use beside them
_DECLARATION = b"<?xml version='1.0' encoding='UTF-8' standalone='yes'?>\n"
_PARAGRAPH_END = "</w:p>"
_BREAKS = "\t\n\a\f"
# How templates write braces that are to be printed (docxtpl's manual, “Escaping, newline, new paragraph, Listing”).
_BRACES = (("{_{", "{{"), ("}_}", "}}"), ("{_%", "{%"), ("%_}", "%}"))
_STATEMENT = re.compile(r"\{%.*?%\}", re.DOTALL)
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
_FOOTNOTES = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"

# Zip records (APPNOTE.TXT 6.3.10, 4.3.7, 4.3.12 and 4.3.16), as ``write_parts`` has zipfile write them.
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION, _UTF8, _DEFLATE, _NEW_YEAR_1980, _OWNER_MAY_READ_AND_WRITE = 20, 0x800, 8, 0x21, 0o600 << 16


@dataclass(frozen=True)
class _Packed:
    """A part as an archive holds it: deflated, with length and CRC-32 of what it unpacks to."""

    deflated: bytes
    length: int
    crc: int


@dataclass(frozen=True)
class Compiled:
    """A Word template ready to be filled: tagged parts as Jinja programs, the others as they lie in the archive."""

    programs: Mapping[str, JinjaTemplate]
    constant: Mapping[str, _Packed]
    properties_name: str
    properties: bytes
    broken: Callable[[str], str]  # docxtpl's way to turn the line breaks and tabs of a text into Word's elements

    def fill(
        self, facts: Mapping[str, Any], set_properties: Callable[[CoreProperties], None], *, check: bool = True
    ) -> bytes:
        """Return the document with ``facts``, whose texts must be fit for XML; the same facts give the same bytes.

        ``check``: raise ``lxml.etree.XMLSyntaxError`` when tags tear the document's structure.
        """
        from docx.opc.coreprops import CoreProperties
        from docx.oxml import parse_xml
        from lxml import etree  # type: ignore[import-untyped]

        properties = parse_xml(self.properties)
        set_properties(CoreProperties(properties))
        packed = {**self.constant, self.properties_name: _pack(_DECLARATION + etree.tostring(properties))}
        for name, program in self.programs.items():
            part = self._finished(program.render(facts)).encode()
            if check:
                etree.fromstring(part, etree.XMLParser(target=_Nothing()))
            packed[name] = _pack(_DECLARATION + part)
        return _archive(packed)

    def _finished(self, xml: str) -> str:
        """Return ``xml`` with printed braces, and with Word's elements where a text has line breaks or tabs."""
        if "{" in xml or "}" in xml:
            for typed, printed in _BRACES:
                xml = xml.replace(typed, printed)
        if not _has_breaks(xml):
            return xml
        *paragraphs, rest = xml.split(_PARAGRAPH_END)
        whole = (paragraph + _PARAGRAPH_END for paragraph in paragraphs)
        return "".join(self.broken(each) if _has_breaks(each) else each for each in whole) + rest


@lru_cache(maxsize=_KEPT)
def compiled(template: bytes, language: Language) -> Compiled | None:
    """Return ``template`` (a .docx) prepared for filling, or None when only docxtpl can fill it.

    A tag that is no Jinja raises ``jinja2.TemplateSyntaxError``, here or from docxtpl.
    """
    from docx.opc.constants import RELATIONSHIP_TYPE

    from include.documents.template import Template
    from include.documents.word import environment

    document, rules = Template(io.BytesIO(template)), environment(language)
    document.render_init()
    if not compiles(document, rules):
        return None
    document.render_properties({}, rules)  # adds those that the template lacks
    raw = io.BytesIO()
    document.docx.save(raw)
    parts = read_parts(raw.getvalue())
    properties_name = document.docx.part.package.part_related_by(RELATIONSHIP_TYPE.CORE_PROPERTIES).partname.membername
    properties = parts.pop(properties_name)
    programs = {
        name: rules.from_string(source)
        for name, source in _sources(document)
        if re.search(r"[{}]", source) or _has_breaks(source)
    }
    return Compiled(
        programs=programs,
        constant={name: _pack(part) for name, part in parts.items() if name not in programs},
        properties_name=properties_name,
        properties=properties,
        broken=document.resolve_listing,
    )


def compiles(document: Template, rules: Environment) -> bool:
    """Say whether what docxtpl does at each filling, and ``Compiled`` does not, changes nothing for this template.

    It fills properties and footnotes, numbers pictures, and fits the columns of tables to their cells.
    """
    properties = document.docx.core_properties
    filled = ("author", "comments", "identifier", "language", "subject", "title")
    if any("{" in getattr(properties, name) for name in filled):
        return False
    if any(part.content_type == _FOOTNOTES for part in document.docx.part.package.iter_parts()):
        return False
    (_, body), *_ = _sources(document)
    return "<wp:docPr" not in body and _columns_are_fixed(body, rules)


def _sources(document: Template) -> Iterator[tuple[str, str]]:
    """Yield the names of the parts that may hold tags, and what docxtpl has Jinja read of each; the body first."""
    from docx.opc.oxml import parse_xml

    part = document.docx.part
    yield part.partname.membername, document.patch_xml(document.xml_to_string(part.element))
    for uri in (document.HEADER_URI, document.FOOTER_URI):
        for _, other in document.get_headers_footers(uri):
            yield other.partname.membername, document.patch_xml(document.xml_to_string(parse_xml(other.blob)))


def _columns_are_fixed(source: str, rules: Environment) -> bool:
    """Say whether every table has, with any facts, cells for just the columns that its grid names.

    So it is when no block of tags begins or ends inside a row but outside its cells, when no row has more cells
    than there are columns, and when a row that is always there reaches over all of them.
    """
    from lxml import etree

    marked = _EXPRESSION.sub("x", _STATEMENT.sub(r"<?jinja \g<0>?>", source))
    try:
        tree = etree.fromstring(marked)
        return _are_whole(tree.iter(etree.PI), rules) and all(
            _is_fixed(table, rules) for table in tree.iter(f"{_W}tbl")
        )
    except (etree.XMLSyntaxError, ValueError):  # a tag in an attribute, a span that is a field
        return False


def _is_fixed(table: _Element, rules: Environment) -> bool:
    from lxml import etree

    columns = len(table.findall(f"{_W}tblGrid/{_W}gridCol"))
    return (
        all(_are_whole(part.iter(etree.PI), rules) for part in (table, *table.iter(f"{_W}tc")))
        and all(_is_between_rows_or_in_a_cell(tag) for tag in table.iter(etree.PI))
        and all(len(row.findall(f"{_W}tc")) <= columns for row in table.iter(f"{_W}tr"))
        and any(
            _reach(row) == columns and _are_whole(reversed([*row.itersiblings(etree.PI, preceding=True)]), rules)
            for row in table.findall(f"{_W}tr")
        )
    )


def _are_whole(tags: Iterable[_Element], rules: Environment) -> bool:
    """Say whether every block that begins among ``tags`` ends among them."""
    from jinja2 import TemplateSyntaxError

    try:
        rules.parse("".join(tag.text for tag in tags))
    except TemplateSyntaxError:
        return False
    return True


def _is_between_rows_or_in_a_cell(tag: _Element) -> bool:
    around = next(tag.iterancestors(f"{_W}tc", f"{_W}tr", f"{_W}tbl"))
    return around.tag == f"{_W}tc" or (around.tag == f"{_W}tbl" and tag.getparent() is around)


def _reach(row: _Element) -> int:
    """Return over how many columns the cells of ``row`` go."""
    spans = (cell.find(f"{_W}tcPr/{_W}gridSpan") for cell in row.findall(f"{_W}tc"))
    return sum(1 if span is None else int(span.get(f"{_W}val", "")) for span in spans)


class _Nothing:
    """Takes what a parser finds, and makes nothing of it: the parser only checks."""

    def close(self) -> None:
        """Be told that the document is whole."""


def _has_breaks(text: str) -> bool:
    return any(character in text for character in _BREAKS)


def _pack(part: bytes) -> _Packed:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return _Packed(deflater.compress(part) + deflater.flush(), len(part), zlib.crc32(part))


def _archive(parts: Mapping[str, _Packed]) -> bytes:
    """Return the archive that ``write_parts`` gives for the same parts, which zipfile would have to deflate again."""
    records: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for name, part in sorted(parts.items()):
        called = name.encode()
        shared = (
            _VERSION, 0 if name.isascii() else _UTF8, _DEFLATE, 0, _NEW_YEAR_1980,
            part.crc, len(part.deflated), part.length, len(called), 0,
        )  # fmt: skip
        records += (_LOCAL.pack(b"PK\3\4", *shared), called, part.deflated)
        directory += (
            _CENTRAL.pack(b"PK\1\2", _VERSION, *shared, 0, 0, 0, _OWNER_MAY_READ_AND_WRITE, offset),
            called,
        )
        offset += _LOCAL.size + len(called) + len(part.deflated)
    size = sum(map(len, directory))
    end = _END.pack(b"PK\5\6", 0, 0, len(parts), len(parts), size, offset, 0)
    return b"".join((*records, *directory, end))

"""Compiled Word templates against docxtpl: the same XML in every part, or docxtpl itself."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import docx
import pytest
from docx.document import Document
from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.shared import Mm
from docx.table import Table
from docxtpl import DocxTemplate
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from lxml import etree
from lxml.etree import XMLSyntaxError

from include.documents import word
from include.documents.compiled import compiled
from include.documents.package import read_parts, write_parts
from include.documents.render import template_path
from include.documents.sample import bare_facts, sample_facts
from include.engagement import process
from include.engagement.errors import TemplateBroken
from include.engagement.process import LANGUAGES, Language

EACH = [
    (document.key, language)
    for document in process.DOCUMENTS.values()
    if document.format == "docx"
    for language in (LANGUAGES if document.audience == "client" else LANGUAGES[:1])
]
each_document = pytest.mark.parametrize(("key", "language"), EACH, ids=[f"{key}.{lang}" for key, lang in EACH])

HOSTILE = ("Tân & Phát <Co> \"x\" 'y' {{ 7*7 }} {% for %} {# #} {{% }}} {_{ x }_} {_% y %_} \u202eRTL\u202c\u200f 😀 "
           "\x00\x08\x0b\x0c\x07\ud800\ufffe a\tb\nhai\r\nba\u2028bốn ]]> &amp; </w:t></w:p>")
ROWS = ["Một", "Hai", "Ba"]


def hostile(value: Any) -> Any:
    """``value`` with every text in it that is not empty turned hostile."""
    if isinstance(value, str):
        return HOSTILE if value else ""
    if isinstance(value, dict):
        return {key: hostile(inner) for key, inner in value.items()}
    return [hostile(inner) for inner in value] if isinstance(value, list) else value


def hostile_sample(language: Language) -> dict[str, Any]:
    return dict(hostile(sample_facts(language)))


def hostile_bare(language: Language) -> dict[str, Any]:
    return dict(hostile(bare_facts(language)))


def with_docxtpl(template: bytes, language: Language, facts: Mapping[str, Any]) -> bytes:
    """What docxtpl itself makes of the same template, facts and rules."""
    fit = word.clean(facts)
    document = DocxTemplate(io.BytesIO(template))
    document.render(fit, jinja_env=word.environment(language))
    word.set_properties(document.docx.core_properties, title="Thử", language=language, facts=fit)
    raw = io.BytesIO()
    document.save(raw)
    return raw.getvalue()


def with_compiled(template: bytes, language: Language, facts: Mapping[str, Any], *, check: bool = True) -> bytes:
    prepared, fit = compiled(template, language), word.clean(facts)
    assert prepared is not None, "only docxtpl can fill this template"
    properties = partial(word.set_properties, title="Thử", language=language, facts=fit)
    return prepared.fill(fit, properties, check=check)


def canonical(data: bytes) -> dict[str, bytes]:
    """The parts of a document; XML as Canonical XML, which writes the same content in one way only."""
    return {
        name: etree.tostring(etree.fromstring(part), method="c14n") if name.endswith((".xml", ".rels")) else part
        for name, part in read_parts(data).items()
    }


def agree(template: bytes, facts: Mapping[str, Any], language: Language = "vi") -> None:
    ours = canonical(with_compiled(template, language, facts))
    theirs = canonical(with_docxtpl(template, language, facts))
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def saved(document: Document) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def template_with(*paragraphs: str) -> bytes:
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    return saved(document)


def table_with(*rows: tuple[str, ...]) -> tuple[Document, Table]:
    document = docx.Document()
    table = document.add_table(rows=len(rows), cols=len(rows[0]))
    for cells, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(cells.cells, texts, strict=True):
            cell.text = text
    return document, table


def facts_with(**more: Any) -> dict[str, Any]:
    return sample_facts("vi") | more


# --- the firm's templates -------------------------------------------------------------------------------


@each_document
def test_every_template_of_the_firm_is_compiled(key: str, language: Language) -> None:
    assert compiled(template_path(key, language).read_bytes(), language) is not None


@each_document
@pytest.mark.parametrize("facts", [sample_facts, bare_facts, hostile_sample, hostile_bare])
def test_a_compiled_template_gives_the_xml_that_docxtpl_gives(
    key: str, language: Language, facts: Callable[[Language], dict[str, Any]]
) -> None:
    agree(template_path(key, language).read_bytes(), facts(language), language)


def test_the_same_facts_give_the_same_bytes_and_the_check_changes_none() -> None:
    template = template_path("contract", "vi").read_bytes()
    made = with_compiled(template, "vi", sample_facts("vi"))
    compiled.cache_clear()
    assert with_compiled(template, "vi", sample_facts("vi")) == made
    assert with_compiled(template, "vi", sample_facts("vi"), check=False) == made


def test_one_filling_leaves_nothing_behind_for_the_next() -> None:
    template = template_path("contract", "vi").read_bytes()
    made = with_compiled(template, "vi", sample_facts("vi"))
    with_compiled(template, "vi", hostile_sample("vi"))
    assert with_compiled(template, "vi", sample_facts("vi")) == made


def test_the_archive_is_the_one_that_zipfile_writes() -> None:
    made = with_compiled(template_path("contract", "vi").read_bytes(), "vi", sample_facts("vi"))
    assert write_parts(read_parts(made)) == made


def test_the_same_template_keeps_to_each_languages_rules() -> None:
    template = template_with("{{ finance.project_vnd | vnd }}")
    for language, written in (("vi", "12.500.000.000 đồng"), ("en", "VND 12,500,000,000")):
        made = docx.Document(io.BytesIO(with_compiled(template, language, sample_facts(language))))
        assert made.paragraphs[0].text == written


# --- what docxtpl's tags and texts may do ---------------------------------------------------------------


@pytest.mark.parametrize("paragraphs", [
    ("{%p if client %}", "{{ client.name }}", "{%p else %}", "không", "{%p endif %}"),
    ("{%p for row in rows %}", "{{ loop.index }}. {{ row }}", "{%p endfor %}"),
    ("{% for row in rows %}{{ row }}{% if not loop.last %}; {% endif %}{% endfor %}",),
    ("a {%- if client %} b {% endif -%} c",),
    ("{# nói thêm #}{{ client.name }}",),
    ("{%p set half = 7 // 2 %}", "{{ half }}"),
    ("{_{ in ra }_} và {_% nữa %_}",),
    ("{{ “a” ~ 'b' }} {% if 1 < 2 and 3 > 2 %}đúng{% endif %}",),
    ("dấu\tcách trong mẫu", "xuống\ndòng {{ client.name }}"),
    ("không có trường nào",),
    ("ngoặc } lẻ { và }} nữa",),
])  # fmt: skip
def test_paragraphs_come_out_as_docxtpl_writes_them(paragraphs: tuple[str, ...]) -> None:
    agree(template_with(*paragraphs), facts_with(rows=ROWS))
    agree(template_with(*paragraphs), facts_with(rows=[HOSTILE, "", HOSTILE]))


def test_a_tag_that_word_split_into_runs_is_one_tag() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph()
    for number, piece in enumerate(("Gửi {", "{ client", ".name", " }", "} thân mến")):
        paragraph.add_run(piece).bold = bool(number % 2)
    agree(saved(document), facts_with())


def test_line_breaks_and_tabs_keep_the_look_of_their_run() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph(style="List Bullet")
    paragraph.add_run("{{ text }}").bold = True
    paragraph.add_run(" sau").italic = True
    agree(saved(document), facts_with(text="một\tcột\nhai\n\n\tba"))


def test_headers_and_footers_are_filled_too() -> None:
    document = docx.Document()
    document.add_paragraph("Thân")
    document.sections[0].header.paragraphs[0].text = "{{ client.name }}"
    document.sections[0].footer.paragraphs[0].text = "{% if number %}{{ number }}{% endif %}"
    agree(saved(document), facts_with())
    agree(saved(document), hostile_sample("vi"))


@given(st.lists(st.text(st.sampled_from("{}_%#&<>\"'\t\n\r\x07\x0c aạ\u0323]/w:pt"), max_size=40), max_size=3))
@settings(deadline=None, max_examples=60)
def test_whatever_is_typed_in_comes_out_as_from_docxtpl(texts: list[str]) -> None:
    template = template_with("{%p for row in rows %}", "{{ row }}: {{ rows | join('\t') }}", "{%p endfor %}")
    agree(template, facts_with(rows=texts))


# --- tables ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [[], ROWS, [HOSTILE]])
@pytest.mark.parametrize("cells", [
    (("STT", "Tên"), ("{%tr for row in rows %}", ""), ("{{ loop.index }}", "{{ row }}"), ("{%tr endfor %}", "")),
    (("{%tr if rows %}", ""), ("Có", "{{ rows[0] }}"), ("{%tr endif %}", ""), ("Cuối", "bảng")),
    (("Tên", "{% if rows %}{{ rows[0] }}{% else %}không{% endif %}"),),
])
def test_tables_with_a_row_that_is_always_there_are_filled_as_docxtpl_does(
    cells: tuple[tuple[str, ...], ...], rows: list[str]
) -> None:
    document, _ = table_with(*cells)
    agree(saved(document), facts_with(rows=rows))


def test_a_row_of_merged_cells_reaches_over_all_columns() -> None:
    document, table = table_with(("{{ client.name }}", ""), ("a", "b"))
    table.cell(0, 0).merge(table.cell(0, 1))
    agree(saved(document), facts_with())


def columns_in_a_loop() -> bytes:
    return saved(table_with(("{%tc for row in rows %}", "{{ row }}", "{%tc endfor %}"))[0])


def rows_that_may_all_be_absent() -> bytes:
    return saved(table_with(("{%tr for row in rows %}",), ("{{ row }}",), ("{%tr endfor %}",))[0])


def a_block_from_one_cell_into_the_next() -> bytes:
    return saved(table_with(("{% if not rows %}a", "b{% endif %}"), ("c", "d"))[0])


def a_span_that_is_a_field() -> bytes:
    return saved(table_with(("{% colspan rows|length %}a", "b", "c"))[0])


def fewer_cells_than_columns() -> bytes:
    document, table = table_with(("{{ client.name }}", "b"))
    table.rows[0]._tr.remove(table.cell(0, 1)._tc)
    return saved(document)


def cells_merged_in_a_loop() -> bytes:
    return saved(table_with(("Tên", "Việc"), ("{%tr for row in rows %}", ""), ("{% vm %}a", "{{ row }}"),
                            ("{%tr endfor %}", ""))[0])  # fmt: skip


def a_picture() -> bytes:
    document = docx.Document()
    document.add_paragraph("{{ client.name }}")
    document.add_picture(str(template_path("contract", "vi").parents[2] / "docs" / "gallery" / "contract.vi-1.png"),
                         width=Mm(30))  # fmt: skip
    return saved(document)


def a_field_in_the_properties() -> bytes:
    document = docx.Document()
    document.add_paragraph("Thân")
    document.core_properties.identifier = "{{ number }}"
    return saved(document)


def a_footnote() -> bytes:
    document = docx.Document()
    document.add_paragraph("Thân")
    notes = b'<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"/>'
    part = Part(PackURI("/word/footnotes.xml"), CONTENT_TYPE.WML_FOOTNOTES, notes, document.part.package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    return saved(document)


@pytest.mark.parametrize("made", [
    columns_in_a_loop, rows_that_may_all_be_absent, a_block_from_one_cell_into_the_next, a_span_that_is_a_field,
    fewer_cells_than_columns, cells_merged_in_a_loop, a_picture, a_field_in_the_properties,
    a_footnote,
])
def test_what_docxtpl_mends_after_filling_is_left_to_docxtpl(made: Callable[[], bytes]) -> None:
    assert compiled(made(), "vi") is None
    word.render_word(made(), title="Thử", language="vi", facts=facts_with(rows=ROWS))


# --- refusals -------------------------------------------------------------------------------------------


def test_a_field_that_the_facts_lack_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="nick_name"):
        with_compiled(template_with("{{ client.nick_name }}"), "vi", facts_with())


def test_a_fact_that_is_none_is_never_printed() -> None:
    with pytest.raises(ValueError, match="None"):
        with_compiled(template_with("{{ promised }}"), "vi", facts_with(promised=None))


def test_a_tag_that_is_no_jinja_is_an_error_of_the_template_wherever_it_stands() -> None:
    in_header = docx.Document()
    in_header.sections[0].header.paragraphs[0].text = "{% if client %}"
    for template in (template_with("{% if client %}"), saved(in_header)):
        with pytest.raises(TemplateBroken, match=r"“Thử”.*endif"):
            word.render_word(template, title="Thử", language="vi", facts=facts_with())


def test_tags_that_tear_a_document_are_refused() -> None:
    template = template_with("{%p if rows %}", "Có", "{% endif %} và phần còn lại")
    with pytest.raises(XMLSyntaxError):
        with_compiled(template, "vi", facts_with(rows=[]))

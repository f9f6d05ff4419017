"""Templates damaged the way Word and people damage them; each damage is named where it is."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import docx
import pytest
from docx.shared import Mm, Pt
from hypothesis import given
from hypothesis import strategies as st

from include.documents.inspection import Inspection, inspect
from include.documents.package import read_parts, write_parts
from include.documents.render import template_path
from include.documents.sample import sample_facts
from include.engagement import process
from include.engagement.process import Language
from local.templates import word_templates

EACH = list(word_templates())


def contract() -> bytes:
    return template_path("contract", "vi").read_bytes()


def changed(change: Callable[[Any], None]) -> Inspection:
    document = docx.Document(io.BytesIO(contract()))
    change(document)
    saved = io.BytesIO()
    document.save(saved)
    return inspect("contract", "vi", saved.getvalue())


def added(text: str, **form: Any) -> Inspection:
    def add(document: Any) -> None:
        run = document.add_paragraph(text, style=form.get("style")).runs[0]
        if "font" in form:
            run.font.name = form["font"]

    return changed(add)


def only(inspection: Inspection) -> str:
    assert len(inspection.findings) == 1, [str(finding) for finding in inspection.findings]
    return str(inspection.findings[0])


@pytest.mark.parametrize(("key", "language"), EACH)
def test_the_firms_own_templates_have_no_findings(key: str, language: Language) -> None:
    inspection = inspect(key, language, template_path(key, language).read_bytes())
    assert [str(finding) for finding in inspection.findings] == []
    assert "client.name" in inspection.fields


def test_every_word_document_has_its_templates() -> None:
    assert set(EACH) == {
        (key, language) for key, row in process.DOCUMENTS.items() if row.format == "docx"
        for language in (("vi", "en") if row.audience == "client" else ("vi",))
    }  # fmt: skip


def test_a_loops_fields_are_named_by_what_they_loop_over() -> None:
    assert "terms.instalments.amount_vnd" in inspect("contract", "vi", contract()).fields


def test_an_unknown_field_is_named_with_the_nearest_known() -> None:
    said = only(added("Kính gửi {{ client.nmae }}"))
    assert "đoạn" in said and "“Kính gửi {{ client.nmae }}”" in said
    assert "không có trường client.nmae" in said and "Có phải ý bạn là client.name?" in said


def test_an_unknown_field_inside_a_loop_is_named() -> None:
    said = only(added("{% for item in reasons %}{{ item.reasn }}{% endfor %}"))
    assert "không có trường reasons.reasn" in said and "reasons[]" not in said


def test_a_field_that_the_document_must_have_is_missed() -> None:
    parts = read_parts(contract())
    parts["word/document.xml"] = parts["word/document.xml"].replace(b"{{ client.tax_code", b"{{ client.name")
    said = [str(finding) for finding in inspect("contract", "vi", write_parts(parts)).findings]
    assert any("thiếu trường {{ client.tax_code }}" in line for line in said), said


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Giá {{ terms.gross_vnd|vnd", "chưa có }}"),
        ("Giá terms.gross_vnd }}", "không có {{"),
        ("{% if monitoring", "chưa có %}"),
        ("Giá {{ terms.gross_vnd|tien }}", "không có bộ lọc “tien”"),
        ("{% if monitoring %}Theo dõi", "chưa đóng"),
        ("{% endif %}", "đủ cặp"),
        ("{{ client name }}", "trường viết sai"),
        ("{% if language == ‘vi’ %}x{% endif %}", "nháy cong"),
        ("Kính gửi {client.name}", "hai dấu ngoặc nhọn"),
        ("Kính gửi { { client.name }}", "hai dấu ngoặc nhọn"),
    ],
)
def test_a_broken_tag_is_named_with_its_paragraph(text: str, problem: str) -> None:
    found = [str(finding) for finding in added(text).findings]
    assert any(problem in line for line in found), found
    assert any(text[:20] in line or "chưa đóng" in line for line in found), found


def test_a_tag_that_word_split_over_runs_is_whole() -> None:
    def split(document: Any) -> None:
        paragraph = document.add_paragraph()
        for piece in ("{{ cli", "ent.na", "me }}"):
            paragraph.add_run(piece).bold = piece == "ent.na"

    assert changed(split).findings == ()


def test_a_fact_typed_in_place_of_a_field_is_found() -> None:
    said = only(added("Giá trọn gói: 200.000.000 đồng"))
    assert "200.000.000" in said


def test_a_field_that_may_be_empty_needs_a_condition() -> None:
    said = [str(finding) for finding in added("Ngày hẹn: {{ meeting.at }}").findings]
    assert any("{% if … %}" in line for line in said), said


def test_a_style_of_ones_own_is_named() -> None:
    assert "kiểu đoạn “ListBullet”" in only(added("Điều khoản thêm", style="List Bullet"))


def test_another_font_is_named() -> None:
    assert "phông chữ “Comic Sans MS”" in only(added("Điều khoản thêm", font="Comic Sans MS"))


def test_margins_and_paper_are_held_to_the_decree() -> None:
    def widen(document: Any) -> None:
        document.sections[0].left_margin = Mm(20)
        document.sections[0].page_width, document.sections[0].page_height = Mm(216), Mm(279)

    said = "\n".join(str(finding) for finding in changed(widen).findings)
    assert "khổ giấy là 216 × 279 mm" in said and "lề trái là 20 mm: phải từ 30 đến 35 mm" in said


def test_a_missing_page_number_is_named() -> None:
    def bare(document: Any) -> None:
        header = document.sections[0].header
        for paragraph in list(header.paragraphs):
            paragraph._element.getparent().remove(paragraph._element)
        header.add_paragraph("")

    assert "thiếu số trang" in only(changed(bare))


def test_a_page_number_on_the_first_page_is_named() -> None:
    def everywhere(document: Any) -> None:
        document.sections[0].different_first_page_header_footer = False

    assert "trang đầu không ghi số trang" in only(changed(everywhere))


def test_body_type_of_another_size_is_named() -> None:
    def smaller(document: Any) -> None:
        document.styles["Normal"].font.size = Pt(12)

    assert "cỡ chữ nội dung phải từ 13 đến 14" in only(changed(smaller))


def test_what_people_leave_in_is_named() -> None:
    parts = read_parts(contract())
    body = parts["word/document.xml"]
    parts["word/document.xml"] = body.replace(
        b"</w:body>", b'<w:p><w:ins w:id="1" w:author="a"><w:r><w:t>x</w:t></w:r></w:ins></w:p></w:body>'
    )
    said = [str(finding) for finding in inspect("contract", "vi", write_parts(parts)).findings]
    assert any("Track Changes" in line for line in said), said


def test_macros_and_embedded_objects_are_refused() -> None:
    parts = read_parts(contract())
    assert "macro" in only(inspect("contract", "vi", write_parts({**parts, "word/vbaProject.bin": b"x"})))
    assert "OLE" in only(inspect("contract", "vi", write_parts({**parts, "word/embeddings/oleObject1.bin": b"x"})))


def test_what_is_no_word_document_is_said_to_be_none() -> None:
    assert "không phải là văn bản Word" in only(inspect("contract", "vi", b"PK"))
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    assert "không phải là văn bản Word" in only(inspect("contract", "vi", empty.getvalue()))


@given(cut=st.integers(0, 40_000), flip=st.binary(min_size=1, max_size=20))
def test_no_damage_raises(cut: int, flip: bytes) -> None:
    whole = contract()
    assert isinstance(inspect("contract", "vi", whole[:cut] + flip + whole[cut + len(flip):]), Inspection)


def test_a_damaged_document_part_is_a_finding() -> None:
    parts = read_parts(contract())
    assert "không đọc được" in only(
        inspect("contract", "vi", write_parts({**parts, "word/document.xml": parts["word/document.xml"][:5000]}))
    )


def test_sizes_beside_the_house_are_left_to_the_styles() -> None:
    def enlarge(document: Any) -> None:
        document.add_paragraph("Lưu ý").runs[0].font.size = Pt(14)

    assert changed(enlarge).findings == ()


def test_the_guide_lists_every_field_and_filter() -> None:
    from include.documents.word import environment
    from include.settings import ROOT

    guide = (ROOT / "templates" / "README.md").read_text(encoding="utf-8")
    missing = [name for name in sample_facts("vi") if f"`{name}" not in guide]
    assert missing == []
    ours = {"vnd", "words", "longdate", "shortdate", "known", "dots", "number", "two_digits"}
    assert ours <= set(environment("vi").filters)
    assert [name for name in sorted(ours) if f"`{name}`" not in guide] == []

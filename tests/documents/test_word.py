"""Word documents: every template with real, bare and hostile facts."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.document import Document
from docx.oxml.ns import qn
from lxml.etree import XMLSyntaxError
from markupsafe import Markup
from PIL import Image

from include.documents import word
from include.documents.picture import Picture
from include.documents.render import TEMPLATES, render, template_path
from include.documents.sample import bare_facts, pictured_facts, sample_facts
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

BLOCKS = ("monitoring", "due", "terms", "promised", "promised_before", "contract", "appraisal", "meeting", "visit")
BEFORE_THE_DECISION = ("intake_record", "interview_guide", "information_letter", "accuracy_dossier", "refusal_letter",
                       "decline_letter")
TERMS_OF_AN_OFFER = {"terms", "timetable", "promised", "promised_before", "work_days", "total_days", "contract"}
WORDS_OF_AN_OFFER = re.compile(
    r"\b(báo giá|giá|phí|thù lao|chiết khấu|hứa|cam kết|price|fees?|quotes?|quotation|promise[ds]?|guarantees?)\b",
    re.I)
WORDS_OF_OTHER_MEANING = re.compile(r"\b(đánh giá|chi phí)\b", re.I)  # an assessment; a client's own costs

HOSTILE = ("Tân & Phát <Co> \"x\" 'y' {{ 7*7 }} {% for %} {# #} {{% }}} \u202eRTL\u202c\u200f 😀 \x00\x08\x0b\ud800 "
           "a\tb\nhai\r\nba ]]> &amp; </w:t>")
HOSTILE_READ = ("Tân & Phát <Co> \"x\" 'y' {{ 7*7 }} {% for %} {# #} {{% }}} RTL\u200f 😀 \n a\tb\n"
                "hai\nba ]]> &amp; </w:t>")


def opened(data: bytes) -> Document:
    return docx.Document(io.BytesIO(data))


def text_of(document: Document) -> str:
    """All paragraphs of the body, tables included, in order."""
    lines = []
    for paragraph in document.element.body.iter(qn("w:p")):
        pieces = []
        for node in paragraph.iter(qn("w:t"), qn("w:br"), qn("w:tab")):
            in_properties = node.getparent().tag != qn("w:r")
            pieces.append("" if in_properties else {qn("w:br"): "\n", qn("w:tab"): "\t"}.get(node.tag, node.text or ""))
        lines.append("".join(pieces))
    return "\n".join(lines).replace("\u00a0", " ")


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """``value`` with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: with_texts(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_texts(inner, change) for inner in value]
    return value


def template_text(key: str, language: Language) -> str:
    return text_of(docx.Document(str(template_path(key, language))))


# --- templates and rows ---------------------------------------------------------------------------------


def test_every_word_row_has_its_templates_and_every_template_its_row() -> None:
    assert {path.name for path in TEMPLATES.glob("*.docx")} == {f"{key}.{language}.docx" for key, language in EACH}


@each_document
def test_a_template_asks_only_for_facts_that_exist(key: str, language: Language) -> None:
    asked = word.template_fields(template_path(key, language).read_bytes())
    assert asked and asked <= sample_facts(language).keys()


@each_document
def test_tags_stand_whole_in_single_runs(key: str, language: Language) -> None:
    """Word splits runs when somebody edits inside a tag; whole tags keep templates legible and repairable."""
    for text in docx.Document(str(template_path(key, language))).element.body.iter(qn("w:t")):
        assert len(re.findall(r"\{[{%]", text.text or "")) == len(re.findall(r"[}%]\}", text.text or "")), text.text


@each_document
def test_pages_are_laid_out_as_decree_30_of_2020_has_it(key: str, language: Language) -> None:
    template = docx.Document(str(template_path(key, language)))
    section, normal = template.sections[0], template.styles["Normal"]
    assert (round(section.page_width.mm), round(section.page_height.mm)) == (210, 297)
    assert 20 <= round(section.top_margin.mm) <= 25 and 20 <= round(section.bottom_margin.mm) <= 25
    assert 30 <= round(section.left_margin.mm) <= 35 and 15 <= round(section.right_margin.mm) <= 20
    assert normal.font.name == "Times New Roman" and 13 <= normal.font.size.pt <= 14
    assert section.different_first_page_header_footer
    assert "PAGE" in section.header._element.xml and "PAGE" not in section.first_page_header._element.xml


@each_document
def test_header_rows_of_tables_repeat_on_the_next_page(key: str, language: Language) -> None:
    for table in docx.Document(str(template_path(key, language))).tables:
        first = table.rows[0]
        if all(run.bold for cell in first.cells for paragraph in cell.paragraphs for run in paragraph.runs) \
                and table.style.name == "Table Grid" and len(table.columns) > 2:
            assert first._tr.find(f"./{qn('w:trPr')}/{qn('w:tblHeader')}") is not None


UNSIGNED = {"interview_guide", "working_process", "implementation_guide", "business_plan", "rework_checklist",
            "review_pack"}


@pytest.mark.parametrize(("key", "language"), [pair for pair in EACH if pair[0] not in UNSIGNED])
def test_a_signature_block_stays_whole_and_with_what_stands_before_it(key: str, language: Language) -> None:
    """The two lines before it go along, so that no page holds a signature alone."""
    body = list(docx.Document(str(template_path(key, language))).element.body)
    block = [element for element in body if element.tag == qn("w:tbl")][-1]
    before = []
    for element in reversed(body[: body.index(block)]):
        text = "".join(node.text or "" for node in element.iter(qn("w:t")))
        if text.startswith("{%p endfor") or len(before) == 2:
            break
        if element.tag == qn("w:tbl"):  # its last row stands right before the signature
            texts = [p for p in element.iter(qn("w:p")) if (t := "".join(p.itertext()).strip()) and "{%tr" not in t]
            before = before or texts[-1:]
            break
        if text and not text.startswith("{%p"):
            before.append(element)
    assert before and all(p.find(f"./{qn('w:pPr')}/{qn('w:keepNext')}") is not None for p in before)
    assert block.find(f".//{qn('w:cantSplit')}") is not None
    assert all(p.find(f"./{qn('w:pPr')}/{qn('w:keepNext')}") is not None for p in block.iter(qn("w:p")))


# --- facts of every kind --------------------------------------------------------------------------------


@each_document
@pytest.mark.parametrize("facts", [sample_facts, bare_facts])
def test_a_document_is_filled_without_leftovers(key: str, language: Language, facts: Callable[..., Any]) -> None:
    rendered = render(key, language=language, facts=facts(language))
    text = text_of(opened(rendered.data))
    for leftover in ("{{", "}}", "{%", "%}", "None", "Undefined"):
        assert leftover not in text
    assert rendered.extension == "docx" and len(rendered.template_sha256) == 64
    assert len(text) > 400


@each_document
def test_each_optional_block_may_be_absent_alone(key: str, language: Language) -> None:
    asked = word.template_fields(template_path(key, language).read_bytes())
    for block in asked.intersection(BLOCKS):
        render(key, language=language, facts={**sample_facts(language), block: None})


@each_document
def test_the_same_facts_give_the_same_bytes(key: str, language: Language) -> None:
    facts = sample_facts(language)
    assert render(key, language=language, facts=facts).data == render(key, language=language, facts=facts).data


@each_document
def test_hostile_text_stays_text_in_every_field(key: str, language: Language) -> None:
    hostile = with_texts(sample_facts(language), lambda _: HOSTILE)
    text = text_of(opened(render(key, language=language, facts=hostile).data))
    assert HOSTILE_READ in text
    assert "49" not in text.replace("KHV-2026-0042", "")


@each_document
def test_ten_thousand_characters_fit_in_every_field(key: str, language: Language) -> None:
    long = "Đất & nước " * 910
    facts = with_texts(sample_facts(language), lambda _: long)
    assert long.strip() in text_of(opened(render(key, language=language, facts=facts).data))


@each_document
def test_every_part_of_a_document_with_hostile_text_is_well_formed(key: str, language: Language) -> None:
    hostile = with_texts(bare_facts(language), lambda text: HOSTILE if text else "")
    with zipfile.ZipFile(io.BytesIO(render(key, language=language, facts=hostile).data)) as archive:
        for name in archive.namelist():
            if name.endswith((".xml", ".rels")):
                docx.oxml.parse_xml(archive.read(name))


def test_a_text_that_calls_itself_safe_is_escaped_all_the_same() -> None:
    facts = sample_facts("vi")
    facts["client"]["name"] = Markup("<w:b/> & Con")
    assert "<w:b/> & Con" in text_of(opened(render("refusal_letter", language="vi", facts=facts).data))


def test_decomposed_vietnamese_is_written_composed() -> None:
    facts = sample_facts("vi")
    facts["client"]["name"] = unicodedata.normalize("NFD", "Cà phê Ban Mê Sớm")
    assert "Cà phê Ban Mê Sớm" in text_of(opened(render("refusal_letter", language="vi", facts=facts).data))


def test_a_clients_words_are_not_run_when_a_document_serves_as_a_template_again() -> None:
    facts = sample_facts("vi")
    facts["client"]["name"] = "{{ firm.tax_code }}"
    text = text_of(opened(render("refusal_letter", language="vi", facts=facts).data))
    assert "{{ firm.tax_code }}" in text


def test_zero_is_a_figure_and_not_a_gap() -> None:
    facts = sample_facts("vi")
    facts["finance"] = {"employees": 0, "project_vnd": 0, "charter_capital_vnd": 0, "investment_vnd": 0}
    text = text_of(opened(render("intake_record", language="vi", facts=facts).data))
    assert "0 đồng" in text and "0 lao động" in text and "[Cần bổ sung]" not in text


def test_what_staff_read_is_vietnamese_in_english_engagements_too() -> None:
    assert "TỜ TRÌNH" in text_of(opened(render("decision_memo", language="en", facts=sample_facts("en")).data))


def test_figures_of_a_visit_that_the_client_left_out_stay_empty() -> None:
    facts = sample_facts("vi")
    facts["visit"]["history"][0] |= {"revenue_vnd": None, "cost_vnd": None, "jobs": None}
    assert "1.610.000.000" in text_of(opened(render("monitoring_report", language="vi", facts=facts).data))


# --- refusals -------------------------------------------------------------------------------------------


def template_with(*paragraphs: str) -> bytes:
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def fill(template: bytes) -> bytes:
    return word.render_word(template, title="Thử", language="vi", facts=sample_facts("vi"))


def test_a_field_that_the_facts_lack_is_an_error() -> None:
    with pytest.raises(TemplateBroken, match=r"“Thử”.*nick_name"):
        fill(template_with("{{ client.nick_name }}"))


def test_a_fact_that_is_not_known_is_never_printed_as_none() -> None:
    facts = sample_facts("vi") | {"promised": None}
    with pytest.raises(TemplateBroken, match="None"):
        word.render_word(template_with("{{ promised }}"), title="", language="vi", facts=facts)


def test_a_tag_that_is_no_jinja_is_an_error_of_the_template() -> None:
    with pytest.raises(TemplateBroken, match=r"“Thử”.*endfor"):
        fill(template_with("{% for item in interests %}"))


def test_tags_that_tear_a_document_are_refused_instead_of_losing_its_rest() -> None:
    document = docx.Document()
    document.add_table(rows=1, cols=1).cell(0, 0).text = "{% if not missing %}"
    document.add_paragraph("{% endif %}")
    document.add_paragraph("Phần còn lại")
    file = io.BytesIO()
    document.save(file)
    with pytest.raises(XMLSyntaxError):
        fill(file.getvalue())


def test_a_template_cannot_reach_into_the_program() -> None:
    from jinja2.exceptions import SecurityError

    with pytest.raises(SecurityError):
        fill(template_with("{{ client.__class__.__mro__ }}"))


# --- what the documents say -----------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "language"), [pair for pair in EACH if pair[0] in BEFORE_THE_DECISION])
def test_no_price_and_no_promise_before_the_decision(key: str, language: Language) -> None:
    """Stage 1 of the procedure: “không báo giá, không đưa ra bất kỳ hứa hẹn gì”."""
    own_words = re.sub(r"\{[{%].*?[}%]\}", " ", template_text(key, language))
    assert not WORDS_OF_AN_OFFER.search(WORDS_OF_OTHER_MEANING.sub("", own_words))
    assert not word.template_fields(template_path(key, language).read_bytes()) & TERMS_OF_AN_OFFER


@pytest.mark.parametrize("language", LANGUAGES)
def test_terms_do_not_change_a_document_made_before_the_decision(language: Language) -> None:
    facts = sample_facts(language)
    for key in BEFORE_THE_DECISION:
        without = render(key, language=language, facts={**facts, "terms": None, "promised": None, "timetable": []})
        assert render(key, language=language, facts=facts).data == without.data


@pytest.mark.parametrize(("language", "wanted"), [
    ("vi", ["Điều 513", "36/2005/QH11", "91/2025/QH15", "23 ngày làm việc", "thời gian dự trù là 5 ngày làm việc",
            "ngày làm việc thứ 28", "ngày 22 tháng 01 năm 2027", "185.000.000 đồng", "14.800.000 đồng",
            "199.800.000 đồng", "Một trăm chín mươi chín triệu tám trăm nghìn đồng", "79.920.000 đồng",
            "không chính xác", "quyền từ chối", "8 % giá trị phần nghĩa vụ", "Bất khả kháng", "phụ lục gia hạn",
            "04 bản", "Điều 301 Luật Thương mại"]),
    ("en", ["Articles 513", "36/2005/QH11", "91/2025/QH15", "23 working days", "a reserve of 5 working days",
            "working day number 28", "22 January 2027", "VND 185,000,000", "VND 199,800,000", "VND 79,920,000",
            "inaccurate", "8 % of the value of the obligation breached", "Force majeure", "extension appendix"]),
])
def test_the_contract_says_what_the_parties_agreed(language: Language, wanted: list[str]) -> None:
    text = text_of(opened(render("contract", language=language, facts=sample_facts(language)).data))
    assert [phrase for phrase in wanted if phrase not in text] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_business_plan_marks_what_is_missing(language: Language) -> None:
    mark = {"vi": "[Cần bổ sung", "en": "[To be added"}[language]
    facts = sample_facts(language)
    full = text_of(opened(render("business_plan", language=language, facts=facts).data))
    facts["answer"]["strategy"] = facts["answer"]["capacity"] = ""
    gaps = text_of(opened(render("business_plan", language=language, facts=facts).data))
    assert gaps.count(mark) == full.count(mark) + 3  # strategy stands in the summary and in its own section


def test_monitoring_survives_the_liquidation_only_where_it_was_bought() -> None:
    facts = sample_facts("vi")
    bought = text_of(opened(render("liquidation_minutes", language="vi", facts=facts).data))
    plain = text_of(opened(render("liquidation_minutes", language="vi", facts={**facts, "monitoring": None}).data))
    assert "theo dõi thực hiện" in bought and "theo dõi thực hiện" not in plain


def test_a_failed_appraisal_is_reported_as_failed() -> None:
    facts = sample_facts("vi")
    facts["appraisal"]["passed"] = False
    text = text_of(opened(render("review_report", language="vi", facts=facts).data))
    assert "CHƯA ĐẠT" in text and "ĐẠT – chuyển sang bàn giao" not in text


# --- files ----------------------------------------------------------------------------------------------


def test_properties_name_title_firm_language_and_day() -> None:
    document = opened(render("contract", language="vi", facts=sample_facts("vi")).data)
    properties = document.core_properties
    assert properties.title == "Hợp đồng dịch vụ 12/2026/HĐ-KHV"
    assert properties.author == "Công ty TNHH Tư vấn Kế Hoạch Việt"
    assert (properties.language, properties.created.date()) == ("vi-VN", date(2026, 12, 14))


def test_a_changed_template_is_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = render("quote", language="vi", facts=sample_facts("vi")).template_sha256
    (tmp_path / "quote.vi.docx").write_bytes(template_with("{{ client.name }}"))
    monkeypatch.setattr("include.documents.render.TEMPLATES", tmp_path)
    assert render("quote", language="vi", facts=sample_facts("vi")).template_sha256 != before


def test_loading_the_renderer_does_not_load_word_libraries() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import include.documents.render, include.documents.word, sys, json;"
         "print(json.dumps([m for m in ('docx', 'docxtpl', 'openpyxl', 'jinja2') if m in sys.modules]))"],
        capture_output=True, text=True, check=True, cwd=TEMPLATES.parent.parent)
    assert json.loads(loaded.stdout) == []


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_reads_every_document(tmp_path: Path) -> None:
    names = []
    for key, language in EACH:
        path = tmp_path / f"{key}.{language}.docx"
        path.write_bytes(render(key, language=language, facts=sample_facts(language)).data)
        names.append(path)
    subprocess.run(["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "pdf",
                    "--outdir", str(tmp_path / "pdf"), *map(str, names)], check=True, capture_output=True, timeout=240)
    made = sorted((tmp_path / "pdf").glob("*.pdf"))
    assert {path.stem for path in made} == {path.stem for path in names}
    if shutil.which("pdftotext"):
        assert [path.stem for path in made if ALONE.match(last_page(path))] == []


ALONE = re.compile(r"\s*\d*\s*(ĐẠI DIỆN|NGƯỜI|FOR (PARTY|THE)|Nơi nhận|Copies|Trân trọng|Yours faithfully|PREPARED|"
                   r"COMPLETED|Hà Nội,|Ha Noi,)")  # fmt: skip


def last_page(pdf: Path) -> str:
    """The text of a document's last page, when it has more than one."""
    text = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], check=True, capture_output=True, timeout=60)
    pages = text.stdout.decode().rstrip("\f").split("\f")
    return pages[-1] if len(pages) > 1 else "whole"


@pytest.mark.parametrize(("spelling", "words"), [({}, "lẻ"), ({"odd": "linh"}, "linh"), ({"odd": "lẻ"}, "lẻ")])
def test_the_firm_chooses_how_amounts_are_spelt(spelling: dict[str, str], words: str) -> None:
    facts = sample_facts("vi")
    facts["firm"] = {**facts["firm"], "spelling": spelling}
    facts["instalment"] = {**facts["instalment"], "amount_vnd": 81_400_005}
    text = text_of(docx.Document(io.BytesIO(render("payment_request", language="vi", facts=facts).data)))
    assert f"không trăm {words} năm đồng" in text


# --- pictures -------------------------------------------------------------------------------------------


def chart(alt: str, width_mm: float) -> Picture:
    file = io.BytesIO()
    Image.new("RGB", (60, 30), "teal").save(file, "PNG")
    return Picture(file.getvalue(), alt, width_mm)


def test_a_picture_is_printed_in_its_width_with_words_for_those_who_do_not_see_it() -> None:
    template = template_with("{%p for each in charts %}", "{{ each.picture }}", "{{ each.title }}", "{%p endfor %}")
    facts = sample_facts("vi") | {"charts": [{"title": "Thu & chi", "picture": chart('Năm 1: "5" < 6', 160)},
                                             {"title": "Tiền", "picture": chart("Năm 2", 80)}]}  # fmt: skip
    made = word.render_word(template, title="Thử", language="vi", facts=facts)
    document = opened(made)
    assert [(shape._inline.docPr.get("descr"), round(shape.width.mm)) for shape in document.inline_shapes] == [
        ('Năm 1: "5" < 6', 160), ("Năm 2", 80)]
    assert "Thu & chi" in text_of(document)
    assert made == word.render_word(template, title="Thử", language="vi", facts=facts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_plan_shows_the_models_charts_with_their_figures_in_words(language: Language) -> None:
    plan = opened(render("business_plan", language=language, facts=pictured_facts(language)).data)
    said = [shape._inline.docPr.get("descr") for shape in plan.inline_shapes]
    assert len(said) == 4 and all({"vi": "8.300", "en": "8,300"}[language] in text for text in said[:1])
    captions = [p.text for p in plan.paragraphs if p.text.startswith(("Biểu đồ", "Chart"))]
    assert len(captions) == 4 and captions[3].split()[{"vi": 2, "en": 1}[language]] == "4."


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_plans_contents_name_every_chapter_with_its_page(language: Language) -> None:
    plan = docx.Document(str(template_path("business_plan", language)))
    lines = {p.text.partition("\t")[0]: p._p.xpath("string(.//w:instrText)").split()
             for p in plan.paragraphs if p._p.xpath(".//w:instrText[contains(., 'PAGEREF')]")}  # fmt: skip
    chapters = [p for p in plan.paragraphs if p.style.name == "Heading 1"]
    assert list(lines) == [f"{number}. {chapter.text}" for number, chapter in enumerate(chapters, 1)]
    marks = [chapter._p.xpath("string(w:bookmarkStart/@w:name)") for chapter in chapters]
    assert [line[1] for line in lines.values()] == marks

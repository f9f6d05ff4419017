"""Finished documents read back: what they state comes from their facts, and what a reader needs is stated."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from typing import Any

import docx
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from include.documents.readback import Statements, check_made, read_statements
from include.documents.readback.agreement import LABELS, agreed_facts
from include.documents.readback.making import STATES
from include.documents.render import render, template_path
from include.documents.sample import bare_facts, sample_facts
from include.engagement import process
from include.engagement.errors import FactsDiffer
from include.engagement.money import amount_in_words
from include.engagement.process import LANGUAGES, Language

EVERY = [
    (row.key, language)
    for row in process.DOCUMENTS.values()
    for language in (LANGUAGES if row.audience == "client" else LANGUAGES[:1])
]
FOR_CLIENTS = [
    (key, language) for key, language in EVERY
    if process.DOCUMENTS[key].audience == "client" and process.DOCUMENTS[key].format == "docx"
]  # fmt: skip
WITH_PRICE = [(key, language) for key, language in FOR_CLIENTS if "terms.gross_vnd" in STATES.get(key, ())]
each_document = pytest.mark.parametrize(("key", "language"), EVERY)
each_paper = pytest.mark.parametrize(("key", "language"), FOR_CLIENTS)
each_priced_paper = pytest.mark.parametrize(("key", "language"), WITH_PRICE)

HOSTILE = "Tân & Phát <Co> {{ 7*7 }} \u202eRTL\u202c\u200f 😀 \x00 a\tb\nhai\r\nba; giá 1.234.567 đồng ngày 01/02/2020"


def made(key: str, language: Language, facts: dict[str, Any], template: bytes | None = None) -> None:
    """Make the document as the pipeline does, and check it."""
    rendered = render(key, language=language, facts=facts, template=template)
    check_made(key, rendered.data, facts=facts, language=language, template=rendered.template)


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: with_texts(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_texts(inner, change) for inner in value]
    return value


def edited(key: str, language: Language, edit: Callable[[Any], None]) -> bytes:
    """The template after somebody worked on it in Word."""
    document = docx.Document(str(template_path(key, language)))
    edit(document)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def typed(*sentences: str) -> Callable[[Any], None]:
    """An edit: somebody types sentences at the end."""

    def edit(document: Any) -> None:
        for sentence in sentences:
            document.add_paragraph(sentence)

    return edit


def replaced(tag: str, text: str) -> Callable[[Any], None]:
    """An edit: somebody types over a tag wherever it stands."""
    pattern = re.compile(r"\{\{\s*" + re.escape(tag) + r"[^}]*\}\}")

    def edit(document: Any) -> None:
        found = 0
        for node in document.element.body.iter(qn("w:t")):
            node.text, count = pattern.subn(text, node.text or "")
            found += count
        assert found, f"the template has no tag {tag}"

    return edit


def stated(text: str) -> Statements:
    return Statements(tuple(text.splitlines()))


# --- what is made as it should be -----------------------------------------------------------------------


@each_document
@pytest.mark.parametrize("facts", [sample_facts, bare_facts], ids=["sample", "bare"])
def test_every_document_states_its_facts(key: str, language: Language, facts: Callable[[Language], Any]) -> None:
    made(key, language, facts(language))


@each_document
def test_what_a_client_writes_is_no_difference(key: str, language: Language) -> None:
    facts = sample_facts(language)
    changed = {**with_texts(facts, lambda text: f"{text} {HOSTILE}"), "number": facts["number"],
               "language": language, "terms": facts["terms"], "firm": facts["firm"],
               "answer": facts["answer"], "timetable": facts["timetable"], "questions": facts["questions"],
               "instalment": facts["instalment"], "appraisal": facts["appraisal"]}  # fmt: skip
    changed["client"]["tax_code"] = facts["client"]["tax_code"]
    made(key, language, changed)


@pytest.mark.parametrize(("odd", "billion"), [("lẻ", "tỷ"), ("linh", "tỉ")])
def test_either_spelling_of_an_amount_is_right(odd: Any, billion: Any) -> None:
    facts = sample_facts("vi")
    amount = facts["instalment"]["amount_vnd"]
    facts["instalment"]["words"] = amount_in_words(amount, "vi", odd=odd, billion=billion, exact=True)
    made("payment_request", "vi", facts)


# --- mistakes in templates ------------------------------------------------------------------------------

# The sentence, and what of it is no fact of the sample.
TYPED = {
    "Bằng chữ: Một trăm bảy mươi lăm triệu đồng.": "Một trăm bảy mươi lăm triệu đồng",
    "Giá trọn gói là 175.000.000 đồng.": "175.000.000",
    "The price is VND 176,000,000 in all.": "176,000,000",
    "Giá trọn gói là 177000000 đồng.": "177000000",
    "Giá trọn gói là 178 triệu đồng.": "178 triệu",
    "Mã số thuế: 0312345678": "0312345678",
    "Mã số thuế chi nhánh: 0109876500-001": "0109876500-001",
    "Theo Hợp đồng số 07/2025/HĐ-KHV đã ký.": "07/2025/HĐ-KHV",
    "Bên mua: Công ty TNHH Thương mại Sao Mai": "Sao Mai",
    "CÔNG TY CỔ PHẦN ĐẦU TƯ SAO HÔM": "SAO HÔM",
    "The client is Morning Star Trading Co., Ltd. of Hue.": "Morning Star",
    "Thuế GTGT 5 % đã gồm trong giá.": "5 %",
}
LAWS = (
    "Căn cứ Nghị định số 30/2020/NĐ-CP ngày 05 tháng 3 năm 2020; Luật số 36/2005/QH11 ngày 14/06/2005.",
    "Pursuant to the Commercial Law No. 36/2005/QH11 of 14 June 2005.",
    "Bên A trả lời trong 03 ngày làm việc; mức phạt 0,1 % mỗi ngày, không quá 8 %; tệp không quá 1,5 GB.",
    "Công ty có 2 phòng họp; một đồng vốn sinh hai đồng lãi.",
)


@each_paper
def test_each_fact_typed_into_a_template_is_named(key: str, language: Language) -> None:
    with pytest.raises(FactsDiffer) as caught:
        made(key, language, sample_facts(language), edited(key, language, typed(*TYPED)))
    named = [shown for shown in TYPED.values() if f"{shown}" in str(caught.value)]
    assert named == list(TYPED.values())
    assert str(caught.value).count("\n–") == len(TYPED)


@pytest.mark.parametrize("text", TYPED)
def test_one_fact_typed_into_a_template_is_enough_to_refuse_it(text: str) -> None:
    with pytest.raises(FactsDiffer, match=re.escape(TYPED[text])):
        made("contract", "vi", sample_facts("vi"), edited("contract", "vi", typed(text)))


@each_paper
def test_laws_and_plain_wording_may_be_typed(key: str, language: Language) -> None:
    made(key, language, sample_facts(language), edited(key, language, typed(*LAWS)))


@pytest.mark.parametrize("tag", ["terms.net_vnd", "terms.vat_vnd", "terms.vat_percent"])
@each_priced_paper
def test_a_price_block_without_one_of_its_figures_is_refused(key: str, language: Language, tag: str) -> None:
    with pytest.raises(FactsDiffer, match="thiếu"):
        made(key, language, sample_facts(language), edited(key, language, replaced(tag, "")))


@each_priced_paper
def test_a_price_of_last_year_typed_over_the_tag_is_refused(key: str, language: Language) -> None:
    template = edited(key, language, replaced("terms.net_vnd", "165.000.000 đồng"))
    with pytest.raises(FactsDiffer, match=r"165\.000\.000.*không có trong dữ liệu"):
        made(key, language, sample_facts(language), template)


@each_priced_paper
def test_words_of_another_amount_are_refused(key: str, language: Language) -> None:
    words = amount_in_words(1_000_015, language)
    with pytest.raises(FactsDiffer, match="bằng chữ"):
        made(key, language, sample_facts(language), edited(key, language, _words_replaced(words)))


@each_priced_paper
def test_words_of_another_stated_amount_are_refused(key: str, language: Language) -> None:
    words = amount_in_words(sample_facts(language)["terms"]["net_vnd"], language)
    with pytest.raises(FactsDiffer, match="bằng chữ"):
        made(key, language, sample_facts(language), edited(key, language, _words_replaced(words)))


def _words_replaced(words: str) -> Callable[[Any], None]:
    def edit(document: Any) -> None:
        for node in document.element.body.iter(qn("w:t")):
            node.text = re.sub(r"\{\{[^}]*\|\s*words[^}]*\}\}", words, node.text or "")

    return edit


@pytest.mark.parametrize("key", [key for key, language in FOR_CLIENTS if language == "vi"])
def test_a_document_that_does_not_name_its_client_is_refused(key: str) -> None:
    def edit(document: Any) -> None:
        for part in (document.element, *(section.header._element for section in document.sections)):
            for node in part.iter(qn("w:t")):
                node.text = re.sub(r"\{\{\s*client\.name[^}]*\}\}", "Quý khách", node.text or "")

    with pytest.raises(FactsDiffer, match="tên khách hàng"):
        made(key, "vi", sample_facts("vi"), edited(key, "vi", edit))


def test_a_typed_price_in_header_or_text_box_is_found() -> None:
    def in_header(document: Any) -> None:
        document.sections[0].header.add_paragraph("Giá 175.000.000 đồng")

    def in_box(document: Any) -> None:
        paragraph = document.add_paragraph("Xem khung:")
        box, inner, run, text = (OxmlElement(tag) for tag in ("w:txbxContent", "w:p", "w:r", "w:t"))
        text.text = "Giá 175.000.000 đồng"
        run.append(text)
        inner.append(run)
        box.append(inner)
        holder = OxmlElement("w:pict")
        holder.append(box)
        paragraph.runs[0]._element.append(holder)

    for edit in (in_header, in_box):
        with pytest.raises(FactsDiffer, match=r"175\.000\.000"):
            made("quote", "vi", sample_facts("vi"), edited("quote", "vi", edit))


def test_instalments_that_do_not_add_up_are_refused() -> None:
    facts = sample_facts("vi")
    facts["terms"]["instalments"][0]["amount_vnd"] += 1
    with pytest.raises(FactsDiffer, match="cộng lại"):
        made("quote", "vi", facts)


def test_the_message_names_document_fact_and_what_to_do() -> None:
    with pytest.raises(FactsDiffer) as caught:
        made("quote", "vi", sample_facts("vi"), edited("quote", "vi", typed("Giá 175.000.000 đồng")))
    assert "“Báo giá”" in str(caught.value) and "templates/documents/quote" in str(caught.value)
    assert "Hãy sửa" in str(caught.value)


def test_figures_beyond_all_prices_are_text_like_any_other() -> None:
    facts = sample_facts("vi")
    facts["message"] = f"{'9' * 5000} đồng, {'1.' * 3000}000 đồng; {'123 ' * 2000}đồng; Một trăm hai mươi đồng"
    for key in ("quote", "intake_record"):
        made(key, "vi", facts)


@pytest.mark.parametrize("name", ["Işık & Cö", "Straße  AG", "A | B: C – D", "Xưởng\u200d ﬁne\ufffe"])
def test_a_name_is_found_in_capitals_whatever_its_letters(name: str) -> None:
    facts = sample_facts("vi")
    facts["client"]["name"] = name
    for key in ("contract", "quote"):
        made(key, "vi", facts)


# --- reading --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "digits"), [
    ("185.000.000 đồng", {"185000000"}), ("VND 185,000,000", {"185000000"}), ("185 000 000 đồng", {"185000000"}),
    ("500 đồng", {"500"}), ("20 tỷ đồng", {"20 tỷ"}), ("7,5 triệu", {"75 triệu"}),
    ("ngày 05/07/2026", set()), ("12/2026/HĐ-KHV", set()), ("7,50/10 điểm", set()), ("8.000:1", {"8000"}),
    ("0912 000 111", set()), ("phiên bản 1.2.3", set()),
])  # fmt: skip
def test_amounts_are_known_by_their_form(text: str, digits: set[str]) -> None:
    assert set(stated(text).amounts) == digits


@pytest.mark.parametrize("text", ["ngày 05 tháng 7 năm 2026", "5 July 2026", "05/07/2026", "Ngày 5 tháng 07 năm 2026"])
def test_days_are_known_long_and_short(text: str) -> None:
    assert set(stated(text).dates) == {date(2026, 7, 5)}


def test_a_day_that_no_calendar_has_is_none() -> None:
    assert stated("31/02/2026 và ngày 40 tháng 13 năm 2026").dates == {}


def test_workbooks_are_read_with_figures_and_days_as_people_see_them() -> None:
    import openpyxl  # type: ignore[import-untyped]

    book = openpyxl.Workbook()
    book.active.append(["Giá", 185_000_000, date(2026, 7, 5), "0109876500"])
    buffer = io.BytesIO()
    book.save(buffer)
    data = buffer.getvalue()
    read = read_statements(data, extension="xlsx", sha256=hashlib.sha256(data).hexdigest())
    assert read is not None
    assert "185000000" in read.amounts and date(2026, 7, 5) in read.dates and read.tax_codes == {"0109876500"}


def test_a_file_is_read_once() -> None:
    data = render("quote", language="vi", facts=sample_facts("vi")).data
    sha256 = hashlib.sha256(data).hexdigest()
    first = read_statements(data, extension="docx", sha256=sha256)
    assert read_statements(b"", extension="docx", sha256=sha256) is first


def test_a_kind_that_is_not_read_states_nothing() -> None:
    assert read_statements(b"\x89PNG", extension="png", sha256="0" * 64) is None


def test_every_part_of_a_word_file_is_read_but_no_text_twice() -> None:
    data = render("quote", language="vi", facts=sample_facts("vi")).data
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert any(name.startswith("word/header") for name in package.namelist())
    read = read_statements(data, extension="docx", sha256=hashlib.sha256(data).hexdigest())
    assert read is not None and read.text.count("Bằng chữ") == 1


# --- what papers agree on -------------------------------------------------------------------------------

CLIENT = {"client_name", "client_tax_code", "client_representative"}
PRICE = {"net", "vat", "vat_percent", "gross"}
CONTRACT = {"contract_number", "contract_day"}
AGREED = {
    "quote": {"client_name", "client_representative"} | PRICE,
    "contract": CLIENT | PRICE | {"contract_number"},
    "contract_appendix": CLIENT | PRICE | CONTRACT,
    "extension_appendix": CLIENT | CONTRACT,
    "payment_request": {"client_name", "client_representative", "gross"} | CONTRACT,
    "handover_minutes": CLIENT | CONTRACT,
    "acceptance_minutes": CLIENT | CONTRACT,
    "liquidation_minutes": CLIENT | PRICE | CONTRACT,
    "termination_letter": {"client_name", "client_representative"} | CONTRACT,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", AGREED)
def test_the_facts_that_papers_agree_on_are_found_in_each(key: str, language: Language) -> None:
    facts = sample_facts(language)
    data = render(key, language=language, facts=facts).data
    read = read_statements(data, extension="docx", sha256=hashlib.sha256(data).hexdigest())
    assert read is not None
    found = agreed_facts(read)
    wanted = {
        "client_name": facts["client"]["name"].casefold(), "client_tax_code": facts["client"]["tax_code"],
        "client_representative": facts["client"]["representative"]["name"].casefold(),
        "net": "185000000", "vat": "14800000", "vat_percent": "8", "gross": "199800000",
        "contract_number": facts["contract"]["number"], "contract_day": facts["contract"]["day"].isoformat(),
    }  # fmt: skip
    assert wanted.keys() == LABELS.keys()
    assert {fact: found[fact].value for fact in AGREED[key] if fact in found} == {f: wanted[f] for f in AGREED[key]}
    assert all(said.value == wanted[fact] for fact, said in found.items())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", AGREED)
def test_what_a_bare_paper_leaves_open_is_no_fact(key: str, language: Language) -> None:
    data = render(key, language=language, facts=bare_facts(language)).data
    read = read_statements(data, extension="docx", sha256=hashlib.sha256(data).hexdigest())
    assert read is not None and agreed_facts(read).keys() <= {"client_name"}

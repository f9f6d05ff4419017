"""The papers of whole engagements, read as client, bank and lawyer would: they agree, and speak as people do."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import docx
import openpyxl  # type: ignore[import-untyped]
import pytest
from docx.oxml.ns import qn

from include.casework import handover
from include.casework.facts import document_facts
from include.documents.render import template_path
from include.engagement import process
from include.engagement.money import amount_in_words, with_unit
from include.engagement.process import Language
from tests.firm import ANSWERS, BAD, GOOD, PAPERS, PDF, Firm

PURPOSE = {"vi": "Gọi vốn nhà đầu tư cho nhà máy mới", "en": "Equity for a new plant"}
CLIENT = {
    "vi": {},
    "en": {"name": "Ban Me Som Coffee Co., Ltd.", "address": "127 Nguyen Tat Thanh, Dak Lak", "sector": "Coffee",
           "representative": {"name": "Nguyen Thi Anh Tuyet", "title": "Director"}},
}
WISH = {"vi": "Bổ sung bảng phân tích độ nhạy", "en": "Add a sensitivity table"}
STORED_NAME = re.compile(r"\b[0-9a-f]{8}-\w")
KEYS = sorted(
    {item.key for request in process.REQUESTS.values() for item in request.items if "_" in item.key}
    | {key for key in (*process.DOCUMENTS, *process.REQUESTS, *process.SIGN_OFFS) if "_" in key}
)
VIETNAMESE_ONLY = re.compile("[ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹđĐơưƠƯ]")


def text_of(data: bytes) -> str:
    """Paragraphs of the body, tables included."""
    body = docx.Document(io.BytesIO(data)).element.body
    return "\n".join("".join(node.text or "" for node in p.iter(qn("w:t"))) for p in body.iter(qn("w:p")))


def cells_of(data: bytes) -> str:
    """Every text and date of a workbook."""
    book = openpyxl.load_workbook(io.BytesIO(data))
    return "\n".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row
                     if cell.value is not None)  # fmt: skip


def play(firm: Firm, language: Language) -> None:
    """A negotiated quote in four instalments, a failed appraisal, a change at the handover, a late client."""
    client: dict[str, Any] = {**_form()["client"], **CLIENT[language]}
    firm.day(date(2027, 1, 18)).open(language=language, client=client,
                                     need={"purpose": PURPOSE[language], "horizon_months": 36})  # fmt: skip
    firm.ask("intake")
    firm.ask("information")
    firm.day(date(2027, 2, 1)).put("information", {"answers": ANSWERS}, PAPERS).receive("information")
    firm.sign("information_review", "accept")
    firm.decide()
    firm.sign("quote", "send", net_vnd=320_000_000, vat_percent=10, reserve_days=6, instalments_percent="50, 30, 20")
    firm.ask("quote")
    firm.day(date(2027, 2, 2)).put("quote", {"reply": "negotiate", "message": "4 đợt"}).receive("quote")
    firm.sign("quote", "send", 2, net_vnd=305_000_000, instalments_percent="30, 30, 25, 15")
    firm.ask("quote", 2)
    firm.day(date(2027, 2, 3)).put("quote-2", {"reply": "accept"}).receive("quote", 2)
    firm.ask("contract")
    firm.day(date(2027, 2, 12)).put("contract", files={"scan.pdf": PDF}).receive("contract")
    firm.sign("contract_check", "accept")
    firm.day(date(2027, 3, 12)).deliver().score(BAD).conclude()
    firm.day(date(2027, 3, 17)).deliver(2).score(GOOD, 2).conclude(number=2)
    firm.ask("handover")
    firm.day(date(2027, 3, 24)).put("handover", {"reply": "changes", "items": [WISH[language]]}).receive("handover")
    firm.sign("handover_changes", "done")
    firm.ask("handover", 2)
    firm.day(date(2027, 3, 25)).put("handover-2", {"reply": "accept"}).receive("handover", 2)
    with firm.case() as case:
        handover.conclude(case, 2)
        second = document_facts(case, language=language, number="", version=1)["terms"]["instalments"][1]
        case.document("payment_request", "instalment/2",
                      instalment={**second, "words": amount_in_words(second["amount_vnd"], language)})  # fmt: skip


def _form() -> dict[str, Any]:
    from tests.firm import FORM

    return FORM


@pytest.fixture(params=["vi", "en"])
def papers(request: pytest.FixtureRequest, firm: Firm, tmp_path: Path) -> Iterator[tuple[Language, dict[str, str]]]:
    """The language and every document that the firm made, by its name in storage without extension."""
    play(firm, request.param)
    read = {".docx": text_of, ".xlsx": cells_of}
    yield request.param, {
        path.stem: read[path.suffix](path.read_bytes())
        for path in sorted((tmp_path / "engagements").rglob("*-v*.*"))
        if path.suffix in read and "received" not in path.parts
    }


def test_the_papers_of_an_engagement_agree_and_speak_as_people_do(papers: tuple[Language, dict[str, str]]) -> None:
    """One play, many questions: playing takes seconds, so each paper is asked everything at once."""
    language, texts = papers
    wrong = [*_names_of_machines(texts), *_other_language(language, texts), *_sums_that_differ(language, texts),
             *_dates_that_differ(language, texts), *_gaps(language, texts)]  # fmt: skip
    assert wrong == []


def _names_of_machines(texts: dict[str, str]) -> list[str]:
    found = [f"{name}: {match.group()}" for name, text in texts.items() if (match := STORED_NAME.search(text))]
    for name, text in texts.items():
        if name.startswith("questionnaire") or name.startswith("progress_form"):
            continue  # hidden columns of forms carry the keys that answers are read by
        found += [f"{name}: {key}" for key in KEYS if re.search(rf"\b{key}\b", text)]
    return found


def _other_language(language: Language, texts: dict[str, str]) -> list[str]:
    if language == "vi":
        english = re.compile(r"\b(the|and|with|Party|working days?|Yes|not)\b")
        return [f"{name}: {match.group()}" for name, text in texts.items()
                if not name.startswith("financial_model") and (match := english.search(text))]  # fmt: skip
    for_client = [key for key, row in process.DOCUMENTS.items() if row.audience == "client" and row.format == "docx"]
    names = ("Nguyễn Thu Hà", "Phạm Quang Việt", "Trần Đức Hữu", "Vietcombank – Chi nhánh Hà Nội", "HĐ-KHV", "ĐNTT-KHV",
             "PLHĐ-KHV", "4 đợt", *ANSWERS.values())  # fmt: skip
    found = []
    for name, text in texts.items():
        if name.rpartition("-v")[0] in for_client:
            for own in names:
                text = text.replace(own, "")
            found += [f"{name}: {line}" for line in text.splitlines() if VIETNAMESE_ONLY.search(line)]
    return found


def _sums_that_differ(language: Language, texts: dict[str, str]) -> list[str]:
    def written(amount: int) -> str:
        return with_unit(amount, language)

    instalments = (100_650_000, 83_875_000, 50_325_000)
    words = {"vi": "Ba trăm ba mươi lăm triệu năm trăm nghìn đồng",
             "en": "Three hundred and thirty-five million five hundred thousand Vietnamese dong"}[language]
    found = []
    for name in ("quote-v2", "contract-v1", "contract_appendix-v1", "liquidation_minutes-v1"):
        for amount in (305_000_000, 30_500_000, 335_500_000, *instalments):
            if written(amount) not in texts[name]:
                found.append(f"{name}: {amount}")
        if words not in texts[name]:
            found.append(f"{name}: {words}")
    for part in (written(100_650_000), written(335_500_000), "01/2027/HĐ-KHV"):
        if part not in texts["payment_request-v1"]:
            found.append(f"payment_request: {part}")
    return found


def _dates_that_differ(language: Language, texts: dict[str, str]) -> list[str]:
    """Drafts for signature carry no day of signature; what follows names the day on which the contract was signed."""
    def long(vi: str, en: str) -> str:
        return vi if language == "vi" else en

    signed = long("ký ngày 12/02/2027", "of 12 February 2027")
    today = long("Hôm nay, ngày …", "Today, …")
    found = [f"{name}: not to be dated by hand" for name in
             ("contract-v1", "contract_appendix-v1", "extension_appendix-v1", "handover_minutes-v1")
             if today not in texts[name]]  # fmt: skip
    if long("HĐ-KHV ký ngày", "HĐ-KHV of") in texts["contract_appendix-v1"]:
        found.append("contract_appendix: a contract that is not signed yet")
    for name in ("handover_plan-v1", "handover_minutes-v1", "extension_appendix-v1", "acceptance_minutes-v1",
                 "liquidation_minutes-v1", "payment_request-v1"):  # fmt: skip
        if signed not in texts[name]:
            found.append(f"{name}: {signed}")
    moved = (long("ngày 25 tháng 3 năm 2027", "25 March 2027"), long("ngày 30 tháng 3 năm 2027", "30 March 2027"))
    found += [f"extension_appendix: {day}" for day in moved if day not in texts["extension_appendix-v1"]]
    delivered = long("Đã bàn giao ngày 24 tháng 3 năm 2027", "Handed over on 24 March 2027")
    if delivered not in texts["acceptance_minutes-v1"] or moved[1] not in texts["acceptance_minutes-v1"]:
        found.append("acceptance_minutes: promised and actual handover")
    if long("Tại buổi bàn giao", "At the handover meeting") in texts["handover_minutes-v2"]:
        found.append("handover_minutes-v2: a meeting to which nobody was invited")
    return found


def _gaps(language: Language, texts: dict[str, str]) -> list[str]:
    wanted: dict[str, list[str]] = {
        "rework_checklist-v1": ["Thị trường", "Ủy viên tài chính", "5,00/10", "Hạn nộp lại"],
        "review_report-v1": ["Kế hoạch kinh doanh KHV", "Mô hình tài chính KHV", "5,00/10"],
        "review_pack-v1": ["Vòng thẩm định thứ 1", "Kế hoạch kinh doanh KHV"],
        "review_pack-v2": ["Vòng thẩm định thứ 2", "dưới mức đạt"],
        "handover_minutes-v2": [WISH[language]],
        "acceptance_minutes-v1": [WISH[language], {"vi": "8,00/10", "en": "8.00 of 10"}[language]],
        "extension_appendix-v1": [process.STAGES["handover"].title.in_(language)],
    }
    deliverables = {"vi": ["Kế hoạch kinh doanh KHV-", "Mô hình tài chính KHV-", "Hướng dẫn triển khai kế hoạch KHV-"],
                    "en": ["Business plan KHV-", "Financial model KHV-", "Implementation guide KHV-"]}[language]
    for name in ("handover_plan", "deliverables_list", "handover_minutes", "acceptance_minutes"):
        wanted.setdefault(f"{name}-v1", []).extend(deliverables)
    return [f"{name}: {part}" for name, parts in wanted.items() for part in parts if part not in texts[name]]


def test_what_is_bought_is_the_firms_service_and_not_the_clients_purpose(firm: Firm) -> None:
    firm.open(need={"purpose": "Gọi vốn nhà đầu tư", "horizon_months": 36})
    with firm.case() as case:
        title = document_facts(case, language="vi", number="", version=1)["engagement"]["title"]
    assert title == "Lập kế hoạch kinh doanh (Gọi vốn nhà đầu tư)"


def test_the_intake_record_lists_what_the_form_left_empty(firm: Firm, tmp_path: Path) -> None:
    firm.open(client={**_form()["client"], "bank": {"account": "", "bank": ""}})
    record = text_of(next((tmp_path / "engagements").rglob("intake_record-v1.docx")).read_bytes())
    missing = record.split("Mục còn thiếu cần hỏi thêm")[1].split("Thông tin khách hàng muốn được nhận")[0]
    assert missing.strip() == "Số tài khoản; Mở tại ngân hàng."


def test_a_refusal_names_amounts_as_people_do(firm: Firm, tmp_path: Path) -> None:
    firm.open(language="en")
    firm.ask("intake")
    firm.ask("information")
    firm.put("information", {"answers": ANSWERS}, PAPERS).receive("information")
    firm.sign("information_review", "refuse", reason="charter_capital: stated 20 billion, registered 2 billion")
    firm.refuse()
    folder = tmp_path / "engagements"
    letter = text_of(next(folder.rglob("refusal_letter-v1.docx")).read_bytes())
    dossier = text_of(next(folder.rglob("accuracy_dossier-v2.docx")).read_bytes())
    assert "Charter capital" in letter and "Vốn điều lệ" in dossier and "☒ Từ chối dịch vụ" in dossier
    assert "Báo cáo tài chính.pdf" in dossier and not STORED_NAME.search(dossier)


# “First of all” where “by the end of” is meant (“chậm nhất”); “live formulas” word for word (“có công thức tính”).
WORDS_THAT_SAY_SOMETHING_ELSE = re.compile(r"trước hết (ngày|\{\{)|công thức sống", re.I)


def test_templates_avoid_words_that_say_something_else() -> None:
    for key, row in process.DOCUMENTS.items():
        if row.format == "docx":
            text = text_of(template_path(key, "vi").read_bytes())
            assert WORDS_THAT_SAY_SOMETHING_ELSE.search(text) is None, key

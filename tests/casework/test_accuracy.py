"""Contradictions in what a client sent: asked about, recorded once with their evidence, shown at the review."""

from __future__ import annotations

import io
from typing import Any

import docx
from sqlalchemy import select

from include.casework.desks import GATE_DESKS
from include.register.models import Document, RequestItem
from tests.casework.test_receiving import said
from tests.firm import ANSWERS, FORM, PAPERS, Firm, facts_of

LESS = {"registered_capital_vnd": 2_000_000_000}


def sent(firm: Firm, **more: Any) -> Firm:
    firm.open().ask("information")
    firm.put("information", {"answers": {**ANSWERS, **more}}, PAPERS).receive("information")
    return firm


def recorded(firm: Firm) -> list[dict[str, Any]]:
    with firm.case() as case:
        return facts_of(case, "contradiction")


def dossier(firm: Firm) -> str:
    with firm.case() as case:
        GATE_DESKS["information_review"].prepare(case, 1)
        document = case.latest("accuracy_dossier")
        data = case.office.storage.get(document.path)
    word = docx.Document(io.BytesIO(data))
    return "\n".join(" | ".join(cell.text for cell in row.cells) for table in word.tables for row in table.rows)


def test_the_client_is_asked_in_the_receipt_and_the_answer_counts_meanwhile(firm: Firm) -> None:
    sent(firm, **LESS)
    assert "phiếu tiếp nhận ghi 5.000.000.000 đồng, phần trả lời ghi 2.000.000.000 đồng" in said(firm)
    with firm.office().sessions() as session:
        item = session.scalars(select(RequestItem).where(RequestItem.key == "registered_capital_vnd")).one()
    assert item.state == "received"


def test_the_evidence_names_the_file_of_each_statement_by_its_hash(firm: Firm) -> None:
    sent(firm, **LESS)
    (facts,) = recorded(firm)
    with firm.office().sessions() as session:
        files = {row.id: row for row in session.scalars(select(Document))}
    form, answer = facts["evidence"]
    assert files[form["document"]].key == "intake_record" and files[answer["document"]].key == "received/reply"
    assert all(files[each["document"]].sha256.startswith(each["sha256"]) for each in (form, answer))


def test_a_contradiction_is_recorded_and_asked_about_once(firm: Firm) -> None:
    firm.open().ask("information")
    for strategy in ("Xuất khẩu", "Nội địa"):
        firm.put("information", {"answers": {"strategy": strategy, **LESS}}).receive("information")
    assert len(recorded(firm)) == 1
    assert "ghi khác nhau" not in said(firm)


def test_the_dossier_shows_both_statements_with_their_sources(firm: Firm) -> None:
    sent(firm, **LESS)
    text = dossier(firm)
    (facts,) = recorded(firm)
    for each in facts["evidence"]:
        assert each["said"] in text and each["sha256"] in text
    assert text.count("Chưa rõ") == 2


def test_an_answer_that_agrees_settles_it_and_the_record_stays(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {"answers": {"strategy": "Xuất khẩu", **LESS}}).receive("information")
    rest = {**ANSWERS, "registered_capital_vnd": 5_000_000_000}
    firm.put("information", {"answers": rest}, PAPERS).receive("information")
    assert dossier(firm).count("Khách đã trả lời khớp") == 2
    with firm.case() as case:
        assert GATE_DESKS["information_review"].note(case) == ""


def test_the_reviewer_is_told_what_differs_without_a_value_or_a_name(firm: Firm) -> None:
    sent(firm, **LESS, registered_name="Công ty TNHH Trà Ban Mê", registered_tax_code="0109876500")
    with firm.case() as case:
        note = GATE_DESKS["information_review"].note(case)
    assert "vốn điều lệ" in note and "3 điểm" in note
    assert not any(word in note for word in ("2.000", "5.000", "Trà", FORM["client"]["name"], "0109", "6001"))


def test_what_agrees_is_asked_about_nowhere(firm: Firm) -> None:
    sent(firm, registered_capital_vnd=5_000_000_000, registered_name="CTY TNHH CÀ PHÊ BAN MÊ SỚM")
    assert recorded(firm) == [] and "xác nhận" not in said(firm)
    assert "Không thấy" in "".join(paragraphs(firm))


def paragraphs(firm: Firm) -> list[str]:
    dossier(firm)
    with firm.case() as case:
        data = case.office.storage.get(case.latest("accuracy_dossier").path)
    return [paragraph.text for paragraph in docx.Document(io.BytesIO(data)).paragraphs]


def test_a_fact_of_the_form_that_was_asked_for_again_is_corrected_by_the_answer(firm: Firm) -> None:
    sent(firm, **LESS)
    firm.sign("information_review", "ask_again", reason="charter_capital_vnd: 5 tỷ hay 2 tỷ?")
    firm.ask("information", 2)
    assert firm.put("information-2", {"answers": {"charter_capital_vnd": "2 tỷ"}}).receive("information", 2)
    with firm.case() as case:
        assert case.form["finance"]["charter_capital_vnd"] == 2_000_000_000
        assert GATE_DESKS["information_review"].note(case) == ""

"""What happens to a document that is made: its PDF, its values, what it is made again from."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import docx
import pytest

from include.casework.correspondence import post
from include.documents import render as rendering
from include.documents.libreoffice import ConversionFailed, LibreOffice, find_libreoffice
from include.engagement.errors import NotReproducible
from tests.documents.test_engagement_papers import text_of
from tests.firm import ANSWERS, PAPERS, Firm, facts_of

REAL = find_libreoffice()
needs_libreoffice = pytest.mark.skipif(
    REAL is None, reason="LibreOffice (soffice) is not installed: no PDF has been made"
)


class PaperPress(LibreOffice):
    """Makes PDFs and notes each; computes no workbook."""

    def pdf(self, data: bytes, *, extension: str) -> bytes:
        PRESSED.append(extension)
        return super().pdf(data, extension=extension)

    def recalculated(self, xlsx: bytes) -> bytes:
        raise ConversionFailed("not here")


PRESSED: list[str] = []


def press() -> PaperPress:
    return PaperPress(REAL.executable if REAL else "soffice")


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    monkeypatch.setattr("include.casework.office.find_libreoffice", press)
    PRESSED.clear()
    yield PRESSED


def attached(firm: Firm, subject: str) -> list[str]:
    mail = next(mail for mail in reversed(firm.outbox.read()) if subject in str(mail["subject"]))
    return [str(part.get_filename()) for part in mail.iter_attachments()]


@needs_libreoffice
def test_a_client_gets_contract_and_quote_as_pdf(firm: Firm, pressed: list[str]) -> None:
    firm.open().inform().decide().contract()
    assert attached(firm, "Báo giá")[0].endswith(".pdf")
    names = attached(firm, "Hợp đồng")
    assert [name for name in names if not name.endswith(".pdf")] == []


@needs_libreoffice
def test_a_pdf_is_made_once(firm: Firm, pressed: list[str]) -> None:
    firm.open().inform().decide()
    firm.sign("quote", "send", net_vnd=185_000_000, vat_percent=8, reserve_days=5, instalments_percent="40, 40, 20")
    firm.ask("quote")
    firm.ask("quote")
    assert pressed == ["docx"]


def test_without_libreoffice_the_client_gets_word_and_the_record_says_so(firm: Firm) -> None:
    firm.open().inform().decide().contract()
    assert attached(firm, "Báo giá")[0].endswith(".docx")
    with firm.case() as case:
        assert {"document": "quote", "version": 1} in facts_of(case, "pdf_not_made")


def test_what_was_sent_as_word_stays_word_when_the_task_is_repeated(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm.open().inform().decide()
    firm.sign("quote", "send", net_vnd=185_000_000, vat_percent=8, reserve_days=5, instalments_percent="40, 40, 20")
    firm.ask("quote")
    monkeypatch.setattr("include.casework.office.find_libreoffice", press)
    PRESSED.clear()
    firm.ask("quote")
    assert PRESSED == []


@needs_libreoffice
def test_with_the_real_libreoffice_the_quote_is_a_pdf(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    firm.open().inform().decide()
    monkeypatch.setenv("ENGAGEMENT_LIBREOFFICE", "")
    firm.sign("quote", "send", net_vnd=185_000_000, vat_percent=8, reserve_days=5, instalments_percent="40, 40, 20")
    firm.ask("quote")
    with firm.case() as case:
        pdf = case.pdf(case.latest("quote"))
        assert pdf is not None
        data = case.office.storage.get(pdf.path)
    assert data.startswith(b"%PDF-")
    assert hashlib.sha256(data).hexdigest() == pdf.sha256


@needs_libreoffice
def test_the_plan_carries_the_models_figures(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    firm.open()
    firm.ask("information")
    figures = {"revenue_vnd": "14.500.000.000", "cost_vnd": "11.900.000.000", "loan_vnd": "6.000.000.000"}
    assert firm.put("information", {"answers": {**ANSWERS, **figures}}, PAPERS).receive("information") == "complete"
    firm.sign("information_review", "accept")
    firm.decide().contract()
    monkeypatch.setenv("ENGAGEMENT_LIBREOFFICE", "")
    firm.ask("delivery")
    with firm.case() as case:
        plan = case.office.storage.get(case.latest("business_plan").path)
    text = text_of(plan)
    charts = [shape._inline.docPr.get("descr") for shape in docx.Document(io.BytesIO(plan)).inline_shapes]
    assert len(charts) >= 3 and all(charts)
    assert "Kết quả của mô hình tài chính theo năm" in text
    assert "NPV, kịch bản" in text


def test_without_libreoffice_the_plan_says_that_figures_are_to_be_carried_over(firm: Firm) -> None:
    firm.open().inform().decide().contract()
    firm.ask("delivery")
    with firm.case() as case:
        text = text_of(case.office.storage.get(case.latest("business_plan").path))
    assert "chuyển số từ mô hình tài chính" in text


# --- made again -----------------------------------------------------------------------------------------


def test_a_document_is_made_again_byte_for_byte(firm: Firm) -> None:
    firm.open().inform().decide().contract()
    with firm.case() as case:
        for key in ("information_letter", "decision_memo", "quote", "contract"):
            document = case.latest(key)
            assert case.made_again(document) == case.office.storage.get(document.path), key


def test_after_a_change_of_the_template_an_old_document_is_made_again_as_it_was(
    firm: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm.open()
    with firm.case() as case:
        old = case.latest("intake_record")
        before = case.office.storage.get(old.path)
    changed_templates(tmp_path, monkeypatch)
    with firm.case() as case:
        new = case.document("intake_record", "again")
        assert new.template_sha256 != old.template_sha256
        assert case.made_again(old) == before
        assert case.made_again(new) == case.office.storage.get(new.path)


def test_later_facts_do_not_change_what_is_made_again(firm: Firm) -> None:
    firm.open()
    with firm.case() as case:
        old = case.latest("intake_record")
        before = case.office.storage.get(old.path)
        form = {**case.form, "client": {**case.form["client"], "name": "Công ty khác"}}
        case.engagement.form = form
        case.session.commit()
        assert case.made_again(old) == before


def test_what_is_no_longer_kept_is_said(firm: Firm) -> None:
    firm.open()
    with firm.case() as case:
        document = case.latest("intake_record")
        case.office.storage.delete(f"engagements/{case.id}/facts/intake_record-v1.json")
        with pytest.raises(NotReproducible, match="tệp đã lưu"):
            case.made_again(document)


def test_a_workbook_is_not_made_again_from_a_template(firm: Firm) -> None:
    firm.open()
    firm.ask("intake")
    firm.ask("information")
    with firm.case() as case, pytest.raises(NotReproducible, match="Word"):
        case.made_again(case.latest("questionnaire"))


def changed_templates(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put templates in place whose intake record has another title."""
    from docx import Document

    changed = folder / "changed"
    changed.mkdir()
    template = Document(str(rendering.TEMPLATES / "intake_record.vi.docx"))
    template.add_paragraph("Bản mẫu mới")
    template.save(str(changed / "intake_record.vi.docx"))
    monkeypatch.setattr(rendering, "TEMPLATES", changed)


def test_a_mail_carries_no_paper_that_does_not_go_with_it(firm: Firm) -> None:
    firm.open().inform().decide()
    with firm.case() as case:
        memo = case.latest("decision_memo")
        assert memo is not None
        sent = len(firm.outbox.mails)
        with pytest.raises(ValueError, match="decision_memo does not go with the mail welcome"):
            post(case, "welcome", "again", documents=[memo])
        assert len(firm.outbox.mails) == sent

"""Papers that contradict each other, or are not what was stored, do not go out; those that rightly differ do."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from datetime import date
from subprocess import TimeoutExpired
from typing import Any

import pytest
from sqlalchemy import select

from include.casework import handover
from include.casework.consistency import BINDING, check_consistent
from include.documents.libreoffice import find_libreoffice
from include.engagement import process
from include.engagement.errors import FactsDiffer
from include.register.models import Document, Mail
from tests.firm import FORM, GOOD, PDF, Firm

needs_libreoffice = pytest.mark.skipif(
    find_libreoffice() is None or shutil.which("pdftotext") is None, reason="NO LIBREOFFICE OR POPPLER, NOT TESTED"
)


def exchange(firm: Firm, key: str, old: str, new: str, *, version: int | None = None) -> None:
    """Put another text into a stored Word paper; the register goes along with it (it was made that way)."""
    with firm.case() as case:
        document = _version(case, key, version)
        storage = case.office.storage
        data = _with_text(storage.get(document.path), old, new)
        storage.put(document.path, data, media_type=document.media_type)
        document.sha256 = hashlib.sha256(data).hexdigest()
        case.session.commit()


def overwrite(firm: Firm, key: str, data: bytes) -> None:
    """Overwrite a stored file behind the register's back."""
    with firm.case() as case:
        document = case.latest(key)
        case.office.storage.put(document.path, data, media_type=document.media_type)


def _version(case: Any, key: str, version: int | None) -> Document:
    rows = case.session.scalars(
        select(Document).where(Document.engagement_id == case.id, Document.key == key).order_by(Document.version)
    ).all()
    found: Document = rows[-1] if version is None else rows[version - 1]
    return found


def _with_text(data: bytes, old: str, new: str) -> bytes:
    buffer, changed = io.BytesIO(), 0
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(buffer, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "word/document.xml":
                changed = content.count(old.encode())
                content = content.replace(old.encode(), new.encode())
            after.writestr(name, content)
    assert changed, f"{old} does not stand in the paper"
    return buffer.getvalue()


def agreed(firm: Firm, **changes: Any) -> Firm:
    """An engagement whose quote the client has accepted."""
    firm.open(**changes).inform().decide()
    firm.sign("quote", "send", net_vnd=185_000_000, vat_percent=8, reserve_days=5, instalments_percent="40, 40, 20")
    firm.ask("quote")
    assert firm.put("quote", {"reply": "accept"}).receive("quote") == "accept"
    return firm


def signed(firm: Firm) -> Firm:
    firm.ask("contract")
    assert firm.put("contract", files={"scan.pdf": PDF}).receive("contract") == "received"
    firm.sign("contract_check", "accept")
    return firm


def passed(firm: Firm) -> Firm:
    """An engagement whose work may be handed over."""
    signed(agreed(firm)).deliver().score(GOOD).conclude()
    return firm


def refused(firm: Firm, kind: str, number: int = 1) -> str:
    """Ask, and be refused; return why. No mail leaves, none is claimed."""
    sent, claimed = len(firm.outbox.mails), _claimed(firm)
    with pytest.raises(FactsDiffer) as caught:
        firm.ask(kind, number)
    assert (len(firm.outbox.mails), _claimed(firm)) == (sent, claimed)
    return str(caught.value)


def _claimed(firm: Firm) -> int:
    with firm.office().sessions() as session:
        return len(session.scalars(select(Mail.id)).all())


# --- what is stopped ------------------------------------------------------------------------------------


def test_a_contract_with_another_price_than_the_quote_is_not_sent(firm: Firm) -> None:
    agreed(firm)
    exchange(firm, "quote", "199.800.000", "189.800.000")
    why = refused(firm, "contract")
    assert "tổng giá trị" in why and "189.800.000" in why and "199.800.000" in why
    assert "“Báo giá” bản 1" in why and "“Phụ lục hợp đồng” bản 1" in why and "Thư chưa được gửi" in why


@pytest.mark.parametrize(("key", "old", "new", "label"), [
    ("contract", "185.000.000", "175.000.000", "giá trước thuế"),
    ("contract", "14.800.000", "14.000.000", "tiền thuế GTGT"),
    ("contract", "CÀ PHÊ BAN MÊ SỚM", "CÀ PHÊ BAN MÊ MUỘN", "tên khách hàng"),
    ("contract", "6001234562", "6001234579", "mã số thuế của khách hàng"),
    ("contract_appendix", "6001234562", "6001234579", "mã số thuế của khách hàng"),
    ("contract_appendix", "/HĐ-KHV", "9/HĐ-KHV", "số hợp đồng"),
    ("contract", "Nguyễn Thị Ánh Tuyết", "Nguyễn Thị Ánh Nguyệt", "người đại diện của khách hàng"),
])  # fmt: skip
def test_a_paper_exchanged_before_it_goes_out_again_stops_the_mail(
    firm: Firm, key: str, old: str, new: str, label: str
) -> None:
    agreed(firm).ask("contract")
    firm.put("contract", files={"scan.pdf": PDF}).receive("contract")
    firm.sign("contract_check", "ask_again", reason="Thiếu chữ ký")
    if label == "số hợp đồng":
        with firm.case() as case:
            number = case.latest("contract").number
        old, new = number, number.replace("/", "7/", 1)
    exchange(firm, key, old, new)
    assert label in refused(firm, "contract", 2)


def test_minutes_with_another_contract_than_the_papers_in_force_are_not_sent(firm: Firm) -> None:
    passed(firm)
    with firm.case() as case:
        number = case.latest("contract").number
    exchange(firm, "contract", number, number.replace("/2026/", "/2025/"))
    assert "số hợp đồng" in refused(firm, "handover")


@pytest.mark.parametrize("key", ["quote", "contract", "contract_appendix"])
def test_a_stored_paper_in_force_whose_bytes_changed_stops_later_papers(firm: Firm, key: str) -> None:
    passed(firm)
    with firm.case() as case:
        data = case.office.storage.get(case.latest(key).path)
    overwrite(firm, key, data + b"\0")
    why = refused(firm, "handover")
    assert "đã bị thay đổi sau khi lưu" in why and process.DOCUMENTS[key].title.vi in why


def test_a_workbook_whose_bytes_changed_is_not_sent_again(firm: Firm) -> None:
    agreed(firm)
    overwrite(firm, "timetable", b"PK\x03\x04 something else")
    with firm.case() as case, pytest.raises(FactsDiffer, match="Tiến độ thực hiện"):
        check_consistent(case, [case.latest("timetable")])


def test_a_stored_paper_that_is_gone_stops_the_mail(firm: Firm) -> None:
    agreed(firm)
    with firm.case() as case:
        case.office.storage.delete(case.latest("quote").path)
    assert "không còn trong kho" in refused(firm, "contract")


def test_a_paper_that_cannot_be_read_stops_the_mail(firm: Firm) -> None:
    agreed(firm)
    torn = b"PK\x03\x04 torn"
    overwrite(firm, "quote", torn)
    with firm.case() as case:
        case.latest("quote").sha256 = hashlib.sha256(torn).hexdigest()
        case.session.commit()
    assert "không đọc được" in refused(firm, "contract")


def test_two_papers_of_one_mail_name_one_client_even_after_a_correction(firm: Firm) -> None:
    agreed(firm).ask("contract")
    firm.put("contract", files={"scan.pdf": PDF}).receive("contract")
    firm.sign("contract_check", "ask_again", reason="Thiếu chữ ký")
    exchange(firm, "contract", "6001234562", "6001234579")  # the appendix says what the register says
    assert "mã số thuế" in refused(firm, "contract", 2)


@needs_libreoffice
def test_a_pdf_that_says_otherwise_than_its_word_document_is_not_sent(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENGAGEMENT_LIBREOFFICE")
    agreed(firm)
    with firm.case() as case:
        pdf = case.pdf(case.latest("quote"))
        check_consistent(case, [pdf])
    exchange(firm, "quote", "79.920.000", "78.920.000")
    with firm.case() as case, pytest.raises(FactsDiffer, match=r"79\.920\.000.*chỉ có trong tệp PDF"):
        check_consistent(case, [case.pdf(case.latest("quote"))])


def test_once_the_file_is_back_the_mail_goes_out(firm: Firm) -> None:
    agreed(firm)
    exchange(firm, "quote", "199.800.000", "189.800.000")
    refused(firm, "contract")
    exchange(firm, "quote", "189.800.000", "199.800.000")
    sent = len(firm.outbox.mails)
    firm.ask("contract")
    assert len(firm.outbox.mails) == sent + 1


# --- what rightly differs -------------------------------------------------------------------------------


@pytest.mark.parametrize("language", process.LANGUAGES)
def test_an_engagement_from_first_to_last_paper_passes(firm: Firm, language: str) -> None:
    signed(agreed(firm, language=language)).deliver().score(GOOD).conclude()
    firm.hand_over()
    with firm.case() as case:
        made = [document for key in BINDING if (document := case.latest(key)) is not None]
        check_consistent(case, made)
        assert len(made) >= len(BINDING) - 2  # all but a termination and an extension


def test_a_negotiated_price_counts_from_its_quote_on(firm: Firm) -> None:
    firm.open().inform().decide()
    firm.sign("quote", "send", net_vnd=200_000_000, vat_percent=8, reserve_days=5, instalments_percent="40, 40, 20")
    firm.ask("quote")
    assert firm.put("quote", {"reply": "negotiate", "message": "giảm giá"}).receive("quote") == "negotiate"
    firm.sign("quote", "send", 2, net_vnd=185_000_000)
    firm.ask("quote", 2)
    assert firm.put("quote-2", {"reply": "accept"}).receive("quote", 2) == "accept"
    signed(firm)


def test_a_rate_of_vat_that_changed_after_signature_passes(firm: Firm) -> None:
    firm.day(date(2026, 12, 14))
    signed(agreed(firm))
    firm.day(date(2027, 1, 12)).deliver().score(GOOD).conclude()
    firm.hand_over()
    with firm.case() as case:
        assert "Thuế suất thuế GTGT" in _text(case, "payment_request")


def test_a_client_fact_corrected_later_counts_from_the_next_paper_on(firm: Firm) -> None:
    agreed(firm)
    with firm.case() as case:
        client = {**FORM["client"], "name": "Công ty TNHH Cà phê Ban Mê Sớm Mai"}
        case.engagement.form = {**case.form, "client": client}
        case.session.commit()
    sent = len(firm.outbox.mails)
    firm.ask("contract")
    assert len(firm.outbox.mails) == sent + 1


def test_a_moved_promised_date_passes(firm: Firm) -> None:
    firm.day(date(2026, 12, 1))
    passed(firm)
    firm.ask("handover")
    firm.day(date(2026, 12, 21)).put("handover", {"reply": "accept"})
    assert firm.receive("handover") == "accept"
    with firm.case() as case:
        handover.conclude(case, 1)


def test_what_others_handed_in_is_not_judged(firm: Firm) -> None:
    passed(firm)
    with firm.case() as case:
        handed_in = case.latest("received/business_plan")
        case.office.storage.put(handed_in.path, b"anything", media_type=handed_in.media_type)
        check_consistent(case, [handed_in])


def _text(case: Any, key: str) -> str:
    document = case.latest(key)
    with zipfile.ZipFile(io.BytesIO(case.office.storage.get(document.path))) as package:
        return package.read("word/document.xml").decode()


def test_a_reader_that_was_too_slow_says_nothing_about_the_papers(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_slow(*args: object, **more: object) -> None:
        raise TimeoutExpired("pdftotext", 60)

    firm.open().inform().decide()
    monkeypatch.setattr("include.casework.consistency.read_statements", too_slow)
    firm.sign("quote", "send", net_vnd=185_000_000, vat_percent=8, reserve_days=5, instalments_percent="40, 40, 20")
    with pytest.raises(TimeoutExpired):  # the task is tried again; FactsDiffer would end it
        firm.ask("quote")

"""Requests: what arrives is kept, answered item by item, and asked for again where it is missing."""

from __future__ import annotations

import hashlib
import re
from datetime import date

from sqlalchemy import select

from include.engagement import process
from include.register.models import Document, RequestItem, StagePeriod
from tests.firm import ANSWERS, FORM, PAPERS, PDF, Firm


def test_only_what_is_missing_is_asked_for_again(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {"answers": {"strategy": "Xuất khẩu"}}, {"business_registration.pdf": PDF})
    assert firm.receive("information") is None
    mail = firm.outbox.read()[-1].get_body(("plain",))
    assert mail is not None
    _, wanted, whole = re.split("gửi thêm hoặc gửi lại|Các tệp đã nhận nguyên vẹn", mail.get_content())
    labels = {item.key: item.label.vi for item in process.INFORMATION_ITEMS}
    assert labels["capacity"] in wanted and labels["sales_documents"] in wanted
    assert labels["strategy"] not in wanted and labels["business_registration"] not in wanted
    assert f"{labels['business_registration']} – {len(PDF)} bytes, SHA-256: {hashlib.sha256(PDF).hexdigest()}" in whole


def test_an_answer_in_halves_completes_the_request(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {"answers": {"strategy": "Xuất khẩu"}}, {"business_registration.pdf": PDF})
    assert firm.receive("information") is None
    rest = {name: data for name, data in PAPERS.items() if "business" not in name}
    firm.put("information", {"answers": ANSWERS}, rest)
    assert firm.receive("information") == "complete"


def test_what_is_received_leaves_the_inbox_and_is_kept_unchanged(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {"answers": ANSWERS}, PAPERS).receive("information")
    office = firm.office()
    assert office.storage.list("inbox/") == []
    with office.sessions() as session:
        kept = session.scalars(select(Document.path).where(Document.direction == "received")).all()
    assert {office.storage.get(path) for path in kept} >= set(PAPERS.values())


def test_receiving_twice_registers_once(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {"answers": ANSWERS}, PAPERS).receive("information")
    mails = len(firm.outbox.mails)
    firm.put("information", {"answers": ANSWERS}, PAPERS).receive("information")
    assert len(firm.outbox.mails) == mails
    assert firm.office().storage.list("inbox/") == []


def test_a_file_that_is_not_what_it_says_is_quarantined_and_asked_for_again(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {"answers": ANSWERS}, {**PAPERS, "business_registration.pdf": b"MZ\x90\x00"})
    assert firm.receive("information") is None
    with firm.office().sessions() as session:
        item = session.scalars(select(RequestItem).where(RequestItem.key == "business_registration")).one()
        assert item.state == "returned" and item.reason
        paths = session.scalars(select(Document.path)).all()
    assert [path for path in paths if "/quarantine/" in path]


def test_a_half_written_file_is_not_read(firm: Firm) -> None:
    firm.open().ask("information")
    storage = firm.office().storage
    folder = f"inbox/{firm.engagement}/information/"
    storage.put(folder + "business_registration.pdf.part", PDF, media_type="application/pdf")
    storage.put(folder + "reply.json", b'{"answers": {"strategy": "Xu', media_type="application/json")
    settling = Firm(firm.settings.__class__(**{**firm.settings.__dict__, "inbox_settle_seconds": 60.0}), firm.outbox,
                    firm.engagement)  # fmt: skip
    assert settling.receive("information") is None
    assert len(storage.list(folder)) == 2


def test_a_manifest_that_does_not_hold_keeps_its_files_waiting(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {"answers": ANSWERS}, PAPERS)
    storage = firm.office().storage
    storage.put(f"inbox/{firm.engagement}/information/sales_documents.pdf", b"%PDF-half", media_type="application/pdf")
    assert firm.receive("information") is None
    assert len(storage.list("inbox/")) == len(PAPERS) + 1


def test_an_unclear_reply_is_asked_about_and_nothing_is_decided(firm: Firm) -> None:
    firm.open().inform().decide()
    firm.sign("quote", "send", net_vnd=1_000_000, vat_percent=8, reserve_days=2, instalments_percent="100")
    firm.ask("quote")
    assert firm.put("quote", {"reply": "maybe"}).receive("quote") is None
    assert "trả lời lại" in firm.outbox.subjects()[-1]
    assert firm.put("quote", {"reply": "accept"}).receive("quote") == "accept"


def test_the_last_quote_is_not_negotiated(firm: Firm) -> None:
    firm.open().inform().decide()
    firm.sign("quote", "send", net_vnd=9_000_000, vat_percent=8, reserve_days=2, instalments_percent="50, 50")
    for number in range(1, process.QUOTE_ROUNDS + 1):
        if number > 1:
            firm.sign("quote", "send", number, net_vnd=9_000_000 - number)
        firm.ask("quote", number)
        key = "quote" if number == 1 else f"quote-{number}"
        got = firm.put(key, {"reply": "negotiate", "message": "giảm giá"}).receive("quote", number)
        assert got == ("negotiate" if number < process.QUOTE_ROUNDS else None)


def test_the_empty_fields_of_the_form_are_asked_for_and_put_in(firm: Firm) -> None:
    client = {**FORM["client"], "tax_code": "", "bank": {"account": "", "bank": ""}}
    firm.open(client=client).ask("intake")
    firm.put("intake", {"answers": {"tax_code": "6001234561", "bank_account": "12345", "bank_name": "VCB"}})
    assert firm.receive("intake") is None
    with firm.case() as case:
        assert case.form["client"]["bank"]["account"] == "12345"
        assert case.form["client"]["tax_code"] == ""
    firm.put("intake", {"answers": {"tax_code": "6001234562"}})
    assert firm.receive("intake") == "complete"
    with firm.case() as case:
        assert case.form["client"]["tax_code"] == "6001234562"


def test_a_late_client_stops_the_clock_of_the_stage(firm: Firm) -> None:
    firm.open().ask("information")
    firm.day(date(2026, 12, 11)).put("information", {"answers": ANSWERS}, PAPERS).receive("information")
    with firm.office().sessions() as session:
        period = session.scalars(select(StagePeriod).where(StagePeriod.stage == "information")).one()
    assert (period.client_waited, period.client_wait_days) == (8, 2)
    assert period.due == date(2026, 12, 11)


def test_a_reply_of_one_engagement_never_counts_for_another(firm: Firm) -> None:
    firm.open().ask("information")
    other = Firm(firm.settings, firm.outbox).open(referrer="Website")
    other.ask("information")
    other.put("information", {"answers": ANSWERS}, PAPERS)
    assert firm.receive("information") is None
    assert other.receive("information") == "complete"


def test_a_review_may_ask_again_for_a_fact_of_the_intake_form(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {"answers": ANSWERS}, PAPERS).receive("information")
    firm.sign("information_review", "ask_again", reason="charter_capital: 20 tỷ hay 2 tỷ?\nstrategy: quá ngắn")
    firm.ask("information", 2)
    firm.put("information-2", {"answers": {"charter_capital": "2 tỷ"}})
    assert firm.receive("information", 2) is None
    firm.put("information-2", {"answers": {"strategy": "Xuất khẩu sang Nhật Bản"}})
    assert firm.receive("information", 2) == "complete"


def test_a_late_acceptance_moves_no_promise_that_is_already_kept(firm: Firm) -> None:
    from tests.firm import GOOD

    firm.open().inform().decide().contract().deliver().score(GOOD)
    firm.conclude()
    firm.ask("handover")
    with firm.case() as case:
        before = case.engagement.promised
    firm.day(date(2026, 12, 21)).put("handover", {"reply": "accept"})
    assert firm.receive("handover") == "accept"
    with firm.case() as case:
        assert case.engagement.promised == before


def test_a_late_visit_shows_the_clients_days_and_moves_no_promise(firm: Firm) -> None:
    from tests.firm import GOOD

    firm.open().inform().decide().contract().deliver().score(GOOD)
    firm.conclude()
    firm.hand_over().ask("monitoring")
    with firm.case() as case:
        promised = case.engagement.promised
    firm.day(date(2026, 12, 10))  # the seventh working day; five were the client's
    firm.put("monitoring", {"answers": {"revenue_vnd": 1, "cost_vnd": 1, "jobs": 1}}).receive("monitoring")
    with firm.case() as case:
        assert case.period("monitoring").client_wait_days == 2
        assert case.period("monitoring").due == date(2026, 12, 10)
        assert case.engagement.promised == promised

"""The rules that may never be broken, each attacked."""

from __future__ import annotations

import re
from datetime import date
from io import BytesIO

import pytest
from docx import Document as WordDocument
from sqlalchemy import select

from include.casework import contract, handover, monitoring, planning, signing
from include.engagement.errors import AlreadyOpen, InvalidSignOff, RuleBroken
from include.register.models import Document, Engagement, Event, Mail, ReserveEntry
from tests.firm import BAD, GOOD, PDF, QUOTE, Firm, facts_of

PRICE_OR_PROMISE = re.compile(r"báo giá|giá dịch vụ|phí dịch vụ|\bquote\b|\bfee\b|cam kết|promise", re.IGNORECASE)


def test_no_price_and_no_promise_leaves_before_the_decision(firm: Firm) -> None:
    firm.open().inform()
    firm.sign("first_meeting", "yes")
    for mail in firm.outbox.read():
        body = mail.get_body(("plain",))
        assert body is not None
        assert not PRICE_OR_PROMISE.search(f"{mail['subject']} {body.get_content()}"), mail["subject"]
        for attached in mail.iter_attachments():
            if str(attached.get_filename()).endswith(".docx"):
                text = "\n".join(p.text for p in WordDocument(BytesIO(attached.get_payload(decode=True))).paragraphs)
                assert not PRICE_OR_PROMISE.search(text), attached.get_filename()


def test_a_quote_is_refused_before_the_decision(firm: Firm) -> None:
    firm.open().inform()
    with pytest.raises(RuleBroken):
        firm.sign("quote", "send", **QUOTE)
    with pytest.raises(RuleBroken):
        firm.ask("quote")
    assert not [mail for mail in firm.outbox.subjects() if "Báo giá" in mail]


def test_a_quote_without_reserve_is_refused(firm: Firm) -> None:
    firm.open().inform().decide()
    with pytest.raises(InvalidSignOff):
        firm.sign("quote", "send", **{**QUOTE, "reserve_days": 0})


def test_a_contract_without_reserve_is_never_written(firm: Firm) -> None:
    firm.open().inform().decide()
    with pytest.raises(RuleBroken):
        firm.ask("contract")
    with firm.case() as case:
        case.engagement.terms = {"net_vnd": 1, "vat_percent": "8", "reserve_days": 0, "instalments_percent": ["100"]}
        case.session.commit()
    with pytest.raises((RuleBroken, InvalidSignOff)):
        firm.ask("contract")
    with firm.case() as case:
        assert case.latest("contract") is None


def test_no_monitoring_without_the_add_on(firm: Firm) -> None:
    firm.open(add_ons={}).inform().decide().contract().deliver().score(GOOD)
    assert firm.conclude() == "pass"
    firm.hand_over()
    with firm.case() as case:
        assert planning.plan_next(case, "monitoring") is None
        with pytest.raises(RuleBroken):
            monitoring.ask(case, 1)


def test_a_failed_appraisal_never_leads_to_handover(firm: Firm) -> None:
    firm.open().inform().decide().contract().deliver().score(BAD)
    assert firm.conclude() == "rework"
    with firm.case() as case, pytest.raises(RuleBroken):
        handover.ask(case, 1)
    assert not [subject for subject in firm.outbox.subjects() if "Bàn giao kế hoạch" in subject]


def test_a_pass_that_a_later_fail_overtook_does_not_open_the_handover(firm: Firm) -> None:
    firm.open().inform().decide().contract().deliver().score(GOOD)
    assert firm.conclude() == "pass"
    with firm.case() as case:
        case.event("verdict", key="verdict/2", round=2, mean="5", passed=False, course="rework", reserve_left=1)
        case.session.commit()
        with pytest.raises(RuleBroken):
            handover.ask(case, 1)


def test_a_failed_round_is_paid_from_the_reserve_and_the_promised_date_holds(firm: Firm) -> None:
    firm.open().inform().decide().contract().day(date(2026, 12, 29)).deliver().score(BAD)
    with firm.case() as case:
        promised = case.engagement.promised
    assert firm.conclude() == "rework"
    firm.ask("delivery", 2)
    firm.day(date(2026, 12, 31)).deliver(2).score(GOOD, 2)
    assert firm.conclude(number=2) == "pass"
    with firm.case() as case:
        assert case.reserve() == {"contracted": 5, "granted": 0, "spent": 2, "left": 3}
        assert case.engagement.promised == promised


def test_the_rework_is_due_inside_the_promised_date(firm: Firm) -> None:
    firm.open().inform().decide().contract().day(date(2026, 12, 29)).deliver().score(BAD)
    firm.conclude()
    request = firm.ask("delivery", 2)
    with firm.case() as case:
        assert case.calendar.add(request.due, 3) <= case.engagement.promised


def test_with_the_reserve_exhausted_the_director_decides(firm: Firm) -> None:
    firm.open().inform().decide().contract(reserve_days=1).deliver().score(BAD)
    assert firm.conclude() == "rework"
    firm.ask("delivery", 2)
    firm.day(date(2026, 12, 3)).deliver(2).score(BAD, 2)
    with pytest.raises(InvalidSignOff):
        firm.conclude("grant_days", 2)
    with firm.case() as case:
        assert case.happened("verdict/3") is None
        assert case.reserve()["left"] == 0
    assert firm.conclude("grant_days", 2, days=3, reason="khách quan trọng") == "rework"
    with firm.case() as case:
        assert case.reserve() == {"contracted": 1, "granted": 3, "spent": 1, "left": 3}


def test_after_three_failed_rounds_nothing_goes_on_by_itself(firm: Firm) -> None:
    firm.open().inform().decide().contract()
    for number in (1, 2, 3):
        firm.deliver(number).score(BAD, number)
        if number < 3:
            assert firm.conclude(number=number) == "rework"
    with firm.case() as case:
        from include.casework.appraisal import conclude

        assert conclude(case, 3) is None
    assert firm.conclude("terminate", 3, reason="không đạt") == "terminate"


def test_a_late_client_moves_the_promised_date_with_an_appendix_a_mail_and_an_event(firm: Firm) -> None:
    firm.open().inform().decide().contract().deliver().score(GOOD)
    firm.conclude()
    firm.ask("handover")
    with firm.case() as case:
        before = case.engagement.promised
    firm.day(date(2026, 12, 8)).put("handover", {"reply": "changes", "items": ["x"]})  # five days; two are the client's
    assert firm.receive("handover") == "changes"
    with firm.case() as case:
        assert case.engagement.promised == case.calendar.add(before, 3)
        assert [fact["days"] for fact in facts_of(case, "promised_date_moved")] == [3]
        assert case.latest("extension_appendix") is not None
    assert len([subject for subject in firm.outbox.subjects() if "Phụ lục gia hạn" in subject]) == 1


def test_every_change_of_the_promised_date_has_its_event(firm: Firm) -> None:
    firm.open().inform().decide().contract().deliver().score(GOOD)
    firm.conclude()
    firm.ask("handover")
    firm.day(date(2026, 12, 9)).put("handover", {"reply": "changes", "items": ["x"]}).receive("handover")
    firm.ask("handover", 2)
    firm.day(date(2026, 12, 21)).put("handover-2", {"reply": "accept"}).receive("handover", 2)
    with firm.case() as case:
        promised = date.fromisoformat(facts_of(case, "signed")[0]["promised"])
        for move in facts_of(case, "promised_date_moved"):
            assert date.fromisoformat(move["before"]) == promised
            promised = date.fromisoformat(move["after"])
        assert case.engagement.promised == promised


def test_doing_everything_twice_mails_nobody_twice(firm: Firm) -> None:
    firm.open().inform().decide()
    firm.sign("quote", "send", **QUOTE)
    firm.ask("quote")
    once = len(firm.outbox.mails)
    firm.ask("information")
    firm.receive("information")
    firm.ask("quote")
    with firm.case() as case:
        contract.ask_about_quote(case, 1)
    assert len(firm.outbox.mails) == once
    with firm.office().sessions() as session:
        keys = session.scalars(select(Mail.key)).all()
        assert len(keys) == len(set(keys)) == once


def test_doing_everything_twice_stores_no_document_twice(firm: Firm) -> None:
    firm.open().inform().decide().contract()
    with firm.office().sessions() as session:
        before = session.scalars(select(Document.path)).all()
    firm.ask("information")
    firm.ask("quote")
    firm.ask("contract")
    firm.sign("decision", "accept")
    with firm.office().sessions() as session:
        assert session.scalars(select(Document.path)).all() == before


def test_the_same_form_is_not_opened_twice(firm: Firm) -> None:
    firm.open()
    with pytest.raises(AlreadyOpen):
        firm.open()


def test_engagement_ids_are_gapless_when_an_opening_is_refused(firm: Firm) -> None:
    assert firm.open().engagement == "KHV-2026-0001"
    with pytest.raises(AlreadyOpen):
        firm.open()
    assert firm.open(referrer="Website").engagement == "KHV-2026-0002"


def test_an_event_is_never_changed(firm: Firm) -> None:
    from sqlalchemy.exc import DBAPIError

    firm.open()
    with firm.office().sessions() as session, pytest.raises(DBAPIError):
        session.query(Event).update({"kind": "other"})


def test_a_production_installation_refuses_a_rehearsals_day(firm: Firm) -> None:
    from dataclasses import replace

    production = replace(firm.settings, production=True)
    with pytest.raises(RuleBroken):
        Firm(production, firm.outbox).day(date(2026, 12, 2))
    with pytest.raises(RuleBroken):
        Firm(production, firm.outbox).office()


def test_the_council_cannot_lose_its_quorum(firm: Firm) -> None:
    firm.open().inform().decide().contract().deliver()
    assert firm.sign("scorecard", "absent", 1, "chair") == "absent"
    with pytest.raises(InvalidSignOff):
        firm.sign("scorecard", "absent", 1, "finance")


def test_a_refused_client_gets_a_letter_and_the_dossier_stays(firm: Firm) -> None:
    firm.open()
    firm.ask("information")
    firm.put("information", {"answers": {}}, PAPERS_ONLY).receive("information")
    firm.sign("information_review", "refuse", reason="charter_capital: khai 20 tỷ, đăng ký 2 tỷ")
    firm.refuse()
    with firm.case() as case:
        assert case.engagement.status == "refused"
        assert case.latest("accuracy_dossier") is not None
    letter = next(firm.outbox.read()[-1].iter_attachments())
    assert str(letter.get_filename()).startswith("Thư từ chối cung cấp dịch vụ")
    text = WordDocument(BytesIO(letter.get_payload(decode=True)))
    said = [p.text for p in text.paragraphs] + [cell.text for t in text.tables for row in t.rows for cell in row.cells]
    assert "khai 20 tỷ, đăng ký 2 tỷ" in "\n".join(said)


PAPERS_ONLY = {"business_registration.pdf": PDF}


def test_the_reserve_ledger_holds_one_payment_a_round(firm: Firm) -> None:
    firm.open().inform().decide().contract().deliver().score(BAD)
    firm.conclude()
    firm.ask("delivery", 2)
    firm.day(date(2026, 12, 3)).deliver(2).score(BAD, 2)
    assert firm.conclude(number=2) == "rework"
    assert firm.conclude(number=2) == "rework"
    with firm.office().sessions() as session:
        spent = session.scalars(select(ReserveEntry.days).where(ReserveEntry.kind == "spent")).all()
        assert spent == [-2]
        assert session.scalars(select(Engagement.status)).all() == ["open"]


def test_who_is_asked_again_is_told_why_once_for_each_answer_that_could_not_be_taken(firm: Firm) -> None:
    firm.open().inform().decide()
    for price, told in ((0, 1), (-1, 2)):
        with pytest.raises(InvalidSignOff):
            firm.sign("quote", "send", **{**QUOTE, "net_vnd": price})
        for _ in range(2):  # a task that is tried again tells again
            with firm.case() as case:
                signing.tell_why(case, signing.ask_for(case, "quote", 1))
        mails = [mail for mail in firm.outbox.read() if "Cần trả lời lại" in str(mail["subject"])]
        assert len(mails) == told
        assert "Giá trước thuế" in str(mails[-1].get_body(("plain",)).get_content())  # type: ignore[union-attr]
    firm.sign("quote", "send", **QUOTE)
    with firm.case() as case:
        signing.tell_why(case, signing.ask_for(case, "quote", 1))
    assert len([subject for subject in firm.outbox.subjects() if "Cần trả lời lại" in subject]) == 2

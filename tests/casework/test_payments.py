"""Each instalment is asked for when it falls due, once."""

from __future__ import annotations

from datetime import date

import pytest

from include.casework.payments import request_payments
from tests.documents.test_engagement_papers import text_of
from tests.firm import BAD, GOOD, Firm


def requests(firm: Firm) -> list[str]:
    return [subject for subject in firm.outbox.subjects() if "Đề nghị thanh toán" in subject]


def instalments(firm: Firm) -> list[str]:
    return [subject.partition("đợt ")[2].partition(" ")[0] for subject in requests(firm)]


def test_three_instalments_are_asked_for_at_signature_approval_and_acceptance(firm: Firm) -> None:
    firm.open().inform().decide().contract()
    assert instalments(firm) == ["1/3"]
    firm.deliver()
    assert instalments(firm) == ["1/3"]
    firm.score(GOOD).conclude()
    assert instalments(firm) == ["1/3", "2/3"]
    firm.hand_over()
    assert instalments(firm) == ["1/3", "2/3", "3/3"]


def test_five_instalments_have_an_occasion_each(firm: Firm) -> None:
    firm.open().inform().decide().contract(instalments_percent="20, 20, 20, 20, 20").deliver()
    assert instalments(firm) == ["1/5", "2/5"]
    firm.score(GOOD).conclude()
    firm.ask("handover")
    firm.put("handover", {"reply": "accept"}).receive("handover")
    assert instalments(firm) == ["1/5", "2/5", "3/5", "4/5"]


def test_a_failed_appraisal_asks_for_nothing(firm: Firm) -> None:
    firm.open().inform().decide().contract(instalments_percent="50, 50").deliver()
    firm.score(BAD).conclude()
    assert instalments(firm) == ["1/2"]
    firm.deliver(2).score(GOOD, 2).conclude(number=2)
    assert instalments(firm) == ["1/2"]


def test_what_is_laid_before_the_council_again_is_not_asked_for_again(firm: Firm) -> None:
    firm.open().inform().decide().contract(instalments_percent="25, 25, 25, 25").deliver()
    firm.score(BAD).conclude()
    firm.deliver(2)
    assert instalments(firm) == ["1/4", "2/4"]


def test_a_repeated_task_asks_once(firm: Firm) -> None:
    firm.open().inform().decide().contract()
    with firm.case() as case:
        request_payments(case, "signature")
    assert instalments(firm) == ["1/3"]


def test_after_the_new_year_the_new_rate_is_asked_for_and_said(firm: Firm) -> None:
    firm.open().inform().decide().contract()
    firm.day(date(2027, 1, 12)).deliver().score(GOOD).conclude()
    mail = next(mail for mail in firm.outbox.read() if "đợt 2/3" in str(mail["subject"]))
    body = mail.get_body(("plain",))
    assert body is not None
    assert "81.400.000 đồng" in body.get_content()
    assert "giá trước thuế không thay đổi" in " ".join(body.get_content().split())
    attached = next(iter(mail.iter_attachments()))
    assert attached.get_filename() == "Đề nghị thanh toán KHV-2026-0001 đợt 2.docx"
    document = text_of(attached.get_content()).replace("\u00a0", " ")
    assert "Thuế suất thuế GTGT ngày lập đề nghị này là 10 % (trong Hợp đồng: 8 %)" in document
    assert "Tám mươi mốt triệu bốn trăm nghìn đồng" in document


def test_a_request_made_before_the_new_year_keeps_its_rate_when_it_is_sent_after(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm.open().inform().decide().day(date(2026, 12, 31))
    monkeypatch.setattr("include.casework.payments.post", lambda *args, **facts: None)  # dies before the mail
    firm.contract()
    monkeypatch.undo()
    firm.day(date(2027, 1, 4))
    with firm.case() as case:
        request_payments(case, "signature")
    mail = next(mail for mail in firm.outbox.read() if "đợt 1/3" in str(mail["subject"]))
    body = mail.get_body(("plain",))
    assert body is not None and "79.920.000 đồng" in body.get_content()

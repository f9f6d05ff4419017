"""Decisions: what they were taken on, taking them anew, and who answers second."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select

from include import clock
from include.casework import contract, signing
from include.casework.signing import Said
from include.engagement import process
from include.engagement.errors import RuleBroken
from include.register.models import Document, SignOff
from tests.firm import BAD, GOOD, QUOTE, Firm, facts_of

ACCEPT = process.SIGN_OFFS["information_review"].options["accept"]
REFUSE = process.SIGN_OFFS["information_review"].options["refuse"]


def reopen(firm: Firm, gate: str, number: int = 1, who: str = "", reason: str = "Bấm nhầm") -> int:
    with firm.case() as case:
        return int(signing.reopen(case, gate, number, who, by="thuha", reason=reason).attempt)


def test_a_decision_names_the_documents_it_was_taken_on(firm: Firm) -> None:
    firm.open().inform()
    with firm.case() as case:
        row = signing.sign_off(case, "information_review", 1)
        assert row is not None
        dossier = case.latest("accuracy_dossier")
        assert {"key": "accuracy_dossier", "version": dossier.version, "sha256": dossier.sha256} in row.documents
        received = case.session.scalars(
            select(Document.key).where(Document.stage == "information", Document.direction == "received")
        ).all()
        assert received and set(received) <= {entry["key"] for entry in row.documents}


def test_the_council_decides_on_the_deliverables(firm: Firm) -> None:
    firm.open().inform().decide().contract().deliver().score(GOOD)
    with firm.case() as case:
        row = signing.sign_off(case, "scorecard", 1, "chair")
        assert row is not None
        assert {"business_plan", "review_pack"} <= {entry["key"] for entry in row.documents}


def test_a_decision_taken_anew_keeps_the_old_one(firm: Firm) -> None:
    firm.open().inform()
    assert reopen(firm, "information_review") == 2
    assert reopen(firm, "information_review") == 2  # clicked twice
    assert firm.sign("information_review", "refuse", reason="Vốn điều lệ: không khớp") == "refuse"
    with firm.case() as case:
        rows = case.session.scalars(select(SignOff).where(SignOff.gate == "information_review").order_by(SignOff.id))
        assert [(row.attempt, row.decision, row.ended is None) for row in rows] == [
            (1, "accept", False), (2, "refuse", True)
        ]  # fmt: skip
        assert facts_of(case, "reopened")[0]["reason"] == "Bấm nhầm"
        assert [facts["decision"] for facts in facts_of(case, "decided")] == ["accept", "refuse"]
    firm.refuse()
    with firm.case() as case:
        assert case.engagement.status == "refused"
        assert case.latest("refusal_letter") is not None


@pytest.mark.parametrize("reason", ["", "  ", "\n"])
def test_nothing_is_decided_anew_without_a_reason(firm: Firm, reason: str) -> None:
    firm.open().inform()
    with pytest.raises(RuleBroken, match="lý do"):
        reopen(firm, "information_review", reason=reason)


def test_what_is_not_decided_is_not_decided_anew(firm: Firm) -> None:
    firm.open()
    with pytest.raises(RuleBroken, match="chưa có quyết định"):
        reopen(firm, "decision")


def test_a_decision_that_the_client_was_told_of_stands(firm: Firm) -> None:
    firm.open().inform().decide()
    firm.sign("quote", "send", **QUOTE)
    assert reopen(firm, "quote") == 2
    firm.sign("quote", "send", **{**QUOTE, "net_vnd": 190_000_000})
    firm.ask("quote")
    with pytest.raises(RuleBroken, match="khách đã được gửi thư"):
        reopen(firm, "quote")
    with firm.case() as case:
        quoted = contract.quoted(case, 1)
        assert quoted is not None and quoted.net_vnd == 190_000_000


def test_a_decision_that_a_later_one_rests_on_stands(firm: Firm) -> None:
    firm.open().inform().decide()
    with pytest.raises(RuleBroken, match="quyết định sau đó"):
        reopen(firm, "information_review")


def test_an_invitation_stands_but_no_invitation_can_be_decided_anew(firm: Firm) -> None:
    firm.open().sign("first_meeting", "no")
    assert reopen(firm, "first_meeting") == 2
    assert firm.sign("first_meeting", "yes") == "yes"
    with pytest.raises(RuleBroken, match="khách đã được gửi thư"):
        reopen(firm, "first_meeting")


def test_no_price_is_named_while_the_decision_is_taken_anew(firm: Firm) -> None:
    firm.open().inform().decide()
    reopen(firm, "decision")
    with pytest.raises(RuleBroken):
        firm.sign("quote", "send", **QUOTE)


def test_a_scorecard_can_be_corrected_until_the_verdict(firm: Firm) -> None:
    firm.open().inform().decide().contract().deliver().score(BAD)
    for member in process.COUNCIL:
        reopen(firm, "scorecard", 1, member.key)
    firm.score(GOOD)
    assert firm.conclude() == "pass"
    with pytest.raises(RuleBroken, match="đã kết luận"):
        reopen(firm, "scorecard", 1, "chair")


def test_nothing_is_decided_anew_in_a_closed_engagement(firm: Firm) -> None:
    firm.open().inform()
    with firm.case() as case:
        case.close("refused")
    with pytest.raises(RuleBroken, match="đã đóng"):
        reopen(firm, "information_review")


def second(firm: Firm, label: str, by: str, at: datetime, **entries: Any) -> bool:
    with firm.case() as case:
        row = signing.sign_off(case, "information_review", 1)
        assert row is not None
        return signing.tell_second(case, row, Said(label, entries, by, at))


def test_who_answers_second_is_told_once_what_stands(firm: Firm) -> None:
    firm.open().inform()
    at = clock.now()
    before = len(firm.outbox.mails)
    assert second(firm, REFUSE, "viet", at, reason="Vốn điều lệ: không khớp")
    assert not second(firm, REFUSE, "viet", at, reason="Vốn điều lệ: không khớp")
    assert second(firm, ACCEPT, "viet", at + timedelta(seconds=1))
    assert not second(firm, ACCEPT, "test", at + timedelta(seconds=2))  # who decided, the same again
    told = firm.outbox.read()[before:]
    assert [str(mail["subject"]).partition("] ")[2] for mail in told] == [
        "Đã có quyết định: Thẩm tra tính chính xác của thông tin"] * 2  # fmt: skip
    body = told[0].get_body(("plain",))
    assert body is not None and "“Chấp nhận”, do test quyết định" in body.get_content()
    with firm.case() as case:
        row = signing.sign_off(case, "information_review", 1)
        assert row is not None and row.decision == "accept"


def test_an_answer_that_was_refused_is_known_again_in_any_zone(firm: Firm) -> None:
    firm.open().inform()
    from include.casework.desks import decide
    from include.engagement.errors import InvalidSignOff

    at = datetime(2026, 12, 1, 2, 3, 4, 567, tzinfo=timezone.utc)
    with firm.case() as case:
        with pytest.raises(InvalidSignOff):
            decide(case, "decision", 1, "", label="Không nhận", entries={}, by="viet", at=at)
        row = signing.sign_off(case, "decision", 1)
        assert row is not None
        assert signing.was_weighed(case, row, at.astimezone(clock.ZONE))
        assert not signing.was_weighed(case, row, at + timedelta(microseconds=1))

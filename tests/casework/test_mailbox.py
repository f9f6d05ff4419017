"""The reply mailbox: each message once, to where it belongs, and nothing by itself from somebody who is not on file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from include.casework import mailbox
from include.casework.mailbox import (
    address_works_again,
    digest_lines,
    dismiss,
    file_to,
    read_mailbox,
    triage,
    undeliverable,
)
from include.engagement.errors import RuleBroken
from include.register.models import Document
from include.storage.base import StorageError
from tests.casework.mailroom import CLIENT, Box, bounce, read, sent, states, tagged, written
from tests.firm import ANSWERS, PDF, QUOTE, Firm


@pytest.fixture
def asked(firm: Firm) -> Firm:
    """An engagement whose client was asked for information."""
    firm.open()
    firm.ask("information")
    return firm


@pytest.fixture
def quoted(firm: Firm) -> Firm:
    """An engagement whose client has the quote."""
    firm.open().inform().decide().sign("quote", "send", **QUOTE)
    firm.ask("quote")
    return firm


def test_a_reply_with_papers_answers_the_request_that_its_mail_asked_for(asked: Firm) -> None:
    box = Box()
    box.deliver(
        written(
            In_Reply_To=sent(asked, "information_request").message_id, text="Gửi công ty hồ sơ.",
            files={"business_registration.pdf": PDF},
        )
    )  # fmt: skip
    read(asked, box)
    assert states(asked) == [("filed", "")] and box.inbox == {} and box.archived == [1]
    asked.receive("information")
    with asked.case() as case:
        items = {row.key: row.state for row in case.items(case.request("information"))}
    assert items["business_registration"] == "received" and items["sales_documents"] == "missing"


def test_lines_that_begin_with_what_was_asked_for_are_answers(asked: Firm) -> None:
    box = Box()
    text = "Định hướng chiến lược: Chuỗi khách sạn\nCông suất, nang luc phuc vu: 18 tấn"
    box.deliver(written(to=tagged(asked, "information"), text=text))
    read(asked, box)
    asked.receive("information")
    with asked.case() as case:
        values = {row.key: (row.value or {}).get("value") for row in case.items(case.request("information"))}
    assert (values["strategy"], values["capacity"]) == ("Chuỗi khách sạn", "18 tấn")


@pytest.mark.parametrize(
    ("text", "outcome"),
    [("Đồng ý.\n\nTrân trọng", "accept"), ("Chúng tôi không đồng ý", "decline"), ("We accept", "accept")],
)
def test_a_first_line_that_says_the_decision_decides(quoted: Firm, text: str, outcome: str) -> None:
    box = Box()
    box.deliver(written(In_Reply_To=sent(quoted, "quote").message_id, text=text))
    read(quoted, box)
    assert quoted.receive("quote") == outcome


@pytest.mark.parametrize("text", ["Nếu giảm 10% thì chúng tôi đồng ý", "Đồng ý, nhưng xin giảm giá", "Ok"])
def test_a_sentence_about_a_decision_decides_nothing(quoted: Firm, text: str) -> None:
    box = Box()
    box.deliver(written(In_Reply_To=sent(quoted, "quote").message_id, text=text))
    read(quoted, box)
    assert quoted.receive("quote") is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sender": "la@khac.example"}, "not_on_file"),
        ({"sender": f"{CLIENT}, la@khac.example"}, "not_on_file"),
        ({"Authentication_Results": "mx.firm; dmarc=fail header.from=banmesom.example"}, "forged"),
        ({"request": "quote"}, "request_closed"),
        ({"text": ""}, "empty"),
        ({"to": "hoso@kehoachviet.example"}, "unmatched"),
        ({"to": "hoso+KHV-2026-9999.information@kehoachviet.example"}, "unknown_engagement"),
        ({"to": "hoso@kehoachviet.example", "subject": "KHV-2026-0001 KHV-2026-0002"}, "two_engagements"),
    ],
)
def test_what_is_not_sure_waits_for_staff(asked: Firm, changes: dict[str, str], reason: str) -> None:
    box = Box()
    changes = dict(changes)
    changes.setdefault("to", tagged(asked, changes.pop("request", "information")))
    box.deliver(written(**changes))
    read(asked, box, authserv_id="mx.firm")
    assert states(asked) == [("triage", reason)] and box.inbox == {}
    assert asked.office().storage.list("inbox/") == []
    with asked.office().sessions() as session:
        assert [line.what for line in digest_lines(session, date(2026, 12, 1))] == ["1 thư đến chờ phân loại"]


def test_the_subject_alone_serves_a_sender_on_file_only(asked: Firm) -> None:
    box = Box()
    for sender in (CLIENT, "la@khac.example"):
        box.deliver(written(sender=sender, subject=f"Re: [{asked.engagement}] hồ sơ", files={"a.pdf": PDF}))
    read(asked, box)
    assert states(asked) == [("filed", ""), ("triage", "not_on_file")]


def test_strangers_who_write_often_cost_staff_one_mail_a_day(asked: Firm) -> None:
    box = Box()
    for number in range(5):
        box.deliver(written(sender="la@khac.example", to=tagged(asked, "information"), text=f"{number}"))
    before = len(asked.outbox.mails)
    read(asked, box)
    assert [state for state, _ in states(asked)] == ["triage"] * 5
    assert len(asked.outbox.mails) == before + 1


def test_the_same_mail_delivered_twice_is_filed_once(asked: Firm) -> None:
    box = Box()
    mail = written(to=tagged(asked, "information"), files={"a.pdf": PDF})
    box.deliver(b"Received: from a\r\n" + mail)
    box.deliver(b"Received: from b\r\nDelivered-To: hoso@kehoachviet.example\r\n" + mail)
    read(asked, box)
    assert [state for state, _ in states(asked)] == ["filed", "duplicate"] and box.inbox == {}


def test_two_mails_that_claim_one_message_id_are_two_mails(asked: Firm) -> None:
    box = Box()
    for name in ("a.pdf", "b.pdf"):
        files = {name: PDF + name.encode()}
        box.deliver(written(to=tagged(asked, "information"), message_id="<1@x.example>", files=files))
    read(asked, box)
    assert [state for state, _ in states(asked)] == ["filed", "filed"]
    assert len(asked.office().storage.list("inbox/")) == 3


def test_a_mailbox_that_numbers_its_messages_anew_brings_nothing_twice(asked: Firm) -> None:
    box = Box()
    mail = written(to=tagged(asked, "information"), files={"a.pdf": PDF})
    box.deliver(mail)
    read(asked, box)
    again = Box(uidvalidity=8)
    again.deliver(mail)
    read(asked, again)
    assert [state for state, _ in states(asked)] == ["filed", "duplicate"]


@pytest.mark.parametrize(
    "headers",
    [{"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"List_Id": "<tin.example>"}, {"Return_Path": "<>"},
     {"X_Auto_Response_Suppress": "All"}],
)  # fmt: skip
def test_automatic_replies_are_kept_and_answered_by_nobody(asked: Firm, headers: dict[str, str]) -> None:
    box = Box()
    box.deliver(written(to=tagged(asked, "information"), text="Tôi đi vắng", **headers))
    before = len(asked.outbox.mails)
    read(asked, box)
    assert states(asked) == [("automatic", "")] and len(asked.outbox.mails) == before
    assert asked.office().storage.list("inbox/") == []
    with asked.case() as case:
        assert case.happened("mail_automatic/1") is not None


def test_our_own_mail_coming_back_is_recorded_and_nothing_else(asked: Firm) -> None:
    box = Box()
    box.deliver(written(sender="Kế Hoạch Việt <hoso@kehoachviet.example>", to=tagged(asked, "information")))
    read(asked, box)
    assert states(asked) == [("own", "")]


def test_a_bounce_stops_chasing_and_tells_the_account_manager(asked: Firm) -> None:
    box = Box()
    box.deliver(bounce(sent(asked, "information_request").message_id))
    read(asked, box)
    assert states(asked) == [("bounced", "")]
    assert sum("bị trả lại" in subject for subject in asked.outbox.subjects()) == 1
    late = date(2026, 12, 9)  # Wednesday, the day on which the information is due
    asked.day(late).sweep(late)
    assert not any("Nhắc" in subject for subject in asked.outbox.subjects())
    with asked.office().sessions() as session:
        assert undeliverable(session, CLIENT.upper()) is not None
        address_works_again(session, CLIENT)
        address_works_again(session, CLIENT)
    asked.sweep(late)
    assert any("Nhắc" in subject for subject in asked.outbox.subjects())


def test_a_delay_is_noted_and_the_client_is_still_chased(asked: Firm) -> None:
    box = Box()
    box.deliver(bounce(sent(asked, "information_request").message_id, action="delayed"))
    read(asked, box)
    with asked.office().sessions() as session:
        assert states(asked) == [("delayed", "")] and undeliverable(session, CLIENT) is None


def test_a_bounce_of_the_archives_copy_is_for_staff_and_does_not_mark_the_client(asked: Firm) -> None:
    asked.settings = replace(asked.settings, mail_archive="LuuTru@kehoachviet.example")
    box = Box()
    box.deliver(bounce(sent(asked, "information_request").message_id, recipient="luutru@kehoachviet.example"))
    read(asked, box)
    with asked.office().sessions() as session:
        assert states(asked) == [("triage", "archive_failed")] and undeliverable(session, CLIENT) is None


def test_a_bounce_of_a_mail_that_is_not_ours_marks_nobody(asked: Firm) -> None:
    box = Box()
    box.deliver(bounce("<made-up@kehoachviet.example>"))
    read(asked, box)
    with asked.office().sessions() as session:
        assert states(asked) == [("triage", "unknown_report")] and undeliverable(session, CLIENT) is None


def test_a_bounce_without_structure_is_known_by_the_message_id_that_it_quotes(asked: Firm) -> None:
    box = Box()
    ours = sent(asked, "information_request").message_id
    box.deliver(written(sender="mailer-daemon@mx.example", text=f"User unknown\n\nMessage-ID: {ours}\n"))
    read(asked, box)
    assert states(asked) == [("bounced", "")]


def test_a_message_too_large_stays_on_the_server_and_waits(asked: Firm) -> None:
    box = Box()
    uid = box.deliver(written(to=tagged(asked, "information")))
    box.sizes[uid] = mailbox.LARGEST_MESSAGE + 1
    read(asked, box)
    with asked.office().sessions() as session:
        row = triage(session)[0]
    assert states(asked) == [("triage", "too_large")] and box.archived == [uid] and row.path is None
    with pytest.raises(RuleBroken):
        file_to(asked.office(), row.id, asked.engagement, "information")


def test_a_run_takes_so_many_messages_and_the_next_one_the_rest(asked: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "MESSAGES_PER_RUN", 2)
    box = Box()
    for number in range(3):
        box.deliver(written(to=tagged(asked, "information"), text=f"thư {number}"))
    read(asked, box)
    assert len(states(asked)) == 2 and len(box.inbox) == 1
    read(asked, box)
    assert len(states(asked)) == 3 and box.inbox == {}


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "reply.json", ".x.part", "C:\\a\\b.tmp", "\u202egnp.exe", "", "con.pdf", "x" * 300],
)
def test_files_get_safe_names_of_their_own(asked: Firm, name: str) -> None:
    box = Box()
    raw = written(to=tagged(asked, "information"), files={"a.pdf": PDF, "b.pdf": PDF + b"2"})
    hostile = b'"' + name.encode().replace(b"\\", b"\\\\") + b'"'
    raw = raw.replace(b'"a.pdf"', hostile).replace(b'"b.pdf"', hostile)
    assert raw.count(hostile) == 2
    box.deliver(raw)
    read(asked, box)
    assert states(asked) == [("filed", "")]
    asked.receive("information")
    with asked.case() as case:
        stored = case.session.scalars(
            select(Document.path).where(Document.engagement_id == case.id, Document.direction == "received")
        ).all()
    assert len(stored) == 3 and asked.office().storage.list("inbox/") == []


def test_a_reply_joins_one_that_nobody_has_read_yet(asked: Firm) -> None:
    asked.put("information", {"answers": {"strategy": ANSWERS["strategy"]}}, {"business_registration.pdf": PDF})
    box = Box()
    box.deliver(written(to=tagged(asked, "information"), files={"sales_documents.pdf": PDF + b"s"}))
    read(asked, box)
    asked.receive("information")
    with asked.case() as case:
        received = {row.key for row in case.items(case.request("information")) if row.state == "received"}
    assert {"strategy", "business_registration", "sales_documents"} <= received


def test_staff_file_or_dismiss_what_waits_and_twice_is_once(asked: Firm) -> None:
    box = Box()
    for text in ("một", "hai"):
        box.deliver(written(sender="la@khac.example", text=text, to=tagged(asked, "information"), files={"a.pdf": PDF}))
    read(asked, box)
    with asked.office().sessions() as session:
        first, second = (row.id for row in triage(session))
        with pytest.raises(RuleBroken):
            dismiss(session, second, reason=" ")
        session.rollback()
        for _ in range(2):
            file_to(asked.office(), first, asked.engagement, "information")
            dismiss(session, second, reason="Quảng cáo")
        assert triage(session) == []
    assert states(asked) == [("filed", ""), ("dismissed", "Quảng cáo")]
    asked.receive("information")
    with pytest.raises(RuleBroken):
        file_to(asked.office(), second, asked.engagement, "information")


def test_one_message_that_storage_refuses_holds_up_no_other(asked: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    for name in ("a.pdf", "b.pdf"):
        box.deliver(written(to=tagged(asked, "information"), text=name, files={name: PDF + name.encode()}))
    office = asked.office()
    put = office.storage.put

    def full(path: str, data: bytes, **more: Any) -> None:
        if "/a-" in path:
            raise StorageError("full")
        put(path, data, **more)

    monkeypatch.setattr(office.storage, "put", full)
    with pytest.raises(StorageError):
        read_mailbox(office, box)
    assert [state for state, _ in states(asked)] == ["filing", "filed"]
    read(asked, box)
    assert [state for state, _ in states(asked)] == ["filed", "filed"] and box.inbox == {}

"""Mails as bytes, read back by the standard library's parser."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.mail.message import Attachment, InvalidAddress, build_message, checked_address, mailbox

FIELDS: dict[str, Any] = {
    "sender": "Kế Hoạch Việt <hoso@kehoachviet.example>",
    "to": ("Trần, Đức Hữu", "ketoan@banmesom.example"),
    "reply_to": "hoso+KHV-2026-0042.information@kehoachviet.example",
    "subject": "[KHV-2026-0042] Đề nghị cung cấp thông tin lập kế hoạch kinh doanh (hạn 09/12/2026)",
    "text": "Kính gửi Quý khách,\n.\nFrom here\n",
    "html": "<p>Kính gửi Quý khách</p>",
    "message_id": "<0123456789abcdef@kehoachviet.example>",
    "references": (),
    "date": datetime(2026, 12, 1, 9, 30, tzinfo=timezone(timedelta(hours=7))),
    "attachments": (),
    "auto_submitted": True,
    "calendar": None,
}


def built(**changes: Any) -> EmailMessage:
    message = message_from_bytes(build_message(**{**FIELDS, **changes}), policy=default)
    assert isinstance(message, EmailMessage)
    return message


def test_headers_come_back_as_they_were_given() -> None:
    message = built()
    assert str(message["Subject"]) == FIELDS["subject"]
    assert message["From"].addresses[0].display_name == "Kế Hoạch Việt"
    assert message["Reply-To"].addresses[0].addr_spec == FIELDS["reply_to"]
    assert message["Message-ID"] == FIELDS["message_id"]
    assert message["Date"].datetime == FIELDS["date"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.defects == []


def test_a_display_name_with_a_comma_is_one_recipient() -> None:
    for name in ("Trần, Đức Hữu", "Tran, Huu", 'Công ty "A, B" <x@y.vn>', "", "a@b.vn"):
        addresses = built(to=(name, "ketoan@banmesom.example"))["To"].addresses
        assert [(a.display_name, a.addr_spec) for a in addresses] == [(name, "ketoan@banmesom.example")]


def test_all_of_it_is_ascii_in_lines_that_any_relay_takes() -> None:
    data = build_message(**{**FIELDS, "text": "ế" * 3000, "html": f"<p>{'ữ' * 3000}</p>",
                            "attachments": [Attachment("ấ.bin", bytes(range(256)) * 50, "application/x")]})
    assert all(byte < 128 for byte in data)
    assert max(len(line) for line in data.split(b"\r\n")) <= 998
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_text_and_html_are_alternatives_with_the_text_first() -> None:
    message = built()
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    text, html = (part.get_content() for part in message.iter_parts())
    assert (text.replace("\r\n", "\n"), html.strip()) == (FIELDS["text"], FIELDS["html"])


def test_attachments_stand_beside_the_alternatives_under_their_names_and_types() -> None:
    long = "Báo cáo tài chính năm 2025 của Công ty TNHH Cà phê Ban Mê Sớm, bản có dấu (đã kiểm toán).pdf"
    files = [
        Attachment(long, b"%PDF", "application/pdf"),
        Attachment("a;b\"c.docx", b"PK", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        Attachment("ghi chú.txt", "chữ".encode(), "text/plain"),
        Attachment("thư.eml", b"Subject: x\r\n\r\n", "message/rfc822"),
        Attachment("lạ", b"\x00", "not a type\r\nX: y"),
    ]
    message = built(attachments=files)
    assert message.get_content_type() == "multipart/mixed"
    found = list(message.iter_attachments())
    assert [part.get_filename() for part in found] == [file.name for file in files]
    assert [part.get_payload(decode=True) for part in found] == [file.data for file in files]
    assert [part.get_content_type() for part in found] == [
        "application/pdf", files[1].media_type, "text/plain", "application/octet-stream", "application/octet-stream",
    ]  # fmt: skip


def test_a_thread_is_referred_to_and_its_last_mail_answered() -> None:
    thread = [f"<{letter * 32}@kehoachviet.example>" for letter in "abcdefghijk"]
    message = built(references=thread)
    assert str(message["References"]).split() == thread
    assert message["In-Reply-To"] == thread[-1]
    assert built()["In-Reply-To"] is None


def test_the_longest_message_ids_are_not_encoded() -> None:
    thread = [f"<{letter * 54}@kehoachviet.example>" for letter in "abc"]
    assert len(thread[0]) == 76
    data = build_message(**{**FIELDS, "message_id": thread[0], "references": thread[1:]})
    assert all(each.encode() in data for each in thread)
    with pytest.raises(InvalidAddress, match="76"):
        build_message(**{**FIELDS, "references": [f"<{'a' * 55}@kehoachviet.example>"]})


def test_an_invitation_is_an_alternative_and_a_file() -> None:
    calendar = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nSUMMARY:Gặp mặt\r\nEND:VCALENDAR\r\n".encode()
    message = built(calendar=calendar)
    parts = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    assert [part.get_param("method") for part in parts] == ["REQUEST"]
    assert parts[0].get_payload(decode=True) == calendar
    attached = list(message.iter_attachments())
    assert [(part.get_filename(), part.get_payload(decode=True)) for part in attached] == [("invite.ics", calendar)]


def test_the_same_mail_has_the_same_bytes() -> None:
    fields = {**FIELDS, "attachments": [Attachment("a.pdf", b"x", "application/pdf")]}
    assert build_message(**fields) == build_message(**fields)


def test_a_person_s_mail_is_not_marked_automatic() -> None:
    assert built(auto_submitted=False)["Auto-Submitted"] is None


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\u2028", "\x00", "\x0b", "\x85"])
@pytest.mark.parametrize(
    "change",
    [
        lambda x: {"subject": f"a{x}Bcc: evil@x.vn"},
        lambda x: {"to": (f"a{x}Bcc: evil@x.vn", "a@b.vn")},
        lambda x: {"to": ("a", f"a@b.vn{x}Bcc: evil@x.vn")},
        lambda x: {"sender": f"a{x}Bcc: evil@x.vn <a@b.vn>"},
        lambda x: {"reply_to": f"a@b.vn{x}Bcc: evil@x.vn"},
        lambda x: {"message_id": f"<a@b>{x}Bcc: evil@x.vn"},
        lambda x: {"references": [f"<a@b>{x}Bcc: evil@x.vn"]},
        lambda x: {"attachments": [Attachment(f"a{x}Bcc: evil@x.vn", b"", "application/pdf")]},
    ],
)
def test_a_line_break_in_a_header_is_refused(change: Any, break_: str) -> None:
    with pytest.raises(InvalidAddress):
        built(**change(break_))


@pytest.mark.parametrize(
    "email",
    ["", "a", "a@", "@b.vn", "a@b.vn, c@d.vn", "a b@c.vn", "a@b..vn", ".a@b.vn", "a@-b.vn", "đ@b.vn", "<a@b.vn>",
     "a@b.vn>", "a@[127.0.0.1]", '"a b"@c.vn', f"{'a' * 65}@b.vn"],
)
def test_what_is_no_single_plain_address_is_refused(email: str) -> None:
    with pytest.raises(InvalidAddress):
        checked_address(email)


def test_a_domain_with_vietnamese_letters_is_written_in_ascii() -> None:
    address = checked_address("a@kếhoạch.vn")
    assert address.startswith("a@xn--")
    assert address.partition("@")[2].encode().decode("idna") == "kếhoạch.vn"


def test_a_mailbox_splits_into_name_and_address() -> None:
    assert mailbox("Kế Hoạch Việt <hoso@kehoachviet.example>") == ("Kế Hoạch Việt", "hoso@kehoachviet.example")
    assert mailbox("hoso@kehoachviet.example") == ("", "hoso@kehoachviet.example")
    assert mailbox('"Việt, \\"KHV\\"" <a@b.vn>') == ('Việt, "KHV"', "a@b.vn")
    assert mailbox("Bcc: x@y.vn <a@b.vn>") == ("Bcc: x@y.vn", "a@b.vn")


_LINE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=120)


@settings(deadline=None)
@given(_LINE)
def test_any_line_survives_as_a_subject(subject: str) -> None:
    assert " ".join(str(built(subject=subject)["Subject"]).split()) == " ".join(subject.split())


@settings(deadline=None)
@given(_LINE)
def test_any_display_name_reaches_one_recipient(name: str) -> None:
    data = build_message(**{**FIELDS, "to": (name, "a@b.vn")})
    addresses = message_from_bytes(data, policy=default)["To"].addresses
    assert [address.addr_spec for address in addresses] == ["a@b.vn"]


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=300))
def test_any_text_comes_back(text: str) -> None:
    got = built(text=text, html=None).get_content()
    assert got.rstrip("\r\n").splitlines() == text.rstrip("\r\n").splitlines()


@pytest.mark.parametrize("gap", range(30, 75))
def test_a_long_vietnamese_subject_keeps_every_space(gap: int) -> None:
    words = "Đã nhận đủ: Tình hình thực hiện kế hoạch kinh doanh của Quý khách " * 3
    subject = f"[KHV-2026-0001] {words}"[:gap].strip()
    to = ("Trần Đức Hữu Nguyễn Thị Ánh Tuyết Kế Toán", "a@b.example")
    data = build_message(**{**FIELDS, "subject": subject, "to": to})
    read = message_from_bytes(data, policy=default)
    assert read["subject"] == subject
    # The standard library's own reader keeps spaces between encoded words of a name, against RFC 2047 §6.2.
    raw = message_from_bytes(data)["to"]
    assert str(make_header(decode_header(raw))).startswith("Trần Đức Hữu Nguyễn Thị Ánh Tuyết Kế Toán")
    assert all(len(line) <= 78 for line in data.split(b"\r\n\r\n")[0].split(b"\r\n"))

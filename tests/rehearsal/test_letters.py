"""Received mail is read as its recipient reads it."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

from rehearsal.letters import Mailbox, read_letter


def write(folder: Path, name: str = "000001-a.eml", **headers: str) -> Path:
    message = EmailMessage()
    message["To"] = "Trần Đức Hữu <ketoan@banmesom.example>"
    message["Subject"] = "Báo giá"
    message["Date"] = "Tue, 01 Dec 2026 08:00:00 +0700"
    message["Message-ID"] = "<1@kehoachviet.example>"
    for key, value in headers.items():
        message[key.replace("_", "-")] = value
    message.set_content("Kính gửi Quý khách")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="Báo giá.pdf")
    path = folder / name
    path.write_bytes(message.as_bytes())
    return path


def test_a_letter_says_where_its_answer_goes(tmp_path: Path) -> None:
    letter = read_letter(write(tmp_path, Reply_To="hoso+khv-2026-0001.Quote-2@kehoachviet.example"))

    assert (letter.engagement, letter.request) == ("KHV-2026-0001", "quote-2")


def test_a_letter_that_asks_for_nothing_names_no_request(tmp_path: Path) -> None:
    assert read_letter(write(tmp_path, Reply_To="hoso+KHV-2026-0001@kehoachviet.example")).request == ""


def test_headers_and_attachments_are_read_with_their_marks(tmp_path: Path) -> None:
    letter = read_letter(write(tmp_path))

    assert (letter.subject, letter.attachments) == ("Báo giá", ("Báo giá.pdf",))
    assert letter.to == ("ketoan@banmesom.example",)
    assert letter.message_id == "<1@kehoachviet.example>"
    assert letter.date is not None
    assert letter.date.isoformat() == "2026-12-01T08:00:00+07:00"
    assert "Kính gửi" in letter.text


def test_a_mailbox_shows_what_came_in_order_and_nothing_unfinished(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path)
    write(tmp_path, "000002-b.eml")
    write(tmp_path, ".000003-c.eml.part")
    assert len(mailbox.letters()) == 1
    write(tmp_path, "000001-a.eml")

    assert [letter.path.name for letter in mailbox.letters()] == ["000001-a.eml", "000002-b.eml"]

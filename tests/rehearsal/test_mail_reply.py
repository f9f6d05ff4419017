"""A player's mail is one that the pipeline understands: what goes in comes out."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from include.casework.mailbox import answers_in
from include.engagement import process
from include.mail.incoming import decision, lines_after_decision, read_mail
from rehearsal.letters import Letter, Mailbox, read_letter
from rehearsal.mail_reply import reply_to

CLIENT = "ketoan@banmesom.example"


@pytest.fixture
def asking(tmp_path: Path) -> Letter:
    mail = EmailMessage()
    mail["From"] = "hoso@kehoachviet.example"
    mail["To"] = CLIENT
    mail["Subject"] = "[KHV-2026-0001] Báo giá"
    mail["Message-ID"] = "<asked@kehoachviet.example>"
    mail["Reply-To"] = "hoso+KHV-2026-0001.quote@kehoachviet.example"
    mail.set_content("Kính gửi Quý khách")
    path = tmp_path / "000001-asked.eml"
    path.write_bytes(mail.as_bytes())
    return read_letter(path)


def replied(asking: Letter, kind: str, reply: dict[str, Any], files: dict[str, bytes], language: str = "vi") -> bytes:
    message = reply_to(asking, kind, reply, files, sender=CLIENT, language=language)
    assert message is not None
    return message.as_bytes()


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("kind", ["quote", "handover"])
def test_every_decision_is_understood(asking: Letter, kind: str, language: str) -> None:
    for word in process.REQUESTS[kind].replies:
        reply = {"reply": word, "message": "Xin chia ba đợt", "items": ["Sửa bảng 3"] if word == "changes" else []}
        text = read_mail(replied(asking, kind, reply, {}, language)).text
        assert decision(text) == word
        assert (lines_after_decision(text) == ["Sửa bảng 3"]) is (word == "changes")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_answers_and_files_arrive_as_they_were_given(asking: Letter, language: str) -> None:
    answers = {"strategy": "Chuỗi khách sạn: miền Trung", "revenue_vnd": 14_500_000_000}
    arrived = read_mail(replied(asking, "information", {"answers": answers, "message": "Kính gửi"},
                                {"business_registration.pdf": b"%PDF-1.4"}, language))  # fmt: skip
    items = process.REQUESTS["information"].items
    assert answers_in(arrived.text, items) == {key: str(value) for key, value in answers.items()}
    assert [(file.name, file.data) for file in arrived.files] == [("business_registration.pdf", b"%PDF-1.4")]


def test_what_a_mail_cannot_say_is_not_written(asking: Letter) -> None:
    for reply in ({"reply": "maybe"}, {"answers": {"strategy": "hai\ndòng"}}, {"answers": {"strategy": ["a", "b"]}}):
        assert reply_to(asking, "quote", reply, {}, sender=CLIENT, language="vi") is None


def test_what_clients_write_is_no_mail_of_the_firm(asking: Letter) -> None:
    (asking.path.parent / "000002-reply.eml").write_bytes(replied(asking, "quote", {"reply": "accept"}, {}))
    assert [letter.message_id for letter in Mailbox(asking.path.parent).letters()] == [asking.message_id]

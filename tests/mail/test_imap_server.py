"""The reply mailbox on real servers: Debian's Dovecot, with mail handed in by its delivery agent or by OpenSMTPD."""

from __future__ import annotations

import smtplib
import socket
import time
from collections import Counter
from email.message import EmailMessage

import pytest

from include.casework.mailbox import read_mailbox
from include.mail.imap import ARCHIVE, ImapServer
from include.mail.transport import TransientMailError
from tests.firm import FORM, PDF, Firm
from tests.mail.servers import Dovecot


def mail(number: int) -> bytes:
    return f"From: a@b.example\nTo: hoso@x.example\nMessage-ID: <{number}@b.example>\n\nthư {number}\n".encode()


def test_messages_come_oldest_first_whole_and_unmarked_and_are_put_away_once(dovecot: Dovecot) -> None:
    for number in (1, 2, 3):
        dovecot.deliver(mail(number))
    with dovecot.server().open() as box:
        waiting = box.waiting()
        assert [each.uid for each in waiting] == sorted(each.uid for each in waiting) and len(waiting) == 3
        first = box.fetch(waiting[0].uid)
        assert first is not None and len(first) == waiting[0].size
        assert first.replace(b"\r\n", b"\n").endswith("thư 1\n".encode())
        box.archive(waiting[0].uid)
        box.archive(waiting[0].uid)
        validity = box.uidvalidity
    with dovecot.server().open() as again:
        assert [each.uid for each in again.waiting()] == [each.uid for each in waiting[1:]]
        assert again.fetch(waiting[0].uid) is None
        assert again.uidvalidity == validity > 0
    stored = [path.name for path in (dovecot.folder / "mail" / "hoso" / f".{ARCHIVE}").rglob("*") if ":2," in path.name]
    assert len(stored) == 1 and stored[0].endswith("S")
    with dovecot.server().open() as rest:
        for each in rest.waiting():
            rest.archive(each.uid)
        assert rest.waiting() == []


def test_an_account_that_is_refused_and_a_port_that_is_closed_are_tried_again_later(dovecot: Dovecot) -> None:
    with pytest.raises(TransientMailError) as refused, dovecot.server("falsch").open():
        pass
    assert "hoso" not in str(refused.value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(TransientMailError), ImapServer("127.0.0.1", port, "hoso", "x", tls="none", timeout=5).open():
        pass


def test_a_clients_reply_goes_through_real_servers_into_its_request(
    dovecot: Dovecot, smtp_port: int, firm: Firm
) -> None:
    firm.open()
    firm.ask("information")
    asking = firm.outbox.read()[-1]
    reply = EmailMessage()
    reply["From"] = FORM["client"]["contact"]["email"]
    reply["To"] = str(asking["Reply-To"])
    reply["Subject"] = f"Re: {asking['Subject']}"
    reply["In-Reply-To"] = str(asking["Message-ID"])
    reply.set_content("Định hướng chiến lược: Chuỗi khách sạn\n")
    reply.add_attachment(PDF, maintype="application", subtype="pdf", filename="business_registration.pdf")
    with smtplib.SMTP("127.0.0.1", smtp_port) as server:
        server.send_message(reply)
    counts: Counter[str] = Counter()
    for _ in range(100):
        with dovecot.server().open() as box:
            counts += read_mailbox(firm.office(), box)
        if counts["filed"]:
            break
        time.sleep(0.1)
    assert counts["filed"] == 1, (dovecot.folder / "log").read_text(encoding="utf-8")[-2000:]
    assert firm.receive("information") is None
    with firm.case() as case:
        state = {item.key: item.state for item in case.items(case.request("information"))}
    assert state["strategy"] == state["business_registration"] == "received"
    with dovecot.server().open() as box:
        assert box.waiting() == []

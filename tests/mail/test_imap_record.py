"""Unclear mails looked up on real servers: an archive mailbox that OpenSMTPD delivers to, a Sent folder, in Dovecot."""

from __future__ import annotations

import imaplib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from include.mail.imap import ImapServer
from include.mail.ledger import MailLedger
from include.mail.record import ImapRecord
from include.mail.transport import Relay, TransientMailError
from tests.mail.post import DyingTransport, Killed, Post
from tests.mail.servers import Dovecot

ARCHIVE = "luutru@kehoachviet.example"
SINCE = datetime(2026, 12, 1, tzinfo=timezone.utc)
A_LITTLE = timedelta(seconds=31)


class Dropper:
    """Stands between sender and relay, and cuts both off when the relay has answered to the last dot."""

    def __init__(self, port: int) -> None:
        self._relay = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            sender, _ = self._listener.accept()
        except OSError:
            return
        with sender, socket.create_connection(("127.0.0.1", self._relay)) as relay:
            dotted = threading.Event()

            def towards_the_relay() -> None:
                tail = b""
                while data := sender.recv(65536):
                    tail = (tail + data)[-5:]
                    if tail == b"\r\n.\r\n":
                        dotted.set()
                    relay.sendall(data)

            pump = threading.Thread(target=towards_the_relay)
            pump.start()
            while data := relay.recv(65536):
                if dotted.is_set():
                    break
                sender.sendall(data)
            sender.shutdown(socket.SHUT_RDWR)
            pump.join()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who still accepts
        self._listener.close()
        self._thread.join()


@pytest.fixture
def dropper(smtp_port: int) -> Iterator[Relay]:
    """The relay whose first answer to a mail never arrives."""
    between = Dropper(smtp_port)
    yield Relay("127.0.0.1", between.port, tls="none", timeout=20, archive=ARCHIVE)
    between.close()


@pytest.fixture
def relay(smtp_port: int) -> Relay:
    """A relay that gives the archive its copy."""
    return Relay("127.0.0.1", smtp_port, tls="none", timeout=20, archive=ARCHIVE)


@pytest.fixture
def office(ledger_register: sessionmaker[Session], tmp_path: Path, relay: Relay, engagement: str) -> Post:
    return Post(ledger_register, tmp_path, relay, engagement)


def ledger(office: Post, record: ImapRecord, transport: object = None) -> MailLedger:
    return MailLedger(office.register, office.storage, transport or office.relay, domain="kehoachviet.example",
                      record=record)  # type: ignore[arg-type]  # fmt: skip


def delivered(office: Post, record: ImapRecord) -> str:
    """Deliver what is due, other tests' mails too, and return the state of the one mail here."""
    ledger(office, record).deliver_due()
    [row] = office.rows()
    return row.state


def archive_of(dovecot: Dovecot) -> ImapRecord:
    return ImapRecord(lambda: dovecot.server(user="luutru"), "INBOX")


def ids_in(server: ImapServer, folder: str = "INBOX") -> list[str]:
    """What lies in a folder, by another client."""
    with imaplib.IMAP4(server.host, server.port) as client:
        client.login(server.user, server.password)
        client.select(folder, readonly=True)
        if not client.search(None, "ALL")[1][0]:
            return []
        _, lines = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    return [line[1].decode().partition(":")[2].strip() for line in lines if isinstance(line, tuple)]


def arrives(server: ImapServer, message_id: str) -> None:
    for _ in range(200):
        if message_id in ids_in(server):
            return
        time.sleep(0.05)
    pytest.fail(f"{server.user} never got the mail")


def test_a_mail_whose_answer_was_lost_is_found_in_the_archive_and_goes_once(
    dovecot: Dovecot, dropper: Relay, office: Post, later: Callable[[timedelta], None]
) -> None:
    row = office.post(ledger(office, archive_of(dovecot), dropper))
    assert row.state == "handed_over"
    for user in ("luutru", "khach"):
        arrives(dovecot.server(user=user), row.message_id)
    later(archive_of(dovecot).patience)
    assert delivered(office, archive_of(dovecot)) == "sent"
    assert ids_in(dovecot.server(user="khach")).count(row.message_id) == 1
    assert ids_in(dovecot.server(user="luutru")).count(row.message_id) == 1


def test_a_mail_that_the_archive_gets_late_does_not_go_again(
    dovecot: Dovecot, office: Post, later: Callable[[timedelta], None]
) -> None:
    subprocess.run(["smtpctl", "pause", "mda"], check=True, capture_output=True)
    with pytest.raises(Killed):
        office.post(ledger(office, archive_of(dovecot), DyingTransport(office.relay, after=True)))
    [row] = office.rows()
    later(A_LITTLE)
    assert delivered(office, archive_of(dovecot)) == "handed_over"
    later(archive_of(dovecot).patience - A_LITTLE)
    assert delivered(office, archive_of(dovecot)) == "handed_over"
    subprocess.run(["smtpctl", "resume", "mda"], check=True, capture_output=True)
    for user in ("luutru", "khach"):
        arrives(dovecot.server(user=user), row.message_id)
    later(A_LITTLE)
    assert delivered(office, archive_of(dovecot)) == "sent"
    assert ids_in(dovecot.server(user="khach")).count(row.message_id) == 1


def test_a_mail_that_the_archive_never_got_goes_when_its_patience_is_over(
    dovecot: Dovecot, office: Post, later: Callable[[timedelta], None]
) -> None:
    with pytest.raises(Killed):
        office.post(ledger(office, archive_of(dovecot), DyingTransport(office.relay, after=False)))
    later(A_LITTLE)
    assert delivered(office, archive_of(dovecot)) == "handed_over"
    later(archive_of(dovecot).patience)
    assert delivered(office, archive_of(dovecot)) == "sent"
    [row] = office.rows()
    arrives(dovecot.server(user="khach"), row.message_id)


def test_a_recipient_who_is_refused_leaves_no_copy_in_the_archive(dovecot: Dovecot, office: Post) -> None:
    refused = office.post(ledger(office, archive_of(dovecot)), to="ai@elsewhere.example")
    sent = office.post(ledger(office, archive_of(dovecot)))
    assert (refused.state, sent.state) == ("refused", "sent")
    arrives(dovecot.server(user="luutru"), sent.message_id)
    assert refused.message_id not in ids_in(dovecot.server(user="luutru"))


def test_a_sent_folder_is_a_record_too(dovecot: Dovecot) -> None:
    with imaplib.IMAP4("127.0.0.1", dovecot.port) as client:
        client.login("hoso", "geheim")
        client.create('"Th&AbA- &AREA4w- g&Hu0-i"')
        client.append('"Th&AbA- &AREA4w- g&Hu0-i"', "", "", b"Message-ID: <sent1@k.example>\r\n\r\nx\r\n")
    sent = ImapRecord(dovecot.server, "Thư đã gửi")
    assert sent.contains("<sent1@k.example>", since=SINCE)
    assert not sent.contains("<sent2@k.example>", since=SINCE)
    assert not ImapRecord(dovecot.server, "INBOX").contains("<sent1@k.example>", since=SINCE)


def test_looking_up_marks_nothing(dovecot: Dovecot) -> None:
    dovecot.deliver(b"Message-ID: <new1@k.example>\n\nx\n", user="moi")
    assert ImapRecord(lambda: dovecot.server(user="moi"), "INBOX").contains("<new1@k.example>", since=SINCE)
    assert len(list((dovecot.folder / "mail" / "moi" / "new").iterdir())) == 1


@pytest.mark.parametrize("message_id", ['<a"b@k.example>', r"<a\b@k.example>", r'<a\"b@k.example>', "<a{5}@k.example>"])
def test_a_message_id_with_signs_of_the_protocol_is_looked_up_as_it_is(dovecot: Dovecot, message_id: str) -> None:
    record = ImapRecord(lambda: dovecot.server(user="dau"), "INBOX")
    dovecot.deliver(b"Message-ID: <other@k.example>\n\nx\n", user="dau")
    assert not record.contains(message_id, since=SINCE)
    dovecot.deliver(f"Message-ID: {message_id}\n\nx\n".encode(), user="dau")
    assert record.contains(message_id, since=SINCE)


@pytest.mark.parametrize("message_id", ["<*@k.example>", "<%@k.example>", "<.*@k.example>", "<ABC@k.example>"])
def test_a_message_id_is_looked_up_to_the_letter(dovecot: Dovecot, message_id: str) -> None:
    dovecot.deliver(b"Message-ID: <abc@k.example>\n\nx\n", user="chu")
    assert not ImapRecord(lambda: dovecot.server(user="chu"), "INBOX").contains(message_id, since=SINCE)


@pytest.mark.parametrize("message_id", ['<a@k.example>" ALL', "<a@k.example>\r\nx DELETE INBOX", "<a@k.exämple>", "",
                                        "<>", "<a b@k.example>"])  # fmt: skip
def test_what_is_no_message_id_never_reaches_the_server(dovecot: Dovecot, message_id: str) -> None:
    with pytest.raises(ValueError, match="Not a Message-ID"):
        ImapRecord(dovecot.server, "INBOX").contains(message_id, since=SINCE)


def test_a_folder_or_an_account_that_is_not_there_does_not_say_no(dovecot: Dovecot) -> None:
    for server, folder in ((dovecot.server(), "Nowhere"), (dovecot.server("falsch"), "INBOX"),
                           (replace(dovecot.server(), port=9, timeout=5), "INBOX")):  # fmt: skip
        with pytest.raises(TransientMailError) as told:
            ImapRecord(lambda server=server: server, folder).contains("<1@k.example>", since=SINCE)
        assert "hoso" not in str(told.value)

"""Conversations with a relay, real ones over SMTP; the record of what it took."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult

from include.mail.message import InvalidAddress
from include.mail.transport import FolderRecord, RefusedMail, Relay, TransientMailError, UnclearMail, record_from
from tests.mail.desk import Desk

DATA = b"From: a@b.vn\r\nTo: c@d.vn\r\nMessage-ID: <1@b.vn>\r\n\r\nXin chao\r\n"


def send(relay: Relay, data: bytes = DATA) -> None:
    relay.send("a@b.vn", ["c@d.vn"], data)


def test_a_mail_arrives_byte_for_byte(relay: Relay, desk: Desk) -> None:
    send(relay)
    assert desk.taken == [DATA]
    assert desk.envelopes == [("a@b.vn", ["c@d.vn"])]


def test_lines_that_begin_with_a_dot_arrive_as_they_were(relay: Relay, desk: Desk) -> None:
    data = b"Subject: x\r\n\r\n.\r\n..two\r\n.end\r\n"
    send(relay, data)
    assert desk.taken == [data]


def test_a_bare_line_feed_cannot_smuggle_a_second_mail(relay: Relay, desk: Desk) -> None:
    send(relay, b"Subject: x\n\nfirst\n.\nMAIL FROM:<x@y.vn>\r.\r\n")
    assert len(desk.taken) == 1
    assert b"MAIL FROM" in desk.taken[0]


@pytest.mark.parametrize("step", ["at_mail", "at_rcpt", "at_data"])
def test_a_4xx_reply_is_transient_at_every_step(relay: Relay, desk: Desk, step: str) -> None:
    setattr(desk, step, "451 try later")
    with pytest.raises(TransientMailError, match="451 try later"):
        send(relay)


@pytest.mark.parametrize(("step", "reply"), [("at_mail", "552 too big"), ("at_rcpt", "550 no such user"),
                                             ("at_data", "554 rejected")])
def test_a_5xx_reply_refuses_the_mail(relay: Relay, desk: Desk, step: str, reply: str) -> None:
    setattr(desk, step, reply)
    with pytest.raises(RefusedMail, match=reply):
        send(relay)


def test_a_sender_that_the_relay_does_not_know_is_mended_in_the_account_not_in_the_mail(
    relay: Relay, desk: Desk
) -> None:
    desk.at_mail = "530 authentication required"
    with pytest.raises(TransientMailError):
        send(relay)


def test_no_reply_after_the_mail_was_given_is_unclear(relay: Relay, desk: Desk) -> None:
    desk.hang_up_after_data = True
    with pytest.raises(UnclearMail):
        send(relay)
    assert len(desk.taken) == 1


def test_nobody_listening_is_transient() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(TransientMailError, match=str(port)):
            send(Relay("127.0.0.1", port, tls="none", timeout=2))


def test_a_relay_without_starttls_gets_nothing_when_it_is_wanted(relay: Relay, desk: Desk) -> None:
    with pytest.raises(TransientMailError):
        send(Relay(relay.host, relay.port, tls="starttls", timeout=5))
    assert desk.taken == []


def test_login_happens_before_the_mail(start_relay: Callable[..., Relay], desk: Desk) -> None:
    def authenticator(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
        return AuthResult(success=getattr(data, "password", b"") == b"mat-khau", handled=False)

    relay = start_relay(authenticator=authenticator, auth_required=True, auth_require_tls=False)
    send(Relay(relay.host, relay.port, user="hoso", password="mat-khau", tls="none", timeout=5))
    assert len(desk.taken) == 1
    with pytest.raises(TransientMailError, match="535"):
        send(Relay(relay.host, relay.port, user="hoso", password="sai", tls="none", timeout=5))
    assert len(desk.taken) == 1


def test_a_password_is_not_shown() -> None:
    assert "mat-khau" not in repr(Relay("h", 25, user="u", password="mat-khau"))


@contextmanager
def half_deaf() -> Iterator[int]:
    """A server that hangs up in the middle of the mail, before its closing dot."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as file:
                for reply in (b"220 hi", b"250 hi", b"250 ok", b"250 ok"):
                    file.write(reply + b"\r\n")
                    file.flush()
                    file.readline()
                # The fifth line read was DATA.

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_a_conversation_that_breaks_before_the_last_dot_is_transient() -> None:
    with half_deaf() as port, pytest.raises(TransientMailError):
        send(Relay("127.0.0.1", port, tls="none", timeout=5))


@pytest.mark.parametrize("recipient", ["a@b.vn\r\nRCPT TO:<x@y.vn>", "a@b.vn,x@y.vn", "<a@b.vn>", "a b@c.vn", ""])
def test_an_address_cannot_carry_a_command(relay: Relay, desk: Desk, recipient: str) -> None:
    with pytest.raises(InvalidAddress):
        relay.send("a@b.vn", [recipient], DATA)
    assert desk.taken == []


def test_two_recipients_are_two_mails(relay: Relay) -> None:
    with pytest.raises(ValueError, match="one recipient"):
        relay.send("a@b.vn", ["c@d.vn", "e@f.vn"], DATA)


def test_the_record_knows_what_lies_in_its_folder(tmp_path: Path) -> None:
    record = FolderRecord(tmp_path)
    assert not record.contains("<1@b.vn>")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "7.eml").write_bytes(DATA)
    assert record.contains("<1@b.vn>")
    assert not record.contains("<1@b.v>")


def test_a_message_id_in_the_body_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(b"Subject: x\r\n\r\nMessage-ID: <1@b.vn>\r\n")
    assert not FolderRecord(tmp_path).contains("<1@b.vn>")


def test_a_folded_message_id_is_found(tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(b"message-id:\r\n <1@b.vn>\r\n\r\n")
    assert FolderRecord(tmp_path).contains("<1@b.vn>")


def test_a_file_still_being_written_is_read_again(tmp_path: Path) -> None:
    record = FolderRecord(tmp_path)
    (tmp_path / "1.eml").write_bytes(DATA[:20])
    assert not record.contains("<1@b.vn>")
    (tmp_path / "1.eml").write_bytes(DATA)
    assert record.contains("<1@b.vn>")


def test_a_record_that_is_not_there_does_not_say_no(tmp_path: Path) -> None:
    with pytest.raises(TransientMailError):
        FolderRecord(tmp_path / "gone").contains("<1@b.vn>")


def test_the_record_is_found_by_its_address(tmp_path: Path) -> None:
    folder = tmp_path / "thư đi"
    folder.mkdir()
    (folder / "1.eml").write_bytes(DATA)
    record = record_from(folder.as_uri())
    assert record is not None
    assert record.contains("<1@b.vn>")
    assert record_from(None) is None
    assert record_from("") is None
    with pytest.raises(ValueError, match="file:///"):
        record_from("imap://server")

"""Conversations with a relay, real ones over SMTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from aiosmtpd.smtp import AuthResult

from include.mail.message import InvalidAddress
from include.mail.transport import NoConversation, RefusedMail, Relay, TransientMailError, UnclearMail
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


ARCHIVE = "luutru@b.vn"


def archiving(relay: Relay) -> Relay:
    return replace(relay, archive=ARCHIVE)


def test_the_archive_gets_every_mail_in_the_same_transaction_and_no_header_tells(relay: Relay, desk: Desk) -> None:
    send(archiving(relay))
    assert desk.envelopes == [("a@b.vn", [ARCHIVE, "c@d.vn"])]
    assert desk.taken == [DATA]


@pytest.mark.parametrize("reply", ["450 mailbox busy", "550 no such user"])
def test_a_mail_does_not_go_without_its_record(relay: Relay, desk: Desk, reply: str) -> None:
    desk.at_rcpt_of[ARCHIVE] = reply
    with pytest.raises(NoConversation, match=f"archive {ARCHIVE}: {reply}"):
        send(archiving(relay))
    assert desk.taken == []


@pytest.mark.parametrize(("reply", "error"), [("450 busy", TransientMailError), ("550 no such user", RefusedMail)])
def test_the_archive_gets_no_copy_of_a_mail_that_was_refused(
    relay: Relay, desk: Desk, reply: str, error: type[Exception]
) -> None:
    desk.at_rcpt_of["c@d.vn"] = reply
    with archiving(relay).session() as batch:
        with pytest.raises(error):
            batch.send("a@b.vn", ["c@d.vn"], DATA)
        assert desk.taken == []
        batch.send("a@b.vn", ["e@f.vn"], DATA)
    assert desk.envelopes == [("a@b.vn", [ARCHIVE, "e@f.vn"])]
    assert desk.greetings == 1


def test_a_mail_to_the_archive_itself_is_one_mail(relay: Relay, desk: Desk) -> None:
    archiving(relay).send("a@b.vn", [ARCHIVE], DATA)
    assert desk.envelopes == [("a@b.vn", [ARCHIVE])]

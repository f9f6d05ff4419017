"""The last metres of a mail: one SMTP conversation."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol

from include.engagement.errors import EngagementError
from include.mail.message import checked_address

GREETING_SECONDS = 60.0


class TransientMailError(Exception):
    """The mail was surely not taken, but may be later: no connection, a 4xx reply, an account refused."""


class NoConversation(TransientMailError):
    """The relay cannot be talked to now: other mails would fare no better."""


class RefusedMail(EngagementError):
    """The relay refuses this mail for good (5xx); somebody has to look at the address or the content."""


class UnclearMail(EngagementError):
    """The conversation broke where the relay may or may not have taken the mail."""


class Transport(Protocol):
    """Hands one mail over."""

    def send(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        """Return when the relay has taken the mail. Raises TransientMailError, RefusedMail or UnclearMail."""

    @contextmanager
    def session(self) -> Iterator[Transport]:
        """Return what sends a batch: over one connection, where the transport can."""
        yield self


@dataclass(frozen=True)
class Relay(Transport):
    """An SMTP relay. A mail gets a connection of its own, a batch shares one (``session``).

    ``timeout``: seconds to wait for a reply; RFC 5321 §4.5.3.2 wants ten minutes after the last dot. ``archive``: an
    address that gets every mail too, in the same transaction and without a header that tells; empty: none. A relay that
    does not take the archive gets no mail: nothing goes out without its record.
    """

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Literal["none", "starttls", "ssl"] = "starttls"
    timeout: float = 600
    archive: str = ""

    def send(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        """See Transport.send. One recipient a mail: of two, one might be refused and the other not."""
        with self.session() as conversation:
            conversation.send(sender, recipients, data)

    @contextmanager
    def session(self) -> Iterator[Transport]:
        """Return what sends a batch over one connection, opened for the first mail and again after it broke."""
        conversation = _Conversation(self)
        try:
            yield conversation
        finally:
            conversation.close()

    def greeted(self) -> smtplib.SMTP:
        context = ssl.create_default_context() if self.tls != "none" else None
        patience = min(self.timeout, GREETING_SECONDS)
        # The default would ask the resolver for this machine's full name, which can take longer than the mail.
        name = socket.gethostname()
        smtp: smtplib.SMTP | None = None
        try:
            if self.tls == "ssl":
                smtp = smtplib.SMTP_SSL(self.host, self.port, local_hostname=name, timeout=patience, context=context)
            else:
                smtp = smtplib.SMTP(self.host, self.port, local_hostname=name, timeout=patience)
            if smtp.sock is not None:
                smtp.sock.settimeout(self.timeout)
                # The closing dot is a write of its own: it would wait 40 ms for the text's acknowledgement (RFC 896).
                smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls == "starttls":
                smtp.starttls(context=context)
            smtp.ehlo_or_helo_if_needed()
            if self.user:
                smtp.login(self.user, self.password)
        except (OSError, smtplib.SMTPException) as error:
            if smtp is not None:
                smtp.close()
            raise NoConversation(f"No conversation with {self.host}:{self.port}: {_said(error)}") from error
        return smtp

    def hand_over(self, smtp: smtplib.SMTP, sender: str, recipient: str, body: bytes) -> None:
        stuffed = re.sub(rb"(?m)^\.", b"..", body)
        try:
            size = [f"SIZE={len(stuffed)}"] if smtp.has_extn("size") else []
            code, reply = smtp.mail(sender, size)
            # Anything else said to MAIL is about the account, and mended there: the mail itself is not refused.
            self._accept(code, reply, "MAIL", refusing=(552,))
            if self.archive and self.archive != recipient:
                code, reply = smtp.rcpt(checked_address(self.archive))
                if not 200 <= code < 300:
                    said = f"{code} {reply.decode('utf-8', 'replace')}"
                    raise NoConversation(f"{self.host} does not take mail for the archive {self.archive}: {said}")
            # When it is refused, nobody gets the mail: the next transaction begins with RSET, or the connection ends.
            code, reply = smtp.rcpt(recipient)
            self._accept(code, reply, "RCPT")
            code, reply = smtp.docmd("DATA")
            if code != 354:
                self._accept(code if code >= 400 else 451, reply, "DATA")
            smtp.send(stuffed)
        except (OSError, smtplib.SMTPException) as error:
            # Without the closing dot no relay may take it.
            raise NoConversation(f"Conversation with {self.host} broke off: {_said(error)}") from error
        try:
            smtp.send(b".\r\n")
            code, reply = smtp.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise UnclearMail(f"Máy chủ thư {self.host} không trả lời sau khi nhận thư: {_said(error)}") from error
        self._accept(code, reply, "DATA")

    def _accept(self, code: int, reply: bytes, command: str, *, refusing: tuple[int, ...] = ()) -> None:
        if 200 <= code < 300:
            return
        said = f"{self.host} answered {command}: {code} {reply.decode('utf-8', 'replace')}"
        if code >= 500 and (not refusing or code in refusing):
            raise RefusedMail(said)
        raise TransientMailError(said)


class _Conversation(Transport):
    """One connection to a relay, for as many mails as it lasts."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._smtp: smtplib.SMTP | None = None

    def send(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        """See Transport.send."""
        if len(recipients) != 1:
            raise ValueError("A mail goes to one recipient.")
        sender, recipient = checked_address(sender), checked_address(recipients[0])
        body = re.sub(rb"\r\n|\r|\n", b"\r\n", data)
        if not body.endswith(b"\r\n"):
            body += b"\r\n"
        smtp = self._ready()
        try:
            self._relay.hand_over(smtp, sender, recipient, body)
        except (NoConversation, UnclearMail):
            self._drop()
            raise

    def close(self) -> None:
        """Take leave of the relay, if it still listens."""
        if self._smtp is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._smtp.quit()
        self._drop()

    def _ready(self) -> smtplib.SMTP:
        """Return the connection, fit for a new mail; one that broke since the last mail is replaced."""
        if self._smtp is not None:
            with suppress(OSError, smtplib.SMTPException):
                if self._smtp.rset()[0] == 250:
                    return self._smtp
            self._drop()
        self._smtp = self._relay.greeted()
        return self._smtp

    def _drop(self) -> None:
        if self._smtp is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._smtp.close()
        self._smtp = None


def _said(error: BaseException) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
    return str(error) or type(error).__name__

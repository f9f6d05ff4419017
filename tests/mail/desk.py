"""How the relay of the tests behaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Desk:
    """A relay's behaviour: what it took, and what it says at each step instead of yes."""

    taken: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    at_mail: str | None = None
    at_rcpt: str | None = None
    at_rcpt_of: dict[str, str] = field(default_factory=dict)
    at_data: str | None = None
    hang_up_after_data: bool = False
    archive: Path | None = None
    greetings: int = 0

    def ids(self) -> list[str]:
        """Message-IDs of what was taken, in order."""
        return [message_from_bytes(data)["Message-ID"] for data in self.taken]

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.greetings += 1
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.at_mail:
            return self.at_mail
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self.at_rcpt_of.get(address, self.at_rcpt):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.at_data:
            return self.at_data
        assert isinstance(envelope.content, bytes)
        self.taken.append(envelope.content)
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        if self.archive:
            (self.archive / f"{len(self.taken)}.eml").write_bytes(envelope.content)
        if self.hang_up_after_data:
            assert server.transport is not None
            server.transport.close()
        return "250 OK"

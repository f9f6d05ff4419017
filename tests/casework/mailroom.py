"""What comes into the reply mailbox, and what is looked at afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from sqlalchemy import select

from include.casework.mailbox import read_mailbox
from include.mail.imap import Waiting
from include.register.models import IncomingMail, Mail
from tests.firm import Firm

CLIENT = "ketoan@banmesom.example"


@dataclass
class Box:
    """A mailbox in memory, with the two folders of the real one."""

    name: str = "hoso/INBOX"
    uidvalidity: int = 7
    inbox: dict[int, bytes] = field(default_factory=dict)
    archived: list[int] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)

    def deliver(self, raw: bytes) -> int:
        uid = max([0, *self.inbox, *self.archived]) + 1
        self.inbox[uid] = raw
        return uid

    def waiting(self) -> list[Waiting]:
        return [Waiting(uid, self.sizes.get(uid, len(raw))) for uid, raw in sorted(self.inbox.items())]

    def fetch(self, uid: int) -> bytes | None:
        return self.inbox.get(uid)

    def archive(self, uid: int) -> None:
        if self.inbox.pop(uid, None) is not None:
            self.archived.append(uid)


def written(
    *, sender: str = CLIENT, to: str = "hoso@kehoachviet.example", subject: str = "Trả lời", text: str = "Kính gửi",
    files: dict[str, bytes] | None = None, **headers: str,
) -> bytes:  # fmt: skip
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Message-ID"] = headers.pop("message_id", f"<{abs(hash((sender, to, subject, text)))}@banmesom.example>")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    for name, data in (files or {}).items():
        message.add_attachment(data, maintype="application", subtype="pdf", filename=name)
    return message.as_bytes()


def tagged(firm: Firm, request: str) -> str:
    return f"hoso+{firm.engagement}.{request}@kehoachviet.example"


def bounce(of: str, *, action: str = "failed", recipient: str = CLIENT) -> bytes:
    return (
        "From: MAILER-DAEMON@mx.example\r\nTo: hoso@kehoachviet.example\r\nSubject: Undelivered\r\n"
        "Auto-Submitted: auto-replied\r\nReturn-Path: <>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 no such user\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {of}\r\nSubject: x\r\n\r\n--b--\r\n"
    ).encode()


def sent(firm: Firm, template: str) -> Mail:
    with firm.office().sessions() as session:
        return session.scalars(
            select(Mail).where(Mail.engagement_id == firm.engagement, Mail.template == template)
        ).one()


def states(firm: Firm) -> list[tuple[str, str]]:
    with firm.office().sessions() as session:
        return [(row.state, row.reason) for row in session.scalars(select(IncomingMail).order_by(IncomingMail.id))]


def read(firm: Firm, box: Box, **options: Any) -> None:
    read_mailbox(firm.office(), box, **options)

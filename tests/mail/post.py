"""A mail to post: a ledger over a real register, a folder and a real relay; and what dies in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from include.mail.ledger import MailLedger
from include.mail.message import build_message
from include.mail.record import FolderRecord
from include.mail.transport import Relay, Transport
from include.register.models import Mail
from include.storage import open_storage

TO = "khach@d.vn"


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


class DyingTransport(Transport):
    """Dies before or after the relay took the mail."""

    def __init__(self, relay: Relay, *, after: bool) -> None:
        self.relay, self.after = relay, after

    def send(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        if self.after:
            self.relay.send(sender, recipients, data)
        raise Killed


class Post:
    """A ledger over a real register, a folder and a real relay, with a mail to post."""

    def __init__(self, register: sessionmaker[Session], folder: Path, relay: Any, engagement: str) -> None:
        self.register = register
        self.engagement = engagement
        self.storage = open_storage((folder / "store").as_uri())
        self.record_folder = folder / "record"
        self.record_folder.mkdir()
        self.relay = relay
        self.threads: list[list[str]] = []

    def ledger(
        self, *, transport: Any = None, record: bool = True, judge_after_seconds: float = 0,
        patience: timedelta = timedelta(), dry_run: bool = False,
    ) -> MailLedger:
        return MailLedger(
            self.register,
            self.storage,
            transport or self.relay,
            domain="kehoachviet.example",
            record=FolderRecord(self.record_folder, patience=patience) if record else None,
            judge_after_seconds=judge_after_seconds,
            dry_run=dry_run,
        )

    def build(self, message_id: str, references: Sequence[str], *, to: str = TO) -> bytes:
        self.threads.append(list(references))
        return build_message(
            sender="Kế Hoạch Việt <hoso@kehoachviet.example>",
            to=("Trần, Hữu", to),
            reply_to=None,
            subject="Chào Quý khách",
            text="Xin chào\n",
            html=None,
            message_id=message_id,
            references=references,
            date=datetime(2026, 12, 1, 2, 0, tzinfo=timezone.utc),
        )

    def post(self, ledger: MailLedger, reason: str = "welcome", *, to: str = TO,
             build: Callable[[str, list[str]], bytes] | None = None) -> Mail:
        return ledger.post(
            key=f"{self.engagement}/{reason}/{to}",
            engagement_id=self.engagement,
            template="welcome",
            stage="intake",
            recipient=to,
            day=date(2026, 12, 1),
            build=build or (lambda message_id, references: self.build(message_id, references, to=to)),
            subject="Chào Quý khách",
        )

    def delivered(self, patience: timedelta) -> str:
        """Deliver what is due, other tests' mails too, and return the state of the one mail here."""
        self.ledger(patience=patience).deliver_due()
        [row] = self.rows()
        return row.state

    def rows(self) -> list[Mail]:
        with self.register() as session:
            return list(session.scalars(select(Mail).where(Mail.engagement_id == self.engagement).order_by(Mail.id)))

"""The mail ledger: each reason gives each recipient one mail, whatever dies in between."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from email.parser import BytesHeaderParser
from email.policy import SMTP

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, sessionmaker

from include.clock import now
from include.mail.message import InvalidAddress, checked_address
from include.mail.transport import MailRecord, RefusedMail, TransientMailError, Transport, UnclearMail
from include.register.models import Mail
from include.register.session import advisory_lock
from include.storage.base import Storage

THREAD_LENGTH = 10  # Message-IDs kept of a thread beside the first


class MailLedger:
    """Posts mails through ``transport``: a row is *claimed*, *handed over* while the relay listens, then *sent*.

    ``domain`` is the right side of Message-IDs. ``record`` tells whether the relay took a mail whose row was left
    *handed over*; without one such a mail goes to a person. A record is believed ``judge_after_seconds`` after the
    mail was handed over: a relay may still be writing when the sender has died.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        storage: Storage,
        transport: Transport,
        *,
        domain: str,
        record: MailRecord | None = None,
        judge_after_seconds: float = 30,
    ) -> None:
        self._sessions = sessions
        self._storage = storage
        self._transport = transport
        self._domain = domain
        self._record = record
        self._judge_after_seconds = judge_after_seconds

    def post(
        self,
        *,
        key: str,
        engagement_id: str | None,
        template: str,
        stage: str,
        recipient: str,
        day: date,
        build: Callable[[str, list[str]], bytes],
        subject: str,
    ) -> Mail:
        """Send the mail of ``key`` unless it was sent, and return its row (state ``sent``).

        ``build`` gets the Message-ID and the thread (Message-IDs, oldest first) and returns the mail; it may be
        called again by a later try. Raises TransientMailError (try again), RefusedMail and UnclearMail (a person
        decides, then calls ``settle``).
        """
        recipient = checked_address(recipient)
        self._claim(key, engagement_id, template, stage, recipient, day, subject)
        with advisory_lock(self._engine, f"mail/{key}"):
            row = self._row(key)
            if row.state == "handed_over":
                row = self._reconciled(row)
            if row.state == "sent":
                return row
            if row.state == "refused":
                raise RefusedMail(f"Thư “{row.subject}” gửi {row.recipient} đã bị từ chối: {row.error}")
            return self._hand_over(row, build)

    def settle(self, key: str, *, was_sent: bool) -> Mail:
        """Record what a person found out about a mail left unclear or refused: it counts as sent, or may go again."""
        with advisory_lock(self._engine, f"mail/{key}"):
            row = self._row(key)
            if row.state == "sent":
                return row
            return self._marked(row.id, "sent" if was_sent else "claimed")

    @property
    def _engine(self) -> Engine:
        engine: Engine = self._sessions.kw["bind"]
        return engine

    def _claim(
        self, key: str, engagement_id: str | None, template: str, stage: str, recipient: str, day: date, subject: str
    ) -> None:
        with self._sessions.begin() as session:
            if session.scalar(select(Mail.id).where(Mail.key == key)) is not None:
                return
            session.execute(
                insert(Mail)
                .values(
                    key=key,
                    engagement_id=engagement_id,
                    template=template,
                    stage=stage,
                    recipient=recipient,
                    message_id=f"<{uuid.uuid4().hex}@{self._domain}>",
                    thread=self._thread(session, engagement_id, recipient),
                    subject=subject,
                    day=day,
                    state="claimed",
                )
                .on_conflict_do_nothing(index_elements=[Mail.key])
            )

    def _thread(self, session: Session, engagement_id: str | None, recipient: str) -> list[str]:
        if engagement_id is None:
            return []
        ids = list(
            session.scalars(
                select(Mail.message_id)
                .where(Mail.engagement_id == engagement_id, Mail.recipient == recipient, Mail.state == "sent")
                .order_by(Mail.sent_at, Mail.id)
            )
        )
        return ids if len(ids) <= THREAD_LENGTH + 1 else [ids[0], *ids[-THREAD_LENGTH:]]

    def _row(self, key: str) -> Mail:
        with self._sessions() as session:
            return session.scalars(select(Mail).where(Mail.key == key)).one()

    def _marked(self, row_id: int, state: str, *, path: str | None = None, error: str | None = None) -> Mail:
        with self._sessions.begin() as session:
            row = session.get_one(Mail, row_id)
            row.state = state
            row.error = error
            if path is not None:
                row.path = path
            if state == "sent":
                row.sent_at = now()
        return row

    def _reconciled(self, row: Mail) -> Mail:
        if self._record is None:
            raise UnclearMail(
                f"Không rõ thư “{row.subject}” gửi {row.recipient} đã đi hay chưa (Message-ID {row.message_id}). "
                "Hãy kiểm tra trên máy chủ thư rồi ghi nhận kết quả; hệ thống không tự gửi lại."
            )
        if self._record.contains(row.message_id):
            return self._marked(row.id, "sent")
        if self._handed_over_seconds(row) < self._judge_after_seconds:
            raise TransientMailError(f"Mail {row.id} was handed over a moment ago; its record is asked again later.")
        return self._marked(row.id, "claimed")

    def _handed_over_seconds(self, row: Mail) -> float:
        assert row.path is not None
        folder = row.path.rpartition("/")[0]
        return next((file.age_seconds for file in self._storage.list(folder) if file.path == row.path), float("inf"))

    def _hand_over(self, row: Mail, build: Callable[[str, list[str]], bytes]) -> Mail:
        data = build(row.message_id, list(row.thread))
        sender = _envelope_sender(data, row)
        path = _path(row)
        self._storage.put(path, data, media_type="message/rfc822")
        self._marked(row.id, "handed_over", path=path)
        try:
            self._transport.send(sender, [row.recipient], data)
        except TransientMailError as error:
            self._marked(row.id, "claimed", error=str(error))
            raise
        except RefusedMail as error:
            self._marked(row.id, "refused", error=str(error))
            raise
        except UnclearMail as error:
            if self._record is None:
                raise
            raise TransientMailError(
                f"Mail {row.id} is unclear, its record is asked at the next try: {error}"
            ) from error
        return self._marked(row.id, "sent")


def _envelope_sender(data: bytes, row: Mail) -> str:
    headers = BytesHeaderParser(policy=SMTP).parsebytes(data)
    recipients = [address.addr_spec for address in headers["To"].addresses]
    if headers["Message-ID"] != row.message_id or recipients != [row.recipient]:
        raise InvalidAddress(f"Mail {row.id} was built for another Message-ID or recipient than its row's.")
    return checked_address(headers["From"].addresses[0].addr_spec)


def _path(row: Mail) -> str:
    folder = f"engagements/{row.engagement_id}/mails" if row.engagement_id else f"mails/{row.day:%Y-%m}"
    return f"{folder}/{row.id:06d}-{row.template}.eml"

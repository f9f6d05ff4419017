"""The mail ledger: each reason gives each recipient one mail, whatever dies in between, and no mail holds up a run.

A mail is composed and stored before anything else happens to it. What cannot go now (a 4xx, no connection, mail paused,
an earlier mail of the same engagement and recipient still waiting) stays and goes out with ``deliver_due``.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from email.parser import BytesHeaderParser
from email.policy import SMTP
from typing import Any, NamedTuple, cast

from sqlalchemy import CursorResult, Engine, delete, or_, select, text, update
from sqlalchemy.orm import Session, sessionmaker

from include.clock import now
from include.mail.message import InvalidAddress, checked_address
from include.mail.record import MailRecord
from include.mail.transport import (
    NoConversation,
    RefusedMail,
    TransientMailError,
    Transport,
    UnclearMail,
)
from include.register.models import Engagement, Event, Installation, Mail
from include.register.session import advisory_lock
from include.storage.base import Storage, StorageError

log = logging.getLogger(__name__)

THREAD_LENGTH = 10  # Message-IDs kept of a thread beside the first
WAITING = ("claimed", "handed_over")
STOPPED = ("refused", "unclear", "expired")
DELAYS = tuple(timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 120, 240, 480, 480, 480, 480, 480))
"""How long a mail waits after each try in vain: 48 hours in all, then a person decides."""
RESTORED_DOUBT = timedelta(days=14)
"""How long after a restore a mail may be one that went out already, after the backup was made."""


class MailLedger:
    """Posts mails through ``transport``: a row is *claimed*, *handed over* while the relay listens, then *sent*.

    Without a transport mails are claimed and composed; somebody else's ``deliver_due`` sends them.

    ``domain`` is the right side of Message-IDs. ``record`` tells whether the relay took a mail whose row was left
    *handed over*; without one such a mail goes to a person. It is asked from ``judge_after_seconds`` after the handing
    over on; that it does not have a mail counts only its patience after the conversation has ended, since a relay may
    still be writing, or delivering to the archive, when the sender has died. ``dry_run``: everything is composed and
    stored, nothing is sent, then or later.

    A Message-ID is derived from the mail's key. A register restored from a backup lacks what was sent afterwards, and
    work done again posts it again: so each mail composed within RESTORED_DOUBT counts as *handed over*, and is judged
    by the record under the Message-ID that it had.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        storage: Storage,
        transport: Transport | None,
        *,
        domain: str,
        record: MailRecord | None = None,
        judge_after_seconds: float = 30,
        dry_run: bool = False,
    ) -> None:
        self._sessions = sessions
        self._storage = storage
        self._transport = transport
        self._domain = domain
        self._record = record
        self._judge_after = timedelta(seconds=judge_after_seconds)
        self._dry_run = dry_run
        self._held = False

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
        """Send the mail of ``key`` unless it was sent, and return its row; a row still *claimed* goes out later.

        ``build`` gets the Message-ID and the thread (Message-IDs, oldest first) and returns the mail; it may be
        called again by a later try. Never raises for the relay's sake: see the row's ``state``. Raises InvalidAddress.
        """
        recipient = checked_address(recipient)
        with advisory_lock(self._engine, f"mail/{key}"):
            self._claim(key, engagement_id, template, stage, recipient, day, subject)
            row = self._row(key)
            if row.state == "claimed" and row.path is None:
                row = self._composed(row, build)
            if self._transport is None or self._held:
                return row
            try:
                return self._delivered(row, self._transport)
            except TransientMailError:
                return self._row(key)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Hold what is posted inside, then deliver all that is due over one connection."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._transport is not None:
            self.deliver_due()

    def deliver_due(self) -> Counter[str]:
        """Send what is due, in the order it was claimed, over one connection; count the rows by their state after.

        Ends early when the relay cannot be talked to. A mail that cannot be sent holds up none behind it but those of
        the same engagement and recipient.
        """
        if self._transport is None:
            raise ValueError("a ledger without a transport delivers nothing")
        self._withdraw_unwritten()
        states: Counter[str] = Counter()
        with self._transport.session() as transport:
            for key in self._due_keys():
                with advisory_lock(self._engine, f"mail/{key}"):
                    try:
                        states[self._delivered(self._row(key), transport).state] += 1
                    except NoConversation as error:
                        log.warning("The relay cannot be talked to: %s", error)
                        states[self._row(key).state] += 1
                        break
                    except TransientMailError:
                        states[self._row(key).state] += 1
        return states

    def settle(self, key: str, *, was_sent: bool, by: str = "", why: str = "") -> Mail:
        """Record what a person found out about a mail that stopped: it counts as sent, or may go again."""
        with advisory_lock(self._engine, f"mail/{key}"):
            row = self._row(key)
            if row.state in ("sent", "cancelled", "dry_run"):
                return row
            self._write_down(row, "mail_settled", was_sent=was_sent, by=by, why=why)
            return self._marked(
                row, "sent" if was_sent else "claimed", tries=0, next_try_at=None, told_at=None, error=None
            )

    def redirect(self, key: str, *, to: str, by: str, why: str) -> Mail:
        """Send a mail that stopped to another address, as a mail of its own; the one that stopped is cancelled.

        Raises ValueError when the mail did not stop, InvalidAddress.
        """
        to = checked_address(to)
        row = self._row(key)
        again = f"{key}/to/{to}"
        if row.state not in STOPPED and not (row.state == "cancelled" and self._is_claimed(again)):
            raise ValueError(f"mail {row.id} is {row.state}: only one that stopped goes to another address")
        assert row.path is not None
        stored = self._storage.get(row.path)
        new = self.post(
            key=again, engagement_id=row.engagement_id, template=row.template, stage=row.stage, recipient=to,
            day=row.day, subject=row.subject,
            build=lambda message_id, _: readdressed(stored, to=to, message_id=message_id),
        )  # fmt: skip
        if row.state in STOPPED:
            self._write_down(row, "mail_redirected", by=by, why=why, again=new.id)
            self._marked(row, "cancelled")
        return new

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
            session.add(
                Mail(
                    key=key,
                    engagement_id=engagement_id,
                    template=template,
                    stage=stage,
                    recipient=recipient,
                    message_id=self._message_id(session, key),
                    thread=self._thread(session, engagement_id, recipient),
                    subject=subject,
                    day=day,
                    state="claimed",
                )
            )

    def _withdraw_unwritten(self) -> None:
        """Take back the claims of posters that died before they had written the mail: its reason may be gone.

        Whoever still has the reason posts the mail again, which claims it anew under the same Message-ID.
        """
        unwritten = select(Mail).where(Mail.state == "claimed", Mail.path.is_(None))
        with self._sessions() as session:
            found = session.scalars(unwritten).all()
        for each in found:
            with advisory_lock(self._engine, f"mail/{each.key}", wait=False) as held, self._sessions.begin() as session:
                row = session.scalar(unwritten.where(Mail.id == each.id)) if held else None
                if row is None:
                    continue
                try:
                    self._storage.delete(_path(row))
                except StorageError as error:
                    log.warning("The claim of mail %d is taken back later: %s", row.id, error)
                else:
                    session.execute(delete(Mail).where(Mail.id == row.id, Mail.state == row.state))

    def _message_id(self, session: Session, key: str) -> str:
        secret = session.scalars(select(Installation.message_id_secret)).one()
        return f"<{hmac.digest(secret.encode(), key.encode(), 'sha256').hex()[:32]}@{self._domain}>"

    def _thread(self, session: Session, engagement_id: str | None, recipient: str) -> list[str]:
        if engagement_id is None:
            return []
        ids = list(
            session.scalars(
                select(Mail.message_id)
                .where(Mail.engagement_id == engagement_id, Mail.recipient == recipient, Mail.path.is_not(None),
                       Mail.state.in_((*WAITING, "sent")))
                .order_by(Mail.id)
            )
        )
        return ids if len(ids) <= THREAD_LENGTH + 1 else [ids[0], *ids[-THREAD_LENGTH:]]

    def _row(self, key: str) -> Mail:
        with self._sessions() as session:
            return session.scalars(select(Mail).where(Mail.key == key)).one()

    def _is_claimed(self, key: str) -> bool:
        with self._sessions() as session:
            return session.scalar(select(Mail.id).where(Mail.key == key)) is not None

    def _due_keys(self) -> list[str]:
        with self._sessions() as session:
            return list(
                session.scalars(
                    select(Mail.key)
                    .where(Mail.state.in_(WAITING), Mail.path.is_not(None),
                           or_(Mail.next_try_at.is_(None), Mail.next_try_at <= now()))
                    .order_by(Mail.id)
                )
            )  # fmt: skip

    def _marked(self, row: Mail, state: str, **values: Any) -> Mail:
        """Move the row on from the state it was read in, and return it as it stands then.

        Somebody who cancels does not wait for the row's lock: what was cancelled meanwhile stays so.
        """
        if state == "sent":
            values["sent_at"] = now()
        with self._sessions.begin() as session:
            session.execute(
                update(Mail).where(Mail.id == row.id, Mail.state == row.state).values(state=state, **values)
            )
            return session.get_one(Mail, row.id)

    def _composed(self, row: Mail, build: Callable[[str, list[str]], bytes]) -> Mail:
        data = build(row.message_id, list(row.thread))
        _envelope_sender(data, row)
        path = _path(row)
        self._storage.put(path, data, media_type="message/rfc822")
        return self._marked(row, "handed_over" if self._may_have_gone(row) else row.state, path=path)

    def _may_have_gone(self, row: Mail) -> bool:
        """Say whether the mail may be one that went out after the backup that the register was restored from."""
        if self._dry_run:
            return False
        with self._sessions() as session:
            restored = _restored(session)
            if restored is None or now() > restored.at + RESTORED_DOUBT:
                return False
            opened = session.scalar(select(Engagement.created_at).where(Engagement.id == row.engagement_id))
            return opened is None or opened <= restored.to

    def _delivered(self, row: Mail, transport: Transport) -> Mail:
        """Send the row's mail if it is due and nothing stands before it. Raises TransientMailError, the row written."""
        if row.state not in WAITING or row.path is None or (row.next_try_at is not None and row.next_try_at > now()):
            return row
        if row.state == "handed_over":
            row = self._reconciled(row)
        if row.state != "claimed":
            return row
        if self._was_ended(row):
            return self._marked(row, "cancelled")
        if self._stands_back(row):
            return row
        if self._dry_run:
            return self._marked(row, "dry_run")
        return self._hand_over(row, transport)

    def _was_ended(self, row: Mail) -> bool:
        """Say whether the engagement was ended by hand after the mail was claimed: on its way then, not any more."""
        with self._sessions() as session:
            ended = select(Event.id).where(
                Event.engagement_id == row.engagement_id, Event.key == "ended", Event.at > row.claimed_at
            )
            return session.scalar(ended) is not None

    def _stands_back(self, row: Mail) -> bool:
        """Say whether mail is paused, or an earlier mail to the same recipient in the engagement is still to go."""
        with self._sessions() as session:
            if paused(session):
                return True
            if row.engagement_id is None:
                return False
            earlier = select(Mail.id).where(
                Mail.engagement_id == row.engagement_id, Mail.recipient == row.recipient, Mail.id < row.id,
                Mail.state.in_(WAITING), Mail.path.is_not(None),
            )  # fmt: skip
            return session.scalar(earlier.limit(1)) is not None

    def _reconciled(self, row: Mail) -> Mail:
        if self._record is None:
            return self._marked(row, "unclear")
        with self._sessions() as session:
            restored = _restored(session)
        since = row.claimed_at if restored is None else min(row.claimed_at, restored.to)
        # What a conversation of this installation left has a next try.
        went_before = restored is not None and row.next_try_at is None
        try:
            was_taken = self._record.contains(row.message_id, since=since)
        except TransientMailError as error:
            self._put_off(row, str(error), last="unclear")
            raise
        if was_taken:
            if went_before:
                self._write_down(row, "mail_taken_over")
            return self._marked(row, "sent", error=None)
        if went_before and restored is not None and now() > restored.at + self._record.patience:
            return self._marked(row, "claimed")
        if row.error is None:
            # Its sender died, perhaps just now: the record's patience begins here.
            row = self._awaiting_record(row, "The conversation broke off; the mail record does not have the mail yet.")
            if row.next_try_at is None or row.next_try_at > now():
                return row
        return self._marked(row, "claimed")

    def _awaiting_record(self, row: Mail, error: str) -> Mail:
        """Have a row that was handed over judged when the record must have its mail.

        A row with an error was found or left after the end of its conversation, and waits for its next look so long.
        """
        assert self._record is not None
        return self._marked(row, "handed_over", error=error, next_try_at=now() + self._record.patience)

    def _hand_over(self, row: Mail, transport: Transport) -> Mail:
        assert row.path is not None
        try:
            data = self._storage.get(row.path)
            sender = _envelope_sender(data, row)
        except StorageError as error:
            self._put_off(row, str(error), last="expired")
            raise TransientMailError(f"Mail {row.id} cannot be read from storage now.") from error
        except InvalidAddress as error:
            return self._marked(row, "refused", error=str(error))
        row = self._marked(row, "handed_over", error=None, next_try_at=now() + self._judge_after)
        if row.state != "handed_over":
            return row
        try:
            transport.send(sender, [row.recipient], data)
        except TransientMailError as error:
            self._put_off(row, str(error), last="expired")
            raise
        except RefusedMail as error:
            return self._marked(row, "refused", error=str(error))
        except UnclearMail as error:
            if self._record is None:
                return self._marked(row, "unclear", error=str(error))
            return self._awaiting_record(row, str(error))
        return self._marked(row, "sent", error=None)

    def _put_off(self, row: Mail, error: str, *, last: str) -> None:
        """Have the row tried again after its next delay; when none is left, a person decides."""
        if row.tries >= len(DELAYS):
            self._marked(row, last, error=error)
            return
        state, delay = "claimed", DELAYS[row.tries]
        if last == "unclear" and self._record is not None:
            state, delay = "handed_over", max(delay, self._record.patience)
        self._marked(row, state, error=error, tries=row.tries + 1, next_try_at=now() + delay)

    def _write_down(self, row: Mail, kind: str, **facts: Any) -> None:
        if row.engagement_id is None:
            return
        at = now()
        with self._sessions.begin() as session:
            session.add(
                Event(engagement_id=row.engagement_id, key=f"{kind}/{row.id}/{at.isoformat()}", kind=kind,
                      day=row.day, facts={"mail": row.id, **facts})
            )  # fmt: skip


class _Restored(NamedTuple):
    """When the register was restored, and to which moment."""

    at: datetime
    to: datetime


def _restored(session: Session) -> _Restored | None:
    row = session.get(Installation, 1)
    return _Restored(row.restored_at, row.restored_to) if row and row.restored_at and row.restored_to else None


def mark_restored(session: Session, *, to: datetime, by: str, why: str) -> int:
    """Have a register that was restored to an earlier moment mail nothing twice; return how many mails are in doubt.

    All mail is paused until a person has looked. What waited then counts as handed over: it may have gone since.
    """
    pause(session, by=by, why=why)
    installation = session.get_one(Installation, 1)
    installation.restored_at, installation.restored_to = now(), to
    waited = session.execute(
        update(Mail).where(Mail.state == "claimed", Mail.path.is_not(None))
        .values(state="handed_over", error=None, next_try_at=None)
    )  # fmt: skip
    # Ids stand in keys and file names: none is given again.
    session.execute(text("select setval(pg_get_serial_sequence('mail', 'id'), coalesce(max(id), 0) + 10000) from mail"))
    session.commit()
    return cast("CursorResult[Any]", waited).rowcount


def pause(session: Session, *, by: str, why: str) -> None:
    """Let no mail leave the installation until ``resume``; what is posted meanwhile is composed and waits."""
    installation = session.merge(Installation(id=1))
    if installation.mail_paused_at is None:
        installation.mail_paused_at, installation.mail_paused_by, installation.mail_paused_why = now(), by, why
    session.commit()


def resume(session: Session) -> None:
    """Let mail go again; what waited goes out with the next ``deliver_due``, in order."""
    installation = session.merge(Installation(id=1))
    installation.mail_paused_at = installation.mail_paused_by = installation.mail_paused_why = None
    session.commit()


def paused(session: Session) -> bool:
    """Say whether mail is paused."""
    return session.scalar(select(Installation.id).where(Installation.mail_paused_at.is_not(None))) is not None


def cancel_queued(session: Session, engagement_id: str) -> int:
    """Cancel the mails of an engagement that have not gone to the relay; return their number. Commits."""
    cancelled = session.execute(
        update(Mail).where(Mail.engagement_id == engagement_id, Mail.state == "claimed").values(state="cancelled")
    )
    session.commit()
    return cast("CursorResult[Any]", cancelled).rowcount


def readdressed(data: bytes, *, to: str, message_id: str) -> bytes:
    """Return a composed mail with another recipient and Message-ID; all else stays byte for byte."""
    end = b"\r\n" if b"\r\n" in data else b"\n"
    head, blank, body = data.partition(end * 2)
    head += end
    for name, value in ((b"To", checked_address(to)), (b"Message-ID", message_id)):
        line = name + b": " + value.encode("ascii") + end
        head = re.sub(rb"(?im)^%s:.*\r?\n(?:[ \t].*\r?\n)*" % name, line.replace(b"\\", rb"\\"), head, count=1)
    return head + blank[len(end) :] + body


def _envelope_sender(data: bytes, row: Mail) -> str:
    headers = BytesHeaderParser(policy=SMTP).parsebytes(data)
    recipients = [address.addr_spec for address in headers["To"].addresses]
    if headers["Message-ID"] != row.message_id or recipients != [row.recipient]:
        raise InvalidAddress(f"Mail {row.id} was built for another Message-ID or recipient than its row's.")
    return checked_address(headers["From"].addresses[0].addr_spec)


def _path(row: Mail) -> str:
    folder = f"engagements/{row.engagement_id}/mails" if row.engagement_id else f"mails/{row.day:%Y-%m}"
    return f"{folder}/{row.id:06d}-{row.template}.eml"

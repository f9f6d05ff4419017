"""Mailboxes on a server: what waits in the reply mailbox, and whether a folder has a message."""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError

from include.mail.transport import TransientMailError

INBOX = "INBOX"
ARCHIVE = "Archive"
_UID = re.compile(rb"\bUID (\d+)")
_ID = re.compile(r"<[!-;=?-~]+>")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")


@dataclass(frozen=True)
class Waiting:
    """A message of the mailbox: its UID (RFC 3501 §2.3.1.1) and its size in bytes."""

    uid: int
    size: int


class ReplyMailbox(Protocol):
    """A mailbox opened for reading; UIDs mean nothing without its name and UIDVALIDITY.

    Every method raises TransientMailError when the server does not do what it was asked.
    """

    @property
    def name(self) -> str:
        """What tells this mailbox from others."""

    @property
    def uidvalidity(self) -> int:
        """UIDVALIDITY of the mailbox."""

    def waiting(self) -> list[Waiting]:
        """Return the messages of the mailbox, oldest first."""

    def fetch(self, uid: int) -> bytes | None:
        """Return a message as it is, without marking it; None when it is gone."""

    def archive(self, uid: int) -> None:
        """Mark a message seen and move it to the archive; one that is gone counts as moved."""


@dataclass(frozen=True)
class ImapServer:
    """An IMAP server and an account on it. ``timeout``: seconds for each of its answers."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: Literal["none", "starttls", "ssl"] = "ssl"
    timeout: float = 60

    @contextmanager
    def open(self) -> Iterator[ReplyMailbox]:
        """Log in and open the inbox. Raises TransientMailError, also for an account that is refused."""
        with _answering():
            box = self._connected()
        try:
            with _answering():
                box.login(self.user, self.password, initial_folder=INBOX)
                if not box.folder.exists(ARCHIVE):
                    box.folder.create(ARCHIVE)
                opened = _Opened(box, f"{self.user}/{INBOX}")
            yield opened
        finally:
            _leave(box)

    def found(self, folder: str, message_id: str) -> list[bytes]:
        """Return the header field Message-ID of the messages of a folder that the server finds by it, marking nothing.

        Raises TransientMailError, also when there is no such folder; ValueError for what is no Message-ID.
        """
        if not _ID.fullmatch(message_id):
            raise ValueError(f"Not a Message-ID: {message_id!r}")
        quoted = '"{}"'.format(message_id.replace("\\", r"\\").replace('"', r"\""))
        with _answering():
            box = self._connected()
        try:
            with _answering():
                box.login(self.user, self.password, initial_folder=None)
                box.folder.set(folder, readonly=True)
                status, numbers = box.client.uid("SEARCH", "HEADER", "Message-ID", quoted)
                if status != "OK":
                    raise imaplib.IMAP4.error("SEARCH was refused")
                uids = b",".join((numbers[0] or b"").split()).decode("ascii")
                if not uids:
                    return []
                status, lines = box.client.uid("FETCH", uids, "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
                if status != "OK":
                    raise imaplib.IMAP4.error("FETCH was refused")
            return [bytes(line[1]) for line in lines or [] if isinstance(line, tuple) and len(line) == 2]
        finally:
            _leave(box)

    def _connected(self) -> BaseMailBox:
        if self.tls == "ssl":
            return MailBox(self.host, self.port, timeout=self.timeout, ssl_context=ssl.create_default_context())
        if self.tls == "starttls":
            return MailBoxStartTls(
                self.host, self.port, timeout=self.timeout, ssl_context=ssl.create_default_context()
            )
        return MailBoxUnencrypted(self.host, self.port, timeout=self.timeout)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (OSError, imaplib.IMAP4.error, ImapToolsError) as error:
        # What the server says may name addresses: the kind of error is enough for a log.
        raise TransientMailError(f"the IMAP server did not answer as hoped: {type(error).__name__}") from None


def _leave(box: BaseMailBox) -> None:
    try:
        box.client.logout()
    except (OSError, imaplib.IMAP4.error):
        box.client.shutdown()


class _Opened:
    """The inbox of a logged-in connection."""

    def __init__(self, box: BaseMailBox, name: str) -> None:
        self._box = box
        self._name = name
        self._uidvalidity = int(box.folder.status(INBOX, ["UIDVALIDITY"])["UIDVALIDITY"])

    @property
    def name(self) -> str:
        return self._name

    @property
    def uidvalidity(self) -> int:
        return self._uidvalidity

    def waiting(self) -> list[Waiting]:
        lines = self._fetched("1:*", "(UID RFC822.SIZE)")
        found = {}
        for line in lines:
            text = line[0] if isinstance(line, tuple) else line
            if isinstance(text, bytes) and (uid := _UID.search(text)) and (size := _SIZE.search(text)):
                found[int(uid[1])] = int(size[1])
        return [Waiting(uid, found[uid]) for uid in sorted(found)]

    def fetch(self, uid: int) -> bytes | None:
        for line in self._fetched(str(uid), "(UID BODY.PEEK[])"):
            if isinstance(line, tuple) and len(line) == 2:
                return bytes(line[1])
        return None

    def archive(self, uid: int) -> None:
        with _answering():
            self._box.flag(str(uid), "\\Seen", True)
            self._box.move(str(uid), ARCHIVE)

    def _fetched(self, which: str, what: str) -> list[object]:
        with _answering():
            status, lines = self._box.client.uid("FETCH", which, what)
            if status != "OK":
                raise imaplib.IMAP4.error("FETCH was refused")
        return list(lines or [])

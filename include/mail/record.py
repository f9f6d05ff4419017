"""The mail record: what tells whether the relay took a mail whose answer was lost."""

from __future__ import annotations

import gzip
import re
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import IO, Protocol, cast
from urllib.parse import parse_qs, unquote, urlsplit

from include.mail.imap import ImapServer
from include.mail.transport import TransientMailError

MESSAGE_ID_FIELD = re.compile(rb"(?im)^message-id:\s*(<[^<>\s]+>)")
LEFT_ALONE_SECONDS = 60.0


class MailRecord(Protocol):
    """Where the firm can look up what its relay took: a relay's log, an archive mailbox, a Sent folder, a folder.

    A mail that the relay took is in the record ``patience`` after the conversation about it has ended, and stays there
    for the days that an unclear mail may wait.
    """

    @property
    def patience(self) -> timedelta:
        """How long after a conversation's end the record may still not have a mail that was taken."""

    def contains(self, message_id: str, *, since: datetime) -> bool:
        """Say whether a mail of this Message-ID was taken at or after ``since``.

        Raises TransientMailError when it cannot tell.
        """


class FolderRecord:
    """A folder of ``.eml`` files, as a mail catcher or an archiving relay keeps them; each is read once."""

    def __init__(self, path: str | Path, *, patience: timedelta = timedelta(seconds=5)) -> None:
        self.patience = patience
        self._path = Path(path)
        self._known: dict[Path, str] = {}

    def contains(self, message_id: str, *, since: datetime) -> bool:
        """See MailRecord.contains."""
        if not self._path.is_dir():
            raise TransientMailError(f"The mail record {self._path} is not there: nothing can be looked up in it.")
        try:
            for file in self._path.rglob("*.eml"):
                if file not in self._known:
                    found = _message_id(file)
                    if found is not None:
                        self._known[file] = found
        except OSError as error:
            raise TransientMailError(f"The mail record {self._path} cannot be read: {error}") from error
        return message_id in self._known.values()


def _message_id(file: Path) -> str | None:
    """Return the Message-ID, ``""`` when there is none, None while the header is not all there yet."""
    with file.open("rb") as lines:
        header = b""
        for line in lines:
            if line in (b"\r\n", b"\n"):
                break
            header += line
        else:
            return None
    found = MESSAGE_ID_FIELD.search(header)
    return found.group(1).decode("ascii", "replace") if found else ""


class ImapRecord:
    """A folder of an IMAP account: an archive mailbox that gets every mail as Bcc, or a Sent folder.

    ``server`` is asked for when something is looked up. One that did not answer is left alone for a minute, so that
    a hundred mails do not wait for it one after the other.
    """

    def __init__(
        self, server: Callable[[], ImapServer], folder: str, *, patience: timedelta = timedelta(minutes=15)
    ) -> None:
        self.patience = patience
        self._server = server
        self._folder = folder
        self._away_until = 0.0

    def contains(self, message_id: str, *, since: datetime) -> bool:
        """See MailRecord.contains."""
        if time.monotonic() < self._away_until:
            raise TransientMailError(f"The mail record {self._folder} did not answer a moment ago.")
        try:
            found = self._server().found(self._folder, message_id)
        except TransientMailError as error:
            self._away_until = time.monotonic() + LEFT_ALONE_SECONDS
            raise TransientMailError(f"The mail record {self._folder} cannot be asked: {error}") from None
        # Servers find parts of words, too: RFC 3501 §6.4.4.
        fields = [MESSAGE_ID_FIELD.match(field.lstrip()) for field in found]
        return message_id.encode("ascii") in [field[1] for field in fields if field]


class LogRecord:
    """The log of a relay on this machine: Postfix's or Exim's, with what logrotate made of it beside it.

    Taken is what Postfix's queue manager has: cleanup notes the Message-ID before the mail is complete. Exim notes
    Message-ID and acceptance in one line. Any other log cannot tell, such as OpenSMTPD's, which has no Message-IDs.
    Times without a zone are this machine's.
    """

    def __init__(self, path: str | Path, *, patience: timedelta = timedelta(minutes=1)) -> None:
        self.patience = patience
        self._path = Path(path)

    def contains(self, message_id: str, *, since: datetime) -> bool:
        """See MailRecord.contains; it cannot tell, either, where the log begins after ``since``."""
        try:
            return self._says(message_id.encode("ascii"), since)
        except (OSError, EOFError, zlib.error) as error:
            raise TransientMailError(f"The mail record {self._path} cannot be read: {error}") from error

    def _says(self, message_id: bytes, since: datetime) -> bool:
        with ExitStack() as opened:
            # Opened before the others are listed: whatever is rotated meanwhile, nothing is missed unnoticed.
            newest = opened.enter_context(self._path.open("rb"))
            before = self._path.stat()
            older = sorted(self._rotated(), key=lambda file: file.stat().st_mtime)
            needed = [file for file in older if file.stat().st_mtime >= since.timestamp()]
            # Each file is written to until the next begins.
            reaches_back = len(needed) < len(older)
            search = _LogSearch(message_id)
            for index, file in enumerate((*needed, None)):
                lines = newest if file is None else opened.enter_context(closing(_opened(file)))
                year_end = (file or self._path).stat().st_mtime
                for number, line in enumerate(lines):
                    if index == number == 0 and not reaches_back:
                        began = _stamp(line, year_end)
                        reaches_back = began is not None and began <= since
                    if search.was_taken(line):
                        return True
            after = self._path.stat()
        if before.st_ino != after.st_ino or after.st_size < before.st_size:
            raise TransientMailError(f"The mail record {self._path} was rotated just now.")
        if not reaches_back:
            raise TransientMailError(f"The mail record {self._path} begins after the mail was written.")
        if not search.knows_the_relay:
            raise TransientMailError(f"The mail record {self._path} has no line of Postfix's or Exim's.")
        if search.is_held:
            raise TransientMailError("The relay put the mail on hold: it may still go.")
        return False

    def _rotated(self) -> list[Path]:
        name = re.compile(re.escape(self._path.name) + r"[.-]\d+(\.gz)?")
        return [file for file in self._path.parent.iterdir() if name.fullmatch(file.name)]


def _opened(file: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(file)) if file.suffix == ".gz" else file.open("rb")


_SYSLOG = (rb"(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8}|\d{4}-\d\d-\d\dT[\d:.]{8,}(?:Z|[+-]\d\d:?\d\d)) \S+ "
           rb"[\w./-]+/(\w+)\[\d+\]: ")  # fmt: skip
_POSTFIX = re.compile(_SYSLOG + rb"([0-9A-Za-z]{6,}): (.*)")
_QUEUED = re.compile(rb"from=<.*>, size=\d+, nrcpt=\d+ \(queue active\)")
# What a stranger may choose stands before the size (the sender, HELO) or in quotes (T=, DN=).
_MAINLOG = rb"\d{4}-\d\d-\d\d [\d:.]{8,} (?:[+-]\d{4} )?(?:\[\d+\] )?"
_EXIM = re.compile(_MAINLOG + rb"\w{6}-\w{6,11}-\w{2,4} "
                   rb'<= [^" ]+ (?:[^" ]+ |DN="[^"]*" )*?S=\d+ (?:[^" ]+ )*?id=(\S+)(?: .*)?')  # fmt: skip


class _LogSearch:
    """Reads a log's lines in their order for what became of one mail."""

    def __init__(self, message_id: bytes) -> None:
        self._id = message_id
        self._ours: set[bytes] = set()  # queue ids, which Postfix gives again
        self._held: set[bytes] = set()
        self.knows_the_relay = False

    @property
    def is_held(self) -> bool:
        """Whether the mail came in and was put on hold, where the queue manager does not see it."""
        return bool(self._ours & self._held)

    def was_taken(self, line: bytes) -> bool:
        """Take in a line; True once the mail is known to be taken."""
        line = line.rstrip(b"\r\n")
        if found := _EXIM.fullmatch(line):
            self.knows_the_relay = True
            return b"<" + found[1] + b">" == self._id
        found = _POSTFIX.fullmatch(line)
        if not found:
            return False
        program, queue_id, said = found.groups()
        self.knows_the_relay = self.knows_the_relay or program in (b"smtpd", b"cleanup", b"qmgr")
        if said.startswith(b"client="):
            self._held.discard(queue_id)
        elif program == b"cleanup" and said.startswith(b"message-id="):
            if said == b"message-id=" + self._id:
                self._ours.add(queue_id)
            else:
                self._ours.discard(queue_id)
        elif said.startswith((b"hold: ", b"milter-hold: ")):
            self._held.add(queue_id)
        elif program == b"qmgr":
            return queue_id in self._ours and _QUEUED.fullmatch(said) is not None
        return False


_WITH_YEAR = re.compile(rb"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?( ?[+-]\d\d:?\d\d|Z)? ")
_WITHOUT_YEAR = re.compile(rb"([A-Z][a-z]{2}) ([ \d]\d) (\d\d:\d\d:\d\d) ")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


def _stamp(line: bytes, written_until: float) -> datetime | None:
    """Return when a line was written; one without a year was in the year before ``written_until`` (a timestamp)."""
    with suppress(ValueError):
        if found := _WITH_YEAR.match(line):
            zone = (found[3] or b"").strip().replace(b":", b"").replace(b"Z", b"+0000").decode()
            day, clock = found[1].decode(), found[2].decode()
            if zone:
                return datetime.strptime(f"{day} {clock} {zone}", "%Y-%m-%d %H:%M:%S %z")
            return datetime.fromisoformat(f"{day} {clock}").astimezone()
        if found := _WITHOUT_YEAR.match(line):
            last = datetime.fromtimestamp(written_until, timezone.utc)
            month = _MONTHS.index(found[1]) + 1
            for year in (last.year + 1, last.year, last.year - 1):
                with suppress(ValueError):  # 29 February
                    day = f"{year}-{month:02d}-{int(found[2]):02d}"
                    at = datetime.fromisoformat(f"{day} {found[3].decode()}").astimezone()
                    if at <= last + timedelta(days=1):
                        return at
    return None


@dataclass(frozen=True)
class Records:
    """Several records, in the order in which they are asked. That none has a mail counts when all could be asked."""

    records: Sequence[MailRecord]

    @property
    def patience(self) -> timedelta:
        """See MailRecord.patience: that of the slowest."""
        return max(record.patience for record in self.records)

    def contains(self, message_id: str, *, since: datetime) -> bool:
        """See MailRecord.contains."""
        silent = []
        for record in self.records:
            try:
                if record.contains(message_id, since=since):
                    return True
            except TransientMailError as error:
                silent.append(str(error))
        if silent:
            raise TransientMailError(" ".join(silent))
        return False


def addresses(listed: str | None) -> list[str]:
    """Return the records' addresses in ``ENGAGEMENT_MAIL_RECORD``, in their order."""
    return [address for part in (listed or "").split(",") if (address := part.strip())]


def records_from(listed: str | None, imap_server: Callable[[str], ImapServer]) -> MailRecord | None:
    """Return the records that ``ENGAGEMENT_MAIL_RECORD`` lists; None when there are none. Raises ValueError."""
    records = [record_at(address, imap_server) for address in addresses(listed)]
    return Records(records) if records else None


def record_at(address: str, imap_server: Callable[[str], ImapServer]) -> MailRecord:
    """Return the record at an address.

    ``imap://archive_imap/INBOX`` is a folder of the account that Airflow's connection ``archive_imap`` names,
    ``log:///var/log/mail.log`` a relay's log, ``file:///folder`` a folder of mails; special characters, commas too, are
    written as in any URL. ``?seconds=900`` at its end: how long the record may take to have a mail, else its kind's
    patience. Raises ValueError for anything else.
    """
    parts = urlsplit(address)
    path, conn_id = unquote(parts.path), parts.netloc
    patience = dict[str, timedelta]()
    try:
        if parts.query:
            [(name, [seconds])] = parse_qs(parts.query, strict_parsing=True).items()
            patience["patience"] = timedelta(seconds=int(seconds))
            if name != "seconds" or int(seconds) < 0:
                raise ValueError
        if parts.scheme == "imap" and re.fullmatch(r"[\w.-]+", conn_id) and len(path) > 1 and not parts.fragment:
            return ImapRecord(lambda: imap_server(conn_id), path[1:], **patience)
        if parts.scheme in ("file", "log") and not conn_id and path.startswith("/") and not parts.fragment:
            return LogRecord(path, **patience) if parts.scheme == "log" else FolderRecord(path, **patience)
    except ValueError:
        pass
    raise ValueError(
        f"ENGAGEMENT_MAIL_RECORD must list imap://connection/folder, log:///file or file:///folder, not {address!r}."
    )

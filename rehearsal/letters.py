"""What the mail catcher received, read as its recipients would read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path

_TAG = re.compile(r"\+([^.@+]+)\.([^@]+)@")


@dataclass(frozen=True)
class Letter:
    """One received mail. ``engagement`` and ``request`` (upper, lower case) are where an answer goes, or empty.

    ``to_firm``: a client wrote it.
    """

    path: Path
    message_id: str
    to: tuple[str, ...]
    subject: str
    date: datetime | None
    attachments: tuple[str, ...]
    engagement: str
    request: str
    text: str = ""
    to_firm: bool = False


class Mailbox:
    """The catcher's folder; a message is parsed once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, Letter] = {}

    def letters(self) -> list[Letter]:
        """Return every mail that the firm sent, in the order of its file name."""
        for path in sorted(self._folder.glob("*.eml")):
            if path.name not in self._seen:
                self._seen[path.name] = read_letter(path)
        return [self._seen[name] for name in sorted(self._seen) if not self._seen[name].to_firm]


def read_letter(path: Path) -> Letter:
    """Read one message from its file."""
    message = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
    recipients = getaddresses([str(value) for value in message.get_all("To", [])])
    tag = _TAG.search(str(message.get("Reply-To", "")))
    date = str(message.get("Date", ""))
    body = message.get_body(("plain", "html"))
    return Letter(
        path=path,
        message_id=str(message.get("Message-ID", "")).strip(),
        to=tuple(address for _, address in recipients),
        subject=str(message.get("Subject", "")),
        date=parsedate_to_datetime(date) if date else None,
        attachments=tuple(part.get_filename() or "" for part in message.iter_attachments()),
        engagement=tag.group(1).upper() if tag else "",
        request=tag.group(2).lower() if tag else "",
        text=body.get_content() if body is not None else "",
        to_firm=any(_TAG.search(address) for _, address in recipients),
    )

"""The reply mailbox of an installation on one machine: what its mail catcher took for the firm's reply address.

The catcher keeps a message as ``<number>-….eml`` with its envelope beside it in ``<number>-….json``. A message that was
put away has an empty ``<number>-….read``; nothing is moved, since the catcher's page shows every mail.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from include.mail.imap import Waiting


@dataclass(frozen=True)
class CatcherMailbox:
    """A ``ReplyMailbox`` over the catcher's ``folder``; ``address`` is the firm's (plus-addresses belong to it)."""

    folder: Path
    address: str

    @property
    def name(self) -> str:
        """See ReplyMailbox.name."""
        return "mail-catcher"

    @property
    def uidvalidity(self) -> int:
        """See ReplyMailbox.uidvalidity: the catcher never gives a number twice."""
        return 1

    def waiting(self) -> list[Waiting]:
        """See ReplyMailbox.waiting."""
        return [
            Waiting(_number(path), path.stat().st_size)
            for path in sorted(self.folder.glob("[0-9]*-*.eml"))
            if not path.with_suffix(".read").exists() and self._is_for_us(path.with_suffix(".json"))
        ]

    def fetch(self, uid: int) -> bytes | None:
        """See ReplyMailbox.fetch."""
        path = self._path(uid)
        return None if path is None else path.read_bytes()

    def archive(self, uid: int) -> None:
        """See ReplyMailbox.archive."""
        path = self._path(uid)
        if path is not None:
            path.with_suffix(".read").touch()

    def _path(self, uid: int) -> Path | None:
        return next((path for path in self.folder.glob("[0-9]*-*.eml") if _number(path) == uid), None)

    def _is_for_us(self, envelope: Path) -> bool:
        if not envelope.exists():
            return False
        own, _, domain = self.address.casefold().rpartition("@")
        for recipient in json.loads(envelope.read_text(encoding="utf-8"))["rcpt_to"]:
            local, _, host = str(recipient).casefold().rpartition("@")
            if host == domain and local.partition("+")[0] == own:
                return True
        return False


def _number(path: Path) -> int:
    return int(path.name.partition("-")[0])

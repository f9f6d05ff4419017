"""Whether every document lies in storage as it was registered: what somebody changed, deleted or put there is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.register.models import Document, ErasedFile, IncomingMail, Mail
from include.storage.base import NotStored, Stored

FOLDER = "engagements"  # beneath it nothing lies that the register does not know
UNREGISTERED = ("facts/", "received/")  # what documents were made from; files that came and belong to no item yet


class Files(Protocol):
    """What is compared with the register: a storage, or a backup of one."""

    def sha256(self, path: str) -> str:
        """Return a file's SHA-256. Raises NotStored."""

    def exists(self, path: str) -> bool:
        """Say whether a file is there."""

    def list(self, prefix: str) -> list[Stored]:
        """Return the files beneath a folder."""


class Deviation(NamedTuple):
    """A file that is not as the register says."""

    path: str
    why: Literal["gone", "changed", "unknown"]


def deviations(session: Session, storage: Files) -> Iterator[Deviation]:
    """Read every registered file and compare its SHA-256; then look for files that nobody registered.

    What was erased has only its hash left in the register, and no file. Reads all that is stored: hours on a large
    installation. Raises StorageError when the storage does not answer.
    """
    known = set()
    erased = set(session.scalars(select(ErasedFile.path)))
    for path, sha256 in session.execute(select(Document.path, Document.sha256).order_by(Document.id)):
        if path in erased:
            continue
        known.add(path)
        try:
            if storage.sha256(path) != sha256:
                yield Deviation(path, "changed")
        except NotStored:
            yield Deviation(path, "gone")
    for mails in (Mail, IncomingMail):
        for mail in session.scalars(select(mails.path).where(mails.path.is_not(None)).order_by(mails.id)):
            assert mail is not None
            if mail in erased:
                continue
            known.add(mail)
            if not storage.exists(mail):
                yield Deviation(mail, "gone")
    for stored in storage.list(FOLDER):
        below = stored.path.split("/", 2)[-1]
        if stored.path not in known and not below.startswith(UNREGISTERED):
            yield Deviation(stored.path, "unknown")

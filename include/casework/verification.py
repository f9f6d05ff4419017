"""Whether every document lies in storage as it was registered: what somebody changed, deleted or put there is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.register.models import Document, Mail
from include.storage.base import NotStored, Storage

FOLDER = "engagements"
UNREGISTERED = ("facts/", "received/")  # what documents were made from; files that came and belong to no item yet


class Deviation(NamedTuple):
    """A file that is not as the register says."""

    path: str
    why: Literal["gone", "changed", "unknown"]


def deviations(session: Session, storage: Storage) -> Iterator[Deviation]:
    """Read every registered file and compare its SHA-256; then look for files that nobody registered.

    Reads all that is stored: hours on a large installation. Raises StorageError when the storage does not answer.
    """
    known = set()
    for path, sha256 in session.execute(select(Document.path, Document.sha256).order_by(Document.id)):
        known.add(path)
        try:
            if storage.sha256(path) != sha256:
                yield Deviation(path, "changed")
        except NotStored:
            yield Deviation(path, "gone")
    for mail in session.scalars(select(Mail.path).where(Mail.path.is_not(None)).order_by(Mail.id)):
        assert mail is not None
        known.add(mail)
        if not storage.exists(mail):
            yield Deviation(mail, "gone")
    for stored in storage.list(FOLDER):
        below = stored.path.split("/", 2)[-1]
        if stored.path not in known and not below.startswith(UNREGISTERED):
            yield Deviation(stored.path, "unknown")

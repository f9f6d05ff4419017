"""Where an answer goes: files and ``reply.json`` in the request's folder of the inbox, and a receipt that is kept.

Everything is named after the form's nonce, so the same form posted twice is one answer.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from include import clock
from include.casework.inbox_drop import UNKNOWN, Dropped, InboxBusy, joined_reply, stored_names
from include.engagement.replies import REPLY
from include.register.session import lock_number
from include.storage import Storage, safe_name
from include.storage.base import CHUNK_BYTES, NotStored
from portal.answers import Answer

WAITING = ".part"  # what a request's folder leaves alone
LOCK_SECONDS = 20


class TooLarge(Exception):
    """A file is larger than what is taken."""


@dataclass(frozen=True)
class Upload:
    """A file of a form: ``item`` is what it answers, empty when that was not said."""

    item: str
    name: str
    file: BinaryIO


@dataclass(frozen=True)
class Placed:
    """A file of an answer and the name it lies under, or is to lie under, in the request's folder."""

    item: str
    name: str
    size: int
    sha256: str
    stored: str


@dataclass(frozen=True)
class Received:
    """A file as it was stored: the name it came under, bytes, SHA-256 (hex)."""

    item: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Receipt:
    """What was received with one form, and when (UTC)."""

    at: datetime
    answers: int
    reply: str | None
    files: list[Received]


def receipt(storage: Storage, engagement_id: str, nonce: str) -> Receipt | None:
    """Return the receipt of a form, None when it was not posted."""
    try:
        kept = json.loads(storage.get(_receipt_path(engagement_id, nonce)))
    except NotStored:
        return None
    files = [Received(**file) for file in kept["files"]]
    return Receipt(datetime.fromisoformat(kept["at"]), kept["answers"], kept["reply"], files)


def drop(
    storage: Storage, engine: Engine, engagement_id: str, request_key: str, *, nonce: str, answer: Answer,
    uploads: Sequence[Upload], placed: Sequence[Placed] = (), file_bytes: int,
) -> Receipt:  # fmt: skip
    """Put an answer into the inbox, once per nonce, joined with a reply that was not read yet; return its receipt.

    The reply is put first: its manifest holds everything back until the last file is there. Raises TooLarge, InboxBusy,
    NotStored for a placed file that is not there, StorageError; whatever is raised, the same form can be posted again.
    """
    folder = f"inbox/{engagement_id}/{request_key}/"
    with _alone(engine, engagement_id), tempfile.TemporaryDirectory(prefix="upload-") as temporary:
        known = receipt(storage, engagement_id, nonce)
        if known is not None:
            return known
        for file in placed:
            if not any(storage.exists(folder + file.stored + ending) for ending in (WAITING, "")):
                raise NotStored(f"{file.stored} was announced and never came")
        copies = [
            _copied(upload, stored_name(upload.item, upload.name, mark=f"{nonce[:12]}{number}"), Path(temporary),
                    file_bytes=file_bytes)
            for number, upload in enumerate(uploads, 1)
        ]  # fmt: skip
        files = [*copies, *placed]
        reply = joined_reply(storage, folder, Dropped(
            answers=answer.answers, reply=answer.reply, message=answer.message, items=answer.items,
            hashes={file.stored: file.sha256 for file in files}, mark=nonce,
        ))  # fmt: skip
        storage.put(folder + REPLY, reply, media_type="application/json")
        for file in copies:
            storage.put_file(folder + file.stored, Path(temporary, file.stored), media_type=UNKNOWN)
        for file in placed:
            storage.move(folder + file.stored + WAITING, folder + file.stored)
        received = [Received(file.item, file.name, file.size, file.sha256) for file in files]
        made = Receipt(clock.now(), len(answer.answers), answer.reply, received)
        kept = {**asdict(made), "at": made.at.isoformat()}
        path = _receipt_path(engagement_id, nonce)
        storage.put(path, json.dumps(kept, ensure_ascii=False).encode(), media_type="application/json")
    return made


def stored_name(item: str, name: str, *, mark: str) -> str:
    """Return the name under which a file lies in the inbox: it begins with its item; ``mark`` makes it its own."""
    safe = safe_name(name)
    return stored_names([f"{item}-{safe}" if item else safe], mark=mark)[0]


def ask_for_new_link(storage: Storage, engagement_id: str, request_key: str) -> None:
    """Ask the pipeline for a new link: it goes to the address on file. Asked twice is asked once."""
    storage.put(f"inbox/_portal/{engagement_id}.{request_key}.json", b"{}", media_type="application/json")


def waits_to_be_read(storage: Storage, engagement_id: str, request_key: str) -> bool:
    """Say whether an answer lies in the inbox that the pipeline did not take in yet."""
    return storage.exists(f"inbox/{engagement_id}/{request_key}/{REPLY}")


def _receipt_path(engagement_id: str, nonce: str) -> str:
    return f"portal/receipts/{engagement_id}/{nonce}.json"


def _copied(upload: Upload, stored: str, folder: Path, *, file_bytes: int) -> Placed:
    """Copy a file to ``folder``, counting and hashing."""
    size, digest = 0, hashlib.sha256()
    with Path(folder, stored).open("wb") as copy:
        while piece := upload.file.read(CHUNK_BYTES):
            size += len(piece)
            if size > file_bytes:
                raise TooLarge(upload.name)
            digest.update(piece)
            copy.write(piece)
    return Placed(upload.item, safe_name(upload.name), size, digest.hexdigest(), stored)


@contextmanager
def _alone(engine: Engine, engagement_id: str) -> Iterator[None]:
    """Hold the engagement's lock, as whoever takes in answers does. Raises InboxBusy when it stays taken."""
    number = lock_number(f"engagement/{engagement_id}")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"set lock_timeout = '{LOCK_SECONDS}s'"))
        try:
            connection.execute(text("select pg_advisory_lock(:n)"), {"n": number})
        except OperationalError as error:
            raise InboxBusy("the pipeline is at work on it") from error
        try:
            yield
        finally:
            connection.execute(text("select pg_advisory_unlock(:n)"), {"n": number})

"""Where an answer goes: files and ``reply.json`` in the request's folder of the inbox, and a receipt that is kept.

Everything is named after the form's nonce, so the same form posted twice is one answer. The reply is put last: with
its manifest nothing half-written is ever read.
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
from typing import Any, BinaryIO

from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from include import clock
from include.engagement.errors import InvalidReply
from include.engagement.replies import LONGEST, MOST_ENTRIES, REPLY, UNFINISHED, parse_reply
from include.register.session import lock_number
from include.storage import Storage, safe_name
from include.storage.base import CHUNK_BYTES, NotStored
from portal.answers import Answer

UNKNOWN = "application/octet-stream"  # until it was looked at, nothing is of any kind
WAITING = ".part"  # what a request's folder leaves alone
LOCK_SECONDS = 20


class Busy(Exception):
    """The pipeline is at work on this engagement, or the last answer cannot be joined: come again in a moment."""


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
    """A file that the client's browser put into the storage itself, under ``stored`` with an ending that waits."""

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

    Raises TooLarge, Busy, NotStored for a placed file that is not there, StorageError; whatever is raised, the same
    form can be posted again.
    """
    folder = f"inbox/{engagement_id}/{request_key}/"
    with _alone(engine, engagement_id):
        known = receipt(storage, engagement_id, nonce)
        if known is not None:
            return known
        waiting = _waiting(storage, folder)
        received, manifest = [], dict[str, str]()
        for number, upload in enumerate(uploads, 1):
            stored = _put(storage, folder, upload, nonce=f"{nonce[:12]}{number}", file_bytes=file_bytes)
            received.append(stored[0])
            manifest[stored[1]] = stored[0].sha256
        for file in placed:
            storage.move(folder + file.stored + WAITING, folder + file.stored)
            received.append(Received(file.item, file.name, file.size, file.sha256))
            manifest[file.stored] = file.sha256
        reply = _joined(waiting, answer, manifest)
        storage.put(folder + REPLY, reply, media_type="application/json")
        made = Receipt(clock.now(), len(answer.answers), answer.reply, received)
        kept = {**asdict(made), "at": made.at.isoformat()}
        path = _receipt_path(engagement_id, nonce)
        storage.put(path, json.dumps(kept, ensure_ascii=False).encode(), media_type="application/json")
    return made


def stored_name(item: str, name: str, *, mark: str) -> str:
    """Return the name under which a file lies in the inbox: it begins with its item; ``mark`` makes it its own."""
    safe = safe_name(name)
    made = safe_name(f"{item}-{mark}-{safe}" if item else f"{mark}-{safe}")
    return f"{made}_" if made.casefold().endswith(UNFINISHED) else made  # else it would never be read


def ask_for_new_link(storage: Storage, engagement_id: str, request_key: str) -> None:
    """Ask the pipeline for a new link: it goes to the address on file. Asked twice is asked once."""
    storage.put(f"inbox/_portal/{engagement_id}.{request_key}.json", b"{}", media_type="application/json")


def waits_to_be_read(storage: Storage, engagement_id: str, request_key: str) -> bool:
    """Say whether an answer lies in the inbox that the pipeline did not take in yet."""
    return storage.exists(f"inbox/{engagement_id}/{request_key}/{REPLY}")


def _receipt_path(engagement_id: str, nonce: str) -> str:
    return f"portal/receipts/{engagement_id}/{nonce}.json"


def _put(storage: Storage, folder: str, upload: Upload, *, nonce: str, file_bytes: int) -> tuple[Received, str]:
    stored = stored_name(upload.item, upload.name, mark=nonce)
    size, digest = 0, hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix="upload-") as temporary:
        copy = Path(temporary, "file")
        with copy.open("wb") as file:
            while piece := upload.file.read(CHUNK_BYTES):
                size += len(piece)
                if size > file_bytes:
                    raise TooLarge(upload.name)
                digest.update(piece)
                file.write(piece)
        storage.put_file(folder + stored, copy, media_type=UNKNOWN)
    return Received(upload.item, safe_name(upload.name), size, digest.hexdigest()), stored


def _waiting(storage: Storage, folder: str) -> dict[str, Any]:
    """Return the reply that lies unread, as JSON; Busy when it is not whole or not ours to join."""
    try:
        data = storage.get(folder + REPLY)
    except NotStored:
        return {}
    try:
        reply = parse_reply(data)
    except InvalidReply:
        raise Busy from None
    return {"answers": reply.answers, "files": reply.files, "reply": reply.reply, "message": reply.message,
            "items": reply.items, "manifest": reply.manifest}  # fmt: skip


def _joined(waiting: dict[str, Any], answer: Answer, manifest: dict[str, str]) -> bytes:
    """Return the unread reply with this answer on top: what was said last counts."""
    reply = {
        "answers": {**waiting.get("answers", {}), **answer.answers},
        "files": waiting.get("files", {}),
        "reply": answer.reply or waiting.get("reply") or "",
        "message": answer.message or waiting.get("message", ""),
        "items": answer.items or waiting.get("items", []),
        "manifest": {**waiting.get("manifest", {}), **manifest},
    }
    data = json.dumps(reply, ensure_ascii=False).encode()
    if len(data) > LONGEST or len(reply["manifest"]) > MOST_ENTRIES:
        raise Busy
    return data


@contextmanager
def _alone(engine: Engine, engagement_id: str) -> Iterator[None]:
    """Hold the engagement's lock, as whoever takes in answers does. Raises Busy when it stays taken."""
    number = lock_number(f"engagement/{engagement_id}")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"set lock_timeout = '{LOCK_SECONDS}s'"))
        try:
            connection.execute(text("select pg_advisory_lock(:n)"), {"n": number})
        except OperationalError as error:
            raise Busy from error
        try:
            yield
        finally:
            connection.execute(text("select pg_advisory_unlock(:n)"), {"n": number})

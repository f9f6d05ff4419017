"""Putting an answer into a request's folder of the inbox: ``reply.json`` with the hashes of its files, and these.

Whoever drops holds the engagement's lock (``Office.case``). A reply that nobody has read yet is joined, never
replaced. Dropped again, the same answer changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from include.engagement.errors import InvalidReply
from include.engagement.replies import LONGEST, MOST_ENTRIES, REPLY, UNFINISHED, Reply, parse_reply
from include.engagement.text import cleaned
from include.storage import Storage, safe_name
from include.storage.base import NotStored

UNKNOWN = "application/octet-stream"  # until it was looked at, nothing is of any kind
NAME_BYTES = 100  # of a stored name, so that marks have room within what storage takes


class InboxBusy(Exception):
    """A reply lies in the inbox that cannot be joined: not whole yet, or full. Try again when it was taken in."""


@dataclass(frozen=True)
class Dropped:
    """An answer: a decision, a message, changes asked for, ``answers`` by item, ``files`` by stored name.

    ``hashes``: SHA-256 (hex) by stored name of files that the caller puts there itself, after the reply. ``mark``
    tells this answer from another with the same words.
    """

    answers: Mapping[str, str] = field(default_factory=dict)
    reply: str | None = None
    message: str = ""
    items: Sequence[str] = ()
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    hashes: Mapping[str, str] = field(default_factory=dict)
    mark: str = ""


def stored_names(names: Sequence[str], *, mark: str) -> list[str]:
    """Return safe names, each its own, that begin as the given ones do: items are told by how a name begins.

    ``mark`` tells this answer's files from all others: short, of letters and digits.
    """
    made = []
    for number, name in enumerate(names, 1):
        safe = safe_name(cleaned(name))
        stem, dot, ending = safe.rpartition(".")
        if not dot:
            stem, ending = safe, ""
        if f".{ending}".casefold() in UNFINISHED:
            ending += "_"  # a name that ends so counts as unfinished and would never be read
        stem = stem.encode()[:NAME_BYTES].decode(errors="ignore").rstrip(". ") or "file"
        made.append(safe_name(f"{stem}-{mark}{number}{dot}{ending}"))
    return made


def joined_reply(storage: Storage, folder: str, answer: Dropped) -> bytes:
    """Return the ``reply.json`` of ``folder`` with ``answer`` on top: what was said last counts. Raises InboxBusy."""
    waiting = _waiting(storage, folder)
    message = waiting.message
    if answer.message and answer.message not in message:
        message = f"{message}\n\n{answer.message}".strip()
    # What is not there died with whoever was to put it there: it must not hold back what comes now.
    whole = {name: sha256 for name, sha256 in waiting.manifest.items() if storage.exists(folder + name)}
    own = {name: hashlib.sha256(data).hexdigest() for name, data in answer.files.items()}
    manifest = {**whole, **own, **answer.hashes}
    reply = {
        "answers": {**waiting.answers, **answer.answers},
        "files": waiting.files,
        "reply": answer.reply or waiting.reply or "",
        "message": message,
        "items": list(answer.items) or waiting.items,
        "manifest": manifest,
        "mark": answer.mark,
    }
    data = json.dumps(reply, ensure_ascii=False, sort_keys=True).encode()
    if len(data) > LONGEST or len(manifest) > MOST_ENTRIES:
        raise InboxBusy("the reply in the inbox has no room left")
    return data


def drop(storage: Storage, folder: str, answer: Dropped, reply: bytes) -> None:
    """Put ``reply`` (of ``joined_reply``), then the files. Raises StorageError; the same call mends it.

    The reply comes first: from then on its manifest holds everything back until the last file is there, so a drop that
    dies halfway is not read by halves.
    """
    storage.put(folder + REPLY, reply, media_type="application/json")
    for name, data in answer.files.items():
        storage.put(folder + name, data, media_type=UNKNOWN)


def _waiting(storage: Storage, folder: str) -> Reply:
    try:
        return parse_reply(storage.get(folder + REPLY))
    except NotStored:
        return Reply(answers={}, files={}, reply=None, message="", items=[], manifest={})
    except InvalidReply as error:
        raise InboxBusy("the reply in the inbox is not whole") from error

"""Restoring an installation from a backup into empty databases and an empty storage, so that it can go on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.backup.backups import (
    AIRFLOW,
    FILES,
    REGISTER,
    Manifest,
    Sources,
    airflow_version,
    faults,
    read_manifest,
)
from include.backup.databases import is_empty, load
from include.backup.errors import BackupError
from include.backup.files import Index, Pool
from include.casework.verification import deviations
from include.documents.archive import facts_path
from include.mail.ledger import mark_restored
from include.register.models import Document
from include.register.session import known_schemas, migrate, sessions
from include.storage import Storage, open_storage, safe_name

ASIDE = "after-backup"
MARK = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{6})?-")  # see include.casework.receiving
BY = "khôi phục dữ liệu"
WHY = "Đã khôi phục từ bản sao lưu; kiểm tra theo hướng dẫn vận hành rồi mới cho gửi thư lại."
# In one transaction with the register itself: at no moment is there a restored register that would mail.
PAUSE = f"""
insert into public.installation (id) values (1) on conflict do nothing;
update public.installation set mail_paused_at = now(), mail_paused_by = '{BY}', mail_paused_why = '{WHY}';
"""


@dataclass
class Restored:
    """What came of a restore. ``moment``: what the register knows ends there.

    ``in_doubt``: mails that waited then and may have gone since. ``aside``: files that came later and were set aside.
    ``back``: answers that the register does not know, put back into the inbox. ``off``: files that are not as the
    register says.
    """

    moment: datetime
    in_doubt: int = 0
    aside: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    off: list[str] = field(default_factory=list)


def restore(place: Path, target: Sources, *, storage_stays: bool = False) -> Restored:
    """Restore the backup at ``place``; nothing of the installation may be running.

    With ``storage_stays`` the storage was not lost: it is kept as it is, later files and all. Raises BackupError, also
    when a database or the storage holds something, StorageError.
    """
    manifest = read_manifest(place)
    _refuse_unfit(place, manifest)
    storage = open_storage(target.storage_url)
    for url, name in ((target.register_url, "register"), (target.airflow_url, "Airflow")):
        if not is_empty(url):
            raise BackupError(f"The database of {name} is not empty: a restore never overwrites. Name an empty one.")
    if not storage_stays:
        if any(islice(storage.list(""), 1)):
            raise BackupError(f"The storage {storage.url('x')[:-2]} is not empty: a restore never overwrites.")
        Pool(place.parent / "files").give_back(Index.read(place / FILES), storage)
    load(place / AIRFLOW, target.airflow_url)
    load(place / REGISTER, target.register_url, finally_=PAUSE)
    return settle(place, target)


def settle(place: Path, target: Sources) -> Restored:
    """Bring a register that was loaded and the storage into a state to go on from. May be done again after a crash."""
    done = Restored(datetime.fromisoformat(read_manifest(place).moment))
    storage = open_storage(target.storage_url)
    migrate(target.register_url)
    with sessions(target.register_url)() as session:
        done.in_doubt = mark_restored(session, to=done.moment, by=BY, why=WHY)
        _put_back(session, storage, done)
        _set_aside(session, storage, done)
        done.off = [f"{each.why}: {each.path}" for each in deviations(session, storage)]
    return done


def _refuse_unfit(place: Path, manifest: Manifest) -> None:
    if manifest.register_revision not in known_schemas():
        raise BackupError(
            f"The backup's register has the schema {manifest.register_revision}, which this version does not know: "
            "restore with the version that made the backup, or a newer one."
        )
    here = airflow_version()
    if _numbers(manifest.airflow_version) > _numbers(here):
        raise BackupError(f"The backup is of Airflow {manifest.airflow_version}, here is {here}: install that one.")
    for fault in faults(place):
        raise BackupError(f"The backup is damaged: {fault}. Take another one.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _put_back(session: Session, storage: Storage, done: Restored) -> None:
    """Put answers that were taken in after the register's moment back into the inbox; take out what it knows."""
    rows = session.execute(select(Document.path, Document.engagement_id, Document.occasion)).all()
    known = {path for path, _, _ in rows}
    taken = {
        (engagement, *occasion.split("/")[1:3])
        for _, engagement, occasion in rows if occasion.startswith("received/")
    }  # fmt: skip
    for stored in storage.list("inbox"):
        parts = stored.path.split("/")
        if len(parts) > 3 and (parts[1], parts[2], storage.sha256(stored.path)[:16]) in taken:
            storage.delete(stored.path)
    for path in _unknown_answers(storage, known):
        _, engagement, _, folder, name = path.split("/", 4)
        target = f"inbox/{engagement}/{folder}/{safe_name(MARK.sub('', name))}"
        if not storage.exists(target):
            storage.move(path, target)
            done.back.append(target)


def _unknown_answers(storage: Storage, known: set[str]) -> Iterator[str]:
    for stored in storage.list("engagements"):
        parts = stored.path.split("/")
        if len(parts) == 5 and parts[2] in ("received", "quarantine") and stored.path not in known:
            yield stored.path


def _is_facts(path: str) -> bool:
    return path.split("/")[2:3] == ["facts"]


def _set_aside(session: Session, storage: Storage, done: Restored) -> None:
    """Move what came after the register's moment out of the way of the work that is done again; nothing is deleted."""
    rows = session.execute(select(Document.path, Document.engagement_id, Document.key, Document.version)).all()
    paths = {path for path, *_ in rows}
    facts = {facts_path(engagement, key, version) for _, engagement, key, version in rows}
    unknown = {each.path for each in deviations(session, storage) if each.why == "unknown"}
    unknown |= {each.path for each in storage.list("engagements") if _is_facts(each.path) and each.path not in facts}
    for path in sorted({*unknown, *_unknown_answers(storage, paths)}):
        target = f"{ASIDE}/{done.moment:%Y-%m-%dT%H-%M-%SZ}/{path}"
        storage.move(path, target)
        done.aside.append(target)

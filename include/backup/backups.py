"""Making backups, looking whether they are whole, keeping as many as are wanted."""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from include.backup.databases import Snapshot, dump, snapshot
from include.backup.errors import BackupError
from include.backup.files import Index, Pool
from include.casework.verification import Deviation, deviations
from include.storage import NotStored, Storage, open_storage
from include.storage.base import digest

FORMAT = 1
MANIFEST, FILES, ADDED = "manifest.json", "files.jsonl.gz", "added"
REGISTER, AIRFLOW = "register.sql.gz", "airflow.sql.gz"
NAMES = "%Y-%m-%dT%H-%M-%S.%fZ"
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Sources:
    """An installation: SQLAlchemy's URLs of its two databases, and the address of its storage."""

    register_url: str
    airflow_url: str
    storage_url: str

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Sources:
        """Return what the environment names. Raises BackupError for what is missing."""
        names = ("ENGAGEMENT_REGISTER_URL", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "ENGAGEMENT_STORAGE_URL")
        missing = [name for name in names if not env.get(name)]
        if missing:
            raise BackupError(f"Set {', '.join(missing)}: a backup is of register, Airflow's database and storage.")
        return cls(*(env[name] for name in names))


@dataclass(frozen=True)
class Manifest:
    """What a backup is of. ``moment``: the register's (ISO, UTC). ``sums``: SHA-256 of its own files.

    ``deviations``: files that are not in storage as the register says; they were so before the backup was made.
    """

    format: int
    moment: str
    register_revision: str
    airflow_version: str
    airflow_revision: str
    server: int
    files: int
    bytes: int
    deviations: list[str]
    sums: dict[str, str]


def make_backup(sources: Sources, folder: Path, *, add: Sequence[Path] = (), keep: int | None = None) -> Path:
    """Make a backup in ``folder`` and return its place; afterwards keep the newest of each of the last ``keep`` days.

    ``add``: folders and files beside the installation (its keys) that belong to it. A backup appears under its name
    when it is whole. Older ones are deleted only if every file was as the register says. Raises BackupError,
    StorageError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder):
        for leftover in folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(leftover)
        unfinished = folder / f"{UNFINISHED}{os.getpid()}"
        unfinished.mkdir(mode=0o700)
        manifest = _made(sources, unfinished, Pool(folder / "files"), _newest_index(folder), add)
        place = folder / datetime.fromisoformat(manifest.moment).strftime(NAMES)
        unfinished.rename(place)
        _sync(folder)
        if keep is not None and not manifest.deviations:
            _rotate(folder, keep)
    return place


def backups(folder: Path) -> list[Path]:
    """Return the backups of a folder, the oldest first."""
    return sorted(path.parent for path in folder.glob(f"*/{MANIFEST}") if not path.parent.name.startswith("."))


def read_manifest(place: Path) -> Manifest:
    """Return what a backup is of. Raises BackupError for what is none, or one of another kind than this code makes."""
    try:
        known = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BackupError(f"{place} is no backup: it has no readable {MANIFEST}.") from None
    if known.get("format") != FORMAT:
        raise BackupError(f"{place} has the format {known.get('format')}; this version reads {FORMAT}.")
    return Manifest(**known)


def faults(place: Path) -> Iterator[str]:
    """Read all of a backup and say what is not as it was written. Raises BackupError for what is none."""
    changed = set[str]()
    for name, sha256 in read_manifest(place).sums.items():
        try:
            with (place / name).open("rb") as file:
                if digest(file) != sha256:
                    changed.add(name)
                    yield f"{name} was changed"
        except FileNotFoundError:
            changed.add(name)
            yield f"{name} is gone"
    if FILES not in changed:
        for kept in Pool(place.parent / "files").damaged(Index.read(place / FILES).files.values()):
            yield f"the content of {kept.path} is gone or was changed"


def _made(sources: Sources, place: Path, pool: Pool, known: Index, add: Sequence[Path]) -> Manifest:
    storage, index = open_storage(sources.storage_url), Index()
    _copy(storage, "inbox", pool, known, index)
    with snapshot(sources.airflow_url) as airflow, snapshot(sources.register_url) as register:
        dump(airflow, place / AIRFLOW)
        dump(register, place / REGISTER)
        _copy(storage, "", pool, known, index)
        with Session(register.connection) as session:
            off = [_named(each) for each in deviations(session, index) if each.why != "unknown"]
        index.write(place / FILES)
        for path in add:
            target = place / ADDED / path.name
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, _parent_made(target))
        own = sorted(path for path in place.rglob("*") if path.is_file())
        manifest = Manifest(
            format=FORMAT,
            moment=register.at.astimezone(timezone.utc).isoformat(),
            register_revision=_revision(register),
            airflow_version=airflow_version(),
            airflow_revision=_revision(airflow),
            server=register.server,
            files=len(index.files),
            bytes=sum(kept.size for kept in index.files.values()),
            deviations=off,
            sums={str(path.relative_to(place)): _synced_digest(path) for path in own},
        )
    text_ = json.dumps(asdict(manifest), ensure_ascii=False, indent=1) + "\n"
    (place / MANIFEST).write_text(text_, encoding="utf-8")
    _synced_digest(place / MANIFEST)
    return manifest


def _copy(storage: Storage, prefix: str, pool: Pool, known: Index, index: Index) -> None:
    for stored in storage.list(prefix):
        try:
            index.files[stored.path] = pool.take(storage, stored, known.files.get(stored.path))
        except NotStored:
            continue  # out of the inbox meanwhile; what the register names is looked for when all is copied


def _named(deviation: Deviation) -> str:
    return f"{deviation.why}: {deviation.path}"


def _newest_index(folder: Path) -> Index:
    made = backups(folder)
    return Index.read(made[-1] / FILES) if made else Index()


def _revision(of: Snapshot) -> str:
    return str(of.connection.scalar(text("select version_num from alembic_version")))


def airflow_version() -> str:
    """Return the version of Airflow that is installed here."""
    return importlib.metadata.version("apache-airflow-core")


def _rotate(folder: Path, keep: int) -> None:
    """Keep the newest backup of each of the last ``keep`` days on which there is one."""
    newest = {place.name[:10]: place for place in backups(folder)}  # of a day, the later one wins
    kept = {newest[day] for day in sorted(newest)[-keep:]}
    for place in backups(folder):
        if place not in kept:
            shutil.rmtree(place)
    wanted = {each.sha256 for place in kept for each in Index.read(place / FILES).files.values()}
    Pool(folder / "files").forget_all_but(wanted)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"Another backup into {folder} is under way.") from None
        yield


def _parent_made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _synced_digest(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return digest(file)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

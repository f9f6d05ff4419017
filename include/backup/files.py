"""The files of backups: each content once, under its SHA-256, however many backups name it."""

from __future__ import annotations

import gzip
import hashlib
import json
import mimetypes
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from include.backup.errors import BackupError
from include.storage.base import CHUNK_BYTES, NotStored, Storage, Stored, UnsafePath, digest, safe_name, safe_path


@dataclass(frozen=True)
class Kept:
    """A file of a backup. ``etag`` is the storage's: a file that has it still needs no second copy. ``size``: bytes."""

    path: str
    sha256: str
    size: int
    etag: str


@dataclass
class Index:
    """The files of one backup by their paths; reads as a storage does for whoever compares it with the register."""

    files: dict[str, Kept] = field(default_factory=dict)

    def sha256(self, path: str) -> str:
        """Return a file's SHA-256. Raises NotStored."""
        try:
            return self.files[path].sha256
        except KeyError:
            raise NotStored(f"No file in the backup under {path!r}.") from None

    def exists(self, path: str) -> bool:
        """Say whether the backup has a file."""
        return path in self.files

    def list(self, prefix: str) -> list[Stored]:
        """Return the files beneath a folder, ordered by path."""
        below = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        return [
            Stored(kept.path, kept.size, 0.0, kept.etag)
            for path, kept in sorted(self.files.items()) if path.startswith(below)
        ]  # fmt: skip

    def write(self, path: Path) -> None:
        """Write the index, a line of JSON for each file, compressed."""
        with gzip.open(path, "wt", encoding="utf-8") as file:
            for _, kept in sorted(self.files.items()):
                file.write(json.dumps(asdict(kept), ensure_ascii=True) + "\n")

    @classmethod
    def read(cls, path: Path) -> Index:
        """Return an index that was written."""
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return cls({kept.path: kept for kept in (Kept(**json.loads(line)) for line in file)})


@dataclass(frozen=True)
class Pool:
    """The contents that the backups of one folder share."""

    root: Path

    def take(self, storage: Storage, stored: Stored, known: Kept | None) -> Kept:
        """Keep a file of the storage, read only if ``known`` is not it. Raises NotStored, StorageError."""
        if known and (known.size, known.etag) == (stored.size, stored.etag) and self.at(known.sha256).exists():
            return known
        self.root.mkdir(parents=True, exist_ok=True)
        unfinished = self.root / f".unfinished-{uuid.uuid4().hex}"
        sha256, size = hashlib.sha256(), 0
        try:
            with storage.open(stored.path) as source, unfinished.open("xb") as copy:
                while chunk := source.read(CHUNK_BYTES):
                    sha256.update(chunk)
                    copy.write(chunk)
                    size += len(chunk)
                copy.flush()
                os.fsync(copy.fileno())
            kept = Kept(stored.path, sha256.hexdigest(), size, stored.etag if size == stored.size else "")
            place = self.at(kept.sha256)
            place.parent.mkdir(exist_ok=True)
            unfinished.replace(place)
        finally:
            unfinished.unlink(missing_ok=True)
        return kept

    def at(self, sha256: str) -> Path:
        """Return where a content lies."""
        return self.root / sha256[:2] / sha256

    def damaged(self, files: Iterable[Kept]) -> Iterator[Kept]:
        """Read every content and return what is not there or not what its name says."""
        whole = set[str]()
        for kept in files:
            if kept.sha256 in whole:
                continue
            try:
                with self.at(kept.sha256).open("rb") as file:
                    if digest(file) == kept.sha256:
                        whole.add(kept.sha256)
                        continue
            except FileNotFoundError:
                pass
            yield kept

    def forget_all_but(self, wanted: set[str]) -> int:
        """Delete the contents that no backup names any more; return their number."""
        unwanted = [path for path in self.root.glob("*/*") if path.name not in wanted]
        for path in (*unwanted, *self.root.glob(".unfinished-*")):
            path.unlink()
        return len(unwanted)

    def give_back(self, index: Index, storage: Storage) -> None:
        """Put every file of a backup into a storage. Raises BackupError, StorageError."""
        for kept in index.files.values():
            source = self.at(kept.sha256)
            if not source.exists():
                raise BackupError(f"The backup lacks the content of {kept.path!r}.")
            storage.put_file(_writable(kept.path), source, media_type=_media_type(kept.path))


def _writable(path: str) -> str:
    """Return the path, or one like it: strangers put files into the inbox under names that not every storage takes."""
    try:
        return safe_path(path)
    except UnsafePath:
        return "/".join(safe_name(segment) for segment in path.split("/"))


def _media_type(path: str) -> str:
    return mimetypes.guess_type(path)[0] or "application/octet-stream"

"""Storage in a folder."""

from __future__ import annotations

import errno
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from include.storage.base import (
    CHUNK_BYTES,
    TEMPORARY_PREFIX,
    NotStored,
    StorageError,
    StorageFull,
    Stored,
    UnsafePath,
    digest,
    known_path,
    safe_path,
)


class LocalStorage:
    """A folder of one machine, or one that several machines mount.

    A file appears under its name by ``rename``, after its bytes are on disk. Links and anything that is not a
    plain file are passed over: whoever may write to the inbox must not lead readers elsewhere.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def put(self, path: str, data: bytes, *, media_type: str) -> None:
        """See Storage.put; a folder keeps no media type."""
        with self._reported(path):
            target = self._target(path)
            with self._temporary(target.parent) as temporary:
                with open(temporary, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, target)
            _sync_folder(target.parent)

    def put_file(self, path: str, source: Path, *, media_type: str) -> None:
        """See Storage.put_file; a folder keeps no media type."""
        with self._reported(path):
            target = self._target(path)
            with open(source, "rb") as original:
                self._fill(target, original)
            _sync_folder(target.parent)

    def get(self, path: str) -> bytes:
        """See Storage.get."""
        with self._reported(path), self.open(path) as file:
            return file.read()

    def open(self, path: str) -> BinaryIO:
        """See Storage.open."""
        with self._reported(path):
            # A pipe that somebody put into the inbox must not hold the reader up.
            descriptor = os.open(self._file(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise NotStored(f"No file in storage under {path!r}.")
            return os.fdopen(descriptor, "rb")

    def exists(self, path: str) -> bool:
        """See Storage.exists."""
        with self._reported(path):
            try:
                return stat.S_ISREG(os.lstat(self._file(path)).st_mode)
            except (FileNotFoundError, NotADirectoryError):
                return False

    def list(self, prefix: str) -> list[Stored]:
        """See Storage.list."""
        folder = prefix.strip("/")
        with self._reported(prefix):
            top = self._file(folder) if folder else self.root
            now = time.time()
            found = [_stored(entry, self.root, now) for entry in _files(top)]
        return sorted((each for each in found if each), key=lambda each: each.path)

    def move(self, source: str, target: str) -> None:
        """See Storage.move."""
        with self._reported(source):
            origin, goal = self._file(source), self._target(target)
            if not self.exists(source):
                if self.exists(target):
                    return
                raise NotStored(f"No file in storage under {source!r}, nor moved to {target!r}.")
            try:
                os.replace(origin, goal)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                # The inbox may be a mount of its own.
                self._copy(source, goal)
                os.unlink(origin)
            _sync_folder(goal.parent)
            _sync_folder(origin.parent)

    def delete(self, path: str) -> None:
        """See Storage.delete."""
        with self._reported(path), suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(self._file(path))

    def url(self, path: str) -> str:
        """See Storage.url."""
        return (self.root.absolute() / known_path(path)).as_uri()

    def sha256(self, path: str) -> str:
        """See Storage.sha256."""
        with self._reported(path), self.open(path) as file:
            return digest(file)

    def upload(self, path: str, *, size: int, sha256: str, media_type: str, seconds: int) -> None:
        """See Storage.upload: nobody reaches a folder from outside."""

    def check(self) -> None:
        """See Storage.check."""
        probe = f".check-{uuid.uuid4().hex}"
        self.put(probe, b"check", media_type="text/plain")
        try:
            if self.get(probe) != b"check":
                raise StorageError(f"Storage folder {self.root} does not give back what was written to it.")
        finally:
            self.delete(probe)

    def _file(self, path: str) -> Path:
        file = self.root / known_path(path)
        root = os.path.realpath(self.root)
        if os.path.commonpath([root, os.path.realpath(file.parent)]) != root:
            raise UnsafePath(f"A link leads out of the storage: {path!r}.")
        return file

    def _target(self, path: str) -> Path:
        target = self._file(safe_path(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    @contextmanager
    def _temporary(self, folder: Path) -> Iterator[Path]:
        temporary = folder / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _copy(self, source: str, goal: Path) -> None:
        with self.open(source) as original:
            self._fill(goal, original)

    def _fill(self, goal: Path, original: BinaryIO) -> None:
        with self._temporary(goal.parent) as temporary:
            with open(temporary, "wb") as copy:
                while chunk := original.read(CHUNK_BYTES):
                    copy.write(chunk)
                copy.flush()
                os.fsync(copy.fileno())
            os.replace(temporary, goal)

    @contextmanager
    def _reported(self, path: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotStored(f"No file in storage under {path!r}.") from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(
                    f"The disk that holds the storage folder {self.root} is full: free some space, then try again."
                ) from error
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise StorageError(
                    f"No permission in the storage folder {self.root} ({path!r}): let the user that runs this "
                    "write there."
                ) from error
            raise StorageError(f"Storage folder {self.root}, {path!r}: {error.strerror or error}.") from error


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(Path(entry.path))
                elif entry.is_file(follow_symlinks=False) and not entry.name.startswith(TEMPORARY_PREFIX):
                    yield entry
    except (FileNotFoundError, NotADirectoryError):
        return


def _stored(entry: os.DirEntry[str], root: Path, now: float) -> Stored | None:
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    # Copying programs set times of their own; one ahead of the clock would never grow old.
    changed = found.st_mtime if found.st_mtime <= now else found.st_ctime
    return Stored(
        path=Path(entry.path).relative_to(root).as_posix(),
        size=found.st_size,
        age_seconds=max(0.0, now - changed),
        etag=f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}",
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The storage: what this process may do there, who else may, and the room that is left."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from include.production import LOOPBACK, Environment, Finding
from include.storage import Storage, StorageError, open_storage

LEAST_BYTES, FEW_BYTES = 2_000_000_000, 20_000_000_000  # a single request may bring 5 GB


def storage_findings(
    env: Environment, *, portal: bool, opener: Callable[[str], Storage] = open_storage
) -> Iterator[Finding]:
    """Write, read and delete in the storage, where this process has to."""
    url = env.get("ENGAGEMENT_STORAGE_URL", "")
    parts = urlsplit(url)
    try:
        storage = opener(url)
        if portal:
            _try_portal_folder(storage)
        else:
            storage.check()
            storage.list("inbox")
    except StorageError as error:
        yield Finding("refused", "Storage", str(error), "mend what it says; see ENGAGEMENT_STORAGE_URL in .env.example")
        return
    yield Finding("ok", "Storage", "takes, gives back and deletes files")
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        yield folder_finding(folder, folder.stat().st_mode)
        yield from disk_findings(folder, shutil.disk_usage(folder).free)
    endpoint = urlsplit(dict(parse_qsl(parts.query)).get("endpoint", ""))
    if endpoint.scheme == "http" and endpoint.hostname not in LOOPBACK:
        yield Finding("refused", "Storage", "is reached without TLS", "give an https endpoint")


def _try_portal_folder(storage: Storage) -> None:
    probe = f"portal/.check-{uuid.uuid4().hex}"
    storage.put(probe, b"check", media_type="text/plain")
    try:
        if storage.get(probe) != b"check":
            raise StorageError("The storage does not give back what was written to it.")
    finally:
        storage.delete(probe)


def folder_finding(folder: Path, mode: int) -> Finding:
    """Judge who may enter the folder with the clients' files."""
    if mode & 0o007:
        return Finding("refused", "Storage", f"every account may enter {folder} (mode {mode & 0o777:o})",
                       f"chmod o-rwx {folder}")  # fmt: skip
    return Finding("ok", "Storage", "is closed to other accounts")


def disk_findings(folder: Path, free: int) -> Iterator[Finding]:
    """Judge the room that is left, in bytes."""
    left, mend = f"{free / 1e9:.1f} GB are left on the disk of {folder}", "free some, or move the storage"
    if free < LEAST_BYTES:
        yield Finding("refused", "Disk", left, mend)
    elif free < FEW_BYTES:
        yield Finding("warning", "Disk", left, mend)
    else:
        yield Finding("ok", "Disk", left)

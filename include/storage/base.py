"""What storage does, whatever holds the files; which names are fit for it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

SEGMENT_BYTES = 150  # leaves room below the 255 bytes of common file systems
PATH_BYTES = 900  # S3 allows keys of 1024 bytes, prefix included
CHUNK_BYTES = 1 << 20
TEMPORARY_PREFIX = ".put-"  # names under which a folder keeps what is not whole yet

# Reserved by Windows, in whose Explorer staff open these files.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"|?*]')


class StorageError(Exception):
    """Storage did not do what it was asked; the message says what to mend."""


class StorageFull(StorageError):
    """No room is left on the device, or a quota is used up."""


class NotStored(StorageError):
    """Nothing lies under this path."""


class UnsafePath(StorageError):
    """The path could leave the storage, or could not be kept everywhere."""


@dataclass(frozen=True)
class Stored:
    """A file in storage.

    ``size`` in bytes. ``age_seconds``: since its last change, by the storage's own clock. ``etag`` changes
    when the file does. ``path`` is as found: what outsiders put there may have names that ``safe_path`` refuses.
    """

    path: str
    size: int
    age_seconds: float
    etag: str


@dataclass(frozen=True)
class UploadAddress:
    """A PUT that the storage takes from whoever has the ``url``, with just these headers."""

    url: str
    headers: dict[str, str]


class Storage(Protocol):
    """Files under paths with ``/``. Written paths must pass ``safe_path``; read ones may be what ``list`` found.

    Every method raises ``StorageError``: ``UnsafePath``, ``NotStored``, ``StorageFull`` or, for anything
    else that the storage answers, the bare class.
    """

    def put(self, path: str, data: bytes, *, media_type: str) -> None:
        """Keep ``data`` under ``path``, replacing what was there: nobody ever sees a part of it."""

    def put_file(self, path: str, source: Path, *, media_type: str) -> None:
        """Keep the file at ``source`` on this machine under ``path``, piece by piece; otherwise as ``put``."""

    def get(self, path: str) -> bytes:
        """Return the whole file."""

    def open(self, path: str) -> BinaryIO:
        """Return the file opened for reading, with ``seek``; the caller closes it."""

    def exists(self, path: str) -> bool:
        """Say whether a file lies under ``path``."""

    def list(self, prefix: str) -> list[Stored]:
        """Return all files beneath the folder ``prefix`` (``""``: all), ordered by path."""

    def move(self, source: str, target: str) -> None:
        """Move a file, replacing ``target``. Moved already (source gone, target there) counts as done."""

    def delete(self, path: str) -> None:
        """Delete a file; one that is not there counts as deleted."""

    def url(self, path: str) -> str:
        """Return the address of ``path`` as staff write it: ``file://…`` or ``s3://…``."""

    def sha256(self, path: str) -> str:
        """Return the hex digest of the file, read piece by piece."""

    def upload(self, path: str, *, size: int, sha256: str, media_type: str, seconds: int) -> UploadAddress | None:
        """Return how somebody else may put this one file (``size`` bytes) under ``path`` within ``seconds``.

        None: this storage cannot be reached from outside.
        """

    def check(self) -> None:
        """Raise ``StorageError`` when files cannot be written, read and deleted here."""


def open_storage(url: str) -> Storage:
    """Return the storage at ``file:///folder`` or ``s3://bucket/prefix[?endpoint=…&region=…]``.

    Nothing is contacted or created before the first use. Credentials of S3 come from where boto3 finds them.
    Raises StorageError for any other address.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        from include.storage.local import LocalStorage

        return LocalStorage(unquote(parts.path))
    if parts.scheme == "s3" and parts.netloc:
        from include.storage.s3 import S3Storage

        options = dict(parse_qsl(parts.query))
        unknown = options.keys() - {"endpoint", "region"}
        if unknown:
            raise StorageError(f"Storage address has unknown options: {', '.join(sorted(unknown))}.")
        return S3Storage(
            parts.netloc,
            unquote(parts.path).strip("/"),
            endpoint=options.get("endpoint"),
            region=options.get("region"),
        )
    raise StorageError(f"Storage address must be file:///folder or s3://bucket/prefix, not {url!r}.")


def safe_path(path: str) -> str:
    """Return ``path`` if it can be written in every storage, else raise UnsafePath.

    Relative, segments joined by single ``/``, no ``.`` or ``..``, no control characters, NFC, each segment at
    most ``SEGMENT_BYTES`` bytes of UTF-8.
    """
    known_path(path)
    if unicodedata.normalize("NFC", path) != path:
        raise UnsafePath(f"Path is not in Unicode form NFC: {path!r}.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        raise UnsafePath(f"Path has control characters: {path!r}.")
    if len(path.encode()) > PATH_BYTES:
        raise UnsafePath(f"Path is longer than {PATH_BYTES} bytes: {path!r}.")
    for segment in path.split("/"):
        if len(segment.encode()) > SEGMENT_BYTES:
            raise UnsafePath(f"A name in the path is longer than {SEGMENT_BYTES} bytes: {path!r}.")
        if segment.startswith(TEMPORARY_PREFIX):
            raise UnsafePath(f"Names beginning with {TEMPORARY_PREFIX!r} are kept for files not whole yet: {path!r}.")
    return path


def known_path(path: str) -> str:
    """Return ``path`` if it cannot leave the storage, else raise UnsafePath. Looser than ``safe_path``:
    outsiders put files into the inbox under names of their own, and these must be readable and movable."""
    if not path or "\0" in path or any(segment in ("", ".", "..") for segment in path.split("/")):
        raise UnsafePath(f"Path is empty, absolute or has empty, '.' or '..' segments: {path!r}.")
    return path


def safe_name(name: str) -> str:
    """Return a storable file name made from a client's: NFC, its own letters, its extension.

    Drops folders, control, format and bidirectional characters, leading dots, trailing dots and blanks; takes
    ``_`` for what Windows forbids and before its device names; cuts to ``SEGMENT_BYTES`` bytes of UTF-8.
    A name of which nothing is left becomes ``file``. A name made so is made into itself.
    """
    stored = _storable(name)
    # Cutting may lay bare an ending that reads as an extension.
    while (again := _storable(stored)) != stored:
        stored = again
    return stored


def _storable(name: str) -> str:
    composed = unicodedata.normalize("NFC", name)
    last = re.split(r"[/\\]", composed.rstrip("/\\"))[-1]
    blanked = re.sub(r"\s+", " ", last)
    visible = "".join(c for c in blanked if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
    plain = unicodedata.normalize("NFC", _FORBIDDEN.sub("_", re.sub(" +", " ", visible))).strip(". ")
    stem, dot, extension = plain.rpartition(".")
    if not dot:
        stem, extension = plain, ""
    if len(extension.encode()) > 20 or " " in extension:
        stem, dot, extension = plain, "", ""
    if _DEVICE.fullmatch(plain.partition(".")[0].rstrip()):
        stem = f"_{stem}"
    stem = _cut(stem, SEGMENT_BYTES - len((dot + extension).encode())).rstrip(". ")
    return f"{stem}{dot}{extension}" if stem else "file"


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def digest(stream: BinaryIO) -> str:
    """Return the SHA-256 of what is left in ``stream``, as hex."""
    sha256 = hashlib.sha256()
    while chunk := stream.read(CHUNK_BYTES):
        sha256.update(chunk)
    return sha256.hexdigest()

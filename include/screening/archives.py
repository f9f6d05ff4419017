"""Archives and what is packed in them, Office files among them: measured while unpacking, for headers lie."""

from __future__ import annotations

import io
import itertools
import re
import stat
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from include.engagement.text import BIDI
from include.screening.content import Watch, kind_of, refuse_program
from include.screening.limits import MEBIBYTE, Limits
from include.screening.office import Office
from include.screening.refusal import Refused

_CHUNK = 1 << 16
_DIRECTORY_BYTES = 4 * MEBIBYTE  # the list of what is packed: read as a whole before anything else
_END_BYTES = 22 + 65_535
_STORED, _DEFLATED = 0, 8
_LONGEST_NAME = 255  # characters of one name, in Windows and most file systems
# Windows opens the device whatever ending follows.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])[ .]*(?:\.|$)", re.IGNORECASE)
_OLE_PACKAGE = "\x01Ole10Native".encode("utf-16-le")


@dataclass
class Budget:
    """What is left to spend on one file, at every depth together: bytes unpacked and parts."""

    unpacked_bytes: int
    parts: int


def check_archive(file: BinaryIO, limits: Limits, *, budget: Budget | None = None, depth: int = 1) -> str:
    """Return ``docx``, ``xlsx``, ``office`` (any other of the kind) or ``zip``; raise Refused for what could hurt.

    ``file`` can seek. Everything is unpacked once, piece by piece, and kept only to look into archives within.
    """
    if depth > limits.depth:
        raise Refused("nested_too_deep", f"archives within archives beyond {limits.depth}")
    budget = budget or Budget(limits.unpacked_bytes, limits.parts)
    entries = _entries(file, budget)
    office = Office(limits) if any(entry.filename.lower() == "[content_types].xml" for entry in entries) else None
    _refuse_layout(file, entries)
    for entry in sorted(entries, key=lambda entry: entry.filename.lower() != "[content_types].xml"):
        if entry.is_dir():
            continue
        _refuse_name(entry)
        if office:
            office.see_name(entry.filename)
        _check_part(file, entry, limits, budget, office, depth)
    return office.kind() if office else "zip"


def _check_part(
    file: BinaryIO, entry: zipfile.ZipInfo, limits: Limits, budget: Budget, office: Office | None, depth: int
) -> None:
    watch, reader = Watch(), office.reader(entry.filename) if office else None
    packed_object = office is not None and entry.filename.lower().endswith(".bin")
    with tempfile.TemporaryFile() as copy:
        first, last = True, b""
        for chunk in _unpacked(file, entry, limits, budget):
            watch.see(chunk)
            if reader:
                reader.see(chunk)
            if first:
                refuse_program(chunk[: len(watch.head)], name=entry.filename)
            first = False
            if packed_object and _OLE_PACKAGE in last + chunk:
                raise Refused("active_content", "a file packed into an Office document as an object")
            last = chunk[-len(_OLE_PACKAGE) :]
            if kind_of(watch.head) == "zip":
                copy.write(chunk)
        if reader:
            reader.close()
        kind = kind_of(watch.head)
        if kind == "zip":
            copy.seek(0)
            check_archive(copy, limits, budget=budget, depth=depth + 1)
        elif kind == "archive":
            raise Refused("nested_too_deep", "a packed archive of another kind inside")


def _entries(file: BinaryIO, budget: Budget) -> list[zipfile.ZipInfo]:
    """Return what the archive lists. Refuses a list too long to be read before it is read."""
    file.seek(0, io.SEEK_END)
    size = file.tell()
    file.seek(max(0, size - _END_BYTES))
    tail = file.read(_END_BYTES)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22:
        raise Refused("truncated", "an archive without its end")
    (count, directory_bytes) = struct.unpack("<HI", tail[end + 10 : end + 16])
    large = tail.rfind(b"PK\x06\x06", 0, end)
    if large >= 0 and len(tail) - large >= 48:
        count, directory_bytes = struct.unpack("<QQ", tail[large + 32 : large + 48])
    if directory_bytes > _DIRECTORY_BYTES or count > budget.parts:
        raise Refused("too_many_parts", f"{count} parts, a list of {directory_bytes} bytes")
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError) as error:
        raise Refused("damaged", f"an archive that cannot be listed ({type(error).__name__})") from error
    budget.parts -= len(entries)
    if budget.parts < 0:
        raise Refused("too_many_parts", "parts at every depth together")
    return entries


def _refuse_layout(file: BinaryIO, entries: list[zipfile.ZipInfo]) -> None:
    """Raise Refused for parts that are locked, share their bytes, or stand twice under one name."""
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise Refused("encrypted", "an archive with a password")
    placed = sorted(entries, key=lambda entry: entry.header_offset)
    for entry, following in itertools.pairwise(placed):
        if entry.header_offset + 30 + len(entry.orig_filename) + entry.compress_size > following.header_offset:
            raise Refused("unpacks_too_large", "parts of an archive that share the same bytes")
    # Names that a Mac writes in its own form of Unicode are one name where they are unpacked.
    names = {unicodedata.normalize("NFC", entry.filename.replace("\\", "/").casefold()) for entry in entries}
    if len(names) < len(entries):
        raise Refused("damaged", "parts of an archive under the same name")


def _refuse_name(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename.replace("\\", "/")
    if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/") or "\0" in name:
        raise Refused("unsafe_names", "a part that would be unpacked outside its folder")
    if any(character in BIDI or unicodedata.category(character) == "Cc" for character in name):
        raise Refused("unsafe_names", "a part whose name shows otherwise than it is")
    if any(len(segment) > _LONGEST_NAME or _DEVICE.match(segment) for segment in name.split("/")):
        raise Refused("unsafe_names", "a part that cannot be unpacked under its name")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise Refused("unsafe_names", "a part that is a link")


def _unpacked(file: BinaryIO, entry: zipfile.ZipInfo, limits: Limits, budget: Budget) -> Iterator[bytes]:
    """Yield the content of a part, by its bytes rather than by its headers."""
    produced, checksum = 0, 0
    for chunk in _inflated(file, entry):
        produced += len(chunk)
        budget.unpacked_bytes -= len(chunk)
        if budget.unpacked_bytes < 0:
            raise Refused("unpacks_too_large", f"more than {limits.unpacked_bytes} bytes unpacked")
        if produced > limits.ratio_floor_bytes and produced > limits.ratio * max(1, entry.compress_size):
            raise Refused("unpacks_too_large", f"a part that unpacks to more than {limits.ratio} times its size")
        checksum = zlib.crc32(chunk, checksum)
        yield chunk
    if produced != entry.file_size or checksum != entry.CRC:
        raise Refused("damaged", "a part that is not what the archive's list says")


def _inflated(file: BinaryIO, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    file.seek(entry.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise Refused("damaged", "a part that is not where the archive's list says")
    flags, method = struct.unpack("<HH", header[6:10])
    if flags & 0x1:
        raise Refused("encrypted", "an archive with a password")
    if method != entry.compress_type or method not in (_STORED, _DEFLATED):
        raise Refused("damaged", f"a part packed by an unknown method ({method}, {entry.compress_type})")
    file.seek(sum(struct.unpack("<HH", header[26:30])), io.SEEK_CUR)
    left, position = entry.compress_size, file.tell()
    inflater = zlib.decompressobj(-15) if method == _DEFLATED else None
    while left > 0:
        file.seek(position)
        packed = file.read(min(_CHUNK, left))
        if not packed:
            raise Refused("truncated", "a part that ends too early")
        left -= len(packed)
        position += len(packed)
        if inflater is None:
            yield packed
            continue
        try:
            while packed:
                if chunk := inflater.decompress(packed, _CHUNK):
                    yield chunk
                packed = inflater.unconsumed_tail
                if inflater.eof:
                    return
        except zlib.error as error:
            raise Refused("damaged", "a part that cannot be unpacked") from error
    if inflater is not None:
        try:
            # What is still inside the inflater is bounded by its window.
            if rest := inflater.flush():
                yield rest
        except zlib.error as error:
            raise Refused("damaged", "a part that cannot be unpacked") from error
        if not inflater.eof:
            raise Refused("truncated", "a part that ends too early")

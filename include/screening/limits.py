"""What one file may cost: bytes, seconds, parts."""

from __future__ import annotations

import os
from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """The bounds of looking at one file.

    ``file_bytes``: as it arrives; ``unpacked_bytes``: all that is packed in it, at every depth; ``ratio``: unpacked to
    packed of one part, beyond ``ratio_floor_bytes``; ``parts``: entries at every depth; ``depth``: archives within
    archives; ``cells`` filled in one sheet and ``area`` (rows × columns) that they span; ``pixels`` of an image;
    ``wall_seconds``, ``cpu_seconds``, ``memory_bytes`` (address space) of the child; ``answers_bytes`` of its answer.
    """

    file_bytes: int = 50 * MEBIBYTE
    unpacked_bytes: int = 300 * MEBIBYTE
    ratio: int = 200
    ratio_floor_bytes: int = 20 * MEBIBYTE
    parts: int = 5_000
    depth: int = 3
    cells: int = 2_000_000
    area: int = 20_000_000
    pixels: int = 150_000_000
    wall_seconds: float = 60.0
    cpu_seconds: int = 20
    memory_bytes: int = 1024 * MEBIBYTE
    answers_bytes: int = 8 * MEBIBYTE


def installed_limits() -> Limits:
    """Return the limits of this installation: ``ENGAGEMENT_MAX_FILE_BYTES`` sets how large a file may be."""
    named = os.environ.get("ENGAGEMENT_MAX_FILE_BYTES", "")
    return Limits(file_bytes=int(named)) if named else Limits()

"""Pictures: whole, and of a size that can be shown. They are never decoded, only their headers are read."""

from __future__ import annotations

import mmap
import struct

from include.screening.limits import Limits
from include.screening.refusal import Refused

_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the start-of-frame markers of JPEG
_STANDALONE = frozenset(range(0xD0, 0xD8)) | {0x01}


def check_png(data: mmap.mmap, limits: Limits) -> None:
    """Raise Refused for a PNG that is cut off, damaged or far too large to be shown."""
    position = 8
    while True:
        if position + 12 > len(data):
            raise Refused("truncated", "PNG without its end")
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        if position == 8:
            if kind != b"IHDR" or length < 8:
                raise Refused("damaged", "PNG without a header")
            width, height = struct.unpack(">II", data[position + 8 : position + 16])
            _check_size(width, height, limits)
        if kind == b"IEND":
            return
        position += 12 + length


def check_jpeg(data: mmap.mmap, limits: Limits) -> None:
    """Raise Refused for a JPEG that is cut off, damaged or far too large to be shown."""
    position, sized = 2, False
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise Refused("damaged", "JPEG with a broken segment")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _STANDALONE:
            position += 2
            continue
        if marker == 0xD9:
            break
        (length,) = struct.unpack(">H", data[position + 2 : position + 4])
        if marker in _SIZES and position + 9 <= len(data):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            _check_size(width, height, limits)
            sized = True
        if marker == 0xDA:
            # Phones append films behind the end of the picture, so the end is looked for from here.
            if data.find(b"\xff\xd9", position) < 0:
                raise Refused("truncated", "JPEG without its end")
            if not sized:
                raise Refused("damaged", "JPEG without a size")
            return
        position += 2 + max(2, length)
    raise Refused("truncated", "JPEG without a picture")


def _check_size(width: int, height: int, limits: Limits) -> None:
    if not width or not height:
        raise Refused("damaged", "a picture without an extent")
    if width * height > limits.pixels:
        raise Refused("image_too_large", f"{width} × {height} pixels")

"""Word and Excel files as what they are: zip archives of parts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def read_parts(data: bytes) -> dict[str, bytes]:
    """Return the parts of a document of ours, by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_parts(parts: Mapping[str, bytes]) -> bytes:
    """Return the archive with sorted entries of one fixed time: the same parts give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for name in sorted(parts):
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 0
            target.writestr(entry, parts[name])
    return packed.getvalue()

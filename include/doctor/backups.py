"""The backups: whether there is one of today."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from include.backup.backups import backups, read_manifest
from include.backup.errors import BackupError
from include.production import Environment, Finding

BACKUPS = "ENGAGEMENT_BACKUPS"
DUE = timedelta(hours=26)  # one each day, which may take two hours
MAKE = "python -m include.backup make FOLDER, each day"


def backup_findings(env: Environment, *, now: datetime) -> Iterator[Finding]:
    """Judge the age of the newest whole backup in the folder that ENGAGEMENT_BACKUPS names."""
    if not env.get(BACKUPS):
        yield Finding("warning", BACKUPS, "is not set: nobody here knows whether backups are made",
                      "the folder of the backups, where this machine reaches it")  # fmt: skip
        return
    folder = Path(env[BACKUPS])
    if not os.access(folder, os.R_OK | os.X_OK):
        yield Finding("warning", BACKUPS, f"{folder} cannot be read from here", "a folder that this account may read")
        return
    try:
        made = [datetime.fromisoformat(read_manifest(place).moment) for place in backups(folder)[-1:]]
    except BackupError as error:
        yield Finding("warning", "Backups", str(error), MAKE)
        return
    if not made:
        yield Finding("warning", "Backups", f"there is none in {folder}", MAKE)
    elif now - made[0] > DUE:
        yield Finding("warning", "Backups", f"the newest is of {made[0]:%Y-%m-%d %H:%M} UTC, "
                      f"{(now - made[0]) / timedelta(hours=1):.0f} hours old", MAKE)  # fmt: skip
    else:
        yield Finding("ok", "Backups", f"the newest is of {made[0]:%Y-%m-%d %H:%M} UTC")

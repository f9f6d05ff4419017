"""What keeps a backup or a restore from being done."""

from __future__ import annotations


class BackupError(Exception):
    """A backup or a restore cannot be done; the message says why and what to do."""

"""Files of engagements: a local folder or an S3 bucket behind one interface."""

from include.storage.base import (
    NotStored,
    Storage,
    StorageError,
    StorageFull,
    Stored,
    UnsafePath,
    open_storage,
    safe_name,
    safe_path,
)

__all__ = [
    "NotStored",
    "Storage",
    "StorageError",
    "StorageFull",
    "Stored",
    "UnsafePath",
    "open_storage",
    "safe_name",
    "safe_path",
]

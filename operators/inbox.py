"""The trigger on the inbox: all waits of a triggerer share one listing per interval."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Hashable
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

log = logging.getLogger(__name__)

Listing = dict[str, dict[str, tuple[int, float]]]
"""Folder within the inbox (``<engagement>/<request>``, ``_portal``) → file name → size in bytes and age in seconds."""


def ready(files: dict[str, tuple[int, float]], settle_seconds: float) -> bool:
    """Say whether it is worth waking the task: a reply lies there, or some file has held still."""
    return "reply.json" in files or any(
        age >= settle_seconds and not name.startswith(".") and not name.endswith((".part", ".tmp"))
        for name, (_, age) in files.items()
    )


class InboxTrigger(BaseEventTrigger):
    """Fires when something lies ready in a folder of the inbox. The event says nothing else: the task looks.

    ``folder`` is a request's ``<engagement>/<request>``, or one directly in the inbox; intervals are in seconds.
    """

    def __init__(self, *, folder: str, poll_seconds: float, settle_seconds: float) -> None:
        super().__init__()
        self.folder = folder
        self.poll_seconds = poll_seconds
        self.settle_seconds = settle_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what recreates this trigger: ids and intervals, nothing of a client's."""
        return (
            "operators.inbox.InboxTrigger",
            {"folder": self.folder, "poll_seconds": self.poll_seconds, "settle_seconds": self.settle_seconds},
        )

    def shared_stream_key(self) -> Hashable | None:
        """All waits with the same interval share one listing."""
        return ("inbox", self.poll_seconds)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Listing]:
        """List the inbox once per interval; a failing storage is asked again at the next."""
        from include.settings import load_settings
        from include.storage import StorageError, open_storage

        storage = open_storage(load_settings().storage_url)
        while True:
            try:
                stored = await asyncio.to_thread(storage.list, "inbox/")
            except StorageError as error:
                log.warning("the inbox cannot be listed now: %s", error)
                stored = []
            listing: Listing = {}
            for entry in stored:
                parts = entry.path.split("/", 3)
                if len(parts) > 2:
                    listing.setdefault("/".join(parts[1:-1]), {})[parts[-1]] = (entry.size, entry.age_seconds)
            yield listing
            await asyncio.sleep(kwargs["poll_seconds"])

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Listing]) -> AsyncIterator[TriggerEvent]:
        """Fire for this trigger's own folder."""
        async for listing in shared_stream:
            if ready(listing.get(self.folder, {}), self.settle_seconds):
                yield TriggerEvent({"folder": self.folder})
                return

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Run alone, where no triggerer shares the listing."""
        async for event in self.filter_shared_stream(type(self).open_shared_stream(self.serialize()[1])):
            yield event

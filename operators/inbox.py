"""The trigger on the inbox: all waits of a triggerer share one listing per interval."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Hashable
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

log = logging.getLogger(__name__)

def ready(files: dict[str, tuple[int, float]], settle_seconds: float) -> bool:
    """Say whether it is worth waking the task: a reply lies there, or some file has held still.

    ``files`` maps a name to the size in bytes and the age in seconds.
    """
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
        """All waits with the same intervals share one listing."""
        return ("inbox", self.poll_seconds, self.settle_seconds)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[frozenset[str]]:
        """List the inbox once per interval; tell the folders in which something lies ready, if there are any.

        While there are none no trigger is woken, however many there are. A failing storage is asked again at the next.
        """
        from include.settings import load_settings
        from include.storage import StorageError, open_storage

        storage = open_storage(load_settings().storage_url)
        while True:
            folders: dict[str, dict[str, tuple[int, float]]] = defaultdict(dict)
            try:
                for entry in await asyncio.to_thread(storage.list, "inbox/"):
                    _, _, path = entry.path.partition("/")
                    folder, _, name = path.rpartition("/")
                    folders[folder][name] = (entry.size, entry.age_seconds)
            except StorageError as error:
                log.warning("the inbox cannot be listed now: %s", error)
            if found := frozenset(each for each, files in folders.items() if ready(files, kwargs["settle_seconds"])):
                yield found
            await asyncio.sleep(kwargs["poll_seconds"])

    async def filter_shared_stream(self, shared_stream: AsyncIterator[frozenset[str]]) -> AsyncIterator[TriggerEvent]:
        """Fire for this trigger's own folder."""
        async for folders in shared_stream:
            if self.folder in folders:
                yield TriggerEvent({"folder": self.folder})
                return

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Run alone, where no triggerer shares the listing."""
        async for event in self.filter_shared_stream(type(self).open_shared_stream(self.serialize()[1])):
            yield event

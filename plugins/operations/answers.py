"""One answer at a time: who answers a sign-off second is told so by Airflow itself."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakValueDictionary


class OneAnswerAtATime:
    """Lets the answers to one sign-off through Airflow's API one after the other.

    Airflow looks whether a sign-off was answered, then writes the answer: of two in the same moment it tells both that
    theirs was taken, and hands one on. One after the other, the second gets 409. Holds within one API server.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve."""
        if scope["type"] != "http" or scope["method"] != "PATCH" or not scope["path"].endswith("/hitlDetails"):
            await self._app(scope, receive, send)
            return
        lock = self._locks.setdefault(scope["path"], asyncio.Lock())
        async with lock:
            await self._app(scope, receive, send)

"""What one client may cost: bytes of a body, seconds of silence, requests in a while."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_KNOWN = 10_000  # links and addresses that are remembered at a time


@dataclass(frozen=True)
class Limits:
    """``file_bytes`` and ``body_bytes`` of a post; ``files`` in it; requests ``per_window`` of ``window_seconds``.

    ``silence_seconds``: how long a body may say nothing, and how far it may fall behind ``bytes_per_second``.
    ``posts``: how many bodies are taken in at a time.
    """

    file_bytes: int = 50 * 1024 * 1024
    body_bytes: int = 200 * 1024 * 1024
    files: int = 20
    fields: int = 200
    field_bytes: int = 200_000
    reads_per_window: int = 300
    posts_per_window: int = 30
    window_seconds: float = 600.0
    silence_seconds: float = 30.0
    bytes_per_second: float = 2000.0
    posts: int = 8


class BodyLimit:
    """ASGI middleware: what is counted is what comes, whatever Content-Length says.

    Too much is 413; silence, and trickling, 408.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, counting."""
        come, waited = 0, 0.0

        async def counted() -> Message:
            nonlocal come, waited
            # What is waited for the client counts, not what the portal itself takes to store it.
            allowed = self.limits.silence_seconds + come / self.limits.bytes_per_second - waited
            began = time.monotonic()
            try:
                message = await asyncio.wait_for(receive(), min(allowed, self.limits.silence_seconds))
            except asyncio.TimeoutError:
                raise HTTPException(408) from None
            waited += time.monotonic() - began
            come += len(message.get("body", b""))
            if come > self.limits.body_bytes:
                raise HTTPException(413)
            return message

        await self.app(scope, counted if scope["type"] == "http" and scope["method"] == "POST" else receive, send)


@dataclass
class Window:
    """Counts what each key did within the last ``seconds``; safe between threads, bounded in memory."""

    most: int
    seconds: float
    _seen: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, key: str) -> int:
        """Count one more for ``key``; return 0, or the seconds after which it may come again."""
        now = time.monotonic()
        with self._lock:
            times = self._seen.setdefault(key, deque())
            self._seen.move_to_end(key)
            while len(self._seen) > MOST_KNOWN:
                self._seen.popitem(last=False)
            while times and now - times[0] > self.seconds:
                times.popleft()
            if len(times) >= self.most:
                return max(1, int(self.seconds - (now - times[0])) + 1)
            times.append(now)
            return 0

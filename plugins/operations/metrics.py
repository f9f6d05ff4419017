"""``/engagements-metrics``: the register's gauges for a Prometheus that knows ENGAGEMENT_METRICS_TOKEN.

A token of its own: Airflow's logins expire, and who only counts needs none of their rights. Without the setting nothing
is served.
"""

from __future__ import annotations

import hmac
import logging
import os
from typing import Any

from include.production import METRICS_TOKEN

log = logging.getLogger(__name__)


class Metrics:
    """The endpoint as an ASGI app. Every process of Airflow loads its plugins: what it needs is imported when asked."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve."""
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import Request

        if scope["type"] == "http":
            response = await run_in_threadpool(_answer, Request(scope))
            await response(scope, receive, send)


def _answer(request: Any) -> Any:
    from starlette.responses import PlainTextResponse

    from include.casework.gauges import CONTENT_TYPE

    token = os.environ.get(METRICS_TOKEN, "")
    if not token or request.method != "GET":
        return PlainTextResponse("Not Found", 404)
    if not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode()):
        return PlainTextResponse("Unauthorized", 401, {"WWW-Authenticate": "Bearer"})
    try:
        return PlainTextResponse(_page(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})
    except Exception as error:  # whatever it is, a scrape that failed is what monitoring is told
        log.error("The gauges cannot be read: %s", type(error).__name__)
        return PlainTextResponse("the register does not answer", 503)


def _page() -> str:
    from include import clock
    from include.casework.gauges import as_text, gauges
    from include.register.session import sessions
    from include.settings import load_settings

    settings = load_settings()
    with sessions(settings.register_url)() as session:
        return as_text(gauges(session, today=clock.today(session, settings), now=clock.now()))

"""What the project adds to Airflow's API server: the operations team's pages, and one answer at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

from plugins.operations.answers import OneAnswerAtATime

if TYPE_CHECKING:
    from fastapi import FastAPI

PREFIX = "/engagements"


class Pages:
    """The pages as an ASGI app that is built at its first request: every process of Airflow loads its plugins."""

    def __init__(self) -> None:
        self._app: FastAPI | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve."""
        if self._app is None:
            from plugins.operations.app import create_app

            self._app = create_app()
        await self._app(scope, receive, send)


class EngagementsPlugin(AirflowPlugin):
    """The pages where the firm's staff see and run their engagements, and what guards their answers."""

    name = "engagements"
    # Airflow wants lists, and removes from them what it does not like.
    fastapi_apps = [{"app": Pages(), "url_prefix": PREFIX, "name": "engagements"}]  # noqa: RUF012
    fastapi_root_middlewares = [  # noqa: RUF012
        {"middleware": OneAnswerAtATime, "args": [], "kwargs": {}, "name": "one answer at a time"},
    ]
    external_views = [  # noqa: RUF012
        {"name": "Hồ sơ", "href": f"{PREFIX}/", "destination": "nav", "url_route": "engagements"},
    ]

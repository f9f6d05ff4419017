"""What the project adds to Airflow's API server: the operations team's pages, gauges, and one answer at a time.

Every component of Airflow loads its plugins when it starts: here a production installation that is not safe stops.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow.configuration import AIRFLOW_HOME, conf
from airflow.plugins_manager import AirflowPlugin

from include import production
from plugins.operations.answers import OneAnswerAtATime
from plugins.operations.metrics import Metrics

if TYPE_CHECKING:
    from fastapi import FastAPI

PREFIX = "/engagements"
NO_DATABASE = "airflow-db-not-allowed"  # what Airflow puts in place of its database's address for tasks


def effective_settings() -> dict[str, str]:
    """Return the environment, and Airflow's settings by the names of their variables, from wherever Airflow has them.

    A setting that nobody made is left out: Airflow invents keys for itself then.
    """
    found = dict(os.environ) | {"AIRFLOW_HOME": AIRFLOW_HOME}
    for name in production.AIRFLOW_SETTINGS:
        _, section, key = name.lower().split("__")
        value = conf.get(section, key, fallback="")
        if value and value != conf.get_default_value(section, key):
            found[name] = value
        else:
            found.pop(name, None)
    return found


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

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """End a process of a production installation that is not safe. Raises SystemExit, with what to mend."""
        env = effective_settings()
        # A task has no database and needs none of these settings; it is started by components that were looked at.
        if env.get(production.DATABASE, "").startswith(NO_DATABASE):
            return
        try:
            production.refuse_unsafe_start(
                env, [*production.airflow_findings(env), *production.engagement_findings(env)]
            )
        except production.UnsafeInstallation as error:
            # Airflow logs any other error of a plugin or a listener, and starts without it.
            raise SystemExit(str(error)) from None

    # Airflow wants lists, and removes from them what it does not like.
    fastapi_apps = [  # noqa: RUF012
        {"app": Pages(), "url_prefix": PREFIX, "name": "engagements"},
        {"app": Metrics(), "url_prefix": f"{PREFIX}-metrics", "name": "gauges of the register"},
    ]
    fastapi_root_middlewares = [  # noqa: RUF012
        {"middleware": OneAnswerAtATime, "args": [], "kwargs": {}, "name": "one answer at a time"},
    ]
    external_views = [  # noqa: RUF012
        {"name": "Hồ sơ", "href": f"{PREFIX}/", "destination": "nav", "url_route": "engagements"},
    ]

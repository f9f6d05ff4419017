"""People who use the stand while it breaks: they try again, click twice, and two answer at once.

What they were told is written down; the judge holds it against the register.
"""

from __future__ import annotations

import hashlib
import smtplib
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from sqlalchemy.exc import DBAPIError

from chaos.stand import Stand, until
from local.airflow_api import AirflowApi, ApiError, Conflict, NotFound, PendingSignOff
from rehearsal.players import RehearsalFailed, engagement_of, gate_of, member_of
from rehearsal.portal_visit import PortalFailed

Result = TypeVar("Result")
PATIENCE_SECONDS = 240.0
AGAIN_SECONDS = 0.5
AWAY = (httpx.HTTPError, DBAPIError, PortalFailed, RehearsalFailed, smtplib.SMTPException, OSError)
"""What somebody meets who uses a part that is not there now."""

WAYS = ("plainly", "two at once", "clicked twice", "DAG file broken", "API server killed", "scheduler killed")
"""How a sign-off is answered."""


def patiently(what: Callable[[], Result]) -> Result:
    """Try again while a part is away. Raises what was raised last when patience ends, and at once what is no outage."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return what()
        except (Conflict, NotFound):
            raise
        except ApiError as error:
            if (error.status < 500 and error.status not in (401, 403, 429)) or time.monotonic() > deadline:
                raise
        except AWAY:
            if time.monotonic() > deadline:
                raise
        time.sleep(AGAIN_SECONDS)


class Patient:
    """Whatever it stands for, called patiently."""

    def __init__(self, of: object) -> None:
        self._of = of

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._of, name)
        return lambda *given, **named: patiently(lambda: method(*given, **named))


@dataclass(frozen=True)
class Given:
    """An answer to a sign-off that Airflow took: what the person was told is decided."""

    engagement_id: str
    gate: str
    who: str
    option: str
    by: str
    way: str


class Staff(Patient):
    """Airflow's API as staff use it on a stand; ``given`` are the answers that Airflow took."""

    def __init__(self, stand: Stand, api: AirflowApi, *, seed: int) -> None:
        super().__init__(api)
        self._stand = stand
        self._api = api
        self._seed = seed
        self.given: list[Given] = []
        self.ways: list[str] = []

    def trigger(self, *given: Any, **named: Any) -> dict[str, Any]:
        """Create a run; asked for again after an outage, it may be there already."""
        tried = False

        def once() -> dict[str, Any]:
            nonlocal tried
            try:
                return self._api.trigger(*given, **named)
            except Conflict:
                if not tried:
                    raise
                return self._api.run(given[0], given[1])
            finally:
                tried = True

        return patiently(once)

    def answer(self, pending: PendingSignOff, option: str, params: Mapping[str, Any] | None = None) -> None:
        """Answer in the way that the seed says. Raises Conflict, NotFound."""
        way = self._way(pending)
        self.ways.append(way)
        with ExitStack() as meanwhile:
            if way == "DAG file broken":
                meanwhile.enter_context(self._stand.broken_dag())
            users = ["director", "account_manager"] if way == "two at once" else ["admin"]
            taken = self._at_once(pending, option, params, users)
            if way == "clicked twice":
                taken += self._at_once(pending, option, params, ["admin"])
            if way == "API server killed":
                self._stand.kill("api-server", family=True)
            if way == "scheduler killed":
                self._stand.kill("scheduler")
            if way == "DAG file broken":
                until(lambda: bool(self._api.import_errors()), seconds=15)
        for user in taken:
            self.given.append(
                Given(engagement_of(pending.run_id), gate_of(pending), _member(pending), option, user, way)
            )
        if not taken:
            raise Conflict(409, "answered already")

    def _way(self, pending: PendingSignOff) -> str:
        place = f"{self._seed}|{pending.run_id}|{pending.task_id}|{pending.map_index}"
        draw = hashlib.sha256(place.encode()).digest()
        return WAYS[draw[1] % len(WAYS)] if draw[0] < 128 else WAYS[0]

    def _at_once(
        self, pending: PendingSignOff, option: str, params: Mapping[str, Any] | None, users: list[str]
    ) -> list[str]:
        """Have users answer in the same moment; return those whose answer Airflow took."""
        taken: list[str] = []
        start = threading.Barrier(len(users))

        def one(user: str) -> None:
            with self._stand.api(user) as api:
                patiently(api.import_errors if user == "admin" else api.pending_sign_offs)  # logs in
                start.wait()
                if self._answer(api, pending, option, params):
                    taken.append(user)

        threads = [threading.Thread(target=one, args=(user,)) for user in users]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return taken

    def _answer(
        self, api: AirflowApi, pending: PendingSignOff, option: str, params: Mapping[str, Any] | None
    ) -> bool:
        try:
            api.answer(pending, option, params)
        except (Conflict, NotFound):
            return False
        except (ApiError, httpx.HTTPError):
            return False  # not told that it was taken; whoever looks again finds out
        return True


def _member(pending: PendingSignOff) -> str:
    return member_of(pending) if gate_of(pending) == "scorecard" else ""


"""What happens to the parts of a stand while engagements go on: one thing after the other, in an order drawn by seed.

Each comes with the question when it is over; what is not over in time was not survived.
"""

from __future__ import annotations

import random
import smtplib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial

import httpx
from sqlalchemy import func, select

from chaos.people import patiently
from chaos.stand import Stand, until
from include.mail.ledger import pause, paused, resume
from include.register.models import Document, Event, Mail
from include.register.session import sessions
from local.ports import HOST

RECOVERY_SECONDS = 180.0
AWAY_SECONDS = 6.0  # how long what can be taken away stays away
TWIN_SECONDS = 15.0  # a second scheduler needs some to come up
BREATH_SECONDS = (2.0, 20.0)  # at least and at most between two faults, in which the engagements shall move on
STEPS = (1, 4)  # by how many rows of the register
HEARTBEATS = {"scheduler": "scheduler", "triggerer": "triggerer", "dag-processor": "dag_processor"}


@dataclass(frozen=True)
class Happened:
    """A fault, and whether the stand was whole again in time."""

    fault: str
    survived: bool


@dataclass
class Monkey:
    """Breaks a stand in a thread of its own: so many rounds of faults, or until it is told to end.

    A round has all faults, or ``most`` of them.
    Only a ``patient`` one sets the clock ahead: what fails then is tried again when the time has come, in ten minutes.
    """

    stand: Stand
    seed: int
    rounds: int
    most: int | None
    patient: bool
    say: Callable[[str], None]
    happened: list[Happened] = field(default_factory=list)
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="monkey")

    def __enter__(self) -> Monkey:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self.error is not None:
            raise self.error

    @property
    def faults(self) -> dict[str, Callable[[], bool]]:
        """Every fault by its name; each returns whether it was over in time."""
        parts = (*HEARTBEATS, "api-server", "portal", "mail-catcher")
        clocks = {"clock ten minutes behind": partial(self._clock, -10)}
        if self.patient:
            clocks["clock ten minutes ahead"] = partial(self._clock, 10)
        return {
            **{f"{name} killed": partial(self._killed, name) for name in parts},
            "scheduler and its workers killed": partial(self._killed, "scheduler", family=True),
            "database killed": partial(self._killed, "postgres", family=True),
            "second scheduler": partial(self._twin, "scheduler"),
            "second triggerer": partial(self._twin, "triggerer"),
            "second DAG processor": partial(self._twin, "dag-processor"),
            "second API server": partial(self._twin, "api-server"),
            "second portal": partial(self._twin, "portal"),
            "mail server away": self._mail_server_away,
            "storage away": self._storage_away,
            "mail paused and resumed": self._mail_paused,
            "DAG file broken and repaired": self._dag_broken,
            **(clocks if self.stand.clock_steps else {}),
        }

    def _run(self) -> None:
        try:
            for _ in range(self.rounds):
                faults = list(self.faults.items())
                self._random.shuffle(faults)
                for name, fault in faults[: self.most]:
                    self._breathe(self._random.randint(*STEPS))
                    if self._over.is_set():
                        return
                    self.say(f"  ⚡ {name}")
                    self.happened.append(Happened(name, fault()))
        except BaseException as error:
            self.error = error

    def _breathe(self, steps: int) -> None:
        """Wait until the engagements have moved on by so many steps: a slow machine is not broken more often."""
        least, most = BREATH_SECONDS
        before = patiently(self._steps)
        self._over.wait(least)
        until(lambda: self._over.is_set() or self._steps() >= before + steps, seconds=most)

    def _steps(self) -> int:
        with sessions(self.stand.stack.register_url)() as session:
            counts = (select(func.count()).select_from(table) for table in (Event, Mail, Document))
            return sum(session.scalar(count) or 0 for count in counts)

    def _killed(self, name: str, *, family: bool = False) -> bool:
        since = datetime.now(timezone.utc)
        self.stand.kill(name, family=family)
        return until(lambda: self._whole(name, since), seconds=RECOVERY_SECONDS)

    def _whole(self, name: str, since: datetime) -> bool:
        if name not in self.stand.stack.pids():
            return False
        ports = self.stand.stack.ports
        if name in HEARTBEATS or name == "api-server":
            with self.stand.api() as api:
                health = api.health()
            if name == "api-server":
                return True
            beat = health[HEARTBEATS[name]]
            latest = beat.get(f"latest_{HEARTBEATS[name]}_heartbeat")
            return beat["status"] == "healthy" and _instant(latest) > since + timedelta(seconds=1)
        if name == "portal":
            return httpx.get(f"http://{HOST}:{ports.portal}/health", trust_env=False).is_success
        if name == "mail-catcher":
            with smtplib.SMTP(HOST, ports.smtp, timeout=5) as server:
                return server.noop()[0] == 250
        with sessions(self.stand.stack.register_url)() as session:
            return session.connection() is not None

    def _twin(self, name: str) -> bool:
        with self.stand.twin(name):
            self._over.wait(TWIN_SECONDS)
        return self._all_whole()

    def _mail_server_away(self) -> bool:
        with self.stand.held("mail-catcher"):
            self.stand.kill("mail-catcher")
            time.sleep(AWAY_SECONDS)
        return until(lambda: self._whole("mail-catcher", datetime.now(timezone.utc)), seconds=RECOVERY_SECONDS)

    def _storage_away(self) -> bool:
        with self.stand.storage_away():
            time.sleep(AWAY_SECONDS)
        return self._all_whole()

    def _mail_paused(self) -> bool:
        register = sessions(self.stand.stack.register_url)
        with register() as session:
            pause(session, by="director", why="trial")
        time.sleep(AWAY_SECONDS)
        with register() as session:
            resume(session)
            return not paused(session)

    def _dag_broken(self) -> bool:
        with self.stand.broken_dag(), self.stand.api() as api:
            seen = until(lambda: bool(api.import_errors()), seconds=20)
        with self.stand.api() as api:
            return seen and until(lambda: not api.import_errors(), seconds=RECOVERY_SECONDS)

    def _clock(self, minutes: int) -> bool:
        """Airflow writes no heartbeat before the time has come that its last one was dated with."""
        with self.stand.clock_off(minutes):
            time.sleep(AWAY_SECONDS)
        return self._all_whole(within=RECOVERY_SECONDS + max(minutes, 0) * 60)

    def _all_whole(self, *, within: float = RECOVERY_SECONDS) -> bool:
        since = datetime.now(timezone.utc)
        return until(lambda: all(self._whole(name, since) for name in HEARTBEATS), seconds=within)


def _instant(written: str | None) -> datetime:
    return datetime.fromisoformat((written or "1970-01-01T00:00:00+00:00").replace("Z", "+00:00"))

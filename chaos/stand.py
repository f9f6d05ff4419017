"""The stand: a whole installation whose parts can be killed, doubled, taken away and set to another time.

What ends is started again, as a service manager would do it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from chaos.points import AWAY, FOLDER, SEED
from local.airflow_api import AirflowApi
from local.keeper import KeeperError, descendants
from local.ports import HOST, Ports
from local.postgres import PostgresError
from local.stack import ROOT, Stack

BROKEN = "\n\nthis is no Python\n"
HERE = Path(__file__).resolve().parent
LOOK_SECONDS = 0.2
TWIN_SECONDS = 60.0  # a second API server needs some to come up
# In a play nobody has minutes to wait until it is noticed that something died; seconds.
NOTICED_SOON = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
}


class ServiceManager:
    """Starts again whatever ends in a stack, as a service manager or a container engine does."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._over = threading.Event()
        self._held: set[str] = set()
        self._watch = threading.Thread(target=self._restart, daemon=True, name="restart")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look after the stack meanwhile, which must have started."""
        self._watch.start()
        try:
            yield
        finally:
            self._over.set()
            self._watch.join()

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Do not start a part again meanwhile."""
        self._held.add(name)
        try:
            yield
        finally:
            self._held.discard(name)

    def _restart(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            for name in {"postgres", *self._stack.launched} - set(self._stack.pids()) - self._held:
                with contextlib.suppress(KeeperError, PostgresError):  # tried again at the next look
                    self._stack.restart(name)


def kill(stack: Stack, name: str, *, family: bool = False) -> None:
    """Kill a part of a stack with SIGKILL: its main process, or with ``family`` all that descend from it."""
    pid = stack.pids().get(name)
    if pid is None:
        return
    for each in [pid, *(descendants(pid) if family else ())]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


class Stand:
    """An installation in ``data``, its faults drawn from ``seed``."""

    def __init__(self, data: Path, *, seed: int) -> None:
        self.chaos = data / "chaos"
        self.chaos.mkdir(parents=True)
        self._dags = data / "dags"
        shutil.copytree(ROOT / "dags", self._dags, ignore=shutil.ignore_patterns("__pycache__"))
        self._clock = self.chaos / "clock"
        self._clock.write_text("+0", encoding="ascii")
        added = {
            SEED: str(seed),
            FOLDER: str(self.chaos),
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(HERE / "airflow_config"))),
            # Tries grow apart with their number; here a task may be hit at every one of them.
            "AIRFLOW__CORE__MAX_TASK_RETRY_DELAY": "20",
            **NOTICED_SOON,
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3",
        }
        self.clock_steps = faketime() is not None
        if self.clock_steps:
            added |= {"LD_PRELOAD": str(faketime()), "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                      "FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}  # fmt: skip
        self.stack = Stack(data / "stack", rehearsal=True, dags=self._dags, mail_server="chaos.relay", added=added)
        self._services = ServiceManager(self.stack)
        self._second: dict[str, int] = {}
        self._breaking = threading.Lock()

    @contextmanager
    def running(self) -> Iterator[Stack]:
        """Start everything and keep it running. Raises StackError."""
        with self.stack, self._services.running():
            yield self.stack

    def api(self, user: str = "admin") -> AirflowApi:
        """Return a user's access to Airflow: the account manager's through the second API server while there is one."""
        port = self._second.get("api-server") if user == "account_manager" else None
        url = f"http://{HOST}:{port}" if port else self.stack.api_url
        return AirflowApi(url, user, self.stack.users[user])

    def door(self, link: str) -> str:
        """Return a link as it leads through the second portal while there is one."""
        port = self._second.get("portal")
        return urlsplit(link)._replace(netloc=f"{HOST}:{port}").geturl() if port else link

    def kill(self, name: str, *, family: bool = False) -> None:
        """Kill a part with SIGKILL: its main process, or with ``family`` all that descend from it."""
        kill(self.stack, name, family=family)

    @contextmanager
    def twin(self, name: str) -> Iterator[None]:
        """Have two of a part meanwhile; the second ends by SIGKILL. One that serves is used once it answers."""
        health = {"api-server": "/api/v2/version", "portal": "/health"}.get(name)
        port = Ports.free().api if health else None
        twin = self.stack.add_twin(name, port=port)
        try:
            if port and until(lambda: _answers(f"http://{HOST}:{port}{health}"), seconds=TWIN_SECONDS):
                self._second[name] = port
            yield
        finally:
            self._second.pop(name, None)
            pids = self.stack.pids()
            self.stack.forget(twin)
            for each in [pids[twin], *descendants(pids[twin])] if twin in pids else []:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Do not start a part again meanwhile."""
        with self._services.held(name):
            yield

    @contextmanager
    def broken_dag(self) -> Iterator[None]:
        """Have the engagement's DAG file unreadable meanwhile; who comes second waits until it is whole again."""
        file = self._dags / "engagement.py"
        with self._breaking:
            whole = file.read_text(encoding="utf-8")
            file.write_text(whole + BROKEN, encoding="utf-8")
            try:
                yield
            finally:
                file.write_text(whole, encoding="utf-8")

    @contextmanager
    def storage_away(self) -> Iterator[None]:
        """Have Airflow's processes find no storage meanwhile."""
        (self.chaos / AWAY).touch()
        try:
            yield
        finally:
            (self.chaos / AWAY).unlink()

    @contextmanager
    def clock_off(self, minutes: int) -> Iterator[None]:
        """Step the clock of every process but PostgreSQL, and step it back."""
        self._set_clock(f"{minutes * 60:+d}")
        try:
            yield
        finally:
            self._set_clock("+0")

    def _set_clock(self, offset: str) -> None:
        new = self._clock.with_suffix(".new")
        new.write_text(offset, encoding="ascii")
        new.replace(self._clock)


def _answers(url: str) -> bool:
    return httpx.get(url, trust_env=False).is_success


def until(done: Callable[[], bool], *, seconds: float) -> bool:
    """Wait until something is so; what fails meanwhile is not so yet. Return whether it came to be."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(Exception):
            if done():
                return True
        time.sleep(LOOK_SECONDS)
    return False


def faketime() -> Path | None:
    """Return the library that steps a process's clock, if this machine can load it.

    The one of the package: Debian 12's own fails every sleep of Python 3.11 when the monotonic clock is left alone.
    """
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None or platform.machine() != "x86_64":
        return None
    library = Path(found.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    return library if library.exists() else None

"""What carries tasks and waits: Celery's broker, the triggerer's capacity, open files."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from include.doctor.look import SECONDS
from include.production import BROKER, Environment, Finding, with_celery

CAPACITY = "AIRFLOW__TRIGGERER__CAPACITY"
AIRFLOWS_CAPACITY = 1000
SPARE_FILES = 500  # what a triggerer opens beside one log file for each wait
FULL = 0.8


def open_files() -> int:
    """Return how many files a process that is started from here may hold open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def broker_findings(env: Environment, *, connected: Callable[[str], None] | None = None) -> Iterator[Finding]:
    """Greet the broker of Celery's workers. Raises what its driver raises."""
    if not with_celery(env):
        return
    if not env.get(BROKER):
        yield Finding("warning", BROKER, "is not in the environment: the broker was not tried", "see .env.example")
        return
    (connected or _connected)(env[BROKER])
    yield Finding("ok", BROKER, "answers and takes the login")


def _connected(url: str) -> None:
    kombu: Any = import_module("kombu")  # Celery's own way to a broker of any kind; it has no types
    with kombu.Connection(url, connect_timeout=SECONDS) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0)


def triggerer_findings(env: Environment, *, waits: int, files: int) -> Iterator[Finding]:
    """Judge whether one triggerer can hold the waits: ``waits`` requests are open, ``files`` may be open at a time."""
    said = env.get(CAPACITY, str(AIRFLOWS_CAPACITY))
    capacity = int(said) if said.isdigit() else 0
    if capacity == 0:
        yield Finding("refused", CAPACITY, "is no number", f"{CAPACITY}=10000")
        return
    if waits > FULL * capacity:
        yield Finding("warning", CAPACITY, f"{capacity}, and {waits} requests are open: what is above it waits unseen",
                      f"{CAPACITY}={max(10_000, 2 * waits)}, or another triggerer beside the first")  # fmt: skip
    else:
        yield Finding("ok", CAPACITY, f"{capacity} for {waits} open requests")
    if files < capacity + SPARE_FILES:
        yield Finding("warning", "Open files", f"{files} may be open, one for each of {capacity} waits and "
                      f"{SPARE_FILES} more are wanted", "ulimit -n 65536 for the triggerer")  # fmt: skip
    else:
        yield Finding("ok", "Open files", f"{files} may be open")

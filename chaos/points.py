"""The points inside every effect at which a task's process dies, or its storage fails.

Loaded into the processes of a stand's Airflow. Where a fault strikes is drawn from the seed, the task and how often its
process has come by, so that it strikes wherever the process happens to run; each place at most once, since a file says
that it struck. Nothing of this is imported by the pipeline itself.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import re
import signal
import smtplib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

FOLDER = "CHAOS_FOLDER"
SEED = "CHAOS_SEED"
AWAY = "storage-away"  # while this file is in the folder, the storage does not answer
STRUCK = "struck.jsonl"
MOST_A_TASK = 2  # a task is tried again eight times, other faults strike it too
OUT_OF_THE_WAY = (timedelta(seconds=2), timedelta(seconds=4), *[timedelta(seconds=8)] * 10)
"""Delays of a mail that could not go: the ledger's own number of them, in a stand's time."""
JUDGE_AFTER_SECONDS = 4.0


class Point(NamedTuple):
    """A point and how often, of a hundred comings-by, the process is killed there or its storage fails."""

    kills: float
    fails: float = 0


POINTS: dict[str, Point] = {
    "commit/before": Point(1.5),
    "commit/after": Point(1.5),
    "file/before": Point(3),
    "file/inside": Point(4, 4),
    "file/after": Point(4),
    "move/before": Point(4, 4),
    "move/after": Point(6),
    "mail/before": Point(6),
    "mail/inside": Point(8),
    "mail/taken": Point(8),
    "mail/after": Point(6),
    "pdf/before": Point(5),
    "pdf/after": Point(5),
    "task/parks": Point(8),
    "task/goes on": Point(8),
    "task/ends": Point(8),
    "run/planned": Point(15),
}

_passed: Counter[str] = Counter()


def reached(name: str) -> None:
    """Die here, or fail as a full disk does, if the seed says so. Raises OSError."""
    task = _task()
    if task is None:
        return
    _passed[name] += 1
    place = f"{task}|{name}|{_passed[name]}"
    draw = int.from_bytes(hashlib.sha256(f"{os.environ[SEED]}|{place}".encode()).digest()[:6], "big") / 2**48 * 100
    point = POINTS[name]
    if draw >= point.kills + point.fails:
        return
    fault = "kill" if draw < point.kills else "disk full"
    if not _strikes(task, place, {"fault": fault, "point": name, "task": task}):
        return
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _task() -> str | None:
    """Return which task this process runs; None when it is none, or not there yet."""
    names = [os.environ.get(f"AIRFLOW_CTX_{each}", "") for each in ("DAG_ID", "DAG_RUN_ID", "TASK_ID")]
    return "/".join(names) if all(names) else None


def _strikes(task: str, place: str, what: dict[str, str]) -> bool:
    folder = Path(os.environ[FOLDER]) / "struck" / hashlib.sha256(task.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    if len(list(folder.iterdir())) >= MOST_A_TASK:
        return False
    try:
        (folder / hashlib.sha256(place.encode()).hexdigest()[:16]).open("x").close()
    except FileExistsError:
        return False
    line = json.dumps(what, ensure_ascii=False) + "\n"
    descriptor = os.open(Path(os.environ[FOLDER]) / STRUCK, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)
    return True


def install() -> None:
    """Lay the points around the effects of this process, once."""
    if FOLDER not in os.environ:
        return
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    event.listen(Session, "before_commit", lambda _: reached("commit/before"))
    event.listen(Session, "after_commit", lambda _: reached("commit/after"))
    _install_storage()
    _install_mail()
    _install_tasks()


def _install_storage() -> None:
    import include.storage.local as local
    from include.documents.libreoffice import LibreOffice

    class Os(ModuleType):
        """``os`` as the storage sees it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def replace(self, source: Any, target: Any) -> None:
            reached("file/inside")
            os.replace(source, target)

    local.os = Os("os")
    storage = local.LocalStorage
    storage.put = _around(storage.put, "file/before", "file/after")
    storage.put_file = _around(storage.put_file, "file/before", "file/after")
    storage.move = _around(storage.move, "move/before", "move/after")
    LibreOffice.pdf = _around(LibreOffice.pdf, "pdf/before", "pdf/after")
    reported = storage._reported

    @contextmanager
    def answering(self: Any, path: str) -> Iterator[None]:
        with reported(self, path):
            if (Path(os.environ[FOLDER]) / AWAY).exists():
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            yield

    storage._reported = answering


def _install_mail() -> None:
    from include.mail import ledger
    from include.mail.transport import Relay

    ledger.DELAYS = OUT_OF_THE_WAY
    defaults = ledger.MailLedger.__init__.__kwdefaults__
    assert defaults is not None
    defaults["judge_after_seconds"] = JUDGE_AFTER_SECONDS
    Relay.hand_over = _around(Relay.hand_over, "mail/before", "mail/after")
    send = smtplib.SMTP.send

    def sent(self: smtplib.SMTP, data: Any) -> None:
        last = data == b".\r\n"
        if last:
            reached("mail/inside")
        send(self, data)
        if last:
            reached("mail/taken")

    smtplib.SMTP.send = sent


def _install_tasks() -> None:
    from airflow.sdk.execution_time import task_runner

    from operators.case import CaseOperator

    CaseOperator.go_on = _around(CaseOperator.go_on, "task/goes on", None)
    # What stands between the last effect and Airflow's knowing of it.
    for name in ("_defer_task", "_await_input_task"):
        setattr(task_runner, name, _around(getattr(task_runner, name), "task/parks", None))
    for name, before, after in (("_handle_current_task_success", "task/ends", None),
                                ("_handle_trigger_dag_run", None, "run/planned")):  # fmt: skip
        setattr(task_runner, name, _around(getattr(task_runner, name), before, after))


def _around(effect: Callable[..., Any], before: str | None, after: str | None) -> Callable[..., Any]:
    @functools.wraps(effect)
    def struck(*given: Any, **named: Any) -> Any:
        if before is not None:
            reached(before)
        done = effect(*given, **named)
        if after is not None:
            reached(after)
        return done

    return struck


def strikes(folder: Path) -> list[dict[str, str]]:
    """Return the faults that struck so far, oldest first."""
    file = folder / STRUCK
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]


def engagement_of(task: str) -> str | None:
    """Return the engagement that a struck task worked for, if it was one's."""
    found = re.search(r"/([A-Z]+-\d{4}-\d{4,})", task)
    return found[1] if found else None

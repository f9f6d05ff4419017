"""A process that owns other processes, so that nothing outlives whoever asked for them.

The launcher starts one keeper and holds a pipe to it. The keeper starts every part of the stack as its own child. When
the pipe closes, because the launcher stopped, was killed (even by SIGKILL) or lost its terminal, the keeper ends all of
its descendants and then itself. As the *subreaper* of its descendants it inherits every orphan, also those that made
sessions of their own: that is how LocalExecutor's workers, which Airflow leaves behind, are found. Linux only, standard
library only.

One JSON object a line goes each way. To it: ``{"start": {"name", "argv", "env", "cwd", "log", "user", "last"}}``.
From it: ``{"started": name, "pid"}``, ``{"failed": name, "reason"}`` and ``{"ended": name, "code"}``.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 8.0
LAST_GRACE_SECONDS = 20.0


class KeeperError(Exception):
    """The keeper could not start, or a process under it could not."""


class Keeper:
    """The launcher's end: starts processes under a keeper and hears of their end.

    ``lock`` is a file that no two keepers hold at once. The keeper's own process holds it, so it is free again only
    when everything that a killed launcher left has ended.
    """

    def __init__(self, *, lock: Path) -> None:
        self._lock = lock
        self._process: subprocess.Popen[bytes] | None = None
        self._changed = threading.Condition()
        self._pids: dict[str, int] = {}
        self._failures: dict[str, str] = {}
        self._codes: dict[str, int] = {}

    @property
    def pid(self) -> int | None:
        """The keeper's process id; every process that it started descends from it."""
        return self._process.pid if self._process else None

    def open(self) -> None:
        """Start the keeper, in a session of its own: Ctrl-C in the terminal is the launcher's to handle.

        Waits for a predecessor that is still ending. Raises KeeperError when the lock stays taken.
        """
        if self._process is not None:
            return
        with self._lock.open("a+b") as lock:
            self._take(lock.fileno())
            lock.truncate(0)
            lock.write(str(os.getpid()).encode())
            lock.flush()
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-E", str(Path(__file__).resolve())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True, name="keeper").start()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        user: str | None = None,
        last: signal.Signals | None = None,
    ) -> int:
        """Start a process and return its id; its output is appended to ``log``.

        ``user`` is the account it runs as (root only). A process with ``last`` is left alone until all others have
        ended and then gets that signal: a database outlives its clients. Raises KeeperError.
        """
        process = self._process
        if process is None or process.stdin is None:
            raise KeeperError("The keeper is not running.")
        with self._changed:
            for known in (self._pids, self._failures, self._codes):
                known.pop(name, None)
            order = {
                "name": name,
                "argv": list(argv),
                "env": dict(env),
                "cwd": str(cwd),
                "log": str(log),
                "user": user,
                "last": int(last) if last else None,
            }
            try:
                process.stdin.write(json.dumps({"start": order}).encode() + b"\n")
                process.stdin.flush()
            except OSError as error:
                raise KeeperError(f"The keeper of the processes has gone: {error}.") from error
            self._changed.wait_for(lambda: name in self._pids or name in self._failures, timeout=30)
            if name not in self._pids:
                raise KeeperError(f"{name} could not be started: {self._failures.get(name, 'no answer')}.")
            return self._pids[name]

    def wait(self, name: str, seconds: float) -> int | None:
        """Wait until a process has ended and return its exit code; None: still running after ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: name in self._codes, timeout=seconds)
            return self._codes.get(name)

    def ended(self) -> dict[str, int]:
        """Return name → exit code of the processes that have ended."""
        with self._changed:
            return dict(self._codes)

    def pids(self) -> dict[str, int]:
        """Return name → process id of the processes that run."""
        with self._changed:
            return {name: pid for name, pid in self._pids.items() if name not in self._codes}

    def close(self) -> None:
        """End everything that was started, and wait for it. May be called again."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        process.wait()

    def _take(self, lock: int) -> None:
        deadline = time.monotonic() + GRACE_SECONDS + LAST_GRACE_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                holder = self._lock.read_text(encoding="ascii")
                if time.monotonic() > deadline or (holder and Path(f"/proc/{holder}").exists()):
                    raise KeeperError(
                        f"Process {holder or '?'} already runs what lies in {self._lock.parent}; stop it first."
                    ) from error
                time.sleep(0.1)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            with self._changed:
                if "started" in told:
                    self._pids[told["started"]] = told["pid"]
                elif "failed" in told:
                    self._failures[told["failed"]] = told["reason"]
                elif "ended" in told:
                    self._codes[told["ended"]] = told["code"]
                self._changed.notify_all()
        with self._changed:
            for name in self._pids:
                self._codes.setdefault(name, -signal.SIGKILL)
            self._changed.notify_all()
        process.stdout.close()


def descendants(pid: int) -> list[int]:
    """Return the ids of all living processes below ``pid``, read from /proc; zombies are left out."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{entry}/stat").read_text(errors="replace").rpartition(")")[2].split()
                if fields[0] not in "ZX":
                    children.setdefault(int(fields[1]), []).append(int(entry))
    found: list[int] = []
    ahead = [pid]
    while ahead:
        below = children.get(ahead.pop(), [])
        found += below
        ahead += below
    return found


class _Household:
    """The keeper's own end: runs as a process of its own."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._last: dict[int, int] = {}
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._parent = os.getppid()
        self._over = False

    def run(self) -> None:
        self._libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        # A triggerer keeps a log open for every wait.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        unread = b""
        while not self._over and os.getppid() == self._parent:
            if select.select([0], [], [], 0.2)[0]:
                piece = os.read(0, 65536)
                if not piece:
                    break
                *lines, unread = (unread + piece).split(b"\n")
                for line in lines:
                    self._start(json.loads(line)["start"])
            self._reap()
        self._stop_all()

    def _end(self, number: int, frame: object) -> None:
        self._over = True

    def _start(self, order: dict[str, Any]) -> None:
        name = order["name"]
        death_signal = order["last"] or signal.SIGTERM
        try:
            with open(order["log"], "ab", buffering=0) as log:
                process = subprocess.Popen(
                    order["argv"],
                    env=order["env"],
                    cwd=order["cwd"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    # Should the keeper itself be killed, its children are told at once.
                    preexec_fn=lambda: self._libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0),
                    user=order["user"],
                    group=order["user"],
                    extra_groups=[] if order["user"] else None,
                )
        except (OSError, subprocess.SubprocessError, LookupError) as error:
            self._tell({"failed": name, "reason": str(error)})
            return
        process.returncode = 0  # waited for in _reap, together with the orphans
        self._names[process.pid] = name
        if order["last"]:
            self._last[process.pid] = order["last"]
        self._tell({"started": name, "pid": process.pid})

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._last.pop(pid, None)
            if name := self._names.pop(pid, None):
                self._tell({"ended": name, "code": os.waitstatus_to_exitcode(status)})

    def _tell(self, what: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the launcher may be gone
            os.write(1, json.dumps(what).encode() + b"\n")

    def _stop_all(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for pid in [pid for pid in self._names if pid not in self._last]:
            _signal(pid, signal.SIGTERM)
        self._until(lambda: not self._others(), GRACE_SECONDS)
        while others := self._others():
            for pid in others:
                _signal(pid, signal.SIGKILL)
            self._until(lambda: not self._others(), 1.0)
        for pid, last in self._last.items():
            _signal(pid, last)
        self._until(lambda: not self._last, LAST_GRACE_SECONDS)
        while remaining := descendants(os.getpid()):
            for pid in remaining:
                _signal(pid, signal.SIGKILL)
            self._until(lambda: not descendants(os.getpid()), 1.0)

    def _others(self) -> list[int]:
        kept: set[int] = set(self._last)
        for pid in self._last:
            kept.update(descendants(pid))
        return [pid for pid in descendants(os.getpid()) if pid not in kept]

    def _until(self, done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            self._reap()
            if done() or time.monotonic() > deadline:
                return
            time.sleep(0.05)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


if __name__ == "__main__":
    _Household().run()

"""Commands: ``python -m rehearsal demo SCENARIO…`` and ``python -m rehearsal run --out FOLDER SCENARIO…``.

A scenario is a path, or the bare name of one in ``rehearsal/scenarios``. ``demo`` plays on the usual ports and stays
up until it is told to stop; ``run`` plays on an installation of its own and leaves only the result.
Exit codes: 0 as expected, 1 not as expected or failed, 2 input refused, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import smtplib
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from email.message import EmailMessage
from pathlib import Path
from types import FrameType
from typing import Any

from include.casework.opening import register_engagement
from include.casework.working_days import calendar_in_force
from include.engagement import process
from include.engagement.errors import EngagementError, InvalidInput
from include.register.session import sessions
from include.settings import load_settings
from local.airflow_api import AirflowApi, ApiError
from local.ports import HOST, PortInUse, Ports
from local.stack import ROOT, Stack, StackError
from rehearsal.letters import Mailbox
from rehearsal.players import RehearsalFailed
from rehearsal.portal_visit import visit
from rehearsal.progress import Progress
from rehearsal.record import Record
from rehearsal.rehearsal import Rehearsal
from rehearsal.report import unmet, write_results
from rehearsal.scenario import Scenario, find_scenario, read_scenario

DEMO_DATA = ROOT / "data" / "demo"
DEMO_SCENARIO = "coffee-roastery"
DAGS = ("engagement", "monitoring", "feedback", "reminders", "mailbox", "outbox")
MAILBOX_SECONDS = 60.0
LOG_LINES = 25
INTERRUPTED = 130


class Interrupted(BaseException):
    """A signal asked to stop."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal", description="Play scenarios of engagements.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="play, show, and stay up until Ctrl-C")
    demo.add_argument("scenarios", nargs="*", default=[DEMO_SCENARIO], metavar="SCENARIO")
    run = commands.add_parser("run", help="play on an installation of its own and write result.json")
    run.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    run.add_argument("scenarios", nargs="+", metavar="SCENARIO")
    given = parser.parse_args(arguments)
    scenarios = _read_all(given.scenarios)
    if scenarios is None:
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return _demo(scenarios) if given.command == "demo" else _run(scenarios, given.out)
    except Interrupted:
        return INTERRUPTED
    except (StackError, PortInUse, ApiError, RehearsalFailed, EngagementError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or 'Disk'}: {error.strerror or error}", file=sys.stderr)
        return 1


def _read_all(arguments: list[str]) -> list[Scenario] | None:
    """Read every scenario; None when one is refused, with all reasons printed."""
    scenarios, sound = [], True
    for argument in arguments:
        try:
            scenarios.append(read_scenario(find_scenario(argument)))
        except InvalidInput as error:
            print(f"{argument}: kịch bản bị từ chối", file=sys.stderr)
            for problem in error.problems:
                print(f"  {problem}", file=sys.stderr)
            sound = False
    return scenarios if sound else None


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Stopping takes some seconds; a second Ctrl-C must not leave processes behind.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted


def _demo(scenarios: list[Scenario]) -> int:
    ports = Ports.from_environment()
    ports.check()  # before the folder is wiped: a demo may be running in it
    if DEMO_DATA.exists():
        shutil.rmtree(DEMO_DATA)
    progress = Progress()
    progress.say("Đang khởi động Airflow…")
    with Stack(DEMO_DATA, rehearsal=True, ports=ports) as stack:
        results = play(stack, scenarios, progress, out=DEMO_DATA / "result")
        summarise(stack, results, progress, out=DEMO_DATA / "result")
        progress.say("\nAirflow vẫn chạy; nhấn Ctrl-C để dừng.", style="bold")
        try:
            while not threading.Event().wait(2):
                stack.check()
        except Interrupted:
            with suppress(OSError):  # the terminal may be closed
                progress.say("Đang dừng…")
    return 1 if unmet(results) else 0


def _run(scenarios: list[Scenario], out: Path) -> int:
    progress = Progress()
    data = Path(tempfile.mkdtemp(prefix="rehearsal-"))
    try:
        progress.say("Đang khởi động Airflow…")
        with Stack(data / "stack", rehearsal=True) as stack:
            results = play(stack, scenarios, progress, out=out)
            summarise(None, results, progress, out=out)
    except (RehearsalFailed, ApiError, StackError):
        logs = data / "stack" / "logs"
        if logs.is_dir():
            out.mkdir(parents=True, exist_ok=True)
            shutil.copytree(logs, out / "logs", dirs_exist_ok=True)
            print(f"The installation's logs are kept in {out / 'logs'}.", file=sys.stderr)
        raise
    finally:
        shutil.rmtree(data, ignore_errors=True)
    return 1 if unmet(results) else 0


def play(stack: Stack, scenarios: list[Scenario], progress: Progress, *, out: Path) -> list[dict[str, Any]]:
    """Play on a running installation and write the results into ``out``. Raises RehearsalFailed, ApiError."""
    os.environ.update({name: value for name, value in stack.environment().items() if name.startswith("ENGAGEMENT_")})
    settings = load_settings()
    mailbox = Mailbox(stack.mails)
    with sessions(settings.register_url)() as session:
        calendar = calendar_in_force(session)

    def register(form: dict[str, Any], day: date) -> str:
        return register_engagement(form, day=day, settings=settings)

    with AirflowApi(stack.api_url, "admin", stack.users["admin"]) as airflow, progress:
        airflow.wait_for_dags(DAGS)

        def post(message: EmailMessage) -> None:
            with smtplib.SMTP(HOST, stack.ports.smtp) as server:
                server.send_message(message)
            read_mailbox(airflow)

        rehearsal = Rehearsal(
            scenarios=scenarios, airflow=airflow, register=Record(settings), mailbox=mailbox, storage=stack.storage,
            calendar=calendar, progress=progress, register_form=register, log_of=log_reader(stack.data), visit=visit,
            post=post,
        )  # fmt: skip
        rehearsal.play()
    played = [(scenario, rehearsal.opened[number]) for number, scenario in enumerate(scenarios)]
    with sessions(settings.register_url)() as session:
        return write_results(session, played, storage=stack.storage, letters=mailbox.letters(),
                             calendar=calendar_in_force(session), out=out)  # fmt: skip


def read_mailbox(airflow: AirflowApi) -> None:
    """Have the reply mailbox read now instead of at its next turn. Raises RehearsalFailed when that fails."""
    run_id = str(airflow.trigger("mailbox", None, {})["dag_run_id"])
    deadline = time.monotonic() + MAILBOX_SECONDS
    while (state := airflow.run("mailbox", run_id)["state"]) != "success":
        if state == "failed" or time.monotonic() > deadline:
            raise RehearsalFailed(f"the reply mailbox was not read: {run_id} is {state}")
        time.sleep(0.3)


def log_reader(data: Path) -> Callable[[Mapping[str, Any]], str]:
    """Return what reads the tail of a task's last log on this installation."""

    def tail(task: Mapping[str, Any]) -> str:
        folder = data / "airflow" / "logs" / f"dag_id={task['dag_id']}" / f"run_id={task['dag_run_id']}"
        found = (folder / f"task_id={task['task_id']}").rglob("attempt=*.log")
        logs = sorted(found, key=lambda log: log.stat().st_mtime)
        if not logs:
            return ""
        lines = logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(_log_line(line) for line in lines)

    return tail


def _log_line(line: str) -> str:
    """Return a structured line as people read it."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict):
        return line
    errors = [f"{each.get('exc_type')}: {each.get('exc_value')}" for each in entry.get("error_detail") or []]
    return " ".join([str(entry.get("level", "")).upper(), str(entry.get("event", "")), *errors]).strip()


def summarise(stack: Stack | None, results: list[dict[str, Any]], progress: Progress, *, out: Path) -> None:
    """Say how it ended and where everything lies."""
    for result in results:
        engagement_id = result["engagement_id"]
        progress.say(f"\n{engagement_id}: {process.OUTCOMES.get(result['outcome'], result['outcome'])}", style="bold")
        reserve = result["reserve"]
        counts = (("documents", "tài liệu"), ("mails", "thư"), ("reminders", "lời nhắc"))
        told = ", ".join(f"{len(result[key])} {name}" for key, name in counts)
        progress.say(f"  {told}; dự trù còn {reserve['left']}/{reserve['contracted']} ngày")
        if result["promised_date"]:
            progress.say(f"  Hẹn khách: {result['promised_date']}; bàn giao: {result['delivered_date'] or '–'}")
        if stack is not None:
            progress.say(f"  Tài liệu:  {stack.storage / 'engagements' / engagement_id}")
            progress.say(f"  Hồ sơ:     {stack.api_url}/engagements/e/{engagement_id}")
            progress.say(f"  Airflow:   {stack.api_url}/dags/engagement/runs/{engagement_id}")
    progress.say(f"\nKết quả: {out / 'result.json'}")
    if stack is not None:
        progress.say(f"Thư đã gửi: {stack.catcher_url}")
        progress.say(f"Đăng nhập Airflow: admin / {stack.users['admin']}")
    missed = unmet(results)
    for each in missed:
        progress.say(f"KHÔNG ĐẠT  {each}", style="bold red")
    if not missed:
        progress.say("Mọi điều kịch bản mong đợi đều đạt.", style="green")


if __name__ == "__main__":
    sys.exit(main())

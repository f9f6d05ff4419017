"""``python -m chaos --out FOLDER [--seed N] [--quick] [SCENARIO…]``: plays scenarios on a stand that is being broken.

Prints the scoreboard and writes it as ``scoreboard.json``. Exit codes: 0 all promises kept, 1 not, 2 input refused.
The same seed tries the same things; when each strikes also depends on how fast the machine is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import shutil
import smtplib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import date
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from rich.console import Console

from chaos import scoreboard
from chaos.clearing import clear_each
from chaos.desk import Desk
from chaos.judge import Verdict, judge
from chaos.monkey import Happened, Monkey
from chaos.people import AWAY, Patient, Staff, patiently
from chaos.points import strikes
from chaos.stand import Stand, until
from include.casework.opening import register_engagement, registered_as
from include.engagement.calendar import working_calendar
from include.engagement.errors import InvalidInput
from include.register.session import sessions
from include.settings import load_settings
from local.airflow_api import ApiError
from local.ports import HOST
from local.stack import ROOT, StackError
from rehearsal.__main__ import DAGS, log_reader, read_mailbox
from rehearsal.letters import Mailbox
from rehearsal.portal_visit import visit
from rehearsal.progress import Progress
from rehearsal.record import Record
from rehearsal.rehearsal import Rehearsal
from rehearsal.report import unmet, write_results
from rehearsal.scenario import Scenario, find_scenario, read_scenario

SEED = 20261201
QUICK = ("terminated",)
WHOLE = ("coffee-roastery", "furniture-workshop", "everything-goes-wrong", "refused-for-inaccuracy")
QUICK_CLEARS = 6
QUICK_FAULTS = 12
WHOLE_ROUNDS = 2  # each step of the clock ahead may hold everything up for as long as it was off
QUICK_PATIENCE_SECONDS = 480.0
PATIENCE_SECONDS = 900.0  # longer than the clock is ever off
LOOK_SECONDS = 1.0
DRAIN_SECONDS = 180.0
HISTORIES = ROOT / "tests" / "histories"


def main(arguments: list[str] | None = None) -> int:
    """Break an installation; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Break an installation, play scenarios.")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--quick", action="store_true", help="one scenario, a sample of the faults")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    asked = parser.parse_args(arguments)
    names = asked.scenarios or list(QUICK if asked.quick else WHOLE)
    try:
        scenarios = [read_scenario(find_scenario(name)) for name in names]
    except InvalidInput as error:
        print(error, file=sys.stderr)
        return 2
    logging.getLogger("httpx").setLevel(logging.WARNING)
    data = Path(tempfile.mkdtemp(prefix="chaos-"))
    began = time.monotonic()
    try:
        verdict, happened = _break(data, scenarios, seed=asked.seed, quick=asked.quick, out=asked.out)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        _keep_logs(data, asked.out)
        shutil.rmtree(data, ignore_errors=True)
    board = scoreboard.make(verdict, happened, seed=asked.seed, scenarios=[each.name for each in scenarios],
                            minutes=(time.monotonic() - began) / 60)  # fmt: skip
    file = scoreboard.write(board, asked.out)
    scoreboard.show(board, Console())
    print(f"Written: {file}")
    return 0 if scoreboard.held(board) else 1


def _break(
    data: Path, scenarios: list[Scenario], *, seed: int, quick: bool, out: Path
) -> tuple[Verdict, list[Happened]]:
    progress = Progress()
    stand = Stand(data, seed=seed)
    if not stand.clock_steps:
        progress.say("NOT TRIED: clock steps; libfaketime cannot be loaded on this machine.", style="bold red")
    progress.say("Starting the stand…")
    with stand.running() as stack:
        os.environ.update(
            {name: value for name, value in stack.environment().items() if name.startswith("ENGAGEMENT_")}
        )
        settings = load_settings()
        mailbox, calendar = Mailbox(stack.mails), working_calendar()
        handed_in: list[str] = []
        with stand.api() as api, stand.api() as desk_api, progress:
            api.wait_for_dags(DAGS)
            staff = Staff(stand, api, seed=seed)

            def register(form: dict[str, Any], day: date) -> str:
                def once() -> str:
                    known = registered_as(form, settings=settings)
                    return known or register_engagement(form, day=day, settings=settings)

                return patiently(once)

            def visited(link: str, reply: Mapping[str, Any], files: Mapping[str, bytes]) -> bool:
                taken = patiently(lambda: visit(stand.door(link), reply, files))
                if taken:
                    handed_in.extend(hashlib.sha256(content).hexdigest() for content in files.values())
                return taken

            def post(message: EmailMessage) -> None:
                def once() -> None:
                    with smtplib.SMTP(HOST, stack.ports.smtp, timeout=30) as server:
                        server.send_message(message)

                patiently(once)
                patiently(lambda: read_mailbox(staff))

            rehearsal = Rehearsal(
                scenarios=scenarios, airflow=staff, register=Patient(Record(settings)),
                mailbox=mailbox, storage=stack.storage, calendar=calendar, progress=progress, register_form=register,
                log_of=log_reader(stack.data), visit=visited, post=post, parking=0, sleep=_unhurried,
                patience=QUICK_PATIENCE_SECONDS if quick else PATIENCE_SECONDS,
            )  # fmt: skip
            broken: list[str] = []
            with Desk(settings, desk_api, mailbox) as desk:
                with Monkey(stand, seed=seed, rounds=1 if quick else WHOLE_ROUNDS, most=QUICK_FAULTS if quick else None,
                            patient=not quick, say=progress.say) as monkey:  # fmt: skip
                    try:
                        rehearsal.play()
                    except (*AWAY, ApiError) as error:
                        broken.append(f"not played to its end: {type(error).__name__}: {error}")
                progress.say("The engagements have ended; what waits is sent…")
                until(lambda: desk.open_mails() == 0, seconds=DRAIN_SECONDS)
                happened = list(monkey.happened)
                if not broken:
                    progress.say("Tasks that are done are cleared…")
                    happened += clear_each(api, sessions(settings.register_url), seed=seed,
                                           most=QUICK_CLEARS if quick else None, say=progress.say)  # fmt: skip
                until(lambda: desk.open_mails() == 0, seconds=DRAIN_SECONDS)
        with sessions(settings.register_url)() as session:
            letters = mailbox.letters()
            played = [(scenarios[number], engagement_id) for number, engagement_id in rehearsal.opened.items()]
            verdict = judge(session, letters=letters, storage=stack.storage, given=staff.given, handed_in=handed_in,
                            undisturbed={} if broken else _undisturbed(played))  # fmt: skip
            results = write_results(session, played, storage=stack.storage, letters=letters, calendar=calendar,
                                    out=data / "result")  # fmt: skip
        verdict.findings += [*broken, *unmet(results)]
        ended = {result["engagement_id"] for result in results if result["expectations"]} if not broken else set()
        happened += _inside(stand.chaos, not broken)
        happened += [Happened(f"sign-off answered: {way}", bool(ended)) for way in staff.ways if way != "plainly"]
        return verdict, happened


def _unhurried(seconds: float) -> None:
    """Look less often than a rehearsal does: what is broken needs the machine for itself."""
    time.sleep(max(seconds, LOOK_SECONDS))


def _undisturbed(played: list[tuple[Scenario, str]]) -> dict[str, Counter[tuple[str, str]]]:
    """Return which mails of an engagement its recorded history has, where there is one."""
    found = {}
    for scenario, engagement_id in played:
        file = HISTORIES / f"{scenario.name}.json"
        if file.exists():
            mails = json.loads(file.read_text(encoding="utf-8"))["decided"]["mails"]
            found[engagement_id] = Counter((each["day"], each["mail"]) for each in mails if each["mail"] != "digest")
    return found


def _inside(folder: Path, ended: bool) -> list[Happened]:
    """Return what struck inside of tasks and of the mail server: survived if everything came to its end after it."""
    inside = [Happened(f"{'task killed' if each['fault'] == 'kill' else each['fault']}: {each['point']}", ended)
              for each in strikes(folder)]  # fmt: skip
    moods = folder / "moods.jsonl"
    lines = moods.read_text(encoding="utf-8").splitlines() if moods.exists() else []
    return inside + [Happened(f"mail server: {json.loads(line)['mood']}", ended) for line in lines]


def _keep_logs(data: Path, out: Path) -> None:
    """Keep what tells how it went, for whoever has to find out."""
    for folder in (data / "stack" / "logs", data / "stack" / "airflow" / "logs", data / "chaos"):
        if folder.is_dir():
            shutil.copytree(folder, out / "logs" / folder.relative_to(data), dirs_exist_ok=True)


if __name__ == "__main__":
    sys.exit(main())

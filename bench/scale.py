"""``python -m bench.scale``: what waiting costs and how fast an answer is taken up, with ever more engagements open.

A few engagements are real and wait for their client; the rest are copies (see ``bench.parked``). They are answered
one after the other; the clock runs from each file to the receipt in the client's mailbox, and to what comes next: a
sign-off that is asked for, or a mail with documents. Each sign-off is answered at once, and the clock runs until the
next one is asked for, by another task, to which the scheduler comes in its turn. CPU is that of Airflow's processes,
PostgreSQL's told apart.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import machine
from bench.parked import Copies
from bench.waits import BenchStack, tasks_a_second
from include.engagement import process
from include.register.session import sessions
from include.settings import load_settings
from local.airflow_api import AirflowApi
from local.keeper import descendants
from local.stack import ROOT, Stack
from rehearsal.letters import Mailbox
from rehearsal.record import Record
from tests.firm import ANSWERS, FORM, PAPERS, QUOTE, Firm, Outbox
from tests.seeded import seed

OUT = ROOT / "data" / "bench"
TUESDAY = date(2026, 12, 1)
LEVELS = (100, 1000, 5000)
PROBES = 6  # of each kind, at each level
QUIET_SECONDS = 60.0
PATIENCE_SECONDS = 900.0
LOOK_SECONDS = 0.5
READING_SECONDS = 3.0  # nobody decides sooner; within a moment of the asking Airflow may fail the try and begin anew
WHAT = ("receipt", "sign_off", "documents", "next_task")
TRIGGERS = 20_000  # so many waits a triggerer takes on; Airflow's own 1 000 would leave the rest unwatched

# Airflow's own defaults where the local stack sets something else; a triggerer has to take the waits on either way.
DEFAULTS = {
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
    "AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE": "20",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
}
SETTINGS: dict[str, Mapping[str, str]] = {"defaults": DEFAULTS, "ours": {}}
REVIEW = "information.collect_information_1"
PARTS = ("scheduler", "scheduler-2", "triggerer", "triggerer-2", "api-server", "dag-processor")


@dataclass
class Probe:
    """A real engagement that waits: when its answer was complete, and what came of it when (seconds since 1970)."""

    engagement_id: str
    kind: str  # information: a sign-off comes next, and after it another; quote: a mail with documents
    landed: float = 0.0
    receipt: float | None = None
    then: float | None = None
    signed: float = 0.0
    next_task: float | None = None

    @property
    def answered(self) -> bool:
        """Whether all that follows the answer has come."""
        return bool(self.then and (self.receipt or self.kind == "quote"))


@dataclass
class Site:
    """A running installation with real and copied engagements."""

    stack: Stack
    airflow: AirflowApi
    opened: int = 0
    waiting: list[Probe] = field(default_factory=list)

    def firm(self, engagement_id: str = "") -> Firm:
        return Firm(load_settings(), Outbox(), engagement_id)

    def open(self, kind: str) -> Probe:
        """Open an engagement and bring it to the client's wait; what came before is in the register already."""
        firm = self.firm()
        firm.open(referrer=f"bench {self.opened}", finance={**FORM["finance"], "employees": 34})
        self.opened += 1
        firm.sign("first_meeting", "no")
        if kind == "quote":
            firm.inform().decide().sign("quote", "send", **QUOTE)
        self.airflow.trigger("engagement", firm.engagement, {"engagement_id": firm.engagement})
        return Probe(firm.engagement, kind)

    def parked(self, probe: Probe, state: str = "deferred") -> bool:
        task = {"information": REVIEW, "quote": "contract.negotiate_quote_1"}[probe.kind]
        tasks = self.airflow.task_instances("engagement", probe.engagement_id, [state])
        return task in {row["task_id"] for row in tasks}

    def answer(self, probe: Probe) -> None:
        firm = self.firm(probe.engagement_id)
        if probe.kind == "information":
            firm.put("information", {"answers": ANSWERS}, PAPERS)
        else:
            firm.put("quote", {"reply": "accept"})
        probe.landed = time.time()

    def sign(self, probe: Probe) -> None:
        """Accept what the client of a probe sent."""
        [asked] = self.airflow.pending_sign_offs("engagement", probe.engagement_id)
        review = process.SIGN_OFFS["information_review"]
        self.airflow.answer(asked, review.options["accept"], {entry.key: None for entry in review.entries})
        probe.signed = time.time()

    def look(self, probes: Sequence[Probe]) -> None:
        """Note what has come of the answers."""
        ids = {probe.engagement_id for probe in probes}
        templates = Record(load_settings()).templates(ids)
        letters = [(letter.path.stat().st_mtime, letter.engagement, templates.get(letter.message_id, ""))
                   for letter in Mailbox(self.stack.mails).letters() if letter.engagement in ids]  # fmt: skip
        for probe in probes:
            mine = sorted((at, template) for at, id_, template in letters
                          if id_ == probe.engagement_id and at > probe.landed)  # fmt: skip
            if probe.kind == "information":
                probe.receipt = next((at for at, template in mine if template.startswith("items_")), None)
                asked = {each.task_id: each.asked_at.timestamp()
                         for each in self.airflow.pending_sign_offs("engagement", probe.engagement_id)}  # fmt: skip
                probe.then = probe.then or asked.get(REVIEW)
                probe.next_task = asked.get("contract.decide")
            else:
                probe.then = next((at for at, template in mine if template == "contract"), None)


def until(done: Callable[[], bool], what: str) -> None:
    """Wait. Raises RuntimeError when it takes longer than PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"in vain: {what}")
        time.sleep(LOOK_SECONDS)


def cpu(stack: Stack) -> dict[str, float]:
    """Return the CPU seconds that each part has used so far, its children's included."""
    return {name: sum(map(_used, (pid, *descendants(pid)))) for name, pid in stack.pids().items()
            if name in PARTS or name == "postgres"}  # fmt: skip


def _used(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return sum(int(each) for each in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return 0.0


def memory(stack: Stack) -> int:
    """Return the bytes that Airflow's processes and no others hold."""
    pages = 0
    for name, pid in stack.pids().items():
        if name in PARTS:
            for each in (pid, *descendants(pid)):
                with contextlib.suppress(OSError):
                    rss, shared = Path(f"/proc/{each}/statm").read_text().split()[1:3]
                    pages += int(rss) - int(shared)
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def metered(stack: Stack, into: dict[str, Any]) -> Iterator[None]:
    """Write the CPU used meanwhile into ``into``, as CPU seconds a minute of each part."""
    before, began = cpu(stack), time.monotonic()
    yield
    minutes = (time.monotonic() - began) / 60
    after = cpu(stack)
    into |= {name: (after[name] - before.get(name, 0.0)) / minutes for name in after}


@contextlib.contextmanager
def running(folder: Path, settings: Mapping[str, str], schedulers: int) -> Iterator[Site]:
    """Start an installation with these settings and so many schedulers."""
    added = {"AIRFLOW__TRIGGERER__CAPACITY": str(TRIGGERS), "ENGAGEMENT_INBOX_POLL_SECONDS": "1",
             "ENGAGEMENT_LIBREOFFICE": "none", **settings}  # fmt: skip
    with BenchStack(folder / "stack", rehearsal=True, added=added) as stack:
        for _ in range(schedulers - 1):
            stack.add_twin("scheduler")
        ours = {name: value for name, value in stack.environment().items() if name.startswith("ENGAGEMENT_")}
        os.environ.update(ours)
        Record(load_settings()).set_day(TUESDAY)
        with AirflowApi(stack.api_url, "admin", stack.users["admin"]) as airflow:
            airflow.wait_for_dags(["engagement"])
            yield Site(stack, airflow)


def measure(
    folder: Path, settings: Mapping[str, str], levels: Sequence[int], say: Callable[[str], None], *,
    schedulers: int, probes: int,
) -> tuple[float, list[dict[str, Any]]]:  # fmt: skip
    """Return the tasks a second while nothing is open, and what was measured at each level of open engagements."""
    found = []
    with running(folder, settings, schedulers) as site:
        rate = tasks_a_second(site.airflow)
        say(f"  {rate:.1f} tasks a second")
        if not levels:
            return rate, []
        say("engagements are opened…")
        model = site.open("information")
        ready = [[site.open(kind) for _ in range(probes) for kind in ("information", "quote")] for _ in levels]
        everyone = [model, *(probe for each in ready for probe in each)]
        until(lambda: all(map(site.parked, everyone)), "the real ones wait for their clients")
        with sessions(load_settings().register_url)() as session:
            seed(session, finished=0, still_open=max(levels), today=TUESDAY)
        copies = Copies(site.stack.metadata_url, model.engagement_id)
        for level, answering in zip(levels, ready, strict=True):
            open_now = len(everyone) - sum(len(each) for each in ready[: len(found)])
            copies.grow(level - open_now)
            say(f"{level} open…")
            until(lambda n=copies.number: copies.watched() >= n, "a triggerer watches all")
            time.sleep(QUIET_SECONDS / 2)  # what the growing itself cost is over
            row: dict[str, Any] = {"open": level, "waiting_cpu": {}, "answering_cpu": {}}
            with metered(site.stack, row["waiting_cpu"]):
                time.sleep(QUIET_SECONDS)
            row["round"] = copies.round(QUIET_SECONDS)
            with metered(site.stack, row["answering_cpu"]):
                for probe in answering:
                    _follow(site, probe)
                asked = [probe for probe in answering if probe.signed]
                until(lambda probes=asked: site.look(probes) or all(p.next_task for p in probes), "the next sign-off")
            row["memory"] = memory(site.stack)
            row["database"] = copies.size()
            row["receipt"] = _numbers([p.receipt - p.landed for p in answering if p.receipt])
            for kind, name in (("information", "sign_off"), ("quote", "documents")):
                row[name] = _numbers([p.then - p.landed for p in answering if p.kind == kind and p.then])
            row["next_task"] = _numbers([p.next_task - p.signed for p in answering if p.next_task])
            say(_line(row))
            found.append(row)
    return rate, found


def _follow(site: Site, probe: Probe) -> None:
    """Answer for a client, wait for what follows, and sign off what is to be signed off."""
    site.answer(probe)
    until(lambda: site.look([probe]) or probe.answered, f"what follows the answer of {probe.engagement_id}")
    if probe.kind == "information":
        until(lambda: site.parked(probe, "awaiting_input"), "the sign-off waits")
        time.sleep(READING_SECONDS)
        site.sign(probe)


def _numbers(seconds: Sequence[float]) -> dict[str, Any]:
    return {"median": statistics.median(seconds), "max": max(seconds), "n": len(seconds)}


def airflow_cpu(used: Mapping[str, float]) -> float:
    """Return the CPU of Airflow's parts together."""
    return sum(seconds for name, seconds in used.items() if name in PARTS)


def _line(row: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name} {row[name]['median']:.1f} s (max {row[name]['max']:.1f})"
                     for name in WHAT)  # fmt: skip
    return (f"  {told}; Airflow {airflow_cpu(row['waiting_cpu']):.1f} CPU s a minute waiting, "
            f"{airflow_cpu(row['answering_cpu']):.1f} answering")  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table, keep the numbers; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER")
    parser.add_argument("--open", type=int, nargs="*", default=list(LEVELS), metavar="N",
                        help="levels of open engagements; none: tasks a second alone")
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--probes", type=int, default=PROBES, metavar="N", help="real ones of each kind, at each level")
    parser.add_argument("--schedulers", type=int, default=1, metavar="K")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings laid over both")
    given = parser.parse_args(arguments)
    over = dict(each.split("=", 1) for each in given.set)
    console = Console(highlight=False)
    results: dict[str, Any] = {"machine": machine.facts(), "over": over, "schedulers": given.schedulers,
                               "tasks_a_second": {}, "settings": {}}
    for name in given.settings:
        console.print(f"{name}:")
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            results["tasks_a_second"][name], results["settings"][name] = measure(
                Path(folder), {**SETTINGS[name], **over}, sorted(given.open), console.print,
                schedulers=given.schedulers if name == "ours" else 1, probes=given.probes,
            )  # fmt: skip
    results["machine"]["load_after"] = machine.load()
    if given.open:
        console.print(_table(results))
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"scale-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {path}")
    return 0


def _table(results: Mapping[str, Any]) -> Table:
    facts = results["machine"]
    table = Table(title=f"{facts['cores']} cores, Python {facts['python']}, Airflow {facts['airflow']}")
    table.add_column("settings")
    for column in ("open", "receipt [s]", "sign-off [s]", "documents [s]", "next task [s]", "round [s]",
                   "CPU waiting [s/min]", "CPU answering [s/min]", "memory [MB]"):  # fmt: skip
        table.add_column(column, justify="right")
    for name, rows in results["settings"].items():
        for row in rows:
            seconds = (f"{row[each]['median']:.1f}" for each in WHAT)
            table.add_row(
                name, str(row["open"]), *seconds, f"{row['round']:.1f}",
                f"{airflow_cpu(row['waiting_cpu']):.1f}", f"{airflow_cpu(row['answering_cpu']):.1f}",
                f"{row['memory'] / 1e6:.0f}",
            )  # fmt: skip
    return table


if __name__ == "__main__":
    sys.exit(main())

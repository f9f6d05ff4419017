"""Histories: what people said in a finished engagement, and what the pipeline decided each time.

``record`` plays a scenario and keeps what was said; ``replay`` says it again to the code as it is now. Decisions are
read from the register and from the walk; bytes of documents and wordings of mails are none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from include import clock
from include.engagement.calendar import working_calendar
from include.engagement.form import check_form
from include.register.models import (
    Document,
    Engagement,
    Event,
    Mail,
    ReminderSent,
    Request,
    RequestItem,
    ReserveEntry,
    ScheduledRun,
    SignOff,
    StagePeriod,
)
from include.register.session import sessions
from include.settings import ROOT, load_settings
from rehearsal.letters import Mailbox
from rehearsal.progress import Progress
from rehearsal.rehearsal import Rehearsal
from rehearsal.scenario import read_scenario
from tests.histories.walk import Walk, installation, load_dags

FOLDER = Path(__file__).resolve().parent
# Facts of events that are decisions; others name rows, files and hashes.
FACTS = ("after", "before", "complete", "course", "days", "decision", "dag", "due", "mean", "missing", "outcome",
         "passed", "promised", "received", "reserve_days", "reserve_left", "returned")  # fmt: skip
HASH = re.compile(r"\b[0-9a-f]{16,64}\b")


def record(scenario_file: Path, register_url: str, folder: Path) -> dict[str, Any]:
    """Play a scenario with its players; return the form and what everybody said, day by day."""
    scenario = read_scenario(scenario_file)
    with installation(register_url, folder) as relay:
        walk = Walk(load_dags())
        seconds = [0.0]

        def sleep(by: float) -> None:
            seconds[0] += by

        Rehearsal(
            scenarios=[scenario], airflow=walk, register=walk, mailbox=Mailbox(relay.folder), storage=walk.storage,
            calendar=working_calendar(), progress=Progress(Console(file=StringIO())),
            register_form=walk.open,
            clock=lambda: seconds[0], sleep=sleep,
        ).play()  # fmt: skip
        return {"form": scenario.form, "days": walk.heard}


def replay(
    history: Mapping[str, Any],
    register_url: str,
    folder: Path,
    *,
    dags: Path = ROOT / "dags",
    each_day: Callable[[Walk, int], None] = lambda walk, number: None,
) -> dict[str, Any]:
    """Say everything again to the present code and the DAG files in ``dags``; return what it decides.

    ``each_day`` gets the walk and the day's number before anything happens on it.
    """
    calendar, said = working_calendar(), 0
    with installation(register_url, folder):
        walk = Walk(load_dags(dags))
        before: date | None = None
        for number, entry in enumerate(history["days"]):
            day = date.fromisoformat(entry["day"])
            walk.set_day(day)
            each_day(walk, number)
            if before is None:
                engagement = walk.open(check_form(history["form"]), day)
                walk.trigger("engagement", engagement, {"engagement_id": engagement})
            else:
                since = calendar.next(before)
                conf = {"since": since.isoformat(), "day": day.isoformat()}
                walk.trigger("reminders", f"reminders__{number}", conf)
            before = day
            walk.start_planned(day)
            for each in entry["said"]:
                said += 1
                walk.hear(each, said)
        with sessions(load_settings().register_url)() as session:
            return {"tasks": walk.trace, **decisions(session)}


def decisions(session: Session) -> dict[str, Any]:
    """Return what the register says was decided: rows in the order in which they came about."""
    engagement = session.scalars(select(Engagement)).one()
    requests = list(session.scalars(select(Request).order_by(Request.id)))
    keys = {request.id: request.key for request in requests}
    items: dict[int, list[str]] = {}
    for item in session.scalars(select(RequestItem).order_by(RequestItem.id)):
        items.setdefault(item.request_id, []).append(f"{item.key}: {item.state}")
    return {
        "engagement": {
            "status": engagement.status, "closed": _iso(engagement.closed), "signed": _iso(engagement.signed),
            "promised": _iso(engagement.promised), "delivered": _iso(engagement.delivered), "terms": engagement.terms,
            "link_version": engagement.link_version,
        },
        "stages": [
            {"stage": row.stage, "round": row.round, "opened": _iso(row.opened), "due": _iso(row.due),
             "closed": _iso(row.closed), "client_waited": row.client_waited, "client_wait_days": row.client_wait_days}
            for row in session.scalars(select(StagePeriod).order_by(StagePeriod.id))
        ],
        "requests": [
            {"request": row.key, "of": row.of, "times_asked": row.times_asked, "asked": _iso(row.asked),
             "due": _iso(row.due), "status": row.status, "answered": _iso(row.answered),
             "reply": (row.reply or {}).get("reply"), "items": items.get(row.id, [])}
            for row in requests
        ],
        "sign_offs": [
            {"gate": row.gate, "round": row.round, "who": row.who, "attempt": row.attempt, "asked": _iso(row.asked),
             "day": _iso(row.day), "decision": row.decision, "outcome": row.outcome,
             "on": [f"{document['key']} v{document['version']}" for document in row.documents]}
            for row in session.scalars(select(SignOff).order_by(SignOff.id))
        ],
        "documents": [
            {"document": row.key, "version": row.version, "stage": row.stage, "number": row.number,
             "day": _iso(row.day), "occasion": HASH.sub("…", row.occasion), "language": row.language}
            for row in session.scalars(select(Document).order_by(Document.id))
        ],
        "mails": [
            {"day": _iso(row.day), "mail": row.template, "to": _role(row.recipient), "stage": row.stage,
             "reason": HASH.sub("…", row.key.removesuffix(f"/{row.recipient}").removeprefix(f"{engagement.id}/")),
             "state": row.state}
            for row in session.scalars(select(Mail).order_by(Mail.id))
        ],
        "reserve": [
            {"kind": row.kind, "round": row.round, "days": row.days, "day": _iso(row.day)}
            for row in session.scalars(select(ReserveEntry).order_by(ReserveEntry.id))
        ],
        "reminders": [
            {"request": keys[row.request_id], "times_asked": row.times_asked, "reminder": row.reminder,
             "level": row.level, "day": _iso(row.day)}
            for row in session.scalars(select(ReminderSent).order_by(ReminderSent.id))
        ],
        "planned_runs": [
            {"run": row.run_id, "day": _iso(row.run_after.astimezone(clock.ZONE).date()), "status": row.status}
            for row in session.scalars(select(ScheduledRun).order_by(ScheduledRun.id))
        ],
        "events": [
            {"day": _iso(row.day), "event": HASH.sub("…", row.key),
             **{name: row.facts[name] for name in FACTS if name in row.facts}}
            for row in session.scalars(select(Event).order_by(Event.id))
        ],
    }  # fmt: skip


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _role(address: str) -> str:
    """Return whose address it is: staff by their role, everybody else is the client."""
    staff = load_settings().firm["staff"]
    people = {person["email"]: role for role, person in staff.items() if role != "council"}
    people |= {person["email"]: f"council.{member}" for member, person in staff["council"].items()}
    return people.get(address, "client")


def written(history: Mapping[str, Any]) -> str:
    """Return a history as it is kept: one line for each thing said or decided, so that a change reads well."""
    lines = ["{", f' "form": {_line(history["form"])},', ' "days": [']
    days = history["days"]
    for number, day in enumerate(days):
        said = ",\n".join(f"   {_line(each)}" for each in day["said"])
        end = "" if number == len(days) - 1 else ","
        lines.append(f'  {{"day": "{day["day"]}", "said": [' + (f"\n{said}\n  ]" if said else "]") + f"}}{end}")
    lines += [" ],", ' "decided": {']
    decided = list(history["decided"].items())
    for number, (name, rows) in enumerate(decided):
        end = "" if number == len(decided) - 1 else ","
        if isinstance(rows, list) and rows:
            body = ",\n".join(f"   {_line(row)}" for row in rows)
            lines.append(f'  "{name}": [\n{body}\n  ]{end}')
        else:
            lines.append(f'  "{name}": {_line(rows)}{end}')
    return "\n".join([*lines, " }", "}", ""])


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

"""The play: a calendar of its own, moved from one day on which something is due to the next.

On each day: the reminders sweep (for the working days in between too, in order), engagements that open, planned
runs whose day has come, then clients and staff act until nothing is left to do that day. The day never moves while
something runs.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Protocol

from include.engagement import process
from include.engagement.calendar import WorkingCalendar
from local.airflow_api import Conflict, NotFound, PendingSignOff
from rehearsal.letters import Letter
from rehearsal.players import (
    Choice,
    Correspondents,
    RehearsalFailed,
    decide,
    engagement_of,
    gate_of,
    member_of,
    unread,
)
from rehearsal.progress import Progress
from rehearsal.record import AskedDecision, FiledDocument, OpenedStage, OpenRequest, PlannedRun
from rehearsal.scenario import Scenario

ACTIVE = ("scheduled", "queued", "running", "restarting", "up_for_retry", "up_for_reschedule")
WAITING = ("deferred", "awaiting_input")
LOST = ("failed", "upstream_failed")
LOOK_SECONDS = 0.25
# The process that parked a task can take another second to end; what wakes the task before that can fail its try.
PARKING_SECONDS = 1.4
PATIENCE_SECONDS = 240.0


class Airflow(Protocol):
    """What a rehearsal asks of Airflow (``local.airflow_api.AirflowApi``)."""

    def trigger(
        self, dag_id: str, run_id: str | None = None, conf: Mapping[str, Any] | None = None,
        run_after: datetime | None = None,
    ) -> dict[str, Any]: ...  # fmt: skip
    def run(self, dag_id: str, run_id: str) -> dict[str, Any]: ...
    def runs(self, dag_id: str | None = None, states: Collection[str] = ()) -> list[dict[str, Any]]: ...
    def delete_run(self, dag_id: str, run_id: str) -> None: ...
    def task_instances(
        self, dag_id: str | None = None, run_id: str | None = None, states: Collection[str] = ()
    ) -> list[dict[str, Any]]: ...
    def pending_sign_offs(self) -> list[PendingSignOff]: ...
    def answer(self, pending: PendingSignOff, option: str, params: Mapping[str, Any] | None = None) -> None: ...


class Register(Protocol):
    """What a rehearsal asks of the register (``rehearsal.record.Record``)."""

    def set_day(self, day: date) -> None: ...
    def statuses(self, ids: Collection[str]) -> dict[str, str]: ...
    def open_requests(self, ids: Collection[str]) -> list[OpenRequest]: ...
    def asked_decision(self, engagement_id: str, gate: str, who: str) -> AskedDecision | None: ...
    def decided(self, engagement_id: str, gate: str) -> int: ...
    def planned_runs(self, ids: Collection[str]) -> list[PlannedRun]: ...
    def templates(self, ids: Collection[str]) -> dict[str, str]: ...
    def documents(self, ids: Collection[str], *, after: int) -> list[FiledDocument]: ...
    def stages(self, ids: Collection[str], *, after: int) -> list[OpenedStage]: ...


class Letterbox(Protocol):
    """Where mail arrives (``rehearsal.letters.Mailbox``)."""

    def letters(self) -> list[Letter]: ...


@dataclass
class Rehearsal:
    """One or several scenarios on one installation. ``opened`` maps scenarios (by position) to engagement ids.

    ``register_form`` registers an intake form on a day and returns the engagement id; ``log_of`` returns the tail
    of a task's log. Times are seconds; ``parking`` is how long a task rests before anybody answers it.
    """

    scenarios: list[Scenario]
    airflow: Airflow
    register: Register
    mailbox: Letterbox
    storage: Path
    calendar: WorkingCalendar
    progress: Progress
    register_form: Callable[[dict[str, Any], date], str]
    log_of: Callable[[Mapping[str, Any]], str] = lambda task: ""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    patience: float = PATIENCE_SECONDS
    parking: float = PARKING_SECONDS
    opened: dict[int, str] = field(default_factory=dict)
    visit: Callable[[str, Mapping[str, Any], Mapping[str, bytes]], bool] | None = None
    post: Callable[[EmailMessage], None] | None = None

    def __post_init__(self) -> None:
        self._people = Correspondents(self.storage, self.calendar, visit=self.visit, post=self.post)
        self._swept: date | None = None
        self._released: set[str] = set()
        self._parked_since: dict[tuple[str, str, int], float] = {}
        self._asking: set[tuple[str, str, int]] = set()
        self._last_document = 0
        self._last_stage = 0
        self._letters_shown = 0

    @property
    def ids(self) -> list[str]:
        """The engagements opened so far."""
        return list(self.opened.values())

    def play(self) -> None:
        """Play everything to its end. Raises RehearsalFailed when something fails or nothing moves any more."""
        day = min(scenario.today for scenario in self.scenarios)
        while True:
            self.register.set_day(day)
            self.progress.day(day)
            self._sweep(day)
            self._open(day)
            self._settle(day)
            if self._over():
                return
            day = self._next_day(day)

    # --- the day ----------------------------------------------------------------------------------------

    def _sweep(self, day: date) -> None:
        """Send the reminders of every working day since the last sweep; nothing is reminded of before that."""
        since = self.calendar.next(self._swept) if self._swept else day
        self._swept = day
        going_on = any(status not in process.OUTCOMES for status in self.register.statuses(self.ids).values())
        if since > day or not (going_on or self.register.open_requests(self.ids)):
            return
        run_id = f"reminders__{day.isoformat()}"
        conf = {"since": since.isoformat(), "day": day.isoformat()}
        with suppress(Conflict):
            self.airflow.trigger("reminders", run_id, conf)
        began = self.clock()
        while (state := str(self.airflow.run("reminders", run_id)["state"])) != "success":
            if state == "failed":
                self._fail_for_task("reminders", run_id)
            if self.clock() - began > self.patience:
                raise RehearsalFailed(f"reminders: the sweep {run_id} did not end within {self.patience:.0f} seconds")
            self.progress.waiting([f"nhắc việc đến {day:%d/%m/%Y}"])
            self.sleep(LOOK_SECONDS)

    def _open(self, day: date) -> None:
        for number, scenario in enumerate(self.scenarios):
            if number not in self.opened and scenario.today <= day:
                engagement_id = self.register_form(scenario.form, day)
                self.opened[number] = engagement_id
                self._people.plays[engagement_id] = scenario
                self.airflow.trigger("engagement", engagement_id, {"engagement_id": engagement_id})
                self.progress.opened(engagement_id, scenario.title)

    def _release(self, day: date) -> bool:
        """Start the planned runs whose day has come: queue them again under the same id, for now."""
        released = False
        for run in self.register.planned_runs(self.ids):
            if run.day > day or run.run_id in self._released:
                continue
            try:
                self.airflow.delete_run(run.dag_id, run.run_id)
            except NotFound:
                continue  # planned in the register, not queued in Airflow yet: the next look finds it
            self.airflow.trigger(run.dag_id, run.run_id, {"engagement_id": run.engagement_id})
            self._released.add(run.run_id)
            released = True
            self.progress.say(f"  ▶ {run.run_id} bắt đầu", style="bold green")
        return released

    def _over(self) -> bool:
        if len(self.opened) < len(self.scenarios) or self._people.deeds or self.register.planned_runs(self.ids):
            return False
        if any(status not in process.OUTCOMES for status in self.register.statuses(self.ids).values()):
            return False
        return not self._our_runs(("running", "queued"))

    def _next_day(self, day: date) -> date:
        """Return the next day on which somebody acts, a planned run starts or an engagement opens."""
        days = [deed.day for deed in self._people.deeds]
        days += [self.calendar.first_on_or_after(run.day) for run in self.register.planned_runs(self.ids)]
        days += [scenario.today for number, scenario in enumerate(self.scenarios) if number not in self.opened]
        coming = [each for each in days if each > day]
        if not coming:
            raise RehearsalFailed(f"{self._standing()}: nobody has anything left to do, and it is not over")
        return min(coming)

    # --- within a day -----------------------------------------------------------------------------------

    def _settle(self, day: date) -> None:
        """Let everybody act until nothing moves: seen twice in the same state, with nothing under way."""
        moved = self.clock()
        before: object = None
        while True:
            acted = self._act(day)
            quiet, picture = self._look()
            if acted or picture != before:
                moved = self.clock()
            elif quiet and not self._people.due(day):
                return
            before = picture
            if self.clock() - moved > self.patience:
                raise RehearsalFailed(f"{self._standing()}: nothing has moved for {self.patience:.0f} seconds")
            self.sleep(LOOK_SECONDS)

    def _act(self, day: date) -> bool:
        acted = self._release(day)
        letters, templates = self.mailbox.letters(), self.register.templates(self.ids)
        for stage in self.register.stages(self.ids, after=self._last_stage):
            self._last_stage = stage.id
            self.progress.stage(stage)
        for document in self.register.documents(self.ids, after=self._last_document):
            self._last_document = document.id
            self.progress.document(document)
        for letter in letters[self._letters_shown:]:
            self.progress.letter(letter, templates.get(letter.message_id, ""))
        self._letters_shown = len(letters)
        requests = self.register.open_requests(self.ids)
        self._people.plan(letters, requests, templates)
        by_key = {(request.engagement_id, request.key, request.times_asked): request for request in requests}
        for deed in self._people.due(day):
            if self._just_parked(deed.engagement_id):
                continue
            request = by_key.get((deed.engagement_id, deed.request, deed.times_asked))
            if request is None:  # withdrawn meanwhile
                self._people.deeds.remove(deed)
                continue
            self.progress.answered(deed.engagement_id, deed.request, self._people.perform(deed, request, day=day))
            acted = True
        return self._sign_off() or acted

    def _just_parked(self, engagement_id: str) -> bool:
        now = self.clock()
        return any(now - since < self.parking for (run_id, _, _), since in self._parked_since.items()
                   if engagement_of(run_id) == engagement_id)  # fmt: skip

    def _sign_off(self) -> bool:
        now = self.clock()
        ripe = {key for key in self._asking if now - self._parked_since[key] >= self.parking}
        if not ripe:
            return False
        acted = False
        for each in self.airflow.pending_sign_offs():
            if (each.run_id, each.task_id, each.map_index) not in ripe or each.state != "awaiting_input":
                continue
            choice = self._choose(each)
            if choice is None:
                continue
            try:
                self.airflow.answer(each, choice.label, choice.params)
            except (Conflict, NotFound):
                continue  # gone meanwhile; the next look shows what is there
            self.progress.decided(engagement_of(each.run_id), each.subject, choice.label, choice.note)
            acted = True
        return acted

    def _choose(self, pending: PendingSignOff) -> Choice | None:
        engagement_id, gate = engagement_of(pending.run_id), gate_of(pending)
        who = member_of(pending) if gate == "scorecard" else ""
        asked = self.register.asked_decision(engagement_id, gate, who)
        if asked is None:
            return None
        if asked.refusal:
            raise RehearsalFailed(f"{engagement_id}: {pending.task_id} refused the answer: {asked.refusal}")
        return decide(self._people.plays[engagement_id], asked, decided=self.register.decided(engagement_id, gate))

    def _look(self) -> tuple[bool, object]:
        """Return whether nothing is under way, and a picture of how things stand. Raises for what failed."""
        runs = self._our_runs(("running", "queued", "failed"))
        tasks = [task for task in self.airflow.task_instances(states=(*ACTIVE, *WAITING, *LOST))
                 if engagement_of(task["dag_run_id"]) in self.ids]  # fmt: skip
        for task in tasks:
            if task["state"] in LOST:
                self._fail_for_task(task["dag_id"], task["dag_run_id"])
        for run in runs:
            if run["state"] == "failed":
                self._fail_for_task(run["dag_id"], run["dag_run_id"])
        parked = {(task["dag_run_id"], task["task_id"], task["map_index"]): task["state"]
                  for task in tasks if task["state"] in WAITING}  # fmt: skip
        self._parked_since = {key: self._parked_since.get(key, self.clock()) for key in parked}
        self._asking = {key for key, state in parked.items() if state == "awaiting_input"}
        held = {run.run_id for run in self.register.planned_runs(self.ids) if run.run_id not in self._released}
        waiting = {task["dag_run_id"] for task in tasks if task["state"] == "deferred"}
        requests = self.register.open_requests(self.ids)
        files = [name for engagement_id in self.ids for name in unread(self.storage, engagement_id)]
        # A sign-off that is tried again is deferred for a moment, and waits for nobody's answer to a request.
        deferred = Counter(engagement_of(task["dag_run_id"]) for task in tasks if task["state"] == "deferred")
        asked = Counter(request.engagement_id for request in requests)
        quiet = (
            all(task["state"] == "deferred" for task in tasks)
            and all(number <= asked[engagement_id] for engagement_id, number in deferred.items())
            and all(run["dag_run_id"] in (waiting if run["state"] == "running" else held) for run in runs)
            and all(self._people.is_planned(request) for request in requests)
            and not files
        )
        picture = (
            sorted((task["dag_run_id"], task["task_id"], task["map_index"], task["state"]) for task in tasks),
            sorted((run["dag_run_id"], run["state"]) for run in runs),
            sorted(files),
            [(request.engagement_id, request.key, request.times_asked) for request in requests],
        )
        self.progress.waiting(_waited_for(tasks, requests))
        return quiet, picture

    def _our_runs(self, states: Collection[str]) -> list[dict[str, Any]]:
        return [run for run in self.airflow.runs(states=states)
                if run["dag_id"] != "reminders" and engagement_of(run["dag_run_id"]) in self.ids]  # fmt: skip

    # --- when it goes wrong -----------------------------------------------------------------------------

    def _fail_for_task(self, dag_id: str, run_id: str) -> None:
        failed = self.airflow.task_instances(dag_id, run_id, states=("failed",))
        named = ", ".join(task["task_id"] for task in failed) or "no task"
        tail = self.log_of(failed[0]) if failed else ""
        raise RehearsalFailed(f"{run_id}: failed in {named} (DAG {dag_id})" + (f"\n{tail}" if tail else ""))

    def _standing(self) -> str:
        """Say how things stand, for an error: engagements, tasks, requests without an answer."""
        tasks = [task for task in self.airflow.task_instances(states=(*ACTIVE, *WAITING))
                 if engagement_of(task["dag_run_id"]) in self.ids]  # fmt: skip
        parts = [f"{id_} ({status})" for id_, status in self.register.statuses(self.ids).items()]
        parts += [f"{task['dag_run_id']}/{task['task_id']} is {task['state']}" for task in tasks]
        parts += [
            f"{request.engagement_id}/{request.key} was asked {request.times_asked} times, but no mail says so"
            for request in self.register.open_requests(self.ids)
            if not self._people.is_planned(request)
        ]
        return "; ".join(parts) or "no engagement"


def _waited_for(tasks: list[dict[str, Any]], requests: list[OpenRequest]) -> list[str]:
    shown = [f"{task['dag_run_id']} {task.get('task_display_name') or task['task_id']}"
             for task in tasks if task["state"] != "deferred"]  # fmt: skip
    return shown or [f"{request.engagement_id} {process.REQUESTS[request.kind].title.vi} (hạn {request.due:%d/%m})"
                     for request in requests]  # fmt: skip

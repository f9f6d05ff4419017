"""Airflow in one process: walks the real DAGs with the real operators, task after task, against a real register.

What follows what, who is skipped and what waits comes from the DAG files and the operators; only what Airflow's
scheduler, triggerer and API do is stood in for. It answers as ``local.airflow_api.AirflowApi`` does, so that a
rehearsal can be played on it.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine

from include.casework.opening import register_engagement
from include.engagement import process
from include.mail.transport import Transport
from include.settings import ROOT, load_settings
from local.airflow_api import Conflict, NotFound, PendingSignOff
from rehearsal.attachments import make_file
from rehearsal.players import put_into_inbox
from rehearsal.record import Record

DAG_FILES = ("engagement", "monitoring", "feedback", "reminders")
DONE = ("success", "skipped", "failed", "upstream_failed")


@dataclass
class Relay(Transport):
    """A relay that takes everything into a folder, in order."""

    folder: Path
    count: int = 0

    def send(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        self.count += 1
        (self.folder / f"{self.count:05}.eml").write_bytes(data)


@contextmanager
def installation(register_url: str, folder: Path) -> Iterator[Relay]:
    """Set up what tasks find: a register, a storage, a relay; without LibreOffice and without a portal."""
    mails, storage = folder / "mails", folder / "storage"
    mails.mkdir()
    storage.mkdir()
    engine = create_engine(register_url)  # one process: its connections may be kept, which halves the time
    with pytest.MonkeyPatch.context() as patch:
        for module in ("include.register.session", "include.casework.office"):
            patch.setattr(f"{module}.make_engine", lambda url: engine)
        for name in [name for name in os.environ if name.startswith("ENGAGEMENT_")]:
            patch.delenv(name)
        patch.setenv("ENGAGEMENT_REGISTER_URL", register_url)
        patch.setenv("ENGAGEMENT_STORAGE_URL", storage.as_uri())
        patch.setenv("ENGAGEMENT_INBOX_SETTLE_SECONDS", "0")
        patch.setenv("ENGAGEMENT_LIBREOFFICE", "none")
        patch.setenv("ENGAGEMENT_REHEARSAL", "1")
        relay = Relay(mails)
        patch.setattr("operators.case.ConnectionTransport", lambda conn_id: relay)
        patch.setattr("airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **form: None)
        yield relay
    engine.dispose()


def load_dags(folder: Path = ROOT / "dags") -> dict[str, Any]:
    """Return the DAGs of the engagement's files, by id."""
    dags = {}
    for name in DAG_FILES:
        spec = importlib.util.spec_from_file_location(f"walked_{name}", folder / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        dags[module.dag.dag_id] = module.dag
    return dags


@dataclass
class Waiting:
    """A task that waits: for files in a folder of the inbox, or for a person (no folder)."""

    operator: Any
    method: str
    folder: str = ""
    seen: object = None


@dataclass
class Run:
    """A run of a DAG; a task without a state has not been reached."""

    dag: Any
    run_id: str
    conf: dict[str, Any]
    held: bool = False
    states: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """The run's state as Airflow would name it."""
        if self.held:
            return "queued"
        if any(self.of(task) is None for task in self.dag.tasks):
            return "failed" if "failed" in self.states.values() and not self.waiting else "running"
        return "failed" if {"failed", "upstream_failed"} & set(self.states.values()) else "success"

    def of(self, task: Any) -> str | None:
        """The state of a task as those after it see it; None: not at its end."""
        state = self.states.get(task.task_id)
        return state if state in DONE else None


class Walk:
    """The runs of one installation. ``trace``: every task that came to an end or had to be stopped, in order."""

    def __init__(self, dags: Mapping[str, Any]) -> None:
        self.dags = dags
        self.settings = load_settings()
        self.record = Record(self.settings)
        self.storage = Path(self.settings.storage_url.removeprefix("file://"))
        self.all: dict[tuple[str, str], Run] = {}
        self.trace: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []  # what people said, by day
        self.day: date | None = None
        self.engagement = ""

    def open(self, form: dict[str, Any], day: date) -> str:
        """Register an intake form and return the engagement id."""
        self.engagement = register_engagement(form, day=day)
        return self.engagement

    def change(self, dags: Mapping[str, Any]) -> None:
        """Have the DAG files changed under the runs: what waits in a task that is gone, waits no more."""
        self.dags = dags
        for run in self.all.values():
            run.dag = dags[run.dag.dag_id]
            there = set(run.dag.task_ids)
            run.states = {task_id: state for task_id, state in run.states.items() if task_id in there}
            run.waiting = {task_id: waiting for task_id, waiting in run.waiting.items() if task_id in there}

    def forget(self) -> None:
        """Have every task of every run begin from scratch, as if all of them had been renamed."""
        for run in self.all.values():
            run.states.clear()
            run.waiting.clear()

    # --- what a rehearsal asks of the register ----------------------------------------------------------

    def set_day(self, day: date) -> None:
        """Move the installation's day."""
        self.day = day
        self.record.set_day(day)
        if not self.heard or self.heard[-1]["day"] != day.isoformat():
            self.heard.append({"day": day.isoformat(), "said": []})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.record, name)

    # --- what a rehearsal asks of Airflow ---------------------------------------------------------------

    def trigger(
        self, dag_id: str, run_id: str | None = None, conf: Mapping[str, Any] | None = None,
        run_after: datetime | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Create a run and walk it as far as it goes; with ``run_after`` it is held."""
        assert run_id is not None
        if (dag_id, run_id) in self.all:
            raise Conflict(409, run_id)
        self.all[dag_id, run_id] = Run(self.dags[dag_id], run_id, dict(conf or {}), held=run_after is not None)
        self.settle()
        return self.run(dag_id, run_id)

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a run."""
        return {"dag_id": dag_id, "dag_run_id": run_id, "state": self.all[dag_id, run_id].state}

    def runs(self, dag_id: str | None = None, states: Collection[str] = ()) -> list[dict[str, Any]]:
        """Return runs in any of ``states``."""
        self.settle()
        found = [self.run(*each) for each in self.all]
        return [run for run in found if (not states or run["state"] in states) and dag_id in (None, run["dag_id"])]

    def delete_run(self, dag_id: str, run_id: str) -> None:
        """Delete a run that was not begun."""
        if (dag_id, run_id) not in self.all:
            raise NotFound(404, run_id)
        del self.all[dag_id, run_id]

    def task_instances(
        self, dag_id: str | None = None, run_id: str | None = None, states: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        """Return task instances in any of ``states``."""
        self.settle()
        return [
            {"dag_id": dag, "dag_run_id": name, "task_id": task_id, "map_index": -1, "state": state}
            for (dag, name), run in self.all.items()
            for task_id, state in run.states.items()
            if state in states and dag_id in (None, dag) and run_id in (None, name)
        ]

    def pending_sign_offs(self) -> list[PendingSignOff]:
        """Return the decisions that are waited for."""
        return [
            PendingSignOff(dag, name, task_id, -1, each.operator.subject, each.operator.body, each.operator.options,
                           {}, datetime(2026, 1, 1, tzinfo=timezone.utc), state="awaiting_input")
            for (dag, name), run in self.all.items()
            for task_id, each in run.waiting.items() if not each.folder
        ]  # fmt: skip

    def answer(self, pending: PendingSignOff, option: str, params: Mapping[str, Any] | None = None) -> None:
        """Give an answer to a sign-off."""
        run = self.all[pending.dag_id, pending.run_id]
        waiting, given = run.waiting[pending.task_id], dict(params or {})
        options = process.SIGN_OFFS[waiting.operator.gate].options
        decision = next(key for key, label in options.items() if label == option)
        self.heard[-1]["said"].append({**_asked(run, waiting), "decision": decision, "entries": given})
        event = {"chosen_options": [option], "params_input": given, "responded_at": datetime.now(timezone.utc),
                 "responded_by_user": {"id": "1", "name": waiting.operator.gate}}  # fmt: skip
        self._go(run, waiting.operator, waiting.method, event)
        self.settle()

    # --- what people say, as it was recorded ------------------------------------------------------------

    def hear(self, said: Mapping[str, Any], number: int) -> None:
        """Say again what was said: the ``number``-th of the history. What nobody waits for is traced as unheard."""
        if "request" in said:
            kinds = {name: name.rpartition(".")[2] for name in said["files"]}
            files = {name: make_file(kind, title=f"{number}: {name}") for name, kind in kinds.items()}
            put_into_inbox(self.storage, self.engagement, said["request"], files=files, reply=said["reply"])
            self.settle()
            if any((self.storage / "inbox" / self.engagement / said["request"]).iterdir()):
                self._note(unheard=said["request"])
            return
        asked = {name: said[name] for name in ("run", "gate", "round", "who")}
        for pending in self.pending_sign_offs():
            run = self.all[pending.dag_id, pending.run_id]
            if _asked(run, run.waiting[pending.task_id]) == asked:
                option = process.SIGN_OFFS[said["gate"]].options.get(said["decision"])
                if option is not None:
                    return self.answer(pending, option, said["entries"])
        self._note(unheard=f"{said['gate']}/{said['round']}/{said['who']}: {said['decision']}")
        return None

    def start_planned(self, day: date) -> None:
        """Start the planned runs whose day has come."""
        for planned in self.record.planned_runs([self.engagement]):
            held = self.all.get((planned.dag_id, planned.run_id))
            if planned.day <= day and held is not None:
                held.held = False
        self.settle()

    # --- the scheduler ----------------------------------------------------------------------------------

    def settle(self) -> None:
        """Run whatever can run, in the order of runs and tasks, until everything waits or is done."""
        while any(self._step(run) for run in list(self.all.values()) if not run.held):
            pass

    def _step(self, run: Run) -> bool:
        for task in run.dag.tasks:
            waiting = run.waiting.get(task.task_id)
            if waiting is not None and waiting.folder and self._arrived(waiting):
                self._go(run, waiting.operator, waiting.method, {"folder": waiting.folder})
                return True
            if task.task_id in run.states:
                continue
            ready = self._ready(run, task)
            if ready == "run":
                self._go(run, copy.copy(task), "execute")
                return True
            if ready:
                run.states[task.task_id] = ready
                return True
        return False

    def _ready(self, run: Run, task: Any) -> str:
        """Say what comes of a task that was not reached: run, skipped, upstream_failed, or nothing yet."""
        before = [run.of(run.dag.get_task(task_id)) for task_id in sorted(task.upstream_task_ids)]
        if None in before:
            return ""
        if {"failed", "upstream_failed"} & set(before):
            return "upstream_failed"
        rule = str(getattr(task.trigger_rule, "value", task.trigger_rule))
        if rule == "all_success":
            return "skipped" if "skipped" in before else "run"
        if rule == "none_failed_min_one_success":
            return "run" if "success" in before else "skipped"
        raise ValueError(f"{task.task_id}: nobody has taught the walk the rule {rule}")

    def _arrived(self, waiting: Waiting) -> bool:
        folder = self.storage / "inbox" / waiting.folder
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        if not names or names == waiting.seen:
            return False
        waiting.seen = names
        reply = json.loads((folder / "reply.json").read_text(encoding="utf-8"))
        files = sorted(reply.pop("manifest"))
        self.heard[-1]["said"].append({"request": folder.name, "reply": reply, "files": files})
        return True

    def _go(self, run: Run, operator: Any, method: str, event: dict[str, Any] | None = None) -> None:
        """Run a stretch of a task, as Airflow's task runner does, and see how it ends."""
        from airflow.sdk.bases.operator import ExecutorSafeguard
        from airflow.sdk.exceptions import (
            AirflowSkipException,
            DagRunTriggerException,
            DownstreamTasksSkipped,
            TaskAwaitingInput,
            TaskDeferred,
        )

        from operators.answer_on_file import AnswerOnFile

        key = str(operator.task_id)
        ti = SimpleNamespace(id=f"{run.run_id}/{key}", map_index=-1, xcom_push=lambda **_: None)
        context = {"dag_run": SimpleNamespace(run_id=run.run_id, conf=run.conf), "run_id": run.run_id, "ti": ti,
                   "task_instance": ti, "params": {**run.dag.params.dump(), **run.conf}}  # fmt: skip
        sentinel = {f"{type(operator).__name__}__sentinel": ExecutorSafeguard.sentinel_value}
        more: dict[str, Any] = sentinel if method == "execute" else {"event": event}
        skipped: list[str] = []
        try:
            getattr(operator, method)(context, **more)
        except TaskDeferred as deferred:
            if isinstance(deferred.trigger, AnswerOnFile):
                return self._go(run, operator, deferred.method_name, {})
            folder = deferred.trigger.folder  # type: ignore[attr-defined]
            run.waiting[key] = Waiting(operator, deferred.method_name, folder)
            run.states[key] = "deferred"
            return
        except TaskAwaitingInput as parked:
            run.waiting[key] = Waiting(operator, parked.method_name)
            run.states[key] = "awaiting_input"
            return
        except AirflowSkipException:
            return self._end(run, key, "skipped")
        except DagRunTriggerException as planned:
            self.all.setdefault(
                (planned.trigger_dag_id, planned.dag_run_id),
                Run(self.dags[planned.trigger_dag_id], planned.dag_run_id, dict(planned.conf or {}), held=True),
            )
        except DownstreamTasksSkipped as ways:
            skipped = list(ways.tasks)
            run.states |= {task_id: "skipped" for task_id in skipped if task_id not in run.states}
        except Exception as error:
            self._note(run, key, failed=f"{type(error).__name__}: {error}")
            return self._end(run, key, "failed")
        outcomes = [outcome for outcome, followed in getattr(operator, "routes", {}).items() if followed not in skipped]
        return self._end(run, key, "success", " or ".join(outcomes))

    def _end(self, run: Run, key: str, state: str, outcome: str = "") -> None:
        run.waiting.pop(key, None)
        run.states[key] = state
        if run.dag.dag_id != "reminders":
            self._note(run, key, came_to=outcome or state)

    def _note(self, run: Run | None = None, key: str = "", **what: str) -> None:
        where = {} if run is None else {"run": run.run_id, "task": key}
        self.trace.append({"day": self.day.isoformat() if self.day else "", **where, **what})


def _asked(run: Run, waiting: Waiting) -> dict[str, Any]:
    operator = waiting.operator
    return {"run": run.run_id, "gate": operator.gate, "round": operator.number, "who": operator.who}

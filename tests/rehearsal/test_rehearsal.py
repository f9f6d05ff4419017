"""The day loop, played against a town of fakes: one request an engagement, a sign-off, a planned run."""

from __future__ import annotations

import io
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from include.engagement import process
from include.engagement.calendar import working_calendar
from local.airflow_api import NotFound, PendingSignOff
from rehearsal.letters import Letter
from rehearsal.players import RehearsalFailed, unread
from rehearsal.progress import Progress
from rehearsal.record import AskedDecision, FiledDocument, OpenedStage, OpenRequest, PlannedRun
from rehearsal.rehearsal import Rehearsal
from rehearsal.scenario import Answer, Scenario, Staff

TUESDAY = date(2026, 12, 1)
REVIEW = process.SIGN_OFFS["information_review"]


@dataclass
class Town:
    """Airflow, register and letterbox in one: what a run does happens while the rehearsal sleeps."""

    storage: Path
    day: date = TUESDAY
    now: float = 0.0
    days: list[date] = field(default_factory=list)
    runs_: dict[str, dict[str, Any]] = field(default_factory=dict)
    triggered: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: dict[str, OpenRequest] = field(default_factory=dict)
    mail: list[Letter] = field(default_factory=list)
    status: dict[str, str] = field(default_factory=dict)
    planned: list[PlannedRun] = field(default_factory=list)
    answers: list[tuple[str, float]] = field(default_factory=list)
    parked: float = 0.0
    refusal: str | None = None
    reviewed: bool = False
    plans_feedback_on: date | None = None
    opened_stages: list[OpenedStage] = field(default_factory=list)
    work_seconds: float = 0.0
    fails: bool = False
    deaf: bool = False
    _busy_until: float = 0.0

    # --- what runs do -----------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for id_ in list(self.requests):
            if unread(self.storage, id_) and not self.deaf:
                shutil.rmtree(self.storage / "inbox" / id_)
                del self.requests[id_]
                self._busy_until = self.now + self.work_seconds
                self.tasks[id_]["state"] = "failed" if self.fails else "running"
        for task in self.tasks.values():
            if task["state"] == "running" and self.now >= self._busy_until:
                task.update(state="awaiting_input", task_id="contract.decide")
                self.parked = self.now

    def _finish(self, id_: str) -> None:
        del self.tasks[id_]
        self.runs_[id_]["state"] = "success"
        self.status[id_] = "completed"
        if self.plans_feedback_on:
            run_id = f"{id_}__feedback-1"
            self.planned.append(PlannedRun(id_, "feedback", run_id, self.plans_feedback_on))
            self.runs_[run_id] = {"dag_id": "feedback", "dag_run_id": run_id, "state": "queued"}

    # --- the register -----------------------------------------------------------------------------------

    def register_form(self, form: dict[str, Any], day: date) -> str:
        id_ = f"KHV-2026-{len(self.status) + 1:04d}"
        self.status[id_] = "registered"
        return id_

    def set_day(self, day: date) -> None:
        busy = [task for task in self.tasks.values() if task["state"] != "deferred"]
        assert not busy, "the day moved while something ran"
        self.day = day
        self.days.append(day)

    def statuses(self, ids: Collection[str]) -> dict[str, str]:
        return {id_: self.status[id_] for id_ in ids}

    def open_requests(self, ids: Collection[str]) -> list[OpenRequest]:
        return list(self.requests.values())

    def asked_decision(self, engagement_id: str, gate: str, who: str) -> AskedDecision | None:
        return AskedDecision(gate, 1, who, self.refusal)

    def decided(self, engagement_id: str, gate: str) -> int:
        return 0

    def planned_runs(self, ids: Collection[str]) -> list[PlannedRun]:
        return list(self.planned)

    def templates(self, ids: Collection[str]) -> dict[str, str]:
        return {letter.message_id: "information_request" for letter in self.mail}

    def documents(self, ids: Collection[str], *, after: int) -> list[FiledDocument]:
        return []

    def stages(self, ids: Collection[str], *, after: int) -> list[OpenedStage]:
        return [stage for stage in self.opened_stages if stage.id > after]

    def letters(self) -> list[Letter]:
        return list(self.mail)

    # --- Airflow ----------------------------------------------------------------------------------------

    def trigger(
        self, dag_id: str, run_id: str | None = None, conf: Mapping[str, Any] | None = None,
        run_after: datetime | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        assert run_id is not None
        self.triggered.append((dag_id, run_id, dict(conf or {})))
        self.runs_[run_id] = {"dag_id": dag_id, "dag_run_id": run_id, "state": "success"}
        if dag_id == "engagement":
            self.runs_[run_id]["state"] = "running"
            self.status[run_id] = "open"
            self.tasks[run_id] = {"dag_id": dag_id, "dag_run_id": run_id, "map_index": -1, "state": "deferred",
                                  "task_id": "information.collect_information_1"}  # fmt: skip
            self.requests[run_id] = OpenRequest(run_id, "information", "information", 1, self.day,
                                                working_calendar().add(self.day, 6), 1)  # fmt: skip
            self.mail.append(Letter(Path("1.eml"), f"<{run_id}>", (), "", None, (), run_id, "information"))
        if dag_id == "feedback":
            self.planned = [run for run in self.planned if run.run_id != run_id]
        return self.runs_[run_id]

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return self.runs_[run_id]

    def runs(self, dag_id: str | None = None, states: Collection[str] = ()) -> list[dict[str, Any]]:
        return [run for run in self.runs_.values() if run["state"] in states]

    def delete_run(self, dag_id: str, run_id: str) -> None:
        if self.runs_.pop(run_id, None) is None:
            raise NotFound(404, run_id)
        self.deleted.append(run_id)

    def task_instances(
        self, dag_id: str | None = None, run_id: str | None = None, states: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        return [task for task in self.tasks.values() if task["state"] in states]

    def pending_sign_offs(self) -> list[PendingSignOff]:
        return [
            PendingSignOff(
                dag_id=task["dag_id"], run_id=id_, task_id=task["task_id"], map_index=-1, subject=REVIEW.title, body="",
                options=list(REVIEW.options.values()), params={}, state=task["state"],
                asked_at=datetime(2026, 12, 1, tzinfo=timezone.utc),
            )
            for id_, task in self.tasks.items() if task["task_id"].endswith("decide")
        ]  # fmt: skip

    def answer(self, pending: PendingSignOff, option: str, params: Mapping[str, Any] | None = None) -> None:
        self.answers.append((option, self.now - self.parked))
        self._finish(pending.run_id)


def played(town: Town, *scenarios: Scenario, **more: Any) -> Rehearsal:
    rehearsal = Rehearsal(
        scenarios=list(scenarios), airflow=town, register=town, mailbox=town, storage=town.storage,
        calendar=working_calendar(), register_form=town.register_form,
        clock=lambda: town.now, sleep=town.sleep, patience=60,
        **({"progress": Progress(Console(file=io.StringIO()))} | more),
    )  # fmt: skip
    rehearsal.play()
    return rehearsal


def scenario(after_days: int = 4, *, today: date = TUESDAY) -> Scenario:
    answers = {"information": (Answer(after_days=after_days, answers={"strategy": "x"}),)}
    return Scenario(Path("s.yaml"), "s", today, {"language": "vi"}, answers, Staff(), {})


def sweeps(town: Town) -> list[tuple[str, str]]:
    return [(conf["since"], conf["day"]) for dag_id, _, conf in town.triggered if dag_id == "reminders"]


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_the_day_jumps_to_when_somebody_acts_and_the_days_between_are_swept(town: Town) -> None:
    played(town, scenario(after_days=4))

    assert town.days == [TUESDAY, date(2026, 12, 7)]
    assert sweeps(town) == [("2026-12-02", "2026-12-07")]


def test_no_working_day_is_swept_twice_or_left_out(town: Town) -> None:
    played(town, scenario(after_days=2), scenario(after_days=6))

    assert sweeps(town) == [("2026-12-02", "2026-12-03"), ("2026-12-04", "2026-12-09")]


def test_a_client_who_answers_at_once_is_waited_for_on_the_same_day(town: Town) -> None:
    played(town, scenario(after_days=0))

    assert town.days == [TUESDAY]
    assert sweeps(town) == []


def test_the_day_does_not_move_while_something_runs(town: Town) -> None:
    town.work_seconds = 20

    played(town, scenario(after_days=1), scenario(after_days=3))

    assert town.days == [TUESDAY, date(2026, 12, 2), date(2026, 12, 4)]


def test_engagements_open_on_their_own_days(town: Town) -> None:
    rehearsal = played(town, scenario(today=date(2026, 12, 3)), scenario(after_days=1))

    assert rehearsal.opened == {1: "KHV-2026-0001", 0: "KHV-2026-0002"}
    assert town.days[:3] == [TUESDAY, date(2026, 12, 2), date(2026, 12, 3)]


def test_a_planned_run_is_started_again_under_its_id_when_its_day_has_come(town: Town) -> None:
    town.plans_feedback_on = date(2026, 12, 12)  # a Saturday: the working day after it

    played(town, scenario(after_days=1))

    assert town.deleted == ["KHV-2026-0001__feedback-1"]
    assert town.triggered[-1] == ("feedback", "KHV-2026-0001__feedback-1", {"engagement_id": "KHV-2026-0001"})
    assert town.days[-1] == date(2026, 12, 14)


def test_a_sign_off_is_not_answered_in_the_moment_it_is_parked(town: Town) -> None:
    played(town, scenario())

    ((option, waited),) = town.answers
    assert option == REVIEW.options["accept"]
    assert waited > 1


def test_stages_that_are_open_at_once_are_announced_once_each(town: Town) -> None:
    opened = ((1, "monitoring", 1), (2, "feedback", 2))
    town.opened_stages = [OpenedStage(id_, "KHV-2026-0001", stage, round_) for id_, stage, round_ in opened]
    shown = io.StringIO()

    played(town, scenario(), progress=Progress(Console(file=shown, width=200)))

    lines = [line.strip() for line in shown.getvalue().splitlines() if "giai đoạn" in line]
    assert lines == [
        f"● KHV-2026-0001  giai đoạn 7: {process.STAGES['monitoring'].title.vi}",
        f"● KHV-2026-0001  giai đoạn 8: {process.STAGES['feedback'].title.vi}, vòng 2",
    ]


def test_a_failed_task_ends_the_rehearsal_with_its_name_and_log(town: Town) -> None:
    town.fails = True

    with pytest.raises(RehearsalFailed, match=r"(?s)KHV-2026-0001.*information.collect_information_1.*the last line"):
        played(town, scenario(), log_of=lambda task: "the last line")


def test_a_rehearsal_in_which_nothing_moves_ends_and_says_what_it_waited_for(town: Town) -> None:
    town.deaf = True

    with pytest.raises(RehearsalFailed, match=r"information.collect_information_1 is deferred.*nothing has moved"):
        played(town, scenario())


def test_a_request_that_no_mail_asks_for_ends_the_rehearsal(town: Town) -> None:
    town.letters = lambda: []  # type: ignore[method-assign]

    with pytest.raises(RehearsalFailed, match="KHV-2026-0001/information was asked 1 times, but no mail says so"):
        played(town, scenario())


def test_an_answer_that_a_sign_off_refuses_ends_the_rehearsal_with_the_reason(town: Town) -> None:
    town.refusal = "hãy ghi lý do"

    with pytest.raises(RehearsalFailed, match="hãy ghi lý do"):
        played(town, scenario())

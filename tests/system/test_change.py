"""DAG files and templates change under runs that wait, on a running Airflow: broken and repaired, then another flow.

Twenty engagements wait in every kind of wait: for a client, for a sign-off, for three scorecards, for the day of a
later run. What was said while the file was broken counts; the next version adds a task, takes one out, and renames one
as CONTRIBUTING says; two more are renamed outright, which nobody should do. The templates change with it: what is made
from then on is made from the new ones, and nothing is made again.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from docx import Document as WordDocument
from sqlalchemy import select

from include.casework.opening import register_engagement
from include.engagement import process
from include.engagement.form import check_form
from include.register.models import Document, Mail, ScheduledRun, SignOff
from include.register.session import sessions
from include.settings import load_settings
from local.airflow_api import AirflowApi, ApiError, PendingSignOff
from local.stack import ROOT, Stack
from rehearsal.letters import Mailbox
from rehearsal.record import Record
from rehearsal.rehearsal import PARKING_SECONDS
from tests.firm import ANSWERS, FORM, GOOD, PAPERS, Firm, Outbox
from tests.histories.flow import FLOW_2, change

pytestmark = [pytest.mark.system, pytest.mark.timeout(2400), pytest.mark.xdist_group("change")]

PATIENCE_SECONDS = 400.0
TUESDAY = date(2026, 12, 1)
INTAKE, REVIEW, DECISION, COUNCIL = range(0, 8), range(8, 13), range(13, 18), range(18, 20)
RENAMED_OUTRIGHT = (
    ('task_id="complete_intake_form"', 'task_id="fill_in_intake_form"'),
    ('task_id=f"collect_information_{number}"', 'task_id=f"gather_information_{number}"'),
)
# In an installation this is the line of include/engagement/process.py.
NEW_FLOW = ("ANY_BRANCH = ", "process.FLOW = 2\nANY_BRANCH = ")
UNREADABLE = ("ANY_BRANCH = ", "ANY_BRANCH = = ")
# A task of flow 2 in a run that was planned under flow 1.
MORE_CARE = ("    schedule_next\n    begin.when(", """    remember = Step(
            task_id="remember", action="feedback:kind_of_contact", number=None, since=2, task_display_name="Nhớ lại"
        )
    schedule_next
    remember
    begin.when(""")
CODE = ("dags", "include", "operators", "plugins", "portal", "templates", "local")
AMENDED = "Theo mẫu sửa đổi."


@dataclass
class Site:
    """A running installation whose DAG files lie in a folder of its own."""

    stack: Stack
    airflow: AirflowApi
    ids: list[str] = field(default_factory=list)

    def until(self, done: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline, f"in vain: {what}; now {self.unfinished()}"
            time.sleep(0.5)

    def unfinished(self) -> list[tuple[str, str, str, int]]:
        """Each task that is under way: its run, its id, its state, its try."""
        tasks = self.airflow.task_instances("engagement")
        return sorted((each["dag_run_id"], each["task_id"], str(each["state"]), each["try_number"]) for each in tasks
                      if each["state"] not in ("success", "skipped", "removed", "deferred", "awaiting_input", None))

    def firm(self, number: int) -> Firm:
        return Firm(load_settings(), Outbox(), self.ids[number])

    def pending(self, number: int, task_id: str) -> list[PendingSignOff]:
        found = self.airflow.pending_sign_offs("engagement", self.ids[number])
        return [each for each in found if each.task_id.startswith(task_id) and each.state == "awaiting_input"]

    def scored(self, number: int) -> bool:
        return len(self.pending(number, "round_1.appraisal.score")) == len(process.COUNCIL)

    def answer(self, number: int, task_id: str, gate: str, option: str, **entries: Any) -> None:
        for each in self.pending(number, task_id):
            given = {entry.key: entries.get(entry.key) for entry in process.SIGN_OFFS[gate].entries}
            self.airflow.answer(each, process.SIGN_OFFS[gate].options[option], given)

    def states(self, number: int) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for task in self.airflow.task_instances("engagement", self.ids[number]):
            found.setdefault(str(task["state"]), set()).add(task["task_id"])
        return found

    def waits(self, number: int, state: str, task_id: str) -> bool:
        return task_id in self.states(number).get(state, set())

    def tasks_of(self, dag_id: str, run_id: str) -> set[tuple[str, str]]:
        return {(task["task_id"], str(task["state"])) for task in self.airflow.task_instances(dag_id, run_id)}

    def decided(self, number: int, gate: str) -> list[str | None]:
        with sessions(load_settings().register_url)() as session:
            return list(session.scalars(
                select(SignOff.decision).where(SignOff.engagement_id == self.ids[number], SignOff.gate == gate)
            ))  # fmt: skip

    def planned(self, number: int) -> list[str]:
        """The runs that wait for their day."""
        with sessions(load_settings().register_url)() as session:
            rows = session.scalars(select(ScheduledRun.run_id).where(
                ScheduledRun.engagement_id == self.ids[number], ScheduledRun.status == "planned"
            ))  # fmt: skip
            queued = {str(run["dag_run_id"]) for run in self.airflow.runs(states=["queued"])}
            return [run_id for run_id in rows if run_id in queued]

    def made_from(self, key: str) -> dict[str, list[str | None]]:
        """The templates' SHA-256 of an engagement's documents of a kind."""
        with sessions(load_settings().register_url)() as session:
            found: dict[str, list[str | None]] = {}
            for row in session.scalars(select(Document).where(Document.key == key).order_by(Document.id)):
                found.setdefault(row.engagement_id, []).append(row.template_sha256)
            return found

    def documents(self) -> dict[tuple[str, str, int], tuple[str, str]]:
        with sessions(load_settings().register_url)() as session:
            rows = session.scalars(select(Document))
            return {(row.engagement_id, row.key, row.version): (row.path, row.sha256) for row in rows}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("change")
    code = folder / "code"
    for room in CODE:
        shutil.copytree(ROOT / room, code / room, ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGAGEMENT_LIBREOFFICE", "none")
        patch.setattr("local.stack.ROOT", code)  # every process works on the copy
        with Stack(folder / "data", rehearsal=True, dags=code / "dags") as stack:
            for name, value in stack.environment().items():
                if name.startswith("ENGAGEMENT_"):
                    patch.setenv(name, value)
            Record(load_settings()).set_day(TUESDAY)
            with AirflowApi(stack.api_url, "admin", stack.users["admin"]) as airflow:
                airflow.wait_for_dags(["engagement"])
                yield Site(stack, airflow)


def open_all(site: Site) -> None:
    """Open the engagements as far along as their kind of wait: a run finds in the register what was done before it."""
    for number in range(20):
        site.ids.append("")
        firm = site.firm(number)
        employees = None if number in INTAKE else 34
        firm.open(referrer=str(number), finance={**FORM["finance"], "employees": employees})
        site.ids[number] = firm.engagement
        if number in REVIEW:
            firm.ask("information")
            firm.put("information", {"answers": ANSWERS}, PAPERS).receive("information")
        if number in (*DECISION, *COUNCIL):
            firm.inform()
        if number in COUNCIL:
            firm.decide().contract().deliver()
        if number not in INTAKE:
            firm.sign("first_meeting", "no")
        site.airflow.trigger("engagement", firm.engagement, {"engagement_id": firm.engagement})
    for number in INTAKE:
        site.until(partial(site.waits, number, "deferred", "intake.complete_intake_form"), "the client's wait")
        site.until(partial(site.pending, number, "intake.hold_first_meeting"), "the first meeting")
    for number in REVIEW:
        site.until(partial(site.pending, number, "information.collect_information_1"), "the review")
    for number in DECISION:
        site.until(partial(site.pending, number, "contract.decide"), "the decision")
    for number in COUNCIL:
        site.until(partial(site.scored, number), "who is to score")
    time.sleep(PARKING_SECONDS)


def change_templates(templates: Path) -> None:
    for file in (templates / "documents").glob("*.docx"):
        template = WordDocument(str(file))
        template.add_paragraph(AMENDED)
        template.save(str(file))
    for file in (templates / "mail").glob("*.md"):
        file.write_text(f"{file.read_text(encoding='utf-8')}\n\n{AMENDED}\n", encoding="utf-8")


def answer_while_it_is_broken(site: Site) -> None:
    source = site.stack.dags / "engagement.py"
    sound = source.read_text(encoding="utf-8")
    change(site.stack.dags, UNREADABLE)
    site.answer(0, "intake.hold_first_meeting", "first_meeting", "yes")
    site.firm(1).put("intake", {"answers": {"employees": 12}})
    site.answer(8, "information.collect_information_1", "information_review", "accept")
    site.answer(13, "contract.decide", "decision", "decline", reason="không đủ người")
    site.answer(18, "round_1.appraisal.score", "scorecard", "submit", **GOOD)
    site.until(site.airflow.import_errors, "Airflow says that the file is broken")
    source.write_text(sound, encoding="utf-8")
    site.until(lambda: not site.airflow.import_errors(), "Airflow says that the file is whole")


def test_no_change_of_the_file_under_runs_loses_a_decision_or_repeats_a_mail(site: Site) -> None:
    open_all(site)

    answer_while_it_is_broken(site)

    site.until(lambda: site.decided(0, "first_meeting") == ["yes"], "the meeting that was decided while it was broken")
    site.until(lambda: site.decided(8, "information_review") == ["accept"], "the review")
    site.until(lambda: site.decided(13, "decision") == ["decline"], "the decision")
    site.until(lambda: site.decided(18, "scorecard") == ["submit"] * len(process.COUNCIL), "the scorecards")
    site.until(lambda: site.waits(1, "success", "intake.complete_intake_form"), "the client's answer")
    site.until(lambda: site.waits(18, "deferred", "handover.accept_1"), "the handover")
    site.until(lambda: site.pending(8, "contract.decide"), "the decision after the review")

    site.firm(18).put("handover", {"reply": "accept"})
    site.until(lambda: site.planned(18), "the first contact after the service is planned")

    papers, letters = site.documents(), site.made_from("information_letter")
    sent = {letter.path.name for letter in Mailbox(site.stack.mails).letters()}
    change_templates(site.stack.dags.parent / "templates")
    change(site.stack.dags, MORE_CARE, file="feedback.py")
    old = [site.pending(number, "information.collect_information_1")[0] for number in REVIEW if number != 8]
    change(site.stack.dags, *FLOW_2, *RENAMED_OUTRIGHT, NEW_FLOW)
    for number in REVIEW[1:]:
        site.until(partial(site.pending, number, "information.gather_information_1"), "the review's new name")
    for number in INTAKE[2:]:
        site.until(partial(site.waits, number, "deferred", "intake.fill_in_intake_form"), "the intake's new name")

    for each in old:  # still offered by whoever has the page open
        with pytest.raises(ApiError) as refused:
            site.airflow.answer(each, process.SIGN_OFFS["information_review"].options["refuse"], {"reason": "x"})
        assert refused.value.status == 410

    time.sleep(PARKING_SECONDS)
    for number in INTAKE[2:]:
        site.firm(number).put("intake", {"answers": {"employees": 12}})
        site.answer(number, "intake.hold_first_meeting", "first_meeting", "no")
    site.answer(1, "intake.hold_first_meeting", "first_meeting", "no")
    for number in REVIEW[1:]:
        site.answer(number, "information.gather_information_1", "information_review", "accept")
    for number in DECISION[1:]:
        site.answer(number, "contract.decide", "decision", "accept")
    for number in COUNCIL[1:]:
        site.answer(number, "round_1.appraisal.score", "scorecard", "submit", **GOOD)
    for number in INTAKE[1:]:
        site.until(partial(site.waits, number, "deferred", "information.gather_information_1"), "the information")
        assert site.waits(number, "success", "intake.meet_again")
    for number in REVIEW[1:]:
        site.until(partial(site.pending, number, "contract.decide"), "the decision")
    for number in DECISION[1:]:
        site.until(partial(site.pending, number, "contract.negotiate_quote_1"), "the quote")
        assert site.waits(number, "success", "contract.decide_together")
    for number in COUNCIL[1:]:
        site.until(partial(site.waits, number, "deferred", "handover.accept_1"), "the handover")

    site.ids.append(register_engagement(check_form({**FORM, "referrer": "20"})))
    site.airflow.trigger("engagement", site.ids[20], {"engagement_id": site.ids[20]})
    site.until(lambda: site.pending(20, "intake.meet_again"), "the meeting that flow 2 added")
    assert site.waits(20, "success", "intake.hold_first_meeting"), "flow 2 does without it"

    # The later run goes by the file of its day, and by the flow of its engagement.
    (later,) = [run_id for run_id in site.planned(18) if "__feedback" in run_id]
    site.airflow.delete_run("feedback", later)
    site.airflow.trigger("feedback", later, {"engagement_id": site.ids[18]})
    evaluation = ("feedback.await_evaluation", "deferred")
    site.until(lambda: evaluation in site.tasks_of("feedback", later), "the evaluation form")
    assert ("remember", "success") in site.tasks_of("feedback", later)

    now = site.made_from("information_letter")
    assert letters and all(now[engagement] == made for engagement, made in letters.items()), "none is made again"
    amended = hashlib.sha256((site.stack.dags.parent / "templates/documents/information_letter.vi.docx").read_bytes())
    assert [now[site.ids[number]] for number in INTAKE[1:]] == [[amended.hexdigest()]] * len(INTAKE[1:])
    assert all(amended.hexdigest() not in made for made in letters.values())
    for letter in Mailbox(site.stack.mails).letters():
        assert (AMENDED in letter.text) == (letter.path.name not in sent), letter.subject

    for number in range(21):
        assert not {"failed", "upstream_failed"} & site.states(number).keys(), site.ids[number]
    assert site.documents().items() >= papers.items()
    for path, sha256 in papers.values():
        assert hashlib.sha256((site.stack.storage / path).read_bytes()).hexdigest() == sha256
    letters = [letter.message_id for letter in Mailbox(site.stack.mails).letters()]
    assert letters and len(letters) == len(set(letters))
    with sessions(load_settings().register_url)() as session:
        sent = session.execute(select(Mail.engagement_id, Mail.recipient, Mail.subject).where(Mail.state == "sent"))
        told = [tuple(row) for row in sent]
    assert len(told) == len(set(told)), "the same mail under another key"
    assert [site.decided(number, "first_meeting") for number in INTAKE] == [["yes"], *[["no"]] * (len(INTAKE) - 1)]
    assert [site.decided(number, "information_review") for number in REVIEW] == [["accept"]] * len(REVIEW)
    assert [site.decided(number, "decision") for number in DECISION[:2]] == [["decline"], ["accept"]]

"""Ways to open an engagement, and a sign-off that cannot be taken, on a running installation."""

from __future__ import annotations

import dataclasses
import shutil
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from include.casework.ending import end, runs_of
from include.casework.office import open_office
from include.casework.opening import register_engagement
from include.engagement import process
from include.engagement.errors import AlreadyOpen, InvalidInput
from include.engagement.form import read_form
from include.register.models import Engagement, SignOff
from include.register.session import sessions
from include.settings import load_settings
from local.airflow_api import AirflowApi, Conflict, NotFound
from local.airflow_cleaning import clean
from local.open import open_file
from local.ports import HOST
from local.run_end import end_runs
from local.stack import ROOT, Stack
from rehearsal.__main__ import play
from rehearsal.canary import traces
from rehearsal.letters import Letter, Mailbox
from rehearsal.players import RehearsalFailed
from rehearsal.portal_visit import link_in
from rehearsal.progress import Progress
from rehearsal.record import Record
from rehearsal.rehearsal import PARKING_SECONDS
from rehearsal.scenario import FOLDER, read_scenario

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200), pytest.mark.xdist_group("opening")]

EXAMPLE = ROOT / "docs" / "examples" / "intake.yaml"
TUESDAY = date(2026, 12, 1)
PATIENCE_SECONDS = 400.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with (
        Stack(tmp_path_factory.mktemp("opening") / "data", rehearsal=True) as stack,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in stack.environment().items():
            if name.startswith("ENGAGEMENT_"):
                patch.setenv(name, value)
        Record(load_settings()).set_day(TUESDAY)
        yield stack


@pytest.fixture(scope="module")
def airflow(stack: Stack) -> Iterator[AirflowApi]:
    with AirflowApi(stack.api_url, "admin", stack.users["admin"]) as airflow:
        airflow.wait_for_dags(["engagement", "monitoring", "feedback", "reminders"])
        yield airflow


def test_the_staffs_pages_are_behind_airflows_login(stack: Stack, airflow: AirflowApi) -> None:
    with httpx.Client(base_url=stack.api_url, trust_env=False) as browser:
        assert browser.get("/engagements/waiting").status_code == 401
        assert browser.post("/engagements/mail-switch", data={"to": "pause"}).status_code == 401
        login = {"username": "account_manager", "password": stack.users["account_manager"]}
        token = browser.post("/auth/token", json=login).json()["access_token"]
        browser.cookies.set("_token", token)
        page = browser.get("/engagements/waiting")
        assert page.status_code == 200
        assert "account_manager" in page.text
        assert browser.get("/engagements/static/pages.css").status_code == 200
        assert browser.post("/engagements/mail-switch", data={"to": "pause"}).status_code == 403


def form_of(company: str) -> dict[str, Any]:
    form = read_form(EXAMPLE.read_text(encoding="utf-8"))
    form["client"]["name"] = company
    return form


def until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.3)


def ended(airflow: AirflowApi, run_id: str) -> str:
    """Wait for the end of a run of ``engagement`` and return its state."""
    until(lambda: airflow.run("engagement", run_id)["state"] in ("success", "failed"), f"the end of {run_id}")
    return str(airflow.run("engagement", run_id)["state"])


def letters(stack: Stack, engagement_id: str) -> list[Letter]:
    return [letter for letter in Mailbox(stack.mails).letters() if engagement_id in letter.subject]


@pytest.fixture(scope="module")
def by_form(stack: Stack, airflow: AirflowApi) -> tuple[str, str]:
    """An engagement opened with the DAG's own trigger form: its id, and the name that Airflow gave the form's run."""
    engagement_id = register_engagement(form_of("Công ty TNHH Mở Bằng Biểu Mẫu"))
    run = airflow.trigger("engagement", None, {"engagement_id": engagement_id})
    return engagement_id, str(run["dag_run_id"])


def test_the_trigger_form_starts_the_run_that_bears_the_id(
    stack: Stack, airflow: AirflowApi, by_form: tuple[str, str]
) -> None:
    engagement_id, form_run = by_form

    assert form_run != engagement_id
    assert ended(airflow, form_run) == "success"
    until(lambda: bool(letters(stack, engagement_id)), "the welcome")
    assert airflow.run("engagement", engagement_id)["state"] == "running"
    assert len([each for each in letters(stack, engagement_id) if "tiếp nhận" in each.subject]) == 1


def test_the_forms_own_run_does_nothing_else(airflow: AirflowApi, by_form: tuple[str, str]) -> None:
    _, form_run = by_form
    ended(airflow, form_run)

    states = {task["task_id"]: task["state"] for task in airflow.task_instances("engagement", form_run)}

    assert states.pop("intake.receive") == "success"
    assert set(states.values()) == {"skipped"}


def test_the_trigger_form_opens_no_engagement_twice(
    stack: Stack, airflow: AirflowApi, by_form: tuple[str, str]
) -> None:
    engagement_id, form_run = by_form
    ended(airflow, form_run)

    again = airflow.trigger("engagement", None, {"engagement_id": engagement_id})

    assert ended(airflow, again["dag_run_id"]) == "failed"
    with pytest.raises(Conflict):
        airflow.trigger("engagement", engagement_id, {"engagement_id": engagement_id})
    assert len([each for each in letters(stack, engagement_id) if "tiếp nhận" in each.subject]) == 1


def test_the_trigger_form_refuses_an_id_that_is_not_registered(airflow: AirflowApi) -> None:
    run = airflow.trigger("engagement", None, {"engagement_id": "KHV-2026-9999"})

    assert ended(airflow, run["dag_run_id"]) == "failed"
    with pytest.raises(NotFound):
        airflow.run("engagement", "KHV-2026-9999")


def test_make_open_opens_a_form_once(airflow: AirflowApi, stack: Stack, tmp_path: Path) -> None:
    form = shutil.copy(EXAMPLE, tmp_path / "form.yaml")

    engagement_id = open_file(Path(form), airflow)

    assert airflow.run("engagement", engagement_id)["conf"] == {"engagement_id": engagement_id}
    until(lambda: bool(letters(stack, engagement_id)), "the welcome")
    with pytest.raises(AlreadyOpen, match=engagement_id):
        open_file(Path(form), airflow)


def test_make_open_starts_nothing_for_a_form_that_is_refused(airflow: AirflowApi, tmp_path: Path) -> None:
    form = tmp_path / "form.yaml"
    form.write_text(EXAMPLE.read_text(encoding="utf-8").replace("language: vi", "language: tlh"), encoding="utf-8")
    before = {run["dag_run_id"] for run in airflow.runs("engagement")}

    with pytest.raises(InvalidInput, match="language"):
        open_file(form, airflow)

    assert {run["dag_run_id"] for run in airflow.runs("engagement")} == before


def test_who_asks_the_portal_for_a_new_link_gets_a_mail_with_one_that_opens_the_request(
    stack: Stack, airflow: AirflowApi
) -> None:
    form = form_of("Công ty TNHH Xin Đường Dẫn")
    form["finance"]["employees"] = None  # so the client is asked for it at once
    engagement_id = register_engagement(form)
    airflow.trigger("engagement", engagement_id, {"engagement_id": engagement_id})
    until(lambda: bool(linked(stack, engagement_id)), "a mail with a link")
    with httpx.Client(trust_env=False) as browser:
        asked = browser.post(f"{linked(stack, engagement_id)[0]}/new-link")
        assert asked.status_code == 200
        until(lambda: len(linked(stack, engagement_id)) == 2, "the mail with the new link")
        assert browser.get(linked(stack, engagement_id)[1]).status_code == 200
    assert letters(stack, engagement_id)[-1].subject.startswith(f"[{engagement_id}] Đường dẫn mới")


def test_a_client_answers_by_replying_to_the_mail(stack: Stack, airflow: AirflowApi) -> None:
    form = form_of("Công ty TNHH Trả Lời Thư")
    form["finance"]["employees"] = None
    engagement_id = register_engagement(form)
    airflow.trigger("engagement", engagement_id, {"engagement_id": engagement_id})
    until(lambda: bool(linked(stack, engagement_id)), "the mail that asks")
    asking = next(letter for letter in letters(stack, engagement_id) if link_in(letter.text))
    employees = next(item.label.vi for item in process.INTAKE_ITEMS if item.key == "employees")
    reply = EmailMessage()
    reply["From"] = form["client"]["contact"]["email"]
    reply["To"] = f"hoso+{engagement_id}.{asking.request}@kehoachviet.example"
    reply["Subject"] = f"Re: {asking.subject}"
    reply["Message-ID"] = "<reply-1@banmesom.example>"
    reply["In-Reply-To"] = asking.message_id
    reply.set_content(f"Kính gửi công ty,\n\n{employees}: 34\n")
    with smtplib.SMTP(HOST, stack.ports.smtp) as server:
        server.send_message(reply)

    airflow.trigger("mailbox", None, {})

    until(lambda: any("Đã nhận đủ" in each.subject for each in letters(stack, engagement_id)), "what was received")
    with sessions(load_settings().register_url)() as session:
        engagement = session.get(Engagement, engagement_id)
        assert engagement is not None and engagement.form["finance"]["employees"] == 34


def linked(stack: Stack, engagement_id: str) -> list[str]:
    """The links to the portal in an engagement's mails, oldest first."""
    return [link for letter in letters(stack, engagement_id) if (link := link_in(letter.text))]


@pytest.fixture(scope="module")
def refused_quote(stack: Stack, airflow: AirflowApi, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """An engagement whose quote was answered without reserve: its id, and the reason why that was not taken."""
    scenario = read_scenario(FOLDER / "coffee-roastery.yaml")
    staff = dataclasses.replace(scenario.staff, quote={**(scenario.staff.quote or {}), "reserve_days": 0})
    with pytest.raises(RehearsalFailed, match=r"negotiate_quote_1 refused the answer") as failure:
        play(stack, [dataclasses.replace(scenario, staff=staff)], Progress(), out=tmp_path_factory.mktemp("out"))
    id_and_task, _, reason = str(failure.value).partition(" refused the answer: ")
    return id_and_task.partition(":")[0], reason


def test_a_quote_without_reserve_is_asked_again_and_nothing_is_sent(
    stack: Stack, airflow: AirflowApi, refused_quote: tuple[str, str]
) -> None:
    engagement_id, reason = refused_quote

    (asked,) = airflow.pending_sign_offs("engagement", engagement_id)
    assert asked.task_id == "contract.negotiate_quote_1"
    assert "dự trù" in reason
    assert not [each for each in letters(stack, engagement_id) if "Báo giá" in each.subject]


def test_who_is_asked_again_is_told_why_by_mail(stack: Stack, refused_quote: tuple[str, str]) -> None:
    engagement_id, reason = refused_quote

    (told,) = [each for each in letters(stack, engagement_id) if "Cần trả lời lại" in each.subject]
    assert told.to == ("thuha@kehoachviet.example",)
    assert reason in told.text


def test_of_two_people_who_answer_at_once_the_second_is_told_so(stack: Stack, airflow: AirflowApi) -> None:
    people = ("director", "account_manager")
    for pair in range(4):
        engagement_id = register_engagement(form_of(f"Công ty TNHH Hai Người {pair}"))
        airflow.trigger("engagement", engagement_id, {"engagement_id": engagement_id})
        until(lambda run=engagement_id: any(
            each.state == "awaiting_input" for each in airflow.pending_sign_offs("engagement", run)), "a sign-off")
        time.sleep(PARKING_SECONDS)
        (asked,) = airflow.pending_sign_offs("engagement", engagement_id)
        start, said = threading.Barrier(len(people)), dict[str, bool]()

        def answer(person: str, option: str, start: threading.Barrier = start, asked: Any = asked,
                   said: dict[str, bool] = said) -> None:  # fmt: skip
            with AirflowApi(stack.api_url, person, stack.users[person]) as api:
                api.health()
                api.pending_sign_offs("engagement", asked.run_id)  # logs in
                start.wait()
                try:
                    api.answer(asked, option)
                    said[person] = True
                except Conflict:
                    said[person] = False

        threads = [threading.Thread(target=answer, args=each) for each in zip(people, asked.options, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(said.values()) == [False, True]
        first = next(person for person, taken in said.items() if taken)

        def decided_by(run: str = engagement_id) -> str | None:
            with sessions(load_settings().register_url)() as session:
                return session.scalar(select(SignOff.decided_by).where(SignOff.engagement_id == run))

        until(lambda: decided_by() is not None, "the decision")
        assert decided_by() == first


def test_an_engagement_that_is_ended_ends_in_airflow_and_sends_nothing_more(stack: Stack, airflow: AirflowApi) -> None:
    form = form_of("Công ty TNHH Rút Hồ Sơ")
    form["finance"]["employees"] = None
    engagement_id = register_engagement(form)
    airflow.trigger("engagement", engagement_id, {"engagement_id": engagement_id})
    until(
        lambda: {task["state"] for task in airflow.task_instances("engagement", engagement_id)}
        >= {"deferred", "awaiting_input"},
        "a task that waits for the client and one that waits for staff",
    )
    until(lambda: bool(linked(stack, engagement_id)), "a mail with a link")
    before = len(letters(stack, engagement_id))

    office = open_office(None)
    assert end(office, engagement_id, by="thu-ha", reason="khách đổi ý")
    assert end_runs(airflow, runs_of(office, engagement_id)) == 2

    assert ended(airflow, engagement_id) == "success"
    assert len(letters(stack, engagement_id)) == before
    with httpx.Client(trust_env=False) as browser:
        assert browser.get(linked(stack, engagement_id)[0]).status_code in (404, 410)


def test_airflow_and_the_logs_know_nothing_of_a_client(stack: Stack, refused_quote: tuple[str, str]) -> None:
    """Comes last: engagements were opened, asked for, answered by portal and mail, and decided on."""
    client = form_of("")["client"]
    contact = client["contact"]
    links = [link for letter in Mailbox(stack.mails).letters() if (link := link_in(letter.text))]
    planted = {
        "contact": contact["name"], "email": contact["email"], "phone": contact["phone"],
        "tax code": client["tax_code"], "bank account": client["bank"]["account"],
        "link": links[0].rpartition("/")[2], "a later link": links[-1].rpartition("/")[2],
        "key of links": stack.environment()["ENGAGEMENT_PORTAL_KEYS"],
        "password": stack.users["account_manager"],
    }  # fmt: skip
    scenario = read_scenario(FOLDER / "coffee-roastery.yaml").form["client"]["contact"]
    planted |= {"played contact": scenario["name"], "played email": scenario["email"]}
    folders = [stack.logs, stack.data / "airflow" / "logs"]
    assert any(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())

    assert traces(planted, database=stack.metadata_url, folders=folders) == []


def test_cleaning_deletes_what_ended_with_its_logs_and_no_run_in_flight(
    stack: Stack, airflow: AirflowApi, by_form: tuple[str, str]
) -> None:
    engagement_id, form_run = by_form
    ended(airflow, form_run)
    logs = stack.data / "airflow" / "logs"
    in_flight = {run["dag_run_id"] for run in airflow.runs("engagement", states=["running", "queued"])}
    assert engagement_id in in_flight
    assert (logs / "dag_id=engagement" / f"run_id={form_run}").is_dir()

    # Every run here is older than this limit, in flight or not.
    clean(airflow, "engagement", before=datetime.now(timezone.utc) + timedelta(days=1), logs=logs)

    with pytest.raises(NotFound):
        airflow.run("engagement", form_run)
    assert not (logs / "dag_id=engagement" / f"run_id={form_run}").exists()
    assert {run["dag_run_id"] for run in airflow.runs("engagement")} == in_flight
    assert (logs / "dag_id=engagement" / f"run_id={engagement_id}").is_dir()

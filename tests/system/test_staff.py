"""Staff at work on a running installation: an engagement opened on the page, decided anew and ended there."""

from __future__ import annotations

import html
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from datetime import date

import httpx
import pytest
import yaml
from playwright.sync_api import sync_playwright
from sqlalchemy import select

from include.casework.work import form_page
from include.register.models import Engagement, SignOff
from include.register.session import sessions
from include.settings import load_settings
from local.airflow_api import AirflowApi, ApiError, NotFound, PendingSignOff
from local.stack import ROOT, Stack
from rehearsal.record import Record
from rehearsal.rehearsal import PARKING_SECONDS

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200), pytest.mark.xdist_group("staff")]

CHROMIUM = shutil.which("chromium")
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
PATIENCE_SECONDS = 400.0
ENTRIES = {"client.name": "Hợp tác xã Chè Tân Cương", "client.contact.name": "Lý Thị Chè", "language": "vi",
           "client.contact.email": "che@tancuong.example"}  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation whose firm lists who alone decides as account manager."""
    folder = tmp_path_factory.mktemp("staff")
    firm = yaml.safe_load((ROOT / "include" / "firm.yaml").read_text(encoding="utf-8"))
    firm["staff"]["account_manager"]["logins"] = ["account_manager", "client_care"]
    path = folder / "firm.yaml"
    path.write_text(yaml.safe_dump(firm), encoding="utf-8")
    added = {"ENGAGEMENT_FIRM_FILE": str(path), "ENGAGEMENT_REHEARSAL": "0"}
    with Stack(folder / "data", rehearsal=True, added=added) as stack, pytest.MonkeyPatch.context() as patch:
        for name, value in stack.environment().items():
            if name.startswith("ENGAGEMENT_"):
                patch.setenv(name, value)
        Record(load_settings()).set_day(date(2026, 12, 1))
        yield stack


@pytest.fixture(scope="module")
def airflow(stack: Stack) -> Iterator[AirflowApi]:
    with AirflowApi(stack.api_url, "admin", stack.users["admin"]) as airflow:
        airflow.wait_for_dags(["engagement", "openings"])
        yield airflow


def until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def browser(stack: Stack) -> Iterator[httpx.Client]:
    """The account manager, signed in to Airflow."""
    with httpx.Client(base_url=stack.api_url, trust_env=False, timeout=60) as browser:
        login = {"username": "account_manager", "password": stack.users["account_manager"]}
        browser.cookies.set("_token", browser.post("/auth/token", json=login).json()["access_token"])
        yield browser


@pytest.fixture(scope="module")
def opened(browser: httpx.Client, airflow: AirflowApi) -> str:
    """An engagement that the account manager opened on the page, by a double click."""
    page = browser.get("/engagements/new").text
    hidden = {name: re.findall(rf'name="{name}" value="([^"]+)"', page)[0] for name in ("form_token", "nonce")}
    sent = [browser.post("/engagements/new", data={**hidden, **ENTRIES, "act": "open"}) for _ in range(2)]
    homes = {answer.headers["location"] for answer in sent}
    assert homes == {"/engagements/e/KHV-2026-0001?done=opened"}
    return "KHV-2026-0001"


def asked(airflow: AirflowApi, engagement_id: str) -> PendingSignOff | None:
    try:
        pending = airflow.pending_sign_offs("engagement", engagement_id)
    except NotFound:
        return None
    return next((each for each in pending if each.state == "awaiting_input"), None)


def test_an_engagement_opened_on_the_page_gets_its_one_run(airflow: AirflowApi, opened: str) -> None:
    until(lambda: asked(airflow, opened) is not None, "the first sign-off")
    [run] = airflow.runs("engagement")
    assert run["dag_run_id"] == opened
    assert run["conf"] == {"engagement_id": opened}


def test_the_page_leads_to_airflows_own_page_of_the_task(
    browser: httpx.Client, airflow: AirflowApi, opened: str
) -> None:
    until(lambda: asked(airflow, opened) is not None, "the first sign-off")
    pending = asked(airflow, opened)
    assert pending is not None
    path = form_page(opened, "first_meeting", 1)
    assert f"/runs/{pending.run_id}/tasks/{pending.task_id}/" in path
    assert f'href="{path}"' in browser.get("/engagements/work").text
    assert browser.get(path).status_code == 200


def test_only_those_whom_the_firm_lists_answer(stack: Stack, airflow: AirflowApi, opened: str) -> None:
    until(lambda: asked(airflow, opened) is not None, "the first sign-off")
    pending = asked(airflow, opened)
    assert pending is not None
    assert pending.assigned_users == ("account_manager", "client_care")
    time.sleep(PARKING_SECONDS)
    for stranger in ("director", "admin"):
        with AirflowApi(stack.api_url, stranger, stack.users[stranger]) as api:
            with pytest.raises(ApiError) as refused:
                api.answer(pending, "Không gặp", {"meeting_at": None, "place": None})
            assert refused.value.status == 403
    with AirflowApi(stack.api_url, "client_care", stack.users["client_care"]) as api:
        api.answer(pending, "Không gặp", {"meeting_at": None, "place": None})
    task = "intake.hold_first_meeting"
    until(
        lambda: any(each["task_id"] == task and each["state"] == "success"
                    for each in airflow.task_instances("engagement", opened)), "the decision",
    )  # fmt: skip


def confirm(browser: httpx.Client, engagement_id: str, act: str, **form: str) -> httpx.Response:
    """Press a button of the engagement's page: read what it will do, then confirm just that."""
    at = f"/engagements/e/{engagement_id}/do/{act}"
    token = re.findall(r'name="form_token" value="([^"]+)"', browser.get("/engagements/waiting").text)[0]
    shown = browser.post(at, data={"form_token": token, **form})
    assert shown.status_code == 200
    hidden = {name: html.unescape(value) for name, value in HIDDEN.findall(shown.text)}
    return browser.post(at, data={**hidden, **form})


def registered(engagement_id: str) -> Engagement:
    with sessions(load_settings().register_url)() as session:
        return session.scalars(select(Engagement).where(Engagement.id == engagement_id)).one()


@pytest.mark.browser
def test_links_to_airflow_leave_the_frame_that_airflow_shows_the_page_in(
    stack: Stack, browser: httpx.Client, opened: str
) -> None:
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("NO CHROMIUM, THE PAGES WERE NOT SEEN INSIDE AIRFLOW")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = chromium.new_context(locale="vi-VN")
        context.add_cookies([{"name": "_token", "value": browser.cookies["_token"], "url": stack.api_url}])
        window = context.new_page()
        window.set_default_timeout(PATIENCE_SECONDS * 1000 / 4)
        window.goto(f"{stack.api_url}/plugin/engagements")
        framed = window.frame_locator("iframe")
        if shutil.which("soffice"):
            context.route("**/preview", lambda route: route.fulfill(body="the PDF"))
            framed.get_by_role("link", name="Mẫu", exact=True).click()
            framed.get_by_role("link", name="Báo giá").first.click()
            with context.expect_page() as tab:
                framed.get_by_role("link", name="mở thẻ mới").click()
            assert re.search(r"/engagements/templates/papers/quote/vi/versions/\w+/preview$", tab.value.url)
        framed.get_by_role("link", name="Hồ sơ", exact=True).click()
        framed.get_by_role("link", name=opened).click()
        framed.get_by_role("link", name="lượt chạy").click()
        window.wait_for_url(f"{stack.api_url}/dags/engagement/runs/{opened}**")
        chromium.close()


def test_a_decision_is_asked_for_anew_from_the_page_and_the_new_one_stands(
    stack: Stack, browser: httpx.Client, airflow: AirflowApi, opened: str
) -> None:
    form = {"gate": "first_meeting", "round": "1", "who": "", "reason": "Khách muốn gặp"}
    assert confirm(browser, opened, "reopen", **form).headers["location"].endswith("?done=reopen")
    until(lambda: asked(airflow, opened) is not None, "the sign-off, once more")
    pending = asked(airflow, opened)
    assert pending is not None
    time.sleep(PARKING_SECONDS)
    with AirflowApi(stack.api_url, "account_manager", stack.users["account_manager"]) as api:
        api.answer(pending, "Không gặp", {"meeting_at": None, "place": None})

    def attempts() -> list[tuple[int, str | None, bool]]:
        with sessions(load_settings().register_url)() as session:
            rows = session.scalars(
                select(SignOff).where(SignOff.engagement_id == opened, SignOff.gate == "first_meeting")
                .order_by(SignOff.attempt)
            )  # fmt: skip
            return [(row.attempt, row.decided_by, row.ended is None) for row in rows]

    until(lambda: len(attempts()) == 2 and attempts()[1][1] is not None, "the new decision in the register")
    assert attempts() == [(1, "client_care", False), (2, "account_manager", True)]


def test_while_the_scheduler_stands_still_the_pages_work_and_say_so(
    stack: Stack, browser: httpx.Client, opened: str
) -> None:
    home = f"/engagements/e/{opened}"
    assert "không trả lời" not in browser.get(home).text
    scheduler = stack.pids()["scheduler"]
    os.kill(scheduler, signal.SIGSTOP)
    try:
        until(lambda: "Bộ lập lịch của Airflow không trả lời từ" in browser.get(home).text, "the page says so")
        assert "Hợp tác xã Chè Tân Cương" in browser.get(home).text
    finally:
        os.kill(scheduler, signal.SIGCONT)
    until(lambda: "không trả lời" not in browser.get(home).text, "the page says no more that it stands still")


def test_an_engagement_is_ended_from_the_page_in_the_register_and_in_airflow(
    browser: httpx.Client, airflow: AirflowApi, opened: str
) -> None:
    until(lambda: any(each["state"] == "deferred" for each in airflow.task_instances("engagement", opened)),
          "a task that waits for the client")  # fmt: skip
    done = confirm(browser, opened, "end", outcome="withdrawn", reason="Khách đổi ý")
    assert done.headers["location"].endswith("?done=end")
    assert registered(opened).status == "withdrawn"
    until(lambda: airflow.run("engagement", opened)["state"] == "success", "the end of the run")
    states = {each["state"] for each in airflow.task_instances("engagement", opened)}
    assert states <= {"success", "skipped"}

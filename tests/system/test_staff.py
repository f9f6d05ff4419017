"""Staff at work on a running installation: an engagement opened on the page, and who may answer a sign-off."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import date

import httpx
import pytest
import yaml

from include.casework.work import form_page
from include.settings import load_settings
from local.airflow_api import AirflowApi, ApiError, NotFound, PendingSignOff
from local.stack import ROOT, Stack
from rehearsal.record import Record
from rehearsal.rehearsal import PARKING_SECONDS

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200), pytest.mark.xdist_group("staff")]

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

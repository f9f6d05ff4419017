"""The buttons of an engagement's page: looked at, confirmed, done once, by who may."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI, Request
from sqlalchemy import select

from include.casework.ending import end
from include.register.models import Document, Event, Mail
from include.register.models import Request as Asked
from plugins.operations import own_airflow
from plugins.operations.acts import ACTS
from tests.firm import ANSWERS, PDF
from tests.plugins.conftest import Staff

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
FIELDS: dict[str, dict[str, str]] = {
    "remind": {"key": "information"},
    "link": {"key": "information"},
    "extend": {"key": "information", "due": "2026-12-18", "reason": "Kế toán nghỉ"},
    "pause": {"reason": "Chủ đi vắng"},
    "revoke": {"reason": "Máy của khách bị mất"},
    "correct": {"client.name": "Công ty Ban Mê Mới", "reason": "Khách đổi tên"},
    "end": {"outcome": "withdrawn", "reason": "Khách đổi ý"},
}
NEEDS_A_REASON = [act for act in FIELDS if "reason" in FIELDS[act]]


class Airflow:
    """Stands for Airflow in this process: keeps what was asked of it, and with which login."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.status = 200
        self.app = FastAPI()

        @self.app.api_route("/api/v2/{path:path}", methods=["GET", "PATCH", "POST", "DELETE"])
        async def answer(path: str, request: Request) -> Any:
            from fastapi.responses import JSONResponse

            assert request.headers["cookie"] == "_token=mine"
            if request.method == "GET" and path.endswith("/taskInstances"):
                tasks = [{"task_id": "information.collect_information_1", "map_index": -1},
                         {"task_id": "round_1.appraisal.score_chair", "map_index": -1}]  # fmt: skip
                return {"task_instances": tasks, "total_entries": 2}
            if request.method == "GET":
                return {"state": "running"}
            self.calls.append((request.method, path, await request.json()))
            return JSONResponse({}, status_code=self.status)


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Airflow:
    stand_in = Airflow()
    monkeypatch.setattr(own_airflow, "airflow_app", lambda: stand_in.app)
    return stand_in


@pytest.fixture
def asked(staff: Staff, airflow: Airflow) -> Staff:
    staff.firm.settings = replace(staff.firm.settings, portal_url="https://hoso.example", portal_keys=("k" * 40,))
    staff.firm.day(date(2026, 12, 1)).open().ask("information")
    staff.http.cookies.set("_token", "mine")
    return staff


def at(staff: Staff, act: str) -> str:
    return f"/e/{staff.firm.engagement}/do/{act}"


def looked_at(staff: Staff, act: str, **fields: str) -> str:
    """Return the page that shows what would happen."""
    if ACTS[act].asks:
        page = staff.do(at(staff, act), **fields)
        assert page.status_code == 200, page.text
        return page.text
    return staff.see(f"{at(staff, act)}?{urlencode(fields)}")


def confirmed(staff: Staff, act: str, page: str) -> Any:
    fields = dict(HIDDEN.findall(page))
    return staff.do(at(staff, act), token=fields.pop("form_token"), **fields)


def events(staff: Staff) -> list[tuple[str, dict[str, Any]]]:
    with staff.firm.case() as case:
        return [(row.kind, row.facts) for row in case.session.scalars(select(Event).order_by(Event.id))]


@pytest.mark.parametrize("act", FIELDS)
def test_a_button_shows_what_it_does_and_does_it_once_it_is_confirmed_once(asked: Staff, act: str) -> None:
    before = events(asked)
    page = looked_at(asked, act, **FIELDS[act])
    assert events(asked) == before
    for _ in range(2):
        done = confirmed(asked, act, page)
        assert (done.status_code, done.headers["location"]) == (303, f"/e/{asked.firm.engagement}?done={act}")
    names = [facts["by"] for _, facts in events(asked)[len(before):] if "by" in facts]
    assert names == ["thu-ha"]
    assert 'role="status"' in asked.see(f"/e/{asked.firm.engagement}?done={act}")


@pytest.mark.parametrize("act", NEEDS_A_REASON)
def test_without_a_reason_the_form_comes_back_and_says_so(asked: Staff, act: str) -> None:
    page = asked.do(at(asked, act), **{**FIELDS[act], "reason": " "})
    assert page.status_code == 422
    assert "Xin ghi lý do" in page.text


def test_what_was_confirmed_is_what_is_done_or_it_is_shown_anew(asked: Staff) -> None:
    page = looked_at(asked, "extend", **FIELDS["extend"])
    with asked.firm.case() as case:
        request = case.session.scalars(select(Asked).where(Asked.key == "information")).one()
        request.due = date(2026, 12, 15)
        case.session.commit()
    again = confirmed(asked, "extend", page)
    assert again.status_code == 200
    assert "xin xác nhận lại" in again.text
    assert confirmed(asked, "extend", again.text).status_code == 303


def test_links_that_were_revoked_are_replaced_by_one_mail_to_the_address_on_file(asked: Staff) -> None:
    confirmed(asked, "revoke", looked_at(asked, "revoke", reason="Máy của khách bị mất"))
    assert confirmed(asked, "link", looked_at(asked, "link", key="information")).status_code == 303
    assert asked.http.get(f"{at(asked, 'link')}?key=information").status_code == 409
    with asked.firm.case() as case:
        mail = case.session.scalars(select(Mail).where(Mail.template == "new_link")).one()
        assert (mail.recipient, case.engagement.link_version) == ("ketoan@banmesom.example", 2)


def test_a_reminder_names_who_gets_it_before_it_goes(asked: Staff) -> None:
    assert "ketoan@banmesom.example" in looked_at(asked, "remind", key="information")


def test_an_end_skips_what_waits_in_airflow_with_the_login_of_whoever_ended_it(asked: Staff, airflow: Airflow) -> None:
    page = looked_at(asked, "end", **FIELDS["end"])
    assert airflow.calls == []
    confirmed(asked, "end", page)
    run = f"dags/engagement/dagRuns/{asked.firm.engagement}/taskInstances"
    assert airflow.calls == [
        ("PATCH", f"{run}/information.collect_information_1", {"new_state": "skipped"}),
        ("PATCH", f"{run}/round_1.appraisal.score_chair", {"new_state": "skipped"}),
    ]


def test_who_may_not_skip_tasks_is_told_that_they_skip_themselves(asked: Staff, airflow: Airflow) -> None:
    airflow.status = 403
    done = confirmed(asked, "end", looked_at(asked, "end", **FIELDS["end"]))
    assert done.headers["location"].endswith("?done=end-waits")
    with asked.firm.case() as case:
        assert case.ended
    assert "tự bỏ qua" in asked.see(f"/e/{asked.firm.engagement}?done=end-waits")


def test_a_decision_to_be_taken_anew_is_asked_for_again_in_airflow(staff: Staff, airflow: Airflow) -> None:
    staff.http.cookies.set("_token", "mine")
    staff.firm.open().inform().decide()
    home = staff.see(f"/e/{staff.firm.engagement}")
    assert "do/reopen?gate=decision&amp;round=1" in home
    form = {"gate": "decision", "round": "1", "who": "", "reason": "Thiếu người"}
    assert confirmed(staff, "reopen", looked_at(staff, "reopen", **form)).headers["location"].endswith("done=reopen")
    [(_, path, body)] = airflow.calls
    assert path == "dags/engagement/clearTaskInstances"
    assert (body["task_ids"], body["include_downstream"]) == (["contract.decide"], True)
    page = staff.see(f"/e/{staff.firm.engagement}")
    assert f"/dags/engagement/runs/{staff.firm.engagement}/tasks/contract.decide/required_actions" in page


def test_a_fact_that_does_not_fit_is_marked_in_the_form(asked: Staff) -> None:
    page = asked.do(at(asked, "correct"), **{"client.tax_code": "6001234563", "reason": "x"})
    assert page.status_code == 422
    assert 'name="client.tax_code" value="6001234563" aria-invalid="true"' in page.text


def test_a_page_of_the_form_says_what_stands_and_changes_nothing_as_it_is(asked: Staff) -> None:
    page = asked.see(at(asked, "correct"))
    assert 'value="Công ty TNHH Cà phê Ban Mê Sớm"' in page


def answered(staff: Staff, **fields: str) -> Any:
    data = {"form_token": staff.token(), "key": "information", "reason": "Chị Hữu đọc qua điện thoại", **fields}
    files = {"evidence": ("bien-ban.pdf", PDF, "application/pdf"), "f.business_registration": ("dkkd.pdf", PDF, "")}
    return staff.http.post(at(staff, "answer"), data=data, files=files, follow_redirects=False)


def test_an_answer_for_the_client_is_shown_then_goes_into_the_inbox_once(asked: Staff) -> None:
    page = answered(asked, **{f"a.{key}": text for key, text in ANSWERS.items()})
    assert page.status_code == 200, page.text
    assert "Thư báo còn thiếu" in page.text
    storage = asked.firm.office().storage
    assert not storage.list("inbox/")
    for _ in range(2):
        assert confirmed(asked, "answer", page.text).status_code == 303
    folder = f"inbox/{asked.firm.engagement}/information/"
    assert len(storage.list(folder)) == 2
    assert not storage.list("staged/")
    assert asked.firm.receive("information") is None
    with asked.firm.case() as case:
        states = {row.key: row.state for row in case.items(case.request("information"))}
        assert states["strategy"] == states["business_registration"] == "received"
        assert states["sales_documents"] == "missing"
        evidence = case.session.scalars(select(Document).where(Document.key == "evidence/information")).one()
    assert "Bằng chứng" in (home := asked.see(f"/e/{asked.firm.engagement}"))
    assert f"/documents/{evidence.id}/view" not in home


def test_a_decision_for_the_client_is_asked_for_as_the_portal_asks_it(staff: Staff) -> None:
    staff.firm.open().inform().decide()
    staff.firm.sign("quote", "send", net_vnd=1_000_000, vat_percent=8, reserve_days=5, instalments_percent="100")
    staff.firm.ask("quote")
    page = staff.see(f"{at(staff, 'answer')}?key=quote")
    assert re.findall(r'name="reply" value="(\w+)"', page) == ["accept", "negotiate", "decline"]


def test_nothing_can_be_done_in_an_engagement_that_was_ended(asked: Staff) -> None:
    end(asked.firm.office(), asked.firm.engagement, by="thu-ha", reason="Khách đổi ý")
    home = asked.see(f"/e/{asked.firm.engagement}")
    assert "/do/" not in home
    for act in ("remind", "link"):
        assert asked.http.get(f"{at(asked, act)}?key=information").status_code == 409
    assert asked.do(at(asked, "pause"), reason="x").status_code == 422


def test_a_viewer_sees_no_button_and_opens_no_form(asked: Staff) -> None:
    asked.login.role = "viewer"
    assert "/do/" not in asked.see(f"/e/{asked.firm.engagement}")
    for act in ACTS:
        asked.see(at(asked, act), 403)


def test_there_is_no_other_button(asked: Staff) -> None:
    asked.see(at(asked, "delete"), 404)

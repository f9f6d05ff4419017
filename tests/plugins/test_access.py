"""Who gets in: every route, for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fastapi.routing import APIRoute
from sqlalchemy import select

from include.casework.signing import ask_for
from include.register.models import Document, Mail
from plugins.operations import access
from plugins.operations.app import create_app
from tests.firm import FORM
from tests.plugins.conftest import Staff


def routes() -> Iterator[tuple[str, str]]:
    for route in create_app().routes:
        if isinstance(route, APIRoute):
            path = route.path.replace("{engagement_id}", "KHV-2026-0001").replace("{key}", "information")
            path = path.replace("{sha256}", "0").replace("{act}", "remind")
            for name in ("row_id", "document_id", "mail_id", "draft_id", "version"):
                path = path.replace(f"{{{name}}}", "1")
            for method in route.methods:
                yield method, path


ALL = sorted(routes())


def test_there_are_routes_that_read_and_routes_that_act() -> None:
    assert {method for method, _ in ALL} == {"GET", "POST"}
    assert len(ALL) > 12


@pytest.mark.parametrize(("method", "path"), ALL)
def test_nobody_gets_in_without_a_login(staff: Staff, method: str, path: str) -> None:
    staff.login.role = ""
    assert staff.http.request(method, path).status_code == 401


@pytest.mark.parametrize(("method", "path"), ALL)
def test_somebody_who_may_not_read_engagements_sees_nothing(staff: Staff, method: str, path: str) -> None:
    staff.login.role = "stranger"
    assert staff.http.request(method, path).status_code == 403


@pytest.mark.parametrize(("method", "path"), [each for each in ALL if each[0] == "POST"])
def test_a_viewer_does_not_act(staff: Staff, method: str, path: str) -> None:
    token = staff.token()
    staff.login.role = "viewer"
    assert staff.do(path, token=token).status_code == 403


@pytest.mark.parametrize(("method", "path"), [each for each in ALL if each[0] == "POST"])
def test_a_form_is_taken_from_our_own_pages_only(staff: Staff, method: str, path: str) -> None:
    token = staff.token()
    assert staff.do(path, token="").status_code == 403
    assert staff.do(path, token=token + "x").status_code == 403
    for name, value in (("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"),
                        ("Sec-Fetch-Site", "same-site")):  # fmt: skip
        assert staff.do(path, token=token, headers={name: value}).status_code == 403
    staff.login.name = "somebody-else"
    assert staff.do(path, token=token).status_code == 403


OTHERS = [path for method, path in ALL if method == "GET"
          and path not in ("/", "/work") and not path.startswith("/e/KHV-2026-0001")]  # fmt: skip


@pytest.fixture
def judge(staff: Staff) -> Staff:
    """The council's finance member, who was asked to judge the first engagement; the second is somebody else's."""
    staff.firm.open()
    with staff.firm.case() as case:
        ask_for(case, "scorecard", 1, "finance")
    staff.firm.open(client={**FORM["client"], "name": "Công ty Của Người Khác"})
    with staff.firm.case() as case:
        ask_for(case, "scorecard", 1, "chair")
    staff.login.name = "council_finance"
    return staff


def test_a_member_of_the_council_sees_the_engagements_that_they_judge_and_no_other(judge: Staff) -> None:
    page = judge.see("/")
    assert "KHV-2026-0001" in page
    assert "Của Người Khác" not in page
    assert "/do/" not in judge.see("/e/KHV-2026-0001")
    for path in ("", "/documents/2", "/documents/2/view", "/documents/2/again", "/mails/1", "/do/remind"):
        judge.see(f"/e/KHV-2026-0002{path}", 404)


def test_nothing_of_anothers_engagement_comes_in_under_ones_own(judge: Staff) -> None:
    with judge.firm.office().sessions() as session:
        of_another = select(Document.id).where(Document.engagement_id == "KHV-2026-0002")
        mail_of_another = select(Mail.id).where(Mail.engagement_id == "KHV-2026-0002")
        documents, mails = session.scalars(of_another).all(), session.scalars(mail_of_another).all()
    assert documents and mails
    for number in documents:
        for kind in ("", "/view", "/again"):
            judge.see(f"/e/KHV-2026-0001/documents/{number}{kind}", 404)
    for number in mails:
        judge.see(f"/e/KHV-2026-0001/mails/{number}", 404)


@pytest.mark.parametrize("path", OTHERS)
def test_a_member_of_the_council_comes_to_no_other_page(judge: Staff, path: str) -> None:
    judge.see(path, 404 if path.startswith("/e/") else 403)


@pytest.mark.parametrize(("method", "path"), [each for each in ALL if each[0] == "POST"])
def test_a_member_of_the_council_acts_nowhere(judge: Staff, method: str, path: str) -> None:
    # None of their pages has a form; had they its token, it would not help.
    assert judge.do(path, token=access._signer().dumps("council_finance")).status_code == 403


def test_a_member_of_the_council_is_offered_only_their_own(judge: Staff) -> None:
    page = judge.see("/work?everybody=true")
    assert "KHV-2026-0001" in page
    assert "KHV-2026-0002" not in page
    for path in ("/new", "/waiting", "/reports", "/templates", "/calendar", "everybody"):
        assert f"{path}" not in page


def test_who_is_on_the_council_and_more_sees_everything(
    judge: Staff, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = yaml.safe_load(yaml.safe_dump(judge.firm.settings.firm))
    firm["staff"]["director"]["logins"] = firm["staff"]["council"]["chair"]["logins"] = ["viet"]
    path = tmp_path / "firm.yaml"
    path.write_text(yaml.safe_dump(firm), encoding="utf-8")
    monkeypatch.setenv("ENGAGEMENT_FIRM_FILE", str(path))
    judge.login.name = "viet"
    assert "KHV-2026-0001" in judge.see("/")
    judge.see("/reports")


def test_a_viewer_sees_no_buttons_and_no_quarantined_file(staff: Staff) -> None:
    staff.login.role = "viewer"
    assert "<form" not in staff.see("/waiting")
    staff.see("/quarantine/1", 403)


def test_pages_load_nothing_from_elsewhere_and_run_nothing_of_anybodys(staff: Staff) -> None:
    page = staff.http.get("/waiting")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy
    assert page.headers["cache-control"] == "no-store"


def test_the_language_is_the_browsers_and_vietnamese_else(staff: Staff) -> None:
    assert "Thư đến chờ phân loại" in staff.see("/waiting")
    assert "Incoming mail to sort" in staff.see("/waiting", **{"Accept-Language": "en-GB,en;q=0.9"})
    assert "Thư đến chờ phân loại" in staff.see("/waiting", **{"Accept-Language": "vi,en;q=0.9"})


def test_when_the_register_is_away_the_page_says_so(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_REGISTER_URL", "postgresql+psycopg2://nobody@127.0.0.1:9/register")
    assert "Sổ đăng ký hiện không trả lời" in staff.see("/waiting", 503)

"""Who gets in: every route, for everybody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from plugins.operations.app import create_app
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

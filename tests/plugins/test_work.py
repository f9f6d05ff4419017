"""My work, as it is shown to whoever is signed in."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from include.casework.signing import ask_for
from tests.plugins.conftest import Staff


@pytest.fixture
def asked(staff: Staff) -> Staff:
    staff.firm.open()
    with staff.firm.case() as case:
        ask_for(case, "first_meeting", 1)
        ask_for(case, "decision", 1)
    return staff


def form(staff: Staff, task: str) -> str:
    return f'href="/dags/engagement/runs/{staff.firm.engagement}/tasks/{task}/required_actions" target="_top"'


def test_a_login_named_as_its_role_sees_that_roles_work_and_on_request_everybodys(asked: Staff) -> None:
    asked.login.name = "director"
    page = asked.see("/work")
    assert form(asked, "contract.decide") in page
    assert "first_meeting" not in page and form(asked, "intake.hold_first_meeting") not in page
    assert f"/e/{asked.firm.engagement}" in page
    everybody = asked.see("/work?everybody=true")
    assert form(asked, "intake.hold_first_meeting") in everybody
    assert "Nguyễn Thu Hà" in everybody


def test_a_login_that_the_firm_names_sees_the_work_of_its_roles(
    asked: Staff, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = yaml.safe_load(yaml.safe_dump(asked.firm.settings.firm))
    firm["staff"]["account_manager"]["logins"] = ["thu-ha"]
    path = tmp_path / "firm.yaml"
    path.write_text(yaml.safe_dump(firm), encoding="utf-8")
    monkeypatch.setenv("ENGAGEMENT_FIRM_FILE", str(path))
    page = asked.see("/work")
    assert form(asked, "intake.hold_first_meeting") in page
    assert form(asked, "contract.decide") not in page


def test_somebody_whom_the_firm_does_not_know_sees_everything_and_is_told_why(asked: Staff) -> None:
    page = asked.see("/work")
    assert "chưa biết tài khoản “thu-ha”" in page
    assert form(asked, "intake.hold_first_meeting") in page
    assert form(asked, "contract.decide") in page


def test_a_viewer_looks_at_the_work_but_is_not_asked_to_do_it(asked: Staff) -> None:
    asked.login.role = "viewer"
    page = asked.see("/work")
    assert "Xem phiếu" in page
    assert "Mở phiếu" not in page


def test_when_nothing_waits_the_page_says_so(staff: Staff) -> None:
    assert "Không có việc nào đang chờ" in staff.see("/work")

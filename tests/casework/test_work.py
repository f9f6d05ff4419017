"""What waits for whom, and who is who."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from include.casework.signing import ask_for
from include.casework.staff import holders, logins, roles_of
from include.casework.work import TASKS, WAITS, Work, form_page, work
from include.engagement import process
from include.settings import ROOT, STAFF_PAGES
from tests.firm import Firm

FIRM: dict[str, Any] = {"staff": {
    "director": {"name": "Việt", "logins": ["viet", 7]}, "account_manager": {"name": "Hà"},
    "council": {"chair": {"name": "Phước", "logins": ["viet"]}, "finance": {"name": "Ngân"}},
}}  # fmt: skip


def waiting(firm: Firm, day: date, roles: list[str] | None = None) -> list[Work]:
    with firm.office().sessions() as session:
        return work(session, today=day, roles=roles)


@pytest.mark.parametrize(
    ("login", "roles"),
    [
        ("viet", ["director", "council.chair"]),
        ("7", ["director"]),
        ("account_manager", ["account_manager"]),
        ("council_finance", ["council.finance"]),
        ("director", []),
        ("council_chair", []),
        ("admin", []),
    ],
)
def test_a_login_is_who_the_firm_says_and_else_whoever_bears_a_free_roles_name(login: str, roles: list[str]) -> None:
    assert roles_of(FIRM, login) == roles


def test_only_listed_logins_bind_a_role() -> None:
    assert logins(FIRM, "director") == ["viet", "7"]
    assert logins(FIRM, "account_manager") == []


def test_the_firm_has_a_holder_for_every_role_that_decides(firm: Firm) -> None:
    gates = {gate.role for gate in process.SIGN_OFFS.values()} - {"council"}
    members = {f"council.{member.key}" for member in process.COUNCIL}
    assert {role for role, _ in holders(firm.settings.firm)} == gates | members


def test_every_sign_off_has_its_page() -> None:
    assert set(TASKS) == set(process.SIGN_OFFS)


def test_every_sign_off_and_wait_is_a_task_that_airflow_has() -> None:
    tasks = json.loads((ROOT / "tests" / "dags" / "task_ids.json").read_text(encoding="utf-8"))
    assert set(WAITS) == set(process.REQUESTS)
    assert all(task.format(1, who="chair") in tasks[dag] for dag, task in (*TASKS.values(), *WAITS.values()))


def test_each_sees_their_own_the_oldest_first_with_since_due_and_what_follows(firm: Firm) -> None:
    firm.day(date(2026, 12, 1)).open()
    with firm.case() as case:
        ask_for(case, "first_meeting", 1)
    firm.day(date(2026, 12, 3)).inform()
    with firm.case() as case:
        ask_for(case, "decision", 1)
    meeting, decision = waiting(firm, date(2026, 12, 20))
    assert (meeting.role, meeting.since, decision.role, decision.since) == (
        "account_manager", date(2026, 12, 1), "director", date(2026, 12, 3)
    )  # fmt: skip
    assert meeting.company == "Công ty TNHH Cà phê Ban Mê Sớm"
    assert decision.follows == process.SIGN_OFFS["decision"].help
    assert decision.page == f"/dags/engagement/runs/{firm.engagement}/tasks/contract.decide/required_actions"
    assert waiting(firm, date(2026, 12, 20), ["director"]) == [decision]
    assert waiting(firm, date(2026, 12, 20), ["client_care"]) == []


def test_a_delivery_is_the_service_departments_and_late_after_its_day(firm: Firm) -> None:
    firm.open().inform().decide().contract()
    firm.ask("delivery")
    [delivery] = waiting(firm, firm.office().today, ["service_department"])
    assert delivery.due is not None
    assert f"inbox/{firm.engagement}/delivery" in delivery.follows
    assert not delivery.late
    [late] = waiting(firm, date(2027, 6, 1), ["service_department"])
    assert late.late


def test_a_council_member_sees_only_their_own_scorecard(firm: Firm) -> None:
    firm.open()
    with firm.case() as case:
        for member in process.COUNCIL:
            ask_for(case, "scorecard", 2, member.key)
    [card] = waiting(firm, firm.office().today, ["council.finance"])
    assert card.page.endswith("/tasks/round_2.appraisal.score_finance/required_actions")


def test_a_visits_form_is_on_its_own_run() -> None:
    page = form_page("KHV-2026-0001", "monitoring_assessment", 3)
    assert page == "/dags/monitoring/runs/KHV-2026-0001__monitoring-3/tasks/monitoring.assess_progress/required_actions"


def test_the_firms_file_names_nobody_who_alone_may_decide() -> None:
    """The shared logins of one machine and the players of a rehearsal answer everything."""
    import yaml

    firm = yaml.safe_load((ROOT / "include" / "firm.yaml").read_text(encoding="utf-8"))
    assert [role for role, _ in holders(firm) if logins(firm, role)] == []


def test_the_daily_digest_leads_to_the_page_where_airflows_address_is_known(firm: Firm) -> None:
    firm.open()
    with firm.case() as case:
        ask_for(case, "first_meeting", 1)
    firm.sweep(date(2026, 12, 2))
    firm.settings = replace(firm.settings, airflow_url="https://airflow.example")
    firm.sweep(date(2026, 12, 3))
    before, after = (
        str(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
        for mail in firm.outbox.read() if "Việc cần theo dõi" in str(mail["subject"])
    )  # fmt: skip
    assert "http" not in before.replace(firm.settings.firm["website"], "")
    assert "https://airflow.example/engagements/work" in after


def test_the_digest_names_the_address_at_which_the_pages_are_served() -> None:
    from plugins.engagements import PREFIX

    assert PREFIX == STAFF_PAGES

"""What monitoring is told: the numbers of a firm at work, and nothing about anybody."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import date, timedelta

import pytest
from sqlalchemy import event

from include import clock
from include.casework.gauges import Gauge, as_text, gauges
from include.engagement import process
from include.register.models import Engagement, Installation, Mail, SignOff
from tests.firm import ANSWERS, FORM, PAPERS, Firm

TUESDAY = date(2026, 12, 1)


def told(firm: Firm, today: date = TUESDAY) -> dict[str, dict[str, float]]:
    """The gauges' numbers by name and the labels' values."""
    with firm.office().sessions() as session:
        read = gauges(session, today=today, now=clock.now())
    return {each.name: {" / ".join(text for _, text in labels): value for labels, value in each.samples.items()}
            for each in read}  # fmt: skip


def test_an_installation_without_engagements_has_every_number_at_nought(firm: Firm) -> None:
    found = told(firm)
    assert {value for samples in found.values() for value in samples.values()} == {0}
    assert set(found["engagement_open"]) == set(process.STAGES)
    assert found["engagement_waits"].keys() >= {"client / under 3 days", "director / 10 days and more"}


def test_open_engagements_are_counted_by_the_stage_that_they_entered_last(firm: Firm) -> None:
    firm.open()
    assert told(firm)["engagement_open"]["intake"] == 1
    firm.inform()
    counted = told(firm)["engagement_open"]
    assert counted["intake"] == 0 and sum(counted.values()) == 1


def test_an_engagement_is_late_the_day_after_its_stage_was_due(firm: Firm) -> None:
    firm.open()
    firm.ask("information")
    assert told(firm)["engagement_late"] == {"": 0}
    assert told(firm, TUESDAY + timedelta(days=60))["engagement_late"] == {"": 1}


def test_waits_are_counted_by_who_is_waited_for_and_how_long(firm: Firm) -> None:
    firm.open()
    firm.ask("information")
    for days, age in ((0, "under 3 days"), (3, "3 to 9 days"), (9, "3 to 9 days"), (10, "10 days and more")):
        found = told(firm, TUESDAY + timedelta(days=days))
        assert found["engagement_waits"][f"client / {age}"] == 1, days
        assert sum(found["engagement_waits"].values()) == 1
        assert found["engagement_wait_oldest_seconds"]["client"] == days * 86_400


def test_what_was_answered_and_what_is_over_is_waited_for_no_more(firm: Firm) -> None:
    firm.open()
    firm.ask("information")
    assert told(firm)["engagement_waits"]["client / under 3 days"] == 1
    firm.put("information", {"answers": ANSWERS}, PAPERS).receive("information")
    assert told(firm)["engagement_waits"]["client / under 3 days"] == 0
    firm.open(referrer="another")
    firm.ask("information")
    assert told(firm)["engagement_waits"]["client / under 3 days"] == 1
    with firm.office().sessions.begin() as session:
        session.get_one(Engagement, firm.engagement).closed = TUESDAY
    assert told(firm)["engagement_waits"]["client / under 3 days"] == 0


def test_a_sign_off_that_nobody_decided_ages_with_its_role(firm: Firm) -> None:
    firm.open()
    with firm.office().sessions.begin() as session:
        session.add(SignOff(engagement_id=firm.engagement, gate="first_meeting", round=1, asked=TUESDAY))
    role = process.SIGN_OFFS["first_meeting"].role
    assert told(firm, TUESDAY + timedelta(days=5))["engagement_wait_oldest_seconds"][role] == 5 * 86_400
    firm.sign("first_meeting", "no")
    assert told(firm, TUESDAY + timedelta(days=5))["engagement_wait_oldest_seconds"][role] == 0


def test_mail_that_does_not_leave_ages_and_what_stopped_is_counted(firm: Firm) -> None:
    firm.open()
    firm.ask("information")
    sent = told(firm)["engagement_mails"]["sent"]
    assert sent > 0 and told(firm)["engagement_mail_waiting_oldest_seconds"] == {"": 0}
    with firm.office().sessions.begin() as session:
        first, *_ = session.query(Mail).order_by(Mail.id)
        first.state, first.claimed_at = "claimed", clock.now() - timedelta(hours=2)
    found = told(firm)
    assert (found["engagement_mails"]["claimed"], found["engagement_mails"]["sent"]) == (1, sent - 1)
    assert found["engagement_mail_waiting_oldest_seconds"][""] == pytest.approx(7200, abs=300)
    with firm.office().sessions.begin() as session:
        session.query(Mail).filter(Mail.state == "claimed").one().state = "refused"
    assert told(firm)["engagement_mails"]["refused"] == 1
    assert told(firm)["engagement_mail_waiting_oldest_seconds"] == {"": 0}


def test_mail_that_staff_hold_back_shows(firm: Firm) -> None:
    with firm.office().sessions.begin() as session:
        session.merge(Installation(id=1, mail_paused_at=clock.now(), mail_paused_by="x", mail_paused_why="y"))
    assert told(firm)["engagement_mail_paused"] == {"": 1}


def test_the_numbers_cost_the_same_few_queries_whatever_is_open(firm: Firm) -> None:
    asked: list[str] = []

    def count(*given: object) -> None:
        asked.append(str(given[2]))

    def queries() -> int:
        asked.clear()
        with firm.office().sessions() as session:
            event.listen(session.get_bind(), "before_cursor_execute", count)
            gauges(session, today=TUESDAY, now=clock.now())
            event.remove(session.get_bind(), "before_cursor_execute", count)
        return len(asked)

    before = queries()
    firm.open()
    firm.ask("information")
    assert queries() == before <= 12


def test_nothing_of_a_client_is_told(firm: Firm) -> None:
    firm.open()
    firm.ask("information")
    with firm.office().sessions() as session:
        page = as_text(gauges(session, today=TUESDAY, now=clock.now()))
    client = FORM["client"]
    for secret in (firm.engagement, client["name"], client["tax_code"], client["contact"]["email"]):
        assert str(secret) not in page


def test_the_page_is_what_prometheus_reads(firm: Firm) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        assert not os.environ.get("CI"), "promtool is not installed"
        pytest.skip("NO PROMTOOL (Debian: prometheus), PAGE OF GAUGES NOT CHECKED")
    firm.open()
    with firm.office().sessions() as session:
        page = as_text(gauges(session, today=TUESDAY, now=clock.now()))
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_large_numbers_are_written_out() -> None:
    page = as_text([Gauge("x", "y", {(): 12345678.0, (("a", "b"),): 0.5})])
    assert page == '# HELP x y\n# TYPE x gauge\nx 12345678\nx{a="b"} 0.5\n'

"""The sweep: reminders to clients, one digest a day to staff, each at most once."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from include.casework.office import Office
from include.register.models import IncomingMail, ReminderSent, UndeliverableAddress
from tests.firm import Firm

ASKED, DUE = date(2026, 12, 1), date(2026, 12, 9)


def reminders(firm: Firm) -> list[tuple[date, str, str]]:
    with firm.office().sessions() as session:
        rows = session.scalars(select(ReminderSent).order_by(ReminderSent.day, ReminderSent.id))
        return [(row.day, row.level, row.reminder) for row in rows]


def test_a_silent_client_is_reminded_then_the_account_manager_then_the_director(firm: Firm) -> None:
    firm.open().ask("information")
    with firm.case() as case:
        days = case.calendar.days(ASKED, date(2026, 12, 22))
    for day in days:
        firm.sweep(day)
    assert reminders(firm) == [
        (date(2026, 12, 8), "client", "before_due"),
        (date(2026, 12, 9), "client", "on_due_day"),
        (date(2026, 12, 10), "client", "overdue"),
        (date(2026, 12, 14), "account_manager", "overdue_account_manager"),
        (date(2026, 12, 15), "client", "overdue_again"),
        (date(2026, 12, 17), "director", "overdue_director"),
    ]


def test_an_engagement_in_which_nobody_is_to_be_told_anything_is_not_opened(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm.open().ask("information")
    opened: list[str] = []
    whole = Office.case

    def noted(office: Office, engagement_id: str, **given: Any) -> Any:
        opened.append(engagement_id)
        return whole(office, engagement_id, **given)

    monkeypatch.setattr(Office, "case", noted)
    firm.sweep(date(2026, 12, 7))
    assert opened == []
    firm.sweep(date(2026, 12, 8))
    assert opened == [firm.engagement]


def test_a_client_whose_mail_bounces_stands_in_the_digest_on_a_day_without_a_reminder(firm: Firm) -> None:
    firm.open().ask("information")
    with firm.case() as case:
        bounced = IncomingMail(mailbox="x", uidvalidity=1, uid=1, size=1, day=ASKED, state="bounced")
        case.session.add(bounced)
        case.session.flush()
        case.session.add(UndeliverableAddress(address="ketoan@banmesom.example", since=ASKED, diagnostic="550",
                                              incoming_id=bounced.id))  # fmt: skip
        case.session.commit()
    mails = len(firm.outbox.mails)
    firm.sweep(date(2026, 12, 7))
    [digest] = firm.outbox.read()[mails:]
    body = digest.get_body(("plain",))
    assert body is not None and "bị trả lại" in body.get_content()


def test_a_day_swept_twice_reminds_once(firm: Firm) -> None:
    firm.open().ask("information")
    firm.sweep(DUE)
    mails = len(firm.outbox.mails)
    firm.sweep(DUE)
    assert len(firm.outbox.mails) == mails
    assert len(reminders(firm)) == 1


def test_after_days_without_a_sweep_only_what_still_makes_sense_goes_out(firm: Firm) -> None:
    firm.open().ask("information")
    firm.sweep(date(2026, 12, 11))
    assert [reminder for _, _, reminder in reminders(firm)] == ["overdue"]


def test_nobody_is_reminded_on_a_day_off(firm: Firm) -> None:
    firm.open().ask("information")
    mails = len(firm.outbox.mails)
    assert firm.sweep(date(2026, 12, 12)) == 0  # a Saturday
    assert len(firm.outbox.mails) == mails


def test_an_answered_request_is_not_reminded_of(firm: Firm) -> None:
    firm.open().inform()
    assert firm.sweep(DUE) == 0


def test_staff_get_one_digest_a_day_for_all_they_have_to_do(firm: Firm) -> None:
    firm.open().ask("information")
    other = Firm(firm.settings, firm.outbox).open(referrer="Website")
    other.ask("information")
    firm.sweep(date(2026, 12, 14))
    digests = [mail for mail in firm.outbox.read() if "Việc cần theo dõi" in str(mail["subject"])]
    assert [str(mail["to"]) for mail in digests] == ["Nguyễn Thu Hà <thuha@kehoachviet.example>"]
    body = digests[0].get_body(("plain",))
    assert body is not None
    assert firm.engagement in body.get_content() and other.engagement in body.get_content()


def test_a_pending_sign_off_stands_in_the_digest(firm: Firm) -> None:
    from include.casework import signing

    firm.open()
    with firm.case() as case:
        signing.ask_for(case, "first_meeting", 1)
    firm.sweep(date(2026, 12, 2))
    assert "thuha@kehoachviet.example" in str(firm.outbox.read()[-1]["to"])


def test_a_reminder_can_be_answered(firm: Firm) -> None:
    firm.open().ask("information")
    firm.sweep(DUE)
    assert f"+{firm.engagement}.information@" in str(firm.outbox.read()[-1]["reply-to"])

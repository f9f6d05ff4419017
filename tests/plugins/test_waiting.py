"""What waits for people, and what they do about it."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from include.casework.interventions import UNASSIGNED
from include.casework.mailbox import read_mailbox
from include.casework.outbox import send_due
from include.mail.transport import RefusedMail
from include.register.models import Document, Event, IncomingMail, Mail, RequestItem, UndeliverableAddress
from include.screening.content import EICAR
from tests.casework.mailroom import Box, bounce, sent, written
from tests.firm import PAPERS, PDF
from tests.plugins.conftest import Staff

STRANGER = "la@o-dau.example"


@pytest.fixture
def asked(staff: Staff) -> Staff:
    staff.firm.open().ask("information")
    return staff


def arrive(staff: Staff, raw: bytes) -> int:
    box = Box()
    box.deliver(raw)
    read_mailbox(staff.firm.office(), box)
    with staff.firm.office().sessions() as session:
        return session.scalars(select(IncomingMail.id)).one()


def letter(staff: Staff) -> bytes:
    to = f"hoso+{staff.firm.engagement}.information@kehoachviet.example"
    return written(sender=STRANGER, to=to, subject="<script>alert(1)</script>", text="<img src=x onerror=alert(1)>",
                   files={"business_registration.pdf": PDF})  # fmt: skip


def event(staff: Staff, kind: str) -> Event:
    with staff.firm.office().sessions() as session:
        return session.scalars(select(Event).where(Event.kind == kind)).one()


def test_a_strangers_mail_is_shown_as_text_and_filed_on_the_word_of_staff(asked: Staff) -> None:
    row = arrive(asked, letter(asked))
    assert f"/incoming/{row}" in asked.see("/waiting")
    page = asked.see(f"/incoming/{row}")
    assert "<script>" not in page
    assert "<img" not in page
    assert "&lt;img src=x" in page
    assert STRANGER in page
    assert asked.do(f"/incoming/{row}/file", to=f"{asked.firm.engagement}/information").status_code == 303
    assert asked.do(f"/incoming/{row}/file", to=f"{asked.firm.engagement}/information").status_code == 303
    assert event(asked, "mail_filed_by_staff").facts["by"] == "thu-ha"
    asked.firm.receive("information")
    with asked.firm.case() as case:
        items = {item.key: item.state for item in case.items(case.request("information"))}
    assert items["business_registration"] == "received"
    assert f"/incoming/{row}\"" not in asked.see("/waiting")


def test_a_mail_is_dismissed_with_a_reason_and_never_without(asked: Staff) -> None:
    row = arrive(asked, letter(asked))
    assert asked.do(f"/incoming/{row}/dismiss", reason=" ").status_code == 409
    assert asked.do(f"/incoming/{row}/dismiss", reason="quảng cáo").status_code == 303
    with asked.firm.office().sessions() as session:
        kept = session.get_one(IncomingMail, row)
        assert (kept.state, kept.reason) == ("dismissed", "quảng cáo (thu-ha)")


def test_the_mail_as_it_came_is_saved_and_never_shown(asked: Staff) -> None:
    row = arrive(asked, letter(asked))
    raw = asked.http.get(f"/incoming/{row}/raw")
    assert raw.headers["content-type"] == "application/octet-stream"
    assert raw.headers["content-disposition"].startswith("attachment")
    assert b"onerror" in raw.content


def test_what_came_from_outside_is_handed_out_to_those_who_act_on_it_and_nothing_else_as_quarantined(
    asked: Staff,
) -> None:
    row = arrive(asked, letter(asked))
    with asked.firm.office().sessions() as session:
        made = session.scalars(select(Document.id).where(Document.direction == "made")).first()
    asked.see(f"/quarantine/{made}", 404)
    asked.see(f"/incoming/{row}/raw")
    asked.login.role = "viewer"
    asked.see(f"/incoming/{row}/raw", 403)
    asked.see(f"/quarantine/{made}", 403)


def test_a_file_in_quarantine_is_named_with_its_reason_and_saved_as_nothing_that_opens(asked: Staff) -> None:
    asked.firm.put("information", {}, {"business_registration.pdf": EICAR}).receive("information")
    page = asked.see("/waiting")
    assert "business_registration.pdf" in page
    [path] = set(re.findall(r"/quarantine/\d+", page))
    file = asked.http.get(path)
    assert file.content == EICAR
    assert file.headers["content-disposition"].endswith(".quarantine")
    with asked.firm.office().sessions() as session:
        row = session.scalars(select(Document).where(Document.key.startswith("quarantined/"))).one()
    asked.see(f"/e/{asked.firm.engagement}/documents/{row.id}", 404)


def test_a_file_without_an_item_is_handed_in_again_as_the_item_that_staff_name(asked: Staff) -> None:
    asked.firm.put("information", {}, {"scan-001.pdf": PDF}).receive("information")
    with asked.firm.office().sessions() as session:
        row = session.scalars(select(Document).where(Document.key == UNASSIGNED)).one()
    path = f"/e/{asked.firm.engagement}/files/{row.id}/assign"
    assert path in asked.see("/waiting")
    assert asked.do(path, item="strategy").status_code == 409
    for _ in range(2):
        assert asked.do(path, item="business_registration").status_code == 303
    assert path not in asked.see("/waiting")
    asked.firm.receive("information")
    with asked.firm.office().sessions() as session:
        item = session.scalars(select(RequestItem).where(RequestItem.key == "business_registration")).one()
        assert item.state == "received"
        assert item.document_id is not None
        kept = session.get_one(Document, item.document_id)
        assert kept.sha256 == row.sha256
    assert event(asked, "file_assigned").facts["by"] == "thu-ha"


def test_a_failing_address_is_chased_again_when_staff_say_so(asked: Staff) -> None:
    arrive(asked, bounce(sent(asked.firm, "information_request").message_id))
    with asked.firm.office().sessions() as session:
        row = session.scalars(select(UndeliverableAddress)).one()
    assert row.address in asked.see("/waiting")
    assert asked.do(f"/addresses/{row.id}/works").status_code == 303
    with asked.firm.office().sessions() as session:
        assert session.scalars(select(UndeliverableAddress)).all() == []


def refused(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> Mail:
    def refuse(*_: object) -> None:
        raise RefusedMail("550 no such user")

    with monkeypatch.context() as patch:
        patch.setattr(staff.firm.outbox, "send", refuse)
        staff.firm.open().ask("information")
    with staff.firm.office().sessions() as session:
        return session.scalars(select(Mail).where(Mail.template == "information_request")).one()


def test_a_refused_mail_goes_to_the_address_that_staff_give(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    mail = refused(staff, monkeypatch)
    assert "550 no such user" in staff.see("/waiting")
    assert staff.do(f"/outgoing/{mail.id}/redirect", to="khong phai dia chi").status_code == 409
    assert staff.do(f"/outgoing/{mail.id}/redirect", to="moi@banmesom.example", why="đã gọi").status_code == 303
    send_due(staff.firm.office())
    redirected = [mail for mail in staff.firm.outbox.read() if mail["To"] == "moi@banmesom.example"]
    assert [len(list(mail.iter_attachments())) for mail in redirected] == [2]
    assert event(staff, "mail_redirected").facts["by"] == "thu-ha"


@pytest.mark.parametrize(("arrived", "mails"), [("yes", 0), ("no", 1)])
def test_staff_say_whether_a_mail_that_stopped_arrived(
    staff: Staff, monkeypatch: pytest.MonkeyPatch, arrived: str, mails: int
) -> None:
    mail = refused(staff, monkeypatch)
    assert staff.do(f"/outgoing/{mail.id}/settle", arrived=arrived, why="đã gọi").status_code == 303
    send_due(staff.firm.office())
    assert sum(mail.subject == str(each["subject"]) for each in staff.firm.outbox.read()) == mails
    assert event(staff, "mail_settled").facts["was_sent"] is (arrived == "yes")
    staff.see("/waiting")
    assert staff.do(f"/outgoing/{mail.id}/settle", arrived="no").status_code == 404


def test_one_switch_pauses_all_mail_and_lets_it_go_again(staff: Staff) -> None:
    assert staff.do("/mail-switch", to="pause", why="đổi máy chủ").status_code == 303
    assert "đổi máy chủ" in staff.see("/waiting")
    staff.firm.open()
    send_due(staff.firm.office())
    assert staff.firm.outbox.mails == []
    assert "welcome" not in staff.see("/waiting")
    assert staff.do("/mail-switch", to="resume").status_code == 303
    send_due(staff.firm.office())
    assert len(staff.firm.outbox.mails) == 1


def test_the_engagements_page_tells_all_of_it_and_shows_no_clients_key(staff: Staff) -> None:
    staff.firm.open().inform().decide().contract()
    home = f"/e/{staff.firm.engagement}"
    page = staff.see(home)
    for told in ("Họp quyết định", "Hợp đồng dịch vụ", "đã gửi", "Ngày dự trù", next(iter(PAPERS))):
        assert told in page
    for path in set(re.findall(rf"{home}/(?:documents|mails)/\d+", page)):
        assert staff.http.get(path).status_code == 200
    with staff.firm.office().sessions() as session:
        mail = session.scalars(select(Mail).where(Mail.template == "information_request")).one()
    shown = staff.see(f"{home}/mails/{mail.id}")
    assert "Kính gửi" in shown
    staff.see("/e/KHV-2000-0001", 404)
    staff.see(f"/e/KHV-2000-0001/documents/{1}", 404)

"""What the engagement's page shows: decisions, papers, the timetable, the event log."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from datetime import date
from email import message_from_bytes
from email.policy import default

import pytest
from sqlalchemy import select

from include.casework import answers_by_hand, corrections
from include.casework.interventions import Intervention
from include.casework.signing import reopen
from include.engagement.errors import FactsDiffer
from include.register.models import Mail
from include.settings import ROOT
from plugins.operations.event_words import KINDS
from tests.firm import ANSWERS, BAD, FORM, PAPERS, PDF, QUOTE
from tests.plugins.conftest import Staff

assert answers_by_hand and corrections  # their interventions are counted too


def test_a_decision_taken_anew_is_told_apart_from_the_one_that_stands(staff: Staff) -> None:
    staff.firm.open().inform().decide()
    home = f"/e/{staff.firm.engagement}"
    assert "đã được quyết định lại" not in staff.see(home)
    with staff.firm.case() as case:
        reopen(case, "decision", 1, by="giam-doc", reason="thiếu người")
    page = staff.see(home)
    assert "Nhận thực hiện <span" in page
    assert "đã được quyết định lại" in page
    assert "chờ quyết định" in page


def test_a_pdf_of_ours_is_shown_with_headers_that_let_it_do_nothing(
    staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Converter:
        def pdf(self, data: bytes, *, extension: str) -> bytes:
            return PDF

        def recalculated(self, xlsx: bytes) -> bytes:
            return xlsx

    monkeypatch.setattr("include.casework.office.find_libreoffice", Converter)
    staff.firm.open().inform().decide()
    staff.firm.sign("quote", "send", **QUOTE)
    with pytest.raises(FactsDiffer):  # a PDF that says nothing of the quote is made and goes nowhere
        staff.firm.ask("quote")
    home = f"/e/{staff.firm.engagement}"
    [path] = set(re.findall(rf"{home}/documents/\d+/view", staff.see(home)))
    shown = staff.http.get(path)
    assert shown.content == PDF
    assert shown.headers["content-type"] == "application/pdf"
    assert shown.headers["content-disposition"].startswith("inline; filename*=UTF-8''B%C3%A1o%20gi%C3%A1")
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "frame-ancestors 'none'" in policy


def test_what_came_from_outside_is_downloaded_and_never_shown(staff: Staff) -> None:
    staff.firm.open().inform()
    home = f"/e/{staff.firm.engagement}"
    with staff.firm.case() as case:
        received = case.latest("received/business_registration")
    assert f"{home}/documents/{received.id}/view" not in staff.see(home)
    staff.see(f"{home}/documents/{received.id}/view", 404)
    staff.see(f"{home}/documents/{received.id}/again", 404)
    assert staff.http.get(f"{home}/documents/{received.id}").headers["content-disposition"].startswith("attachment")


def test_a_mail_is_seen_as_it_was_sent_in_a_frame_that_can_do_nothing_and_without_the_clients_link(
    staff: Staff,
) -> None:
    staff.firm.settings = replace(staff.firm.settings, portal_url="https://hoso.example", portal_keys=("k" * 40,))
    staff.firm.open(client={**FORM["client"], "name": "Công ty <script>alert(1)</script> & Con"}).ask("information")
    with staff.firm.case() as case:
        mail = case.session.scalars(select(Mail).where(Mail.template == "information_request")).one()
        body = message_from_bytes(case.office.storage.get(str(mail.path)), policy=default).get_body(("plain",))
    assert body is not None
    [token] = set(re.findall(r"/r/([\w.-]{20,})", body.get_content()))
    home = f"/e/{staff.firm.engagement}/mails/{mail.id}"
    page = staff.see(home)
    assert f'sandbox src="{home}/html"' in page
    framed = staff.http.get(f"{home}/html")
    policy = framed.headers["content-security-policy"]
    assert policy.endswith("; sandbox")
    assert "default-src 'none'" in policy
    assert "frame-src 'self'" in staff.http.get(home).headers["content-security-policy"]
    assert "&lt;script&gt;alert" in framed.text
    assert "<script" not in framed.text
    assert "/r/…" in framed.text
    assert token not in framed.text + page


@pytest.mark.timeout(60)
def test_whoever_looks_does_not_wait_for_a_task_that_works_on_the_engagement(staff: Staff) -> None:
    staff.firm.open().ask("information")
    home = f"/e/{staff.firm.engagement}"
    with staff.firm.case():
        assert staff.firm.engagement in staff.see(home)
        staff.see(f"{home}/do/end")
        staff.see(f"{home}/do/remind?key=information")


def test_what_is_waited_for_has_its_page_in_airflow(staff: Staff) -> None:
    staff.firm.open().ask("information")
    run = f"/dags/engagement/runs/{staff.firm.engagement}"
    assert f'href="{run}/tasks/information.collect_information_1" target="_top"' in staff.see(
        f"/e/{staff.firm.engagement}"
    )


def test_a_word_document_is_made_again_byte_for_byte_as_it_was_sent(staff: Staff) -> None:
    staff.firm.open().inform()
    with staff.firm.case() as case:
        letter, sheet = case.latest("information_letter"), case.latest("questionnaire")
        stored = case.office.storage.get(letter.path)
    home = f"/e/{staff.firm.engagement}"
    assert staff.http.get(f"{home}/documents/{letter.id}/again").content == stored
    assert "Chỉ văn bản Word" in staff.see(f"{home}/documents/{sheet.id}/again", 409)
    staff.see(f"/e/KHV-2026-9999/documents/{letter.id}/again", 404)


def test_the_timetable_is_drawn_and_told_with_rounds_waits_reserve_and_the_promised_date(staff: Staff) -> None:
    firm = staff.firm.day(date(2026, 12, 1)).open()
    firm.ask("information")
    firm.day(date(2026, 12, 14))  # three days later than the client's six
    firm.put("information", {"answers": ANSWERS}, PAPERS).receive("information")
    firm.sign("information_review", "accept")
    firm.decide().contract().ask("delivery")
    firm.day(date(2027, 1, 14)).deliver().score(BAD)  # two days late
    firm.conclude()
    firm.day(date(2027, 1, 18)).deliver(2)
    page = staff.see(f"/e/{firm.engagement}")
    svg = page[page.index("<svg") : page.index("</svg>")]
    assert "style=" not in svg
    assert "<script" not in svg
    for drawn in ('class="plan', 'class="over"', 'class="wait"', 'class="due"', 'class="today"', 'class="promised"',
                  'class="plan reserve"'):  # fmt: skip
        assert drawn in svg
    assert "Thực hiện dịch vụ (vòng 2)" in page
    assert "(dời hạn 3)" in page
    assert "ngày đã dùng" in page
    assert "chưa đến" in page


def test_every_kind_of_event_is_said_in_words(staff: Staff) -> None:
    kinds = set()
    for folder in ("include", "operators", "plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "event" and node.args:
                    kind = node.args[0]
                    if isinstance(kind, ast.Constant):
                        kinds.add(str(kind.value))
    assert len(kinds) > 25
    assert kinds - set(KINDS) == set()
    assert {each.kind for each in Intervention.__subclasses__()} - set(KINDS) == set()


def test_an_event_that_is_not_known_here_is_shown_as_it_is_written(staff: Staff) -> None:
    staff.firm.open()
    with staff.firm.case() as case:
        case.event("something_new", how="so")
        case.session.commit()
    assert "<strong>something_new</strong> · how: so" in staff.see(f"/e/{staff.firm.engagement}")

"""A new engagement on the staff's page: checked at its fields, kept as a draft, registered once."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from sqlalchemy import func, select

from include.casework.opening import awaiting_run
from include.engagement import form
from include.engagement.form import check_form
from include.engagement.intake import QUESTIONS
from include.register.models import Draft, Engagement, Event
from tests.firm import FORM
from tests.plugins.conftest import Staff


def flat(block: dict[str, Any], path: str = "") -> dict[str, str]:
    """The form as people type it."""
    entries: dict[str, str] = {}
    for key, value in block.items():
        if isinstance(value, dict):
            entries |= flat(value, f"{path}{key}.")
        elif isinstance(value, list):
            entries[path + key] = "\n".join(value)
        else:
            grouped = f"{value:,}".replace(",", ".") if path == "finance." else str(value)
            entries[path + key] = "có" if value is True else grouped
    return entries


ENTRIES = flat(FORM)


def nonce(staff: Staff) -> str:
    found = re.search(r'name="nonce" value="([^"]+)"', staff.see("/new"))
    assert found
    return found[1]


def engagements(staff: Staff) -> list[Engagement]:
    with staff.firm.office().sessions() as session:
        return list(session.scalars(select(Engagement).order_by(Engagement.id)))


def test_what_is_typed_is_the_form_that_a_file_would_give(staff: Staff) -> None:
    answer = staff.do("/new", nonce=nonce(staff), act="open", **ENTRIES)
    assert answer.status_code == 303
    [opened] = engagements(staff)
    assert answer.headers["location"] == f"/e/{opened.id}?done=opened"
    assert opened.form == check_form(FORM)
    assert opened.status == "registered"
    with staff.firm.office().sessions() as session:
        assert session.scalars(select(Event.facts).where(Event.kind == "registered")).one() == {"by": "thu-ha"}
        assert awaiting_run(session, most=9) == [opened.id]
    assert "Quy trình bắt đầu" in staff.see(answer.headers["location"])


def test_a_form_sent_twice_is_one_engagement(staff: Staff) -> None:
    mine = nonce(staff)
    first, second = (staff.do("/new", nonce=mine, act="open", **ENTRIES) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    assert len(engagements(staff)) == 1


def test_every_problem_stands_at_its_field_and_in_the_summary_that_has_the_focus(staff: Staff) -> None:
    wrong = {"client.name": "", "client.tax_code": "6001234563", "client.contact.email": "khong-phai",
             "finance.employees": "nhiều", "add_ons.monitoring.visits": ""}  # fmt: skip
    answer = staff.do("/new", nonce=nonce(staff), act="open", **{**ENTRIES, **wrong})
    assert answer.status_code == 422
    page = answer.text
    summary = page[page.index('id="problems"') : page.index("</ul>")]
    assert "autofocus" in page[page.index('role="alert"') : page.index('id="problems"')]
    assert "còn 5 mục cần sửa" in summary
    for path in wrong:
        key = path.replace(".", "-")
        assert f'href="#{key}"' in summary
        control = re.search(rf'<[^>]*id="{key}"[^>]*>', page)
        assert control and 'aria-invalid="true"' in control[0] and f"{key}-problem" in control[0]
        assert f'id="{key}-problem"' in page
    assert "chữ số kiểm tra không khớp" in page
    assert 'value="khong-phai"' in page
    assert engagements(staff) == []


def test_a_client_who_is_known_is_shown_and_opened_again_only_on_purpose(staff: Staff) -> None:
    known = staff.firm.open().engagement
    again = {**ENTRIES, "need.purpose": "Gọi vốn nhà đầu tư"}
    mine = nonce(staff)
    warned = staff.do("/new", nonce=mine, act="open", **again)
    assert warned.status_code == 422
    assert f"/e/{known}" in warned.text
    assert len(engagements(staff)) == 1
    assert staff.do("/new", nonce=mine, act="open", accepted=known, **again).status_code == 303
    assert len(engagements(staff)) == 2
    third = staff.do("/new", nonce=nonce(staff), act="open", accepted=known, **{**again, "referrer": "Website"})
    assert third.status_code == 422, "an engagement that was not shown is shown first"


def test_the_very_same_form_is_not_opened_beside_its_twin(staff: Staff) -> None:
    known = staff.firm.open().engagement
    answer = staff.do("/new", nonce=nonce(staff), act="open", accepted=known, **ENTRIES)
    assert answer.status_code == 422
    assert f"/e/{known}" in answer.text
    assert len(engagements(staff)) == 1


def test_a_draft_is_kept_unchecked_gone_on_with_and_emptied_when_it_is_registered(staff: Staff) -> None:
    mine = nonce(staff)
    half = {"client.name": "Công ty <b>Bánh</b>", "client.contact.email": "khong-phai"}
    assert staff.do("/new", nonce=mine, act="save", **half).headers["location"] == "/new?done=saved"
    page = staff.see("/new")
    assert "Công ty &lt;b&gt;Bánh&lt;/b&gt;" in page
    [link] = set(re.findall(r"/new\?draft=\d+", page))
    assert 'value="khong-phai"' in staff.see(link)
    assert staff.do("/new", nonce=mine, act="open", **ENTRIES).status_code == 303
    with staff.firm.office().sessions() as session:
        draft = session.scalars(select(Draft)).one()
        assert (draft.entries, draft.engagement_id) == ({}, engagements(staff)[0].id)
    assert "draft=" not in staff.see("/new")
    saved_late = staff.do("/new", nonce=mine, act="save", **half)
    assert saved_late.headers["location"].startswith("/e/")


def seen_of(page: str) -> str:
    return re.findall(r'name="seen" value="([^"]+)"', page)[0]


@pytest.mark.parametrize("act", ["save", "open"])
def test_of_two_who_go_on_with_one_draft_the_second_is_shown_what_the_first_saved(staff: Staff, act: str) -> None:
    mine = nonce(staff)
    staff.do("/new", nonce=mine, act="save", **ENTRIES)
    [link] = set(re.findall(r"/new\?draft=\d+", staff.see("/new")))
    both_saw = seen_of(staff.see(link))
    staff.login.name = "mai-anh"
    staff.do("/new", nonce=mine, seen=both_saw, act="save", **{**ENTRIES, "client.sector": "Xuất khẩu <i>chè</i>"})
    staff.login.name = "thu-ha"
    typed = {**ENTRIES, "referrer": "Người quen"}
    told = staff.do("/new", nonce=mine, seen=both_saw, act=act, **typed)
    assert told.status_code == 409
    assert "mai-anh" in told.text
    assert "Xuất khẩu &lt;i&gt;chè&lt;/i&gt;" in told.text
    assert 'value="Người quen"' in told.text
    with staff.firm.office().sessions() as session:
        assert session.scalars(select(Draft)).one().entries["client.sector"] == "Xuất khẩu <i>chè</i>"
    assert staff.do("/new", nonce=mine, seen=seen_of(told.text), act=act, **typed).status_code == 303


def test_who_comes_back_to_what_they_saved_themselves_is_not_asked(staff: Staff) -> None:
    mine, empty = nonce(staff), seen_of(staff.see("/new"))
    for sector in ("Chè", "Chè xanh"):
        sent = {**ENTRIES, "client.sector": sector}
        assert staff.do("/new", nonce=mine, seen=empty, act="save", **sent).status_code == 303


def test_a_draft_is_deleted_but_never_what_is_registered(staff: Staff) -> None:
    staff.do("/new", nonce="eins", act="save", **ENTRIES)
    staff.do("/new", nonce="zwei", act="open", **ENTRIES)
    with staff.firm.office().sessions() as session:
        ids = session.scalars(select(Draft.id)).all()
    for each in ids:
        assert staff.do(f"/drafts/{each}/delete").status_code == 303
    with staff.firm.office().sessions() as session:
        assert session.scalar(select(func.count()).select_from(Draft)) == 1
        assert session.scalars(select(Draft.nonce)).one() == "zwei"


def test_a_viewer_is_offered_no_form(staff: Staff) -> None:
    staff.login.role = "viewer"
    staff.see("/new", 403)
    assert "/new" not in staff.see("/")


def test_a_form_larger_than_any_sheet_is_refused_unread(staff: Staff) -> None:
    assert staff.do("/new", nonce="x", act="save", referrer="x" * (13 << 20)).status_code == 413


def test_every_field_of_the_form_is_asked_with_its_label(staff: Staff) -> None:
    assert set(QUESTIONS) == set(form.ENTRIES)
    page = staff.see("/new", **{"Accept-Language": "en"})
    for path, question in QUESTIONS.items():
        assert f'id="{path.replace(".", "-")}"' in page
        assert question.label.en in unescape(page)

"""The calendar's pages: everybody reads, administrators change, nothing is saved before it was shown."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from include.casework import working_days
from include.register.models import CalendarEdition, Request
from tests.plugins.conftest import Staff

CHANGE = "2026-12-04|off|Nghỉ của công ty"


@pytest.fixture
def admin(staff: Staff) -> Staff:
    staff.login.role = "admin"
    staff.firm.open().ask("information")
    return staff


def editions(staff: Staff) -> list[CalendarEdition]:
    with staff.firm.office().sessions() as session:
        return list(session.scalars(select(CalendarEdition).order_by(CalendarEdition.version)))


@pytest.mark.parametrize("role", ["viewer", "user"])
@pytest.mark.parametrize("path", ["/calendar/preview", "/calendar/save", "/calendar/years"])
def test_only_an_administrator_changes_the_calendar(staff: Staff, role: str, path: str) -> None:
    token = staff.token()
    staff.login.role = role
    assert staff.do(path, token=token, base="0", change=CHANGE, year="2027", confirmed="yes").status_code == 403
    assert editions(staff) == []
    page = staff.see("/calendar")
    assert "<form" not in page
    assert "Chỉ quản trị viên Airflow sửa được lịch" in page


def test_a_year_is_shown_with_its_days_where_they_come_from_and_whether_it_is_a_projection(staff: Staff) -> None:
    page = staff.see("/calendar?year=2026")
    for told in ("02/09/2026", "22/08/2026", "Làm bù", "tệp calendar.yaml", "luật (thư viện holidays)"):
        assert told in page
    assert "Lịch dự kiến" not in page
    assert "Lịch dự kiến" in staff.see("/calendar?year=2028")
    assert "Projection" in staff.see("/calendar?year=2028", **{"Accept-Language": "en"})
    staff.see("/calendar?year=1")
    staff.see("/calendar?year=tet", 404)


def test_a_change_is_shown_with_what_it_moves_then_saved_once(admin: Staff) -> None:
    shown = admin.do("/calendar/preview", base="0", first="2026-12-04", kind="off", occasion="Nghỉ của công ty").text
    assert f'value="{CHANGE}"' in shown
    assert admin.firm.engagement in shown
    assert '<td class="day">09/12/2026</td><td class="day"><strong>10/12/2026</strong></td>' in shown
    assert editions(admin) == []
    for _ in range(2):
        answer = admin.do("/calendar/save", base="0", change=CHANGE, note="Thông báo số 12")
        assert answer.headers["location"] == "/calendar/editions/1?done=saved"
    page = admin.see("/calendar/editions/1?done=saved")
    for told in ("thu-ha", "Thông báo số 12", admin.firm.engagement, "10/12/2026", "Mọi hồ sơ từ nay theo lịch này"):
        assert told in page
    assert "Nghỉ của công ty" in admin.see("/calendar?year=2026")
    assert admin.firm.engagement in admin.see(f"/e/{admin.firm.engagement}")


def test_whoever_saves_second_is_told_who_was_first(admin: Staff) -> None:
    assert admin.do("/calendar/save", base="0", change=CHANGE).status_code == 303
    second = admin.do("/calendar/save", base="0", change="2026-12-07|off|Khác")
    assert second.status_code == 409
    assert "thu-ha đã lưu lịch bản 1" in second.text
    assert len(editions(admin)) == 1


def test_a_range_of_days_off_takes_weekdays_and_one_can_be_left_out_again(admin: Staff) -> None:
    shown = admin.do("/calendar/preview", base="0", first="2026-12-04", last="2026-12-07", kind="off", occasion="Nghỉ")
    assert 'value="2026-12-04|off|Nghỉ"' in shown.text
    assert 'value="2026-12-07|off|Nghỉ"' in shown.text
    assert "2026-12-05|off" not in shown.text
    token = admin.token()
    left = admin.http.post("/calendar/preview", data={
        "form_token": token, "base": "0", "change": ["2026-12-04|off|Nghỉ", "2026-12-07|off|Nghỉ"],
        "forget": "2026-12-04|off|Nghỉ",
    })  # fmt: skip
    assert "2026-12-04|off" not in left.text
    assert "2026-12-07|off" in left.text


@pytest.mark.parametrize(
    "entered",
    [{"first": "hôm nay", "kind": "off", "occasion": "x"}, {"first": "2026-12-04", "kind": "off", "occasion": ""},
     {"first": "2026-12-04", "last": "2026-12-01", "kind": "off", "occasion": "x"},
     {"first": "2026-12-04", "kind": "maybe", "occasion": "x"}, {"first": "2099-12-04", "kind": "ordinary"}],
)  # fmt: skip
def test_what_is_entered_wrong_is_said_on_the_page_and_not_taken(admin: Staff, entered: dict[str, str]) -> None:
    shown = admin.do("/calendar/preview", base="0", **entered)
    assert 'role="alert"' in shown.text
    assert 'name="change"' not in shown.text


@pytest.mark.parametrize("change", ["2026-12-04", "x|off|y", "2026-12-04|off|", "2026-12-04|maybe|y"])
def test_a_form_that_no_page_made_saves_nothing(admin: Staff, change: str) -> None:
    assert admin.do("/calendar/save", base="0", change=change).status_code == 409
    assert editions(admin) == []


def test_an_occasion_is_text_wherever_it_stands(admin: Staff) -> None:
    occasion = '<script>alert(1)</script> "a|b"'
    shown = admin.do("/calendar/preview", base="0", first="2026-12-04", kind="off", occasion=occasion).text
    assert "<script>alert" not in shown
    admin.do("/calendar/save", base="0", change=f"2026-12-04|off|{occasion}")
    assert editions(admin)[0].days[0]["occasion"] == occasion
    assert "<script>alert" not in admin.see("/calendar?year=2026")


def test_a_year_is_confirmed_by_an_administrator(admin: Staff) -> None:
    assert admin.do("/calendar/years", base="0", year="2028", confirmed="yes").status_code == 303
    assert "Lịch dự kiến" not in admin.see("/calendar?year=2028")
    assert admin.do("/calendar/years", base="1", year="tet", confirmed="yes").status_code == 404
    assert admin.do("/calendar/years", base="1", year="2028", confirmed="no").status_code == 303
    assert "Lịch dự kiến" in admin.see("/calendar?year=2028")


def test_due_dates_that_do_not_follow_the_calendar_are_shown_and_put_right(admin: Staff) -> None:
    admin.do("/calendar/save", base="0", change=CHANGE)
    with admin.firm.office().sessions.begin() as session:
        request = session.scalars(select(Request).where(Request.kind == "information")).one()
        before, request.due = request.due, working_days.working_calendar().subtract(request.due, 1)
    assert "hạn chưa theo lịch hiện hành" in admin.see("/calendar")
    assert admin.do("/calendar/save", base="1").status_code == 303
    assert "hạn chưa theo lịch hiện hành" not in admin.see("/calendar")
    with admin.firm.office().sessions() as session:
        assert session.scalars(select(Request).where(Request.kind == "information")).one().due == before

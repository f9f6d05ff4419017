"""Invitations, read back by the calendar library and by hand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from icalendar import Calendar

from include.mail.invitation import invitation

STAMP = datetime(2026, 12, 1, 2, 0, tzinfo=timezone.utc)


def invite(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "uid": "KHV-2026-0042-first_meeting@kehoachviet.example",
        "summary": "Gặp mặt lần đầu; giao lưu, làm quen",
        "description": "Dòng một\nDòng hai",
        "start": datetime(2026, 12, 3, 2, 0, tzinfo=timezone.utc),
        "minutes": 60,
        "place": "18 Lý Thường Kiệt, Hà Nội",
        "organizer": ("thuha@kehoachviet.example", "Nguyễn Thu Hà"),
        "attendee": ("ketoan@banmesom.example", 'Trần "Đức"; Hữu'),
        "stamp": STAMP,
    }
    return invitation(**{**fields, **changes})  # type: ignore[arg-type]


def test_an_invitation_says_when_where_and_who() -> None:
    calendar = Calendar.from_ical(invite())
    assert calendar["METHOD"] == "REQUEST"
    event = calendar.walk("VEVENT")[0]
    assert event["DTSTART"].dt.isoformat() == "2026-12-03T09:00:00+07:00"
    assert event["DTEND"].dt - event["DTSTART"].dt == timedelta(hours=1)
    assert event["SUMMARY"] == "Gặp mặt lần đầu; giao lưu, làm quen"
    assert event["DESCRIPTION"] == "Dòng một\nDòng hai"
    assert event["LOCATION"] == "18 Lý Thường Kiệt, Hà Nội"
    assert event["ORGANIZER"] == "mailto:thuha@kehoachviet.example"
    assert event["ATTENDEE"] == "mailto:ketoan@banmesom.example"
    assert event["ATTENDEE"].params["RSVP"] == "TRUE"


def test_the_zone_of_viet_nam_is_in_it() -> None:
    data = invite()
    zones = Calendar.from_ical(data).walk("VTIMEZONE")
    assert [zone["TZID"] for zone in zones] == ["Asia/Ho_Chi_Minh"]
    assert b"DTSTART;TZID=Asia/Ho_Chi_Minh:20261203T090000" in data
    assert b"TZOFFSETTO:+0700" in data


def test_lines_end_and_fold_as_the_format_wants() -> None:
    data = invite(description="ế" * 400)
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert max(len(line) for line in data.split(b"\r\n")) <= 75


def test_a_line_break_cannot_add_a_property() -> None:
    data = invite(summary="x\r\nATTENDEE:mailto:evil@x.vn", place="y\nEND:VEVENT", attendee=("a@b.vn", "n\r\nX-EVIL:1"))
    names = [line.partition(b":")[0].partition(b";")[0] for line in data.split(b"\r\n")]
    assert names.count(b"ATTENDEE") == 1
    assert names.count(b"END") == 4
    assert b"X-EVIL" not in names


def test_a_moved_meeting_has_a_later_sequence() -> None:
    def sequence(stamp: datetime) -> int:
        return int(Calendar.from_ical(invite(stamp=stamp)).walk("VEVENT")[0]["SEQUENCE"])

    assert sequence(STAMP + timedelta(hours=1)) > sequence(STAMP)
    assert invite() == invite()


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        invite(start=datetime(2026, 12, 3, 9, 0))  # noqa: DTZ001 - this is what must be refused

"""A meeting as an iCalendar invitation (RFC 5545, RFC 5546)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

ZONE_NAME = "Asia/Ho_Chi_Minh"


def invitation(
    *,
    uid: str,
    summary: str,
    description: str,
    start: datetime,
    minutes: int,
    place: str,
    organizer: tuple[str, str],
    attendee: tuple[str, str],
    stamp: datetime,
) -> bytes:
    """Return a METHOD:REQUEST calendar with one meeting of ``minutes`` minutes, in the zone of Viet Nam.

    ``start`` and ``stamp`` carry their zones; ``organizer`` and ``attendee`` are (email, name). The same ``uid``
    again, with a later ``stamp``, moves the meeting instead of adding one.
    """
    from icalendar import Calendar, Event, Timezone, vCalAddress, vText

    if start.tzinfo is None or stamp.tzinfo is None:
        raise ValueError("Start and stamp of a meeting need a zone.")
    begins = start.astimezone(ZoneInfo(ZONE_NAME))

    def person(email: str, name: str) -> Any:
        address = vCalAddress(f"mailto:{email}")
        address.params["CN"] = vText(name)
        return address

    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", stamp)
    event.add("sequence", int(stamp.timestamp()) // 60 % 2**31)
    event.add("dtstart", begins)
    event.add("dtend", begins + timedelta(minutes=minutes))
    event.add("summary", summary)
    event.add("description", description)
    event.add("location", place)
    event.add("status", "CONFIRMED")
    event["organizer"] = person(*organizer)
    guest = person(*attendee)
    guest.params["ROLE"] = vText("REQ-PARTICIPANT")
    guest.params["PARTSTAT"] = vText("NEEDS-ACTION")
    guest.params["RSVP"] = vText("TRUE")
    event.add("attendee", guest, encode=False)

    calendar = Calendar()
    calendar.add("prodid", "-//Engagement pipeline//Meetings//VI")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "REQUEST")
    calendar.add_component(Timezone.from_tzid(ZONE_NAME, first_date=date(2020, 1, 1), last_date=date(2040, 1, 1)))
    calendar.add_component(event)
    return bytes(calendar.to_ical())

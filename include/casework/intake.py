"""Stage 1, intake: record the engagement, welcome the client, ask for what the form left empty.

Rule of the stage: no price and no promise of any kind.
"""

from __future__ import annotations

from datetime import datetime, time

from include import clock
from include.casework.correspondence import meeting_invitation, post
from include.casework.facts import in_language
from include.casework.office import Case
from include.casework.signing import Answer
from include.engagement import process
from include.engagement.errors import InvalidSignOff
from include.engagement.form import missing_items
from include.register.models import Request

MEETING_HOUR = time(9, 0)


def open_engagement(case: Case) -> None:
    """Open the stage: intake record and interview guide for staff, welcome mail to the client."""
    if case.engagement.status == "registered":
        case.engagement.status = "open"
    case.event("opened", flow=process.FLOW)
    case.open_stage("intake")
    missing = still_missing(case)
    case.document("intake_record", "opening", missing=missing)
    case.document("interview_guide", "opening", missing=missing)
    post(case, "welcome", "welcome")


def still_missing(case: Case) -> list[str]:
    """Return what the form leaves empty, by the names that staff read."""
    return [item.label.vi for item in missing_items(case.form)]


def ask(case: Case, number: int) -> Request | None:
    """Ask for what the form left empty, item by item; None when it left nothing."""
    items = missing_items(case.form)
    request = case.request("intake", number) or (case.ask("intake", number, items=items) if items else None)
    if request is None:
        return None
    labels = {item.key: item for item in items}
    post(
        case, "intake_details", "intake_details", request=request,
        items=[{"label": labels[row.key].label.in_(case.language), "unit": labels[row.key].unit,
                "required": row.required} for row in case.items(request) if row.key in labels],
    )  # fmt: skip
    return request


def answered(case: Case, request: Request) -> str:
    """Write the intake record anew with what the client added."""
    case.document("intake_record", f"answered/{request.key}", missing=still_missing(case))
    return "complete"


def decide_meeting(case: Case, answer: Answer) -> str:
    """Invite the client to the first meeting, a social one, when staff say so."""
    if answer.decision != "yes":
        return "no"
    at = meeting_time(case, str(answer.form.get("meeting_at") or ""))
    place = str(answer.form.get("place") or in_language(case.firm["address"], case.language))
    summary = "Gặp mặt lần đầu" if case.language == "vi" else "First meeting"
    post(
        case, "meeting_invitation", "first_meeting", meeting={"at": at, "place": place},
        calendar=meeting_invitation(case, "first_meeting", summary=summary, at=at, place=place),
    )  # fmt: skip
    return "yes"


def check_meeting(case: Case, answer: Answer) -> None:
    """Raise InvalidSignOff when the time given cannot be read."""
    meeting_time(case, str(answer.form.get("meeting_at") or ""))


def meeting_time(case: Case, text: str) -> datetime:
    """Return the instant that staff gave, else nine o'clock on the next working day."""
    if not text.strip():
        return datetime.combine(case.calendar.next(case.today), MEETING_HOUR, clock.ZONE)
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d %H:%M").replace(tzinfo=clock.ZONE)
    except ValueError:
        raise InvalidSignOff(f"Ngày giờ “{text}” không đọc được; hãy ghi như 2026-12-03 09:00.") from None

"""Stage 6, handover: hand over the plan with all that is needed to carry it out, hear the client, settle up."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from include import clock
from include.casework.appraisal import appraisal_facts, last_round
from include.casework.correspondence import meeting_invitation, post
from include.casework.delivery import current_deliverables, deliverables
from include.casework.facts import in_language
from include.casework.office import Case
from include.casework.payments import request_payments
from include.casework.receiving import take_loose_files
from include.casework.signing import Answer
from include.engagement import process
from include.engagement.dates import long_date
from include.engagement.errors import RuleBroken
from include.engagement.process import Language
from include.register.models import Request

DOCUMENTS = ("handover_plan", "deliverables_list", "handover_minutes")


def ask(case: Case, number: int) -> Request:
    """Hand the deliverables over and await the client's acceptance. Raises RuleBroken before a passed appraisal."""
    if not appraisal_passed(case):
        raise RuleBroken("Hội đồng chưa đánh giá đạt: không được bàn giao cho khách.")
    if number == 1:
        case.open_stage("handover")
    request = case.ask("handover", number)
    at = datetime.combine(case.calendar.next(request.asked), time(9, 0), clock.ZONE)
    place = str(in_language(case.firm["address"], case.language))
    facts: dict[str, Any] = {
        "changes": wanted_changes(case, number - 1),
        "meeting": {"at": meeting_text(at, case.language), "place": place} if number == 1 else None,
        "due": request.due,
    }
    guide = case.document("implementation_guide", request.key, **facts,
                          deliverables=deliverables(case, case.language))  # fmt: skip
    facts["deliverables"] = deliverables(case, case.language, guide=guide)
    made = [guide, *(case.document(key, request.key, **facts) for key in DOCUMENTS)]
    summary = "Bàn giao dịch vụ" if case.language == "vi" else "Handover meeting"
    calendar = None
    if number == 1:
        calendar = meeting_invitation(case, "handover", summary=summary, at=at, place=place)
    files = [document for _, document in current_deliverables(case)]
    post(
        case, "handover", request.key, request=request, documents=(*made, *files), round=number,
        changes=facts["changes"], meeting={"at": at, "place": place} if number == 1 else None, calendar=calendar,
    )  # fmt: skip
    if case.happened(f"handed_over/{number}") is None:
        case.engagement.delivered = case.today
        case.event("handed_over", key=f"handed_over/{number}", round=number)
        case.session.commit()
    return request


def meeting_text(at: datetime, language: Language) -> str:
    """Return the time of a meeting as documents write it."""
    if language == "en":
        return f"{at:%H:%M}, {long_date(at.date(), 'en')}"
    return f"{at:%H} giờ {at:%M}, {long_date(at.date(), 'vi')}"


def appraisal_passed(case: Case) -> bool:
    """Say whether the council passed the deliverables in its last round."""
    rounds = range(process.APPRAISAL_ROUNDS + process.GRANTED_ROUNDS, 0, -1)
    last = next((event for number in rounds if (event := case.happened(f"verdict/{number}")) is not None), None)
    return last is not None and bool(last.facts["passed"])


def handover_replies(number: int) -> tuple[str, ...]:
    """Return what a client may answer; after two rounds of changes only acceptance is left."""
    return ("accept", "changes") if number < process.HANDOVER_ROUNDS else ("accept",)


def answered(case: Case, request: Request) -> str:
    """Follow the client's word."""
    outcome = str((request.reply or {})["reply"])
    case.event(f"handover_{outcome}", key=f"handover_{outcome}/{request.round}", round=request.round)
    case.session.commit()
    if outcome == "accept":
        request_payments(case, "handover")
    return outcome


def wanted_changes(case: Case, number: int) -> list[str]:
    """Return the changes that the client asked for in a round."""
    request = case.request("handover", number) if number > 0 else None
    return [str(item) for item in (request.reply or {}).get("items", [])] if request else []


def assign_changes(case: Case, number: int) -> None:
    """Tell the department what the client wants changed."""
    post(case, "handover_changes", f"handover_changes/{number}", changes=wanted_changes(case, number), round=number)


def changes_made(case: Case, answer: Answer) -> str:
    """Take the department's revised files, if it put any into ``inbox/<engagement>/handover_changes/``."""
    take_loose_files(case, "handover_changes", stage="delivery")
    return "done"


def conclude(case: Case, number: int) -> None:
    """Write acceptance and liquidation minutes, send them, and close the engagement as completed."""
    facts = {
        "deliverables": deliverables(case, case.language, guide=case.latest("implementation_guide")),
        "changes": [change for round_ in range(1, process.HANDOVER_ROUNDS) for change in wanted_changes(case, round_)],
        "appraisal": appraisal_facts(case, last_round(case), case.language),
    }
    made = [case.document(key, "conclusion", **facts) for key in ("acceptance_minutes", "liquidation_minutes")]
    post(case, "completion", "completion", documents=made)
    request_payments(case, "acceptance")
    case.close_stage("handover")
    case.close("completed")

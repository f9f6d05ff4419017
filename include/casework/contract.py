"""Stage 3, contract: decide whether to take the engagement, agree on a quote, sign.

Rules of the stage: no price and no promise before the decision; the signed timetable always contains reserve time.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select

from include.casework.correspondence import post
from include.casework.facts import terms_facts
from include.casework.office import Case
from include.casework.payments import request_payments
from include.casework.signing import Answer, answer_of, sign_off
from include.engagement import process
from include.engagement.errors import InvalidSignOff, RuleBroken
from include.engagement.process import Text
from include.engagement.terms import Terms, make_terms
from include.engagement.timetable import promised_date, timetable
from include.register.models import Event, Request

# --- the decision ---------------------------------------------------------------------------------------


def prepare_decision(case: Case, number: int) -> None:
    """Close the information stage and write the memo for the decision meeting."""
    case.close_stage("information")
    case.open_stage("contract")
    case.document("decision_memo", "decision")


def decide(case: Case, answer: Answer) -> str:
    """Take the engagement on, or not. From here on prices and dates may be named."""
    if answer.decision == "accept":
        case.event("taken_on")
    return answer.decision


def decline(case: Case, number: int) -> None:
    """Tell the client that the firm does not take the engagement on, and close it."""
    decision = sign_off(case, "decision", 1)
    assert decision is not None
    reason = str((decision.form or {}).get("reason") or "")
    letter = case.document("decline_letter", "decline", reasons=[{"item": "", "reason": reason}] if reason else [])
    post(case, "decline", "decline", documents=(letter,), reason=reason)
    case.close("declined_by_firm")


# --- quotes ---------------------------------------------------------------------------------------------


def quoted(case: Case, number: int) -> Terms | None:
    """Return the terms of the quote of a round; None while it is not drawn up."""
    row = sign_off(case, "quote", number)
    if row is None or row.decision is None:
        return None
    previous = quoted(case, number - 1) if number > 1 else None
    return make_terms(answer_of(row).form, previous)


def check_quote(case: Case, answer: Answer) -> None:
    """Raise InvalidSignOff when the terms do not hold: a price, instalments that add up, reserve time."""
    make_terms(answer.form, quoted(case, answer.round - 1) if answer.round > 1 else None)


def draw_up_quote(case: Case, answer: Answer) -> str:
    """The terms are kept with the sign-off; the next task sends them."""
    case.forbid_before_decision()
    return "send"


def ask_about_quote(case: Case, number: int) -> Request:
    """Send a version of quote and timetable and await the client's word on it."""
    case.forbid_before_decision()
    terms = quoted(case, number)
    if terms is None:
        raise RuleBroken(f"Báo giá lần {number} chưa được lập.")
    request = case.ask("quote", number)
    facts: dict[str, Any] = {
        "terms": terms, "terms_version": number, "due": request.due,
        "timetable": [
            {"stage": row.stage, "title": row.title.in_(case.language), "days": row.days, "start": row.start,
             "end": row.end, "reserve": row.reserve}
            for row in timetable(case.today, terms.reserve_days, case.calendar)
        ],
    }  # fmt: skip
    before = case.request("quote", number - 1) if number > 1 else None
    facts["message"] = str((before.reply or {}).get("message", "")) if before else ""
    documents = [case.document("quote", request.key, **facts), case.document("timetable", request.key, **facts)]
    if number == 1:
        documents.append(case.document("working_process", request.key, **facts))
    post(
        case, "quote", request.key, request=request, documents=documents, round=number,
        terms={**terms_facts(terms, version=number, language=case.language),
               "last": number == process.QUOTE_ROUNDS},
    )  # fmt: skip
    return request


def quote_replies(number: int) -> tuple[str, ...]:
    """Return what a client may answer; the last version is not negotiated any more."""
    return ("accept", "negotiate", "decline") if number < process.QUOTE_ROUNDS else ("accept", "decline")


def quote_answered(case: Case, request: Request) -> str:
    """Follow the client's word: agreed terms are fixed."""
    outcome = str((request.reply or {})["reply"])
    if outcome == "accept":
        terms = quoted(case, request.round)
        assert terms is not None
        case.engagement.terms = {**terms.to_json(), "version": request.round}
    case.event(f"quote_{outcome}", key=f"quote_{outcome}/{request.round}", round=request.round)
    case.session.commit()
    return outcome


def part(case: Case, number: int) -> None:
    """The client declined the quote: thank them and close."""
    post(case, "client_declined", "client_declined")
    case.close("declined_by_client")


# --- signature ------------------------------------------------------------------------------------------


def ask_for_signature(case: Case, number: int) -> Request:
    """Send contract and appendix for signature; again when staff found the signed copy wanting."""
    terms = case.engagement.terms
    if terms is None or Terms.from_json(terms).reserve_days < 1:
        raise RuleBroken("Hợp đồng phải có thời gian dự trù (giai đoạn 3): báo giá chưa có ngày dự trù.")
    items = process.REQUESTS["contract"].items
    reason = ""
    if number > 1:
        check = sign_off(case, "contract_check", number - 1)
        assert check is not None
        reason = str((check.form or {}).get("reason") or "")
    request = case.ask("contract", number, items=items, reasons={items[0].key: reason} if reason else None)
    documents = (case.document("contract", "signature"), case.document("contract_appendix", "signature"))
    post(case, "contract", request.key, request=request, documents=documents, reason=reason, round=number)
    return request


def signature_received(case: Case, request: Request) -> str:
    """Nothing more to do: staff check the signed copy."""
    return "received"


def check_signature_round(case: Case, answer: Answer) -> None:
    """Raise InvalidSignOff when a signed copy would be asked for once too often."""
    if answer.decision == "ask_again" and answer.round >= process.SIGNATURE_ROUNDS:
        raise InvalidSignOff(
            "Đã yêu cầu ký lại; hãy liên hệ trực tiếp với khách, nhận bản ký đúng rồi chọn “Hợp lệ”."
        )


def follow_signature(case: Case, answer: Answer) -> str:
    """A valid copy puts the contract into force today and fixes the promised date and the reserve."""
    if answer.decision != "accept":
        return answer.decision
    terms = Terms.from_json(case.engagement.terms or {})
    if case.engagement.signed is None:
        case.engagement.signed = case.today
        case.engagement.promised = promised_date(case.today, terms.reserve_days, case.calendar)
        case.book_reserve("contracted", 1, terms.reserve_days, "hợp đồng")
        case.event("signed", promised=case.engagement.promised.isoformat(), reserve_days=terms.reserve_days)
        case.session.commit()
    case.close_stage("contract")
    post(case, "contract_signed", "contract_signed")
    request_payments(case, "signature")
    return "accept"


def notify_of_extension(case: Case) -> None:
    """Send an extension appendix for every time the promised date moved because the client was late."""
    moves = case.session.scalars(
        select(Event).where(Event.engagement_id == case.id, Event.kind == "promised_date_moved").order_by(Event.id)
    )
    for move in moves:
        facts: dict[str, Any] = {
            "promised_before": date.fromisoformat(move.facts["before"]),
            "promised": date.fromisoformat(move.facts["after"]),
            "lost_days": int(move.facts["days"]),
        }
        days = move.facts["days"]
        late = Text(f"chờ Bên A trả lời quá hạn {days} ngày làm việc",
                    f"{days} working day(s) waited for Party A beyond the due date")  # fmt: skip
        reason = {"item": process.STAGES[move.facts["stage"]].title.in_(case.language),
                  "reason": late.in_(case.language)}  # fmt: skip
        # The timetable of the contract ends on the date that this appendix replaces.
        appendix = case.document("extension_appendix", move.key, **facts, reasons=[reason], timetable=[])
        post(case, "extension", move.key, documents=(appendix,), **facts)


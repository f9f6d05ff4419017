"""Stage 5, appraisal: the council scores, the verdict follows from the scores.

Rule of the stage: a fail goes back to delivery and is paid from the reserve, so that the promised date holds.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from include.casework.correspondence import post
from include.casework.facts import in_language, number_text
from include.casework.office import Case
from include.casework.payments import request_payments
from include.casework.signing import Answer, sign_off
from include.engagement import process
from include.engagement.appraisal import Scorecard, Verdict, after_verdict, tally, vietnamese
from include.engagement.errors import InvalidSignOff
from include.engagement.process import Language
from include.engagement.reserve import round_cost

LAST_ROUND = process.APPRAISAL_ROUNDS + process.GRANTED_ROUNDS


def scorecards(case: Case, number: int) -> list[Scorecard]:
    """Return the scorecards of a round that were handed in, absences among them."""
    cards = []
    for member in process.COUNCIL:
        row = sign_off(case, "scorecard", number, member.key)
        if row is None or row.decision is None:
            continue
        form = row.form or {}
        present = row.decision == "submit"
        points = {c.key: Decimal(str(form[c.key])) for c in process.CRITERIA} if present else {}
        cards.append(Scorecard(member.key, present, points, str(form.get("comment") or "")))
    return cards


def check_card(case: Case, answer: Answer) -> None:
    """Raise InvalidSignOff when an absence would leave the council without a quorum."""
    if answer.decision != "absent":
        return
    absent = {card.member for card in scorecards(case, answer.round) if not card.present} | {answer.who}
    if len(process.COUNCIL) - len(absent) < process.QUORUM:
        raise InvalidSignOff(
            f"Hội đồng cần ít nhất {process.QUORUM} thành viên; đã có {len(absent) - 1} người vắng mặt. "
            "Hãy mời thành viên này nộp phiếu, hoặc dời phiên họp."
        )


def hand_in(case: Case, answer: Answer) -> str:
    """A scorecard stands in the register; the verdict is drawn when all are in."""
    return answer.decision


def verdict(case: Case, number: int) -> Verdict:
    """Return what the scorecards of a round amount to."""
    return tally(scorecards(case, number))


def conclude(case: Case, number: int) -> str | None:
    """Draw the verdict, pay a rework round from the reserve, report; None when the director must decide."""
    drawn = verdict(case, number)
    if case.happened(f"verdict/{number}") is None:
        if number > 1:
            _pay_round(case, number)
        left = case.reserve()["left"]
        course = after_verdict(drawn, round=number, reserve_left=left)
        case.event("verdict", key=f"verdict/{number}", round=number, mean=str(drawn.mean), passed=drawn.passed,
                   course=course, reserve_left=left)  # fmt: skip
        case.session.commit()
    noted = case.happened(f"verdict/{number}")
    assert noted is not None
    from include.casework.delivery import deliverables  # it assigns rework from this stage's verdict

    case.document("review_report", f"verdict/{number}", appraisal=appraisal_facts(case, number, "vi"),
                  deliverables=deliverables(case, "vi"))  # fmt: skip
    case.close_stage("appraisal", number)
    course = noted.facts["course"]
    if course == "pass":
        request_payments(case, "passed")
    return None if course == "director" else str(course)


def _pay_round(case: Case, number: int) -> None:
    started = case.period("delivery", number).opened
    days = case.calendar.between(started, case.today)
    cost = round_cost(days_taken=days, left=case.reserve()["left"])
    case.book_reserve("spent", number, cost, f"vòng {number}: làm lại {days} ngày")


def check_grant(case: Case, answer: Answer) -> None:
    """Raise InvalidSignOff when days are granted for a round that the run is not laid out for."""
    if answer.decision == "grant_days" and answer.round >= LAST_ROUND:
        raise InvalidSignOff(f"Đã thẩm định {LAST_ROUND} vòng; chỉ còn có thể chấm dứt hợp đồng.")


def follow_director(case: Case, answer: Answer) -> str:
    """Grant days for another round and tell the client of the new expected date, or terminate."""
    if answer.decision != "grant_days":
        return "terminate"
    days = int(answer.form["days"])
    case.book_reserve("granted", answer.round, days, str(answer.form.get("reason") or ""))
    case.event("days_granted", key=f"days_granted/{answer.round}", round=answer.round, days=days)
    case.session.commit()
    tail = sum(process.STAGES[key].days or 0 for key in ("appraisal", "handover"))
    expected = case.calendar.add(case.today, case.reserve()["left"] + tail)
    if case.engagement.promised is not None and expected > case.engagement.promised:
        post(case, "schedule_notice", f"days_granted/{answer.round}", due=expected,
             promised_before=case.engagement.promised)  # fmt: skip
    return "rework"


def terminate(case: Case, number: int) -> None:
    """End the contract with a letter to the client."""
    rows = (sign_off(case, "reserve_exhausted", number) for number in range(LAST_ROUND, 0, -1))
    row = next((row for row in rows if row is not None), None)
    reason = str((row.form or {}).get("reason") or "") if row else ""
    letter = case.document("termination_letter", "termination",
                           reasons=[{"item": "", "reason": reason}] if reason else [])  # fmt: skip
    post(case, "termination", "termination", documents=(letter,), reason=reason)
    case.close("terminated")


def appraisal_facts(case: Case, number: int, language: Language) -> dict[str, Any]:
    """Return a round's appraisal as documents show it; before any scorecard, what the council goes by.

    ``reasons`` are those of the round, and while it is not decided those of the round before.
    """
    drawn = verdict(case, number)
    reasons = list(drawn.reasons)
    if not drawn.quorate and number > 1:
        reasons = list(verdict(case, number - 1).reasons)
    cards = {card.member: card for card in scorecards(case, number)}
    staff = in_language(case.firm["staff"]["council"], language)
    return {
        "round": number,
        "pass_mark": process.PASS_MARK,
        "points": process.COUNCIL_POINTS,
        "quorum": process.QUORUM,
        "criteria": [{"key": c.key, "title": c.title.in_(language), "weight": c.weight} for c in process.CRITERIA],
        "members": [
            {
                "title": member.title.in_(language),
                "name": staff[member.key]["name"],
                "present": member.key in cards and cards[member.key].present,
                "points": {c.key: number_text(cards[member.key].points.get(c.key), language)
                           if member.key in cards else "" for c in process.CRITERIA},
                "mean": _shown(tally([cards[member.key]]).mean, language)
                if member.key in cards and cards[member.key].present else "",
                "comment": cards[member.key].comment if member.key in cards else "",
            }
            for member in process.COUNCIL
        ],
        "mean": _shown(drawn.mean, language),
        "passed": drawn.passed,
        "reasons": reasons,
        "reserve_left": case.reserve()["left"],
        "granted_days": case.reserve()["granted"],
    }  # fmt: skip


def _shown(mean: Decimal, language: Language) -> str:
    return vietnamese(mean) if language == "vi" else f"{mean:.2f}"


def last_round(case: Case) -> int:
    """Return the round that the council decided last; 0 before the first verdict."""
    return next((number for number in range(LAST_ROUND, 0, -1) if case.happened(f"verdict/{number}")), 0)

"""Which function serves which request and which sign-off: the counterpart of the rows in ``process``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.casework import appraisal, contract, delivery, feedback, handover, information, intake, monitoring
from include.casework.office import Case
from include.casework.signing import Answer, answer_of, ask_for, keep, refuse, weigh
from include.engagement.errors import InvalidSignOff
from include.register.models import Request, SignOff


def _any_reply(number: int) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class RequestDesk:
    """How a request is made and what follows its answer.

    ``ask`` returns None when there is nothing to ask; ``answered`` names the outcome. ``replies`` are the decisions
    that may be given in a round; none: answered by items.
    """

    ask: Callable[[Case, int], Request | None]
    answered: Callable[[Case, Request], str]
    replies: Callable[[int], tuple[str, ...]] = _any_reply


def _nothing_to_prepare(case: Case, number: int) -> None:
    return None


def _nothing_to_check(case: Case, answer: Answer) -> None:
    return None


def _nothing_to_note(case: Case) -> str:
    return ""


@dataclass(frozen=True)
class GateDesk:
    """What surrounds a sign-off.

    ``prepare`` runs before anybody is asked; a returned outcome means that nobody needs to be. ``check`` raises
    InvalidSignOff for a decision that cannot be taken now; ``follow`` does what the decision entails and names the
    outcome. ``note`` is put before the help of the form (Vietnamese); Airflow keeps it, so no personal data.
    """

    follow: Callable[[Case, Answer], str]
    check: Callable[[Case, Answer], None] = _nothing_to_check
    prepare: Callable[[Case, int], str | None] = _nothing_to_prepare
    note: Callable[[Case], str] = _nothing_to_note


REQUEST_DESKS: Mapping[str, RequestDesk] = {
    "intake": RequestDesk(intake.ask, intake.answered),
    "information": RequestDesk(information.ask, information.answered),
    "quote": RequestDesk(contract.ask_about_quote, contract.quote_answered, contract.quote_replies),
    "contract": RequestDesk(contract.ask_for_signature, contract.signature_received),
    "delivery": RequestDesk(delivery.ask, delivery.answered),
    "handover": RequestDesk(handover.ask, handover.answered, handover.handover_replies),
    "monitoring": RequestDesk(monitoring.ask, monitoring.answered),
    "evaluation": RequestDesk(feedback.ask, feedback.answered),
}

GATE_DESKS: Mapping[str, GateDesk] = {
    "first_meeting": GateDesk(intake.decide_meeting, check=intake.check_meeting),
    "information_review": GateDesk(
        information.review, check=information.check_review, prepare=information.prepare_review,
        note=information.review_note,
    ),
    "decision": GateDesk(contract.decide, prepare=contract.prepare_decision),
    "quote": GateDesk(contract.draw_up_quote, check=contract.check_quote),
    "contract_check": GateDesk(contract.follow_signature, check=contract.check_signature_round),
    "scorecard": GateDesk(appraisal.hand_in, check=appraisal.check_card),
    "reserve_exhausted": GateDesk(appraisal.follow_director, check=appraisal.check_grant, prepare=appraisal.conclude),
    "handover_changes": GateDesk(handover.changes_made, prepare=handover.assign_changes),
    "monitoring_assessment": GateDesk(monitoring.assess),
    "care_call": GateDesk(feedback.follow_call, prepare=feedback.prepare_call),
}


def decide(
    case: Case, gate: str, number: int, who: str, *, label: str, entries: Mapping[str, Any], by: str, at: datetime
) -> SignOff:
    """Keep an answer given to a gate, unless one is kept already; return the sign-off with its one decision.

    ``label`` is the option as people see it. Raises InvalidSignOff when the answer cannot be taken; the register
    then says why for the next asking.
    """
    row = ask_for(case, gate, number, who)
    if row.decision is None:
        try:
            answer = weigh(case, row, label, entries)
            GATE_DESKS[gate].check(case, answer)
        except InvalidSignOff as error:
            refuse(case, row, error, at=at)
            raise
        keep(case, row, answer, by=by, at=at)
        case.session.commit()
    return row


def follow(case: Case, row: SignOff) -> str:
    """Do what a decision entails, once more if a former try died over it; return the outcome."""
    if row.outcome is None:
        row.outcome = GATE_DESKS[row.gate].follow(case, answer_of(row))
        case.session.commit()
    return row.outcome

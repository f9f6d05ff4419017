"""Sign-offs: what is asked of whom, and the one decision that is kept.

The register is read before anybody is asked. The first valid answer is kept, then applied; both survive whatever
happens to the Airflow task that asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from include.casework.correspondence import post
from include.casework.office import Case
from include.engagement import process
from include.engagement.errors import InvalidSignOff
from include.engagement.signoffs import check_sign_off
from include.register.models import Event, SignOff


@dataclass(frozen=True)
class Answer:
    """A decision as it stands in the register: who is a council member's key, or empty."""

    gate: str
    round: int
    who: str
    decision: str
    form: Mapping[str, Any]
    day: date


def sign_off(case: Case, gate: str, number: int, who: str = "") -> SignOff | None:
    """Return the sign-off of a gate and round, asked or decided."""
    return case.session.scalar(
        select(SignOff).where(
            SignOff.engagement_id == case.id, SignOff.gate == gate, SignOff.round == number, SignOff.who == who
        )
    )


def ask_for(case: Case, gate: str, number: int, who: str = "") -> SignOff:
    """Write down that a decision is asked for, once."""
    case.session.execute(
        insert(SignOff)
        .values(engagement_id=case.id, gate=gate, round=number, who=who, asked=case.today)
        .on_conflict_do_nothing()
    )
    case.session.commit()
    found = sign_off(case, gate, number, who)
    assert found is not None
    return found


def answer_of(row: SignOff) -> Answer:
    """Return the decision that ``row`` holds. Raises ValueError when it holds none."""
    if row.decision is None or row.day is None:
        raise ValueError(f"{row.gate}/{row.round} is not decided")
    return Answer(row.gate, row.round, row.who, row.decision, row.form or {}, row.day)


def weigh(case: Case, row: SignOff, label: str, entries: Mapping[str, Any]) -> Answer:
    """Return what an answer given in Airflow means. Raises InvalidSignOff with what to mend."""
    gate = process.SIGN_OFFS[row.gate]
    decision = next((key for key, text in gate.options.items() if text == label), "")
    form = check_sign_off(gate, decision, entries)
    return Answer(row.gate, row.round, row.who, decision, form, case.today)


def keep(case: Case, row: SignOff, answer: Answer, *, by: str, at: datetime) -> None:
    """Keep the decision; part of the transaction that its consequences in the register belong to."""
    row.decision, row.form, row.day = answer.decision, dict(answer.form), case.today
    row.decided_by, row.decided_at, row.refusal = by, at, None
    case.event("decided", key=f"decided/{row.gate}/{row.round}/{row.who}", gate=row.gate, round=row.round,
               who=row.who, decision=answer.decision)  # fmt: skip


def refuse(case: Case, row: SignOff, error: InvalidSignOff) -> None:
    """Write down why an answer was not valid."""
    case.session.rollback()
    row.refusal = str(error)
    number = len(_refusals(case, row)) + 1
    case.event("answer_refused", key=f"{_refusal_key(row)}{number}", why=str(error))
    case.session.commit()


def tell_why(case: Case, row: SignOff) -> None:
    """Mail who is asked again why the last answer could not be taken, once for each such answer.

    The form itself cannot: Airflow 3.3 keeps its first text when a later try asks again.
    """
    if row.refusal is None:
        return
    gate = process.SIGN_OFFS[row.gate]
    role = f"council.{row.who}" if row.who else gate.role
    last = _refusals(case, row)[-1]
    post(case, "answer_refused", last.key, to=role, stage=gate.stage, request_title=gate.title, reason=row.refusal)


def _refusal_key(row: SignOff) -> str:
    return f"answer_refused/{row.gate}/{row.round}/{row.who}/"


def _refusals(case: Case, row: SignOff) -> list[Event]:
    return list(
        case.session.scalars(
            select(Event)
            .where(Event.engagement_id == case.id, Event.key.startswith(_refusal_key(row), autoescape=True))
            .order_by(Event.id)
        )
    )

"""What waits for the firm's own people: decisions and deliverables, whose they are, and where they are answered."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select, true
from sqlalchemy.orm import Session

from include.casework.mailbox import triage
from include.engagement import process
from include.register.models import Engagement, Request, SignOff, StagePeriod

# The task that asks for each sign-off: its DAG, and its id with the round and the council member in it.
TASKS: dict[str, tuple[str, str]] = {
    "first_meeting": ("engagement", "intake.hold_first_meeting"),
    "information_review": ("engagement", "information.collect_information_{}"),
    "decision": ("engagement", "contract.decide"),
    "quote": ("engagement", "contract.negotiate_quote_{}"),
    "contract_check": ("engagement", "contract.conclude_contract_{}"),
    "scorecard": ("engagement", "round_{}.appraisal.score_{who}"),
    "reserve_exhausted": ("engagement", "round_{}.appraisal.conclude"),
    "handover_changes": ("engagement", "handover.accept_{}"),
    "monitoring_assessment": ("monitoring", "monitoring.assess_progress"),
    "care_call": ("feedback", "feedback.call_client"),
}
# The task that waits for the answer to each request, likewise.
WAITS: dict[str, tuple[str, str]] = {
    "intake": ("engagement", "intake.complete_intake_form"),
    "information": ("engagement", "information.collect_information_{}"),
    "quote": ("engagement", "contract.negotiate_quote_{}"),
    "contract": ("engagement", "contract.conclude_contract_{}"),
    "delivery": ("engagement", "round_{}.delivery.await_deliverables"),
    "handover": ("engagement", "handover.accept_{}"),
    "monitoring": ("monitoring", "monitoring.assess_progress"),
    "evaluation": ("feedback", "feedback.await_evaluation"),
}
DELIVER = "Đặt tệp vào inbox/{}/{} trong kho hồ sơ. Khi đủ tệp, hệ thống kiểm tra rồi chuyển sang hội đồng thẩm định."


@dataclass(frozen=True)
class Work:
    """One thing to do.

    ``due`` is its stage's or request's, None where there is none; ``page`` is Airflow's form for it. ``engagement`` is
    empty for the mails to sort, which are one thing to do. ``follows`` says what it takes and what comes next
    (Vietnamese).
    """

    role: str
    what: str
    since: date
    engagement: str = ""
    company: str = ""
    due: date | None = None
    late: bool = False
    follows: str = ""
    page: str = ""


def form_page(engagement_id: str, gate: str, number: int, who: str = "") -> str:
    """Return the path of Airflow's page on which a sign-off is answered."""
    dag, task = TASKS[gate]
    return f"{_task_page(engagement_id, number, dag, task.format(number, who=who))}/required_actions"


def wait_page(engagement_id: str, kind: str, number: int) -> str:
    """Return the path of Airflow's page of the task that waits for the answer to a request."""
    dag, task = WAITS[kind]
    return _task_page(engagement_id, number, dag, task.format(number))


def _task_page(engagement_id: str, number: int, dag: str, task: str) -> str:
    run = engagement_id if dag == "engagement" else f"{engagement_id}__{dag}-{number}"
    return f"/dags/{dag}/runs/{run}/tasks/{task}"


def work(session: Session, *, today: date, roles: Collection[str] | None = None) -> list[Work]:
    """Return what waits for the holders of ``roles`` (None: for all of the staff), the oldest first."""
    company = Engagement.form["client"]["name"].astext.label("company")
    decisions = session.execute(
        select(SignOff.engagement_id, SignOff.gate, SignOff.round, SignOff.who, SignOff.asked, company)
        .join(Engagement, Engagement.id == SignOff.engagement_id)
        .where(SignOff.decision.is_(None), SignOff.ended.is_(None), _asks(roles)).order_by(SignOff.id)
    ).all()  # fmt: skip
    dues = {
        (row.engagement_id, row.stage): row.due
        for row in session.execute(
            select(StagePeriod.engagement_id, StagePeriod.stage, func.max(StagePeriod.due).label("due"))
            .where(StagePeriod.closed.is_(None),
                   StagePeriod.engagement_id.in_({row.engagement_id for row in decisions}))
            .group_by(StagePeriod.engagement_id, StagePeriod.stage)
        )
    }  # fmt: skip
    found = [
        _decision(row, dues.get((row.engagement_id, process.SIGN_OFFS[row.gate].stage)), today) for row in decisions
    ]
    found += [
        Work(row.of, process.REQUESTS[row.kind].title.vi + _round(row.round), row.asked, row.engagement_id,
             row.company or "", row.due, row.due < today, DELIVER.format(row.engagement_id, row.key))
        for row in session.execute(
            select(Request.engagement_id, Request.key, Request.kind, Request.round, Request.of, Request.asked,
                   Request.due, company)
            .join(Engagement, Engagement.id == Request.engagement_id).order_by(Request.id)
            .where(Request.status == "open", Request.of != "client", true() if roles is None else Request.of.in_(roles))
        )
    ]  # fmt: skip
    if (roles is None or "account_manager" in roles) and (mails := triage(session)):
        found.append(Work("account_manager", f"{len(mails)} thư đến chờ phân loại", min(row.day for row in mails)))
    return sorted(found, key=lambda each: each.since)


def _asks(roles: Collection[str] | None) -> ColumnElement[bool]:
    """Return which sign-offs the holders of ``roles`` decide."""
    if roles is None:
        return true()
    gates = [key for key, gate in process.SIGN_OFFS.items() if gate.role in roles]
    return SignOff.gate.in_(gates) | (SignOff.gate + "." + SignOff.who).in_(
        [f"{key}.{role.partition('.')[2]}" for key, gate in process.SIGN_OFFS.items() for role in roles
         if role.startswith(f"{gate.role}.")]
    )  # fmt: skip


def _decision(row: Row[Any], due: date | None, today: date) -> Work:
    gate = process.SIGN_OFFS[row.gate]
    role = f"{gate.role}.{row.who}" if row.who else gate.role
    return Work(
        role, gate.title + _round(row.round), row.asked, row.engagement_id, row.company or "", due,
        due is not None and due < today, gate.help, form_page(row.engagement_id, row.gate, row.round, row.who),
    )  # fmt: skip


def _round(number: int) -> str:
    return f" (vòng {number})" if number > 1 else ""

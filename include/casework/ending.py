"""Ending an engagement by hand, at any point: nothing is sent from then on, all files are kept.

What runs in Airflow finds the engagement ended and skips itself; whoever ends it also ends the waiting tasks
(``local.end``).
"""

from __future__ import annotations

from sqlalchemy import select, update

from include.casework.office import FIRM_ENDED, Case, Office
from include.casework.planning import drop_planned
from include.engagement import process
from include.engagement.errors import RuleBroken
from include.engagement.text import cleaned
from include.mail.ledger import cancel_queued
from include.register.models import Request, ScheduledRun, SignOff, StagePeriod

WITHDRAWN = "withdrawn"


def end(office: Office, engagement_id: str, *, outcome: str = WITHDRAWN, by: str, reason: str) -> bool:
    """End an engagement: links die, mails that wait are cancelled, stages, requests, sign-offs and planned runs end.

    Waits for whoever works on the engagement. Returns False when it was ended before (and makes sure of its mails). A
    completed engagement stays completed; what would come after it is dropped. Raises RuleBroken (Vietnamese) without a
    reason, for an unknown outcome, and when the procedure itself closed the engagement; UnknownEngagement.
    """
    with office.case(engagement_id) as case:
        if case.ended:
            cancel_queued(case.session, case.id)
            return False
        end_case(case, outcome=outcome, by=by, reason=reason)
    return True


def refuse_end(case: Case, outcome: str, reason: str) -> None:
    """Raise RuleBroken (Vietnamese) where the engagement cannot be ended so: see ``end``."""
    if not cleaned(reason):
        raise RuleBroken("Xin ghi lý do dừng hồ sơ.")
    if outcome == "completed" or outcome not in process.OUTCOMES:
        raise RuleBroken(f"Không dừng hồ sơ với kết quả “{outcome}” được.")
    if case.ended:
        raise RuleBroken(f"Hồ sơ {case.id} đã dừng.")
    if case.engagement.closed is not None and case.engagement.status != "completed":
        raise RuleBroken(f"Hồ sơ {case.id} đã đóng: {process.OUTCOMES[case.engagement.status]}.")


def end_case(case: Case, *, outcome: str, by: str, reason: str) -> None:
    """End the engagement in hand, as ``end`` does; commits. Raises RuleBroken."""
    refuse_end(case, outcome, reason)
    kept = case.engagement.closed is not None
    case.event("ended", by=by, reason=cleaned(reason)[:500], outcome="completed" if kept else outcome)
    for statement in (
        update(SignOff)
        .where(SignOff.engagement_id == case.id, SignOff.decision.is_(None), SignOff.ended.is_(None))
        .values(ended=case.today),
        update(Request)
        .where(Request.engagement_id == case.id, Request.status == "open")
        .values(status="withdrawn"),
        update(StagePeriod)
        .where(StagePeriod.engagement_id == case.id, StagePeriod.closed.is_(None))
        .values(closed=case.today),
    ):
        case.session.execute(statement)
    drop_planned(case)
    if kept or outcome not in FIRM_ENDED:
        case.engagement.link_version += 1  # else closing does
    if not kept:
        case.close(outcome)
    case.session.commit()
    cancel_queued(case.session, case.id)


def runs_of(office: Office, engagement_id: str) -> list[tuple[str, str]]:
    """Return the Airflow runs (DAG, run id) that an engagement may have: its own, and those planned for it."""
    with office.sessions() as session:
        rows = session.execute(
            select(ScheduledRun.dag_id, ScheduledRun.run_id)
            .where(ScheduledRun.engagement_id == engagement_id, ScheduledRun.status != "done")
            .order_by(ScheduledRun.id)
        )
        return [("engagement", engagement_id), *((dag_id, run_id) for dag_id, run_id in rows)]

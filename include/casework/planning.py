"""Runs that are planned ahead: monitoring visits, the evaluation, care contacts. Each plans the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from include import clock
from include.casework.office import Case
from include.engagement import process
from include.register.models import ScheduledRun

DAGS = ("monitoring", "feedback")


@dataclass(frozen=True)
class PlannedRun:
    """An Airflow run to come; ``run_after`` is when Airflow may start it."""

    dag_id: str
    run_id: str
    run_after: datetime


def plan_next(case: Case, dag_id: str) -> PlannedRun | None:
    """Plan the next run of ``monitoring`` or ``feedback``; None when there is none (to come).

    Rule of stage 7: no monitoring without the add-on.
    """
    latest = latest_run(case, dag_id)
    number = latest.number + 1 if latest and latest.status != "planned" else latest.number if latest else 1
    day = _day_of(case, dag_id, number)
    if day is None:
        return None
    run_id = f"{case.id}__{dag_id}-{number}"
    case.session.execute(
        insert(ScheduledRun)
        .values(engagement_id=case.id, dag_id=dag_id, run_id=run_id, number=number, run_after=clock.morning(day),
                status="planned")
        .on_conflict_do_nothing()
    )  # fmt: skip
    case.event("planned", key=f"planned/{dag_id}/{number}", dag=dag_id, number=number, day=day.isoformat())
    case.session.commit()
    return PlannedRun(dag_id, run_id, clock.run_after(day, case.session))


def latest_run(case: Case, dag_id: str) -> ScheduledRun | None:
    """Return the run planned last."""
    return case.session.scalar(
        select(ScheduledRun)
        .where(ScheduledRun.engagement_id == case.id, ScheduledRun.dag_id == dag_id)
        .order_by(ScheduledRun.number.desc())
        .limit(1)
    )


def begin(case: Case, run_id: str) -> int:
    """Mark a planned run as begun and return its number."""
    run = _run(case, run_id)
    if run.status == "planned":
        run.status = "running"
        case.session.commit()
    return run.number


def drop_planned(case: Case) -> list[PlannedRun]:
    """Drop what has not begun; part of the transaction. Returns the runs, which Airflow may still hold."""
    rows = case.session.scalars(
        select(ScheduledRun)
        .where(ScheduledRun.engagement_id == case.id, ScheduledRun.status == "planned")
        .order_by(ScheduledRun.id)
    ).all()
    for row in rows:
        row.status = "dropped"
    return [PlannedRun(row.dag_id, row.run_id, row.run_after) for row in rows]


def finish(case: Case, run_id: str) -> None:
    """Mark a planned run as done."""
    _run(case, run_id).status = "done"
    case.session.commit()


def _run(case: Case, run_id: str) -> ScheduledRun:
    return case.session.scalars(
        select(ScheduledRun).where(ScheduledRun.engagement_id == case.id, ScheduledRun.run_id == run_id)
    ).one()


def _day_of(case: Case, dag_id: str, number: int) -> date | None:
    completed = case.engagement.closed
    if completed is None or case.engagement.status != "completed" or case.ended:
        return None
    if dag_id == "monitoring":
        bought = case.form["add_ons"].get("monitoring")
        if not bought or number > bought["visits"]:
            return None
        return case.calendar.add_months(completed, bought["every_months"] * number)
    if number == 1:
        return case.calendar.add(completed, process.EVALUATION_AFTER_DAYS)
    if number - 2 < len(process.CARE_AFTER_MONTHS):
        return case.calendar.add_months(completed, process.CARE_AFTER_MONTHS[number - 2])
    return None

"""Stage 7, monitoring: follow the plan's progress, assess, advise; one run per visit.

Rule of the stage: only for contracts that bought it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from include.casework.correspondence import post
from include.casework.office import Case
from include.casework.planning import finish
from include.casework.signing import Answer
from include.engagement import process
from include.engagement.errors import RuleBroken
from include.register.models import Request


def bought(case: Case) -> dict[str, Any]:
    """Return the monitoring add-on. Raises RuleBroken when the contract has none."""
    add_on: dict[str, Any] | None = case.form["add_ons"].get("monitoring")
    if not add_on:
        raise RuleBroken("Hợp đồng không có dịch vụ cộng thêm theo dõi thực hiện.")
    return add_on


def ask(case: Case, number: int) -> Request:
    """Send the progress form of a visit."""
    visits = bought(case)["visits"]
    row = process.REQUESTS["monitoring"]
    case.open_stage("monitoring", number, days=row.answer_days)
    request = case.ask("monitoring", number, items=row.items, stage_round=number)
    form = case.document("progress_form", request.key, visit=visit_facts(case, number), due=request.due)
    post(case, "monitoring_form", request.key, request=request, documents=(form,),
         visit={"number": number, "of": visits})  # fmt: skip
    return request


def answered(case: Case, request: Request) -> str:
    """Compare plan and actual for the staff's assessment."""
    case.document("plan_against_actual", request.key, visit=visit_facts(case, request.round))
    return "complete"


def assess(case: Case, answer: Answer) -> str:
    """Send report and advice; the visit is done."""
    number = answer.round
    request = case.request("monitoring", number)
    assert request is not None
    label = process.SIGN_OFFS["monitoring_assessment"].options[answer.decision]
    if case.language == "en":
        label = {"on_track": "On track", "adjust": "Needs adjustment"}[answer.decision]
    advice = str(answer.form.get("advice") or "")
    visit = visit_facts(case, number, assessment=label, advice=advice)
    report = case.document("monitoring_report", request.key, visit=visit)
    figures = case.made("plan_against_actual", request.key)
    documents = [report, figures] if figures else [report]
    post(case, "monitoring_advice", f"advice/{request.key}", documents=documents, reason=advice,
         visit={"number": number, "of": bought(case)["visits"]})  # fmt: skip
    case.close_stage("monitoring", number)
    finish(case, f"{case.id}__monitoring-{number}")
    return answer.decision


def visit_facts(case: Case, number: int, *, assessment: str = "", advice: str = "") -> dict[str, Any]:
    """Return a visit and the figures of it and all before, as documents show them."""
    requests = case.session.scalars(
        select(Request)
        .where(Request.engagement_id == case.id, Request.kind == "monitoring", Request.round <= number,
               Request.status == "answered")
        .order_by(Request.round)
    )  # fmt: skip
    history = []
    for request in requests:
        values = {row.key: (row.value or {}).get("value") for row in case.items(request)}
        history.append(
            {"number": request.round, "day": request.answered, "revenue_vnd": values.get("revenue_vnd"),
             "cost_vnd": values.get("cost_vnd"), "jobs": values.get("jobs"), "notes": values.get("notes") or ""}
        )  # fmt: skip
    return {"number": number, "of": bought(case)["visits"], "day": case.today, "assessment": assessment,
            "advice": advice, "history": history}  # fmt: skip

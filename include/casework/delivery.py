"""Stage 4, delivery: the department does the work; in later rounds, what the appraisal council sent back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from include.casework.appraisal import appraisal_facts, verdict
from include.casework.correspondence import post
from include.casework.facts import document_title, file_name
from include.casework.office import Case
from include.casework.payments import request_payments
from include.engagement import process
from include.register.models import Document, Request

DELIVERABLES = ("business_plan", "financial_model")


def ask(case: Case, number: int) -> Request:
    """Assign the work, or the rework with its checklist; due inside the promised date.

    The first round has the stage's days; a later one what is left of the reserve, granted days included.
    """
    days = process.STAGES["delivery"].days if number == 1 else max(1, case.reserve()["left"])
    case.open_stage("delivery", number, days=days)
    request = case.ask(
        "delivery", number, items=process.REQUESTS["delivery"].items, stage_round=number, days=days
    )
    if number == 1:
        work_plan, model = (case.document(key, "assignment") for key in ("work_plan", "financial_model"))
        plan = case.document("business_plan", "assignment", model=model_facts(case, model))
        documents = (work_plan, plan, model)
        post(case, "assignment", request.key, request=request, documents=documents)
        return request
    failed = verdict(case, number - 1)
    reasons = [
        {"item": part, "reason": reason[:1].upper() + reason[1:]}
        for part, _, reason in (line.partition(": ") for line in failed.reasons)
    ]
    checklist = case.document("rework_checklist", request.key, reasons=reasons, due=request.due,
                              appraisal=appraisal_facts(case, number - 1, "vi"))  # fmt: skip
    post(case, "rework", request.key, request=request, documents=(checklist,), round=number, reasons=reasons)
    return request


def model_facts(case: Case, model: Document) -> dict[str, Any] | None:
    """Return the model's figures as the plan shows them; None where LibreOffice does not compute them."""
    if case.office.libreoffice is None:
        return None
    from include.documents.model_figures import plan_figures

    return plan_figures(case.office.storage.get(model.path), case.language)


def answered(case: Case, request: Request) -> str:
    """Take the files as the round's deliverables, and lay them before the council."""
    case.close_stage("delivery", request.round)
    case.open_stage("appraisal", request.round)
    facts = {"deliverables": deliverables(case, "vi"), "appraisal": appraisal_facts(case, request.round, "vi")}
    papers = [case.document(key, request.key, **facts) for key in ("review_pack", "scorecard")]
    files = [document for _, document in current_deliverables(case)]
    for member in process.COUNCIL:
        post(case, "review", request.key, to=f"council.{member.key}", documents=(*papers, *files),
             round=request.round)  # fmt: skip
    if request.round == 1:
        request_payments(case, "draft")
    return "delivered"


def current_deliverables(case: Case) -> list[tuple[str, Document]]:
    """Return the deliverables as they stand: what the department handed in last, else the firm's own draft."""
    found = []
    for key in DELIVERABLES:
        document = case.latest(f"received/{key}") or case.latest(key)
        if document is not None:
            found.append((key, document))
    others = case.session.scalars(
        select(Document)
        .where(Document.engagement_id == case.id, Document.key == "received/unassigned",
               Document.stage == "delivery")
        .order_by(Document.id)
    )  # fmt: skip
    return [*found, *(("other", document) for document in others)]


def deliverables(
    case: Case, language: process.Language, *, guide: Document | None = None
) -> list[dict[str, object]]:
    """Return the list of deliverables as documents show it, with the implementation guide last; sizes in kB."""
    documents = [document for _, document in current_deliverables(case)]
    return [
        {
            "title": document_title(document, language),
            "file": file_name(document, language),
            "version": document.version,
            "sha256": document.sha256,
            "size": f"{max(1, round(document.size / 1024))} kB",
        }
        for document in (*documents, *([guide] if guide else ()))
    ]

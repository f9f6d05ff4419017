"""Stage 8, feedback: the evaluation, then periodic care: a call, a follow-up mail, useful information if wanted."""

from __future__ import annotations

from include.casework.correspondence import post
from include.casework.office import Case
from include.casework.planning import finish
from include.casework.signing import Answer
from include.engagement import process
from include.engagement.text import folded
from include.register.models import Request

EVALUATION = 1


def kind_of_contact(case: Case, number: int) -> str:
    """Return ``evaluation`` for the first contact after the handover, ``care`` for those that follow."""
    return "evaluation" if number == EVALUATION else "care"


def ask(case: Case, number: int) -> Request:
    """Send the evaluation form."""
    row = process.REQUESTS["evaluation"]
    case.open_stage("feedback", number, days=row.answer_days)
    request = case.ask("evaluation", number, items=row.items, stage_round=number)
    form = case.document("evaluation_form", request.key, due=request.due)
    post(case, "evaluation", request.key, request=request, documents=(form,))
    return request


def answered(case: Case, request: Request) -> str:
    """Thank the client for the evaluation."""
    post(case, "evaluation_thanks", f"thanks/{request.key}")
    case.close_stage("feedback", request.round)
    finish(case, f"{case.id}__feedback-{request.round}")
    return "complete"


def prepare_call(case: Case, number: int) -> None:
    """Open the contact; client care finds the call among its sign-offs."""
    case.open_stage("feedback", number, days=process.REQUESTS["evaluation"].answer_days)


def follow_call(case: Case, answer: Answer) -> str:
    """Follow the call up by mail; send useful information only to who agreed to get it."""
    post(case, "care_follow_up", f"care/{answer.round}", reason=answer.decision)
    if case.form["consent"] and case.form["interests"]:
        post(case, "useful_information", f"useful_information/{answer.round}", topics=case.form["interests"],
             topic_links=useful_links(case))  # fmt: skip
    case.close_stage("feedback", answer.round)
    finish(case, f"{case.id}__feedback-{answer.round}")
    return answer.decision


def useful_links(case: Case) -> list[dict[str, str]]:
    """Return the sources that fit the client's interests and sector."""
    about = folded("; ".join([*case.form["interests"], case.form["client"]["sector"]]))
    return [
        {"title": topic.title.in_(case.language), "url": topic.url}
        for topic in process.TOPICS
        if not topic.words or any(folded(word) in about for word in topic.words)
    ]

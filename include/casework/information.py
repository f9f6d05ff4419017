"""Stage 2, information: ask for what the plan needs, review its accuracy, refuse where it is inaccurate.

Rules of the stage: an incomplete answer is asked for again, item by item; inaccurate information gives the firm
the right to refuse the service.
"""

from __future__ import annotations

from collections.abc import Mapping

from include.casework.accuracy import dossier_rows, open_labels
from include.casework.correspondence import post
from include.casework.office import Case
from include.casework.signing import Answer, answer_of, sign_off
from include.engagement import process
from include.engagement.errors import InvalidSignOff
from include.engagement.items import item_named, items_for
from include.engagement.signoffs import parse_reasons
from include.register.models import Request


def ask(case: Case, number: int) -> Request:
    """Send letter and questionnaire; from the second round on, ask again for what the review returned."""
    if number > 1:
        return _ask_again(case, number)
    case.close_stage("intake")
    case.open_stage("information")
    items = items_for("information", case.form)
    request = case.ask("information", items=items)
    letter = case.document("information_letter", "request", due=request.due)
    questionnaire = case.document("questionnaire", "request", due=request.due)
    post(
        case, "information_request", "information_request", request=request, documents=(letter, questionnaire),
        items=[{"label": item.label.in_(case.language), "unit": item.unit, "required": item.required}
               for item in items],
    )  # fmt: skip
    return request


def _ask_again(case: Case, number: int) -> Request:
    review = sign_off(case, "information_review", number - 1)
    assert review is not None
    reasons = returned_items(case, answer_of(review))
    items = [item_named(key) for key in reasons]
    row = process.REQUESTS["information"]
    request = case.ask("information", number, items=items, reasons=reasons, days=row.follow_up_days)
    labels = {item.key: item.label.in_(case.language) for item in items}
    post(
        case, "items_missing", f"asked_again/{request.key}", request=request, stage="information",
        missing=[{"label": labels[key], "reason": reason} for key, reason in reasons.items()],
    )  # fmt: skip
    return request


def answered(case: Case, request: Request) -> str:
    """Nothing more to do: staff review what came."""
    return "complete"


def returned_items(case: Case, answer: Answer) -> dict[str, str]:
    """Return the items that a review returns, by key, with the reason; an item of the intake form may be among them.

    Raises InvalidSignOff when a line names no item.
    """
    reasons = parse_reasons(str(answer.form.get("reason") or ""))
    if not reasons or "" in reasons:
        keys = ", ".join(item.key for item in items_for("information", case.form))
        raise InvalidSignOff(f"Mỗi dòng ghi “mục: lý do”, ví dụ một trong các mục: {keys}.")
    return reasons


def prepare_review(case: Case, number: int) -> None:
    """Make the accuracy dossier that the reviewer works from, one for each round."""
    case.document("accuracy_dossier", f"review/{number}", contradictions=dossier_rows(case))


def review_note(case: Case) -> str:
    """Return what the reviewer is told in the form (Vietnamese): what is contradictory, without any value or name."""
    labels = open_labels(case)
    if not labels:
        return ""
    return f"Có {len(labels)} điểm các nơi ghi khác nhau: {'; '.join(labels)}. Xem căn cứ trong hồ sơ thẩm tra."


def check_review(case: Case, answer: Answer) -> None:
    """Raise InvalidSignOff when the review asks again for nothing known, or once too often."""
    if answer.decision != "ask_again":
        return
    if answer.round >= process.INFORMATION_ROUNDS:
        raise InvalidSignOff(
            f"Đã yêu cầu bổ sung {process.INFORMATION_ROUNDS - 1} lần; hãy chấp nhận hoặc từ chối dịch vụ."
        )
    returned_items(case, answer)


def review(case: Case, answer: Answer) -> str:
    """Follow the review: accept, ask again for the returned items, or refuse the service."""
    if answer.decision == "accept":
        case.event("information_accepted")
    return answer.decision


def refuse(case: Case, number: int) -> None:
    """Close the engagement with a courteous letter; the dossier of reasons stays with the firm."""
    review_row = next(
        row for number in range(1, process.INFORMATION_ROUNDS + 1)
        if (row := sign_off(case, "information_review", number)) is not None and row.decision == "refuse"
    )  # fmt: skip
    items = {item.key: item.label for item in (*process.INFORMATION_ITEMS, *process.INTAKE_ITEMS)}
    given = parse_reasons(str((review_row.form or {}).get("reason") or ""))

    def reasons(language: process.Language) -> list[dict[str, str]]:
        return [
            {"item": _named(key, items).in_(language), "reason": reason}
            for key, reason in given.items()
        ]

    case.document("accuracy_dossier", "refusal", reasons=reasons("vi"), contradictions=dossier_rows(case))
    letter = case.document("refusal_letter", "refusal", reasons=reasons(case.language))
    post(case, "refusal", "refusal", documents=(letter,), reasons=reasons(case.language))
    case.close("refused")


def _named(key: str, labels: Mapping[str, process.Text]) -> process.Text:
    """Return what people call the fact that staff named in a reason; amounts are named with or without their unit."""
    named = labels.get(key) or labels.get(f"{key}_vnd")
    words = key.replace("_", " ")
    return named or process.Text(words[:1].upper() + words[1:], words[:1].upper() + words[1:])

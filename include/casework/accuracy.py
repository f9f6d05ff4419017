"""The accuracy of what a client said: contradictions are recorded once with their evidence, for client and staff.

An item whose answer contradicts another statement stays received, with a question beside it. A careful consultant
asks and does not reject: which of the two is wrong is not known yet, an innocent reason is likelier than a bad one
(capital was raised last month, a figure in thousands), a legible answer is not thrown away, and the client's clock
does not run for it. Nothing goes on unseen either: the question stands in the receipt, and the account manager has it
before them at the information review, where the item can be asked for again or the service refused.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from include.casework.facts import document_title, file_name, known_answers
from include.casework.office import Case
from include.engagement.contradictions import Contradiction, Statement, contradictions
from include.register.models import Document, Event, Request, RequestItem

KIND = "contradiction"


def record_contradictions(case: Case) -> list[str]:
    """Write down what is contradictory and was not before; return the questions, in the client's language.

    Part of the transaction. Each is recorded once, whatever is received again.
    """
    case.session.flush()
    questions: list[str] = []
    for found in _standing(case):
        key = _event_key(found)
        if case.happened(key) is None:
            case.event(
                KIND, key=key, code=found.code, items=list(found.items), label=found.label.vi, text=found.text.vi,
                evidence=[_evidence(case, statement) for statement in found.evidence],
            )  # fmt: skip
            questions.append(found.text.in_(case.language))
    return questions


def open_labels(case: Case) -> list[str]:
    """Return what the contradictions that still stand are about (Vietnamese), without values or names."""
    return list(dict.fromkeys(found.label.vi for found in _standing(case)))


def dossier_rows(case: Case) -> list[dict[str, str]]:
    """Return every statement of every contradiction ever recorded, in order, for the accuracy dossier (Vietnamese)."""
    standing = {_event_key(found) for found in _standing(case)}
    events = case.session.scalars(
        select(Event).where(Event.engagement_id == case.id, Event.kind == KIND).order_by(Event.id)
    )
    return [
        {
            "label": _sentence(event.facts["label"]),
            "where": _sentence(each["where"]),
            "said": f"{each['label']}: {each['said']}" if each["label"] != event.facts["label"] else each["said"],
            "source": each["source"],
            "state": "Chưa rõ" if event.key in standing else "Khách đã trả lời khớp",
        }
        for event in events
        for each in event.facts["evidence"]
    ]


def _standing(case: Case) -> list[Contradiction]:
    return contradictions(case.form, known_answers(case), today=case.today)


def _event_key(found: Contradiction) -> str:
    return f"{KIND}/{found.key}"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _evidence(case: Case, statement: Statement) -> dict[str, Any]:
    """Return what a place says and the stored file that shows it: its document id and the beginning of its hash."""
    document = case.latest("intake_record") if statement.in_form else _source(case, statement.key)
    source = ""
    if document is not None:
        name = document_title(document, "vi") if document.key == "received/reply" else file_name(document, "vi")
        source = f"{name} (số {document.id}, SHA-256 {document.sha256[:16]})"
    return {
        "key": statement.key, "where": statement.where.vi, "label": statement.label.vi, "said": statement.said.vi,
        "document": document.id if document else None, "sha256": document.sha256[:16] if document else "",
        "source": source,
    }  # fmt: skip


def _source(case: Case, item: str) -> Document | None:
    """The file in which an answer came: the questionnaire, or the reply that stated it."""
    value = case.session.scalar(
        select(RequestItem.value)
        .join(Request, Request.id == RequestItem.request_id)
        .where(Request.engagement_id == case.id, Request.kind == "information", RequestItem.key == item,
               RequestItem.value.is_not(None))
        .order_by(Request.round.desc())
        .limit(1)
    )  # fmt: skip
    number = (value or {}).get("document")
    return case.session.get(Document, number) if number is not None else None

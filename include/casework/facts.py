"""The facts of an engagement, from the register, in the one shape that every document and mail gets.

One fact, every document: whatever a document or a mail says about client, firm, price or dates comes from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from include.casework.office import PDF_OF
from include.engagement import instalments, process
from include.engagement.calendar import ONE_DAY, WorkingCalendar
from include.engagement.items import items_for
from include.engagement.process import Language, Text
from include.engagement.terms import Terms
from include.engagement.timetable import promised_date, timetable
from include.register.models import Document, Request, RequestItem

if TYPE_CHECKING:
    from include.casework.office import Case

SERVICE = Text("Lập kế hoạch kinh doanh", "Business plan")
PLAN = Text("Kế hoạch kinh doanh", "Business plan")


def in_language(value: Any, language: Language) -> Any:
    """Return a fact of ``firm.yaml`` in ``language``: ``{vi, en}`` pairs resolved, all else as it is."""
    if isinstance(value, Mapping):
        if set(value) == {"vi", "en"}:
            return value[language]
        return {key: in_language(inner, language) for key, inner in value.items()}
    return value


def firm_facts(case: Case, language: Language) -> dict[str, Any]:
    """Return the firm's party block and the client's account manager."""
    firm = in_language(case.firm, language)
    keys = ("name", "short_name", "tax_code", "address", "representative", "phone", "email", "website", "bank")
    return {
        **{key: firm[key] for key in keys},
        "account_manager": firm["staff"]["account_manager"],
        "spelling": firm.get("spelling", {}),
    }


def known_answers(case: Case) -> dict[str, Any]:
    """Return what the client has answered to the information request, by item, the newest answer of each."""
    rows = case.session.execute(
        select(RequestItem.key, RequestItem.value)
        .join(Request, Request.id == RequestItem.request_id)
        .where(Request.engagement_id == case.id, Request.kind == "information", RequestItem.value.is_not(None))
        .order_by(Request.round)
    )
    return {key: value["value"] for key, value in rows}


def received_papers(case: Case, language: Language) -> list[dict[str, str]]:
    """Return the papers that the client sent with the information, one entry a file."""
    rows = case.session.scalars(
        select(Document)
        .where(Document.engagement_id == case.id, Document.direction == "received",
               Document.stage == "information", Document.key.startswith("received/"),
               Document.key != "received/reply")
        .order_by(Document.id)
    )  # fmt: skip
    return [
        {"label": document_title(row, language), "file": file_name(row, language), "sha256": row.sha256}
        for row in rows
    ]


def made_by_us(document: Document) -> process.Document | None:
    """Return the row of a document of the firm: one that the pipeline made, or a deliverable of the department."""
    return process.DOCUMENTS.get(document.key.removeprefix("received/").removesuffix(PDF_OF))


def document_title(document: Document, language: Language) -> str:
    """Return what people call a document; a received one that answers no item goes by the name it came under."""
    if document.key == "received/business_plan":
        return PLAN.in_(language)
    row = made_by_us(document)
    if row is not None:
        return row.title.in_(language)
    labels = {f"received/{item.key}": item.label for item in process.INFORMATION_ITEMS}
    if document.key in labels:
        return labels[document.key].in_(language)
    return _own_name(document).rpartition(".")[0]


def file_name(document: Document, language: Language) -> str:
    """Return the name under which people see a document, wherever it is stored."""
    extension = document.path.rpartition(".")[2]
    version = f" v{document.version}" if document.version > 1 else ""
    row = made_by_us(document)
    if row is not None:
        if row.each is not None:
            version = f" {row.each.in_(language)} {document.version}"
        return f"{document_title(document, language)} {document.engagement_id}{version}.{extension}"
    if document.key == "received/unassigned":
        return _own_name(document)
    return f"{document_title(document, language)}{version}.{extension}"


def _own_name(document: Document) -> str:
    """Return the name that a received file came under: storage puts the beginning of its hash before it."""
    name = document.path.rpartition("/")[2]
    return name.removeprefix(f"{document.sha256[:8]}-")


def number_text(value: Any, language: Language) -> str:
    """Return an answer as people write it: ``1.234.567`` and ``7,5``, in English ``1,234,567`` and ``7.5``."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return "" if value is None else str(value)
    whole = f"{value:,.2f}".rstrip("0").rstrip(".") if value != int(value) else f"{int(value):,}"
    return whole.translate(str.maketrans(",.", ".,")) if language == "vi" else whole


def terms_facts(terms: Terms, *, version: int, language: Language) -> dict[str, Any]:
    """Return the price and its instalments; amounts in VND including VAT."""
    occasions = instalments.occasions(len(terms.instalments))
    return {
        "version": version,
        "net_vnd": terms.net_vnd,
        "vat_percent": number_text(terms.vat_percent, language),
        "vat_vnd": terms.vat_vnd,
        "gross_vnd": terms.gross_vnd,
        "reserve_days": terms.reserve_days,
        "instalments": [
            {"number": number, "percent": number_text(percent, language), "amount_vnd": amount,
             "when": instalments.due_wording(occasion).in_(language)}
            for number, ((percent, amount), occasion) in enumerate(
                zip(terms.instalments, occasions, strict=True), 1
            )
        ],
    }  # fmt: skip


def service_title(form: Mapping[str, Any], language: Language) -> str:
    """Return what the engagement is about: the firm's service, and what the client wants it for."""
    purpose = form["need"]["purpose"]
    return f"{SERVICE.in_(language)} ({purpose})" if purpose else SERVICE.in_(language)


def document_facts(
    case: Case,
    *,
    language: Language,
    number: str,
    version: int,
    terms: Terms | None = None,
    terms_version: int = 1,
    **more: Any,
) -> dict[str, Any]:
    """Return every fact that a document may use. ``terms``: a quote not agreed yet; ``more`` replaces or adds."""
    form, engagement = case.form, case.engagement
    firm = firm_facts(case, language)
    themes = list(process.THEMES)
    questions = sorted(items_for("information", form), key=lambda item: themes.index(item.theme))
    answers = known_answers(case)
    if terms is None and engagement.terms is not None:
        terms = Terms.from_json(engagement.terms)
        terms_version = engagement.terms.get("version", 1)
    signed = engagement.signed or case.today
    rows = timetable(signed, terms.reserve_days, case.calendar) if terms else []
    contract = case.latest("contract")
    work_days = sum(process.STAGES[key].days or 0 for key in ("delivery", "appraisal", "handover"))
    facts: dict[str, Any] = {
        "day": case.today,
        "place": in_language(case.firm["place"], language),
        "number": number,
        "version": version,
        "language": language,
        "engagement": {"id": case.id, "opened": engagement.opened, "title": service_title(form, language)},
        "firm": firm,
        "client": form["client"],
        "referrer": form["referrer"],
        "need": form["need"],
        "finance": form["finance"],
        "interests": form["interests"],
        "monitoring": form["add_ons"].get("monitoring"),
        "questions": [
            {"theme": process.THEMES[item.theme].in_(language), "theme_key": item.theme, "key": item.key,
             "label": item.label.in_(language), "required": item.required, "unit": item.unit}
            for item in questions
        ],
        "due": None,
        "answers": [
            {"theme": process.THEMES[item.theme].in_(language), "label": item.label.in_(language),
             "value": number_text(answers[item.key], language)}
            for item in questions if item.key in answers
        ],
        "answer": {item.key: number_text(answers.get(item.key), language) for item in process.INFORMATION_ITEMS},
        "missing": [item.label.in_(language) for item in questions
                    if item.key not in answers and item.kind != "file"],
        "papers": received_papers(case, language),
        "reasons": [],
        "contradictions": [],
        "terms": terms_facts(terms, version=terms_version, language=language) if terms else None,
        "message": "",
        "timetable": [
            {"stage": row.stage, "title": row.title.in_(language), "days": row.days, "start": row.start,
             "end": row.end, "reserve": row.reserve}
            for row in rows
        ],
        "work_days": work_days,
        "total_days": work_days + (terms.reserve_days if terms else 0),
        "promised": engagement.promised or (
            promised_date(signed, terms.reserve_days, case.calendar) if terms else None),
        "promised_before": None,
        "lost_days": 0,
        "contract": {"number": contract.number, "day": engagement.signed} if contract else None,
        "delivered": engagement.delivered,
        "instalment": None,
        "model": None,
        "appraisal": None,
        "deliverables": [],
        "changes": [],
        "meeting": None,
        "visit": None,
    }  # fmt: skip
    unknown = set(more) - set(facts)
    if unknown:
        raise KeyError(f"no document knows the facts {sorted(unknown)}")
    facts |= more
    return {**facts, "working_days": _working_days(facts["timetable"], case.calendar)}


def _working_days(timetable: Sequence[Mapping[str, Any]], calendar: WorkingCalendar) -> list[date]:
    """Return the days that charts and plans of a timetable are laid on."""
    if not timetable:
        return []
    first, last = min(row["start"] for row in timetable), max(row["end"] for row in timetable)
    return calendar.days(first - ONE_DAY, last)


def mail_facts(case: Case, *, language: Language, recipient_name: str, **more: Any) -> dict[str, Any]:
    """Return every fact that a mail about an engagement may use; ``more`` replaces."""
    client = case.form["client"]
    about = {
        "engagement": {"id": case.id},
        "client": {"name": client["name"], "contact": {"name": client["contact"]["name"]}},
        "promised": case.engagement.promised,
        "day": case.today,
    }
    return firm_mail_facts(case.firm, language, recipient_name=recipient_name, **{**about, **more})


def firm_mail_facts(
    firm: Mapping[str, Any], language: Language, *, recipient_name: str, **more: Any
) -> dict[str, Any]:
    """Return every fact that a mail may use, those of an engagement empty; ``more`` replaces."""
    own = in_language(firm, language)
    facts: dict[str, Any] = {
        "recipient_name": recipient_name,
        "firm": {
            **{key: own[key] for key in ("name", "short_name", "phone", "email", "website")},
            "account_manager": own["staff"]["account_manager"],
        },
        "engagement": {"id": ""},
        "client": {"name": "", "contact": {"name": ""}},
        "stage_title": "",
        "due": None,
        "days_left": None,
        "missing": [],
        "received": [],
        "files": [],
        "set_aside": [],
        "set_aside_more": 0,
        "questions": [],
        "items": [],
        "meeting": None,
        "terms": None,
        "instalment": None,
        "promised": None,
        "promised_before": None,
        "lost_days": 0,
        "reason": "",
        "reasons": [],
        "changes": [],
        "attachments": [],
        "round": 1,
        "visit": None,
        "request_title": "",
        "level": "",
        "overdue_days": 0,
        "topics": [],
        "topic_links": [],
        "portal_link": "",
        "work_page": "",
        "second": None,
        "digest": [],
        "day": None,
    }
    unknown = set(more) - set(facts)
    if unknown:
        raise KeyError(f"no mail knows the facts {sorted(unknown)}")
    return {**facts, **more}

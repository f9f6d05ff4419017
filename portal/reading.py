"""What the register knows about a link's request, as a page shows it. Nothing here writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.casework.desks import REQUEST_DESKS
from include.casework.facts import document_title, file_name
from include.engagement import process
from include.engagement.items import item_named
from include.engagement.process import Item, Language
from include.portal_links import Link, person_of
from include.register.models import Document, Engagement, Mail, Request, RequestItem, StagePeriod

# The mail that asks for each kind of request: what it carries can be fetched here too.
ASKING_MAIL = {"information": "information_request", "quote": "quote", "contract": "contract", "handover": "handover",
               "monitoring": "monitoring_form", "evaluation": "evaluation"}  # fmt: skip
_DELIVERABLES = ("business_plan", "financial_model")


class Unknown(Exception):
    """The link's request is not there."""


class Revoked(Exception):
    """The link was good once: it was revoked, or the client has another address now."""


@dataclass(frozen=True)
class AskedItem:
    """One item of a request and where it stands; ``value`` is what was answered so far."""

    row: Item
    required: bool
    state: str
    reason: str
    value: str


@dataclass(frozen=True)
class StageSeen:
    """A stage as a client sees it: ``state`` is done, now or next."""

    title: str
    state: str


@dataclass(frozen=True)
class Asked:
    """A request as its page shows it."""

    engagement_id: str
    language: Language
    client: str
    key: str
    kind: str
    title: str
    status: str
    asked: date
    due: date
    answered: date | None
    reply: Mapping[str, Any]
    items: Sequence[AskedItem]
    decisions: Sequence[str]
    stages: Sequence[StageSeen]
    promised: date | None
    documents: Sequence[Document] = field(default_factory=tuple)

    @property
    def file_items(self) -> list[AskedItem]:
        """The items that are answered by files."""
        return [item for item in self.items if item.row.kind == "file"]


def asked(session: Session, link: Link) -> Asked:
    """Return the request that a link opens. Raises Unknown, Revoked."""
    engagement = session.get(Engagement, link.engagement_id)
    request = session.scalar(
        select(Request).where(Request.engagement_id == link.engagement_id, Request.key == link.request_key)
    )
    if engagement is None or request is None or request.of != "client":
        raise Unknown
    address = engagement.form["client"]["contact"]["email"]
    if link.version != engagement.link_version or link.person != person_of(address):
        raise Revoked
    language: Language = "en" if engagement.language == "en" else "vi"
    row = process.REQUESTS[request.kind]
    return Asked(
        engagement_id=engagement.id, language=language, client=engagement.form["client"]["name"], key=request.key,
        kind=request.kind, title=row.title.in_(language), status=request.status, asked=request.asked, due=request.due,
        answered=request.answered, reply=request.reply or {}, items=_items(session, request),
        decisions=REQUEST_DESKS[request.kind].replies(request.round), stages=_stages(session, engagement, language),
        promised=engagement.promised, documents=_documents(session, request),
    )  # fmt: skip


def _items(session: Session, request: Request) -> list[AskedItem]:
    rows = {item.key: item for item in process.REQUESTS[request.kind].items}
    found = session.scalars(select(RequestItem).where(RequestItem.request_id == request.id))
    by_key = {item.key: item for item in found}
    asked_for = [key for key in rows if key in by_key] + [key for key in by_key if key not in rows]
    items = []
    for key in asked_for:
        item = by_key[key]
        value = (item.value or {}).get("value")
        items.append(AskedItem(rows.get(key) or item_named(key), item.required, item.state, item.reason or "",
                               "" if value is None else str(value)))  # fmt: skip
    themes = list(process.THEMES)
    return sorted(items, key=lambda item: themes.index(item.row.theme))


def _stages(session: Session, engagement: Engagement, language: Language) -> list[StageSeen]:
    periods = session.scalars(select(StagePeriod).where(StagePeriod.engagement_id == engagement.id)).all()
    seen = []
    for stage in process.STAGES.values():
        own = [period for period in periods if period.stage == stage.key]
        if not own and stage.key == "monitoring" and not engagement.form["add_ons"].get("monitoring"):
            continue
        state = "next" if not own else "now" if any(period.closed is None for period in own) else "done"
        seen.append(StageSeen(stage.title.in_(language), state))
    return seen


def _documents(session: Session, request: Request) -> list[Document]:
    """Return the papers that went out with the mail that asks, as they stand, PDF before Word."""
    template = ASKING_MAIL.get(request.kind)
    if template is None:
        return []
    sent = session.scalar(
        select(Mail.id)
        .where(Mail.engagement_id == request.engagement_id, Mail.template == template, Mail.state == "sent")
        .limit(1)
    )
    if sent is None:
        return []
    found = []
    for key in process.MAILS[template].attachments:
        if process.DOCUMENTS[key].audience != "client":
            continue
        delivered = _latest(session, request.engagement_id, f"received/{key}") if key in _DELIVERABLES else None
        document = delivered or _latest(session, request.engagement_id, key)
        if document is None:
            continue
        pdf = _latest(session, request.engagement_id, f"{document.key}/pdf")
        found.append(pdf if pdf is not None and pdf.version == document.version else document)
    return found


def _latest(session: Session, engagement_id: str, key: str) -> Document | None:
    return session.scalar(
        select(Document)
        .where(Document.engagement_id == engagement_id, Document.key == key)
        .order_by(Document.version.desc())
        .limit(1)
    )


def shown_documents(seen: Asked) -> list[dict[str, Any]]:
    """Return what a page says of the papers that can be fetched; sizes in kB."""
    return [
        {"id": document.id, "title": document_title(document, seen.language),
         "name": file_name(document, seen.language), "kb": max(1, round(document.size / 1024))}
        for document in seen.documents
    ]  # fmt: skip

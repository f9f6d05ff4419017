"""Mails about an engagement: who gets them, what they say, what goes with them; each reason once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from include import clock
from include.casework.consistency import check_consistent
from include.casework.facts import document_title, file_name, in_language, mail_facts
from include.casework.office import Case
from include.engagement import process
from include.engagement.errors import RuleBroken
from include.engagement.process import Language
from include.mail.invitation import invitation
from include.mail.message import Attachment, build_message
from include.mail.templates import render_mail
from include.portal_links import link_for
from include.register.models import Document, Mail, Request

MEETING_MINUTES = 60


def addressee(case: Case, role: str) -> tuple[str, str]:
    """Return name and address of ``role``: the client's contact, or staff; ``council.chair`` is a member."""
    if role == "client":
        contact = case.form["client"]["contact"]
        return contact["name"], contact["email"]
    person: Any = case.firm["staff"]
    for part in role.split("."):
        person = person[part]
    return person["name"], person["email"]


def post(
    case: Case,
    template: str,
    occasion: str,
    *,
    to: str | None = None,
    request: Request | None = None,
    documents: Sequence[Document] = (),
    stage: str | None = None,
    calendar: bytes | None = None,
    **facts: Any,
) -> Mail:
    """Send a mail for an occasion, once per recipient; what cannot go now goes later, and holds up nothing.

    With ``request``, answers to the mail go to that request: its Reply-To carries engagement and request, and a mail
    that asks the client for something links to the portal. The link is a key: it stands in the mail and nowhere else.
    A document goes as the PDF that was made of it. Raises ValueError for a document of the firm that
    ``process.MAILS`` does not name with this mail, RuleBroken once the engagement was ended by hand (staff still get
    notices that belong to no stage), FactsDiffer when papers contradict each other, and what
    ``include.mail.ledger.MailLedger.post`` raises.
    """
    row = process.MAILS[template]
    for document in documents:
        if document.direction == "made" and document.key not in row.attachments:
            raise ValueError(f"{document.key} does not go with the mail {template}")
    documents = [case.pdf(document) or document for document in documents]
    check_consistent(case, documents)
    role = to or row.to
    if (role == "client" or row.stage) and case.ended:
        raise RuleBroken(f"Hồ sơ {case.id} đã dừng: không gửi thư nào nữa.")
    name, address = addressee(case, role)
    language: Language = case.language if role == "client" else "vi"
    if request is not None:
        title = process.REQUESTS[request.kind].title.in_(language)
        facts = {"due": request.due, "request_title": title, **facts}
    stage = stage or row.stage or (request.stage if request else "")
    facts = {
        "stage_title": process.STAGES[stage].title.in_(language) if stage else "",
        "attachments": [document_title(document, language) for document in documents],
        "portal_link": portal_link(case, request) if role == "client" else "",
        **facts,
    }
    rendered = render_mail(
        template, language=language, facts=mail_facts(case, language=language, recipient_name=name, **facts)
    )

    def build(message_id: str, references: Sequence[str]) -> bytes:
        return build_message(
            sender=in_language(case.firm["mail"]["sender"], language),
            to=(name, address),
            reply_to=reply_address(case, request),
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            message_id=message_id,
            references=references,
            date=written_at(case),
            attachments=[attachment(case, document, language) for document in documents],
            auto_submitted=True,
            calendar=calendar,
        )

    return case.office.ledger.post(
        key=f"{case.id}/{occasion}/{address}",
        engagement_id=case.id,
        template=template,
        stage=stage,
        recipient=address,
        day=case.today,
        subject=rendered.subject,
        build=build,
    )


def posted(case: Case, occasion: str) -> Mail | None:
    """Return the mail for this occasion, once it is composed; a claim without a mail may be taken back."""
    key = Mail.key.like(f"{case.id}/{occasion}/%")
    return case.session.scalar(
        select(Mail).where(Mail.engagement_id == case.id, key, Mail.path.is_not(None)).limit(1)
    )


def meeting_invitation(case: Case, occasion: str, *, summary: str, at: datetime, place: str) -> bytes:
    """Return the iCalendar invitation of the client to a meeting of an hour with the account manager."""
    manager = case.firm["staff"]["account_manager"]
    name, address = addressee(case, "client")
    return invitation(
        uid=f"{case.id}-{occasion}@{str(case.firm['mail']['reply_to']).rpartition('@')[2]}",
        summary=f"{summary} – {case.id}",
        description=summary,
        start=at,
        minutes=MEETING_MINUTES,
        place=place,
        organizer=(manager["email"], manager["name"]),
        attendee=(address, name),
        stamp=written_at(case),
    )


def reply_address(case: Case, request: Request | None) -> str:
    """Return where answers go: ``hoso+KHV-2026-0042.information@…``, or the office's own address."""
    local, _, domain = str(case.firm["mail"]["reply_to"]).rpartition("@")
    tag = f"+{case.id}.{request.key}" if request else f"+{case.id}"
    return f"{local}{tag}@{domain}"


def portal_link(case: Case, request: Request | None) -> str:
    """Return the address at which the client answers ``request``; empty: not open, not theirs, or no portal here."""
    settings = case.office.settings
    if settings.portal_url is None or request is None or request.of != "client" or request.status != "open":
        return ""
    _, address = addressee(case, "client")
    return link_for(
        case.id, request.key, address, case.engagement.link_version,
        public_url=settings.portal_url, keys=settings.portal_keys,
    )  # fmt: skip


def written_at(case: Case) -> datetime:
    """Return the date of a mail of this case."""
    return dated(case.today, clock.now())


def dated(day: date, instant: datetime) -> datetime:
    """Return ``instant``; by a rehearsal's calendar, its time of day on ``day``."""
    local = instant.astimezone(clock.ZONE)
    return local if local.date() == day else datetime.combine(day, local.time().replace(microsecond=0), clock.ZONE)


def attachment(case: Case, document: Document, language: Language) -> Attachment:
    """Return a stored document as an attachment, under a name that people understand."""
    return Attachment(
        name=file_name(document, language), data=case.office.storage.get(document.path),
        media_type=document.media_type,
    )  # fmt: skip

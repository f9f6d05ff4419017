"""One engagement: where it stands, what was asked, made, sent and decided."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Annotated, Literal, cast
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import select

from include.casework.facts import document_title, file_name
from include.casework.interventions import assign_file
from include.casework.office import PDF_OF, Case
from include.casework.reminders import reminders_paused
from include.casework.signing import refuse_reopening
from include.casework.work import form_page, wait_page
from include.engagement import process
from include.engagement.errors import RuleBroken
from include.engagement.process import Language
from include.register.models import Document, Event, Mail, ReserveEntry, ScheduledRun, SignOff, StagePeriod
from include.register.models import Request as Asked
from include.storage import safe_name
from plugins.operations.access import DAG_ID, Signed
from plugins.operations.event_words import words
from plugins.operations.page import back_to, download, language, office, shown
from plugins.operations.timeline import LEFT, ROW, TOP, WIDTH, picture

router = APIRouter(prefix="/e/{engagement_id}")
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
_LINK = re.compile(r"(https?://\S+?/r/)[\w.-]+")


@dataclass(frozen=True)
class Paper:
    """A document of the firm in one version, and the PDF that was made of it."""

    row: Document
    title: str
    pdf: Document | None
    newest: bool
    reproducible: bool


@dataclass(frozen=True)
class Decision:
    """A sign-off, Airflow's form for it while it waits, and whether it can still be decided anew."""

    row: SignOff
    gate: process.SignOff
    form: str
    may_reopen: bool


@router.get("")
def page(request: Request, engagement_id: str) -> Response:
    """Show the engagement."""
    now = cast(Language, language(request))
    with office().look(engagement_id) as case:
        session, mine, reserve = case.session, engagement_id, case.reserve()
        requests = session.scalars(select(Asked).where(Asked.engagement_id == mine).order_by(Asked.id)).all()
        documents = session.scalars(select(Document).where(Document.engagement_id == mine).order_by(Document.id)).all()
        events = session.scalars(select(Event).where(Event.engagement_id == mine).order_by(Event.id.desc())).all()
        periods = session.scalars(
            select(StagePeriod).where(StagePeriod.engagement_id == mine).order_by(StagePeriod.id)
        ).all()
        paused = reminders_paused(case)
        return shown(
            request, "engagement.html", engagement=case.engagement, today=case.today, reserve=reserve,
            ended=case.ended, paused=paused,
            drawn=picture(case.engagement, periods, _first_asked(requests, events), spent=reserve["spent"],
                          today=case.today, calendar=case.calendar),
            scale={"width": WIDTH, "left": LEFT, "row": ROW, "top": TOP},
            requests=[
                {"row": row, "title": process.REQUESTS[row.kind].title,
                 "wait": wait_page(mine, row.kind, row.round),
                 "items": [(item, _label(row.kind, item.key, now)) for item in case.items(row)]}
                for row in requests
            ],
            papers=_papers(documents, now),
            received=[(row, _came_as(row)) for row in documents
                      if row.key.startswith(("received/", "evidence/")) and row.key != "received/reply"],
            mails=session.scalars(select(Mail).where(Mail.engagement_id == mine).order_by(Mail.id)).all(),
            decisions=_decisions(case), members={member.key: member.title.in_(now) for member in process.COUNCIL},
            entries=session.scalars(
                select(ReserveEntry).where(ReserveEntry.engagement_id == mine).order_by(ReserveEntry.id)
            ).all(),
            planned=session.scalars(
                select(ScheduledRun).where(ScheduledRun.engagement_id == mine).order_by(ScheduledRun.id)
            ).all(),
            events=[(row, *words(row, now)) for row in events],
            outcomes=process.OUTCOMES, airflow=_airflow(request), run=f"/dags/{DAG_ID}/runs/{mine}",
        )  # fmt: skip


@router.get("/documents/{document_id}")
def document(engagement_id: str, document_id: int) -> Response:
    """Hand out a document of the engagement that was not set aside."""
    desk = office()
    with desk.sessions() as session:
        row = session.get(Document, document_id)
        if row is None or row.engagement_id != engagement_id or row.key.startswith("quarantined/"):
            raise HTTPException(404)
        name = file_name(row, "vi") if row.direction == "made" else row.path.rpartition("/")[2]
        return download(desk.storage.get(row.path), name)


@router.get("/documents/{document_id}/view")
def view(engagement_id: str, document_id: int) -> Response:
    """Show a PDF that the firm made, in the browser. What came from outside is never shown."""
    desk = office()
    with desk.sessions() as session:
        row = session.get(Document, document_id)
        if row is None or row.engagement_id != engagement_id or not _can_be_shown(row):
            raise HTTPException(404)
        return inline_pdf(desk.storage.get(row.path), file_name(row, "vi"))


@router.get("/documents/{document_id}/again")
def again(engagement_id: str, document_id: int) -> Response:
    """Make a Word document once more from its template and facts, byte for byte as it was made, and hand it out."""
    with office().look(engagement_id) as case:
        row = case.session.get(Document, document_id)
        if row is None or row.engagement_id != engagement_id or row.direction != "made":
            raise HTTPException(404)
        return download(case.made_again(row), file_name(row, "vi"))


@router.get("/mails/{mail_id}")
def mail(request: Request, engagement_id: str, mail_id: int) -> Response:
    """Show a mail as it was sent; the client's link in it is left out: it is the client's key."""
    row, message = _kept(engagement_id, mail_id)
    files = [part.get_filename() or "" for part in message.iter_attachments()]
    return shown(request, "mail.html", row=row, text=_body(message, "plain"), html=bool(_body(message, "html")),
                 files=files)  # fmt: skip


@router.get("/mails/{mail_id}/html")
def mail_html(engagement_id: str, mail_id: int) -> Response:
    """Hand out what a mail program shows of a mail, for a frame in which nothing runs, opens or is loaded."""
    _, message = _kept(engagement_id, mail_id)
    return Response(_body(message, "html"), media_type="text/html",
                    headers={"Content-Security-Policy": MAIL_POLICY})  # fmt: skip


def _kept(engagement_id: str, mail_id: int) -> tuple[Mail, EmailMessage]:
    """Return a mail of the engagement as it was composed. Raises HTTPException 404."""
    desk = office()
    with desk.sessions() as session:
        row = session.get(Mail, mail_id)
        if row is None or row.engagement_id != engagement_id or row.path is None:
            raise HTTPException(404)
        return row, message_from_bytes(desk.storage.get(row.path), policy=default)


def _body(message: EmailMessage, kind: Literal["plain", "html"]) -> str:
    body = message.get_body((kind,))
    return _LINK.sub(r"\1…", str(body.get_content())) if body else ""


@router.post("/files/{document_id}/assign")
def assign(
    request: Request, engagement_id: str, document_id: int, person: Signed, item: Annotated[str, Form()]
) -> Response:
    """Say which item a file is."""
    with office().case(engagement_id) as case:
        assign_file(case, document_id, item, by=person.name)
    return back_to(request, "/waiting", "assigned")


def inline_pdf(data: bytes, name: str) -> Response:
    """Return a PDF of ours that a browser shows by itself, and in no page of anybody's."""
    return Response(
        data, media_type="application/pdf",
        headers={
            "Content-Disposition": f"inline; filename*=UTF-8''{quote(safe_name(name))}",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
        },
    )  # fmt: skip


def _airflow(request: Request) -> str:
    """Return the path below which Airflow serves its own pages."""
    return str(request.scope.get("root_path", "")).rpartition("/")[0]


def _can_be_shown(row: Document) -> bool:
    return row.direction == "made" and row.media_type == "application/pdf"


def _papers(documents: Sequence[Document], now: Language) -> list[Paper]:
    made = [row for row in documents if row.direction == "made" and not row.key.endswith(PDF_OF)]
    pdfs = {(row.key.removesuffix(PDF_OF), row.version): row for row in documents if row.key.endswith(PDF_OF)}
    newest = {row.key: row.version for row in made}
    rows = process.DOCUMENTS
    return [
        Paper(row, document_title(row, now), pdfs.get((row.key, row.version)),
              row.version == newest[row.key] or (row.key in rows and rows[row.key].each is not None),
              row.key in rows and rows[row.key].format == "docx" and row.template_sha256 is not None)
        for row in made
    ]  # fmt: skip


def _came_as(row: Document) -> str:
    return row.path.rpartition("/")[2]


def _decisions(case: Case) -> list[Decision]:
    rows = case.session.scalars(select(SignOff).where(SignOff.engagement_id == case.id).order_by(SignOff.id))
    found = []
    for row in rows:
        waits = row.decision is None and row.ended is None
        form = form_page(case.id, row.gate, row.round, row.who) if waits else ""
        found.append(Decision(row, process.SIGN_OFFS[row.gate], form, _may_reopen(case, row)))
    return found


def _may_reopen(case: Case, row: SignOff) -> bool:
    if row.decision is None or row.ended is not None:
        return False
    try:
        refuse_reopening(case, row.gate, row.round, row.who)
    except RuleBroken:
        return False
    return True


def _first_asked(requests: Sequence[Asked], events: Sequence[Event]) -> list[tuple[Asked, date]]:
    days = {event.facts.get("request"): event.day for event in events if event.kind == "asked"}
    return [(row, days.get(row.key, row.asked)) for row in requests]


def _label(kind: str, key: str, now: Language) -> str:
    return next((item.label.in_(now) for item in process.REQUESTS[kind].items if item.key == key), key)

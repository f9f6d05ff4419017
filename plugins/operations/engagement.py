"""One engagement: where it stands, what was asked, made, sent and decided."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.policy import default
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import select

from include.casework.facts import document_title, file_name
from include.casework.interventions import assign_file, revoke_links, send_link
from include.engagement import process
from include.register.models import Document, Event, Mail, ReserveEntry, ScheduledRun, SignOff, StagePeriod
from include.register.models import Request as Asked
from plugins.operations.access import DAG_ID, Signed
from plugins.operations.page import back_to, download, office, shown

router = APIRouter(prefix="/e/{engagement_id}")
_LINK = re.compile(r"(https?://\S+?/r/)[\w.-]+")


@router.get("")
def page(request: Request, engagement_id: str) -> Response:
    """Show the engagement."""
    desk = office()
    with desk.case(engagement_id) as case:
        session, mine = case.session, engagement_id
        requests = session.scalars(select(Asked).where(Asked.engagement_id == mine).order_by(Asked.id)).all()
        documents = session.scalars(select(Document).where(Document.engagement_id == mine).order_by(Document.id)).all()
        return shown(
            request, "engagement.html", engagement=case.engagement, today=case.today, reserve=case.reserve(),
            periods=session.scalars(
                select(StagePeriod).where(StagePeriod.engagement_id == mine).order_by(StagePeriod.id)
            ).all(),
            stages=process.STAGES,
            requests=[
                {"row": row, "title": process.REQUESTS[row.kind].title,
                 "items": [(item, _label(row.kind, item.key)) for item in case.items(row)]}
                for row in requests
            ],
            documents=[
                {"row": row, "title": document_title(row, "vi")} for row in documents if row.direction == "made"
            ],
            received=[row for row in documents if row.key.startswith("received/")],
            mails=session.scalars(select(Mail).where(Mail.engagement_id == mine).order_by(Mail.id)).all(),
            sign_offs=[
                (row, process.SIGN_OFFS[row.gate])
                for row in session.scalars(select(SignOff).where(SignOff.engagement_id == mine).order_by(SignOff.id))
            ],
            entries=session.scalars(
                select(ReserveEntry).where(ReserveEntry.engagement_id == mine).order_by(ReserveEntry.id)
            ).all(),
            planned=session.scalars(
                select(ScheduledRun).where(ScheduledRun.engagement_id == mine).order_by(ScheduledRun.id)
            ).all(),
            events=session.scalars(select(Event).where(Event.engagement_id == mine).order_by(Event.id.desc())).all(),
            outcomes=process.OUTCOMES, run=f"/dags/{DAG_ID}/runs/{mine}",
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


@router.get("/mails/{mail_id}")
def mail(request: Request, engagement_id: str, mail_id: int) -> Response:
    """Show a mail as plain text; the client's link in it is left out: it is the client's key."""
    desk = office()
    with desk.sessions() as session:
        row = session.get(Mail, mail_id)
        if row is None or row.engagement_id != engagement_id or row.path is None:
            raise HTTPException(404)
        message = message_from_bytes(desk.storage.get(row.path), policy=default)
    body = message.get_body(("plain",))
    text = _LINK.sub(r"\1…", str(body.get_content())) if body else ""
    files = [part.get_filename() or "" for part in message.iter_attachments()]
    return shown(request, "mail.html", row=row, text=text, files=files)


@router.post("/links/revoke")
def revoke(request: Request, engagement_id: str, person: Signed, reason: Annotated[str, Form()] = "") -> Response:
    """Make the client's links worthless."""
    with office().case(engagement_id) as case:
        revoke_links(case, by=person.name, reason=reason)
    return back_to(request, f"/e/{engagement_id}", "revoked")


@router.post("/requests/{key}/link")
def new_link(request: Request, engagement_id: str, key: str, person: Signed) -> Response:
    """Send the client a new link."""
    with office().case(engagement_id) as case:
        send_link(case, key, by=person.name)
    return back_to(request, f"/e/{engagement_id}", "link")


@router.post("/files/{document_id}/assign")
def assign(
    request: Request, engagement_id: str, document_id: int, person: Signed, item: Annotated[str, Form()]
) -> Response:
    """Say which item a file is."""
    with office().case(engagement_id) as case:
        assign_file(case, document_id, item, by=person.name)
    return back_to(request, "/waiting", "assigned")


def _label(kind: str, key: str) -> str:
    return next((item.label.vi for item in process.REQUESTS[kind].items if item.key == key), key)

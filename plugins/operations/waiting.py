"""Mails and files that wait for people: what no program should decide by itself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from include.casework import mailbox
from include.casework.interventions import UNASSIGNED
from include.casework.matching import REASONS
from include.casework.office import Office
from include.engagement import process
from include.engagement.items import FILE_PROBLEMS
from include.mail.incoming import read_mail
from include.mail.ledger import STOPPED, pause, resume
from include.register.models import (
    Document,
    Engagement,
    Event,
    IncomingMail,
    Installation,
    Mail,
    UndeliverableAddress,
)
from include.register.models import Request as Asked
from plugins.operations.access import Signed
from plugins.operations.page import back_to, download, office, shown

router = APIRouter()
NEWEST = 200  # rows of a list that only grows


@router.get("/waiting")
def waiting(request: Request) -> Response:
    """Show everything that waits for people."""
    with office().sessions() as session:
        return shown(
            request, "waiting.html",
            incoming=_incoming(session), quarantined=_quarantined(session), unassigned=_unassigned(session),
            addresses=session.scalars(select(UndeliverableAddress).order_by(UndeliverableAddress.id)).all(),
            stopped=_mails(session, STOPPED), queued=_mails(session, ("claimed", "handed_over")),
            switch=session.get(Installation, 1),
        )  # fmt: skip


@router.get("/incoming/{row_id}")
def incoming(request: Request, row_id: int) -> Response:
    """Show a message that waits: its words as plain text, its files by name."""
    desk = office()
    with desk.sessions() as session:
        row = _kept(session, row_id)
        arrived = read_mail(desk.storage.get(row.path)) if row.path else None
        likely = row.engagement_id or ""
        open_ = session.execute(
            select(Asked, Engagement).join(Engagement, Engagement.id == Asked.engagement_id)
            .where(Asked.status == "open", Asked.of == "client").order_by(Engagement.id.desc(), Asked.id)
        ).all()  # fmt: skip
        choices = sorted(
            ({"value": f"{asked.engagement_id}/{asked.key}", "mine": asked.engagement_id == likely,
              "words": f"{asked.engagement_id} · {each.form['client']['name']} · "
                       f"{process.REQUESTS[asked.kind].title.vi}"} for asked, each in open_),
            key=lambda choice: not choice["mine"],
        )  # fmt: skip
        return shown(request, "incoming.html", row=row, arrived=arrived, choices=choices,
                     why=REASONS.get(row.reason, row.reason))  # fmt: skip


@router.get("/incoming/{row_id}/raw")
def incoming_raw(row_id: int, person: Signed) -> Response:
    """Hand out the message as it came."""
    _acting(person)
    desk = office()
    with desk.sessions() as session:
        row = _kept(session, row_id)
        if row.path is None:
            raise HTTPException(404)
        return download(desk.storage.get(row.path), f"thu-den-{row.id}.eml")


@router.post("/incoming/{row_id}/file")
def file_incoming(request: Request, row_id: int, person: Signed, to: Annotated[str, Form()]) -> Response:
    """File a message to an engagement's open request, on the word of whoever does it."""
    engagement_id, _, request_key = to.partition("/")
    desk = office()
    mailbox.file_to(desk, row_id, engagement_id, request_key)
    with desk.case(engagement_id) as case:
        case.event("mail_filed_by_staff", key=f"mail_filed_by_staff/{row_id}", incoming=row_id, by=person.name)
        case.session.commit()
    return back_to(request, "/waiting", "filed")


@router.post("/incoming/{row_id}/dismiss")
def dismiss_incoming(request: Request, row_id: int, person: Signed, reason: Annotated[str, Form()] = "") -> Response:
    """Note that a message needs nothing."""
    with office().sessions() as session:
        mailbox.dismiss(session, row_id, reason=f"{reason.strip()} ({person.name})" if reason.strip() else "")
    return back_to(request, "/waiting", "dismissed")


@router.get("/quarantine/{document_id}")
def quarantined_file(document_id: int, person: Signed) -> Response:
    """Hand out a file that was set aside, under a name that no program opens."""
    _acting(person)
    desk = office()
    with desk.sessions() as session:
        row = session.get(Document, document_id)
        if row is None or not row.key.startswith("quarantined/"):
            raise HTTPException(404)
        return download(desk.storage.get(row.path), f"{row.path.rpartition('/')[2]}.quarantine")


@router.post("/addresses/{row_id}/works")
def address_works(request: Request, row_id: int, person: Signed) -> Response:
    """Chase an address again."""
    with office().sessions() as session:
        row = session.get(UndeliverableAddress, row_id)
        if row is not None:
            mailbox.address_works_again(session, row.address)
    return back_to(request, "/waiting", "works")


@router.post("/outgoing/{row_id}/settle")
def settle(
    request: Request, row_id: int, person: Signed, arrived: Annotated[str, Form()], why: Annotated[str, Form()] = ""
) -> Response:
    """Record what a person found out about a mail that stopped."""
    desk = office()
    desk.ledger.settle(_stopped(desk, row_id).key, was_sent=arrived == "yes", by=person.name, why=why.strip()[:500])
    return back_to(request, "/waiting", "settled")


@router.post("/outgoing/{row_id}/redirect")
def redirect(
    request: Request, row_id: int, person: Signed, to: Annotated[str, Form()], why: Annotated[str, Form()] = ""
) -> Response:
    """Send a mail that stopped to another address."""
    desk = office()
    desk.ledger.redirect(_stopped(desk, row_id).key, to=to.strip(), by=person.name, why=why.strip()[:500])
    return back_to(request, "/waiting", "redirected")


@router.post("/mail-switch")
def mail_switch(
    request: Request, person: Signed, to: Annotated[str, Form()], why: Annotated[str, Form()] = ""
) -> Response:
    """Pause all mail of the installation, or let it go again."""
    with office().sessions() as session:
        if to == "pause":
            pause(session, by=person.name, why=why.strip()[:500])
        else:
            resume(session)
    return back_to(request, "/waiting", "paused" if to == "pause" else "resumed")


def _acting(person: Any) -> None:
    if not person.may_act:
        raise HTTPException(403, "acting")


def _kept(session: Session, row_id: int) -> IncomingMail:
    row = session.get(IncomingMail, row_id)
    if row is None:
        raise HTTPException(404)
    return row


def _stopped(desk: Office, row_id: int) -> Mail:
    with desk.sessions() as session:
        row = session.get(Mail, row_id)
        if row is None or row.state not in STOPPED:
            raise HTTPException(404)
        return row


def _incoming(session: Session) -> list[dict[str, Any]]:
    return [{"row": row, "why": REASONS.get(row.reason, row.reason), "who": _company(session, row.engagement_id)}
            for row in mailbox.triage(session)]  # fmt: skip


def _quarantined(session: Session) -> list[dict[str, Any]]:
    events = session.execute(
        select(Event, Document).join(
            Document, (Document.engagement_id == Event.engagement_id) & (Document.path == Event.facts["path"].astext)
        ).where(Event.kind == "quarantined").order_by(Event.id.desc()).limit(NEWEST)
    )  # fmt: skip
    return [
        {"document": document, "name": event.facts["name"], "item": event.facts["item"],
         "why": FILE_PROBLEMS.get(event.facts["code"]),
         "code": event.facts["code"], "who": _company(session, event.engagement_id)}
        for event, document in events
    ]  # fmt: skip


def _unassigned(session: Session) -> list[dict[str, Any]]:
    assigned = select(Event.key).where(Event.kind == "file_assigned")
    done = {key.rpartition("/")[2] for key in session.scalars(assigned)}
    rows = session.execute(
        select(Document, Asked)
        .join(Asked, Asked.engagement_id == Document.engagement_id)
        .where(Document.key == UNASSIGNED, Asked.status == "open",
               Document.path.contains("/received/" + Asked.key + "/", autoescape=False))
        .order_by(Document.id.desc()).limit(NEWEST)
    )  # fmt: skip
    return [
        {"document": document, "request": asked, "who": _company(session, document.engagement_id),
         "name": document.path.rpartition("/")[2].partition("-")[2],
         "items": [item for item in process.REQUESTS[asked.kind].items if item.kind == "file"]}
        for document, asked in rows if str(document.id) not in done
    ]  # fmt: skip


def _mails(session: Session, states: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = session.scalars(
        select(Mail).where(Mail.state.in_(states), Mail.path.is_not(None)).order_by(Mail.id).limit(NEWEST)
    )
    return [{"row": row, "who": _company(session, row.engagement_id)} for row in rows]


def _company(session: Session, engagement_id: str | None) -> str:
    engagement = session.get(Engagement, engagement_id) if engagement_id else None
    return str(engagement.form["client"]["name"]) if engagement else ""

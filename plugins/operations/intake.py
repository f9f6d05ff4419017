"""A new engagement: the intake form that staff fill in, its drafts, and the warning of a client who is known."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from include.casework.drafts import Submission, delete_draft, drafts, save_draft, submit
from include.engagement.form import ENTRIES, FIELDS
from include.engagement.intake import SECTIONS
from include.register.models import Draft
from plugins.operations.access import Acting, Posted, Signed
from plugins.operations.page import back_to, office, shown

router = APIRouter()
LONGEST_NONCE = 100


@router.get("/new")
def new(request: Request, person: Acting, draft: int | None = None) -> Response:
    """Show an empty form, or a draft to go on with."""
    if draft is None:
        return _form(request, secrets.token_urlsafe(16), {"language": "vi"})
    with office().sessions() as session:
        row = session.get(Draft, draft)
    if row is None:
        raise HTTPException(404)
    if row.engagement_id is not None:
        return back_to(request, f"/e/{row.engagement_id}", "opened")
    return _form(request, row.nonce, row.entries)


@router.post("/new")
def take(request: Request, person: Signed, form: Posted) -> Response:
    """Keep the form as a draft, or register it: what is sent twice is one engagement."""
    nonce = str(form.get("nonce", ""))[:LONGEST_NONCE] or secrets.token_urlsafe(16)
    entries = {path: str(form.get(path, "")) for path in ENTRIES}
    if form.get("act") == "save":
        registered = save_draft(office(), nonce, entries, by=person.name)
        return back_to(request, f"/e/{registered}", "opened") if registered else back_to(request, "/new", "saved")
    accepted = str(form.get("accepted", "")).split()
    came_of = submit(office(), nonce, entries, by=person.name, accepted=accepted)
    if came_of.engagement_id:
        return back_to(request, f"/e/{came_of.engagement_id}", "opened")
    return _form(request, nonce, entries, came_of, status=422)


@router.post("/drafts/{draft_id}/delete")
def discard(request: Request, draft_id: int, person: Signed) -> Response:
    """Delete a draft."""
    delete_draft(office(), draft_id)
    return back_to(request, "/new", "deleted")


def _form(
    request: Request, nonce: str, entries: Mapping[str, Any], came_of: Submission | None = None, *, status: int = 200
) -> Response:
    with office().sessions() as session:
        kept = drafts(session)
    return shown(
        request, "new.html", status=status, sections=SECTIONS, fields=ENTRIES, nonce=nonce, entries=entries,
        came_of=came_of or Submission(), drafts=kept,
        required=[field.path for field in FIELDS.values() if field.required],
    )  # fmt: skip

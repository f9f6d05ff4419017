"""A new engagement: the intake form that staff fill in, its drafts, and the warning of a client who is known."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from include.casework.drafts import Submission, delete_draft, drafts, save_draft, submit, version_of
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
        return _form(request, secrets.token_urlsafe(16), {"language": "vi"}, version_of({}))
    with office().sessions() as session:
        row = session.get(Draft, draft)
    if row is None:
        raise HTTPException(404)
    if row.engagement_id is not None:
        return back_to(request, f"/e/{row.engagement_id}", "opened")
    return _form(request, row.nonce, row.entries, version_of(row.entries))


@router.post("/new")
def take(request: Request, person: Signed, form: Posted) -> Response:
    """Keep the form as a draft, or register it: what is sent twice is one engagement.

    Of two who go on with one draft, the second is shown what the first saved.
    """
    nonce = str(form.get("nonce", ""))[:LONGEST_NONCE] or secrets.token_urlsafe(16)
    entries = {path: str(form.get(path, "")) for path in ENTRIES}
    seen, saving = str(form.get("seen", "")) or version_of({}), form.get("act") == "save"
    if saving:
        came_of = save_draft(office(), nonce, entries, by=person.name, seen=seen)
    else:
        accepted = str(form.get("accepted", "")).split()
        came_of = submit(office(), nonce, entries, by=person.name, accepted=accepted, seen=seen)
    if came_of.engagement_id:
        return back_to(request, f"/e/{came_of.engagement_id}", "opened")
    if came_of.overtaken:
        return _form(request, nonce, entries, came_of.overtaken.version, came_of, status=409)
    if saving:
        return back_to(request, "/new", "saved")
    return _form(request, nonce, entries, seen, came_of, status=422)


@router.post("/drafts/{draft_id}/delete")
def discard(request: Request, draft_id: int, person: Signed) -> Response:
    """Delete a draft."""
    delete_draft(office(), draft_id)
    return back_to(request, "/new", "deleted")


def _form(
    request: Request, nonce: str, entries: Mapping[str, Any], seen: str, came_of: Submission | None = None, *,
    status: int = 200,
) -> Response:  # fmt: skip
    with office().sessions() as session:
        kept = drafts(session)
    return shown(
        request, "new.html", status=status, sections=SECTIONS, fields=ENTRIES, nonce=nonce, seen=seen, entries=entries,
        came_of=came_of or Submission(), drafts=kept,
        required=[field.path for field in FIELDS.values() if field.required],
    )  # fmt: skip

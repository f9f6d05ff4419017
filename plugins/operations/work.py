"""My work: what waits for whoever is signed in, the oldest first, with the way to the form that settles it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from include.casework.staff import holders, roles_of
from include.casework.work import work
from plugins.operations.access import Signed
from plugins.operations.page import office, shown

router = APIRouter()
MOST = 100  # of a list: what comes first is done first


@router.get("/work")
def mine(request: Request, person: Signed, everybody: bool = False) -> Response:
    """Show it; for somebody whose role the firm does not name, what waits for all of the staff."""
    desk = office()
    firm = desk.settings.firm
    roles = roles_of(firm, person.name)
    everybody = everybody and not person.members
    with desk.sessions() as session:
        found = work(session, today=desk.today, roles=None if everybody or not roles else roles)
    names = {role: str(holder["name"]) for role, holder in holders(firm)}
    return shown(request, "work.html", work=found[:MOST], total=len(found), roles=roles, names=names,
                 everybody=everybody)  # fmt: skip

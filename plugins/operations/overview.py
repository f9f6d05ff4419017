"""The board: all open engagements."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from include.casework.board import SORTS, board
from include.casework.staff import holders
from include.casework.working_days import calendar_in_force
from include.engagement import process
from plugins.operations.access import Signed
from plugins.operations.page import office, shown

router = APIRouter()


@router.get("/")
def overview(
    request: Request,
    person: Signed,
    search: Annotated[str, Query(max_length=200)] = "",
    stage: str = "",
    waiting_on: str = "",
    late: bool = False,
    sort: str = "promised",
    page: int = 1,
) -> Response:
    """Show a page of the board."""
    desk = office()
    with desk.sessions() as session:
        found = board(
            session, today=desk.today, calendar=calendar_in_force(session), search=search,
            stage=stage if stage in process.STAGES else "", waiting_on=waiting_on, late=late,
            sort=sort if sort in SORTS else "promised", page=page, members=person.members,
        )  # fmt: skip
    chosen = {"search": search, "stage": stage, "waiting_on": waiting_on, "late": "true" if late else "",
              "sort": sort}  # fmt: skip

    def turned(**to: object) -> str:
        return "?" + urlencode({name: value for name, value in {**chosen, **to}.items() if value})

    names = {role: str(holder["name"]) for role, holder in holders(desk.settings.firm)}
    return shown(request, "overview.html", board=found, stages=process.STAGES, chosen=chosen, turned=turned,
                 names=names, today=desk.today)  # fmt: skip

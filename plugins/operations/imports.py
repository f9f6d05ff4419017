"""Many new engagements from a sheet: its template, what would come of each row, and opening those that are right."""

from __future__ import annotations

from collections import Counter
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from include.casework.intake_sheets import forget_sheet, open_sheet, read_sheet, report, sheets
from include.engagement.intake import QUESTIONS
from include.engagement.process import Text
from include.register.models import IntakeSheet
from include.settings import load_settings
from plugins.operations.access import Acting, Posted, Signed
from plugins.operations.page import back_to, download, office, shown

router = APIRouter(prefix="/import")
NO_FILE = Text("Xin chọn một tệp .xlsx.", "Please choose an .xlsx file.")


@router.get("")
def start(request: Request, person: Acting) -> Response:
    """Show how to import, and what was imported."""
    return _start(request)


@router.get("/template")
def template(person: Acting) -> Response:
    """Hand out the empty sheet."""
    from include.documents.workbooks.intake_sheet import build

    firm = load_settings().firm
    facts = {"firm": {"name": firm["name"]["vi"], "short_name": firm["short_name"]["vi"]}}
    return download(build(facts), "mau-nhap-ho-so.xlsx")


@router.post("")
def upload(request: Request, person: Signed, form: Posted) -> Response:
    """Read a sheet and show what would come of it; nothing is opened yet."""
    file = form.get("sheet")
    if not isinstance(file, UploadFile) or not file.filename:
        return _start(request, NO_FILE)
    sha256, problem = read_sheet(office(), file.file.read(), file.filename[:200], by=person.name)
    return _start(request, problem) if problem else back_to(request, f"/import/{sha256}")


@router.get("/{sha256}")
def sheet(request: Request, sha256: str, person: Acting) -> Response:
    """Show where each row of a sheet stands."""
    with office().sessions() as session:
        found = session.get(IntakeSheet, sha256)
        if found is None:
            raise HTTPException(404)
        rows = report(session, found)
    return shown(request, "import_sheet.html", sheet=found, rows=rows, counts=Counter(row.state for row in rows),
                 questions=QUESTIONS)  # fmt: skip


@router.post("/{sha256}")
def open_rows(request: Request, sha256: str, person: Signed, form: Posted) -> Response:
    """Open the rows that are right, and those of known clients that were ticked."""
    ticked = {int(value) for value in form.getlist("row") if isinstance(value, str) and value.isdecimal()}
    open_sheet(office(), sha256, by=person.name, on_purpose=ticked)
    return back_to(request, f"/import/{quote(sha256, safe='')}", "opened")


@router.post("/{sha256}/forget")
def forget(request: Request, sha256: str, person: Signed) -> Response:
    """Delete what a sheet says."""
    forget_sheet(office(), sha256)
    return back_to(request, "/import", "forgotten")


def _start(request: Request, problem: Text | None = None) -> Response:
    with office().sessions() as session:
        return shown(request, "import.html", status=422 if problem else 200, problem=problem, sheets=sheets(session))

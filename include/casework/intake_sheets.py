"""Opening many engagements from a sheet: what would come of each row, and then what came of it.

The report of a sheet is worked out from its rows and the register whenever it is looked at, so that it is a preview
before and the result after; a row that is registered stays so, however often its sheet is sent.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from include.casework.drafts import Known, same_tax_code, submit
from include.casework.office import Office
from include.casework.opening import open_twin
from include.engagement.errors import RuleBroken
from include.engagement.form import entered_form, form_digest
from include.engagement.process import Text
from include.register.models import Draft, IntakeSheet
from include.screening import AntivirusFailed, find_antivirus, installed_limits, read_intake_rows, screen

LARGEST = 10 << 20  # bytes
# What screening may find in a sheet, in words for staff; anything else: it cannot be read.
PROBLEMS = {
    "too_large": Text("Tệp lớn hơn 10 MB. Xin chia thành nhiều tệp.",
                      "The file is larger than 10 MB. Please split it into several."),
    "encrypted": Text("Tệp có mật khẩu. Xin bỏ mật khẩu rồi tải lên lại.",
                      "The file has a password. Please remove it and upload the file again."),
    "macros": Text("Tệp có macro nên không được mở. Xin lưu lại ở dạng .xlsx không có macro.",
                   "The file contains macros and is not opened. Please save it as .xlsx without macros."),
    "virus": Text("Phần mềm kiểm tra phát hiện mã độc trong tệp, nên tệp không được mở. Xin báo quản trị viên.",
                  "A virus check raised an alarm on the file, so it is not opened. Please tell the administrator."),
}  # fmt: skip
UNCHECKED = Text("Phần mềm kiểm tra mã độc hiện không chạy nên tệp chưa được mở. Xin báo quản trị viên.",
                 "The virus check does not run, so the file was not opened. Please tell the administrator.")
log = logging.getLogger(__name__)

State = Literal["ready", "opened", "refused", "twin", "repeated", "known"]


@dataclass(frozen=True)
class Row:
    """A row of a sheet and where it stands.

    ``ready`` to be opened; ``opened`` as ``engagement_id``, by this sheet or one like it; ``refused``, with reasons by
    field; ``twin`` of the open engagement ``engagement_id``; ``repeated``: says the same as the row ``like``;
    ``known``: its tax code is that of the engagements ``known`` or of the row ``like``: opened on purpose only.
    """

    number: int
    company: str
    state: State
    engagement_id: str = ""
    refused: dict[str, Text] = field(default_factory=dict)
    known: Sequence[Known] = ()
    like: int = 0


def read_sheet(office: Office, data: bytes, name: str, *, by: str) -> tuple[str, Text | None]:
    """Keep what a sheet says, under the SHA-256 of its file, which is not kept; or say why it cannot be read."""
    from include.documents.workbooks.answer_sheet import UnreadableSheet
    from include.documents.workbooks.intake_rows import DAMAGED

    limits = replace(installed_limits(), file_bytes=LARGEST)
    with tempfile.TemporaryDirectory(prefix="intake-sheet-") as folder:
        path = Path(folder) / "sheet.xlsx"
        path.write_bytes(data)
        try:
            verdict = screen(path, name=name, limits=limits, formats=("xlsx",), antivirus=find_antivirus())
        except AntivirusFailed as error:
            log.error("A sheet was not looked at: %s", error)
            return "", UNCHECKED
        if verdict.code is not None:
            return "", PROBLEMS.get(verdict.code, DAMAGED)
        try:
            rows = read_intake_rows(path, limits=limits)
        except UnreadableSheet as error:
            return "", error.words
    if not rows:
        return "", Text("Bảng chưa có dòng nào được điền.", "No row of the sheet is filled in.")
    sha256 = hashlib.sha256(data).hexdigest()
    with office.sessions.begin() as session:
        kept = insert(IntakeSheet).values(sha256=sha256, name=name, rows=[list(row) for row in rows], read_by=by)
        session.execute(kept.on_conflict_do_nothing())
    return sha256, None


def sheets(session: Session, *, most: int = 20) -> Sequence[IntakeSheet]:
    """Return the sheets that were read last."""
    return session.scalars(select(IntakeSheet).order_by(IntakeSheet.read_at.desc()).limit(most)).all()


def forget_sheet(office: Office, sha256: str) -> None:
    """Delete what a sheet says; what it opened stays open."""
    with office.sessions.begin() as session:
        if (sheet := session.get(IntakeSheet, sha256)) is not None:
            session.delete(sheet)


def report(session: Session, sheet: IntakeSheet) -> list[Row]:
    """Return where each row of a sheet stands now."""
    found: list[Row] = []
    digests: dict[str, int] = {}
    tax_codes: dict[str, int] = {}
    for number, entries in sheet.rows:
        form, refused = entered_form(entries)
        row = Row(number, str(entries.get("client.name", "")), "refused", refused=refused)
        if not refused:
            digest, tax_code = form_digest(form), form["client"]["tax_code"]
            row = _standing(session, row, digest, tax_code, digests.get(digest, 0), tax_codes.get(tax_code, 0))
            digests.setdefault(digest, number)
            if tax_code:
                tax_codes.setdefault(tax_code, number)
        found.append(row)
    return found


def _standing(session: Session, row: Row, digest: str, tax_code: str, repeated: int, like: int) -> Row:
    if repeated:
        return replace(row, state="repeated", like=repeated)
    opened = session.scalar(select(Draft.engagement_id).where(Draft.nonce == _nonce(digest)))
    if opened is not None:
        return replace(row, state="opened", engagement_id=opened)
    if twin := open_twin(session, digest):
        return replace(row, state="twin", engagement_id=twin)
    known = same_tax_code(session, tax_code)
    if known or like:
        return replace(row, state="known", known=known, like=0 if known else like)
    return replace(row, state="ready")


def open_sheet(office: Office, sha256: str, *, by: str, on_purpose: Collection[int] = ()) -> int:
    """Register the rows that are ready, and of those whose client is known the rows ``on_purpose``; return how many.

    Each row is a transaction of its own, done once: broken off, the next call does the rest. Raises RuleBroken for a
    sheet that is not there.
    """
    with office.sessions() as session:
        sheet = session.get(IntakeSheet, sha256)
        if sheet is None:
            raise RuleBroken("Không còn bảng này; xin tải lên lại.")
        rows = report(session, sheet)
    entries = {number: entered for number, entered in sheet.rows}
    count = 0
    for row in rows:
        if row.state != "ready" and not (row.state == "known" and row.number in on_purpose):
            continue
        form, _ = entered_form(entries[row.number])
        accepted = None if row.state == "known" else ()
        came_of = submit(office, _nonce(form_digest(form)), entries[row.number], by=by, accepted=accepted)
        count += bool(came_of.engagement_id)
    return count


def _nonce(digest: str) -> str:
    return f"sheet/{digest}"

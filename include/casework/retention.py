"""How long what is kept: finished engagements are archived, and what nobody works with any more goes.

Archived is not deleted: decisions, events and every paper that was sent or signed stay as they are, for the ten years
that the accounting law (88/2015/QH13) has vouchers kept, and contracts with them. What goes is what was only of use
while the engagement was open: links, what lies unread in the inbox, the portal's receipts, files in quarantine.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import date, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Delete, delete, select
from sqlalchemy.orm import Session

from include.casework.office import Case, Office
from include.clock import now
from include.engagement.dates import months_later
from include.engagement.replies import UNFINISHED
from include.register.models import Document, Draft, Engagement, ErasedFile, IntakeSheet, Mail, ScheduledRun
from include.storage import Storage

log = logging.getLogger(__name__)

KEPT_YEARS = 10  # of contracts and vouchers, from the end of an engagement
ENTRIES_AGE = timedelta(days=90)  # drafts nobody came back to, sheets that were read
UPLOAD_AGE = timedelta(days=2)  # uploads into the inbox that nobody finished


def sweep(office: Office) -> Counter[str]:
    """Do what is due; count it. Done again it finds nothing; one engagement's failure holds up no other."""
    done: Counter[str] = Counter()
    with office.sessions() as session:
        due = _due(session, office.today, office.settings.archive_months)
    for engagement_id in due:
        try:
            with office.case(engagement_id) as case:
                done["archived"] += archive(case)
        except Exception:
            log.exception("%s could not be archived; tried again next time", engagement_id)
            done["failed"] += 1
    before = now() - ENTRIES_AGE
    with office.sessions.begin() as session:
        done["drafts"] = _deleted(session, delete(Draft).where(Draft.engagement_id.is_(None), Draft.saved_at < before))
        done["sheets"] = _deleted(session, delete(IntakeSheet).where(IntakeSheet.read_at < before))
    for stored in office.storage.list("inbox"):
        if stored.path.endswith(UNFINISHED) and stored.age_seconds > UPLOAD_AGE.total_seconds():
            office.storage.delete(stored.path)
            done["unfinished uploads"] += 1
    return done


def _due(session: Session, today: date, months: int) -> list[str]:
    """Return the engagements that ended ``months`` ago or earlier, with nothing planned and no mail on its way."""
    busy = select(ScheduledRun.engagement_id).where(ScheduledRun.status.in_(("planned", "running")))
    mailing = select(Mail.engagement_id).where(
        Mail.state.in_(("claimed", "handed_over", "refused", "unclear", "expired")), Mail.engagement_id.is_not(None)
    )
    return list(session.scalars(
        select(Engagement.id)
        .where(Engagement.archived.is_(None), Engagement.closed <= months_later(today, -months),
               Engagement.id.not_in(busy), Engagement.id.not_in(mailing))
        .order_by(Engagement.id)
    ))  # fmt: skip


def archive(case: Case) -> bool:
    """Archive an engagement that has ended, once; say whether that was now."""
    if case.engagement.archived is not None or case.engagement.closed is None:
        return False
    storage = case.office.storage
    unread = remove_folders(storage, case.id)
    set_aside = case.session.scalars(
        select(Document).where(Document.engagement_id == case.id, Document.key.startswith("quarantined/"))
    ).all()
    for document in set_aside:
        erase_file(case.session, storage, document.path, document.sha256, document.size, day=case.today)
    case.engagement.archived = case.today
    case.engagement.link_version += 1
    case.event("archived", unread=unread, quarantined=len(set_aside))
    case.session.commit()
    return True


def remove_folders(storage: Storage, engagement_id: str) -> int:
    """Delete what lies unread in an ended engagement's inbox, and the portal's receipts; return the number of files."""
    paths = [stored.path for folder in (f"inbox/{engagement_id}", f"portal/receipts/{engagement_id}")
             for stored in storage.list(folder)]  # fmt: skip
    for path in paths:
        storage.delete(path)
    return len(paths)


def erase_file(
    session: Session, storage: Storage, path: str, sha256: str, size: int, *, day: date, erasure_id: int | None = None
) -> None:
    """Delete a file for good; its hash and size stay in the register, written first. Commits."""
    if session.get(ErasedFile, path) is None:
        session.add(ErasedFile(path=path, sha256=sha256, size=size, day=day, erasure_id=erasure_id))
        session.commit()
    storage.delete(path)


def kept_until(engagement: Engagement) -> date:
    """Return the day until which an ended engagement's contract and vouchers are kept."""
    assert engagement.closed is not None
    return months_later(engagement.closed, 12 * KEPT_YEARS)


def _deleted(session: Session, statement: Delete) -> int:
    return cast("CursorResult[Any]", session.execute(statement)).rowcount

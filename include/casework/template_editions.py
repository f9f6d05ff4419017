"""Which version of each Word template is in force, and putting another one into use.

Word templates come with the program (``templates/documents``). An administrator may put another version into use on
the pages: its bytes are kept in the storage by their SHA-256, beside the versions that documents were made from, and
the register keeps each such step as an edition. The newest edition of a template holds; one that names no version gives
the word back to the program's file, as it comes with each release.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from include.documents.archive import keep_template, template_version_path
from include.documents.inspection import Inspection, inspect
from include.documents.render import template_path, template_sha256
from include.engagement.errors import RuleBroken
from include.engagement.process import Language
from include.engagement.text import cleaned
from include.register.models import TemplateEdition
from include.register.session import lock_number
from include.storage import Storage
from include.storage.base import NotStored

LONGEST_NOTE = 500  # characters


def edition(session: Session, key: str, language: Language) -> TemplateEdition | None:
    """Return the edition of a template that holds; None: the program's file, since ever."""
    return session.scalar(
        select(TemplateEdition)
        .where(TemplateEdition.key == key, TemplateEdition.language == language)
        .order_by(TemplateEdition.id.desc())
        .limit(1)
    )


def editions(session: Session, key: str, language: Language) -> list[TemplateEdition]:
    """Return every edition of a template, the newest first."""
    rows = select(TemplateEdition).where(TemplateEdition.key == key, TemplateEdition.language == language)
    return list(session.scalars(rows.order_by(TemplateEdition.id.desc())))


def template_in_force(session: Session, storage: Storage, key: str, language: Language) -> bytes:
    """Return the Word template that the next document is made from."""
    row = edition(session, key, language)
    if row is None or row.sha256 is None:
        return template_path(key, language).read_bytes()
    return storage.get(template_version_path(key, language, row.sha256))


def version(storage: Storage, key: str, language: Language, sha256: str) -> bytes | None:
    """Return a version of a template: the program's file, or one that the storage keeps."""
    own = template_path(key, language).read_bytes()
    if template_sha256(own) == sha256:
        return own
    try:
        return storage.get(template_version_path(key, language, sha256))
    except NotStored:
        return None


def offer(storage: Storage, key: str, language: Language, template: bytes) -> tuple[str, Inspection]:
    """Look a version over that somebody wants to use, and keep it if nothing is wrong with it; nothing is in use yet.

    Returns its SHA-256 and what was found.
    """
    found = inspect(key, language, template)
    if not found.findings:
        keep_template(storage, key, language, template)
    return template_sha256(template), found


def use(
    session: Session, storage: Storage, key: str, language: Language, sha256: str, *, instead_of: str, by: str,
    note: str, today: date,
) -> TemplateEdition | None:
    """Put a version into use in the place of ``instead_of`` (both SHA-256), commit; return the edition that holds.

    Used twice, no edition is added. Raises RuleBroken (Vietnamese) for a version that is not kept or that something is
    wrong with, and when somebody else put another into use meanwhile.
    """
    template = version(storage, key, language, sha256)
    if template is None:
        raise RuleBroken("Không còn tệp của phiên bản này. Xin tải tệp lên lại.")
    if findings := inspect(key, language, template).findings:
        raise RuleBroken(f"Mẫu này chưa dùng được: {findings[0]}")
    session.execute(text("select pg_advisory_xact_lock(:n)"), {"n": lock_number(f"template/{key}.{language}")})
    held = edition(session, key, language)
    holds = template_sha256(template_in_force(session, storage, key, language))
    if holds == sha256:
        session.commit()
        return held
    if holds != instead_of:
        who = held.by if held else "bản cài đặt mới"
        raise RuleBroken(f"Trong lúc bạn xem, {who} đã đưa phiên bản khác vào dùng. Xin mở lại trang mẫu và xem lại.")
    own = template_sha256(template_path(key, language).read_bytes())
    row = TemplateEdition(
        key=key, language=language, sha256=None if sha256 == own else sha256, by=by, note=cleaned(note)[:LONGEST_NOTE],
        day=today,
    )  # fmt: skip
    session.add(row)
    session.commit()
    return row

"""Intake forms that staff fill in: kept as drafts, and registered once, with a warning of a client who is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from include.casework.office import Office
from include.casework.opening import open_twin, register
from include.clock import now
from include.engagement.form import ENTRIES, entered_form, form_digest
from include.engagement.process import Text
from include.engagement.text import cleaned
from include.register.models import Draft, Engagement
from include.register.session import lock_number

LONGEST_ENTRY = 5_000  # characters of a draft's field; what is registered has limits of its own


@dataclass(frozen=True)
class Known:
    """An engagement with the same tax code."""

    id: str
    company: str
    is_open: bool


@dataclass(frozen=True)
class Overtaken:
    """What somebody saved meanwhile: who, when, the ``version`` it is now, and the entries that are not as sent."""

    by: str
    at: datetime
    version: str
    entries: Mapping[str, str]


@dataclass(frozen=True)
class Submission:
    """What came of a form: the ``engagement_id`` it is registered under, or why it is not registered.

    ``refused`` are fields with reasons; ``twin`` is the open engagement with the very same form; ``known`` are those
    with the same tax code that whoever sent it has not seen yet; ``overtaken`` is what somebody else saved since the
    sender saw the draft: nothing was done then.
    """

    engagement_id: str = ""
    overtaken: Overtaken | None = None
    refused: Mapping[str, Text] = field(default_factory=dict)
    twin: str = ""
    known: Sequence[Known] = ()


def drafts(session: Session) -> Sequence[Draft]:
    """Return the forms that are not registered, the one saved last first."""
    return session.scalars(select(Draft).where(Draft.engagement_id.is_(None)).order_by(Draft.saved_at.desc())).all()


def version_of(entries: Mapping[str, Any]) -> str:
    """Return what a draft with these entries is known by, so that whoever saves it says which one they saw."""
    return hashlib.sha256(json.dumps(_kept(entries), sort_keys=True).encode()).hexdigest()[:16]


def save_draft(
    office: Office, nonce: str, entries: Mapping[str, Any], *, by: str, seen: str | None = None
) -> Submission:
    """Keep what was entered, unchecked, unless this form was registered before or is no longer as ``seen``."""
    with office.sessions.begin() as session:
        draft = _held(session, nonce, by)
        if draft.engagement_id is not None:
            return Submission(draft.engagement_id)
        if overtaken := _overtaken(draft, entries, seen, by):
            return Submission(overtaken=overtaken)
        draft.entries, draft.saved_by, draft.saved_at = _kept(entries), by, now()
        return Submission()


def delete_draft(office: Office, draft_id: int) -> None:
    """Delete a draft; one that was registered, or is gone, is left as it is."""
    with office.sessions.begin() as session:
        draft = session.get(Draft, draft_id, with_for_update=True)
        if draft is not None and draft.engagement_id is None:
            session.delete(draft)


def submit(
    office: Office, nonce: str, entries: Mapping[str, Any], *, by: str, accepted: Collection[str] | None = (),
    seen: str | None = None,
) -> Submission:  # fmt: skip
    """Register a form, once for its nonce. Its run is started by the DAG ``openings``.

    ``seen`` is the version of the draft that ``by`` went on with; None: there was none to see.
    ``accepted`` are the engagements with the same tax code that ``by`` knows of and opens another beside; None: any.
    """
    form, refused = entered_form(entries)
    if refused:
        return Submission(refused=refused)
    tax_code = form["client"]["tax_code"]
    with office.sessions() as session:
        draft = _held(session, nonce, by)
        if draft.engagement_id is not None:
            return Submission(draft.engagement_id)
        if overtaken := _overtaken(draft, entries, seen, by):
            return Submission(overtaken=overtaken)
        if twin := open_twin(session, form_digest(form)):
            return Submission(twin=twin)
        # Two forms of one client at once: the second is warned of the first.
        session.execute(text("select pg_advisory_xact_lock(:n)"), {"n": lock_number(f"tax-code/{tax_code}")})
        known = same_tax_code(session, tax_code)
        if accepted is not None and {each.id for each in known} - set(accepted):
            return Submission(known=known)
        prefix = office.settings.firm["prefix"]
        engagement_id = register(session, form, day=office.today, prefix=prefix, by=by)
        draft.engagement_id, draft.entries, draft.saved_by, draft.saved_at = engagement_id, {}, by, now()
        session.commit()
    return Submission(engagement_id)


def same_tax_code(session: Session, tax_code: str) -> list[Known]:
    """Return the engagements whose client has this tax code, open or not, the newest first; none for an empty one."""
    if not tax_code:
        return []
    client = Engagement.form["client"]
    rows = session.execute(
        select(Engagement.id, client["name"].astext.label("name"), Engagement.closed)
        .where(client["tax_code"].astext == tax_code).order_by(Engagement.id.desc())
    )  # fmt: skip
    return [Known(row.id, row.name or "", row.closed is None) for row in rows]


def _held(session: Session, nonce: str, by: str) -> Draft:
    """Return the form's row, made if it is not there, locked until the transaction ends."""
    session.execute(insert(Draft).values(nonce=nonce, entries={}, saved_by=by).on_conflict_do_nothing())
    return session.scalars(select(Draft).where(Draft.nonce == nonce).with_for_update()).one()


def _overtaken(draft: Draft, entries: Mapping[str, Any], seen: str | None, by: str) -> Overtaken | None:
    """Return what somebody else saved since; whoever comes back to what they saved themselves is not asked."""
    now_in, sent = version_of(draft.entries), _kept(entries)
    if seen in (None, now_in) or draft.saved_by == by or sent == draft.entries:
        return None
    others = {path: str(draft.entries.get(path, "")) for path in ENTRIES}
    differing = {path: text for path, text in others.items() if text != sent.get(path, "")}
    return Overtaken(draft.saved_by, draft.saved_at, now_in, differing)


def _kept(entries: Mapping[str, Any]) -> dict[str, Any]:
    kept = {path: cleaned(str(entries.get(path) or ""))[:LONGEST_ENTRY] for path in ENTRIES}
    return {path: value for path, value in kept.items() if value}

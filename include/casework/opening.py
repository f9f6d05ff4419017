"""Opening an engagement: registering its intake form, under the next gapless id."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from include import clock
from include.engagement.errors import AlreadyOpen
from include.engagement.form import form_digest
from include.register.models import Engagement, Event
from include.register.numbers import next_number
from include.register.session import sessions
from include.settings import Settings, load_settings


def register_engagement(form: dict[str, Any], *, day: date | None = None, settings: Settings | None = None) -> str:
    """Register a checked intake form and return the engagement id (``KHV-2026-0042``).

    ``day`` is the day of opening (default: the installation's). Raises AlreadyOpen when the same form is open.
    """
    settings = settings or load_settings()
    with sessions(settings.register_url)() as session, session.begin():
        day = day or clock.today(session, settings)
        digest = form_digest(form)
        open_already = _open_engagement(session, digest)
        if open_already is not None:
            raise AlreadyOpen(f"Hồ sơ này đã được mở với mã {open_already}; không mở lần thứ hai.")
        number = next_number(session, "engagement", day.year)
        # The series' row stays locked until the end: whoever registered the same form meanwhile is seen now.
        open_already = _open_engagement(session, digest)
        if open_already is not None:
            raise AlreadyOpen(f"Hồ sơ này đã được mở với mã {open_already}; không mở lần thứ hai.")
        engagement_id = f"{settings.firm['prefix']}-{day.year}-{number:04d}"
        session.add(
            Engagement(id=engagement_id, language=form["language"], form=form, form_digest=digest, opened=day,
                       status="registered")
        )  # fmt: skip
        session.flush()
        session.add(Event(engagement_id=engagement_id, key="registered", kind="registered", day=day, facts={}))
    return engagement_id


def _open_engagement(session: Session, digest: str) -> str | None:
    return session.scalar(select(Engagement.id).where(Engagement.form_digest == digest, Engagement.closed.is_(None)))


def registered_as(form: dict[str, Any], *, settings: Settings | None = None) -> str | None:
    """Return the engagement id of a form that is registered but was never opened, if there is one."""
    settings = settings or load_settings()
    with sessions(settings.register_url)() as session:
        return session.scalar(
            select(Engagement.id).where(
                Engagement.form_digest == form_digest(form), Engagement.status == "registered"
            )
        )

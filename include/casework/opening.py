"""Opening an engagement: registering its intake form, under the next gapless id."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from include import clock
from include.engagement.errors import AlreadyOpen
from include.engagement.form import form_digest
from include.register.models import Draft, Engagement, Event
from include.register.numbers import next_number
from include.register.session import sessions
from include.settings import Settings, load_settings


def register_engagement(form: dict[str, Any], *, day: date | None = None, settings: Settings | None = None) -> str:
    """Register a checked intake form and return the engagement id (``KHV-2026-0042``).

    ``day`` is the day of opening (default: the installation's). Raises AlreadyOpen when the same form is open.
    """
    settings = settings or load_settings()
    with sessions(settings.register_url)() as session, session.begin():
        return register(session, form, day=day or clock.today(session, settings), prefix=settings.firm["prefix"])


def register(session: Session, form: dict[str, Any], *, day: date, prefix: str, **facts: str) -> str:
    """Register a checked intake form as part of the transaction; ``facts`` go into the event. Raises AlreadyOpen."""
    digest = form_digest(form)
    refuse_twin(session, digest)
    number = next_number(session, "engagement", day.year)
    # The series' row stays locked until the end: whoever registered the same form meanwhile is seen now.
    refuse_twin(session, digest)
    engagement_id = f"{prefix}-{day.year}-{number:04d}"
    session.add(
        Engagement(id=engagement_id, language=form["language"], form=form, form_digest=digest, opened=day,
                   status="registered")
    )  # fmt: skip
    session.flush()
    session.add(Event(engagement_id=engagement_id, key="registered", kind="registered", day=day, facts=facts))
    return engagement_id


def refuse_twin(session: Session, digest: str) -> None:
    """Raise AlreadyOpen when an engagement with the same form is open."""
    if open_already := open_twin(session, digest):
        raise AlreadyOpen(f"Hồ sơ này đã được mở với mã {open_already}; không mở lần thứ hai.")


def open_twin(session: Session, digest: str) -> str | None:
    """Return the id of the open engagement with the same form, if there is one."""
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


def awaiting_run(session: Session, *, most: int) -> list[str]:
    """Return the ids that staff's pages registered and whose run has not begun yet, the oldest first."""
    return list(
        session.scalars(
            select(Engagement.id).join(Draft, Draft.engagement_id == Engagement.id)
            .where(Engagement.status == "registered", Engagement.closed.is_(None)).order_by(Draft.id).limit(most)
        )
    )  # fmt: skip

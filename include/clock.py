"""The day that the installation goes by. Whoever needs the day asks here; the domain gets it as an argument.

A rehearsal has a calendar of its own: it moves the day in the register. Production refuses to have one.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from include.engagement.errors import RuleBroken
from include.register.models import Installation
from include.settings import Settings

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
OFFICE_OPENS = time(8, 0)
HELD_FOR_REHEARSAL = timedelta(days=3650)


def now() -> datetime:
    """Return the present instant, in UTC."""
    return datetime.now(timezone.utc)


def today(session: Session, settings: Settings) -> date:
    """Return the day that the installation goes by: the rehearsal's, else today in Viet Nam.

    Raises RuleBroken when a production installation has a rehearsal's day set.
    """
    installation = session.get(Installation, 1)
    if installation is None or installation.rehearsal_day is None:
        return now().astimezone(ZONE).date()
    if settings.production:
        raise RuleBroken("The register holds a rehearsal's day, but ENGAGEMENT_PRODUCTION=1: clear it first.")
    return installation.rehearsal_day


def set_rehearsal_day(session: Session, settings: Settings, day: date | None) -> None:
    """Move the installation's day. Raises RuleBroken in production."""
    if settings.production:
        raise RuleBroken("A production installation goes by the real day.")
    session.merge(Installation(id=1, rehearsal_day=day))
    session.commit()


def morning(day: date) -> datetime:
    """Return the instant at which the office opens on ``day``."""
    return datetime.combine(day, OFFICE_OPENS, ZONE)


def run_after(day: date, session: Session) -> datetime:
    """Return when a run planned for ``day`` may start by Airflow's clock.

    In a rehearsal that is far ahead: its player starts the run when the rehearsal's day has come.
    """
    installation = session.get(Installation, 1)
    if installation is not None and installation.rehearsal_day is not None:
        return now() + HELD_FOR_REHEARSAL
    return morning(day)

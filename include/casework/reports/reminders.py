"""Reminders: what clients did after them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select, true
from sqlalchemy.orm import Session

from include.casework.reports.period import Period, day_numbers
from include.engagement import process
from include.engagement.calendar import WorkingCalendar
from include.register.models import Event, ReminderSent, Request

AT_ONCE, SOON = 1, 3  # working days from a reminder to the answer


@dataclass(frozen=True)
class ReminderEffect:
    """A row of ``process.REMINDERS``: how often it went out, and how soon the client's next answer came.

    An answer counts for the reminder before it: after ``AT_ONCE`` working days at most, after ``SOON`` at most, later
    but before the next reminder; ``unanswered``: another reminder came first, or nothing came yet.
    """

    key: str
    level: str
    sent: int
    at_once: int
    soon: int
    later: int

    @property
    def unanswered(self) -> int:
        """Reminders that no answer followed before the next one."""
        return self.sent - self.at_once - self.soon - self.later


def reminder_effects(session: Session, period: Period, calendar: WorkingCalendar) -> tuple[ReminderEffect, ...]:
    """Return for each reminder of the procedure what the clients did after those sent in the period."""
    sent = (
        select(
            ReminderSent.reminder, ReminderSent.day, Request.engagement_id, Request.key,
            func.lead(ReminderSent.day)
            .over(partition_by=ReminderSent.request_id, order_by=(ReminderSent.day, ReminderSent.id)).label("next"),
        ).join(Request, Request.id == ReminderSent.request_id).where(ReminderSent.day >= period.since).subquery()
    )  # fmt: skip
    answered = (
        select(func.min(Event.day).label("day"))
        .where(Event.engagement_id == sent.c.engagement_id, Event.kind == "received",
               Event.facts["request"].astext == sent.c.key, Event.day >= sent.c.day)
        .lateral()
    )  # fmt: skip
    in_time = answered.c.day.is_not(None) & (sent.c.next.is_(None) | (answered.c.day < sent.c.next))
    last = session.scalar(select(func.max(Event.day)).where(Event.kind == "received"))
    number = day_numbers(calendar, period.since, max(period.until, last or period.until))
    each = (
        select(sent.c.reminder,
               case((in_time, number(answered.c.day) - number(sent.c.day)), else_=None).label("after"))
        .select_from(sent).join(answered, true())
        .where(sent.c.day.between(period.since, period.until)).subquery()
    )  # fmt: skip
    rows = {
        row.reminder: row
        for row in session.execute(
            select(
                each.c.reminder, func.count().label("sent"),
                func.count().filter(each.c.after <= AT_ONCE).label("at_once"),
                func.count().filter(each.c.after > AT_ONCE, each.c.after <= SOON).label("soon"),
                func.count().filter(each.c.after > SOON).label("later"),
            ).group_by(each.c.reminder)
        )
    }  # fmt: skip
    return tuple(
        ReminderEffect(key, level, row.sent, row.at_once, row.soon, row.later) if (row := rows.get(key))
        else ReminderEffect(key, level, 0, 0, 0, 0)
        for key, level in ((r.key, r.level) for r in sorted(process.REMINDERS, key=lambda r: r.offset))
    )  # fmt: skip

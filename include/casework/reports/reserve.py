"""The reserve: what was taken from it, and how much engagements needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.casework.reports.period import Period, month_of
from include.register.models import Engagement, ReserveEntry


@dataclass(frozen=True)
class Reserve:
    """Working days of reserve: spent and granted by month (month, spent, granted).

    The rest is of the engagements with a contract that were closed in the period: how many, how many of them used any
    reserve and how many all that was contracted, and the days ``contracted``, ``granted`` and ``spent``.
    """

    months: tuple[tuple[date, int, int], ...]
    engagements: int
    used: int
    used_up: int
    contracted: int
    granted: int
    spent: int


def reserve(session: Session, period: Period) -> Reserve:
    """Return what was taken from the reserve in the period, and how much engagements needed that ended in it."""
    month = month_of(ReserveEntry.day)
    by_month: dict[tuple[date, str], int] = {
        (row[0], row[1]): int(row[2])
        for row in session.execute(
            select(month, ReserveEntry.kind, func.sum(func.abs(ReserveEntry.days)))
            .where(ReserveEntry.day.between(period.since, period.until)).group_by(month, ReserveEntry.kind)
        )
    }  # fmt: skip

    def days(kind: str) -> Any:
        return func.coalesce(func.sum(func.abs(ReserveEntry.days)).filter(ReserveEntry.kind == kind), 0)

    kinds = ("contracted", "granted", "spent")
    each = (
        select(*(days(kind).label(kind) for kind in kinds))
        .join(Engagement, Engagement.id == ReserveEntry.engagement_id)
        .where(Engagement.closed.between(period.since, period.until)).group_by(ReserveEntry.engagement_id).subquery()
    )  # fmt: skip
    count, used, used_up, *sums = session.execute(
        select(
            func.count(), func.count().filter(each.c.spent > 0), func.count().filter(each.c.spent >= each.c.contracted),
            *(func.coalesce(func.sum(each.c[kind]), 0) for kind in kinds),
        )
    ).one()  # fmt: skip
    moved = tuple((m, by_month.get((m, "spent"), 0), by_month.get((m, "granted"), 0)) for m in period.months)
    return Reserve(moved, count, used, used_up, *(int(value) for value in sums))

"""Engagements and stages by month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.casework.reports.period import Period, counted_by_month, month_of
from include.engagement import process
from include.register.models import Engagement, StagePeriod


@dataclass(frozen=True)
class Month:
    """Engagements opened and closed in a month, by outcome, and how many were open at its end."""

    month: date
    opened: int
    closed: int
    open_at_end: int
    outcomes: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Flow:
    """Engagements by month; ``delivered`` of the period and how many of them by the promised date."""

    months: tuple[Month, ...]
    delivered: int
    kept: int

    @property
    def opened(self) -> int:
        """Engagements opened in the period."""
        return sum(month.opened for month in self.months)

    @property
    def closed(self) -> int:
        """Engagements closed in the period."""
        return sum(month.closed for month in self.months)

    @property
    def outcomes(self) -> dict[str, int]:
        """How the engagements ended, by outcome."""
        ended = [pair for month in self.months for pair in month.outcomes]
        return {key: count for key in process.OUTCOMES if (count := sum(n for k, n in ended if k == key))}


def flow(session: Session, period: Period) -> Flow:
    """Return the engagements opened and closed by month."""
    opened = counted_by_month(session, Engagement.opened, period)
    ended: dict[date, dict[str, int]] = {}
    month = month_of(Engagement.closed)
    for row in session.execute(
        select(month.label("month"), Engagement.status, func.count())
        .where(Engagement.closed.between(period.since, period.until)).group_by(month, Engagement.status)
    ):  # fmt: skip
        ended.setdefault(row.month, {})[row.status] = row[2]
    before, gone, delivered, kept = session.execute(
        select(
            func.count().filter(Engagement.opened < period.since),
            func.count().filter(Engagement.closed < period.since),
            func.count().filter(Engagement.delivered.between(period.since, period.until)),
            func.count().filter(Engagement.delivered.between(period.since, period.until),
                                Engagement.delivered <= Engagement.promised),
        )
    ).one()  # fmt: skip
    closed = {month: sum(outcomes.values()) for month, outcomes in ended.items()}
    at_end = list(
        accumulate((opened.get(m, 0) - closed.get(m, 0) for m in period.months), initial=before - gone)
    )[1:]
    by_month = tuple(
        Month(m, opened.get(m, 0), closed.get(m, 0), open_, tuple(sorted(ended.get(m, {}).items())))
        for m, open_ in zip(period.months, at_end, strict=True)
    )
    return Flow(by_month, delivered, kept)


@dataclass(frozen=True)
class StageFlow:
    """A stage by month: how often it was opened and closed, rounds of rework included, and how many are open now."""

    stage: str
    months: tuple[tuple[date, int, int], ...]
    open_now: int


def stage_flow(session: Session, period: Period) -> tuple[StageFlow, ...]:
    """Return for each stage how often it was opened and closed in each month."""
    counts: dict[str, dict[tuple[str, date], int]] = {}
    for name, column in (("opened", StagePeriod.opened), ("closed", StagePeriod.closed)):
        month = month_of(column)
        counts[name] = {
            (row[0], row[1]): row[2]
            for row in session.execute(
                select(StagePeriod.stage, month, func.count())
                .where(column.between(period.since, period.until)).group_by(StagePeriod.stage, month)
            )
        }  # fmt: skip
    rows = session.execute(
        select(StagePeriod.stage, func.count()).where(StagePeriod.closed.is_(None)).group_by(StagePeriod.stage)
    )
    still_open: dict[str, int] = {row[0]: row[1] for row in rows}
    return tuple(
        StageFlow(
            stage,
            tuple((m, counts["opened"].get((stage, m), 0), counts["closed"].get((stage, m), 0)) for m in period.months),
            still_open.get(stage, 0),
        )
        for stage in process.STAGES
    )


def first_month(session: Session) -> date | None:
    """Return the month in which the first engagement was opened; None when there is none."""
    first = session.scalar(select(func.min(Engagement.opened)))
    return first.replace(day=1) if first else None


def listed(session: Session, period: Period) -> list[dict[str, Any]]:
    """Return the engagements that were open at some time in the period, as rows of a list."""
    return [
        dict(row._mapping)
        for row in session.execute(
            select(
                Engagement.id, Engagement.form["client"]["name"].astext.label("client"), Engagement.opened,
                Engagement.signed, Engagement.promised, Engagement.delivered, Engagement.closed, Engagement.status,
            )
            .where(Engagement.opened <= period.until,
                   Engagement.closed.is_(None) | (Engagement.closed >= period.since))
            .order_by(Engagement.id)
        )
    ]  # fmt: skip

"""Evaluations: how clients rate the firm, and whether they recommend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.casework.reports.period import Period, month_of, number_in, two_places
from include.engagement import process
from include.register.models import Request, RequestItem

RATINGS = tuple(item.key for item in process.REQUESTS["evaluation"].items if item.kind == "number")[:-1]
RECOMMEND = "recommend"
PROMOTER, DETRACTOR = 9, 6  # of 10: from 9 on somebody recommends the firm, up to 6 warns of it


@dataclass(frozen=True)
class Evaluation:
    """The clients' evaluations of a month, or with ``month`` None of the period.

    ``ratings`` are means of 1 to 5 in the order of ``RATINGS``, ``recommend`` is the mean of 0 to 10; ``recommended``
    counts who gave that. ``None``: nobody did.
    """

    month: date | None
    answers: int
    ratings: tuple[float | None, ...]
    recommend: float | None
    recommended: int
    promoters: int
    detractors: int

    @property
    def score(self) -> int | None:
        """The recommendation score: percent of promoters less percent of detractors, -100 to 100."""
        return round(100 * (self.promoters - self.detractors) / self.recommended) if self.recommended else None


@dataclass(frozen=True)
class Evaluations:
    """The clients' evaluations by month and together."""

    months: tuple[Evaluation, ...]
    whole: Evaluation


def evaluations(session: Session, period: Period) -> Evaluations:
    """Return what clients answered in the period; an answer outside its scale is left out."""
    month = month_of(Request.answered)
    value = number_in(RequestItem.value["value"])
    rows: dict[date, list[Any]] = {}
    for row in session.execute(
        select(
            month.label("month"), RequestItem.key, func.count().label("given"), func.sum(value).label("total"),
            func.count().filter(value >= PROMOTER).label("promoters"),
            func.count().filter(value <= DETRACTOR).label("detractors"),
            func.max(func.count()).over(partition_by=month).label("answers"),
        )
        .join(Request, Request.id == RequestItem.request_id)
        .where(Request.kind == "evaluation", Request.status == "answered",
               Request.answered.between(period.since, period.until),
               (RequestItem.key.in_(RATINGS) & value.between(1, 5))
               | ((RequestItem.key == RECOMMEND) & value.between(0, 10)))
        .group_by(month, RequestItem.key)
    ):  # fmt: skip
        rows.setdefault(row.month, []).append(row)
    every = [row for found in rows.values() for row in found]
    answers = sum(found[0].answers for found in rows.values())
    return Evaluations(
        tuple(_evaluation(m, rows.get(m, []), rows[m][0].answers if m in rows else 0) for m in period.months),
        _evaluation(None, every, answers),
    )


def _evaluation(month: date | None, rows: Sequence[Any], answers: int) -> Evaluation:
    def mean(key: str) -> float | None:
        mine = [row for row in rows if row.key == key]
        given = sum(row.given for row in mine)
        return two_places(sum(row.total for row in mine) / given) if given else None

    told = [row for row in rows if row.key == RECOMMEND]
    return Evaluation(
        month, answers, tuple(mean(key) for key in RATINGS), mean(RECOMMEND), sum(row.given for row in told),
        sum(row.promoters for row in told), sum(row.detractors for row in told),
    )  # fmt: skip

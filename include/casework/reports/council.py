"""The council: verdicts by month and round, and the points behind them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Integer, cast, func, select
from sqlalchemy.orm import Session

from include.casework.reports.period import Period, month_of, number_in, two_places
from include.engagement import process
from include.register.models import Event, SignOff


@dataclass(frozen=True)
class Criterion:
    """A criterion in first rounds: mean points where the council passed and failed the work, and in how many of the
    failed it was below the mark. ``None``: no such verdict."""

    key: str
    passed: float | None
    failed: float | None
    below: int


@dataclass(frozen=True)
class Council:
    """First verdicts by month (month, passed, failed), all verdicts by round, first rounds' points by criterion."""

    months: tuple[tuple[date, int, int], ...]
    rounds: tuple[tuple[int, int, int], ...]
    criteria: tuple[Criterion, ...]

    @property
    def passed(self) -> int:
        """First verdicts that were a pass."""
        return sum(passed for _, passed, _ in self.months)

    @property
    def failed(self) -> int:
        """First verdicts that were a fail."""
        return sum(failed for _, _, failed in self.months)


def council(session: Session, period: Period) -> Council:
    """Return what the council decided in the period."""
    verdict = (Event.kind == "verdict") & Event.day.between(period.since, period.until)
    number, passed = cast(Event.facts["round"].astext, Integer), Event.facts["passed"].astext == "true"
    month = month_of(Event.day)
    by_month: dict[date, tuple[int, int]] = {}
    by_round: dict[int, tuple[int, int]] = {}
    for row in session.execute(
        select(month.label("month"), number.label("round"), func.count().filter(passed).label("passed"),
               func.count().filter(~passed).label("failed")).where(verdict).group_by(month, number)
    ):  # fmt: skip
        if row.round == 1:
            by_month[row.month] = (row.passed, row.failed)
        before = by_round.get(row.round, (0, 0))
        by_round[row.round] = (before[0] + row.passed, before[1] + row.failed)
    return Council(
        tuple((m, *by_month.get(m, (0, 0))) for m in period.months),
        tuple((number, *by_round[number]) for number in sorted(by_round)),
        _criteria(session, verdict & (Event.key == "verdict/1"), passed),
    )


def _criteria(
    session: Session, verdict: ColumnElement[bool], passed: ColumnElement[bool]
) -> tuple[Criterion, ...]:
    keys = [criterion.key for criterion in process.CRITERIA]
    means = (
        select(passed.label("passed"), *(func.avg(number_in(SignOff.form[key])).label(key) for key in keys))
        .join(SignOff, (SignOff.engagement_id == Event.engagement_id) & (SignOff.gate == "scorecard")
              & (SignOff.round == 1) & (SignOff.decision == "submit") & SignOff.ended.is_(None))
        .where(verdict).group_by(Event.id, Event.facts).subquery()
    )  # fmt: skip
    row = session.execute(
        select(
            *(
                figure
                for key in keys
                for figure in (
                    func.avg(means.c[key]).filter(means.c.passed),
                    func.avg(means.c[key]).filter(~means.c.passed),
                    func.count().filter(~means.c.passed, means.c[key] < process.PASS_MARK),
                )
            )
        )
    ).one()
    return tuple(
        Criterion(key, two_places(row[at]), two_places(row[at + 1]), row[at + 2])
        for key, at in zip(keys, range(0, 3 * len(keys), 3), strict=True)
    )

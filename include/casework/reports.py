"""What management reads of a period: engagements by month, where time goes, council, reserve, reminders, evaluations.

The register reckons: each reading is one or two aggregates, whatever the number of engagements. A period is whole
months; a figure belongs to the month in which it happened (a stage to the one it was finished in). Days are working
days of the firm's calendar, counted from the day after a stage was opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Date, Float, Integer, Numeric, case, cast, func, literal, select, true
from sqlalchemy.orm import Session

from include.engagement import process
from include.engagement.calendar import WorkingCalendar
from include.register.models import (
    Engagement,
    Event,
    ReminderSent,
    Request,
    RequestItem,
    ReserveEntry,
    SignOff,
    StagePeriod,
)

MOST_MONTHS = 36  # of one report: more would not be legible
TIMED_STAGES = tuple(key for key, stage in process.STAGES.items() if stage.days is not None)
RATINGS = tuple(item.key for item in process.REQUESTS["evaluation"].items if item.kind == "number")[:-1]
RECOMMEND = "recommend"
PROMOTER, DETRACTOR = 9, 6  # of 10: from 9 on somebody recommends the firm, up to 6 warns of it
AT_ONCE, SOON = 1, 3  # working days from a reminder to the answer


@dataclass(frozen=True)
class Period:
    """Whole months, from ``since`` (a first) to ``until`` (a last day)."""

    since: date
    until: date

    @classmethod
    def of(cls, first: date, last: date) -> Period:
        """Return the months from that of ``first`` to that of ``last``, at most ``MOST_MONTHS``, the newest."""
        first, last = min(first, last), max(first, last)
        end = _shifted(last, 1) - timedelta(days=1)
        return cls(max(first.replace(day=1), _shifted(last, 1 - MOST_MONTHS)), end)

    @property
    def months(self) -> tuple[date, ...]:
        """The first day of each month."""
        return months(self.since, self.until)


def months(first: date, last: date) -> tuple[date, ...]:
    """Return the first day of each month from that of ``first`` to that of ``last``."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return tuple(_shifted(first, n) for n in range(count))


def _shifted(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


def first_month(session: Session) -> date | None:
    """Return the month in which the first engagement was opened; None when there is none."""
    first = session.scalar(select(func.min(Engagement.opened)))
    return first.replace(day=1) if first else None


# --- engagements and stages by month --------------------------------------------------------------------


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
    opened = _by_month(session, Engagement.opened, period)
    ended: dict[date, dict[str, int]] = {}
    month = _month(Engagement.closed)
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
        month = _month(column)
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


# --- where time goes ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StageTime:
    """The finished periods of a stage, in working days.

    ``first_rounds``, their ``median``, ``slowest_tenth`` (nine in ten took no longer) and ``within`` the ``standard``
    are of first rounds only: rework has no standard. ``firm_days`` and ``client_days`` are those of all rounds: waiting
    for the client's answer, and all else. ``late_firm`` and ``late_client`` are what went beyond the days given: the
    client's beyond the client's share, the firm's the rest.
    """

    stage: str
    standard: int
    first_rounds: int
    median: float | None
    slowest_tenth: float | None
    within: int
    rounds: int
    firm_days: int
    client_days: int
    late_firm: int
    late_client: int


def stage_times(session: Session, period: Period, calendar: WorkingCalendar) -> tuple[StageTime, ...]:
    """Return for each stage with a standard how long those took that were finished in the period.

    A stage that was cut short because the engagement ended was not finished.
    """
    finished = (
        StagePeriod.closed.between(period.since, period.until)
        & StagePeriod.stage.in_(TIMED_STAGES)
        & select(Event.id).where(
            Event.engagement_id == StagePeriod.engagement_id,
            Event.key == func.concat("stage_closed/", StagePeriod.stage, "/", StagePeriod.round),
        ).exists()
    )  # fmt: skip
    first = session.scalar(select(func.min(StagePeriod.opened)).where(finished))
    rows: dict[str, Any] = {}
    if first is not None:
        number = _numbered(calendar, first, period.until)
        each = select(
            StagePeriod.stage, StagePeriod.round, StagePeriod.days,
            (number(StagePeriod.closed) - number(StagePeriod.opened)).label("taken"),
            StagePeriod.client_waited, StagePeriod.client_wait_days,
        ).where(finished).subquery()  # fmt: skip
        waited = func.least(each.c.client_waited, each.c.taken)
        over = func.greatest(each.c.taken - each.c.days, 0)
        late_client = func.least(each.c.client_wait_days, over)
        is_first = each.c.round == 1
        for row in session.execute(
            select(
                each.c.stage,
                func.count().filter(is_first).label("first_rounds"),
                _quantile(0.5, each.c.taken, is_first).label("median"),
                _quantile(0.9, each.c.taken, is_first).label("slowest_tenth"),
                func.count().filter(is_first, each.c.taken <= each.c.days).label("within"),
                func.count().label("rounds"),
                func.sum(each.c.taken - waited).label("firm_days"),
                func.sum(waited).label("client_days"),
                func.sum(over - late_client).label("late_firm"),
                func.sum(late_client).label("late_client"),
            ).group_by(each.c.stage)
        ):  # fmt: skip
            rows[row.stage] = row
    return tuple(_stage_time(stage, rows.get(stage)) for stage in TIMED_STAGES)


def _stage_time(stage: str, row: Any) -> StageTime:
    standard = process.STAGES[stage].days
    assert standard is not None
    if row is None:
        return StageTime(stage, standard, 0, None, None, 0, 0, 0, 0, 0, 0)
    return StageTime(
        stage, standard, row.first_rounds, row.median, row.slowest_tenth, row.within, row.rounds,
        int(row.firm_days), int(row.client_days), int(row.late_firm), int(row.late_client),
    )  # fmt: skip


def _quantile(share: float, column: ColumnElement[Any], where: ColumnElement[bool]) -> Any:
    return cast(func.percentile_cont(share).within_group(column).filter(where), Float)


def _numbered(calendar: WorkingCalendar, first: date, last: date) -> Any:
    """Return what gives the number of a day, in SQL: two days' difference is the working days between them."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    numbers = list(accumulate(int(calendar.is_working_day(day)) for day in days))
    # PostgreSQL takes an index only of what stands in parentheses.
    known = cast(literal(numbers, ARRAY(Integer)), ARRAY(Integer)).self_group()
    table = select(known.label("numbers")).cte("working_days")

    def number(day: Any) -> Any:
        return select(table.c.numbers[day - cast(literal(first), Date) + 1]).scalar_subquery()

    return number


# --- the council ----------------------------------------------------------------------------------------


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
    month = _month(Event.day)
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
        select(passed.label("passed"), *(func.avg(_number(SignOff.form[key])).label(key) for key in keys))
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
        Criterion(key, _rounded(row[at]), _rounded(row[at + 1]), row[at + 2])
        for key, at in zip(keys, range(0, 3 * len(keys), 3), strict=True)
    )


# --- the reserve ----------------------------------------------------------------------------------------


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
    month = _month(ReserveEntry.day)
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


# --- reminders ------------------------------------------------------------------------------------------


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
        ).join(Request, Request.id == ReminderSent.request_id).subquery()
    )  # fmt: skip
    answered = (
        select(func.min(Event.day).label("day"))
        .where(Event.engagement_id == sent.c.engagement_id, Event.kind == "received",
               Event.facts["request"].astext == sent.c.key, Event.day >= sent.c.day)
        .lateral()
    )  # fmt: skip
    in_time = answered.c.day.is_not(None) & (sent.c.next.is_(None) | (answered.c.day < sent.c.next))
    last = session.scalar(select(func.max(Event.day)).where(Event.kind == "received"))
    number = _numbered(calendar, period.since, max(period.until, last or period.until))
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


# --- evaluations ----------------------------------------------------------------------------------------


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
    month = _month(Request.answered)
    value = _number(RequestItem.value["value"])
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
        return _rounded(sum(row.total for row in mine) / given) if given else None

    told = [row for row in rows if row.key == RECOMMEND]
    return Evaluation(
        month, answers, tuple(mean(key) for key in RATINGS), mean(RECOMMEND), sum(row.given for row in told),
        sum(row.promoters for row in told), sum(row.detractors for row in told),
    )  # fmt: skip


# --- the whole ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """Everything that management reads of a period."""

    period: Period
    flow: Flow
    stages: tuple[StageFlow, ...]
    times: tuple[StageTime, ...]
    council: Council
    reserve: Reserve
    reminders: tuple[ReminderEffect, ...]
    evaluations: Evaluations


def report(session: Session, period: Period, calendar: WorkingCalendar) -> Report:
    """Return the report of a period."""
    return Report(
        period, flow(session, period), stage_flow(session, period), stage_times(session, period, calendar),
        council(session, period), reserve(session, period), reminder_effects(session, period, calendar),
        evaluations(session, period),
    )  # fmt: skip


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


def _month(column: Any) -> Any:
    return cast(func.date_trunc("month", column), Date)


def _by_month(session: Session, column: Any, period: Period) -> dict[date, int]:
    month = _month(column)
    rows = session.execute(
        select(month, func.count()).where(column.between(period.since, period.until)).group_by(month)
    )
    return {row[0]: row[1] for row in rows}


def _number(value: Any) -> Any:
    """Return a JSON value as a number, and null for whatever is none."""
    return case((func.jsonb_typeof(value) == "number", cast(value.astext, Numeric)), else_=None)


def _rounded(value: Decimal | None) -> float | None:
    return None if value is None else round(float(value), 2)

"""The firm's calendar as the register has it: editions, what a change would move, and saving it.

Three layers know the days; a later one wins over an earlier one, day by day: the package ``holidays``, the file
``calendar.yaml`` that comes with the program, and the newest edition in the register, which staff edit on a page. Each
saving is an edition of its own, so that what held when stays on record.

A due date follows the calendar: it is so many working days after the day that something was asked or opened. The date
promised to a client in a signed contract does not: it moves by an appendix only. Neither does a client's due date come
earlier than the client was told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from include.engagement import process
from include.engagement.calendar import DayRule, WorkingCalendar, working_calendar
from include.engagement.errors import RuleBroken
from include.engagement.process import Text
from include.engagement.text import cleaned
from include.register.models import CalendarEdition, Engagement, Event, Request, StagePeriod
from include.register.session import lock_number

LONGEST_OCCASION = 200  # characters
YEARS_BACK, YEARS_AHEAD = 1, 5
CHANGED = "calendar_changed"


@dataclass(frozen=True)
class Change:
    """A day's rule to be put into the register, or with ``rule`` None to be taken out of it again."""

    day: date
    rule: DayRule | None


@dataclass(frozen=True)
class Move:
    """A due date that a calendar moves: of an open request, or of an open stage."""

    engagement_id: str
    client: str
    title: Text
    of: str  # client | service_department | firm
    before: date
    after: date
    row: Request | StagePeriod


@dataclass(frozen=True)
class Promise:
    """A promised date, which stays, and the working days left until then by the old and the new calendar."""

    engagement_id: str
    client: str
    promised: date
    left_before: int
    left_after: int


def edition(session: Session, version: int | None = None) -> CalendarEdition | None:
    """Return an edition, by default the newest; None before the first one."""
    if version is not None:
        return session.get(CalendarEdition, version)
    return session.scalar(select(CalendarEdition).order_by(CalendarEdition.version.desc()).limit(1))


def calendar_in_force(session: Session) -> WorkingCalendar:
    """Return the calendar that the firm works by now: one small query."""
    return _calendar(edition(session))


def _calendar(row: CalendarEdition | None) -> WorkingCalendar:
    if row is None:
        return working_calendar()
    return working_calendar().with_rules(rules_of(row), confirmed_years=row.confirmed_years)


def rules_of(row: CalendarEdition | None) -> dict[date, DayRule]:
    """Return the days that an edition rules on."""
    if row is None:
        return {}
    return {date.fromisoformat(each["day"]): DayRule(each["kind"], each["occasion"]) for each in row.days}


def changed_rules(rules: Mapping[date, DayRule], changes: Iterable[Change]) -> dict[date, DayRule]:
    """Return the rules after ``changes``, in the order of the days."""
    changed: dict[date, DayRule | None] = {**rules, **{change.day: change.rule for change in changes}}
    return {day: rule for day, rule in sorted(changed.items()) if rule is not None}


def drafted(row: CalendarEdition | None, changes: Iterable[Change]) -> WorkingCalendar:
    """Return the calendar that ``changes`` to an edition would make."""
    years = row.confirmed_years if row else ()
    return working_calendar().with_rules(changed_rules(rules_of(row), changes), confirmed_years=years)


def check_changes(changes: Sequence[Change], *, today: date) -> None:
    """Raise RuleBroken (Vietnamese) when a day lies too far off, or a day off or worked has no occasion."""
    for change in changes:
        if not today.year - YEARS_BACK <= change.day.year <= today.year + YEARS_AHEAD:
            raise RuleBroken(
                f"Ngày {change.day:%d/%m/%Y} ngoài phạm vi {today.year - YEARS_BACK}–{today.year + YEARS_AHEAD}."
            )
        if change.rule and change.rule.kind != "ordinary" and not cleaned(change.rule.occasion):
            raise RuleBroken(f"Xin ghi dịp nghỉ hoặc lý do làm bù của ngày {change.day:%d/%m/%Y}.")


# --- what a calendar moves ------------------------------------------------------------------------------


def moves(session: Session, new: WorkingCalendar, *, old: WorkingCalendar | None = None) -> list[Move]:
    """Return the open due dates that ``new`` moves, by engagement: two queries.

    ``old`` is the calendar that held before; it tells how many days were given where the register does not know that
    yet. With the calendar in force as ``new``: what somebody wrote by an earlier calendar while that was replaced.
    """
    old = old or new
    client = Engagement.form["client"]["name"].astext
    found = []
    for request, name in session.execute(
        select(Request, client).join(Engagement, Engagement.id == Request.engagement_id)
        .where(Request.status == "open").order_by(Request.id)
    ):  # fmt: skip
        days = request.days if request.days is not None else old.between(request.asked, request.due)
        after = new.add(request.asked, days)
        if request.days is None and after == old.add(request.asked, days):
            continue
        after = max(after, request.due) if request.of == "client" else after
        title = process.REQUESTS[request.kind].title
        found.append(Move(request.engagement_id, name or "", title, request.of, request.due, after, request))
    for period, name in session.execute(
        select(StagePeriod, client).join(Engagement, Engagement.id == StagePeriod.engagement_id)
        .where(StagePeriod.closed.is_(None)).order_by(StagePeriod.id)
    ):  # fmt: skip
        after = new.add(period.opened, period.days + period.client_wait_days)
        title = process.STAGES[period.stage].title
        found.append(Move(period.engagement_id, name or "", title, "firm", period.due, after, period))
    return sorted((move for move in found if move.before != move.after), key=lambda move: move.engagement_id)


def promises(session: Session, old: WorkingCalendar, new: WorkingCalendar, *, today: date) -> list[Promise]:
    """Return the promised dates of open engagements that have more or fewer working days left by ``new``."""
    rows = session.execute(
        select(Engagement.id, Engagement.form["client"]["name"].astext, Engagement.promised)
        .where(Engagement.closed.is_(None), Engagement.promised > today).order_by(Engagement.id)
    )  # fmt: skip
    left: dict[date, tuple[int, int]] = {}
    found = []
    for name, client, promised in rows:
        before, after = left.setdefault(promised, (old.between(today, promised), new.between(today, promised)))
        if before != after:
            found.append(Promise(name, client or "", promised, before, after))
    return found


# --- saving ---------------------------------------------------------------------------------------------


def save(
    session: Session,
    *,
    base: int,
    changes: Sequence[Change] = (),
    years: Mapping[int, bool] | None = None,
    by: str,
    note: str = "",
    today: date,
) -> CalendarEdition | None:
    """Save changes to edition ``base`` (0: none yet) as the next, move due dates, commit; return what is in force.

    One transaction: the edition, every due date that it moves, an event for each engagement concerned. ``years`` says
    of which the official days were compared with the announcement. Saved twice, or without any change, no edition is
    added, and due dates that do not agree with the calendar are put right. Raises RuleBroken (Vietnamese) when somebody
    else saved another edition meanwhile.

    Whoever is at work in an engagement at that moment goes on by the calendar that the work began with; what that
    leaves behind ``moves`` finds.
    """
    check_changes(changes, today=today)
    session.execute(text("select pg_advisory_xact_lock(:n)"), {"n": lock_number("calendar")})
    newest = edition(session)
    start = edition(session, base) if base else None
    rules = changed_rules(rules_of(start), changes)
    confirmed = {int(year) for year in (start.confirmed_years if start else ())}
    confirmed = (confirmed | {y for y, yes in (years or {}).items() if yes}) - {
        y for y, yes in (years or {}).items() if not yes
    }
    wanted = [{"day": d.isoformat(), "kind": r.kind, "occasion": r.occasion} for d, r in rules.items()]
    same = newest is not None and (newest.days, newest.confirmed_years) == (wanted, sorted(confirmed))
    nothing = newest is None and not wanted and not confirmed
    if newest is not None and newest.version != base and not same:
        raise RuleBroken(
            f"Trong lúc bạn sửa, {newest.by} đã lưu lịch bản {newest.version}. Lịch chưa thay đổi theo bản của bạn: "
            "xin mở lại trang lịch, xem bản mới rồi sửa tiếp."
        )
    old = _calendar(newest)
    if not same and not nothing:
        newest = CalendarEdition(
            version=(newest.version if newest else 0) + 1, days=wanted, confirmed_years=sorted(confirmed), by=by,
            note=cleaned(note)[:500], day=today,
        )  # fmt: skip
        session.add(newest)
        session.flush()
    _move(session, moves(session, _calendar(newest), old=old), newest, by=by, today=today)
    session.commit()
    return newest


def _move(session: Session, found: Sequence[Move], row: CalendarEdition | None, *, by: str, today: date) -> None:
    version = row.version if row else 0
    by_engagement: dict[str, list[Move]] = {}
    for move in found:
        move.row.due = move.after
        by_engagement.setdefault(move.engagement_id, []).append(move)
    session.flush()
    for engagement_id, mine in by_engagement.items():
        told = [_told(move) for move in mine]
        mark = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]
        session.execute(
            insert(Event)
            .values(engagement_id=engagement_id, key=f"{CHANGED}/{version}/{mark}", kind=CHANGED, day=today,
                    facts={"by": by, "version": version, "moved": told})
            .on_conflict_do_nothing()
        )  # fmt: skip


def _told(move: Move) -> dict[str, Any]:
    row = move.row
    what = f"request/{row.key}" if isinstance(row, Request) else f"stage/{row.stage}/{row.round}"
    return {"what": what, "before": move.before.isoformat(), "after": move.after.isoformat()}


@dataclass(frozen=True)
class Affected:
    """What an edition moved in an engagement: title, before and after."""

    engagement_id: str
    client: str
    by: str
    moved: tuple[tuple[Text, date, date], ...]


def affected(session: Session, version: int) -> list[Affected]:
    """Return what an edition moved, from the record."""
    rows = session.execute(
        select(Event.engagement_id, Engagement.form["client"]["name"].astext, Event.facts)
        .join(Engagement, Engagement.id == Event.engagement_id)
        .where(Event.kind == CHANGED, Event.key.startswith(f"{CHANGED}/{version}/", autoescape=True))
        .order_by(Event.engagement_id, Event.id)
    )
    return [
        Affected(
            name, client or "", facts["by"],
            tuple((_title(move["what"]), date.fromisoformat(move["before"]), date.fromisoformat(move["after"]))
                  for move in facts["moved"]),
        )
        for name, client, facts in rows
    ]  # fmt: skip


def _title(what: str) -> Text:
    kind, _, key = what.partition("/")
    if kind == "stage":
        return process.STAGES[key.partition("/")[0]].title
    return process.REQUESTS[key.partition("-")[0]].title

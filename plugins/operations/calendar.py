"""The firm's calendar: days off and working Saturdays, what a change would move, and saving it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, cast

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from include.casework import working_days
from include.casework.working_days import YEARS_AHEAD, YEARS_BACK, Change, check_changes
from include.engagement.calendar import DayRule, WorkingCalendar, working_calendar
from include.engagement.errors import RuleBroken
from include.engagement.process import Text
from include.register.models import CalendarEdition
from plugins.operations.access import Administering, Posted
from plugins.operations.page import back_to, office, shown

router = APIRouter(prefix="/calendar")
LONGEST_RANGE = 31  # days entered at once
MOST_CHANGES = 200
KINDS = ("off", "worked", "ordinary")
DROPPED = "dropped"  # a day's rule is taken out of the register
_WEEKDAYS = tuple(
    Text(vi, en)
    for vi, en in (
        ("Thứ Hai", "Monday"), ("Thứ Ba", "Tuesday"), ("Thứ Tư", "Wednesday"), ("Thứ Năm", "Thursday"),
        ("Thứ Sáu", "Friday"), ("Thứ Bảy", "Saturday"), ("Chủ nhật", "Sunday"),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A day that is not like others of its weekday; ``source`` is the layer that says so."""

    day: date
    weekday: Text
    kind: str  # off | worked | ordinary
    occasion: str
    source: Literal["law", "file", "register"]


@router.get("")
def page(request: Request, year: int = 0) -> Response:
    """Show a year of the calendar."""
    desk = office()
    years = range(desk.today.year - YEARS_BACK, desk.today.year + YEARS_AHEAD + 1)
    chosen = year if year in years else desk.today.year
    with desk.sessions() as session:
        row = working_days.edition(session)
        calendar = working_days.calendar_in_force(session)
        astray = working_days.moves(session, calendar)
    rules = working_days.rules_of(row)
    return shown(
        request, "calendar.html", year=chosen, years=years, rows=_days(calendar, rules, chosen), edition=row,
        confirmed=chosen in calendar.confirmed_years,
        in_file=chosen in working_calendar().confirmed_years, astray=astray,
    )  # fmt: skip


@router.post("/preview")
def preview(request: Request, person: Administering, form: Posted) -> Response:
    """Show what a change would move. Nothing is saved."""
    desk = office()
    base, changes = _base(form), _changes(form)
    try:
        changes = [*changes, *_entered(form)]
        check_changes(changes, today=desk.today)
        wrong = ""
    except RuleBroken as error:
        changes, wrong = _changes(form), str(error)
    changes = list({change.day: change for change in changes}.values())[:MOST_CHANGES]
    changes.sort(key=lambda change: change.day)
    with desk.sessions() as session:
        row = working_days.edition(session, base) if base else None
        if base and row is None:
            raise HTTPException(404)
        now, drafted = working_days.calendar_in_force(session), working_days.drafted(row, changes)
        return shown(
            request, "calendar_preview.html", base=base, wrong=wrong, note=str(form.get("note", "")),
            entered={name: str(form.get(name, "")) for name in ("first", "last", "kind", "occasion")} if wrong else {},
            changes=[(change, _WEEKDAYS[change.day.weekday()], _packed(change)) for change in changes],
            moves=_grouped(working_days.moves(session, drafted, old=now)),
            promises=working_days.promises(session, now, drafted, today=desk.today),
            projected=sorted({change.day.year for change in changes} - drafted.confirmed_years),
        )  # fmt: skip


@router.post("/save")
def save(request: Request, person: Administering, form: Posted) -> Response:
    """Save the change, and move what is due."""
    desk = office()
    with desk.sessions() as session:
        row = working_days.save(session, base=_base(form), changes=_changes(form), by=person.name,
                                note=str(form.get("note", "")), today=desk.today)  # fmt: skip
    return back_to(request, f"/calendar/editions/{row.version}" if row else "/calendar", "saved")


@router.post("/years")
def confirm(request: Request, person: Administering, form: Posted) -> Response:
    """Say whether a year was compared with the official announcement."""
    desk = office()
    year = str(form.get("year", ""))
    if not year.isdecimal() or not 2000 <= int(year) < 2100:
        raise HTTPException(404)
    with desk.sessions() as session:
        working_days.save(session, base=_base(form), years={int(year): form.get("confirmed") == "yes"}, by=person.name,
                          today=desk.today)  # fmt: skip
    return back_to(request, "/calendar", "confirmed")


@router.get("/editions/{version}")
def edition(request: Request, version: int) -> Response:
    """Show what an edition changed, and which due dates it moved."""
    with office().sessions() as session:
        row = working_days.edition(session, version)
        if row is None:
            raise HTTPException(404)
        before = working_days.edition(session, version - 1) if version > 1 else None
        return shown(request, "calendar_edition.html", edition=row, changes=_differences(before, row),
                     years=sorted(set(row.confirmed_years) ^ set(before.confirmed_years if before else ())),
                     affected=working_days.affected(session, version), newest=_newest(session))  # fmt: skip


def _newest(session: Session) -> int:
    row = working_days.edition(session)
    return row.version if row else 0


def _days(calendar: WorkingCalendar, rules: dict[date, DayRule], year: int) -> list[Row]:
    own = working_calendar()
    file = {*own.extra_holidays, *own.not_holidays, *own.working_days}
    found = []
    for n in range((date(year + 1, 1, 1) - date(year, 1, 1)).days):
        day = date(year, 1, 1) + timedelta(days=n)
        occasion, works = calendar.holiday(day), calendar.is_working_day(day)
        kind = "off" if occasion is not None else "worked" if works and day.weekday() >= 5 else ""
        if day in rules:
            kind, occasion = rules[day].kind, rules[day].occasion
        elif day in calendar.working_days:
            kind, occasion = "worked", calendar.working_days[day]
        elif day in calendar.not_holidays:
            kind, occasion = "ordinary", calendar.not_holidays[day]
        if kind:
            source = "register" if day in rules else "file" if day in file else "law"
            found.append(Row(day, _WEEKDAYS[day.weekday()], kind, occasion or "", cast(Any, source)))
    return found


def _differences(before: CalendarEdition | None, row: CalendarEdition) -> list[tuple[date, Text, str, str]]:
    old, new = working_days.rules_of(before), working_days.rules_of(row)
    return [
        (day, _WEEKDAYS[day.weekday()], new[day].kind if day in new else DROPPED,
         new[day].occasion if day in new else old[day].occasion)
        for day in sorted({*old, *new}) if old.get(day) != new.get(day)
    ]  # fmt: skip


def _grouped(moves: Sequence[working_days.Move]) -> list[list[working_days.Move]]:
    """Return the moves of each engagement together."""
    grouped: dict[str, list[working_days.Move]] = {}
    for move in moves:
        grouped.setdefault(move.engagement_id, []).append(move)
    return list(grouped.values())


# --- what the form says ---------------------------------------------------------------------------------


def _base(form: FormData) -> int:
    base = str(form.get("base", "0"))
    return int(base) if base.isdecimal() and len(base) < 10 else 0


def _packed(change: Change) -> str:
    kind, occasion = (change.rule.kind, change.rule.occasion) if change.rule else (DROPPED, "")
    return f"{change.day.isoformat()}|{kind}|{occasion}"


def _changes(form: FormData) -> list[Change]:
    """Return the changes that the page has collected, without the one that is taken back."""
    dropped = str(form.get("forget", ""))
    return [
        _change(day, kind, occasion)
        for packed in form.getlist("change")[:MOST_CHANGES]
        for day, kind, occasion in [(f"{packed}||".split("|", 2))]
        if packed != dropped
    ]


def _entered(form: FormData) -> list[Change]:
    """Return the day or days that were just entered; of several, those that change by it. Raises RuleBroken."""
    first, last = str(form.get("first", "")), str(form.get("last", "")) or str(form.get("first", ""))
    if not first:
        return []
    kind, occasion = str(form.get("kind", "")), str(form.get("occasion", ""))
    begin, end = _date(first), _date(last)
    if not 0 <= (end - begin).days < LONGEST_RANGE:
        raise RuleBroken(f"Ngày cuối phải cùng hoặc sau ngày đầu, nhiều nhất {LONGEST_RANGE} ngày một lần.")
    days = [begin + timedelta(days=n) for n in range((end - begin).days + 1)]
    if len(days) > 1 and kind == "off":
        days = [day for day in days if day.weekday() < 5]
    return [_change(day.isoformat(), kind, occasion) for day in days]


def _change(day: str, kind: str, occasion: str) -> Change:
    if kind == DROPPED:
        return Change(_date(day), None)
    if kind not in KINDS:
        raise RuleBroken("Xin chọn loại ngày.")
    said = " ".join(occasion.rstrip("|").split())[: working_days.LONGEST_OCCASION]
    return Change(_date(day), DayRule(cast(Any, kind), said))


def _date(value: str) -> date:
    try:
        return date.fromisoformat(value.strip())
    except ValueError:
        raise RuleBroken(f"“{value[:20]}” không phải là ngày; hãy ghi như 2027-02-04.") from None

"""Reports: figures of a period as charts and tables, and as a workbook."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from include.casework import reports
from include.casework.report_charts import described, drawn
from include.casework.report_tables import engagements_table, share, tables
from include.casework.reports import MOST_MONTHS, Period, Report
from include.casework.working_days import calendar_in_force
from include.documents.workbooks.report import Table, build
from include.engagement.calendar import WorkingCalendar
from include.engagement.process import Language, Text
from plugins.operations.page import download, language, office, shown

router = APIRouter(prefix="/reports")
TITLE = Text("Báo cáo hoạt động", "Operations report")
MONTHS_SHOWN = 12
_MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")

# What each chart is drawn from: a chart asks the register for its own figures only.
_READ: dict[str, Callable[[Session, Period, WorkingCalendar], Any]] = {
    "flow": lambda session, period, calendar: reports.flow(session, period),
    "stages": lambda session, period, calendar: reports.stage_flow(session, period),
    "times": reports.stage_times,
    "lost": reports.stage_times,
    "council": lambda session, period, calendar: reports.council(session, period),
    "criteria": lambda session, period, calendar: reports.council(session, period),
    "reserve": lambda session, period, calendar: reports.reserve(session, period),
    "reminders": reports.reminder_effects,
    "ratings": lambda session, period, calendar: reports.evaluations(session, period),
    "recommend": lambda session, period, calendar: reports.evaluations(session, period),
}


def _chosen(
    since: Annotated[str, Query(alias="from")] = "", until: Annotated[str, Query(alias="to")] = ""
) -> Period:
    """Return the months that were chosen, by default the last twelve; what is no month counts as not chosen."""
    today = office().today
    last = _first_of(until) or today
    year, month = divmod(last.year * 12 + last.month - MONTHS_SHOWN, 12)
    return Period.of(_first_of(since) or date(year, month + 1, 1), last)


Chosen = Annotated[Period, Depends(_chosen)]


@router.get("")
def page(request: Request, period: Chosen) -> Response:
    """Show the report of a period."""
    desk = office()
    with desk.sessions() as session:
        found = reports.report(session, period, calendar_in_force(session))
        first = reports.first_month(session)
    now = _language(request)
    return shown(
        request, "reports.html", period=period, tables=tables(found), months=_offered(first, desk.today, period),
        tiles=_tiles(found), query=urlencode({"from": f"{period.since:%Y-%m}", "to": f"{period.until:%Y-%m}"}),
        words={key: described(key, _figures(found, key), now) for key in _READ}, most=MOST_MONTHS,
        empty=first is None, written=lambda table, column, cell: _written(cell, table.columns[column].kind, now),
    )  # fmt: skip


@router.get("/charts/{key}.png")
def chart(request: Request, key: str, period: Chosen) -> Response:
    """Draw a chart of the report."""
    if key not in _READ:
        raise HTTPException(404)
    with office().sessions() as session:
        figures = _READ[key](session, period, calendar_in_force(session))
    return Response(drawn(key, figures, _language(request)).data, media_type="image/png")


@router.get("/workbook")
def workbook(request: Request, period: Chosen) -> Response:
    """Hand out the report as an Excel file, with the list of the engagements."""
    desk, now = office(), _language(request)
    with desk.sessions() as session:
        found = reports.report(session, period, calendar_in_force(session))
        rows = reports.listed(session, period)
    sheets: list[Table] = [*tables(found).values(), engagements_table(rows)]
    months = f"{period.since:%m/%Y} – {period.until:%m/%Y}"
    firm = desk.settings.firm
    facts = {"day": desk.today, "firm": {"name": firm["name"][now], "short_name": firm["short_name"][now]}}
    data = build(sheets, title=TITLE, subtitle=months, language=now, facts=facts)
    return download(data, f"bao-cao-{period.since:%Y-%m}-{period.until:%Y-%m}.xlsx")


def _first_of(text: str) -> date | None:
    return date.fromisoformat(f"{text}-01") if _MONTH.fullmatch(text) else None


def _language(request: Request) -> Language:
    return cast(Language, language(request))


def _figures(found: Report, key: str) -> Any:
    return {
        "flow": found.flow, "stages": found.stages, "times": found.times, "lost": found.times,
        "council": found.council, "criteria": found.council, "reserve": found.reserve, "reminders": found.reminders,
        "ratings": found.evaluations, "recommend": found.evaluations,
    }[key]  # fmt: skip


def _offered(first: date | None, today: date, period: Period) -> list[date]:
    """Return the months to choose from, the newest first: from the first engagement's to this one."""
    oldest, newest = min(first or today, period.since), max(today, period.until)
    return list(reversed(reports.months(oldest, newest)))


def _tiles(found: Report) -> list[tuple[Text, str, Text]]:
    """Return what stands out: title, figure, and of what."""
    flow, council, reserve, whole = found.flow, found.council, found.reserve, found.evaluations.whole
    score = "–" if whole.score is None else f"{whole.score:+d}" if whole.score else "0"
    verdicts = council.passed + council.failed
    return [
        (Text("Hồ sơ mở", "Opened"), str(flow.opened),
         Text(f"{flow.months[-1].open_at_end} còn mở cuối kỳ", f"{flow.months[-1].open_at_end} open at the end")),
        (Text("Hồ sơ đóng", "Closed"), str(flow.closed),
         Text(f"{flow.outcomes.get('completed', 0)} hoàn thành", f"{flow.outcomes.get('completed', 0)} completed")),
        (Text("Giao đúng hẹn", "Promises kept"), _percent(flow.kept, flow.delivered),
         Text(f"{flow.kept} trên {flow.delivered} lần bàn giao", f"{flow.kept} of {flow.delivered} handovers")),
        (Text("Đạt ngay vòng đầu", "Passed at first"), _percent(council.passed, verdicts),
         Text(f"{council.passed} trên {verdicts} kết luận", f"{council.passed} of {verdicts} verdicts")),
        (Text("Dự trù đã dùng", "Reserve used"), _percent(reserve.spent, reserve.contracted + reserve.granted),
         Text(f"{reserve.spent} trên {reserve.contracted + reserve.granted} ngày",
              f"{reserve.spent} of {reserve.contracted + reserve.granted} days")),
        (Text("Chỉ số giới thiệu", "Recommendation"), score,
         Text(f"{whole.recommended} phiếu", f"{whole.recommended} forms")),
    ]  # fmt: skip


def _percent(part: int, whole: int) -> str:
    found = share(part, whole)
    return "–" if found is None else f"{found:.0%}"


def _written(cell: Any, kind: str, now: Language) -> str:
    """Return a cell as readers of the language write it."""
    if cell is None:
        return "–"
    if isinstance(cell, Text):
        return cell.in_(now)
    if kind == "month":
        return f"{cell:%m/%Y}"
    if kind == "share":
        return f"{cell:.0%}"
    text = f"{cell:,.1f}" if kind == "mean" else f"{cell:,}" if kind == "count" else str(cell)
    return text.translate(str.maketrans(",.", ".,")) if now == "vi" and kind in ("mean", "count") else text

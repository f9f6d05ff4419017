"""How a page is made: its template, its language, and where its buttons lead back to."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include import clock
from include.casework.office import Office, open_office
from include.storage import safe_name

FOLDER = Path(__file__).resolve().parent / "pages"


def office() -> Office:
    """Open the office of this installation. Its mails are composed here and leave with the DAG ``outbox``."""
    return open_office(None)


def language(request: Request) -> str:
    """Return ``en`` for a browser that prefers English, else ``vi``."""
    preferred = request.headers.get("accept-language", "").lower()
    at = {name: preferred.find(name) for name in ("vi", "en")}
    return "en" if at["en"] >= 0 and (at["vi"] < 0 or at["en"] < at["vi"]) else "vi"


def shown(request: Request, template: str, *, status: int = 200, **facts: Any) -> Response:
    """Return a page. ``t`` in templates takes what it says in Vietnamese and in English."""
    now_in = language(request)

    def t(vi: str | tuple[str, str], en: str = "") -> str:
        if isinstance(vi, tuple):
            vi, en = vi
        return en if now_in == "en" and en else vi

    html = _environment().get_template(template).render(
        t=t, language=now_in, root=request.scope.get("root_path", ""), done=request.query_params.get("done", ""),
        person=getattr(request.state, "person", None), silent=getattr(request.state, "silent", ()),
        path=request.url.path, **facts,
    )  # fmt: skip
    return HTMLResponse(html, status_code=status)


def back_to(request: Request, path: str, done: str = "") -> Response:
    """Return to a page after something was done; ``done`` names it in the page's words."""
    query = f"?done={quote(done)}" if done else ""
    return RedirectResponse(f"{request.scope.get('root_path', '')}{path}{query}", status_code=303)


def download(data: bytes, name: str) -> Response:
    """Return a file that a browser saves and never shows."""
    return Response(
        data, media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(safe_name(name))}",
            "Content-Security-Policy": "sandbox",
        },
    )  # fmt: skip


@cache
def _environment() -> Environment:
    environment = Environment(loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, autoescape=True,
                              trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    environment.filters["day"] = _day
    environment.filters["moment"] = _moment
    environment.filters["size"] = _size
    return environment


def _day(value: date | None) -> str:
    return f"{value:%d/%m/%Y}" if value else "–"


def _moment(value: datetime | None) -> str:
    return f"{value.astimezone(clock.ZONE):%d/%m/%Y %H:%M}" if value else "–"


def _size(count: int) -> str:
    for unit, factor in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"

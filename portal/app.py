"""The portal's pages. A link opens one request; opening it changes nothing, only posting its form does.

Nothing that a client wrote is ever served as a page. Logs name engagement and request, never a link.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from fastapi.staticfiles import StaticFiles
from itsdangerous import BadData, URLSafeTimedSerializer
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, Field
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from include import clock
from include.casework.inbox_drop import UNKNOWN, InboxBusy
from include.engagement import dates
from include.engagement.items import SCALES
from include.engagement.money import format_vnd
from include.engagement.process import ITEM_HELP, THEMES, Language
from include.portal_links import BadLink, ExpiredLink, Link, read_link
from include.register.models import Engagement
from include.register.session import make_engine, sessions
from include.settings import Settings
from include.storage import StorageError, open_storage, safe_name
from include.storage.base import CHUNK_BYTES, NotStored, UploadAddress
from portal import answers
from portal.answers import ANSWER, FILE, OTHER, Answer
from portal.inbox import (
    WAITING,
    Placed,
    TooLarge,
    Upload,
    ask_for_new_link,
    drop,
    receipt,
    stored_name,
    waits_to_be_read,
)
from portal.limits import BodyLimit, Limits, Window
from portal.reading import Asked, Revoked, Unknown, asked, shown_documents
from portal.wording import BOTH, words

HERE = Path(__file__).resolve().parent
FORM_DAYS = 1
UPLOAD_SECONDS = 3600
_FORM_SALT, _UPLOAD_SALT = "engagement-portal-form", "engagement-portal-upload"
_POLICY = "Content-Security-Policy"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
                               "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}  # fmt: skip
log = logging.getLogger("portal")
HEALTH_FILE = "portal/health"
HEALTH_SECONDS = 10.0


class _NewLinkOffered(Exception):
    """A link that was made here and is not good any more."""

    def __init__(self, link: Link) -> None:
        self.link = link


def create_app(settings: Settings, limits: Limits | None = None, *, documented: bool = False) -> FastAPI:
    """Return the portal of an installation; ``documented`` serves its OpenAPI. Raises ValueError without an address."""
    if settings.portal_url is None:
        raise ValueError("ENGAGEMENT_PORTAL_PUBLIC_URL must say where clients reach the portal.")
    portal = _Portal(settings, settings.portal_url, limits or _installed())
    app = FastAPI(title="Portal", root_path=urlsplit(settings.portal_url).path.rstrip("/"), docs_url=None,
                  redoc_url=None, openapi_url="/openapi.json" if documented else None)  # fmt: skip
    app.add_middleware(BodyLimit, limits=portal.limits)
    app.middleware("http")(_with(portal.headers))
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    html: dict[str, Any] = {"response_class": HTMLResponse}
    failures: dict[int | str, Any] = {status: {"content": {"text/html": {}}} for status in
                                      (400, 404, 408, 409, 410, 413, 422, 429, 503)}  # fmt: skip
    app.get("/health", responses={503: {}}, response_class=PlainTextResponse)(portal.health)
    app.get("/r/{token}", responses=failures, **html)(portal.page)
    app.post("/r/{token}", responses=failures | {303: {}}, status_code=303, **html)(portal.post)
    app.post("/r/{token}/uploads", responses=failures | {204: {}})(portal.place)
    app.get("/r/{token}/receipt/{nonce}", responses=failures, **html)(portal.receipt)
    app.get("/r/{token}/documents/{document_id}", responses=failures, response_class=Response)(portal.document)
    app.post("/r/{token}/new-link", responses=failures, **html)(portal.new_link)
    app.exception_handler(_NewLinkOffered)(portal.offer_new_link)
    app.exception_handler(HTTPException)(portal.failure)
    app.exception_handler(RequestValidationError)(portal.not_there)
    app.exception_handler(StorageError)(portal.storage_failed)
    app.exception_handler(Exception)(portal.broken)
    return app


def _installed() -> Limits:
    from include.screening import installed_limits

    file_bytes = installed_limits().file_bytes
    return Limits(file_bytes=file_bytes, body_bytes=4 * file_bytes)


def _with(headers: Mapping[str, str]) -> Callable[..., Any]:
    async def add(request: Request, call_next: Callable[[Request], Any]) -> Response:
        response: Response = await call_next(request)
        for name, value in headers.items():
            response.headers[name] = value
        if request.url.path.startswith(f"{request.scope.get('root_path', '')}/static/"):
            response.headers["Cache-Control"] = "public, max-age=3600"
        return response

    return add


class Announced(BaseModel):
    """A file that a browser wants to put into the storage itself: ``size`` in bytes, SHA-256 in hex."""

    nonce: str = Field(max_length=500)
    item: str = Field(max_length=100)
    name: str = Field(max_length=1000)
    size: int = Field(gt=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _Portal:
    """The routes, and what they share."""

    def __init__(self, settings: Settings, public_url: str, limits: Limits) -> None:
        self.settings, self.public_url, self.limits = settings, public_url, limits
        self._sessions = sessions(settings.register_url)
        self._storage = open_storage(settings.storage_url)
        keys = list(reversed(settings.portal_keys))
        self._forms = URLSafeTimedSerializer(keys, salt=_FORM_SALT)
        self._placed = URLSafeTimedSerializer(keys, salt=_UPLOAD_SALT)
        outside = self._address_for("portal/probe", size=1, sha256="0" * 64)
        self.direct = outside is not None
        self.headers = dict(HEADERS)
        if outside is not None:
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(outside.url))
            self.headers[_POLICY] = HEADERS[_POLICY].replace("connect-src 'self'", f"connect-src 'self' {origin}")
        self._reads = Window(limits.reads_per_window, limits.window_seconds)
        self._posts = Window(limits.posts_per_window, limits.window_seconds)
        self._taking = asyncio.Semaphore(limits.posts)
        self._looking, self._looked, self._well = threading.Lock(), float("-inf"), False

    # --- routes ---

    def health(self) -> Response:
        """Say whether the register can be read, and the storage takes and gives a file; looked at now and then.

        Anybody may ask: how often they do must not matter to the storage.
        """
        with self._looking:
            if time.monotonic() - self._looked > HEALTH_SECONDS:
                self._well, self._looked = self._works(), time.monotonic()
        return PlainTextResponse("ok") if self._well else PlainTextResponse("not healthy", 503)

    def _works(self) -> bool:
        try:
            with self._sessions() as session:
                session.execute(select(Engagement.id).limit(1))
            self._storage.put(HEALTH_FILE, b"ok", media_type="text/plain")
            return self._storage.get(HEALTH_FILE) == b"ok"
        except Exception as error:  # whatever it is, the portal is not well
            log.warning("not healthy: %s", type(error).__name__)
            return False

    def page(self, request: Request, token: str) -> Response:
        """Show a request."""
        self._count(self._reads, _address(request))
        return self._shown(token, self._asked(token), Answer(), {})

    async def post(self, request: Request, token: str) -> Response:
        """Take an answer in and show its receipt; nothing is stored when something is wrong with it."""
        self._count(self._posts, _address(request))
        seen = await run_in_threadpool(self._asked, token)
        self._count(self._posts, f"{seen.engagement_id}/{seen.key}")
        if self._taking.locked():
            raise HTTPException(503, headers={"Retry-After": "20"})
        most = self.limits
        form = request.form(max_files=most.files, max_fields=most.fields, max_part_size=most.field_bytes)
        async with self._taking, form as given:
            return await run_in_threadpool(self._take, token, seen, given)

    def place(self, request: Request, token: str, announced: Announced) -> Response:
        """Say where a browser may put one file; 204 where files come with the form."""
        self._count(self._reads, _address(request))
        seen = self._asked(token)
        known = {"", *(item.row.key for item in seen.file_items)}
        nonce = self._nonce(seen, announced.nonce)
        if nonce is None or seen.status != "open" or announced.item not in known:
            raise HTTPException(409)
        if announced.size > self.limits.file_bytes:
            raise HTTPException(413)
        stored = stored_name(announced.item, announced.name, mark=f"{nonce[:12]}{secrets.token_hex(3)}")
        path = f"inbox/{seen.engagement_id}/{seen.key}/{stored}{WAITING}"
        where = self._address_for(path, size=announced.size, sha256=announced.sha256)
        if where is None:
            return Response(status_code=204)
        file = [announced.item, safe_name(announced.name), announced.size, announced.sha256, stored]
        signed = self._placed.dumps([f"{seen.engagement_id}/{seen.key}", nonce, file])
        return JSONResponse({"url": where.url, "headers": where.headers, "placed": signed})

    def receipt(self, request: Request, token: str, nonce: str) -> Response:
        """Show what was received with one form."""
        self._count(self._reads, _address(request))
        seen = self._asked(token)
        found = receipt(self._storage, seen.engagement_id, nonce) if nonce.isalnum() and len(nonce) < 65 else None
        if found is None:
            raise HTTPException(404)
        labels = {item.row.key: item.row.label.in_(seen.language) for item in seen.items}
        return self._html("receipt.html", seen.language, seen=seen, token=token, receipt=found, labels=labels,
                          at=found.at.astimezone(clock.ZONE))  # fmt: skip

    def document(self, request: Request, token: str, document_id: int) -> Response:
        """Send a document of the request, always as a file to keep."""
        self._count(self._reads, _address(request))
        seen = self._asked(token)
        found = next((each for each in shown_documents(seen) if each["id"] == document_id), None)
        row = next((each for each in seen.documents if each.id == document_id), None)
        if found is None or row is None:
            raise HTTPException(404)
        stored = self._storage.open(row.path)
        name = quote(found["name"], safe="")
        log.info("document %s was fetched", row.key, extra={"engagement": seen.engagement_id})
        return StreamingResponse(
            iter(lambda: stored.read(CHUNK_BYTES), b""), media_type=row.media_type,
            headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Content-Length": str(row.size)},
        )  # fmt: skip

    def new_link(self, request: Request, token: str) -> Response:
        """Have a new link sent to the address on file, for a link that was made here."""
        self._count(self._posts, _address(request))
        link = self._link(token, also_expired=True)
        self._count(self._posts, f"{link.engagement_id}/{link.request_key}")
        ask_for_new_link(self._storage, link.engagement_id, link.request_key)
        log.info("a new link was asked for %s", link.request_key, extra={"engagement": link.engagement_id})
        return self._html("new_link.html", self._language(link), asked=True, token=token)

    # --- failures ---

    def offer_new_link(self, request: Request, offered: Exception) -> Response:
        """Show that a link is not good any more, and how to get another."""
        assert isinstance(offered, _NewLinkOffered)
        log.info("an old link of %s was opened", offered.link.request_key,
                 extra={"engagement": offered.link.engagement_id})  # fmt: skip
        return self._html("new_link.html", self._language(offered.link), status=410, asked=False,
                          token=request.path_params["token"])  # fmt: skip

    def failure(self, request: Request, error: Exception) -> Response:
        """Say in both languages what is wrong."""
        assert isinstance(error, HTTPException)
        said = BOTH.get(error.status_code, BOTH[500 if error.status_code >= 500 else 400])
        response = HTMLResponse(_environment().get_template("failure.html").render(said=said, root=self._root),
                                error.status_code)  # fmt: skip
        response.headers.update(error.headers or {})
        return response

    def not_there(self, request: Request, error: Exception) -> Response:
        """Say that an address with something else in it than what belongs there leads nowhere."""
        return self.failure(request, HTTPException(404))

    def storage_failed(self, request: Request, error: Exception) -> Response:
        """Ask the client to come again: nothing was acknowledged."""
        log.error("storage did not take or give a file: %s", type(error).__name__)
        return self.failure(request, HTTPException(503, headers={"Retry-After": "60"}))

    def broken(self, request: Request, error: Exception) -> Response:
        """Say that something went wrong; the log has what, without the address that was asked for."""
        log.error("a page broke", exc_info=error)
        return self.failure(request, HTTPException(500))

    # --- the work ---

    def _link(self, token: str, *, also_expired: bool = False) -> Link:
        try:
            return read_link(token, keys=self.settings.portal_keys)
        except ExpiredLink as error:
            if also_expired:
                return error.link
            raise _NewLinkOffered(error.link) from None
        except BadLink:
            log.info("a link that was not made here was refused")
            raise HTTPException(404) from None

    def _asked(self, token: str) -> Asked:
        link = self._link(token)
        with self._sessions() as session:
            try:
                return asked(session, link)
            except Unknown:
                raise HTTPException(404) from None
            except Revoked:
                raise _NewLinkOffered(link) from None

    def _language(self, link: Link) -> Language:
        from include.register.models import Engagement

        with self._sessions() as session:
            engagement = session.get(Engagement, link.engagement_id)
            return "en" if engagement is not None and engagement.language == "en" else "vi"

    def _take(self, token: str, seen: Asked, form: FormData) -> Response:
        typed = answers.read(seen, [(name, value) for name, value in form.multi_items() if isinstance(value, str)])
        files = _uploads(seen, form)
        nonce = self._nonce(seen, str(form.get("nonce", "")))
        placed = self._placed_files(seen, nonce, [str(value) for value in form.getlist("placed")])
        if nonce is not None and receipt(self._storage, seen.engagement_id, nonce) is not None:
            return self._to_receipt(token, nonce)
        if seen.status != "open":
            return self._shown(token, seen, typed, {"form": "not_open"}, status=409)
        if nonce is None:
            return self._shown(token, seen, typed, {"form": "stale"}, status=409)
        wrong = answers.problems(seen, typed, _names([*files, *placed]))
        if wrong:
            return self._shown(token, seen, typed, wrong, status=422, had_files=bool(files or placed))
        try:
            drop(self._storage, make_engine(self.settings.register_url), seen.engagement_id, seen.key, nonce=nonce,
                 answer=typed, uploads=files, placed=placed, file_bytes=self.limits.file_bytes)  # fmt: skip
        except TooLarge:
            return self._shown(token, seen, typed, {"form": "file_too_large"}, status=413, had_files=True)
        except NotStored:
            return self._shown(token, seen, typed, {"form": "not_whole"}, status=422, had_files=True)
        except InboxBusy:
            return self._shown(token, seen, typed, {"form": "busy"}, status=503, had_files=bool(files))
        log.info("an answer to %s was received, %d files", seen.key, len(files),
                 extra={"engagement": seen.engagement_id})  # fmt: skip
        return self._to_receipt(token, nonce)

    def _to_receipt(self, token: str, nonce: str) -> Response:
        return RedirectResponse(f"{self._root}/r/{token}/receipt/{nonce}", 303)

    def _placed_files(self, seen: Asked, nonce: str | None, signed: Sequence[str]) -> list[Placed]:
        """Return the files that a form names as put into the storage; what was not signed for it is left aside."""
        found = []
        for each in signed[: self.limits.files]:
            try:
                made_for, of, file = self._placed.loads(each, max_age=FORM_DAYS * 86_400)
            except (BadData, ValueError, TypeError):
                continue
            if made_for == f"{seen.engagement_id}/{seen.key}" and of == nonce:
                found.append(Placed(*file))
        return found

    def _address_for(self, path: str, *, size: int, sha256: str) -> UploadAddress | None:
        return self._storage.upload(path, size=size, sha256=sha256, media_type=UNKNOWN, seconds=UPLOAD_SECONDS)

    def _nonce(self, seen: Asked, signed: str) -> str | None:
        """Return what names this form, None when it was not made here for this request within a day."""
        try:
            made_for, nonce = self._forms.loads(signed, max_age=FORM_DAYS * 86_400)
        except (BadData, ValueError, TypeError):
            return None
        return str(nonce) if made_for == f"{seen.engagement_id}/{seen.key}" else None

    def _shown(
        self, token: str, seen: Asked, typed: Answer, wrong: Mapping[str, str], *, status: int = 200,
        had_files: bool = False,
    ) -> Response:  # fmt: skip
        nonce = self._forms.dumps([f"{seen.engagement_id}/{seen.key}", secrets.token_hex(16)])
        said = words(seen.language)
        return self._html(
            "request.html", seen.language, status=status, seen=seen, token=token, nonce=nonce, typed=typed,
            wrong={name: said.get(problem, problem) for name, problem in wrong.items()}, had_files=had_files,
            labels={prefix + item.row.key: item.row.label.in_(seen.language) for item in seen.items
                    for prefix in (ANSWER, FILE)},
            documents=shown_documents(seen), scales=SCALES, themes=THEMES, help=ITEM_HELP, answer=ANSWER, file=FILE,
            other=OTHER, direct=self.direct, most_mb=self.limits.file_bytes // 1024 // 1024,
            being_read=seen.status == "open" and waits_to_be_read(self._storage, seen.engagement_id, seen.key),
        )  # fmt: skip

    def _html(self, name: str, language: Language, *, status: int = 200, **facts: Any) -> Response:
        firm = self.settings.firm
        page = _environment().get_template(name).render(
            language=language, words=words(language), root=self._root, firm=_in_language(firm["name"], language),
            firm_phone=firm["phone"], firm_email=firm["email"], day=lambda value: dates.long_date(value, language),
            vnd=lambda value: format_vnd(value, language), **facts,
        )  # fmt: skip
        return HTMLResponse(page, status)

    @property
    def _root(self) -> str:
        return urlsplit(self.public_url).path.rstrip("/")

    def _count(self, window: Window, key: str) -> None:
        seconds = window.wait(key)
        if seconds:
            raise HTTPException(429, headers={"Retry-After": str(seconds)})


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(HERE / "pages"), autoescape=True, undefined=StrictUndefined,
                       trim_blocks=True, lstrip_blocks=True)  # fmt: skip


def _in_language(value: Any, language: Language) -> str:
    return str(value[language] if isinstance(value, Mapping) else value)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _uploads(seen: Asked, form: FormData) -> list[Upload]:
    """Return the files of a form; a field left empty comes as a file without name and bytes."""
    known = {FILE + item.row.key: item.row.key for item in seen.file_items} | {OTHER: ""}
    return [
        Upload(known[name], value.filename or "file", value.file)
        for name, value in form.multi_items()
        if isinstance(value, UploadFile) and name in known and (value.filename or value.size)
    ]


def _names(files: Sequence[Upload | Placed]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for upload in files:
        found.setdefault(upload.item, []).append(upload.name)
    return found

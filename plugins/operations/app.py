"""The app: its routes are guarded as one, its answers carry strict headers, its failures are pages too."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from include.casework.inbox_drop import InboxBusy
from include.engagement.errors import EngagementError, UnknownEngagement
from include.storage import StorageError
from plugins.operations import acts, calendar, engagement, imports, intake, overview, reports, templates, waiting, work
from plugins.operations.access import admitted
from plugins.operations.own_airflow import ask_after_airflow
from plugins.operations.page import shown

HERE = Path(__file__).resolve().parent
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
                               "form-action 'self'; frame-src 'self'; "
                               "base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}  # fmt: skip
log = logging.getLogger(__name__)

_WHY = {
    "reading": ("Tài khoản của bạn không được xem các hồ sơ.", "Your account may not see the engagements."),
    "acting": ("Tài khoản của bạn chỉ được xem, không được thao tác.", "Your account may look, but not act."),
    "administering": ("Chỉ quản trị viên Airflow sửa được lịch.", "Only Airflow's administrators may edit this."),
    "council": ("Thành viên hội đồng chỉ xem các hồ sơ được giao thẩm định và việc của mình.",
                "Members of the council see the engagements that they judge, and their own work."),
    "another site": ("Yêu cầu đến từ một trang khác nên không được thực hiện.",
                     "The request came from another site and was not carried out."),
    "form": ("Biểu mẫu đã hết hạn: xin mở lại trang và gửi lại.", "The form is too old: open the page again."),
    "too large": ("Tệp hoặc biểu mẫu quá lớn (nhiều nhất 12 MB).", "The file or form is too large (12 MB at most)."),
    "not there": ("Không có trang này.", "There is no such page."),
    "broken": ("Có lỗi; quản trị viên xem nhật ký của máy chủ.", "Something went wrong; the server's log says what."),
    "register": ("Sổ đăng ký hiện không trả lời. Không có gì bị mất; xin thử lại sau ít phút.",
                 "The register does not answer. Nothing is lost; try again in some minutes."),
    "storage": ("Kho lưu trữ hiện không trả lời. Xin thử lại sau ít phút.",
                "The storage does not answer. Try again in some minutes."),
    "busy": ("Hộp nhận của hồ sơ đang được đọc. Xin thử lại sau một phút.",
             "The engagement's inbox is being read. Try again in a minute."),
}


def create_app() -> FastAPI:
    """Return the pages as an app of their own."""
    app = FastAPI(title="Engagements", dependencies=[Depends(admitted), Depends(ask_after_airflow)],
                  docs_url=None, redoc_url=None, openapi_url=None)  # fmt: skip
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.include_router(overview.router)
    app.include_router(waiting.router)
    app.include_router(work.router)
    app.include_router(engagement.router)
    app.include_router(acts.router)
    app.include_router(intake.router)
    app.include_router(imports.router)
    app.include_router(reports.router)
    app.include_router(templates.router)
    app.include_router(calendar.router)

    @app.middleware("http")
    async def headed(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if error.status_code == 401:
            return shown(request, "sign_in.html", status=401)
        return _failure(request, error.status_code, error.detail if error.detail in _WHY else "not there")

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        return _failure(request, 404, "not there")

    @app.exception_handler(EngagementError)
    async def ruled_out(request: Request, error: EngagementError) -> Response:
        if isinstance(error, UnknownEngagement):
            return _failure(request, 404, "not there")
        return shown(request, "failure.html", status=409, why=str(error))

    @app.exception_handler(InboxBusy)
    async def busy(request: Request, error: InboxBusy) -> Response:
        return _failure(request, 409, "busy")

    @app.exception_handler(SQLAlchemyError)
    async def no_register(request: Request, error: SQLAlchemyError) -> Response:
        log.error("The register does not answer: %s", type(error).__name__)
        return _failure(request, 503, "register")

    @app.exception_handler(StorageError)
    async def no_storage(request: Request, error: StorageError) -> Response:
        log.error("The storage does not answer: %s", error)
        return _failure(request, 503, "storage")

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        log.error("A page failed: %s", request.url.path, exc_info=error)
        return _failure(request, 500, "broken")

    return app


def _failure(request: Request, status: int, why: str) -> Response:
    vi, en = _WHY[why]
    return shown(request, "failure.html", status=status, why=(vi, en))

"""The pages while parts of Airflow are down: they work by the register, and say what does not."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from plugins.operations import own_airflow
from plugins.operations.own_airflow import ask_after_airflow
from tests.plugins.conftest import Staff

PAGES = ("/", "/work", "/new", "/waiting", "/reports", "/templates", "/calendar", "/import", "/e/KHV-2026-0001",
         "/e/KHV-2026-0001/do/remind?key=information")  # fmt: skip
SEEN = "2026-12-01T07:05:00+00:00"


class Health:
    """Stands for Airflow, which says how it is."""

    def __init__(self) -> None:
        self.status: dict[str, dict[str, Any]] = {
            "metadatabase": {"status": "healthy"},
            "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": SEEN},
            "triggerer": {"status": "healthy", "latest_triggerer_heartbeat": SEEN},
        }
        self.code, self.asked = 200, 0
        self.app = FastAPI()

        @self.app.get("/api/v2/monitor/health")
        def health() -> Any:
            self.asked += 1
            return JSONResponse(self.status, self.code)


@pytest.fixture
def airflow(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> Health:
    health = Health()
    del staff.http.app.dependency_overrides[ask_after_airflow]
    monkeypatch.setattr(own_airflow, "airflow_app", lambda: health.app)
    return health


def test_of_a_healthy_airflow_nothing_is_said(staff: Staff, airflow: Health) -> None:
    assert "không trả lời" not in staff.see("/")
    assert airflow.asked == 1


@pytest.mark.parametrize("path", PAGES)
def test_without_a_scheduler_every_page_works_and_says_since_when(staff: Staff, airflow: Health, path: str) -> None:
    staff.firm.open().ask("information")
    airflow.status["scheduler"]["status"] = "unhealthy"
    assert "Bộ lập lịch của Airflow không trả lời từ 01/12/2026 14:05" in staff.see(path)
    page = staff.see(path, **{"Accept-Language": "en"})
    assert "scheduler does not answer since 01/12/2026 14:05" in page.replace("&#39;", "'")


def test_without_a_triggerer_the_page_says_that_answers_are_not_read(staff: Staff, airflow: Health) -> None:
    airflow.status["triggerer"] = {"status": None}
    page = staff.see("/")
    assert "(triggerer) của Airflow không trả lời.</strong>" in page
    assert "chưa được đọc" in page


@pytest.mark.parametrize("broken", ["its database", "its own answer"])
def test_when_airflow_itself_does_not_answer_the_register_is_shown_all_the_same(
    staff: Staff, airflow: Health, broken: str
) -> None:
    staff.firm.open()
    if broken == "its database":
        airflow.status["metadatabase"]["status"] = "unhealthy"
    else:
        airflow.code = 500
    page = staff.see("/")
    assert "Airflow không trả lời" in page
    assert staff.firm.engagement in page


def test_what_staff_do_is_done_and_kept_without_a_scheduler(staff: Staff, airflow: Health) -> None:
    airflow.status["scheduler"]["status"] = "unhealthy"
    assert staff.do("/mail-switch", to="pause", why="bảo trì").status_code == 303
    page = staff.see("/waiting?done=paused")
    assert "Mọi thư đang tạm dừng" in page
    assert "Bộ lập lịch của Airflow không trả lời" in page


def test_airflow_is_not_asked_again_for_each_picture_of_a_page(staff: Staff, airflow: Health) -> None:
    for _ in range(3):
        staff.see("/waiting")
    assert airflow.asked == 1

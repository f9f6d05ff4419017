"""The gauges' endpoint: for whoever knows its token, and nobody else."""

from __future__ import annotations

import secrets

import pytest
from starlette.testclient import TestClient

from include.production import METRICS_TOKEN
from plugins.engagements import EngagementsPlugin
from plugins.operations.metrics import Metrics
from tests.firm import Firm

TOKEN = secrets.token_hex(32)


@pytest.fixture
def scraper(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("ENGAGEMENT_REGISTER_URL", firm.settings.register_url)
    monkeypatch.setenv("ENGAGEMENT_STORAGE_URL", firm.settings.storage_url)
    monkeypatch.setenv(METRICS_TOKEN, TOKEN)
    return TestClient(Metrics(), raise_server_exceptions=False)


def test_whoever_knows_the_token_reads_the_gauges(scraper: TestClient, firm: Firm) -> None:
    firm.open()
    page = scraper.get("/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert page.status_code == 200
    assert 'engagement_open{stage="intake"} 1\n' in page.text
    assert page.headers["Content-Type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", TOKEN, "Basic eDp5"],
    ids=["nothing", "no token", "empty token", "a part of it", "no scheme", "another scheme"],
)  # fmt: skip
def test_whoever_does_not_know_it_reads_nothing(scraper: TestClient, given: str) -> None:
    page = scraper.get("/", headers={"Authorization": given} if given else {})
    assert (page.status_code, page.text) == (401, "Unauthorized")


def test_without_the_setting_nothing_is_there(scraper: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", None):
        monkeypatch.delenv(METRICS_TOKEN) if value is None else monkeypatch.setenv(METRICS_TOKEN, value)
        for given in ("Bearer ", f"Bearer {TOKEN}"):
            assert scraper.get("/", headers={"Authorization": given}).status_code == 404


def test_a_register_that_does_not_answer_is_a_failed_scrape_without_its_address(
    scraper: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGAGEMENT_REGISTER_URL", "postgresql://geheim@127.0.0.1:1/absent")
    page = scraper.get("/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert page.status_code == 503 and "geheim" not in page.text


def test_airflows_api_server_mounts_it() -> None:
    assert [each["url_prefix"] for each in EngagementsPlugin.fastapi_apps if isinstance(each["app"], Metrics)] == [
        "/engagements-metrics"
    ]

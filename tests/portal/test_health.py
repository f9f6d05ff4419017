"""What the portal says of itself: whether it is well, and what it writes into its log."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from portal import app as portal_app
from portal.app import HEALTH_FILE, create_app
from portal.limits import Limits
from portal.log import JsonLines
from tests.firm import ANSWERS, FORM, Firm
from tests.portal.conftest import MANY, URL, Client


def health(firm: Firm) -> tuple[int, str]:
    answer = TestClient(create_app(firm.settings), base_url=URL, raise_server_exceptions=False).get("/health")
    return answer.status_code, answer.text


def test_a_portal_with_register_and_storage_is_well(portal_firm: Firm) -> None:
    assert health(portal_firm) == (200, "ok")


@pytest.mark.parametrize("url", ["postgresql://geheim@127.0.0.1:1/absent", "empty"])
def test_a_register_that_cannot_be_read_is_told_without_its_address(
    portal_firm: Firm, url: str, postgres: object, caplog: pytest.LogCaptureFixture
) -> None:
    settings = portal_firm.settings
    if url == "empty":  # a database that answers, and is no register
        url = settings.register_url.replace(urlsplit(settings.register_url).path, "/postgres")
    portal_firm.settings = replace(settings, register_url=url)
    assert health(portal_firm) == (503, "not healthy")
    assert "geheim" not in caplog.text


def test_a_storage_that_takes_nothing_is_told(portal_firm: Firm) -> None:
    folder = Path(urlsplit(portal_firm.settings.storage_url).path)
    shutil.rmtree(folder / "portal", ignore_errors=True)
    (folder / "portal").write_text("a file where the folder belongs", encoding="utf-8")
    assert health(portal_firm) == (503, "not healthy")


def test_a_file_that_comes_back_otherwise_is_told(portal_firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.storage.local.LocalStorage.get", lambda self, path: b"")
    assert health(portal_firm) == (503, "not healthy")


def test_however_often_one_asks_the_storage_is_written_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.http.get("/health").text == "ok"
    kept = Path(urlsplit(client.firm.settings.storage_url).path, HEALTH_FILE)
    kept.unlink()
    assert {client.http.get("/health").text for _ in range(20)} == {"ok"}
    assert not kept.exists()
    monkeypatch.setattr(portal_app, "HEALTH_SECONDS", -1.0)
    client.http.get("/health")
    assert kept.exists()


def written(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == "portal"]


def test_an_answer_is_a_line_with_the_engagements_id_and_nobodys_name(
    client_of: Callable[[Limits], Client], caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(MANY)
    client.firm.open()
    client.firm.ask("information")
    with caplog.at_level(logging.INFO, logger="portal"):
        assert client.send("information", {f"answer.{key}": value for key, value in ANSWERS.items()}).is_success
    (line,) = written(caplog)
    assert line["message"] == "an answer to information was received, 0 files"
    assert (line["engagement"], line["level"], line["logger"]) == (client.firm.engagement, "info", "portal")
    assert str(line["time"]).endswith("+00:00")
    for secret in (FORM["client"]["name"], FORM["client"]["contact"]["email"], *map(str, ANSWERS.values())):
        assert secret not in json.dumps(line, ensure_ascii=False)


def test_of_an_error_the_log_keeps_kind_and_place_and_not_the_words() -> None:
    try:
        raise ValueError("Nguyễn Văn A, 0912 345 678")
    except ValueError:
        record = logging.LogRecord("portal", logging.ERROR, __file__, 1, "a page broke", (), sys.exc_info())
    line = JsonLines().format(record)
    said = json.loads(line)
    assert "\n" not in line and "0912" not in line
    assert said["error"] == "ValueError" and said["at"][0].startswith("tests/portal/test_health.py:")
    assert "engagement" not in said

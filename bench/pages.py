"""How long the staff's pages take with many engagements, beside the same pages with few: work inside of the server."""

from __future__ import annotations

import secrets
import statistics
import time
from datetime import date
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.testclient import TestClient
from sqlalchemy import text

from bench.machine import environment
from include import clock
from include.register.session import migrate, sessions
from include.settings import load_settings
from local.postgres import Postgres
from plugins.operations.access import Person, admitted
from plugins.operations.app import create_app
from plugins.operations.own_airflow import ask_after_airflow
from tests.seeded import seed

TODAY = date(2026, 12, 1)
MANY = {"still_open": 2000, "finished": 2000}
FEW = {"still_open": 20, "finished": 20}
PAGES = {
    "board, first page": "/",
    "board, searched without accents": "/?search=ca+phe",
    "board, by company, page 40": "/?sort=client&page=40",
    "my work": "/work",
}
ROUNDS = 15


def measure(folder: Path) -> dict[str, Any]:
    """Return the milliseconds of each page with many engagements (median, max, n) and the ratio to few."""
    server = Postgres(folder / "postgres", durable=False)
    server.start()
    try:
        many, few = (_timed(server, folder, name, sizes) for name, sizes in (("many", MANY), ("few", FEW)))
    finally:
        server.stop()
    return {name: {**many[name], "ratio_to_few": many[name]["median"] / few[name]["median"]} for name in PAGES}


def _timed(server: Postgres, folder: Path, name: str, sizes: dict[str, int]) -> dict[str, dict[str, float]]:
    server.create_database(name)
    migrate(server.url(name))
    with environment(
        ENGAGEMENT_REGISTER_URL=server.url(name), ENGAGEMENT_STORAGE_URL=folder.as_uri(),
        AIRFLOW__API__SECRET_KEY=secrets.token_hex(16),
    ):  # fmt: skip
        settings = load_settings()
        with sessions(settings.register_url)() as session:
            clock.set_rehearsal_day(session, settings, TODAY)
            seed(session, today=TODAY, **sizes)
            session.execute(text("analyze"))
            session.commit()
        app = create_app()
        app.dependency_overrides[admitted] = _signed_in
        app.dependency_overrides[ask_after_airflow] = lambda: None
        browser = TestClient(app)
        return {page: _median(browser, path) for page, path in PAGES.items()}


def _signed_in(request: Request) -> Person:
    person = Person("director", may_act=True, may_administer=True, form_token="")
    request.state.person = person
    return person


def _median(browser: TestClient, path: str) -> dict[str, float]:
    taken = []
    for number in range(ROUNDS + 1):
        began = time.perf_counter()
        answered = browser.get(path)
        if answered.status_code != 200:
            raise RuntimeError(f"{path} answered {answered.status_code}")
        if number:  # the first fills caches
            taken.append((time.perf_counter() - began) * 1000)
    return {"median": statistics.median(taken), "max": max(taken), "n": len(taken)}

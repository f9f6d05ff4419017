"""A real PostgreSQL for the whole session, and a clean register for each test that asks."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from include.register.session import migrate
from include.settings import ROOT, Settings
from local.postgres import Postgres, PostgresError
from tests.firm import Firm, Outbox

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of its own; it ends with the test process, however that ends.

    Not in pytest's own folder: the next run of pytest closes that to other accounts, the server's among them.
    """
    with tempfile.TemporaryDirectory(prefix="register-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder), durable=False)
        try:
            server.start()
        except PostgresError as error:
            server.stop()
            if os.environ.get("CI"):
                raise
            pytest.skip(f"NO DATABASE, NOT TESTED: {error}")
        yield server
        server.stop()


@pytest.fixture(scope="session")
def register_template(postgres: Postgres) -> str:
    """The name of a migrated register that nobody connects to: new ones are copies of it."""
    postgres.create_database("register_template")
    migrate(postgres.url("register_template"))
    return "register_template"


@pytest.fixture(scope="session")
def register_url(postgres: Postgres, register_template: str) -> str:
    """The URL of a register that the session's tests share."""
    postgres.create_database("register_shared", template=register_template)
    return postgres.url("register_shared")


@pytest.fixture
def register(postgres: Postgres, register_template: str) -> Iterator[str]:
    """The URL of an empty, migrated register for this test alone."""
    name = f"register_{next(_NUMBERS)}"
    postgres.create_database(name, template=register_template)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def firm(register: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Firm]:
    """A firm that goes without LibreOffice, which takes a second for each document; some tests hand it back."""
    monkeypatch.setenv("ENGAGEMENT_LIBREOFFICE", "none")
    settings = Settings(
        register_url=register, storage_url=tmp_path.as_uri(), inbox_poll_seconds=1, inbox_settle_seconds=0,
        smtp_conn_id="smtp_default", mail_record=None, production=False, firm_file=ROOT / "include" / "firm.yaml",
    )  # fmt: skip
    yield Firm(settings, Outbox()).day(date(2026, 12, 1))

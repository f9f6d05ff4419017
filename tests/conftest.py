"""A real PostgreSQL for the whole session, and a clean register for each test that asks."""

from __future__ import annotations

import itertools
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from urllib.parse import quote

import boto3
import pytest
from moto.server import ThreadedMotoServer

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


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 server in this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def new_storage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], str]:
    """Gives addresses of empty storages, first of folders, then in S3, each under a name of its own."""
    if request.param == "folder":
        return lambda name: (tmp_path / name).as_uri()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    endpoint = request.getfixturevalue("s3_endpoint")
    bucket = f"ho-so-{uuid.uuid4().hex}"
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=bucket)
    return lambda name: f"s3://{bucket}/{quote(name)}/files?endpoint={endpoint}&region=us-east-1"

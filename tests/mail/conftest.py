"""Engagements to write mails about, and a relay that speaks SMTP."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy.orm import Session as RegisterSession
from sqlalchemy.orm import sessionmaker

from include import clock
from include.mail import ledger as ledger_module
from include.mail.transport import Relay
from include.register.models import Engagement
from include.register.session import sessions
from tests.mail.desk import Desk
from tests.mail.post import Post
from tests.mail.servers import dovecot, smtp_port

__all__ = ["dovecot", "smtp_port"]


@pytest.fixture(scope="session")
def ledger_register(register_url: str) -> sessionmaker[RegisterSession]:
    """Sessions of the register that these tests share; each works on an engagement of its own."""
    return sessions(register_url)


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


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Moves the ledger's clock on."""
    passed = timedelta()

    def move(by: timedelta) -> None:
        nonlocal passed
        passed += by

    monkeypatch.setattr(ledger_module, "now", lambda: clock.now() + passed)
    return move


@pytest.fixture
def office(
    ledger_register: sessionmaker[RegisterSession], tmp_path: Path, relay: Relay, desk: Desk, engagement: str
) -> Post:
    """A mail to post through the relay, whose desk keeps the record."""
    post = Post(ledger_register, tmp_path, relay, engagement)
    desk.archive = post.record_folder
    return post

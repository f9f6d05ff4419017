"""The reminders sweep over many open requests, with an SMTP relay that wants TLS and a login.

Beside it the same mails with a connection for each: what the one connection of a batch is worth.
"""

from __future__ import annotations

import ipaddress
import logging
import multiprocessing
import secrets
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import insert
from sqlalchemy.orm import Session

from bench.machine import environment
from include import clock
from include.casework.office import open_office
from include.casework.reminders import sweep
from include.engagement.calendar import working_calendar
from include.mail.transport import Relay
from include.register.models import Engagement, Request, RequestItem
from include.register.session import migrate, sessions
from include.settings import load_settings
from local.ports import HOST
from local.postgres import Postgres
from tests.firm import FORM

TODAY = date(2026, 12, 8)
OPEN, DUE = 10_000, 500
SINGLE = 200  # mails that go one by one
APART = multiprocessing.get_context("spawn")
CALENDAR = working_calendar()


def measure(folder: Path) -> dict[str, Any]:
    """Return the sweep's seconds and memory (bytes), and the mails a second over one connection and over many."""
    server = Postgres(folder / "postgres", durable=False)
    server.start()
    try:
        server.create_database("register")
        migrate(server.url("register"))
        storage = folder / "storage"
        storage.mkdir()
        with _relay(folder) as (relay, logins), environment(
            ENGAGEMENT_REGISTER_URL=server.url("register"), ENGAGEMENT_STORAGE_URL=storage.as_uri()
        ):  # fmt: skip
            settings = load_settings()
            with sessions(settings.register_url)() as session:
                clock.set_rehearsal_day(session, settings, TODAY)
                _many(session)
            with APART.Pool(1) as process:  # whose memory is the sweep's alone
                found = process.apply(_sweep, (relay,))
            connections = logins.value
            bodies = [path.read_bytes() for path in sorted(storage.rglob("*.eml"))[:SINGLE]]
            rates = {name: _rate(relay, bodies, together=name == "one connection")
                     for name in ("one connection", "a connection each")}  # fmt: skip
    finally:
        server.stop()
    return {"open": OPEN, **found, "connections": connections, "mails_a_second": rates,
            "ratio": rates["one connection"] / rates["a connection each"]}  # fmt: skip


def _sweep(relay: Relay) -> dict[str, Any]:
    office = open_office(relay, settings=load_settings())
    before, began = _peak(), time.perf_counter()
    sent = sweep(office, since=TODAY, day=TODAY)
    found = {"sent": sent, "seconds": time.perf_counter() - began, "memory_grown": _peak() - before}
    if (again := sweep(office, since=TODAY, day=TODAY)) or sent != DUE:
        raise RuntimeError(f"{sent} reminders went out and {again} at the second sweep, not {DUE} and 0")
    return found


def _rate(relay: Relay, bodies: list[bytes], *, together: bool) -> float:
    began = time.perf_counter()
    if together:
        with relay.session() as conversation:
            for body in bodies:
                conversation.send("hoso@kehoachviet.example", ["ketoan@banmesom.example"], body)
    else:
        for body in bodies:
            relay.send("hoso@kehoachviet.example", ["ketoan@banmesom.example"], body)
    return len(bodies) / (time.perf_counter() - began)


def _many(session: Session) -> None:
    """Write OPEN engagements that each wait for information; DUE of them are due tomorrow, which is told today."""
    rows: dict[Any, list[dict[str, Any]]] = {Engagement: [], Request: [], RequestItem: []}
    for number in range(1, OPEN + 1):
        name = f"KHV-2026-{number:05d}"
        due = CALENDAR.next(TODAY) if number <= DUE else CALENDAR.add(TODAY, 5)
        contact = {**FORM["client"]["contact"], "email": f"khach{number}@khachhang.example"}
        rows[Engagement].append(
            {"id": name, "language": "vi", "form": {**FORM, "client": {**FORM["client"], "contact": contact}},
             "form_digest": name, "opened": date(2026, 12, 1), "status": "open"}
        )  # fmt: skip
        rows[Request].append(
            {"id": number, "engagement_id": name, "key": "information", "kind": "information", "round": 1,
             "stage": "information", "stage_round": 1, "asked": date(2026, 12, 1), "due": due, "of": "client"}
        )  # fmt: skip
        rows[RequestItem] += [{"request_id": number, "key": key, "required": True} for key in ("strategy", "capacity")]
    for model, values in rows.items():
        session.execute(insert(model), values)
    session.commit()


class _Door:
    """Lets in who knows the password, counts them, and takes every mail."""

    def __init__(self, password: str, logins: Any) -> None:
        self._password = password
        self._logins = logins

    def __call__(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        with self._logins.get_lock():
            self._logins.value += 1
        return AuthResult(success=data.password.decode() == self._password)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return "250 OK"


def _serve(port: int, certificate: Path, password: str, logins: Any, ready: Any) -> None:
    warnings.simplefilter("ignore")  # aiosmtpd's about its own future
    logging.disable(logging.WARNING)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    door = _Door(password, logins)
    Controller(door, hostname=HOST, port=port, tls_context=context, require_starttls=True, authenticator=door,
               auth_required=True).start()  # fmt: skip
    ready.set()
    threading.Event().wait()


@contextmanager
def _relay(folder: Path) -> Iterator[tuple[Relay, Any]]:
    """Run a relay that takes mail over TLS from whoever has logged in; with it comes the number of logins."""
    certificate = _certificate(folder / "relay.pem")
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    password, logins, ready = secrets.token_hex(16), APART.Value("i", 0), APART.Event()
    server = APART.Process(target=_serve, args=(port, certificate, password, logins, ready), daemon=True)
    server.start()
    ready.wait()
    try:
        with environment(SSL_CERT_FILE=str(certificate)):
            yield Relay(HOST, port, user="hoso", password=password), logins
    finally:
        server.kill()


def _certificate(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())  # fmt: skip
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def _peak() -> int:
    """Return the most memory that this process has held, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024

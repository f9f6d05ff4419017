"""Mail servers from Airflow's connections, whether Airflow or the doctor reads these."""

from __future__ import annotations

from typing import Literal

from include.mail.imap import ImapServer
from include.mail.transport import Relay
from include.production import OFF, ON, Connection


def relay_of(connection: Connection, *, timeout: float = Relay.timeout, archive: str = "") -> Relay:
    """Return the relay of an ``smtp`` connection, whose extras are those of ``SmtpHook``; ``archive``: see Relay."""
    extra = connection.extra
    tls: Literal["none", "starttls", "ssl"]
    tls = "ssl" if not extra.get("disable_ssl") else "starttls" if not extra.get("disable_tls") else "none"
    return Relay(
        host=connection.host or "localhost", port=connection.port or {"ssl": 465, "starttls": 587, "none": 25}[tls],
        user=connection.login, password=connection.password, tls=tls, timeout=timeout, archive=archive,
    )  # fmt: skip


def imap_server_of(connection: Connection, *, timeout: float = ImapServer.timeout) -> ImapServer:
    """Return the server of an ``imap`` connection; extras ``use_ssl`` (default true) and ``starttls``."""
    ssl = str(connection.extra.get("use_ssl", True)).casefold() not in OFF
    starttls = str(connection.extra.get("starttls", False)).casefold() in ON
    return ImapServer(
        host=connection.host or "localhost", port=connection.port or (993 if ssl else 143), user=connection.login,
        password=connection.password, tls="ssl" if ssl else "starttls" if starttls else "none", timeout=timeout,
    )  # fmt: skip

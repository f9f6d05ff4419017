"""The mail servers: the relay, the mailbox of replies, the records that say what went."""

from __future__ import annotations

import smtplib
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

from include import clock
from include.doctor.look import SECONDS
from include.mail.connections import imap_server_of, relay_of
from include.mail.imap import ImapServer
from include.mail.record import addresses, record_at
from include.mail.transport import Relay, TransientMailError
from include.production import LOOPBACK, Environment, Finding, connection_of

RECORD = "ENGAGEMENT_MAIL_RECORD"


def mail_findings(env: Environment) -> Iterator[Finding]:
    """Judge how mail is kept from being sent twice or not at all."""
    if env.get("ENGAGEMENT_MAIL_DRY_RUN", "") == "1":
        yield Finding("warning", "ENGAGEMENT_MAIL_DRY_RUN", "no mail is sent, now or later", "remove it")
    if not addresses(env.get(RECORD)):
        yield Finding("warning", RECORD, "is not set: of each mail whose answer is lost, a person must find out "
                      "whether it went", "name where to look it up; see .env.example")  # fmt: skip


def relay_findings(env: Environment, *, greeted: Callable[[Relay], smtplib.SMTP] = Relay.greeted) -> Iterator[Finding]:
    """Greet the mail relay as mails do, and take leave."""
    name = f"AIRFLOW_CONN_{env.get('ENGAGEMENT_SMTP_CONN_ID', 'smtp_default').upper()}"
    if not env.get(name):
        yield Finding("warning", name, "is not in the environment; where Airflow itself keeps it, it was not tried",
                      "see .env.example")  # fmt: skip
        return
    relay = relay_of(connection_of(env[name]), timeout=SECONDS)
    near = relay.host in LOOPBACK
    if relay.tls == "none" and relay.user and not near:
        yield Finding("refused", name, "sends its password without TLS", 'take "disable_tls" out of its extra')
        return
    if relay.tls == "none" and not near:
        yield Finding("warning", name, "sends clients' mail without TLS", 'take "disable_tls" out of its extra')
    if not relay.user and not near:
        yield Finding("warning", name, "has no login", "give an account, unless the relay knows this machine")
    try:
        smtp = greeted(relay)
    except TransientMailError as error:
        said = type(error.__cause__ or error).__name__  # what a server says may repeat the login
        yield Finding("refused", name, f"no conversation with {relay.host}:{relay.port} ({said})",
                      "see host, port, login and TLS of the connection")  # fmt: skip
        return
    with suppress(OSError, smtplib.SMTPException):
        smtp.quit()
    yield Finding("ok", name, f"{relay.host} answers" + ("" if relay.tls == "none" else " over TLS")
                  + (" and takes the login" if relay.user else ""))  # fmt: skip


def mailbox_findings(
    env: Environment, *, opened: Callable[[ImapServer], AbstractContextManager[Any]] = ImapServer.open
) -> Iterator[Finding]:
    """Log in to the mailbox that clients reply to, as the DAG ``mailbox`` does."""
    name = f"AIRFLOW_CONN_{env.get('ENGAGEMENT_IMAP_CONN_ID', 'imap_default').upper()}"
    if env.get("ENGAGEMENT_REPLY_FOLDER"):
        yield Finding("refused", "ENGAGEMENT_REPLY_FOLDER", "replies are read from a folder of mails", "remove it")
    if not env.get(name):
        yield Finding("warning", name, "is not in the environment: unless Airflow itself keeps it, nobody reads what "
                      "clients reply by email", "see .env.example")  # fmt: skip
        return
    server = imap_server_of(connection_of(env[name]), timeout=SECONDS)
    if server.tls == "none" and server.host not in LOOPBACK:
        yield Finding("refused", name, "sends its password without TLS", '"use_ssl": true in its extra')
        return
    try:
        with opened(server):
            pass
    except TransientMailError:
        yield Finding("refused", name, f"{server.host}:{server.port} does not let this account in",
                      "see host, port, login and TLS of the connection")  # fmt: skip
        return
    yield Finding("ok", name, f"{server.host} lets this account in")


def record_findings(env: Environment, address: str) -> Iterator[Finding]:
    """Ask a mail record for a mail that never was."""

    def imap_server(conn_id: str) -> ImapServer:
        name = f"AIRFLOW_CONN_{conn_id.upper()}"
        if not env.get(name):
            raise KeyError(name)
        return imap_server_of(connection_of(env[name]), timeout=SECONDS)

    try:
        record_at(address, imap_server).contains(f"<{uuid.uuid4().hex}@doctor.invalid>", since=clock.now())
    except ValueError as error:
        yield Finding("refused", RECORD, str(error), "see .env.example")
    except KeyError as error:
        yield Finding("warning", RECORD, f"{address} was not asked: {error.args[0]} is not in the environment; Airflow "
                      "itself may keep it", "see .env.example")  # fmt: skip
    except TransientMailError as error:
        yield Finding("refused", RECORD, f"{address} cannot be asked: {error}", "mend what it says: mails whose answer "
                      "is lost would wait for it, then for a person")  # fmt: skip
    else:
        yield Finding("ok", RECORD, f"{address} can be asked")

"""Reading the reply mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowSkipException

from operators.case import open_office

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.mail.imap import ImapServer


class ReadMailbox(BaseOperator):
    """Reads what clients reply by email; skipped where the installation has no reply mailbox.

    What is read stays in the register and in storage: the log and XCom get numbers.
    """

    def execute(self, context: Context) -> None:
        """Read once; the log says how many messages came to which state."""
        from include.casework.mailbox import read_mailbox
        from include.mail.transport import TransientMailError

        office = open_office()
        server = imap_server(office.settings.imap_conn_id)
        try:
            with server.open() as box:
                counts = read_mailbox(office, box, authserv_id=office.settings.authserv_id)
        except TransientMailError:
            raise AirflowException("a mail server does not answer as hoped; what is left is read later") from None
        self.log.info("Messages settled: %s", dict(sorted(counts.items())))


def imap_server(conn_id: str) -> ImapServer:
    """Return the IMAP server of an Airflow connection; extras ``use_ssl`` (default true) and ``starttls``.

    Raises AirflowSkipException when there is no such connection.
    """
    from include.mail.imap import ImapServer

    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise AirflowSkipException(
            f"there is no connection {conn_id}: replies by email are not read here (see .env.example)"
        ) from None
    extra = connection.extra_dejson
    ssl = str(extra.get("use_ssl", True)).casefold() not in ("false", "0", "no")
    starttls = str(extra.get("starttls", False)).casefold() in ("true", "1", "yes")
    return ImapServer(
        host=connection.host or "localhost",
        port=connection.port or (993 if ssl else 143),
        user=connection.login or "",
        password=connection.password or "",
        tls="ssl" if ssl else "starttls" if starttls else "none",
    )

"""Reading the reply mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowSkipException

from operators.case import imap_server, open_office

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.mail.imap import ReplyMailbox
    from include.settings import Settings


class ReadMailbox(BaseOperator):
    """Reads what clients reply by email; skipped where the installation has no reply mailbox.

    What is read stays in the register and in storage: the log and XCom get numbers.
    """

    def execute(self, context: Context) -> None:
        """Read once; the log says how many messages came to which state."""
        from include.casework.mailbox import read_mailbox
        from include.mail.transport import TransientMailError

        office = open_office()
        try:
            with reply_mailbox(office.settings) as box:
                counts = read_mailbox(office, box, authserv_id=office.settings.authserv_id)
        except TransientMailError:
            raise AirflowException("a mail server does not answer as hoped; what is left is read later") from None
        self.log.info("Messages settled: %s", dict(sorted(counts.items())))


@contextmanager
def reply_mailbox(settings: Settings) -> Iterator[ReplyMailbox]:
    """Open the mailbox that clients reply to. Raises AirflowSkipException when there is none."""
    if settings.reply_folder is not None:
        from include.mail.catcher_mailbox import CatcherMailbox

        yield CatcherMailbox(settings.reply_folder, str(settings.firm["mail"]["reply_to"]))
        return
    try:
        server = imap_server(settings.imap_conn_id)
    except AirflowNotFoundException:
        raise AirflowSkipException(
            f"there is no connection {settings.imap_conn_id}: replies by email are not read here (see .env.example)"
        ) from None
    with server.open() as box:
        yield box

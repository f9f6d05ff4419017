"""The outbox as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator

from operators.case import open_office

if TYPE_CHECKING:
    from airflow.sdk import Context


class SendOutbox(BaseOperator):
    """Sends the mails that are due and could not go before."""

    def execute(self, context: Context) -> None:
        """Send; the log says how many mails came to which state, and names none."""
        from include.casework.outbox import send_due

        self.log.info("Mails that were due: %s", dict(sorted(send_due(open_office()).items())))

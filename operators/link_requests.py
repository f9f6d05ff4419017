"""Waiting for those who ask the portal for a new link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from operators.case import open_office, permanent_errors
from operators.client_request import LONGEST_WAIT
from operators.inbox import InboxTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class AnswerLinkRequests(BaseOperator):
    """Waits until somebody asks for a new link, sends what was asked for, and ends: the next run waits for the next."""

    def execute(self, context: Context) -> None:
        """Wait for whoever asks next; asked already counts."""
        from include.casework.new_links import FOLDER
        from include.settings import load_settings

        settings = load_settings()
        self.defer(
            trigger=InboxTrigger(
                folder=FOLDER,
                poll_seconds=settings.inbox_poll_seconds,
                settle_seconds=settings.inbox_settle_seconds,
            ),
            method_name="answer",
            timeout=LONGEST_WAIT,
        )

    def answer(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Send the links; the log says how many."""
        from include.casework.new_links import answer_requests

        with permanent_errors():
            sent = answer_requests(open_office())
        self.log.info("New links sent: %d", sent)

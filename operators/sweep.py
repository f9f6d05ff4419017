"""The reminders sweep as a task."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator

from operators.case import open_office, permanent_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class SweepReminders(BaseOperator):
    """Sends the reminders of the param ``day`` (default: today), and of the days from ``since`` on."""

    def execute(self, context: Context) -> None:
        """Sweep; the log says how many reminders went out."""
        from include.casework.reminders import sweep

        office = open_office()
        day = date.fromisoformat(context["params"]["day"] or office.today.isoformat())
        since = date.fromisoformat(context["params"]["since"] or day.isoformat())
        with permanent_errors():
            sent = sweep(office, since=since, day=day)
        self.log.info("Reminders sent from %s to %s: %d", since, day, sent)

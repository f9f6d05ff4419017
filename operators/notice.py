"""Telling people that a task has stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.bases.notifier import BaseNotifier

from operators.case import engagement_of, open_office, stopped_key

if TYPE_CHECKING:
    from airflow.sdk import Context


class FailureNotice(BaseNotifier):
    """Mails the account manager that a task of an engagement failed for good, and why; once per failed try.

    Silent once the engagement was ended by hand.
    """

    def notify(self, context: Context) -> None:
        """Send the notice."""
        from include.casework.correspondence import post

        task = context["task"]
        key = stopped_key(context)
        with open_office().case(engagement_of(context)) as case:
            if case.ended:
                return
            stopped = case.happened(key)
            post(case, "task_failed", key, request_title=task.task_display_name,
                 reason=str(stopped.facts["why"]) if stopped else "")  # fmt: skip

"""The answer that Airflow holds for a sign-off that begins anew.

What resumes a task with its answer can be cut short: a worker dies, the DAG file cannot be read. The task then begins
anew, and to ask once more would have Airflow wipe the answer. Only the triggerer may read it: a worker's supervisor
does not serve the question.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from airflow.triggers.base import BaseTrigger, TriggerEvent


class AnswerOnFile(BaseTrigger):
    """Fires at once with the answer, as a resumed sign-off gets it; an empty event where there is none.

    Where Airflow does not say, it fails, and the task is tried again: to ask a person anew would wipe the answer.
    """

    def __init__(self, *, ti_id: str) -> None:
        super().__init__()
        self.ti_id = ti_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what recreates this trigger."""
        return ("operators.answer_on_file.AnswerOnFile", {"ti_id": self.ti_id})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask Airflow once. Raises AirflowRuntimeError where it does not say."""
        from airflow.sdk.exceptions import AirflowRuntimeError
        from airflow.sdk.execution_time.hitl import get_hitl_detail_content_detail
        from asgiref.sync import sync_to_async

        try:
            detail = await sync_to_async(get_hitl_detail_content_detail)(ti_id=UUID(self.ti_id))
        except AirflowRuntimeError as error:
            if (error.error.detail or {}).get("status_code") != 404:
                raise
            yield TriggerEvent({})  # nobody was asked yet
            return
        if not detail.response_received:
            yield TriggerEvent({})
            return
        user = detail.responded_by_user
        yield TriggerEvent(
            {
                "chosen_options": list(detail.chosen_options or []),
                "params_input": dict(detail.params_input or {}),
                "responded_at": detail.responded_at,
                "responded_by_user": {"id": user.id, "name": user.name} if user else None,
            }
        )

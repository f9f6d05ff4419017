"""Planning the next monitoring visit or contact: a run of its own that Airflow starts when its day has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk.exceptions import AirflowSkipException

from operators.case import engagement_of, open_office, permanent_errors, skip_if_ended

if TYPE_CHECKING:
    from airflow.sdk import Context


class ScheduleRun(TriggerDagRunOperator):
    """Queues the next run of ``trigger_dag_id`` under a deterministic run id; skips when none is due to come."""

    def __init__(self, *, trigger_dag_id: str, **kwargs: Any) -> None:
        super().__init__(trigger_dag_id=trigger_dag_id, skip_when_already_exists=True,
                         openlineage_inject_parent_info=False, **kwargs)  # fmt: skip

    def execute(self, context: Context) -> None:
        """Plan the run in the register, then queue it in Airflow."""
        from include.casework.planning import begin, plan_next

        engagement_id = engagement_of(context)
        with permanent_errors(), open_office().case(engagement_id) as case:
            skip_if_ended(case)
            if "__" in context["run_id"]:
                begin(case, context["run_id"])
            planned = plan_next(case, self.trigger_dag_id)
        if planned is None:
            raise AirflowSkipException("no further run to plan")
        self.trigger_run_id = planned.run_id
        self.run_after = planned.run_after
        self.conf = {"engagement_id": engagement_id}
        super().execute(context)

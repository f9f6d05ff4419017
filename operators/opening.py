"""The first task of an engagement's run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from operators.case import given_id, open_office, permanent_errors, skip_if_ended

if TYPE_CHECKING:
    from airflow.sdk import Context


class OpenEngagement(TriggerDagRunOperator):
    """Opens the engagement whose id the run bears.

    A run from Airflow's trigger form has a name of Airflow's making: it starts the run that bears the engagement's
    id and leaves the rest to it (its own later tasks skip themselves). When that run exists, this task fails: an
    engagement is opened once.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trigger_dag_id="engagement", openlineage_inject_parent_info=False, **kwargs)

    def execute(self, context: Context) -> None:
        """Open, or hand over."""
        from include.casework.intake import open_engagement

        run = context["dag_run"]
        with permanent_errors(), open_office().case(given_id(context)) as case:
            skip_if_ended(case)
            if run.run_id == case.id:
                return open_engagement(case)
        self.trigger_run_id = case.id
        self.conf = {"engagement_id": case.id}
        return super().execute(context)

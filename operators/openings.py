"""Which engagements wait for their run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from operators.case import open_office

if TYPE_CHECKING:
    from airflow.sdk import Context

MOST = 100  # runs that one turn starts; the rest follow with the next


class FindOpenings(BaseOperator):
    """Returns how to start the run of each engagement that staff registered and that has none: ids, nothing else."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Look them up. The run id is the engagement's id, so that a second start of the same run is refused."""
        from include.casework.opening import awaiting_run

        with open_office().sessions() as session:
            ids = awaiting_run(session, most=MOST)
        self.log.info("Engagements that wait for their run: %d", len(ids))
        return [{"trigger_run_id": each, "conf": {"engagement_id": each}} for each in ids]

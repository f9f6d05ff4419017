"""Retention as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator

from operators.case import open_office, permanent_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class Retain(BaseOperator):
    """Archives engagements that ended long ago, and deletes what nobody works with any more."""

    def execute(self, context: Context) -> None:
        """Do what is due; the log says how much of what."""
        from include.casework.retention import sweep

        with permanent_errors():
            done = sweep(open_office())
        self.log.info("Retention: %s", dict(sorted(done.items())))
        if done["failed"]:
            raise RuntimeError(f"{done['failed']} engagements could not be archived; the log above says why.")

"""Loaded by Airflow's scheduler, whose LocalExecutor forks a process for every task.

What is imported here, no task imports again. For real use that is libraries only: the pipeline's own code stays what
lies on disk, so that an edit counts from the next task on. Nobody edits code under a rehearsal: it loads that too.
Airflow takes the names in ``__all__`` for settings.
"""

from __future__ import annotations

import contextlib
import importlib
import os

__all__: list[str] = []

LIBRARIES = (
    "airflow.providers.smtp.hooks.smtp",
    "airflow.providers.standard.operators.hitl",
    "airflow.providers.standard.operators.trigger_dagrun",
    "docx",
    "docxtpl",
    "email_validator",
    "holidays.countries.vietnam",
    "icalendar",
    "jsonschema",
    "markdown_it",
    "openpyxl",
    "openpyxl.chart",
    "phonenumbers",
    "psycopg2",
    "python_calamine",
    "slugify",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
    "stdnum.vn.mst",
    "yaml",
)
OURS = (
    "include.casework.desks",
    "include.casework.office",
    "include.casework.planning",
    "include.casework.receiving",
    "include.casework.reminders",
    "include.casework.signing",
    "include.documents.word",
    "operators.opening",
    "operators.schedule_run",
    "operators.sign_off",
    "operators.sweep",
)

for module in LIBRARIES + (OURS if os.environ.get("ENGAGEMENT_REHEARSAL") else ()):
    # A task that needs what is missing says so itself.
    with contextlib.suppress(ImportError):
        importlib.import_module(module)

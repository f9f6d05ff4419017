"""Loaded by Airflow's scheduler, whose LocalExecutor forks a process for every task.

What is imported here, no task imports again (0.2–0.3 seconds each). Libraries only: the pipeline's own code stays
what lies on disk, so that an edit counts from the next task on. Airflow takes this module's ``__all__`` for settings.
"""

from __future__ import annotations

import contextlib
import importlib

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

for library in LIBRARIES:
    # A task that needs a library that is missing says so itself.
    with contextlib.suppress(ImportError):
        importlib.import_module(library)

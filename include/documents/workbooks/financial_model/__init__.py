"""The financial model: what a bank reads. Inputs coloured, every result a live formula, three scenarios.

The company as it is goes on beside the project; appraisal looks at what the project adds. Sheets are written in the
order in which they are read; formulas name rows by key and are resolved when all rows have their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.documents.workbooks import layout
from include.documents.workbooks.financial_model import (
    appraisal,
    assumptions,
    scenarios,
    schedules,
    statements,
    summary,
)
from include.documents.workbooks.financial_model.grid import Model
from include.engagement.process import Language


def build(*, language: Language, facts: Mapping[str, Any]) -> bytes:
    """Return the model over ``need.horizon_months``, fed from ``facts["answer"]`` and ``facts["finance"]``.

    A figure that is missing or zero leaves a note and results without numbers, never an error value.
    """
    model = Model(language=language, facts=facts)
    overview = model.page("Tổng quan", "Summary")
    assumptions.write(model)
    schedules.write(model)
    statements.write(model)
    appraisal.write(model)
    scenarios.write(model)
    summary.write(model, overview)
    model.finish()
    return layout.save(model.workbook, "financial_model", language=language, facts=facts)

"""One engagement has one id, however people write it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from operators.case import engagement_of, given_id


def context(run_id: str, given: Any) -> Any:
    return {"dag_run": SimpleNamespace(run_id=run_id, conf={"engagement_id": given}), "params": {}}


@pytest.mark.parametrize(
    "written",
    ["KHV-2026-0042", "khv-2026-0042", "  KHV-2026-0042\n", "KHV - 2026 - 0042", "ＫＨＶ－２０２６－００４２",
     "KHV–2026–0042", "KHV\u20112026\u20110042", "KHV-2026-\u200b0042", "\u00a0KHV-2026-0042"],
)  # fmt: skip
def test_every_spelling_is_the_same_engagement(written: str) -> None:
    assert given_id(context("manual__x", written)) == "KHV-2026-0042"
    assert engagement_of(context("KHV-2026-0042", written)) == "KHV-2026-0042"


@pytest.mark.parametrize("run_id", ["khv-2026-0042", "manual__2026-12-01", "KHV-2026-0042 "])
def test_a_run_under_another_spelling_works_on_nothing(run_id: str) -> None:
    with pytest.raises(AirflowSkipException):
        engagement_of(context(run_id, run_id))


def test_nothing_given_is_no_id() -> None:
    assert given_id({"dag_run": SimpleNamespace(conf=None), "params": {}}) == ""  # type: ignore[typeddict-item]

"""Policies over all DAGs at once: what is added later is covered too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from include.engagement import process
from include.settings import ROOT

GOLDEN = Path(__file__).parent / "task_ids.json"
MOST_TASKS = 50
HEAVY = ("docxtpl", "docx", "openpyxl", "boto3", "sqlalchemy", "python_calamine", "alembic")


@pytest.fixture(scope="session")
def dags(airflow_home: Path) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(ROOT / "dags"))
    assert bag.import_errors == {}
    return dict(bag.dags)


def tasks(dags: dict[str, Any]) -> list[Any]:
    return [task for dag in dags.values() for task in dag.tasks]


def sign_offs(dags: dict[str, Any]) -> list[Any]:
    return [task for task in tasks(dags) if getattr(task, "gate", None)]


def test_task_ids_are_the_ones_that_runs_in_flight_know(dags: dict[str, Any]) -> None:
    """A rename strands parked tasks: it is a migration, described in CHANGELOG.md, and then changes this list."""
    found = {dag_id: sorted(task.task_id for task in dag.tasks) for dag_id, dag in sorted(dags.items())}
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_a_run_of_an_engagement_has_few_tasks(dags: dict[str, Any]) -> None:
    assert len(dags["engagement"].tasks) <= MOST_TASKS


def test_no_task_of_an_engagement_is_mapped(dags: dict[str, Any]) -> None:
    """For each mapped task, and each that follows one, the scheduler asks the database at every look at a run."""
    for dag_id in ("engagement", "monitoring", "feedback"):
        assert not [task.task_id for task in dags[dag_id].tasks if getattr(task, "is_mapped", False)]


def test_a_task_of_one_flow_only_says_how_engagements_of_another_pass_it(dags: dict[str, Any]) -> None:
    for task in map(operator, tasks(dags)):
        since, until = getattr(task, "since", 1), getattr(task, "until", None)
        assert 1 <= since <= process.FLOW, task.task_id
        assert until is None or since <= until < process.FLOW, task.task_id
        if (since > 1 or until is not None) and task.routes:
            assert task.passed_as in task.routes, task.task_id


def test_every_stage_is_a_task_group_with_its_vietnamese_title(dags: dict[str, Any]) -> None:
    titles: dict[str, set[str]] = {}
    for dag in dags.values():
        for group_id, group in dag.task_group_dict.items():
            if group_id:
                titles.setdefault(group_id.rpartition(".")[2], set()).add(group.group_display_name)
    for stage in process.STAGES.values():
        assert titles.get(stage.key) == {stage.title.vi}, stage.key


def test_every_task_has_a_vietnamese_name_an_owner_and_spaced_retries(dags: dict[str, Any]) -> None:
    for task in tasks(dags):
        assert task.task_display_name != task.task_id, task.task_id
        assert task.owner == "ke-hoach-viet"
        assert task.retries >= 5
        assert task.retry_delay.total_seconds() > 0


def test_every_dag_carries_its_manual_and_tags(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert len(dag.doc_md or "") > 200, dag.dag_id
        assert "engagement" in dag.tags
        one_at_a_time = dag.dag_id in ("mailbox", "new_links", "openings", "outbox", "reminders", "retention")
        assert dag.max_active_runs == (1 if one_at_a_time else 10_000)


def operator(task: Any) -> Any:
    return task.unmap({}) if getattr(task, "is_mapped", False) else task


def test_no_sign_off_has_a_default_answer(dags: dict[str, Any]) -> None:
    found = sign_offs(dags)
    assert len(found) >= len(process.SIGN_OFFS)
    for task in found:
        assert task.defaults is None, task.task_id
        assert task.response_timeout is None, task.task_id


def test_a_worker_that_hangs_is_let_go_but_no_wait_is_limited(dags: dict[str, Any]) -> None:
    for task in tasks(dags):
        limit = operator(task).execution_timeout
        assert limit is not None, task.task_id
        assert 5 * 60 <= limit.total_seconds() <= 3600, task.task_id
        assert operator(task).retry_exponential_backoff, task.task_id
        assert operator(task).max_retry_delay.total_seconds() >= 1800, task.task_id


def test_every_request_and_every_sign_off_of_the_rows_is_in_a_dag(dags: dict[str, Any]) -> None:
    assert {task.kind for task in tasks(dags) if hasattr(task, "kind")} == set(process.REQUESTS)
    assert {task.gate for task in sign_offs(dags)} == set(process.SIGN_OFFS)


def test_staff_are_led_to_the_task_that_asks_them_or_waits(dags: dict[str, Any]) -> None:
    from include.casework.work import form_page, wait_page

    for dag in dags.values():
        for task in dag.tasks:
            if getattr(task, "gate", None):
                page = form_page("KHV-2026-0001", task.gate, task.number or 1, task.who)
                assert page.startswith(f"/dags/{dag.dag_id}/runs/KHV-2026-0001"), task.task_id
                assert page.endswith(f"/tasks/{task.task_id}/required_actions")
            if hasattr(task, "kind"):
                assert wait_page("KHV-2026-0001", task.kind, task.number or 1).endswith(f"/tasks/{task.task_id}")


def test_the_options_of_a_sign_off_tell_which_one_it_is() -> None:
    options = [tuple(row.options.values()) for row in process.SIGN_OFFS.values()]
    assert len(set(options)) == len(options)


def test_where_ways_part_every_way_has_its_outcome_and_label(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            if routes := getattr(task, "routes", None):
                assert set(routes.values()) == task.downstream_task_ids, task.task_id
                for followed in task.downstream_task_ids:
                    assert dag.edge_info[task.task_id][followed]["label"], (task.task_id, followed)


def test_only_a_passed_appraisal_leads_to_the_handover(dags: dict[str, Any]) -> None:
    dag = dags["engagement"]
    before = dag.get_task("handover.accept_1").upstream_task_ids
    assert before and all(task_id.endswith(".appraisal.conclude") for task_id in before)
    for task_id in before:
        routes = dag.get_task(task_id).routes
        assert [outcome for outcome, task in routes.items() if task == "handover.accept_1"] == ["pass"]


def test_no_quote_and_no_contract_can_come_before_the_decision(dags: dict[str, Any]) -> None:
    dag = dags["engagement"]
    decision = dag.get_task("contract.decide")
    before = {task.task_id for task in decision.get_flat_relatives(upstream=True)}
    priced = {task.task_id for task in dag.tasks if getattr(task, "kind", "") in ("quote", "contract")}
    assert priced and not priced & before
    after = {task.task_id for task in decision.get_flat_relatives(upstream=False)}
    assert priced <= after


def test_actions_of_steps_exist(dags: dict[str, Any]) -> None:
    from importlib import import_module

    steps = [task for task in tasks(dags) if task.task_type == "Step"]
    assert steps
    for task in steps:
        module, _, function = task.action.partition(":")
        assert callable(getattr(import_module(f"include.casework.{module}"), function))


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "dags").glob("*.py")))
def test_parsing_a_dag_file_loads_nothing_heavy_of_ours(name: str, airflow_home: Path) -> None:
    """SQLAlchemy and others come with Airflow's own import; only what the DAG file adds counts."""
    script = (
        "import sys; import airflow.sdk, airflow.models, airflow.providers.standard.operators.hitl, "
        "airflow.providers.standard.operators.trigger_dagrun, airflow.triggers.base, airflow.sdk.bases.skipmixin\n"
        f"before = set(sys.modules); sys.path.insert(0, 'dags'); import {name}\n"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.strip().splitlines()[-1]
    assert not [heavy for heavy in HEAVY if f"'{heavy}'" in loaded], loaded

"""``python -m tests.plugins.signed_in``: what each role may do, asked of Airflow's own API with its real login.

A process of its own: Airflow reads its settings, the roles among them, once. Prints the answers' status as JSON.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from typing import Any

PEOPLE = {"viet": "Admin", "thuha": "Operator", "phuoc": "Reviewer", "ngan": "Reviewer", "khach": "Viewer", "": ""}
RUN = "KHV-2026-0001"


def prepare() -> dict[str, str]:
    """Make Airflow's tables, the DAG ``engagement``, the roles and their users; return the users' passwords."""
    from airflow.utils.db import initdb

    initdb()
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"], bundle_name="dags-folder")
    sync_bag_to_db(bag, "dags-folder", None)
    passwords = {name: secrets.token_hex(12) for name in PEOPLE if name}
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        security = builder.sm
        security.sync_roles()
        for name, role in PEOPLE.items():
            if name:
                security.add_user(name, name, name, f"{name}@firm.example", security.find_role(role), passwords[name])
    return passwords


def park(run_id: str, task_ids: dict[str, list[str]]) -> None:
    """Have the tasks of a run ask for an answer, each of those who alone may give it."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select

    with create_session() as session:
        for task_id, people in task_ids.items():
            task = session.scalars(
                select(TaskInstance).where(TaskInstance.run_id == run_id, TaskInstance.task_id == task_id)
            ).first()
            assert task is not None, task_id
            task.state = TaskInstanceState.AWAITING_INPUT
            session.add(HITLDetail(
                ti_id=task.id, options=["Có", "Không"], subject="?", params={}, multiple=False,
                assignees=[{"id": each, "name": each} for each in people] or None,
            ))  # fmt: skip


def main() -> dict[str, dict[str, int]]:
    """Ask as everybody; what destroys is asked last."""
    passwords = prepare()
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    asked: dict[str, dict[str, int]] = {}
    with TestClient(create_app(), base_url="https://testserver", raise_server_exceptions=False) as http:
        api, dag = "/api/v2", "/api/v2/dags/engagement"

        def login(name: str) -> dict[str, str]:
            if not name:
                return {}
            answer = http.post("/auth/token", json={"username": name, "password": passwords[name]})
            assert answer.status_code == 201, answer.text
            http.cookies.clear()
            return {"Authorization": f"Bearer {answer.json()['access_token']}"}

        logins = {name: login(name) for name in PEOPLE}

        def ask(what: str, method: str, path: str, **sent: Any) -> None:
            asked[what] = {}
            for name, headers in logins.items():
                body = {key: value(name) if callable(value) else value for key, value in sent.items()}
                answer = http.request(method, path.format(name=name or "anon"), headers=headers, **body)
                http.cookies.clear()
                asked[what][name] = answer.status_code

        def form(name: str) -> Any:
            page = http.get("/engagements/waiting", headers=logins[name]).text
            return {"form_token": found[1] if (found := re.search(r'name="form_token" value="([^"]+)"', page)) else ""}

        def trigger(name: str) -> Any:
            return {"dag_run_id": f"{RUN}{name}", "conf": {"engagement_id": RUN}, "logical_date": None}

        made = http.post(f"{dag}/dagRuns", headers=logins["viet"], json=trigger(""))
        assert made.status_code == 200, made.text
        tasks = [each["task_id"] for each in http.get(f"{dag}/tasks", headers=logins["viet"]).json()["tasks"]]
        park(RUN, {tasks[1]: ["phuoc"], tasks[2]: ["ngan"], tasks[3]: []})
        answers = f"{dag}/dagRuns/{RUN}/taskInstances/{{}}/-1/hitlDetails"
        yes = {"chosen_options": ["Có"], "params_input": {}}

        ask("read the DAG", "GET", dag)
        ask("read a run", "GET", f"{dag}/dagRuns/{RUN}")
        ask("see the graph of the DAG", "GET", "/ui/structure/structure_data?dag_id=engagement")
        ask("see the tasks of a run", "GET", f"/ui/grid/ti_summaries/engagement?run_ids={RUN}")
        ask("see what a sign-off's page shows", "GET", f"{dag}/dagRuns/{RUN}/taskInstances/{tasks[1]}")
        ask("read the sign-offs", "GET", f"{api}/dags/~/dagRuns/~/hitlDetails")
        ask("read connections", "GET", f"{api}/connections")
        ask("read the board", "GET", "/engagements/")
        ask("open the form of a new engagement", "GET", "/engagements/new")
        ask("send a form of the pages", "POST", "/engagements/drafts/1/delete", data=form)
        ask("edit the firm's calendar", "POST", "/engagements/calendar/save", data=form)
        ask("change a template", "POST", "/engagements/templates/papers/contract/vi", data=form)
        ask("answer the chair's sign-off", "PATCH", answers.format(tasks[1]), json=yes)
        ask("answer the finance member's sign-off", "PATCH", answers.format(tasks[2]), json=yes)
        ask("answer what nobody is named for", "PATCH", answers.format(tasks[3]), json=yes)
        ask("pause the DAG", "PATCH", dag, json={"is_paused": False})
        ask("clear a task", "POST", f"{dag}/clearTaskInstances",
            json={"dag_run_id": RUN, "task_ids": [tasks[0]], "dry_run": True})  # fmt: skip
        ask("skip a task", "PATCH", f"{dag}/dagRuns/{RUN}/taskInstances/{tasks[0]}/dry_run",
            json={"new_state": "skipped"})  # fmt: skip
        ask("end a run", "PATCH", f"{dag}/dagRuns/{RUN}", json={"note": "x"})
        ask("start a run", "POST", f"{dag}/dagRuns", json=trigger)
        ask("make a variable", "POST", f"{api}/variables",
            json=lambda name: {"key": f"x{name}", "value": "1"})  # fmt: skip
        ask("delete a run", "DELETE", f"{dag}/dagRuns/{RUN}{{name}}")
        ask("delete the DAG", "DELETE", f"{api}/dags/feedback")
    return asked


if __name__ == "__main__":
    print(json.dumps(main()))

"""Roles and users as a production installation has them, asked of Airflow's own API: who may do what."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml

from include.settings import ROOT
from local.postgres import Postgres

ADMIN, OPERATOR, CHAIR, FINANCE, VIEWER = "viet", "thuha", "phuoc", "ngan", "khach"
EVERYBODY = {ADMIN, OPERATOR, CHAIR, FINANCE, VIEWER}
ROLES = "AIRFLOW__FAB__CUSTOM_ROLES"
# What is asked in tests/plugins/signed_in.py, and who may. To answer what was answered is 409.
MAY = [
    ("read the DAG", EVERYBODY),
    ("read a run", EVERYBODY),
    ("see the graph of the DAG", EVERYBODY),
    ("see the tasks of a run", EVERYBODY),
    ("see what a sign-off's page shows", EVERYBODY),
    ("read the sign-offs", EVERYBODY),
    ("read the board", EVERYBODY),
    ("read connections", {ADMIN}),
    ("open the form of a new engagement", {ADMIN, OPERATOR}),
    ("send a form of the pages", {ADMIN, OPERATOR}),
    ("edit the firm's calendar", {ADMIN}),
    ("change a template", {ADMIN}),
    ("answer the chair's sign-off", {CHAIR}),
    ("answer the finance member's sign-off", {FINANCE}),
    ("answer what nobody is named for", {ADMIN}),  # the first who is asked for it here
    ("pause the DAG", {ADMIN, OPERATOR}),
    ("clear a task", {ADMIN, OPERATOR}),
    ("skip a task", {ADMIN, OPERATOR}),
    ("end a run", {ADMIN, OPERATOR}),
    ("start a run", {ADMIN, OPERATOR}),
    ("make a variable", {ADMIN}),
    ("delete a run", {ADMIN}),
    ("delete the DAG", {ADMIN}),
]


pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def answers(
    postgres: Postgres, register_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, dict[str, int]]]:
    """The status of each answer, by what was asked and who asked."""
    home = tmp_path_factory.mktemp("signed-in")
    common = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))["x-airflow"]["environment"]
    postgres.create_database("signed_in")
    postgres.create_database("register_signed_in", template=register_template)
    settings = {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__AUTH_MANAGER": "plugins.operations.login.StaffLogin",
        ROLES: common[ROLES],
        "AIRFLOW__CORE__DAGS_FOLDER": ROOT / "dags",
        "AIRFLOW__CORE__PLUGINS_FOLDER": ROOT / "plugins",
        "AIRFLOW__CORE__LOAD_EXAMPLES": False,
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url("signed_in"),
        "ENGAGEMENT_REGISTER_URL": postgres.url("register_signed_in"),
        "ENGAGEMENT_STORAGE_URL": (home / "kho").as_uri(),
        "PYTHONPATH": ROOT,
    }  # fmt: skip
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "ENGAGEMENT"))}
    env |= {name: str(value) for name, value in settings.items()}
    done = subprocess.run([sys.executable, "-m", "tests.plugins.signed_in"], cwd=ROOT, env=env, timeout=540,
                          capture_output=True, text=True, check=False)  # fmt: skip
    try:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        yield json.loads(done.stdout.splitlines()[-1])
    finally:
        postgres.drop_database("signed_in")
        postgres.drop_database("register_signed_in")


@pytest.mark.parametrize(("what", "people"), MAY)
def test_each_role_may_do_what_is_its_own_and_nothing_else(
    answers: dict[str, dict[str, int]], what: str, people: set[str]
) -> None:
    status = dict(answers[what])
    assert status.pop("") == 401, "nobody is signed in"
    refused = {name for name, code in status.items() if code in (401, 403, 409)}
    assert EVERYBODY - refused == people, status


def test_whatever_is_asked_is_judged_here(answers: dict[str, dict[str, int]]) -> None:
    assert set(answers) == {what for what, _ in MAY}
    assert not [code for status in answers.values() for code in status.values() if code >= 500]

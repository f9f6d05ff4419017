"""Airflow's components as they are installed: over unsafe settings each ends at once, safe ones start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.production import ALL_ADMINS, API_URL, FERNET, LOGIN, SESSIONS, TOKENS
from include.settings import ROOT
from local.postgres import Postgres

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

# A login that is not SimpleAuthManager by name, which is what this test can have without another provider.
LOGIN_MODULE = "from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager as Base\n" \
               "class FirmLogin(Base): pass\n"  # fmt: skip
COMPONENTS = [
    ["scheduler", "--skip-serve-logs"],
    ["triggerer", "--skip-serve-logs"],
    ["dag-processor"],
    ["api-server", "--host", "127.0.0.1", "--port", "0"],
]
AS_A_TASK = """
from airflow.sdk.execution_time.supervisor import block_orm_access
import airflow.settings
block_orm_access()
from airflow.sdk.plugins_manager import _get_plugins
print([plugin.name for plugin in _get_plugins()[0]])
"""


@pytest.fixture(scope="module")
def safe(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a production installation whose database is prepared."""
    from tests.test_production import SAFE

    home = tmp_path_factory.mktemp("airflow")
    (home / "firm_login.py").write_text(LOGIN_MODULE, encoding="utf-8")
    (home / "dags").mkdir()
    postgres.create_database("airflow_start")
    env = SAFE | {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.defpath)), "HOME": str(home),
        "AIRFLOW_HOME": str(home), "PYTHONPATH": f"{ROOT}{os.pathsep}{home}", LOGIN: "firm_login.FirmLogin",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"), "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url("airflow_start"),
        "ENGAGEMENT_STORAGE_URL": home.as_uri(),
    }  # fmt: skip
    prepared = airflow(env, "db", "migrate")
    assert prepared.returncode == 0, prepared.stdout[-2000:]
    return env


def airflow(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(env, "-m", "airflow", *arguments)


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], env=env, cwd=env["AIRFLOW_HOME"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False)  # fmt: skip


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component[0])
def test_a_component_ends_at_once_over_unsafe_settings_and_says_which(
    component: list[str], safe: dict[str, str]
) -> None:
    unsafe = {name: value for name, value in safe.items() if name != LOGIN} | {ALL_ADMINS: "True"}
    ended = airflow(unsafe, *component)
    assert ended.returncode == 1
    for name in ("ENGAGEMENT_PRODUCTION=1", LOGIN, ALL_ADMINS):
        assert name in ended.stdout
    assert FERNET not in ended.stdout


def test_a_component_with_safe_settings_starts(safe: dict[str, str]) -> None:
    ended = airflow(safe, "dag-processor", "--num-runs", "1")
    assert ended.returncode == 0, ended.stdout[-2000:]


def test_outside_of_production_the_same_settings_start(safe: dict[str, str]) -> None:
    local = {name: value for name, value in safe.items() if name not in (LOGIN, API_URL, "ENGAGEMENT_PRODUCTION")}
    ended = airflow(local, "dag-processor", "--num-runs", "1")
    assert ended.returncode == 0, ended.stdout[-2000:]


def test_keys_that_airflow_made_for_itself_are_not_taken_for_the_installations(safe: dict[str, str]) -> None:
    own = {name: value for name, value in safe.items() if name not in (SESSIONS, TOKENS)}
    ended = airflow(own, "dag-processor", "--num-runs", "1")
    assert ended.returncode == 1
    assert SESSIONS in ended.stdout and TOKENS in ended.stdout


def test_settings_in_airflow_cfg_count_too(safe: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "airflow.cfg"
    config.write_text("[core]\nsimple_auth_manager_all_admins = True\n", encoding="utf-8")
    config.chmod(0o600)
    ended = airflow(safe | {"AIRFLOW_CONFIG": str(config)}, "dag-processor", "--num-runs", "1")
    assert ended.returncode == 1 and ALL_ADMINS in ended.stdout
    assert LOGIN not in ended.stdout


def test_a_task_which_has_none_of_these_settings_is_not_held_up(safe: dict[str, str]) -> None:
    worker = {name: value for name, value in safe.items() if name not in (LOGIN, FERNET, SESSIONS, TOKENS, API_URL)}
    ended = run(worker, "-c", AS_A_TASK)
    assert ended.returncode == 0 and "'engagements'" in ended.stdout, ended.stdout[-2000:]

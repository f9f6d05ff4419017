"""Values for Airflow's Helm chart and what stands beside them, against the chart's schema and docker-compose.yaml."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import jsonschema
import pytest
import yaml
from airflow.configuration import conf
from airflow.jobs import scheduler_job_runner

from include.production import airflow_findings, engagement_findings
from include.settings import ROOT
from tests.compose import COMPOSE, SERVICES, image_environment
from tests.test_production import SAFE, key

VALUES: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "helm-values.yaml").read_text(encoding="utf-8"))
OBJECTS: list[dict[str, Any]] = list(
    yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text(encoding="utf-8"))
)
ENV: dict[str, str] = {row["name"]: row["value"] for row in VALUES["env"]}
SECRETS = {row["envName"] for row in VALUES["secret"]}
COMPONENTS = ("scheduler", "triggerer", "dagProcessor", "apiServer", "workers")
BY_THE_CHART = {
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__METRICS__STATSD_ON",
    "AIRFLOW__METRICS__STATSD_HOST",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST",
    # A container's name there, a pod's address here: the chart says how.
    "AIRFLOW__CORE__HOSTNAME_CALLABLE",
}
# In .env there; whoever wants them adds them to the values.
OPTIONAL = {"ENGAGEMENT_MAIL_DRY_RUN", "ENGAGEMENT_AUTHSERV_ID", "ENGAGEMENT_MAX_FILE_BYTES",
            "ENGAGEMENT_ARCHIVE_MONTHS"}  # fmt: skip
HERE_OTHERWISE = {"AIRFLOW__CORE__PARALLELISM", "AIRFLOW__LOGGING__JSON_LOGS"}


def compose_settings() -> dict[str, str | None]:
    found: dict[str, str | None] = COMPOSE["x-airflow"]["environment"]
    return found


def test_the_chart_takes_the_values() -> None:
    schema = json.loads((ROOT / "tests" / "deploy" / "chart_values.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(VALUES, schema)


@pytest.mark.parametrize(("path", "wrong"), [
    (("executor",), "celery"), (("scheduler", "replica"), 2), (("apiServer", "replicas"), "2"),
    (("data", "metadataSecret"), "x"), (("images", "airflow", "pullPolicy"), "Sometimes"), (("extraObjects",), []),
])  # fmt: skip
def test_the_schema_refuses_what_the_chart_refuses(path: tuple[str, ...], wrong: Any) -> None:
    schema = json.loads((ROOT / "tests" / "deploy" / "chart_values.schema.json").read_text(encoding="utf-8"))
    values = json.loads(json.dumps(VALUES))
    place = values
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, schema)


def test_settings_are_those_of_docker_compose() -> None:
    there = compose_settings()
    missing = there.keys() - ENV.keys() - SECRETS - BY_THE_CHART - OPTIONAL
    assert missing == set(), "in docker-compose.yaml, and not here"
    assert (ENV.keys() | SECRETS) - there.keys() == set(), "here, and not in docker-compose.yaml"
    for name, value in there.items():
        if value is None or name not in ENV or name in HERE_OTHERWISE:
            continue
        default = re.fullmatch(r"\$\{\w+:-(.+)\}", value)
        if default or "${" not in value:
            wanted = default[1] if default else value
            if name != "ENGAGEMENT_STORAGE_URL":  # a volume there, S3 here
                assert ENV[name] == wanted, name


def test_workers_have_the_way_to_the_code_that_they_have_in_docker_compose() -> None:
    (path,) = VALUES["workers"]["env"]
    assert path == {"name": "PYTHONPATH", "value": SERVICES["airflow-worker"]["environment"]["PYTHONPATH"]}


def test_tasks_at_once_are_what_the_workers_can_do() -> None:
    assert int(ENV["AIRFLOW__CORE__PARALLELISM"]) == VALUES["workers"]["replicas"] * int(
        ENV["AIRFLOW__CELERY__WORKER_CONCURRENCY"]
    )


def test_what_must_be_there_more_than_once_is() -> None:
    for name in ("scheduler", "triggerer", "apiServer", "workers"):
        assert VALUES[name]["replicas"] > 1, name


def test_every_setting_of_airflow_is_one_that_this_version_has() -> None:
    for name in ENV:
        if name.startswith("AIRFLOW__") and name != "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES":
            _, section, option = name.lower().split("__")
            assert option in conf.configuration_description[section]["options"], name
    # Not described, but read.
    assert '"num_stuck_in_queued_retries"' in inspect.getsource(scheduler_job_runner)


def test_secrets_stand_in_secrets_only() -> None:
    assert not SECRETS & ENV.keys()
    for name, value in ENV.items():
        assert not re.search(r"KEY|PASSWORD|TOKEN|SECRET|AIRFLOW_CONN", name), name
        assert "change-me" not in value and not re.search(r"://[^/]*:[^/]*@", value), name


def test_with_its_secrets_production_starts() -> None:
    given = {**SAFE, **ENV, "AIRFLOW__CORE__EXECUTOR": VALUES["executor"], "ENGAGEMENT_METRICS_TOKEN": key("metrics")}
    judged = [*airflow_findings(given), *engagement_findings(given)]
    assert [str(each) for each in judged if each.level != "ok"] == []


def test_nothing_runs_before_the_register_has_the_schema_of_its_code() -> None:
    for name in COMPONENTS:
        (first,) = VALUES[name]["extraInitContainers"]
        assert first["image"] == f"{VALUES['defaultAirflowRepository']}:{VALUES['defaultAirflowTag']}", name
        assert "migrate(os.environ[" in first["command"][2] and first["command"][:2] == ["python", "-c"]
        compile(first["command"][2], name, "exec")


def test_dags_are_the_images_so_that_no_run_gets_another_version_than_the_rest_of_the_code() -> None:
    assert image_environment()["AIRFLOW__CORE__DAGS_FOLDER"] == "/opt/engagement/dags"
    assert "dags" not in VALUES and not any("BUNDLE" in name for name in (*ENV, *compose_settings()))


def portal() -> dict[str, Any]:
    deployment = next(each for each in OBJECTS if each["kind"] == "Deployment")
    assert deployment["spec"]["replicas"] == 1 and deployment["spec"]["strategy"] == {"type": "Recreate"}
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def test_the_portal_has_the_settings_of_docker_compose_and_nothing_of_airflows() -> None:
    env = {row["name"]: row.get("value") for row in portal()["env"]}
    there: dict[str, str | None] = SERVICES["portal"]["environment"]
    assert set(env) == {name for name in there if name not in OPTIONAL}
    assert not [name for name in env if name.startswith("AIRFLOW")]
    secrets = {row["valueFrom"]["secretKeyRef"]["name"] for row in portal()["env"] if "valueFrom" in row}
    assert secrets == {"engagement-portal"}
    for name, value in env.items():
        plain = there[name]
        if value is not None and plain and "${" not in plain:
            assert value == plain, name
    for name in ("ENGAGEMENT_STORAGE_URL", "ENGAGEMENT_PORTAL_PUBLIC_URL", "AWS_DEFAULT_REGION"):
        assert env[name] == ENV[name], "the same as Airflow's components have"
    assert portal()["image"] == f"{VALUES['defaultAirflowRepository']}:{VALUES['defaultAirflowTag']}"


def test_what_selects_finds_the_portal_and_every_way_in_speaks_tls() -> None:
    kinds = [each["kind"] for each in OBJECTS]
    assert sorted(kinds) == ["Deployment", "Ingress", "Ingress", "NetworkPolicy", "Service"]
    labels = next(each for each in OBJECTS if each["kind"] == "Deployment")["spec"]["template"]["metadata"]["labels"]
    for each in OBJECTS:
        if each["kind"] == "Service":
            assert each["spec"]["selector"] == labels
        if each["kind"] == "NetworkPolicy":
            assert each["spec"]["podSelector"]["matchLabels"] == labels
        if each["kind"] == "Ingress":
            hosts = [rule["host"] for rule in each["spec"]["rules"]]
            assert [host for tls in each["spec"]["tls"] for host in tls["hosts"]] == hosts
            assert f"https://{hosts[0]}" in (ENV["AIRFLOW__API__BASE_URL"], ENV["ENGAGEMENT_PORTAL_PUBLIC_URL"])

"""Alert rules and dashboard: what they name is really told, and each alert fires when it should."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import airflow
import pytest
import yaml

from include import clock
from include.casework.gauges import gauges
from include.register.session import sessions
from include.settings import ROOT

DEPLOY = ROOT / "deploy"
METRIC = re.compile(r"\b((?:airflow|engagement)_[a-z_]+)(\{[^}]*\})?")
LABEL = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
STATSD = {"AIRFLOW__METRICS__STATSD_ON": "True", "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
          "AIRFLOW__METRICS__LEGACY_NAMES_ON": "False"}  # fmt: skip


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text(encoding="utf-8"))[
        "panels"
    ]
    return found


EXPRESSIONS = [rule["expr"] for rule in rules()] + [each["expr"] for panel in panels() for each in panel["targets"]]
NAMED = [(name, labels) for expression in EXPRESSIONS for name, labels in METRIC.findall(expression)]


def airflows() -> dict[str, tuple[str, set[str]]]:
    """Airflow's own metrics as the statsd-exporter names them, with their type and labels."""
    registry = Path(airflow.__path__[0], "_shared", "observability", "metrics", "metrics_template.yaml")
    rows = yaml.safe_load(registry.read_text(encoding="utf-8"))["metrics"]
    return {"airflow_" + re.sub(r"[.-]", "_", row["name"]): (row["type"], set(row.get("name_variables") or ()))
            for row in rows}  # fmt: skip


def test_every_number_of_ours_that_is_named_is_told_with_these_labels(register: str) -> None:
    with sessions(register)() as session:
        told = {each.name: each.samples for each in gauges(session, today=date(2026, 12, 1), now=clock.now())}
    for name, labels in NAMED:
        if name.startswith("engagement_"):
            assert name in told, name
            for label, _, values in LABEL.findall(labels):
                known = {dict(sample).get(label) for sample in told[name]}
                assert set(values.split("|")) <= known, f"{name}{labels}"


def test_every_number_of_airflows_that_is_named_is_one_of_the_installed_version() -> None:
    known = airflows()
    for name, labels in NAMED:
        if name.startswith("airflow_"):
            plain = re.sub(r"_(sum|count)$", "", name)
            assert plain in known, name
            assert (known[plain][0] == "timer") == (plain != name), f"{name} is a {known[plain][0]}"
            assert {label for label, _, _ in LABEL.findall(labels)} <= known[plain][1], f"{name}{labels}"


def test_something_of_ours_and_something_of_airflows_is_named() -> None:
    assert {name.partition("_")[0] for name, _ in NAMED} == {"airflow", "engagement"}
    assert len({name for name, _ in NAMED if name.startswith("engagement_")}) > 9


def test_every_rule_says_what_it_is_about_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "todo"}


def test_the_panels_of_the_dashboard_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        assert not os.environ.get("CI"), "promtool is not installed"
        pytest.skip("NO PROMTOOL (Debian: prometheus), ALERTS NOT TRIED")
    return found


@pytest.mark.parametrize("command", [
    ["check", "rules", "--lint-fatal", str(DEPLOY / "alerts.yaml")],
    ["check", "config", "--syntax-only", str(DEPLOY / "prometheus.yaml")],
    ["test", "rules", str(ROOT / "tests" / "deploy" / "alerts_fire.yaml")],
])  # fmt: skip
def test_prometheus_takes_the_files_and_each_alert_fires_when_it_should(promtool: str, command: list[str]) -> None:
    done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried() -> None:
    tried = (ROOT / "tests" / "deploy" / "alerts_fire.yaml").read_text(encoding="utf-8")
    for rule in rules():
        assert f"alertname: {rule['alert']}}}" in tried, rule["alert"]


def test_airflow_tells_a_number_with_its_labels_and_no_engagements_id(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.observability.metrics.statsd_logger import get_statsd_logger

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as exporter:
        exporter.bind(("127.0.0.1", 0))
        exporter.settimeout(10)
        for name, value in STATSD.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(exporter.getsockname()[1]))
        tags = {"dag_id": "engagement", "task_id": "intake.meet", "state": "failed", "run_id": "KHV-2026-0001"}
        get_statsd_logger().incr("ti.finish", tags=tags)
        said = exporter.recv(1000).decode()
    assert said == "airflow.ti.finish,dag_id=engagement,task_id=intake.meet,state=failed:1|c"

"""Imports run one way: dags → operators → include; plugins → include; portal → include."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.settings import ROOT

ROOMS = ("dags", "operators", "include", "plugins", "portal", "local", "rehearsal", "bench", "chaos")
ALLOWED = {
    "dags": {"dags", "operators", "include", "airflow"},
    "operators": {"operators", "include", "airflow"},
    "include": {"include"},
    "plugins": {"plugins", "include", "airflow"},
    "portal": {"portal", "include"},
    "local": {"local", "include", "airflow"},
    "rehearsal": {"rehearsal", "local", "include"},
    "bench": {"bench", "rehearsal", "local", "plugins", "operators", "include", "airflow"},
    "chaos": {"chaos", "rehearsal", "local", "operators", "include", "airflow"},
}
DOMAIN_NEVER = {"sqlalchemy", "boto3", "smtplib", "socket", "httpx", "requests", "docx", "docxtpl", "openpyxl"}
CLOCKS = {("datetime", "now"), ("date", "today"), ("datetime", "utcnow"), ("time", "time")}


def modules(room: str) -> Iterator[Path]:
    yield from sorted((ROOT / room).rglob("*.py")) if (ROOT / room).is_dir() else ()


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    for path in modules(room):
        strangers = (imported(path) & ({*ROOMS, "airflow"})) - ALLOWED[room]
        assert not strangers, f"{path.relative_to(ROOT)} imports {sorted(strangers)}"


def test_the_rule_covers_rooms_that_exist() -> None:
    assert {room for room in ROOMS if any(modules(room))} >= {"dags", "operators", "include", "local", "rehearsal"}


def test_no_dag_imports_another() -> None:
    names = {path.stem for path in modules("dags")}
    for path in modules("dags"):
        assert not imported(path) & names, path.name


def test_the_domain_has_no_clock_no_network_and_no_database() -> None:
    for path in modules("include/engagement"):
        assert not imported(path) & DOMAIN_NEVER, path.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in CLOCKS, f"{path.name}:{node.lineno} asks the clock"

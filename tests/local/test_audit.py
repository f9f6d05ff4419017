"""A planted secret and a package with a known hole are found; a service that cannot be asked is said loudly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local import audit
from local.audit import BASELINE, LOCK, SERVICES, audit_packages, secrets_in, tracked_files

# In two pieces, so that this file holds none.
PLANTED = {
    "a cloud's key": 'key = "AKIA' + 'QYLPMN5HHHFPZAM2"',
    "the head of a PEM file": "-----BEGIN RSA PRIVATE" + " KEY-----",
    "what people choose": "smtp_pass" + "word = \"Hoang-hon-8421\"",
    "a URL with a password": "postgresql://register:c2f9" + "e71b04aa@db/register",
}
HOLE = {"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"], "aliases": ["CVE-2019-10906"], "description": "…"}


class Service:
    """Stands for pip-audit asking a service: what it knows of the old package and of the lock."""

    def __init__(self, *, knows: bool = True, lock: dict[str, Any] | None = None) -> None:
        self.knows, self.lock, self.asked = knows, lock, list[tuple[str, str]]()

    def __call__(self, lock: Path, service: str) -> dict[str, Any] | None:
        self.asked.append((lock.name, service))
        if lock == LOCK:
            return {"dependencies": [self.lock or {"name": "jinja2", "version": "3.1.6", "vulns": []}]}
        known = {"vulns": [HOLE]} if self.knows else {"skip_reason": "not found"}
        return {"dependencies": [{"name": "jinja2", "version": "2.10"} | known]}


@pytest.mark.parametrize("text", PLANTED.values(), ids=PLANTED)
def test_a_planted_secret_is_found_and_not_repeated(text: str, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(f"# a line before\n{text}\n", encoding="utf-8")
    (found,) = set(secrets_in(["settings.py"], root=tmp_path))
    assert found.startswith("settings.py:2: ")
    assert text[-10:] not in found


def test_what_the_baseline_holds_may_move_within_its_file_and_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "tests" / "operators" / "test_mailbox.py"
    file.parent.mkdir(parents=True)
    original = audit.ROOT / "tests" / "operators" / "test_mailbox.py"
    file.write_text("\n" * 40 + original.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "copy.py").write_text(original.read_text(encoding="utf-8"), encoding="utf-8")
    assert list(secrets_in(["tests/operators/test_mailbox.py"], root=tmp_path)) == []
    assert list(secrets_in(["copy.py"], root=tmp_path)) != []


def test_all_that_git_tracks_is_looked_at_but_the_locks_and_the_baseline() -> None:
    files = tracked_files()
    assert {".env.example", "include/settings.py", "Makefile"} <= set(files)
    assert not {BASELINE.name, "requirements.txt", LOCK.name} & set(files)


def test_no_secret_is_tried_out_on_the_service_it_may_be_for() -> None:
    filters = json.loads(BASELINE.read_text(encoding="utf-8"))["filters_used"]
    assert [each for each in filters if "verification" in each["path"]] == []


def test_a_hole_in_a_locked_package_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit_packages(Service(lock={"name": "jinja2", "version": "2.10", "vulns": [HOLE]})) == 1
    assert "jinja2 2.10: PYSEC-2019-217, mended in 2.10.1" in capsys.readouterr().out


def test_a_hole_that_was_accepted_with_a_reason_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ACCEPTED", {"CVE-2019-10906": "templates are the firm's own"})
    assert audit_packages(Service(lock={"name": "jinja2", "version": "2.10", "vulns": [HOLE]})) == 0


def test_a_package_that_no_service_knows_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit_packages(Service(lock={"name": "own-package", "version": "1", "skip_reason": "not found"})) == 0
    assert "NOT AUDITED: own-package" in capsys.readouterr().out


def test_services_that_know_nothing_are_said_loudly_and_are_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    service = Service(knows=False)
    assert audit_packages(service) == 0
    assert capsys.readouterr().out.startswith("NOT AUDITED: requirements-dev.txt")
    assert [name for _, name in service.asked] == list(SERVICES)


def test_a_service_that_does_not_answer_is_said_loudly_and_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit_packages(lambda lock, service: None) == 0
    assert capsys.readouterr().out.startswith("NOT AUDITED")

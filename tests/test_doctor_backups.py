"""What the doctor finds of the backups."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from include import clock
from include.backup.backups import MANIFEST, Sources, make_backup
from include.doctor.backups import BACKUPS, backup_findings
from tests.firm import Firm
from tests.test_doctor import levels


@pytest.fixture
def made(firm: Firm, tmp_path: Path) -> Path:
    """The folder of a backup that was really made."""
    firm.open()
    register = firm.settings.register_url
    folder = tmp_path.parent / f"{tmp_path.name}-backups"
    make_backup(Sources(register, register, firm.settings.storage_url), folder)
    return folder


@pytest.mark.parametrize(("hours", "level"), [(0, "ok"), (25.9, "ok"), (26.1, "warning"), (24 * 30, "warning")])
def test_a_backup_is_due_each_day(made: Path, hours: float, level: str) -> None:
    assert levels(backup_findings({BACKUPS: str(made)}, now=clock.now() + timedelta(hours=hours))) == {"Backups": level}


def test_the_newest_backup_counts(made: Path, firm: Firm) -> None:
    (first,) = (each.parent for each in made.glob(f"*/{MANIFEST}"))
    old = first.rename(made / "2020-01-01T00-00-00Z") / MANIFEST
    old.write_text(re.sub(r'("moment": ")\d{4}', r"\g<1>2020", old.read_text(encoding="utf-8")), encoding="utf-8")
    env = {BACKUPS: str(made)}
    assert levels(backup_findings(env, now=clock.now())) == {"Backups": "warning"}
    register = firm.settings.register_url
    make_backup(Sources(register, register, firm.settings.storage_url), made)
    assert levels(backup_findings(env, now=clock.now())) == {"Backups": "ok"}


def missing(folder: Path) -> Path:
    return folder / "absent"


def empty(folder: Path) -> Path:
    return folder


def broken(folder: Path) -> Path:
    place = folder / "2026-12-01T00-00-00Z"
    place.mkdir()
    (place / MANIFEST).write_text("{", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("folder", "subject"), [(missing, BACKUPS), (empty, "Backups"), (broken, "Backups")])
def test_a_folder_without_a_backup_is_worth_a_warning(
    folder: Callable[[Path], Path], subject: str, tmp_path: Path
) -> None:
    env = {BACKUPS: str(folder(tmp_path))}
    assert levels(backup_findings(env, now=clock.now())) == {subject: "warning"}


def test_an_installation_that_names_no_backups_is_told_so() -> None:
    assert levels(backup_findings({}, now=clock.now())) == {BACKUPS: "warning"}

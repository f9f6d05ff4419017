"""What ``make secrets`` writes into ``.env``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.production import weakness
from include.settings import ROOT
from local.secrets_file import KNOWN_BY_PEOPLE, SECRETS, complete, main

REDIS = "REDIS_PASSWORD"


def values(file: Path) -> dict[str, str]:
    lines = (line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_a_new_file_has_every_secret_each_another(file: Path) -> None:
    complete(file)
    drawn = [values(file)[name] for name in SECRETS]
    assert len(set(drawn)) == len(SECRETS)
    assert [weakness(each) for each in drawn if weakness(each)] == []


def test_passwords_may_stand_inside_urls(file: Path) -> None:
    complete(file)
    assert [name for name in SECRETS if name.endswith("PASSWORD") and not values(file)[name].isalnum()] == []


@pytest.mark.parametrize(
    "kept",
    [f"{REDIS}=of-ours", f"export {REDIS} = of-ours", f"  {REDIS}='of-ours'", f"{REDIS}: of-ours"],
)
def test_what_is_there_stays_to_the_letter(file: Path, kept: str) -> None:
    before = f"# ours\n{kept}\nOTHER=1"
    file.write_text(before, encoding="utf-8")
    written, _ = complete(file)
    assert REDIS not in written
    assert file.read_text(encoding="utf-8").startswith(before + "\n")
    assert file.read_text(encoding="utf-8").count(REDIS) == 1


@pytest.mark.parametrize(
    "empty", [f"{REDIS}=", f'{REDIS}=""', f"{REDIS}=  # later", f"#{REDIS}=x"]
)
def test_what_is_empty_gets_a_secret(file: Path, empty: str) -> None:
    file.write_text(f"{empty}\n", encoding="utf-8")
    written, _ = complete(file)
    assert REDIS in written
    assert len(values(file)[REDIS]) == 48


def test_a_second_time_changes_nothing(file: Path) -> None:
    complete(file)
    once = file.read_bytes()
    written, empty = complete(file)
    assert (written, empty, file.read_bytes()) == ([], list(KNOWN_BY_PEOPLE), once)


def test_only_its_owner_reads_the_file_even_if_it_was_open_before(file: Path) -> None:
    file.write_text("OTHER=1\n", encoding="utf-8")
    file.chmod(0o644)
    complete(file)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_a_link_is_completed_where_it_lies(file: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    file.symlink_to(tmp_path / "elsewhere" / "env")
    complete(file)
    assert file.is_symlink()
    assert len(values(tmp_path / "elsewhere" / "env")) > len(SECRETS)


def test_no_secret_is_printed_and_people_are_told_what_is_left(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(file)]) == 0
    said = capsys.readouterr().out
    assert [name for name in SECRETS if values(file)[name] in said] == []
    assert [name for name in KNOWN_BY_PEOPLE if f"To fill in there: {name}, " not in said] == []


def test_what_cannot_be_written_is_told_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "missing" / ".env")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_it_needs_nothing_but_python(file: Path) -> None:
    command = [sys.executable, "-S", "-E", "local/secrets_file.py", str(file)]
    subprocess.run(command, cwd=ROOT, env={"PATH": os.defpath}, check=True, capture_output=True)
    assert set(SECRETS) <= set(values(file))

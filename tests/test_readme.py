"""The README is true: what it names exists, and its commands are commands."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from include.engagement.form import read_form
from include.settings import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
LINES = [line.partition("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
COMMANDS = sorted({line for line in LINES if line.startswith("make ") and "…" not in line})
LINKS = sorted(set(re.findall(r"\]\(([^)#]+)\)", README)))
PATHS = sorted(
    path for path in set(re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:yaml|toml|md|txt))`", README)) if "<" not in path
)
MADE_BY_USE = ("data/", "inbox/", "engagements/", "received/")


def test_it_names_its_two_commands() -> None:
    assert {"make demo", "make test"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_is_one_that_make_knows(command: str) -> None:
    words = ["make", "-n", *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z-]+)", README))))
def test_a_target_that_the_readme_speaks_of_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("path", [*LINKS, *(path for path in PATHS if not path.startswith(MADE_BY_USE))])
def test_a_path_of_the_readme_exists(path: str) -> None:
    assert path.startswith("https://") or (ROOT / path).exists()


def test_the_example_form_is_accepted() -> None:
    assert read_form((ROOT / "docs" / "examples" / "intake.yaml").read_text(encoding="utf-8"))["client"]["name"]

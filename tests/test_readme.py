"""What the README and the example say is so."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from include.engagement.form import missing_items, read_form
from include.settings import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY", "docs/architecture", "docs/operations")
PAGES = [ROOT / f"{name}.md" for name in NAMES]
MADE_BY_USE = ("data/", "inbox/", "engagements/", "received/")
MADE_BY_THE_EXAMPLES = ("templates/documents/confidentiality_pledge.vi.docx", "include/casework/presentation.py")
TARGETS = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))


def commands() -> list[str]:
    """Every line of the README's shell blocks, without its comment."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.S)
    return [line.split(" #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def make_help() -> str:
    command = ["make", "--no-print-directory", "help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_readme_names_its_two_commands() -> None:
    assert {"make demo", "make test"} <= set(commands())


def test_every_make_target_that_a_page_or_the_help_names_exists() -> None:
    named = {
        target for page in PAGES for target in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))
    } | {words[1] for line in commands() if (words := line.split())[0] == "make"}
    listed = set(re.findall(r"(?m)^make ([a-z-]+)", make_help()))
    assert {"demo", "test", "up", "open", "rehearse"} <= named & listed
    assert named | listed <= TARGETS


@pytest.mark.parametrize("command", [line for line in commands() if line.startswith("make ")])
def test_make_knows_what_to_do_for_each_command_of_the_readme(command: str) -> None:
    _, *arguments = shlex.split(command)
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_scenarios_that_the_commands_name_exist() -> None:
    named = [name for line in commands() for word in shlex.split(line) if word.startswith("SCENARIO=")
             for name in word.removeprefix("SCENARIO=").split()]  # fmt: skip
    assert named
    for name in named:
        assert (ROOT / "rehearsal" / "scenarios" / f"{name}.yaml").exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve()
        assert found.exists(), target
        if anchor:
            titles = re.findall(r"(?m)^#+ (.+)$", found.read_text(encoding="utf-8"))
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target


def test_paths_that_the_readme_names_exist() -> None:
    named = set(re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:yaml|toml|md|txt))`", README))
    missing = {path for path in named if not path.startswith(MADE_BY_USE) and not (ROOT / path).exists()}
    assert missing == set(MADE_BY_THE_EXAMPLES)


def test_pictures_are_small_enough_to_load() -> None:
    pictures = sorted((ROOT / "docs" / "images").iterdir())
    assert {picture.name for picture in pictures} == set(re.findall(r"docs/images/([\w.-]+)\)", README))
    assert all(picture.stat().st_size <= 300_000 for picture in pictures)


def test_names_of_the_program_in_the_readme_are_its_own() -> None:
    """Rows, functions and settings that the how-tos tell people to look for."""
    files = [path for top in ("dags", "include", "operators") for path in (ROOT / top).rglob("*.py")]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in files)
    for name in ("REMINDERS", "DOCUMENTS", "STAGES", "TIMETABLE_ORDER", "def open_engagement", "def open_stage",
                 "def close_stage", "def document(", "def post(", "def migrate(", 'task_id="receive"'):  # fmt: skip
        assert name in sources, name
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    for setting in set(re.findall(r"ENGAGEMENT_[A-Z_]+", README)):
        assert setting in example and setting in sources, setting


def test_the_example_form_is_accepted_and_complete() -> None:
    form = read_form((ROOT / "docs" / "examples" / "intake.yaml").read_text(encoding="utf-8"))
    assert missing_items(form) == []
    assert form["add_ons"] == {"monitoring": {"every_months": 2, "visits": 3}}


def test_the_scoreboard_that_the_readme_shows_is_the_one_that_is_kept() -> None:
    board = json.loads((ROOT / "docs" / "scoreboard.json").read_text(encoding="utf-8"))
    mails, decisions = board["mails"], board["decisions"]
    said = (f"{board['tried']} faults tried, {board['survived']} survived; {mails['due']} mails due, "
            f"{mails['lost']} lost, {mails['doubled']} doubled; {decisions['taken']} decisions taken, "
            f"{decisions['lost']} lost, {decisions['changed']} changed")  # fmt: skip
    assert said in " ".join(README.split())

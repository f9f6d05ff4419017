"""SECURITY.md: whoever is kept from something is kept from it by tests that are there; what is left is said."""

from __future__ import annotations

import re

import pytest

from include.settings import ROOT
from tests.named_tests import is_there, named_tests

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
SECTIONS = {title: rest for title, _, rest in (part.partition("\n") for part in re.split(r"(?m)^## ", TEXT)[1:])}
KEPT = SECTIONS["Who is kept from what"]


def test_it_says_what_is_protected_from_whom_and_what_is_left() -> None:
    assert list(SECTIONS) == ["What is protected", "Who is kept from what", "What is left"]
    assert "report a weakness" in TEXT


@pytest.mark.parametrize("actor", re.findall(r"(?m)^\*\*([^*]+)\*\*", KEPT))
def test_each_actor_is_kept_away_by_a_test(actor: str) -> None:
    _, _, rest = KEPT.partition(f"**{actor}**")
    assert named_tests(re.split(r"(?m)^\*\*", rest)[0])


def test_every_line_of_its_proofs_names_a_test() -> None:
    assert len(named_tests(TEXT)) == len(re.findall(r"(?m)^- ", KEPT))


@pytest.mark.parametrize(("path", "name"), named_tests(TEXT))
def test_the_test_that_proves_it_is_there(path: str, name: str) -> None:
    assert is_there(path, name)

"""Every promise of docs/promises.md names tests that prove it, and all of them are there."""

from __future__ import annotations

import re

import pytest

from include.settings import ROOT
from tests.named_tests import is_there, named_tests

TEXT = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
PROMISES = re.split(r"(?m)^## ", TEXT)[1:]
NAMED = named_tests(TEXT)


def test_there_are_eight_promises_each_with_its_proof() -> None:
    assert [promise[:2] for promise in PROMISES] == [f"{number}." for number in range(1, 9)]
    for promise in PROMISES:
        assert "\n- tests/" in promise, promise.partition("\n")[0]


def test_every_line_of_a_list_names_a_test() -> None:
    assert len(NAMED) == len(re.findall(r"(?m)^- ", TEXT))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_the_test_that_proves_it_is_there(path: str, name: str) -> None:
    assert is_there(path, name)

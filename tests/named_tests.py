"""Tests that a page names as its proof, one in each line of a list: ``- tests/…/test_x.py::test_y``."""

from __future__ import annotations

import ast
import re

from include.settings import ROOT


def named_tests(text: str) -> list[tuple[str, str]]:
    """Return file and name of each test that a page names."""
    return re.findall(r"(?m)^- (tests/\S+\.py)::(test_\w+)$", text)


def is_there(path: str, name: str) -> bool:
    """Say whether a file has a test of this name."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}

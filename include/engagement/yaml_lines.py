"""YAML that people write, with the line each value stands on, so that a refusal can say where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from include.engagement.errors import InvalidInput, Problem

LONGEST = 1_000_000
DEEPEST = 30
MOST_VALUES = 50_000


class _Walk:
    """Notes the line of every dotted path, and what is wrong with the shape."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []

    def visit(self, node: Node, path: str, line: int, depth: int) -> None:
        # An alias can repeat a block thousandfold ("billion laughs"), or contain itself.
        if depth > DEEPEST or len(self.lines) >= MOST_VALUES:
            raise InvalidInput([Problem(line, path[:200], "tệp quá lớn hoặc lồng nhau quá sâu")])
        self.lines[path] = line
        if isinstance(node, MappingNode):
            seen: set[str] = set()
            for key_node, value_node in node.value:
                key_line = key_node.start_mark.line + 1
                if not isinstance(key_node, ScalarNode):
                    self.problems.append(Problem(key_line, path, "tên mục phải là chữ"))
                    continue
                key = key_node.value
                child = f"{path}.{key}" if path else key
                if key in seen:
                    self.problems.append(Problem(key_line, child, "mục này được ghi hai lần"))
                    continue
                seen.add(key)
                self.visit(value_node, child, key_line, depth + 1)
        elif isinstance(node, SequenceNode):
            for index, value_node in enumerate(node.value):
                self.visit(value_node, f"{path}[{index}]", value_node.start_mark.line + 1, depth + 1)


def load_with_lines(text: str) -> tuple[Any, Callable[[str], int]]:
    """Parse YAML safely; return the data and a function from a dotted path (``a.b[0]``) to its line, from 1 on.

    A path that the text lacks gives the line of its nearest parent. Raises InvalidInput (with the line) for
    broken YAML, keys that stand twice, more than one document, and texts too large or too deeply nested.
    """
    if len(text) > LONGEST:
        raise InvalidInput([Problem(1, "", f"tệp dài quá {LONGEST} ký tự")])
    walk = _Walk()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return None, lambda path: 1
        walk.visit(node, "", node.start_mark.line + 1, 0)
        if walk.problems:
            raise InvalidInput(walk.problems)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput([_syntax_problem(text, error)]) from error
    except RecursionError as error:
        raise InvalidInput([Problem(1, "", "tệp lồng nhau quá sâu")]) from error
    except ValueError as error:
        raise InvalidInput([Problem(1, "", f"có giá trị không đọc được ({error})")]) from error

    def line_of(path: str) -> int:
        while path and path not in walk.lines:
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return walk.lines[path]

    return data, line_of


def _syntax_problem(text: str, error: yaml.YAMLError) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        return Problem(line, "", f"không đúng cú pháp YAML ({error.problem or error.context})")
    position = getattr(error, "position", 0)
    line = text.count("\n", 0, position if isinstance(position, int) else 0) + 1
    return Problem(line, "", "có ký tự không đọc được trong tệp YAML")

"""Which actions the tests press: a test says so with `@covers("flip")`, and `test_action_table` reads all of them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from readhead_tui.actions import BY_ID

Test = TypeVar("Test", bound=Callable[..., object])


def covers(*actions: str) -> Callable[[Test], Test]:
    """The test does these actions by their keys, and looks at what came of it."""
    unknown = [action for action in actions if action not in BY_ID]
    assert not unknown, f"there are no actions {unknown}"
    return lambda test: test


@cache
def covered_actions() -> frozenset[str]:
    """All that is said so, in whichever file."""
    found: set[str] = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "covers":
                found |= {each.value for each in node.args if isinstance(each, ast.Constant)}
    return frozenset(found)

"""Nothing that a program can hold leads to a module, a frame, code, a globals dictionary or a dangerous type."""

from __future__ import annotations

import builtins
import collections
import contextlib
import functools
import itertools
import re
import sys
import types
import typing
import warnings
from collections.abc import Iterable, Iterator

import numpy as np

from readhead import language
from readhead.sandbox import namespace, policy

FORBIDDEN_KINDS = (
    types.ModuleType,
    types.FrameType,
    types.CodeType,
    types.TracebackType,
    types.MappingProxyType,
    types.CellType,
)
FORBIDDEN_TYPES = {
    type,
    object,
    np.ndarray,
    np.dtype,
    np.void,
    np.memmap,
    np.matrix,
    bytearray,
    memoryview,
    types.FunctionType,
    types.SimpleNamespace,
    *FORBIDDEN_KINDS,
}
"""Types that make what no program may make."""
POWERS = {name: getattr(builtins, name) for name in set(dir(builtins)) - policy.BUILTINS if name[0].islower()}
_MOST_OF_A_KIND = 12
_LONGEST_WAY = 200


def first_values() -> Iterator[object]:
    """What a program is given, and what it can write down."""
    names = namespace.fresh()
    yield from (value for name, value in names.items() if not name.startswith("__"))
    yield from (value for name, value in names["__builtins__"].items() if not name.startswith("__"))
    yield from (names["__builtins__"]["__import__"](path, {}, {}, ("x",), 0) for path in policy.MODULES)
    sentence = language.Sentence([" The", " cat", ","], [0])
    yield from (sentence, sentence.key, sentence.query, sentence.word)

    def function(x: object = 1) -> object:
        return x

    def generator() -> Iterator[int]:
        yield 1

    yield from (function, lambda *q: q, generator(), None, ..., True, 1, 1.5, "ab", [1], (1, "a"), {"a": 1}, {1})
    yield from (
        slice(1),
        range(3),
        np.ones((2, 2)),
        np.float32(1),
        np.array([None]),
        np.array(["a"]),
        np.zeros(2, "O,i8"),
    )
    yield from (re.compile("(a)").finditer("aa"), np.errstate(), np.array(["a"], "S1"), list[int], int | str)


class Walk:
    """Everything that is reached, each thing once."""

    def __init__(self) -> None:
        self.seen: dict[int, object] = {}
        self.ways: dict[int, str] = {}
        self._kinds: collections.Counter[object] = collections.Counter()
        self._queue: collections.deque[tuple[object, int]] = collections.deque()
        for value in first_values():
            self._add(value, "", repr(value)[:40], 0)
        self._arguments = [1, 2.0, "ab", [1, 0], np.eye(2, dtype=np.float32), {"a": 1}, None, abs]
        self._arguments.append(next(value for value in first_values() if isinstance(value, language.Sentence)))

    def go(self) -> None:
        """Until there is nothing new."""
        while self._queue:
            value, calls = self._queue.popleft()
            way = self.ways[id(value)]
            for name in _names(value):
                with contextlib.suppress(Exception):
                    self._add(getattr(value, name), way, f".{name}", calls)
            for place, item in enumerate(_items(value)):
                self._add(item, way, f"[{place}]", calls)
            if callable(value) and calls < 2:
                self._call(value, way, calls)

    def _add(self, value: object, way: str, step: str, calls: int) -> None:
        if id(value) in self.seen:
            return
        kind = (type(value), getattr(value, "__qualname__", None))
        self._kinds[kind] += 1
        if self._kinds[kind] <= _MOST_OF_A_KIND:
            self.seen[id(value)] = value  # kept alive, so that no other gets its id
            self.ways[id(value)] = way + step
            self._queue.append((value, calls))
        elif isinstance(value, list | tuple | dict) and len(way) < _LONGEST_WAY:
            for place, item in enumerate(_items(value)):
                self._add(item, way + step, f"[{place}]", calls)

    def _call(self, function: typing.Any, way: str, calls: int) -> None:
        for count in range(3 - calls):
            for arguments in itertools.product(self._arguments, repeat=count):
                try:
                    self._add(function(*arguments), way, "(…)", calls + 1)
                except Exception as error:  # noqa: BLE001 - programs can hold errors too
                    self._add(error, way, "(…) raises", 2)


def _names(value: object) -> Iterable[str]:
    """Allowed attributes that it may have; types and what stands for them do not list them all."""
    if isinstance(value, type | types.GenericAlias | types.UnionType) or type(value).__module__ == "typing":
        return policy.ATTRIBUTES
    return policy.ATTRIBUTES.intersection(dir(value))


def _items(value: object) -> list[object]:
    """The first few, as a loop or an index gives them."""
    if isinstance(value, dict):
        return [*itertools.islice(value.items(), 50)]
    if isinstance(value, list | tuple | set | frozenset | collections.deque):
        return [*itertools.islice(value, 50)]
    if isinstance(value, np.ndarray):
        return [*itertools.islice(value.reshape(-1), 3)]
    if isinstance(value, Iterator):
        with contextlib.suppress(Exception):
            return [*itertools.islice(value, 3)]
    return []


@functools.cache
def walked() -> Walk:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        walk = Walk()
        walk.go()
    return walk


def reached() -> Iterator[tuple[object, str]]:
    walk = walked()
    return ((value, walk.ways[place]) for place, value in walk.seen.items())


def test_thousands_of_things_are_reached() -> None:
    assert len(walked().seen) > 1500


def test_no_module_frame_or_code_object_is_reached() -> None:
    assert [way for value, way in reached() if isinstance(value, FORBIDDEN_KINDS)] == []


def test_no_globals_dictionary_is_reached() -> None:
    scopes = {id(vars(module)) for module in list(sys.modules.values()) if isinstance(module, types.ModuleType)}
    found = [way for value, way in reached() if id(value) in scopes]
    found += [way for value, way in reached() if type(value) is dict and {"__builtins__", "__name__"} & set(value)]
    assert found == []


def test_no_type_that_makes_dangerous_things_is_reached() -> None:
    assert [way for value, way in reached() if isinstance(value, type) and value in FORBIDDEN_TYPES] == []


def test_no_alias_of_such_a_type_can_be_called() -> None:
    """`NDArray[np.float32](…)` makes an array over any memory: an alias passes calls on to its origin."""
    aliases = [(value, way) for value, way in reached() if isinstance(value, types.GenericAlias)]
    assert [way for alias, way in aliases if typing.get_origin(alias) in FORBIDDEN_TYPES] == []


def test_no_power_of_python_is_reached() -> None:
    powers = {id(power): name for name, power in POWERS.items() if callable(power)}
    assert [(way, powers[id(value)]) for value, way in reached() if id(value) in powers] == []

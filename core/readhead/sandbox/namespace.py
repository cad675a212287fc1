"""What a program finds: the names of `policy`'s tables, and nothing that leads anywhere else."""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib
import itertools
import sys
import types
import typing
import warnings
from typing import Any

import numpy as np

from readhead import language
from readhead.sandbox import policy
from readhead.sandbox.memory import zero_new_arrays


def fresh() -> dict[str, Any]:
    """The globals of a program.

    Made anew by every call; what it holds is shared.
    """
    modules = _modules()
    names: dict[str, Any] = {name: getattr(builtins, name) for name in policy.BUILTINS}
    names |= {"print": _print, "__import__": functools.partial(_import, modules)}
    prebound = {name: modules[module] for name, module in policy.PREBOUND.items() if module}
    return prebound | {
        "softmax": language.softmax,
        "normalize": language.normalize,
        "__name__": "program",
        "__builtins__": names,
    }


@functools.cache
def prepared() -> dict[str, Any]:
    """One namespace, for a process whose children all have a copy of their own, as of everything."""
    return fresh()


def _print(*_: object, **__: object) -> None:
    """Printing goes nowhere."""


def _modules() -> dict[str, types.SimpleNamespace]:
    """A small fresh stand-in for each module that may be imported."""
    modules = {
        path: types.SimpleNamespace(**_members(importlib.import_module(path), names))
        for path, names in policy.MODULES.items()
    }
    modules["numpy"].empty = np.zeros  # no stale memory, and the same result every time
    modules["numpy"].empty_like = np.zeros_like
    for path, name in policy.ANNOTATIONS:
        # `NDArray` itself can be called, and then makes an array over anybody's memory; this one cannot.
        setattr(modules[path], name, typing.List)  # noqa: UP006 - `list` can be called
    for path, module in modules.items():
        parent, _, name = path.rpartition(".")
        if parent in modules:
            setattr(modules[parent], name, module)
    modules["readhead"] = types.SimpleNamespace(language=modules["readhead.language"])
    return modules


def _members(module: types.ModuleType, names: frozenset[str]) -> dict[str, Any]:
    """Those that this version of the module has, and that are no modules themselves."""
    found = {name: getattr(module, name) for name in names if hasattr(module, name)}
    return {name: value for name, value in found.items() if not isinstance(value, types.ModuleType)}


def _import(
    modules: dict[str, types.SimpleNamespace],
    name: str,
    _globals: object = None,
    _locals: object = None,
    names: tuple[str, ...] | None = (),
    level: int = 0,
) -> types.SimpleNamespace:
    """The `__import__` of programs, whose own imports `policy` has checked.

    numpy's C code comes here too, for parts of numpy that are loaded already; it takes them from `sys.modules` and
    ignores what this returns.
    """
    if level == 0 and name in modules:
        return modules[name] if names else modules[name.partition(".")[0]]
    if name in sys.modules:
        return types.SimpleNamespace()
    raise ImportError(f"{name} cannot be imported")


def warm_up() -> None:
    """Make numpy import what it imports lazily, a child could not open the files, and whatever else takes its time."""
    zero_new_arrays()
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    for module in ("numpy.ma", "numpy.linalg", "unicodedata"):
        importlib.import_module(module)
    square = np.eye(2, dtype=np.float32)
    functions = [value for value in vars(prepared()["np"]).values() if callable(value)]
    for function, arguments in itertools.product(functions, ((square,), (square, square))):
        with contextlib.suppress(Exception):
            function(*(argument.copy() for argument in arguments))
    for name in policy.METHODS:
        with contextlib.suppress(Exception):
            getattr(square.copy(), name)()
    for show in (str, repr):
        show(square)
    warnings.filterwarnings("error", message="'where' used without 'out'")  # it would show stale memory

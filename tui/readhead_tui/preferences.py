"""What a user prefers in every workspace: `tui.toml` in the folder of settings (`~/.config/readhead` on Linux)."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from platformdirs import user_config_path

from readhead.errors import UsageError
from readhead_tui.actions import Action, split_keys
from readhead_tui.shades import PALETTES

_TYPES: dict[str, type] = {"theme": str, "palette": str, "compact": bool, "keys": dict}


def preferences_file() -> Path:
    """Where the preferences are."""
    return user_config_path("readhead") / "tui.toml"


@dataclass(frozen=True)
class Preferences:
    """Theme, colours and keys."""

    theme: str = "textual-dark"
    """One of Textual's themes."""
    palette: str = "viridis"
    """Of the map and the pictures: one of `PALETTES`; `none` for no colour."""
    compact: bool = False
    """Without the lines at the top."""
    keys: dict[str, str] = field(default_factory=dict)
    """For actions (by id) the keys to use instead of their own, parted by commas."""

    @classmethod
    def read(cls, path: Path, *, actions: Iterable[Action], themes: frozenset[str]) -> Self:
        """The preferences in a file; the defaults where there is none.

        Raises:
            UsageError: naming what is not known, or two actions with the same key in one view.
        """
        try:
            text = path.read_text("utf-8-sig")
        except FileNotFoundError:
            return cls()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}", hint="mend it, or remove it") from error
        try:
            table: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{path} is not TOML: {error}", hint="mend it, or remove it") from error
        for key, value in table.items():
            if key not in _TYPES or not isinstance(value, _TYPES[key]):
                known = ", ".join(f"{name} ({kind.__name__})" for name, kind in _TYPES.items())
                raise UsageError(f"{path}: {key} = {value!r} means nothing", hint=f"known: {known}")
        _check(path, "theme", [table.get("theme", cls.theme)], themes)
        _check(path, "palette", [table.get("palette", cls.palette)], frozenset(PALETTES))
        keys = table.get("keys", {})
        by_id = {action.id: action for action in actions}
        _check(path, "keys", keys, frozenset(by_id))
        for action, key in keys.items():
            if not isinstance(key, str) or not split_keys(key):
                raise UsageError(f"{path}: the key of {action} is {key!r}", hint=f'write for example: {action} = "f5"')
        found = cls(**table)
        _check_clashes(path, found, by_id.values())
        return found

    def keys_of(self, action: Action) -> tuple[str, ...]:
        """The keys of an action, as Textual names them."""
        return split_keys(self.keys.get(action.id, action.keys))


def _check(path: Path, what: str, given: Any, known: frozenset[str]) -> None:  # noqa: ANN401 - names in a container
    for name in given:
        if name not in known:
            raise UsageError(f"{path}: {what}: there is no {name!r}", hint=f"known: {', '.join(sorted(known))}")


def _check_clashes(path: Path, preferences: Preferences, actions: Iterable[Action]) -> None:
    users: defaultdict[str, list[Action]] = defaultdict(list)
    for action in actions:
        for key in preferences.keys_of(action):
            for other in filter(action.meets, users[key]):
                raise UsageError(
                    f"{path}: {key} is the key of {other.id} and of {action.id}", hint="give one of them another key"
                )
            users[key].append(action)

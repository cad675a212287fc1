"""What a client may set: in the initialization options, and as configuration `readhead`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class ServerOptions:
    """Every key has a default; what cannot be meant is told once, and the default holds."""

    trusted: bool = True
    """Whether anything of the workspace may run; findings are told in any case."""
    score_while_typing: bool = True
    """Score a pause in typing; without it, a save."""
    pause: float = 0.4
    """Seconds without a change that count as a pause."""
    perplexity: bool = True
    """Measure the impact on perplexity after a save."""
    blame: bool = True
    """Show what each term earns, after a save."""
    least_lift: float = 0.0
    """A program with less lift over its floor is a warning."""
    good_lift: float = 0.05
    """A program with less is told as information; with more, nothing is."""

    def updated(self, given: Any) -> tuple[ServerOptions, list[str]]:  # noqa: ANN401 - whatever the client sent
        """With what a client gave, in camelCase or snake_case; and what is wrong with that."""
        if not isinstance(given, dict):
            return self, []
        names = [item.name for item in fields(self)]
        known = {_camel(name): name for name in names} | {name: name for name in names}
        changes: dict[str, Any] = {}
        problems = []
        for key, value in given.items():
            name = known.get(key)
            if value is None:
                continue  # a setting that is not set
            flag = name is not None and isinstance(getattr(self, name), bool)
            if name is None:
                problems.append(f"unknown option {key!r}")
            elif flag != isinstance(value, bool) or not isinstance(value, int | float):
                problems.append(f"{key} = {value!r} is not {'true or false' if flag else 'a number'}")
            else:
                changes[name] = value
        return replace(self, **changes), problems


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)

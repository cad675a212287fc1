"""An engine that answers from a table, in the place of a process."""

from __future__ import annotations

import asyncio
from typing import Any

from readhead.engine import State
from readhead.engine.client import EngineError


class FakeEngine:
    """Answers what it was given; an exception is raised, None is never answered."""

    def __init__(self, state: State = "ready", facts: dict[str, Any] | None = None, **answers: Any) -> None:
        self.state: State = state
        self.facts = {"layers": 2, "heads": 4} if facts is None else facts
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def call(self, method: str, **given: Any) -> Any:
        self.calls.append((method, given))
        if method not in self.answers:
            raise EngineError("RH901", f"no method {method}", "")
        if self.answers[method] is None:
            await asyncio.Event().wait()
        return self.answers[method]

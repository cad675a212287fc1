"""The engine's works in a lane, as its host has them, on the bundled model and a few programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from readhead.engine.host import UNNAMED, URGENCY
from readhead.engine.jobs import Job, Lane
from readhead.engine.works import Works

SETTINGS = {"fit": 4, "dev": 20, "held_out": 8, "length": 24}
AHEAD = "def head(s):\n    return softmax(s.n * s.itself)\n"
EMPTY = "def head(s):\n    return s.no_such_thing\n"
NEAR = "def head(s):\n    return softmax(-1.0 * s.distance)\n"


def make_workspace(root: Path, **settings: Any) -> Path:
    """A workspace of the bundled model with a small corpus."""
    (root / "programs").mkdir(parents=True, exist_ok=True)
    lines = (f"{key} = {json.dumps(value)}" for key, value in {**SETTINGS, **settings}.items())
    (root / "readhead.toml").write_text("\n".join(lines), "utf-8")
    return root


class Served:
    """One engine's works, all in the thread of their lane."""

    def __init__(self, root: Path) -> None:
        self.events: list[tuple[str, Any]] = []
        self.lane = Lane("test")
        self.works: Works = self._begin(lambda _job: Works(root, self._tell))[1].result(60)

    def _tell(self, event: str, given: dict[str, Any]) -> None:
        self.events.append((event, given))

    def begin(self, method: str, part: Callable[[Any], None] = lambda _: None, **given: Any) -> tuple[Job, Future[Any]]:
        """Ask, as a front end does."""
        return self._begin(lambda job: self.works.call(method, job, part, given), URGENCY.get(method, UNNAMED))

    def call(self, method: str, part: Callable[[Any], None] = lambda _: None, **given: Any) -> Any:
        """Ask and wait."""
        return self.begin(method, part, **given)[1].result(60)

    def close(self) -> None:
        self._begin(lambda _job: self.works.close())[1].result(60)
        self.lane.close()

    def _begin(self, do: Callable[[Job], Any], urgency: int = 0) -> tuple[Job, Future[Any]]:
        answer: Future[Any] = Future()

        def done(result: Any, error: BaseException | None) -> None:
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        return self.lane.add(Job(do, done, urgency)), answer

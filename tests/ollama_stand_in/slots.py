"""Which models are loaded, and who has to wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ollama_stand_in.models import Model
from ollama_stand_in.wire import ApiError

FOREVER_S = 100 * 365 * 86400.0
GRACE_S = 0.05
"""Who has read the last line of an answer may ask again before its slot is free."""


@dataclass
class Loaded:
    """A model in memory."""

    name: str
    model: Model
    num_ctx: int
    expires: float
    """Seconds since the epoch."""

    @property
    def listed(self) -> dict[str, Any]:
        """An entry of `/api/ps`."""
        expires = datetime.fromtimestamp(self.expires, UTC).isoformat()
        sizes = {"size_vram": self.model.size, "context_length": self.num_ctx}
        return {**self.model.listed(self.name), "expires_at": expires, **sizes}


class Slots:
    """At most `parallel` requests run and `max_queue` wait; one more is turned away with 503."""

    def __init__(self, parallel: int, max_queue: int) -> None:
        self.parallel = parallel
        self.max_queue = max_queue
        self.most_at_once = 0
        self._running = 0
        self._waiting = 0
        self._loaded: dict[str, Loaded] = {}
        self._change = threading.Condition()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a slot and holds it."""
        with self._change:
            if self._running >= self.parallel:
                if self._waiting >= self.max_queue and not self._change.wait_for(self._is_free, GRACE_S):
                    raise ApiError(503, "server busy, please try again.  maximum pending requests exceeded")
                self._waiting += 1
                try:
                    self._change.wait_for(self._is_free)
                finally:
                    self._waiting -= 1
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        try:
            yield
        finally:
            with self._change:
                self._running -= 1
                self._change.notify_all()

    def _is_free(self) -> bool:
        return self._running < self.parallel

    def is_loaded(self, name: str, num_ctx: int) -> bool:
        """With this window: another one needs loading anew."""
        return any(one.name == name and one.num_ctx == num_ctx for one in self.loaded())

    def keep(self, name: str, model: Model, num_ctx: int, keep_alive_s: float) -> None:
        """Loaded from now on, for so long; negative is for ever, 0 unloads."""
        with self._change:
            self._loaded.pop(name, None)
            if keep_alive_s:
                expires = time.time() + (FOREVER_S if keep_alive_s < 0 else min(keep_alive_s, FOREVER_S))
                self._loaded[name] = Loaded(name, model, num_ctx, expires)

    def loaded(self) -> list[Loaded]:
        """The one that stays longest first."""
        with self._change:
            alive = [one for one in self._loaded.values() if one.expires > time.time()]
        return sorted(alive, key=lambda one: -one.expires)


def now() -> str:
    """As Ollama writes times."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def days_ago(days: int) -> str:
    """A time in the past."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat().replace("+00:00", "Z")

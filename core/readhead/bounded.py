"""A memory that forgets: values by key, up to so many bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Bounded(Generic[Key, Value]):
    """Values by key, up to `memory` bytes; those that were used longest ago are forgotten first."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.used = 0
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """The value, unless it was never put in or is forgotten."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: Key, value: Value, size: int) -> None:
        """Keep a value of so many bytes, unless it is larger than all there is."""
        if key in self._values or size > self.memory:
            return
        self._values[key] = (value, size)
        self.used += size
        while self.used > self.memory:
            _, (_, dropped) = self._values.popitem(last=False)
            self.used -= dropped

    def clear(self) -> None:
        """Forget all."""
        self._values.clear()
        self.used = 0

    def copy(self) -> Bounded[Key, Value]:
        """The same values; what is put into one is not in the other."""
        again: Bounded[Key, Value] = Bounded(self.memory)
        again._values, again.used = self._values.copy(), self.used
        return again

"""What the levels have in common: a way to have programs run, as `Sandbox` uses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from readhead.sandbox.block import Layout
from readhead.sandbox.policy import Review
from readhead.sandbox.results import Limits, Run
from readhead.tokens import Text


@dataclass
class Ticket:
    """A program that was found harmless and has not been answered."""

    source: str
    review: Review
    texts: tuple[Text, ...]
    number: int = 0
    block: int = -1
    """The descriptor of its block, once it has been answered, where it has one."""
    attempts: int = 0
    reply: dict[str, Any] = field(default_factory=dict)
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        self.layout = Layout(tuple(len(text.surfaces) for text in self.texts))


class Line(Protocol):
    """To a process that keeps one program."""

    def call(self, text: Text) -> Run:
        """Run the program on one text."""

    def close(self) -> None:
        """End the process."""


class Backend(Protocol):
    """Runs programs in other processes, which it starts when they are needed."""

    limits: Limits

    @property
    def isolation(self) -> str:
        """See `Sandbox.isolation`."""

    def close(self) -> None:
        """End all processes. A later call starts them again."""

    def load(self, texts: tuple[Text, ...]) -> None:
        """Run later programs on these texts."""

    def begin(self, source: str, review: Review) -> Ticket:
        """Send off a program that was found harmless."""

    def finish(self, ticket: Ticket) -> Run:
        """Wait for its answer."""

    def abandon(self, tickets: list[Ticket]) -> None:
        """Stop programs whose results nobody waits for."""

    def keep(self, source: str, review: Review) -> Line:
        """Have one program ready for one text after another."""

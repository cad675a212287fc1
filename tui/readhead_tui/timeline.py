"""The switchboards of a session, one after another: to undo, to redo, and to go back to any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from readhead.engine import Impacted
from readhead.heads import HeadId

Board = Mapping[HeadId, str]
"""Heads in program mode, each with its program's text."""
Flip = dict[HeadId, str | None]
"""Heads with the text that they get, or None for neural."""


@dataclass
class Moment:
    """One switchboard, and what it costs."""

    label: str
    """What led to it."""
    board: Board
    stamp: str
    impact: Impacted | None = None
    """None until the first estimate."""
    problem: str = ""
    """Why it could not be measured."""


@dataclass
class Timeline:
    """Moments, of which one is now."""

    moments: list[Moment] = field(default_factory=list)
    place: int = -1

    @property
    def now(self) -> Moment | None:
        """The current moment."""
        return self.moments[self.place] if self.moments else None

    def arrive(self, board: Board, stamp: str, label: str) -> Moment:
        """A switchboard has come about.

        One that stands next to the current moment (an undo, a redo, a jump) moves there; any other one is a new moment
        after the current one, and what had been undone is forgotten.
        """
        for place in self._nearest_first():
            if self.moments[place].board == board:
                self.place = place
                self.moments[place].stamp = stamp
                return self.moments[place]
        del self.moments[self.place + 1 :]
        self.moments.append(Moment(label, dict(board), stamp))
        self.place = len(self.moments) - 1
        return self.moments[self.place]

    def _nearest_first(self) -> list[int]:
        return sorted(range(len(self.moments)), key=lambda place: (abs(place - self.place), place))

    def way_to(self, place: int) -> Flip:
        """What to flip to get from now to the moment at `place`; nothing where there is none."""
        if not 0 <= place < len(self.moments) or self.now is None:
            return {}
        return difference(self.now.board, self.moments[place].board)

    def learn(self, impact: Impacted) -> bool:
        """A figure for the switchboard of its stamp; whether that is a moment here."""
        for moment in self.moments:
            if moment.stamp == impact.stamp["board"]:
                moment.impact, moment.problem = impact, ""
                return True
        return False


def difference(before: Board, after: Board) -> Flip:
    """What leads from one switchboard to another."""
    gone: Flip = {head: None for head in before if head not in after}
    return gone | {head: source for head, source in after.items() if before.get(head) != source}


def label_of(flip: Mapping[HeadId, str | None]) -> str:
    """A flip in a few words: `L0H3 → program`, `12 heads → neural`."""
    on = sorted(head for head, source in flip.items() if source is not None)
    off = sorted(head for head, source in flip.items() if source is None)
    parts = [f"{_named(heads)} → {mode}" for heads, mode in ((on, "program"), (off, "neural")) if heads]
    return ", ".join(parts) or "nothing changed"


_NAMED = 3


def _named(heads: list[HeadId]) -> str:
    return " ".join(map(str, heads)) if len(heads) <= _NAMED else f"{len(heads)} heads"

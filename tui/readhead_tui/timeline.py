"""The switchboards of a session, one after another: to undo, to redo, and to go back to any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

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
    _ways: list[int] = field(default_factory=list)
    """Places of the moments that are on their way, the next one first."""

    @property
    def aim(self) -> int:
        """Where the ways that are on their way end; the current place if there is none."""
        return self._ways[-1] if self._ways else self.place

    @property
    def now(self) -> Moment | None:
        """The current moment."""
        return self.moments[self.place] if self.moments else None

    def arrive(self, board: Board, stamp: str, label: str) -> Moment:
        """A switchboard has come about.

        One that a way led to (an undo, a redo, a jump) moves there; any other one is a new moment after the current
        one, and what had been undone is forgotten.
        """
        for number, place in enumerate(self._ways):
            if self.moments[place].board == board:
                del self._ways[: number + 1]
                return self._move(place, stamp)
        if self.now is not None and self.now.board == board:
            return self._move(self.place, stamp)
        del self.moments[self.place + 1 :]
        self._ways.clear()
        self.moments.append(Moment(label, dict(board), stamp))
        return self._move(len(self.moments) - 1, stamp)

    def _move(self, place: int, stamp: str) -> Moment:
        self.place = place
        self.moments[place].stamp = stamp
        return self.moments[place]

    def way_to(self, place: int) -> Flip:
        """What to flip to get to the moment at `place`, after what is on its way; nothing where there is none."""
        if not 0 <= place < len(self.moments):
            return {}
        return difference(self.moments[self.aim].board, self.moments[place].board)

    def go(self, place: int) -> Flip:
        """The same, and the switchboard that comes of it is that moment."""
        flip = self.way_to(place)
        if flip:
            self._ways.append(place)
        return flip

    def stay(self) -> None:
        """What was on its way does not come."""
        self._ways.clear()

    def learn(self, impact: Impacted) -> bool:
        """A figure for the switchboard of its stamp; whether that is a moment here."""
        found = [moment for moment in self.moments if moment.stamp == impact.stamp["board"]]
        for moment in found:
            moment.impact, moment.problem = _better(moment.impact, impact), ""
        return bool(found)

    def forget(self) -> None:
        """Another model, or other texts: there are no moments any more."""
        self.moments.clear()
        self._ways.clear()
        self.place = -1


def _better(before: Impacted | None, now: Impacted) -> Impacted:
    """Of two figures of one switchboard that of more texts: a measurement that begins anew tells its first ones again.

    Controls that were measured stay, and so does what is known of the next tokens.
    """
    if before is None or before.stamp != now.stamp:
        return now
    if before.sequences > now.sequences:
        return before
    kept: dict[str, Any] = {"controls": now.controls or before.controls}
    if now.kl is None and before.sequences == now.sequences:
        kept |= {"kl": before.kl, "top1_agreement": before.top1_agreement}
    return replace(now, **kept)


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

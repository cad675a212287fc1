"""What an app would know of a fake workspace."""

from __future__ import annotations

from readhead.engine import Impacted
from readhead.heads import HeadId
from readhead_tui.known import Known
from tui.fake_workspace import FakeWorkspace


def known_of(workspace: FakeWorkspace) -> Known:
    """All that the engine says of it."""
    known = Known()
    known.learn(workspace.facts())
    known.learn_cards(workspace.cards())
    learn_switches(known, workspace)
    return known


def learn_switches(known: Known, workspace: FakeWorkspace) -> set[HeadId]:
    """The current switchboard."""
    switches = workspace.switches()
    return known.learn_board(switches["heads"], switches["fingerprint"])


def impact_of(
    increase: float = 5.0, low: float | None = 3.0, high: float | None = 7.0, *, sequences: int = 32, board: str = "b"
) -> Impacted:
    """What a switchboard costs."""
    return Impacted(
        stamp={"board": board},
        perplexity=10 * (1 + increase / 100),
        neural_perplexity=10.0,
        increase_percent=increase,
        low=low,
        high=high,
        preliminary=low is None,
        sequences=sequences,
    )

"""One engine a workspace, in a process of its own: the model, the patterns and the sandbox behind one line.

Front ends (editor, terminal app) attach to it through `Engine`; the first one starts it, it leaves with the last.
Nothing that is imported here waits for torch.
"""

from __future__ import annotations

from readhead.engine.client import Engine, EngineGoneError, State
from readhead.engine.results import Blame, Card, Impacted, Scored, Stamp, Switches

__all__ = ["Blame", "Card", "Engine", "EngineGoneError", "Impacted", "Scored", "Stamp", "State", "Switches"]

"""What a stand-in's language model answers, and a desk from which it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.planted_patterns import Score
from ollama_stand_in import StandIn
from readhead.library import Target
from readhead.sandbox import Sandbox
from readhead.synthesis.ollama.prompts import Prompts
from readhead.synthesis.ollama.run import Desk
from readhead.workspace import OllamaSettings, Workspace

MODELS: dict[str, dict[str, Any]] = {"coder": {"context_length": 32768}}

HEADS: dict[str, Score] = {"previous": lambda s: 5 * s.previous(1), "first": lambda s: 5 * s.first}


def code(weight: int, place: str = "s.previous(1)") -> str:
    """A program; others of other weights predict something else. It has no constant to fit, which takes a while."""
    return f"def head(s):\n    return {weight} * {place} + s.first\n"


def reply(*codes: str) -> str:
    """The answer with these programs, as the model is asked to give it."""
    return json.dumps(
        {"programs": [{"explanation": f"Idea {number}.", "code": each} for number, each in enumerate(codes, 1)]}
    )


@contextmanager
def desk_for(
    server: StandIn, target: Target, sandbox: Sandbox, root: Path | None = None, **settings: Any
) -> Iterator[Desk]:
    """A desk that asks `server`, with a workspace of its own or the one in `root`."""
    asking = OllamaSettings(**{"model": "coder", "host": server.url, **settings})
    folder = None if root is None else root / "prompts"
    with Workspace.open(root) if root else Workspace.temporary() as workspace:
        yield Desk(target, asking, workspace, sandbox, Prompts.load(folder))

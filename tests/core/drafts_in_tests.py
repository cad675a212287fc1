"""What a stand-in's language model answers, and a desk from which it is asked."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from core.planted_patterns import Score
from ollama_stand_in import Fault, Model, Reply, StandIn
from ollama_stand_in.prompt import pieces
from readhead.library import Target
from readhead.sandbox import Sandbox
from readhead.settings import OllamaSettings
from readhead.synthesis.ollama.prompts import Prompts
from readhead.synthesis.ollama.run import Desk
from readhead.workspace import Workspace

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


def slowly(values: Iterable[Any], *, but: Container[Any]) -> list[Any]:
    """Parameters of a test; all but a few wait for the slow run."""

    def later(value: Any) -> Any:
        return pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow)

    return [value if value in but else later(value) for value in values]


def pieces_before(text: str, words: str) -> int:
    """How many chunks of a stream come before these words of it."""
    lengths = accumulate(map(len, pieces(Model().counter, text)))
    return next(number for number, length in enumerate(lengths) if length > text.index(words))


THREE = reply(code(9), code(20), code(60))

SPOILT = {
    "cut": Reply(text=THREE, fault=Fault.CUT),
    "unfinished": Reply(text=THREE, fault=Fault.UNFINISHED),
    "malformed": Reply(text=THREE, fault=Fault.MALFORMED),
    "error line": Reply(text=THREE, fault=Fault.ERROR),
    "500": Reply(status=500),
    "503": Reply(status=503),
}
"""What is worth asking once more."""

HOPELESS = {
    "404": Reply(status=404, error="model 'coder' not found"),
    "400": Reply(status=400, error="time: invalid duration"),
    "silence": Reply(text=THREE, first_token_s=30),
}
"""What is not."""


def serving(*replies: Any, **options: Any) -> StandIn:
    """A stand-in with these replies, or the ones that a function makes."""
    said = replies[0] if callable(replies[0]) else list(replies)
    return StandIn(said, options.pop("models", MODELS), **options)


@contextmanager
def desk_for(
    server: StandIn, target: Target, sandbox: Sandbox, root: Path | None = None, *, whole: bool = False, **settings: Any
) -> Iterator[Desk]:
    """A desk that asks `server`, with a workspace of its own or the one in `root`.

    Unless the prompts are to be `whole`, they leave out the language, which takes the server's tokenizer a while.
    """
    asking = OllamaSettings(**{"model": "coder", "host": server.url, **settings})
    prompts = Prompts.load(None if root is None else root / "prompts")
    if not whole:
        prompts = replace(prompts, texts={**prompts.texts, "language": "# The language\n\nAs ever."})
    with Workspace.open(root) if root else Workspace.temporary() as workspace:
        yield Desk(target, asking, workspace, sandbox, prompts)

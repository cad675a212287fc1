"""What comes of a run: weights, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Kind = Literal["refused", "error", "bad result", "time-out", "crash", "out of memory"]
Weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Limits:
    """How much a program may use."""

    seconds: float = 2.0
    """Processor time for one sequence."""
    memory_bytes: int = 1 << 30
    """Address space beyond what the server's own data takes."""


@dataclass(frozen=True)
class Failure:
    """Why a program gave no weights, for one sequence or for all that were left."""

    kind: Kind
    message: str
    """In one line, printable, at most 200 characters; made by the program, so text to show and nothing else."""
    code: str = ""
    """Of a refusal: the finding's."""
    line: int | None = None
    """In the program, from 1."""
    column: int | None = None
    """From 1, in characters."""
    hint: str = ""
    """What to do about it; may be empty."""
    sequence: int | None = None
    """Index of the text; None where the program failed before the first."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {name: getattr(self, name) for name in ("kind", "code", "line", "column", "message", "hint")}
        return told if self.sequence is None else told | {"sequence": self.sequence}


@dataclass(frozen=True)
class Run:
    """What one program did on all texts."""

    weights: tuple[Weights | None, ...]
    """For each text the raw `[n, n]` weights, not masked, normalised or cleaned; None where it failed."""
    failures: tuple[Failure, ...]
    """The first of each kind, by sequence; empty if nothing failed."""
    failed: int
    """Number of texts without weights."""
    seconds: float
    """From the program's start to its end."""

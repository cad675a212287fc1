"""A switchboard: which heads are in program mode, with which program; and its file.

The file is JSON and holds the programs by content, so that it means the same wherever it is opened, and the
fingerprint of the model that it was made for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from readhead.errors import ProgramError, StoreError, UsageError
from readhead.heads import HeadId
from readhead.patterns import write_beside
from readhead.program import Program, parse

_FORMAT: Final = 1


class Control(StrEnum):
    """What stands in for a head that nobody has explained: the floor under any perplexity."""

    ZERO = "zero"
    """Zero ablation: the head adds nothing."""
    UNIFORM = "uniform"
    """It looks at all tokens so far alike."""
    FIRST = "first"
    """It looks at the first token only."""


Surrogate = Program | Control
"""What may stand in for a head."""
Board = Mapping[HeadId, Surrogate]
"""Heads with what stands in for them; all others are neural."""


@dataclass(frozen=True)
class Switchboard(Mapping[HeadId, Program]):
    """The heads in program mode, in the order of their layers; a mapping that does not change."""

    programs: Mapping[HeadId, Program] = field(default_factory=dict, repr=False)
    model: str = ""
    """Fingerprint of the model that it is for; empty for any."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "programs", dict(sorted(self.programs.items())))

    def __getitem__(self, head: HeadId) -> Program:
        return self.programs[head]

    def __iter__(self) -> Iterator[HeadId]:
        return iter(self.programs)

    def __len__(self) -> int:
        return len(self.programs)

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            StoreError: if it cannot be written.
        """
        sources = {program.fingerprint: program for program in self.programs.values()}
        document = {
            "readhead": _FORMAT,
            "model": self.model,
            "heads": {str(head): program.fingerprint for head, program in self.programs.items()},
            "programs": {
                key: {"name": program.name, "source": program.source} for key, program in sorted(sources.items())
            },
        }
        write_beside(Path(path), json.dumps(document, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The switchboard in a file.

        Raises:
            StoreError: if it cannot be read or is no switchboard file.
            UsageError: if it names something that is no head.
        """
        try:
            document = json.loads(Path(path).read_text("utf-8"))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
            raise StoreError(f"{path} cannot be read: {reason}", hint=_HINT) from error
        if not isinstance(document, dict) or document.get("readhead") != _FORMAT:
            raise StoreError(f"{path} is no switchboard file of this version", hint=_HINT)
        try:
            programs = {key: parse(each["source"], name=each["name"]) for key, each in document["programs"].items()}
            heads = {HeadId.parse(head): programs[key] for head, key in document["heads"].items()}
            model = str(document["model"])
        except (AttributeError, KeyError, TypeError) as error:
            raise StoreError(f"{path} is damaged: {error!r}", hint=_HINT) from error
        return cls(heads, model)

    def check_model(self, fingerprint: str, name: str) -> None:
        """Refuse the switchboard of another model.

        Raises:
            UsageError: if it was made for a model with another fingerprint.
        """
        if self.model and self.model != fingerprint:
            raise UsageError(
                f"the switchboard was made for another model: for {self.model}, and {name} is {fingerprint}",
                hint="name the model that it was made with: --model",
            )


_HINT: Final = "name a file that `readhead replace --save FILE` has written"


def refuse_findings(board: Mapping[HeadId, Program]) -> None:
    """Refuse programs that the sandbox would not run.

    Raises:
        ProgramError: with the first finding of the first such program.
    """
    for head, program in board.items():
        if program.findings:
            place = f"{program.path}:" if program.path else f"{program.name}: "
            raise ProgramError(f"{place}{program.findings[0]}", hint=f"mend it, or leave {head} neural")

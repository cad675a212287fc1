"""What a synthesis has brought, as a value: `readhead synthesize` prints it, and Python gets it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from readhead.corpus import Corpus
from readhead.heads import HeadId
from readhead.program import Program
from readhead.scores import HeadScore
from readhead.synthesis.cover import Merge
from readhead.synthesis.front import Front
from readhead.synthesis.ollama.ranked import Ranked
from readhead.synthesis.ollama.run import Drafted

if TYPE_CHECKING:
    from rich.console import RenderableType

OFFERED = 0.005
"""Merges that cost a head at most this IoU on dev are offered."""


@dataclass(frozen=True)
class Synthesis:
    """The program written for each of some heads, and how good it is."""

    model: str
    """The model's name."""
    corpus: Corpus
    isolation: str
    """How programs were kept apart from the machine, in words."""
    heads: tuple[HeadScore, ...]
    """Of the chosen programs, on `held-out`."""
    fronts: tuple[Front, ...]
    """All programs that were searched for, by size, for each of `heads`; empty where only a language model wrote."""
    front_iou: tuple[tuple[float, ...], ...]
    """Their IoU on `dev`."""
    unreached: tuple[HeadId, ...]
    """Heads that the time limit left without a program."""
    fewest: int
    """Programs that are enough for a mean IoU on `dev` within 0.01 of one program a head."""
    merges: tuple[Merge, ...]
    """Heads that can take over another head's program at a small cost; taken over where that was asked for."""
    seconds: dict[str, float]
    """What the stages took."""
    drafted: Drafted | None = None
    """What a language model has brought, where one was asked."""
    ranked: tuple[Ranked, ...] = ()
    """Its candidates that were kept, among all programs."""

    @property
    def programs(self) -> list[Program]:
        """The chosen programs, each once."""
        return list({score.program.source: score.program for score in self.heads}.values())

    @property
    def mean_iou(self) -> float | None:
        """Mean over heads of the IoU on `held-out`; None where no head got a program."""
        return fmean(score.iou for score in self.heads) if self.heads else None

    def as_dict(self) -> dict[str, Any]:
        """The document that `readhead synthesize --json` prints."""
        return {
            "model": {"name": self.model},
            "isolation": self.isolation,
            "corpus": self.corpus.as_dict(),
            "part": "held-out",
            "heads": [
                score.as_dict() | {"front": _front(front, iou)}
                for score, front, iou in zip(self.heads, self.fronts, self.front_iou, strict=True)
            ],
            "unreached": [str(head) for head in self.unreached],
            "mean_iou": self.mean_iou,
            "programs": len(self.programs),
            "fewest_within_0.01": self.fewest,
            "merges": [
                {"head": str(merge.head), "own": merge.own.name, "other": merge.other.name, "cost": merge.cost}
                for merge in self.merges
            ],
            "seconds": self.seconds,
        } | ({} if self.drafted is None else {"ollama": self._drafted_dict(self.drafted)})

    def _drafted_dict(self, drafted: Drafted) -> dict[str, Any]:
        ranks = {(ranked.candidate.head, ranked.candidate.number): ranked.as_dict() for ranked in self.ranked}
        document = drafted.as_dict()
        document["candidates"] = [
            candidate.as_dict() | ranks.get((candidate.head, candidate.number), {}) for candidate in drafted.candidates
        ]
        return document

    def __rich__(self) -> RenderableType:
        from readhead.display import synthesis_view  # noqa: PLC0415 - rich only where something is shown

        return synthesis_view(self)

    def _repr_html_(self) -> str:
        from readhead.display import as_html  # noqa: PLC0415 - as above

        return as_html(self)


def _front(front: Front, iou: tuple[float, ...]) -> list[dict[str, Any]]:
    return [
        {
            "terms": program.terms,
            "set_tokens": program.set_tokens,
            "symbols": program.symbols,
            "lines": program.lines,
            "iou_dev": value,
            "source": program.source,
        }
        for program, value in zip(front.programs, iou, strict=True)
    ]

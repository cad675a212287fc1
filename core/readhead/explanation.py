"""What the main job tells of a model, as values: the best program for every head, and what replacing heads costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from readhead.corpus import Corpus, Part
from readhead.heads import HeadId
from readhead.patterns import Array
from readhead.program import Program
from readhead.scores import Broken, HeadScore
from readhead.scoring import iou
from readhead.surrogates.impact import Curve

if TYPE_CHECKING:
    from rich.console import RenderableType

_DIGITS = 4


@dataclass(frozen=True)
class Explanation:
    """The best program for every head of a model, and how good it is."""

    model: str
    """The model's name."""
    layers: int
    corpus: Corpus = field(repr=False)
    isolation: str
    """How programs were kept apart from the machine, in words."""
    library: int
    """Programs of the library that were ranked: those that have no more terms than were wanted."""
    synthesized: int
    """Programs that were written for the model's heads, and ranked beside the library."""
    unreached: tuple[HeadId, ...]
    """Heads for which no program was written within the time limit."""
    broken: tuple[Broken, ...]
    """Programs with findings, which were not ranked, and programs that failed somewhere on `dev`."""
    part: Part
    """The part of the corpus that `heads` are measured on; the programs are chosen on `dev`."""
    heads: tuple[HeadScore, ...] = field(repr=False)
    """One for each head, layer by layer."""
    seconds: dict[str, float]
    """What the stages took."""
    curve: Curve | None = None
    """Perplexity on `part` with ever more heads replaced; None where that was not asked for."""
    joint: dict[str, Any] | None = None
    """What fitting all constants together has changed; None where that was not asked for."""
    neural: Mapping[HeadId, str] = field(default_factory=dict)
    """Heads that stay neural in the curve because their best program may not stand in for them, and why."""

    @property
    def written(self) -> list[Program]:
        """Those of the best programs that were written for the model and have no file yet, each once."""
        best = {head.program.source: head.program for head in self.heads}
        return [program for program in best.values() if program.path is None]

    @property
    def mean_iou(self) -> float:
        """Mean over heads of the IoU."""
        return fmean(head.iou for head in self.heads)

    @property
    def mean_trivial_iou(self) -> float:
        """Mean over heads of the best trivial program's IoU."""
        return fmean(head.trivial_iou for head in self.heads)

    def as_dict(self) -> dict[str, Any]:
        """The document that `readhead explain --json` prints."""
        return {
            "model": {"name": self.model, "layers": self.layers, "heads": len(self.heads)},
            "isolation": self.isolation,
            "corpus": self.corpus.as_dict(),
            "programs": {
                "library": self.library,
                "synthesized": self.synthesized,
                "unreached": [str(head) for head in self.unreached],
                "distinct_best": len({head.program.source for head in self.heads}),
                "broken": [broken.as_dict() for broken in self.broken],
            },
            "part": self.part,
            "heads": [head.as_dict() for head in self.heads],
            "mean_iou": self.mean_iou,
            "median_iou": median(head.iou for head in self.heads),
            "mean_trivial_iou": self.mean_trivial_iou,
            "perplexity": None if self.curve is None else self.curve.as_dict(),
            "joint": self.joint,
            "neural": {str(head): reason for head, reason in self.neural.items()},
            "seconds": self.seconds,
        }

    def __rich__(self) -> RenderableType:
        from readhead.display import explanation_table  # noqa: PLC0415 - rich only where something is shown

        return explanation_table(self)

    def _repr_html_(self) -> str:
        from readhead.display import as_html  # noqa: PLC0415 - as above

        return as_html(self)


@dataclass(frozen=True)
class PatternView:
    """A head's pattern beside a program's prediction, on one text."""

    head: HeadId
    program: Program
    tokens: tuple[str, ...]
    pattern: Array
    """`[n, n]`, of the neural model."""
    prediction: Array
    """`[n, n]`, masked and normalised."""

    @property
    def iou(self) -> float:
        """IoU of the two on this text."""
        return iou(self.pattern, self.prediction)

    def as_dict(self) -> dict[str, Any]:
        """The document that `readhead show --json` prints."""
        return {
            "head": str(self.head),
            "program": self.program.name,
            "iou": self.iou,
            "tokens": list(self.tokens),
            "pattern": self.pattern.astype(float).round(_DIGITS).tolist(),
            "prediction": self.prediction.astype(float).round(_DIGITS).tolist(),
        }

    def __rich__(self) -> RenderableType:
        from readhead.display import pattern_view  # noqa: PLC0415 - rich only where something is shown

        return pattern_view(self)

    def _repr_html_(self) -> str:
        from readhead.display import as_html  # noqa: PLC0415 - as above

        return as_html(self)

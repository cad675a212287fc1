"""What is told of a program on a head: the results of ranking and scoring, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from readhead.corpus import Part
from readhead.heads import HeadId
from readhead.program import Program
from readhead.scoring import Mistake

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class HeadScore:
    """How well one program predicts one head on one part of the corpus."""

    head: HeadId
    program: Program
    part: Part
    sequences: int
    length: int
    """Tokens a sequence: an IoU means nothing without it."""
    iou: float
    """Mean over sequences; 0 to 1."""
    iou_without_first: float | None
    """The same without the first key column; None where nothing but that column is in use."""
    left_out: int
    """Rows that were 0/0 without the first column."""
    jsd: float
    """Jensen-Shannon distance, mean over rows and sequences; 0 to 1, a failed sequence counts as 1."""
    trivial: str
    """The best trivial program for this head on this part."""
    trivial_iou: float
    inactive: bool
    """The head's mean mass on the first token is 0.9 or more."""
    failed: int
    """Sequences on which the program gave nothing; each counts as IoU 0."""
    failures: tuple[dict[str, Any], ...] = ()
    look_ahead: str = ""
    """The row that gave the program away, where it looks ahead; empty for one that does not."""
    mistakes: tuple[Mistake, ...] = ()
    """The worst rows of the worst sequences."""
    by_sequence: tuple[float, ...] = field(default=(), repr=False)
    """IoU of each sequence of the part."""

    @property
    def lift(self) -> float:
        """IoU minus the best trivial program's IoU on the same head."""
        return self.iou - self.trivial_iou

    @property
    def coverage(self) -> float:
        """Share of the sequences on which the program gave a prediction."""
        return 1 - self.failed / self.sequences

    @property
    def error(self) -> dict[str, Any] | None:
        """What went wrong first, where the program gave nothing at all."""
        return dict(self.failures[0]) if self.failed == self.sequences and self.failures else None

    def figures(self) -> dict[str, Any]:
        """What a workspace keeps: everything but head, program and mistakes, ready for JSON."""
        kept = (item.name for item in fields(self) if item.name not in {"head", "program", "mistakes"})
        return {name: getattr(self, name) for name in kept}

    @classmethod
    def of_figures(cls, head: HeadId, program: Program, figures: dict[str, Any]) -> HeadScore:
        """The score that `figures` came from."""
        listed = {name: tuple(figures[name]) for name in ("failures", "by_sequence")}
        return cls(head=head, program=program, **{**figures, **listed})

    def as_dict(self) -> dict[str, Any]:
        """One row of the `heads` list of `readhead explain --json`."""
        return {
            "head": str(self.head),
            "program": self.program.name,
            "explanation": self.program.explanation,
            "category": self.program.metadata.category,
            "iou": self.iou,
            "lift": self.lift,
            "iou_without_first": self.iou_without_first,
            "jsd": self.jsd,
            "inactive": self.inactive,
            "trivial": self.trivial,
            "trivial_iou": self.trivial_iou,
            "terms": self.program.terms,
            "set_tokens": self.program.set_tokens,
            "symbols": self.program.symbols,
            "lines": self.program.lines,
            "coverage": self.coverage,
            "look_ahead": self.look_ahead or None,
        }

    def as_score_row(self) -> dict[str, Any]:
        """One row of `readhead score --json`: no figures where the program gave nothing, and what went wrong."""
        figures = {key: None if self.error else value for key, value in self.as_dict().items() if key in _FIGURES}
        known = {key: value for key, value in self.as_dict().items() if key not in _FIGURES}
        return {
            "file": str(self.program.path or self.program.name),
            **known,
            **figures,
            "part": self.part,
            "sequences": self.sequences,
            "length": self.length,
            "left_out": self.left_out,
            "mistakes": [asdict(mistake) for mistake in self.mistakes],
            "error": self.error,
        }

    def __rich__(self) -> RenderableType:
        from readhead.display import score_view  # noqa: PLC0415 - rich only where something is shown

        return score_view([self])

    def _repr_html_(self) -> str:
        from readhead.display import as_html  # noqa: PLC0415 - as above

        return as_html(self)


_FIGURES = ("iou", "lift", "iou_without_first", "jsd")


@dataclass(frozen=True)
class Found:
    """A head that a program was tried on in a reverse search."""

    head: HeadId
    iou: float
    """Mean over the `dev` sequences."""
    trivial: str
    trivial_iou: float
    rank: int
    """Place of the program among all programs for this head; 1 is best."""
    of: int
    """How many programs were compared."""

    @property
    def lift(self) -> float:
        """IoU minus the best trivial program's."""
        return self.iou - self.trivial_iou

    def as_dict(self) -> dict[str, Any]:
        """One row of `readhead find --json`."""
        return {**asdict(self), "head": str(self.head), "lift": self.lift}


@dataclass(frozen=True)
class Broken:
    """A program that was not run because of its findings, or that failed on some texts."""

    program: Program
    coverage: float
    """Share of the texts on which it gave a prediction."""
    error: dict[str, Any]
    """What went wrong first, as in `HeadScore.error`."""

    def as_dict(self) -> dict[str, Any]:
        """One row of the `broken` list of `readhead explain --json`."""
        return {
            "file": str(self.program.path or self.program.name),
            "coverage": self.coverage,
            "error": self.error,
        }

"""What a study of surrogates has brought, as values; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from readhead.corpus import Corpus, Part
from readhead.heads import HeadId
from readhead.surrogates.impact import Curve, Impact
from readhead.surrogates.switchboard import Switchboard

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Replacement:
    """A switchboard and what it costs."""

    model: str
    """The model's name."""
    corpus: Corpus
    isolation: str
    """How programs were kept apart from the machine, in words."""
    part: Part
    """The part of the corpus that the perplexity is measured on."""
    board: Switchboard
    order: str
    """How the heads were chosen: an order's name, or `given`."""
    iou: Mapping[HeadId, float]
    """Of the programs on `dev`, as far as it is known."""
    neural: Mapping[HeadId, str]
    """Heads that stay neural because their best program may not stand in for them, and why."""
    impact: Impact
    controls: Mapping[str, Impact]
    """What stands on the same heads instead, by `Control`."""
    curves: tuple[Curve, ...]
    budget: float | None
    """What the perplexity was allowed to grow by on `dev`, a share; None where no budget was given."""
    dev_increase: float | None
    """What it grew by there, a share."""
    joint: dict[str, Any] | None
    """What fitting all constants together has changed; None where that was not asked for."""
    seconds: dict[str, float]
    """What the stages took."""

    def as_dict(self) -> dict[str, Any]:
        """The document that `readhead replace --json` prints."""
        return {
            "model": {"name": self.model},
            "isolation": self.isolation,
            "corpus": self.corpus.as_dict(),
            "part": self.part,
            "order": self.order,
            "budget_percent": None if self.budget is None else 100 * self.budget,
            "dev_increase_percent": None if self.dev_increase is None else 100 * self.dev_increase,
            "replaced": [
                {"head": str(head), "program": program.name, "iou_dev": self.iou.get(head)}
                for head, program in self.board.items()
            ],
            "neural": {str(head): reason for head, reason in self.neural.items()},
            "perplexity": {
                "neural": self.impact.neural_perplexity,
                **self.impact.as_dict(),
                "controls": {name: impact.as_dict() for name, impact in self.controls.items()},
            },
            "curves": [curve.as_dict() for curve in self.curves],
            "joint": self.joint,
            "seconds": self.seconds,
        }

    def __rich__(self) -> RenderableType:
        from readhead.surrogates.views import replacement_view  # noqa: PLC0415 - rich only where something is shown

        return replacement_view(self)

    def _repr_html_(self) -> str:
        from readhead.display import as_html  # noqa: PLC0415 - as above

        return as_html(self)


@dataclass(frozen=True)
class Guilt:
    """Which replaced heads changed what a model makes of a prompt."""

    prompt: str
    replaced: int
    """Heads in program mode."""
    guilty: tuple[HeadId, ...]
    """Those of them that have to be neural for the wanted share of the harm to be gone; empty without harm."""
    harm: float
    """KL divergence of the hybrid's next-token distribution from the neural model's, mean over the prompt's tokens, the
    last one included, in nats."""
    rest: float
    """The same with the guilty heads neural."""
    measured: int
    """Switchboards that were measured."""
    expected: Mapping[str, tuple[tuple[str, float], ...]]
    """The likeliest next tokens after the prompt, with their probabilities: `neural`, `hybrid` and `healed`."""
    failed: tuple[HeadId, ...]
    """Heads that were neural all along, because their programs fail on the prompt."""
    neural: Mapping[HeadId, str]
    """Heads that stay neural because their best program may not stand in for them, and why."""

    def as_dict(self) -> dict[str, Any]:
        """The document that `readhead bisect --json` prints."""
        return {
            "prompt": self.prompt,
            "replaced": self.replaced,
            "guilty": [str(head) for head in self.guilty],
            "kl": self.harm,
            "kl_without_guilty": self.rest,
            "measured": self.measured,
            "expected": {name: [list(pair) for pair in pairs] for name, pairs in self.expected.items()},
            "failed": [str(head) for head in self.failed],
            "neural": {str(head): reason for head, reason in self.neural.items()},
        }

    def __rich__(self) -> RenderableType:
        from readhead.surrogates.views import guilt_view  # noqa: PLC0415 - rich only where something is shown

        return guilt_view(self)


@dataclass(frozen=True)
class Continuation:
    """What the neural and the hybrid model write after a prompt."""

    prompt: str
    neural: str
    """Its text after the prompt, so far."""
    hybrid: str
    tokens: Mapping[str, tuple[int, ...]]
    """The token ids of both: `neural` and `hybrid`."""
    seconds: Mapping[str, float]
    """What both took so far."""
    failed: Mapping[HeadId, int]
    """How many tokens were written with a head neural because its program failed."""
    left_neural: Mapping[HeadId, str] = field(default_factory=dict)
    """Heads that stay neural because their best program may not stand in for them, and why."""

    @property
    def same(self) -> int:
        """Tokens from the start that are the same in both."""
        pairs = zip(self.tokens["neural"], self.tokens["hybrid"], strict=False)
        return next((place for place, (a, b) in enumerate(pairs) if a != b), min(map(len, self.tokens.values())))

    def as_dict(self) -> dict[str, Any]:
        """The document that `readhead generate --json` prints."""
        return {
            "prompt": self.prompt,
            "neural": self.neural,
            "hybrid": self.hybrid,
            "same_tokens": self.same,
            "tokens": {name: len(ids) for name, ids in self.tokens.items()},
            "seconds": dict(self.seconds),
            "failed": {str(head): count for head, count in self.failed.items()},
            "left_neural": {str(head): reason for head, reason in self.left_neural.items()},
        }

    def as_sent(self) -> dict[str, Any]:
        """The whole value for JSON, as the engine tells it; `read` makes it again."""
        return {
            **vars(self),
            "tokens": {name: list(ids) for name, ids in self.tokens.items()},
            "seconds": dict(self.seconds),
            "failed": {str(head): count for head, count in self.failed.items()},
            "left_neural": {str(head): reason for head, reason in self.left_neural.items()},
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """The value that `as_sent` made the document from."""
        return cls(
            prompt=document["prompt"],
            neural=document["neural"],
            hybrid=document["hybrid"],
            tokens={name: tuple(ids) for name, ids in document["tokens"].items()},
            seconds=dict(document["seconds"]),
            failed={HeadId.parse(head): count for head, count in document["failed"].items()},
            left_neural={HeadId.parse(head): reason for head, reason in document["left_neural"].items()},
        )

    def __rich__(self) -> RenderableType:
        from readhead.surrogates.views import continuation_view  # noqa: PLC0415 - rich only where something is shown

        return continuation_view(self)

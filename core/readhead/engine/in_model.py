"""Programs in the running model: what they cost, and what it writes with them.

One meter measures `dev` for as long as the engine runs. Its hooks are on the model before those of any other block, so
that every other block, in whose midst more urgent calls are answered, is off the model before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

from readhead.bounded import Bounded
from readhead.corpus import Part
from readhead.engine.bench import Bench, Send
from readhead.engine.boards import Boards
from readhead.engine.given import as_list, as_number, as_numbers, as_part, as_text, as_whole
from readhead.engine.results import Impacted, Stamp
from readhead.errors import UsageError
from readhead.heads import HeadId
from readhead.library import Ranking
from readhead.program import Program, parse
from readhead.surrogates.impact import CurvePoint, Impact
from readhead.surrogates.planner import FRACTIONS, Order, Plan, Selection
from readhead.surrogates.switchboard import Control

if TYPE_CHECKING:
    from readhead.surrogates.meter import Meter
    from readhead.surrogates.study import Study

_METER_BYTES = 256 << 20
"""An engine stays for hours, and every save is another program."""
_IMPACT_BYTES = 4 << 20
"""For what each head's best program costs alone: thousands of programs."""
_ENTRY = 1000
"""About the bytes of such a row beside the program's text."""


class InModel:
    """The model of a bench, with programs in it."""

    def __init__(self, bench: Bench, boards: Boards) -> None:
        self._bench = bench
        self._session = bench.session
        self._boards = boards
        self._undo = ExitStack()
        self._alone: Bounded[tuple[HeadId, str], dict[str, Any]] = Bounded(_IMPACT_BYTES)
        self._studied: tuple[Ranking | None, Study] | None = None

    def close(self) -> None:
        """Take the hooks off the model."""
        self._undo.close()

    # ---- meters ------------------------------------------------------------------------------------------------------

    @cached_property
    def _measure(self) -> Meter:
        """Of `dev`, until the engine ends."""
        return self._undo.enter_context(self._new_meter("dev"))

    def _new_meter(self, part: Part) -> Meter:
        from readhead.surrogates.meter import Meter  # noqa: PLC0415 - as the session does

        session = self._session
        meter = Meter(session.model, session.corpus[part], session.predictions, memory=_METER_BYTES, seed=session.seed)
        meter.between = self._bench.check
        return meter

    @contextmanager
    def _meter(self, part: Part) -> Iterator[Meter]:
        lowest = self._measure
        if part == "dev":
            yield lowest
        else:
            with self._new_meter(part) as meter:
                yield meter

    # ---- single switchboards -----------------------------------------------------------------------------------------

    def impact(self, part: Send, source: str, head: str, name: str = "program") -> dict[str, Any]:
        """What a program in the place of one head does to the perplexity; parts are earlier estimates."""
        program = parse(source, name=name)
        wanted = self._bench.head(head)
        self._session.predictions.refuse_unfit({wanted: program}, self._bench.trial_texts)
        return self._estimated(part, {wanted: program}, self._bench.stamp(program))

    def impacts(self, part: Send, heads: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """What each head's best program does alone, by default of all heads; parts are the rows as they are measured.

        What was measured before is told at once.
        """
        best = self._bench.best_programs()
        wanted = list(best) if heads is None else [self._bench.head(head) for head in as_list("heads", heads)]
        rows = []
        for head in dict.fromkeys(wanted):
            rows.append(self._impact_alone(head, best[head]))
            part(rows[-1])
        return rows

    def _impact_alone(self, head: HeadId, program: Program) -> dict[str, Any]:
        known = self._alone.get((head, program.source))
        if known is not None:
            return known
        refused = self._bench.unfit([program]).get(program.source, "")
        figures: dict[str, Any] = dict.fromkeys(("increase_percent", "low", "high"))
        if not refused:
            measured = self._measure.impact({head: program}).as_dict()
            figures = {name: measured[name] for name in figures}
        row = {"head": str(head), "program": program.name, **figures,
               "stamp": asdict(self._bench.stamp(program)), "refused": refused}  # fmt: skip
        self._alone.put((head, program.source), row, _ENTRY + len(program.source))
        return row

    def perplexity(self, part: Send, *, details: bool = False, controls: list[str] | None = None) -> dict[str, Any]:
        """What the current switchboard does to the perplexity; parts are earlier estimates."""
        switches = self._boards.current()
        board = self._boards.programs(switches)
        last = self._estimated(part, board, self._bench.stamp(None, switches.fingerprint))
        if controls:
            beside = {}
            for name in controls:
                *_, impact = self._measure.estimates(dict.fromkeys(board, Control(name)))
                beside[name] = 100 * impact.increase
            last["controls"] = beside
        if details:
            impact = self._measure.impact(board, details=True)
            last |= {"kl": impact.divergence, "top1_agreement": impact.agreement}
        return last

    def _estimated(self, part: Send, board: Mapping[HeadId, Any], stamp: Stamp) -> dict[str, Any]:
        last: dict[str, Any] = {}
        for impact in self._measure.estimates(board):
            last = asdict(_impacted(impact, board, stamp))
            part(last)
        return last

    # ---- many switchboards -------------------------------------------------------------------------------------------

    def curve(
        self,
        part: Send,
        order: str = "iou",
        controls: Sequence[str] = ("uniform",),
        of_part: str = "held-out",
        fractions: Sequence[float] | None = None,
    ) -> dict[str, Any]:
        """The perplexity with ever more heads replaced by their best programs; parts are its points.

        Args:
            part: is called with the points.
            order: `iou`, `impact` or `greedy`; found on `dev`.
            controls: what to put on the same heads for comparison.
            of_part: the part of the corpus that is told.
            fractions: of all heads of the model.
        """
        chosen = FRACTIONS if fractions is None else as_numbers("fractions", fractions)
        plan = Plan(order=_order(order), controls=_controls(controls), fractions=chosen)
        told = as_part("of_part", of_part)
        study = self._study()
        points = []
        neural = 0.0
        with closing(study.points(plan, part=told)) as measured:
            for point in measured:
                neural = point.impact.neural_perplexity
                points.append(_point(point))
                part(points[-1])
        return {"order": plan.order, "part": told, "neural_perplexity": neural, "points": points,
                "neural": _reasons(study)}  # fmt: skip

    def plan(self, _part: Send, budget: float, order: str = "greedy") -> dict[str, Any]:
        """The most heads of an order that cost no more perplexity on `dev` than so many percent; nothing is flipped.

        Raises:
            UsageError: if not even one head is within the budget.
        """
        selection = Selection(budget=as_number("budget", budget) / 100, order=_order(order))
        study = self._study()
        heads = study.selected(selection)
        return {"heads": [str(head) for head in heads], "increase_percent": 100 * (study.dev_increase or 0.0),
                "order": order, "neural": _reasons(study)}  # fmt: skip

    def _study(self) -> Study:
        """Of the ranking's best programs; it remembers its orders until the ranking is another one."""
        ranking = self._bench.ranking
        if self._studied is None or self._studied[0] is not ranking:
            best = self._bench.best_programs()
            self._bench.unfit(best.values())  # a few at a time, before the study asks for all at once
            self._studied = (ranking, self._new_study(best))
        return self._studied[1]

    def _new_study(self, programs: Mapping[HeadId, Program]) -> Study:
        from readhead.surrogates.study import Study  # noqa: PLC0415 - as the session does

        return Study(self._session, programs, meters=self._meter)

    # ---- text --------------------------------------------------------------------------------------------------------

    def generate(self, part: Send, prompt: str, tokens: int = 60, temperature: float = 0.0) -> dict[str, Any]:
        """What the neural model and the current switchboard's write after a prompt; parts are both texts so far.

        Each is a `readhead.surrogates.outcome.Continuation`, whose `read` makes it again.
        """
        count, heat = as_whole("tokens", tokens, 1), as_number("temperature", temperature)
        beginning, board = as_text("prompt", prompt), self._boards.programs()
        if not board:
            raise UsageError("no head is in program mode", hint="flip one first")
        self._bench.unfit(board.values())
        study = self._new_study(board)
        last: dict[str, Any] = {}
        written = study.generate(list(study.programs), beginning, tokens=count, temperature=heat)
        with self._meter("dev"), closing(written) as texts:  # the meter's hooks come first
            for text in texts:
                last = text.as_sent()
                part(last)
                self._bench.check()
        return last


def _order(name: str) -> Order:
    for order in get_args(Order):
        if order == name:
            return order  # type: ignore[no-any-return]  # one of its words
    raise UsageError(f"there is no order {name!r}", hint=f"orders: {', '.join(get_args(Order))}")


def _controls(names: Sequence[str]) -> tuple[Control, ...]:
    known = {control.value: control for control in Control}
    for name in as_list("controls", names):
        if name not in known:
            raise UsageError(f"there is no control {name!r}", hint=f"controls: {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(names))


def _reasons(study: Study) -> dict[str, str]:
    return {str(head): reason for head, reason in study.neural.items()}


def _point(point: CurvePoint) -> dict[str, Any]:
    measured = point.impact.as_dict()
    return {
        "fraction": point.fraction,
        "heads": [str(head) for head in point.heads],
        **{name: measured[name] for name in ("increase_percent", "low", "high", "perplexity", "preliminary")},
        "controls": {name: 100 * impact.increase for name, impact in point.controls.items()},
    }


def _impacted(impact: Impact, board: Mapping[HeadId, Any], stamp: Stamp) -> Impacted:
    told = impact.as_dict()
    return Impacted(
        stamp=asdict(stamp),
        neural_perplexity=impact.neural_perplexity,
        replaced=[str(head) for head in board],
        kl=None,
        top1_agreement=None,
        **{name: told[name] for name in (
            "perplexity", "increase_percent", "low", "high", "preliminary", "sequences", "failed"
        )},
    )  # fmt: skip

"""Programs in the place of a session's heads: which, what they cost, what the model says with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from readhead.corpus import Part, tokenize
from readhead.errors import UsageError
from readhead.evaluation import BATCH_SIZE, Answers, Questions, State
from readhead.heads import HeadId
from readhead.program import Program
from readhead.session import check_length
from readhead.surrogates.generation import continue_both
from readhead.surrogates.hybrid import Hybrid, replaced
from readhead.surrogates.impact import Curve, CurvePoint
from readhead.surrogates.meter import Meter
from readhead.surrogates.outcome import Continuation, Guilt, Replacement
from readhead.surrogates.planner import (
    Order,
    Plan,
    Selection,
    count_of,
    curve_points,
    guilty_heads,
    in_order,
    measure_curve,
    within_budget,
)
from readhead.surrogates.predictions import TRIED, Ids
from readhead.surrogates.switchboard import Control, Switchboard, refuse_findings
from readhead.synthesis.front import Wanted

if TYPE_CHECKING:
    from readhead.session import Session
    from readhead.surrogates.joint import JointFit

_SHOWN: Final = 3
"""Likeliest next tokens that are told."""
_HARMLESS: Final = 0.005
"""KL divergence in nats a token below which nothing of a prompt is broken."""


class Study:
    """Programs for a session's heads that may stand in for them.

    Args:
        session: model, corpus and sandbox.
        programs: what may stand in for which head; one that has findings, looks ahead or gives nothing leaves its head
            neural, which `neural` tells.
        joint: what fitting the programs' constants together has changed, where that was done.
        meters: what to measure a part with; by default a new meter each time.

    Raises:
        UsageError: for a head that the model does not have, or if no program may stand in for a head.
    """

    def __init__(
        self,
        session: Session,
        programs: Mapping[HeadId, Program],
        *,
        joint: JointFit | None = None,
        meters: Callable[[Part], AbstractContextManager[Meter]] | None = None,
    ) -> None:
        self.session = session
        self.meter = meters or self._new_meter
        """Measures switchboards on a part of the corpus, in a `with` block."""
        self.joint = joint
        self.dev_increase: float | None = None
        """What the heads cost on `dev` that were last selected for a budget, a share."""
        self._orders: dict[Order, list[HeadId]] = {}
        for head in programs:
            session.model.geometry.index_of(head)
        runnable = [program for program in programs.values() if not program.findings]
        unfit = session.predictions.unfit(runnable, _trial_texts(session))
        self.neural = {
            head: str(program.findings[0]) if program.findings else unfit[program.source]
            for head, program in programs.items()
            if program.findings or program.source in unfit
        }
        self.programs = {head: program for head, program in sorted(programs.items()) if head not in self.neural}
        if programs and not self.programs:
            raise UsageError("there is no program that may stand in for a head", hint="write some: readhead explain")

    @classmethod
    def of(cls, session: Session, selection: Selection) -> Study:
        """The study that a selection asks for: of the programs that it gives, and else of each head's best one.

        Raises:
            UsageError: for a head that the model does not have, or a switchboard of another model.
            ProgramError: if a given program has findings, looks ahead or gives nothing.
        """
        given = dict(selection.switchboard or selection.programs)
        if selection.switchboard is not None:
            selection.switchboard.check_model(session.model.fingerprint, session.model.name)
        for head in (*selection.heads, *given):
            session.model.geometry.index_of(head)
        refuse_findings(given)
        session.predictions.refuse_unfit(given, _trial_texts(session))
        programs = given
        if selection.switchboard is None and not (selection.heads and set(selection.heads) <= given.keys()):
            wanted = None if selection.terms is None else Wanted(terms=selection.terms, seed=session.seed)
            programs = {**session.choose(session.library(), wanted=wanted).best, **given}
        if selection.heads:
            programs = {head: programs[head] for head in selection.heads}
        study = cls(session, programs)
        return study.fitted_jointly() if selection.joint else study

    @cached_property
    def iou(self) -> dict[HeadId, float]:
        """Of each program on its head, on `dev`."""
        if not self.programs:
            return {}
        ranking = self.session.ranking(list({program.source: program for program in self.programs.values()}.values()))
        place = self.session.model.geometry.index_of
        return {
            head: float(ranking.iou[ranking.numbers[program.source], place(head)])
            for head, program in self.programs.items()
        }

    @contextmanager
    def _new_meter(self, part: Part) -> Iterator[Meter]:
        session = self.session
        with Meter(session.model, session.corpus[part], session.predictions, seed=session.seed) as meter:
            yield meter

    def board(self, heads: Sequence[HeadId]) -> Switchboard:
        """These heads in program mode.

        Raises:
            UsageError: for a head whose program may not stand in for it.
        """
        for head in heads:
            if head not in self.programs:
                reason = self.neural.get(head, "no program was given for it")
                raise UsageError(f"{head} cannot be replaced: {reason}", hint="leave it out, or give another program")
        return Switchboard({head: self.programs[head] for head in heads}, self.session.model.fingerprint)

    def order(self, order: Order) -> list[HeadId]:
        """The heads from the first to replace to the last, found on `dev`."""
        if order not in self._orders:
            iou = self.iou if order == "iou" else {}
            with self.session.timed("order"), self.meter("dev") as meter:
                self._orders[order] = in_order(order, self.programs, iou, meter, self.session.report)
        return self._orders[order]

    def selected(self, selection: Selection) -> list[HeadId]:
        """The heads that a selection means."""
        if selection.switchboard is not None:
            return list(selection.switchboard)
        if selection.heads:
            return sorted(set(selection.heads))
        order = self.order(selection.order)
        if selection.budget is None:
            return order[: count_of(selection.fraction or 0.0, self.session.model.geometry.size)]
        with self.session.timed("order"), self.meter("dev") as meter:
            heads, self.dev_increase = within_budget(selection.budget, order, self.programs, meter, self.session.report)
        return heads

    def curve(self, plan: Plan, *, part: Part = "held-out") -> Curve:
        """The perplexity with ever more heads replaced."""
        heads = self.order(plan.order)
        with self.session.timed("replace"), self.meter(part) as meter:
            return measure_curve(
                plan.order,
                heads,
                self.programs,
                meter,
                fractions=plan.fractions,
                controls=plan.controls,
                of=self.session.model.geometry.size,
                report=self.session.report,
            )

    def points(self, plan: Plan, *, part: Part = "held-out") -> Generator[CurvePoint, None, None]:
        """Those of `curve`, each as it is measured, without what needs more runs of the model: KL and agreement.

        Close it, or take all of them: until then its meter is on the model.
        """
        heads = self.order(plan.order)
        with self.meter(part) as meter:
            yield from curve_points(
                heads,
                self.programs,
                meter,
                fractions=plan.fractions,
                controls=plan.controls,
                of=self.session.model.geometry.size,
            )

    def replacement(
        self,
        selection: Selection,
        *,
        controls: Sequence[Control] = tuple(Control),
        plans: Sequence[Plan] = (),
        within: float = 0.0,
        part: Part = "held-out",
    ) -> Replacement:
        """What the selected heads cost, beside the controls on the same heads, and the curves of some plans.

        Args:
            selection: which heads.
            controls: what to put on the same heads for comparison.
            plans: of the curves.
            within: half the width of the interval at which to stop, a share; 0 to use all texts.
            part: the part of the corpus that the result tells.
        """
        session = self.session
        board = self.board(self.selected(selection))
        curves = tuple(self.curve(plan, part=part) for plan in plans)
        with session.timed("replace"), self.meter(part) as meter:
            if within:
                *_, impact = meter.estimates(board, within=within)
            else:
                impact = meter.impact(board, details=True)
            same = impact.sequences
            beside = {
                control.value: next(e for e in meter.estimates(dict.fromkeys(board, control)) if e.sequences == same)
                for control in controls
            }
        return Replacement(
            model=session.model.name,
            corpus=session.corpus,
            isolation=session.sandbox.isolation,
            part=part,
            board=board,
            order="given" if selection.heads or selection.switchboard is not None else selection.order,
            iou=self.iou,
            neural=self.neural,
            impact=impact,
            controls=beside,
            curves=curves,
            budget=selection.budget,
            dev_increase=self.dev_increase,
            joint=None if self.joint is None else self.joint.as_dict(),
            seconds=dict(session.seconds),
        )

    def fitted_jointly(self) -> Study:
        """The same with the constants of all programs fitted together to the model's output on `fit`."""
        from readhead.surrogates.joint import fit_jointly  # noqa: PLC0415 - only who asks for it waits

        session = self.session
        target, predictions = session.target(), session.predictions
        with session.timed("joint"):
            fit = fit_jointly(
                session.model, self.programs, target, predictions, seed=session.seed, report=session.report
            )
        fitted = Study(session, fit.programs, joint=fit)
        fitted.neural = {**self.neural, **fitted.neural}
        return fitted

    @contextmanager
    def hybrid(self, heads: Sequence[HeadId]) -> Iterator[Hybrid]:
        """The model with the programs of these heads in it."""
        with replaced(self.session.model, self.board(heads), predictions=self.session.predictions) as hybrid:
            yield hybrid

    def generate(
        self, heads: Sequence[HeadId], prompt: str, *, tokens: int = 60, temperature: float = 0.0
    ) -> Generator[Continuation, None, None]:
        """What the neural model and the one with these heads replaced write after a prompt, token by token."""
        with self.hybrid(heads) as hybrid:
            texts = continue_both(
                self.session.model, hybrid, prompt, tokens=tokens, temperature=temperature, seed=self.session.seed
            )
            with closing(texts):  # its own block on the model ends before the hybrid's, wherever the reader stops
                for text in texts:
                    yield replace(text, left_neural=self.neural)

    def answers(
        self, selection: Selection, fractions: Sequence[float], questions: Questions, *, batch_size: int = BATCH_SIZE
    ) -> Answers:
        """How the neural model answers questions, and the model with heads replaced.

        Args:
            selection: which heads, where `fractions` is empty; else its order counts.
            fractions: of all heads of the model; 0 is the neural model, which is always asked.
            questions: with their data.
            batch_size: texts that are read at once.
        """
        session = self.session
        if fractions:
            counts = [(f"{each:.4g}", count_of(each, session.model.geometry.size)) for each in fractions]
            order = self.order(selection.order)
            chosen = [(f"{100 * float(name):.4g}%", order[:count]) for name, count in counts if count]
        else:
            chosen = [("chosen", self.selected(selection))]
        start = time.perf_counter()
        neural = questions.ask(session.model, batch_size=batch_size, report=session.report)
        states = []
        for name, heads in chosen:
            with self.hybrid(heads) as hybrid:
                scores = questions.ask(session.model, batch_size=batch_size, report=session.report)
            states.append(State(name, tuple(heads), tuple(scores), dict(hybrid.failed)))
        return Answers(
            model=session.model.name,
            isolation=session.sandbox.isolation,
            neural=tuple(neural),
            states=tuple(states),
            left_neural=self.neural,
            seconds=time.perf_counter() - start,
        )

    def guilt(self, heads: Sequence[HeadId], prompt: str, *, share: float = 0.8) -> Guilt:
        """Which of these replaced heads changed most of what the model makes of a prompt.

        Args:
            heads: in program mode.
            prompt: two tokens or more.
            share: of the KL divergence that has to go when the guilty heads are neural; 0 to 1.

        Raises:
            UsageError: for a share outside 0 to 1, or a prompt that is longer than the model's context.
        """
        if not 0 < share <= 1:
            raise UsageError(f"{share} is no share of the harm", hint="give more than 0 and at most 1: --share 0.8")
        session, board = self.session, self.board(heads)
        sequence = tokenize(session.model.tokenizer, prompt)
        check_length(session.model, len(sequence.ids))
        with Meter(session.model, [sequence], session.predictions) as meter:

            def harm(neural: Sequence[HeadId]) -> float:
                left = {head: program for head, program in board.items() if head not in neural}
                return meter.divergence(left)

            whole = harm(())
            guilty, measured = guilty_heads(heads, harm, whole=whole, share=share) if whole > _HARMLESS else ([], 0)
            healed = {head: program for head, program in board.items() if head not in guilty}
            boards: dict[str, Any] = {"neural": {}, "hybrid": board, "healed": healed}
            return Guilt(
                prompt=prompt,
                replaced=len(board),
                guilty=tuple(sorted(guilty)),
                harm=whole,
                rest=harm(guilty),
                measured=measured + 1,
                expected={name: tuple(meter.expected(each, _SHOWN)) for name, each in boards.items()},
                failed=tuple(meter.impact(board).failed),
                neural=self.neural,
            )


def _trial_texts(session: Session) -> list[Ids]:
    return [sequence.ids for sequence in session.corpus["dev"][:TRIED]]

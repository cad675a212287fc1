"""The main job: extract, synthesize, rank, replace, tell.

1. Extract the neural patterns of all heads on the corpus, into the workspace's store.
2. Write programs for every head from its patterns on `fit`.
3. Rank them and every program of the library against every head on `dev`.
4. Measure each head's best program on `held-out`, and the perplexity there with ever more heads replaced.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from readhead.corpus import Corpus, Part, build_corpus, read_documents, tokenize
from readhead.errors import OllamaError, ProgramError, UsageError
from readhead.explanation import Explanation, PatternView
from readhead.heads import HeadId
from readhead.library import (
    Ranking,
    Report,
    Target,
    find_heads,
    load_programs,
    measure_floor,
    predict,
    rank,
    refusal,
    score_known,
    score_pairs,
    shipped_library,
)
from readhead.patterns import extract_patterns, read_packed, unpack
from readhead.program import Program
from readhead.record import without_record
from readhead.sandbox import Sandbox
from readhead.scores import Broken, Found, HeadScore
from readhead.settings import OllamaSettings, Settings
from readhead.surrogates.planner import Plan, Selection
from readhead.surrogates.predictions import Predictions
from readhead.synthesis.constants import ROUNDS, Fitted, fit_constants, fittable_constants
from readhead.synthesis.cover import fewest, merges
from readhead.synthesis.files import Saved, merged, save_program
from readhead.synthesis.front import Front, Wanted, Written, programs_of
from readhead.synthesis.ollama.guard import Guard, run_guard
from readhead.synthesis.ollama.prompts import FOLDER as PROMPTS
from readhead.synthesis.ollama.prompts import Prompts
from readhead.synthesis.ollama.ranked import Ranked, best_programs, ranked_drafts
from readhead.synthesis.ollama.revise import Revision, refine_program, rename_programs
from readhead.synthesis.ollama.run import Desk, Drafted, Drafting, Show
from readhead.synthesis.ollama.schedule import FirstPrompt, check_desk, draft_programs, first_prompt
from readhead.synthesis.outcome import OFFERED, Synthesis
from readhead.workspace import Workspace

if TYPE_CHECKING:
    from readhead.models import LoadedModel
    from readhead.surrogates.study import Study


_CONTROLS = 4
"""Heads on which a language model is tried with shuffled tokens, where none are named."""


@dataclass(frozen=True)
class Choice:
    """The best program for every head, by the IoU on `dev`."""

    best: Mapping[HeadId, Program]
    """For every head, layer by layer."""
    iou: Mapping[HeadId, float]
    """Of each on its head."""
    ranking: Ranking
    """Of the library, and of one written program a head."""
    written: frozenset[str]
    """Texts of the programs that were written for the heads."""
    unreached: tuple[HeadId, ...]
    """Heads for which no program was written within the time limit."""


class Session:
    """A model on a corpus in a workspace: what every command of Readhead works on.

    Opening one starts no worker and extracts nothing; both happen when they are first needed.
    """

    @classmethod
    def open(
        cls,
        workspace: Workspace,
        settings: Settings,
        *,
        report: Report | None = None,
        model: LoadedModel | None = None,
    ) -> Session:
        """The model and the corpus that the settings name; `model` is that model, where it is loaded already."""
        from readhead.models import load_model  # noqa: PLC0415 - only who reads a model waits for torch

        documents = read_documents(settings.corpus)  # a wrong name is told before a model is loaded
        model = model or load_model(settings.model, device=settings.device or None)
        check_length(model, settings.length)
        corpus = build_corpus(documents, model.tokenizer, settings.sizes, name=settings.corpus, seed=settings.seed)
        return cls(
            model,
            corpus,
            workspace,
            seed=settings.seed,
            report=report,
            allow_reduced_isolation=settings.allow_reduced_isolation,
            ollama=settings.ollama,
        )

    def __init__(
        self,
        model: LoadedModel,
        corpus: Corpus,
        workspace: Workspace,
        *,
        seed: int = 0,
        report: Report | None = None,
        allow_reduced_isolation: bool = False,
        ollama: OllamaSettings | None = None,
    ) -> None:
        self.model = model
        self.ollama = ollama or workspace.settings.ollama
        self.seed = seed
        self.corpus = corpus
        self.workspace = workspace
        self.report = report
        self.sandbox = Sandbox(allow_reduced=allow_reduced_isolation)
        self.seconds: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.close()

    def target(self) -> Target:
        """The model's patterns on the corpus, extracted where they are not in the workspace yet."""
        with self.timed("extract"):
            store = extract_patterns(
                self.model,
                self.corpus.all(),
                self.workspace.pattern_folder(self.model.fingerprint, self.corpus.fingerprint),
                progress=lambda done, total: self.report("extract", done, total) if self.report else None,
            )
        return Target(self.model.fingerprint, self.model.geometry, self.corpus, store)

    def library(self) -> list[Program]:
        """The shipped library and the workspace's own programs."""
        return load_programs(shipped_library(), self.workspace.programs)

    def ranking(self, programs: Sequence[Program]) -> Ranking:
        """Those of `programs` without findings against all heads, on `dev`."""
        usable = [program for program in programs if not program.findings]
        if not usable:
            raise ProgramError("there is no program to rank", hint="check the library and the programs folder")
        target = self.target()
        with self.timed("rank"):
            return rank(usable, target, self.workspace, self.sandbox, report=self.report)

    def write_programs(self, wanted: Wanted, heads: Sequence[HeadId] | None = None) -> Written:
        """Programs for the heads, by default for all, in every size up to the wanted one.

        Heads that the workspace has programs for are not searched again.
        """
        for head in heads or ():
            self.model.geometry.index_of(head)
        target = self.target()
        with self.timed("synthesize"):
            from readhead.synthesis.symbolic import write_programs  # noqa: PLC0415 - only a search waits for torch

            return write_programs(
                target,
                self._some(heads),
                wanted,
                self.workspace,
                device=str(self.model.device),
                report=self.report,
            )

    def synthesize(
        self,
        wanted: Wanted | None,
        heads: Sequence[HeadId] | None = None,
        *,
        merge: float = 0.0,
        drafting: Drafting | None = None,
        show: Show = lambda _: None,
    ) -> Synthesis:
        """A program for each of the heads, by default for all, chosen on `dev` and measured on `held-out`.

        Args:
            wanted: how large the programs may be, and how they are searched for; None for no search.
            heads: which; by default all.
            merge: IoU on `dev` that a head may lose by taking over another head's program.
            drafting: how a language model is asked for programs, which starts from what the search has found; None
                not to ask one. Where its server fails, the result says so and has what there is without it. With
                both, the search has half of the time at most.
            show: called with each line of what the language model does.
        """
        started = time.monotonic()
        if drafting is not None:
            check_desk(self.desk(show))  # before a search whose result would be lost
        if drafting is not None and wanted is not None:
            wanted = _leaving_half(wanted)
        written, found = self._searched(wanted, heads)
        if wanted is not None and drafting is None and not written.fronts:
            raise UsageError("no head was done within the time limit", hint="give more time: --time-limit")
        drafted = None
        if drafting is not None:
            drafted = self._drafted(drafting.after(time.monotonic() - started), heads, found, show)
        drafts = [] if drafted is None else drafted.kept
        library = [program for program in self.library() if not program.findings] if drafts else []
        own: list[tuple[Program, HeadId]] = []
        ranked: tuple[Ranked, ...] = ()
        fronts: list[Front] = []
        front_iou: list[tuple[float, ...]] = []
        square = np.zeros((0, 0), np.float32)
        searched = programs_of(written.fronts)
        if searched or drafts:
            ranking = self.ranking([*library, *searched, *(draft.program for draft in drafts)])
            geometry = self.model.geometry
            own = best_programs(drafts, found, ranking, geometry)
            ranked = ranked_drafts(drafts, ranking, geometry, searched=searched, programs=self.workspace.programs)
            places = [geometry.index_of(head) for _, head in own]
            square = ranking.iou[[ranking.numbers[program.source] for program, _ in own]][:, places]
            by_head = {front.head: front for front in written.fronts}
            fronts = [by_head.get(head) or Front(head, ()) for _, head in own]
            front_iou = [tuple(front.scores(ranking, place)) for front, place in zip(fronts, places, strict=True)]
        offers = merges(own, square, merge or OFFERED)
        chosen = merged(own, offers if merge else ())
        target = self.target()
        with self.timed("score"):
            scores = score_known(chosen, target, self.workspace, self.sandbox, report=self.report) if chosen else []
        return Synthesis(
            model=self.model.name,
            corpus=self.corpus,
            isolation=self.sandbox.isolation,
            heads=tuple(scores),
            fronts=tuple(fronts),
            front_iou=tuple(front_iou),
            unreached=written.unreached,
            fewest=len(fewest(square)),
            merges=tuple(offers),
            seconds=dict(self.seconds),
            drafted=drafted,
            ranked=ranked,
        )

    def _searched(self, wanted: Wanted | None, heads: Sequence[HeadId] | None) -> tuple[Written, dict[HeadId, Program]]:
        """What the search has written, and the program of each front that is chosen on `dev`."""
        if wanted is None:
            return Written((), ()), {}
        written = self.write_programs(wanted, heads)
        if not written.fronts:
            return written, {}
        ranking = self.ranking(programs_of(written.fronts))
        geometry = self.model.geometry
        return written, {front.head: front.chosen(ranking, geometry.index_of(front.head)) for front in written.fronts}

    def draft(
        self,
        drafting: Drafting,
        heads: Sequence[HeadId] | None = None,
        *,
        starts: Mapping[HeadId, Program] | None = None,
        show: Show = lambda _: None,
    ) -> Drafted:
        """Programs for the heads, by default for all, by the language model of the workspace's settings.

        Args:
            drafting: how it is asked.
            heads: which.
            starts: programs to beat.
            show: called with each line of what it does.

        Raises:
            OllamaError: if the server cannot be asked at all; where it fails on the way, the result says so.
        """
        for head in heads or ():
            self.model.geometry.index_of(head)
        desk = self.desk(show)
        with self.timed("ollama"):
            drafted = draft_programs(desk, self._some(heads), drafting, starts=starts)
        if desk.prompts.own:
            files = ", ".join(f"{PROMPTS}/{name}.md" for name in desk.prompts.own)
            drafted.notes.insert(0, f"The workspace's own templates were used: {files}.")
        return drafted

    def _drafted(
        self, drafting: Drafting, heads: Sequence[HeadId] | None, found: Mapping[HeadId, Program], show: Show
    ) -> Drafted:
        """The same beside a search, whose result must not be lost: where the server cannot be asked, this says so."""
        try:
            return self.draft(drafting, heads, starts=found, show=show)
        except OllamaError as error:
            if not found:
                raise
            return Drafted(self.ollama.model, unreached=[*self._some(heads)], error=error)

    def _some(self, heads: Sequence[HeadId] | None) -> list[HeadId]:
        """Heads in order, each once; by default all."""
        return sorted(set(heads or self.model.geometry.head_ids()))

    def rename(self, programs: Sequence[Program]) -> list[Revision]:
        """Better names and explanations by a language model, as `rename_programs`; no file is written."""
        with self.timed("ollama"):
            return rename_programs(self.desk(), programs, model=self.model.name)

    def refine(
        self, pairs: Sequence[tuple[Program, HeadId]], drafting: Drafting, *, show: Show = lambda _: None
    ) -> Iterator[tuple[Revision, Drafted]]:
        """Better versions of programs by a language model, as `refine_program`, each as it is done; no file is written.

        Where the server fails on the way, that program's result says so and is the last.
        """
        self._check_heads(pairs)
        desk = self.desk(show)
        for program, head in pairs:
            with self.timed("ollama"):
                revision, run = refine_program(desk, program, head, drafting)
            yield revision, run
            if run.error is not None:
                return

    def guard(self, heads: Sequence[HeadId], drafting: Drafting, *, show: Show = lambda _: None) -> Guard:
        """Whether the language model reads or recites, as `run_guard`; by default four heads serve as controls."""
        every = self.model.geometry.head_ids()
        some = every[:: max(1, len(every) // _CONTROLS)][:_CONTROLS]
        for head in heads:
            self.model.geometry.index_of(head)
        desk = self.desk(show)
        with self.timed("ollama"):
            return run_guard(desk, heads or some, drafting)

    def desk(self, show: Show = lambda _: None) -> Desk:
        """What it takes to ask a language model."""
        prompts = Prompts.load(self.workspace.root / PROMPTS)
        return Desk(self.target(), self.ollama, self.workspace, self.sandbox, prompts, show, self.model.name)

    def first_prompts(
        self, drafting: Drafting, heads: Sequence[HeadId] | None = None, *, wanted: Wanted | None = None
    ) -> list[FirstPrompt]:
        """What a language model would be asked first for each of the heads, as `synthesize` would; nothing is asked."""
        _, found = self._searched(None if wanted is None else _leaving_half(wanted), heads)
        desk = self.desk()
        return [first_prompt(desk, head, drafting, start=found.get(head)) for head in self._some(heads)]

    def save_programs(self, programs: Iterable[Program]) -> list[Saved]:
        """Write programs that have no file yet to the workspace's programs folder; what a person wrote there stays."""
        saved = []
        for program in programs:
            saved.append(save_program(program, self.workspace.programs, self.workspace.wrote))
            self.workspace.note_wrote(program.source)
        return saved

    def choose(self, programs: Sequence[Program], *, wanted: Wanted | None = None) -> Choice:
        """The best program for every head on `dev`.

        Args:
            programs: the library; with `wanted`, those with more terms are left out.
            wanted: what programs to write for the heads, to be ranked beside the library; None for none.

        What the workspace knows already is not computed again.
        """
        fronts: tuple[Front, ...] = ()
        unreached: tuple[HeadId, ...] = ()
        if wanted is not None:
            written = self.write_programs(wanted)
            fronts, unreached = written.fronts, written.unreached
            programs = [program for program in programs if program.terms <= wanted.terms]
        heads = self.model.geometry.head_ids()
        every = self.ranking([*programs, *programs_of(fronts)])
        own = {front.chosen(every, self.model.geometry.index_of(front.head)).source for front in fronts}
        library = {program.source for program in programs}
        ranking = every.among([program for program in every.programs if program.source in library | own])
        best = {head: ranking.programs[number] for head, number in zip(heads, ranking.best(), strict=True)}
        iou = {
            head: float(ranking.iou[ranking.numbers[program.source], place])
            for place, (head, program) in enumerate(best.items())
        }
        return Choice(best, iou, ranking, frozenset(own), unreached)

    def explain(
        self,
        programs: Sequence[Program],
        *,
        wanted: Wanted | None = None,
        plan: Plan | None = None,
        part: Part = "held-out",
    ) -> Explanation:
        """The best program for every head, chosen on `dev` and measured on `part`.

        Args:
            programs: as for `choose`, like `wanted`.
            wanted: as there.
            plan: how to measure the perplexity with ever more heads replaced; None not to.
            part: the part of the corpus that the result tells.
        """
        choice = self.choose(programs, wanted=wanted)
        best, iou, study, curve = dict(choice.best), dict(choice.iou), None, None
        if plan is not None:
            study = self.study(best)
            if plan.joint:
                study = study.fitted_jointly()
                best, iou = best | study.programs, iou | study.iou
            curve = study.curve(plan, part=part)
        target = self.target()
        self.workspace.store_assignments(
            target.model,
            self.corpus.fingerprint,
            {str(head): (program.fingerprint, iou[head]) for head, program in best.items()},
        )
        with self.timed("score"):
            pairs = [(program, head) for head, program in best.items()]
            scores = score_known(pairs, target, self.workspace, self.sandbox, part=part, report=self.report)
        return Explanation(
            model=self.model.name,
            layers=self.model.geometry.layers,
            corpus=self.corpus,
            isolation=self.sandbox.isolation,
            library=len(choice.ranking.programs) - len(choice.written),
            synthesized=len(choice.written),
            unreached=choice.unreached,
            broken=self._broken(programs, choice.ranking),
            part=part,
            heads=tuple(scores),
            seconds=dict(self.seconds),
            curve=curve,
            joint=study.joint.as_dict() if study and study.joint else None,
            neural=study.neural if study else {},
        )

    def study(self, programs: Mapping[HeadId, Program]) -> Study:
        """These programs in the place of heads: what they cost, and what the model says with them."""
        from readhead.surrogates.study import Study  # noqa: PLC0415 - only who runs a model waits for torch

        return Study(self, programs)

    def select(self, selection: Selection) -> Study:
        """The study that a selection asks for: see `Study.of`."""
        from readhead.surrogates.study import Study  # noqa: PLC0415 - as above

        return Study.of(self, selection)

    @cached_property
    def predictions(self) -> Predictions:
        """Programs' predictions on texts, each computed once."""
        return Predictions(self.model.tokenizer, self.sandbox)

    def _broken(self, programs: Sequence[Program], ranking: Ranking) -> tuple[Broken, ...]:
        """Programs that were not ranked because of their findings, and those that failed on some `dev` texts."""
        refused = [
            Broken(program, 0.0, refusal(program.findings[0]).as_dict()) for program in programs if program.findings
        ]
        failing = [
            Broken(program, 1 - failed / len(self.corpus["dev"]), failures[0])
            for program, failed, failures in zip(ranking.programs, ranking.failed, ranking.failures, strict=True)
            if failures
        ]
        return (*refused, *failing)

    def find(self, program: Program, others: Sequence[Program]) -> list[Found]:
        """All heads in the order of the program's IoU on `dev`, with its place among `others`."""
        if program.findings:
            raise ProgramError(f"{program.path}:{program.findings[0]}", hint="mend the file first")
        rivals = [other for other in others if other.source != program.source]
        ranking = self.ranking([program, *rivals])
        failures = ranking.failures[0]
        if failures and ranking.failed[0] == len(self.corpus["dev"]):
            raise ProgramError(f"{program.path} gave nothing: {failures[0]['message']}", hint="mend the program")
        target = self.target()
        return find_heads(program, ranking, measure_floor(target, "dev"), target.geometry)

    def score(
        self, pairs: Sequence[tuple[Program, HeadId]], *, part: Part = "held-out", mistakes: int = 0
    ) -> list[HeadScore]:
        """Every figure of each (program, head)."""
        self._check_heads(pairs)
        target = self.target()
        with self.timed("score"):
            return score_pairs(pairs, target, self.sandbox, part=part, mistakes=mistakes, report=self.report)

    def fit(
        self,
        tasks: Sequence[tuple[Program, Sequence[HeadId]]],
        *,
        rounds: int = ROUNDS,
        only: Collection[int] = (),
    ) -> list[Fitted]:
        """Each program's constants, or `only` some, fitted to its heads as `fit_constants` does; no file is written.

        A new text has no recorded scores: they were the old one's.
        """
        self._check_heads([(program, head) for program, heads in tasks for head in heads])
        for program, _ in tasks:
            fittable_constants(program, only)  # what cannot be fitted is told before any work
        target = self.target()
        with self.timed("fit"):
            results = [
                fit_constants(program, heads, target, self.sandbox, rounds=rounds, only=only, report=self.report)
                for program, heads in tasks
            ]
        return [replace(each, source=without_record(each.source)) if each.changes else each for each in results]

    def show(self, head: HeadId, program: Program | None = None, text: str | None = None) -> PatternView:
        """A head's pattern beside a program's prediction, on one text.

        The text is the first dev text by default, and the program the best of the library.

        Raises:
            ProgramError: if the program fails on the text.
        """
        place = self.model.geometry.index_of(head)
        if program is None:
            ranking = self.ranking(self.library())
            program = ranking.programs[ranking.best()[place]]
        sequence = self.corpus["dev"][0] if text is None else tokenize(self.model.tokenizer, text)
        length = len(sequence.ids)
        check_length(self.model, length)
        pattern = read_packed(self.model, [sequence])[0, place].astype(np.float32)
        ((predictions, failures),) = predict([program], [sequence], self.sandbox)
        if predictions[0] is None:
            failure = failures[0]
            line = f", line {failure.line}" if failure.line else ""
            raise ProgramError(
                f"{program.path or program.name}{line}: {failure.message}", hint=failure.hint or "mend the program"
            )
        return PatternView(
            head, program, sequence.text.surfaces, unpack(pattern, length), unpack(predictions[0], length)
        )

    def _check_heads(self, pairs: Iterable[tuple[Program, HeadId]]) -> None:
        """Tell of a head that the model has not before any work, and which file names it."""
        for program, head in pairs:
            try:
                self.model.geometry.index_of(head)
            except UsageError as error:
                told = program.path if head in program.metadata.heads else None  # else the command line told it
                raise UsageError(f"{told}: {error}" if told else str(error), hint=error.hint) from error

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the time of the block to a stage."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def _leaving_half(wanted: Wanted) -> Wanted:
    """The same search in half the time: the rest is for a language model, which starts from what was found."""
    return wanted if wanted.time_limit is None else replace(wanted, time_limit=wanted.time_limit / 2)


def check_length(model: LoadedModel, length: int) -> None:
    """Refuse texts that are longer than the model's context.

    Raises:
        UsageError: naming both lengths.
    """
    from readhead.models import context_of  # noqa: PLC0415 - who has a model has waited for torch

    positions = context_of(model.model)
    if positions is not None and length > positions:
        raise UsageError(
            f"{length} tokens are more than the {positions} positions of {model.name}", hint="use a smaller --length"
        )

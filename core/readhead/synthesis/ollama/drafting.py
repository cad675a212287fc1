"""The work on one head: ask a language model for programs, judge them, refine the best.

1. Ask for several different programs; judge each (`judge`).
2. Refinement rounds: the best two go back with the rows that they predict worst, and better versions are asked for.
3. Fit the constants of the best.

The work is a generator of questions (`HeadDrafts.work`); `schedule` gives it the answers. What was answered and judged
in an earlier run is taken from the notebook.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import cache
from typing import Final

from readhead.errors import ProgramError, UsageError
from readhead.heads import HeadId
from readhead.library import measure_floor
from readhead.program import Program
from readhead.synthesis.constants import fit_constants
from readhead.synthesis.ollama.asking import Ask, Enough, Make, Work, ask_for_drafts
from readhead.synthesis.ollama.candidates import Candidate
from readhead.synthesis.ollama.client import Answer
from readhead.synthesis.ollama.judge import Judge
from readhead.synthesis.ollama.replies import as_source, block_of
from readhead.synthesis.ollama.run import Desk, Drafting, Run, text_digest
from readhead.synthesis.ollama.summary import Rival, summarise, unnamed

_SURPLUS: Final = 3
"""So many times what was asked for is judged of one reply at most."""
_FITTED: Final = 2
"""Of the best candidates, so many have their constants fitted."""
_FIT_ROUNDS: Final = 2
_REFINED: Final = 2
"""Better versions that are asked for of one program."""


def write_prompt(desk: Desk, head: HeadId, wanted: Drafting, room: int, rival: Rival | None) -> str:
    """Asks for programs for a head; the summary has as many characters as there is room for."""
    summary = summarise(desk.target, head, lambda text: len(text) <= room, rival=rival)
    return desk.prompts.write(summary, count=wanted.count, terms=wanted.terms)


class HeadDrafts:
    """The work on one head."""

    def __init__(self, run: Run, head: HeadId, start: Program | None) -> None:
        self._run = run
        self._head = head
        self._judge = Judge(run.desk.target, head, run.desk.sandbox, terms=run.wanted.terms)
        self._floor = measure_floor(run.desk.target, "fit").best(run.desk.target.geometry.index_of(head))[1]
        self._own: list[Candidate] = []
        self._refined: set[int] = set()
        """Numbers of the candidates that went back; 0 is the program that the work started from."""
        self._rival: Rival | None = None
        self._pool: list[tuple[float, int, str]] = []
        """Distance, number and text of the programs that may be refined."""
        if start is not None:
            measured = self._judge.measure(start.source)
            if measured is not None:
                self._judge.remember(0, start.source)
                self._pool.append((measured.jsd, 0, start.source))
                self._rival = Rival(unnamed(start.source, run.desk.model), measured.iou)

    def work(self) -> Work:
        """Asks, and judges what comes, until all rounds are done or `Enough` is raised."""
        wanted = self._run.wanted
        try:
            if wanted.count:
                yield from self._take("write", self._write_prompt, wanted.count)
            for number in range(1, wanted.rounds + 1):
                # By number, for fitting may have made two texts one: an earlier run's steps must all come again.
                parents = [each for each in sorted(self._pool) if each[1] not in self._refined][: wanted.width]
                for place, (_, parent, source) in enumerate(parents, 1):
                    self._refined.add(parent)
                    key = f"refine {text_digest(source)}"
                    yield from self._take(f"refine {number}.{place}", self._refine_prompt(source), _REFINED, key)
        except Enough:
            pass
        self._fit_best()

    def _write_prompt(self, room: int) -> str:
        return write_prompt(self._run.desk, self._head, self._run.wanted, room, self._rival)

    def _refine_prompt(self, source: str) -> Make:
        @cache  # a prompt that was answered before is never made
        def facts() -> tuple[float, str]:
            measured = self._judge.measure(source)
            return measured.iou if measured else 0.0, self._judge.failures(source)

        def make(room: int) -> str:
            reached, failures = facts()
            return self._run.desk.prompts.refine(
                self._summary(room // 2),
                unnamed(source, self._run.desk.model),
                failures,
                iou=reached,
                floor=self._floor,
                count=_REFINED,
                terms=self._run.wanted.terms,
            )

        return make

    def _summary(self, room: int) -> str:
        return summarise(self._run.desk.target, self._head, lambda text: len(text) <= room, rival=self._rival)

    def _take(self, step: str, make: Make, count: int, key: str = "") -> Generator[Ask, Answer, None]:
        """Ask, and judge every program of the answer."""
        drafts = yield from ask_for_drafts(self._run, self._head, step, make, key=key)
        late = 0
        for number, found in enumerate(drafts):
            source = as_source(found.draft, block_of(self._head))
            candidate = Candidate(
                self._head, len(self._own) + 1, step, source, found.key, found.place, tokens=found.tokens
            )
            if number >= _SURPLUS * count:
                candidate = replace(candidate, reason="surplus", detail=f"{count} were asked for, {len(drafts)} came")
            late += not self._add(candidate)
        if late:
            self._run.drafted.unjudged += late
            self._run.drafted.notes.append(f"{self._head}, {step}: the time was up before {late} programs were judged")
            raise Enough

    def _add(self, candidate: Candidate) -> bool:
        """Judge a candidate, unless an earlier run has; False where there is no time for it."""
        known = self._run.notebook.judged(candidate)
        if known is not None:
            if known.is_eligible:
                self._judge.remember(known.number, known.as_judged[1])
        elif self._run.is_late:
            self._run.drafted.spent = True
            return False
        else:
            known = self._judge.judge(candidate, self._run.show_candidate) if candidate.is_kept else candidate
            self._run.notebook.keep(known)
            self._run.between()
        self._own.append(known)
        self._run.drafted.candidates.append(known)
        self._run.show_candidate(known)
        if known.is_eligible:
            distance, source = known.as_judged
            self._pool.append((distance, known.number, source))
        return True

    def _fit_best(self) -> None:
        """Fit the constants of the best candidates."""
        for candidate in self._run.drafted.eligible(self._head)[:_FITTED]:
            if candidate.fitted:
                continue
            if self._run.is_late:
                self._run.drafted.spent = True
                return
            try:
                result = fit_constants(
                    candidate.program, [self._head], self._run.desk.target, self._run.desk.sandbox, rounds=_FIT_ROUNDS
                )
            except (ProgramError, UsageError):  # it fails on a text of dev, or has no constant
                continue
            better = self._judge.refit(candidate, result.source) if result.changes else candidate
            better = replace(better, fitted=True)
            self._run.notebook.keep(better)
            self._run.drafted.candidates[self._run.drafted.candidates.index(candidate)] = better
            self._run.show_candidate(better)
            self._run.between()

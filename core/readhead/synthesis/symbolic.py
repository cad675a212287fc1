"""Programs for all heads of a model, written without a language model.

1. The basis is computed once on the fit texts, for all heads.
2. Each head is searched for terms (`search`), several heads at once; what is found is written as programs (`render`),
   one for each size, and kept in the workspace at once: an interrupted run goes on where it stopped.
3. The programs are run in the sandbox and scored on dev like any other; of each head's *front* the one is chosen whose
   every further term still pays.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from readhead.errors import UsageError
from readhead.heads import HeadId
from readhead.library import Ranking, Report, Target, language_fingerprint, measure_floor
from readhead.patterns import unpack
from readhead.program import Program, parse
from readhead.scoring import available_threads
from readhead.synthesis.basis import distinct_sets
from readhead.synthesis.evidence import Evidence
from readhead.synthesis.render import SetNames, render, rounded
from readhead.synthesis.search import Effort, Fit, HeadSearch, Stopped
from readhead.workspace import Workspace

_SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_MOST_TERMS: Final = 32
_SHORT_IOU: Final = 0.4
_SHORT_LIFT: Final = 0.05
"""Below one of these no program is called an explanation."""
WORTH: Final = 0.002
"""IoU on dev that each further term must bring."""


@dataclass(frozen=True)
class Wanted:
    """What programs to write."""

    terms: int = 8
    """The most terms of a program; 1 to 32."""
    token_sets: bool = True
    """Whether programs may list tokens of their own; without, they use named classes only."""
    seed: int = 0
    time_limit: float | None = None
    """Seconds after which no further head is begun, and those in work are left; None for no limit."""
    effort: Effort = field(default_factory=Effort)

    def __post_init__(self) -> None:
        if not 1 <= self.terms <= _MOST_TERMS:
            raise UsageError(f"{self.terms} terms cannot be searched for", hint=f"ask for 1 to {_MOST_TERMS}")
        if self.time_limit is not None and self.time_limit <= 0:
            raise UsageError("the time limit is not above zero", hint="give seconds, such as --time-limit 600")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the front, in terms."""
        return tuple(sorted({size for size in _SIZES if size <= self.terms} | {self.terms}))

    @property
    def fingerprint(self) -> str:
        """Of everything that the programs depend on besides the patterns: 16 hexadecimal digits."""
        chosen = {**asdict(self), "time_limit": None}
        text = f"{sorted(chosen.items())} {_search_fingerprint()} {language_fingerprint()}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _search_fingerprint() -> str:
    names = ("basis.py", "evidence.py", "search.py", "phrases.py", "render.py", "symbolic.py")
    return hashlib.sha256(b"\0".join((Path(__file__).parent / name).read_bytes() for name in names)).hexdigest()


@dataclass(frozen=True)
class Front:
    """Programs for one head, by size."""

    head: HeadId
    programs: tuple[Program, ...]
    """From the fewest terms to the most; the scores of some may be equal."""

    def chosen(self, ranking: Ranking, place: int) -> Program:
        """The largest program whose further terms, beyond the next smaller choice, each bring `WORTH` on dev."""
        numbers = {program.source: number for number, program in enumerate(ranking.programs)}
        scores = [float(ranking.iou[numbers[program.source], place]) for program in self.programs]
        best = 0
        for number in range(1, len(self.programs)):
            more = max(1, self.programs[number].terms - self.programs[best].terms)
            if scores[number] - scores[best] >= WORTH * more:
                best = number
        return self.programs[best]


@dataclass(frozen=True)
class Written:
    """What a run has written."""

    fronts: tuple[Front, ...]
    unreached: tuple[HeadId, ...]
    """Heads that the time limit left without a program."""


def write_programs(
    target: Target,
    heads: Sequence[HeadId],
    wanted: Wanted,
    workspace: Workspace,
    *,
    device: str = "cpu",
    report: Report | None = None,
) -> Written:
    """A front of programs for each of the heads; those that the workspace has are not searched for again."""
    known = workspace.written_programs(target.model, target.corpus.fingerprint, wanted.fingerprint)
    sources = {head: known[str(head)] for head in heads if str(head) in known}
    missing = [head for head in heads if head not in sources]
    if report:
        report("synthesize", len(sources), len(heads))
    if missing:
        workshop = _Workshop(target, wanted, device)
        for head, found in workshop.search_all(missing):
            workspace.store_written(
                target.model, target.corpus.fingerprint, wanted.fingerprint, str(head), found
            )
            sources[head] = found
            if report:
                report("synthesize", len(sources), len(heads))
    fronts = tuple(
        Front(head, tuple(parse(source, name=f"{head}") for source in sources[head])) for head in heads if head in sources
    )
    return Written(fronts, tuple(head for head in heads if head not in sources))


class _Workshop:
    """What all heads share: the basis on the fit texts, names for sets, and the floor."""

    def __init__(self, target: Target, wanted: Wanted, device: str) -> None:
        self._target = target
        self._wanted = wanted
        self._device = device
        self._effort = replace(wanted.effort, sets=wanted.token_sets)
        self._deadline = None if wanted.time_limit is None else time.monotonic() + wanted.time_limit
        self._evidence = Evidence.of(target.corpus["fit"]).to(device)
        self._names = SetNames(target.corpus["fit"])
        self._floor = measure_floor(target, "fit")
        self._abandoned = threading.Event()

    def search_all(self, heads: Sequence[HeadId]) -> Iterator[tuple[HeadId, list[str]]]:
        """Each head with its programs' texts, as they are found."""
        waiting = iter(heads)
        threads = available_threads() if self._device == "cpu" else 1
        with _one_thread_each(), ThreadPoolExecutor(threads) as pool:
            running: dict[Future[list[str]], HeadId] = {}
            try:
                for head in waiting:
                    running[pool.submit(self._search, head)] = head
                    while len(running) >= threads:
                        yield from self._finished(running)
                while running:
                    yield from self._finished(running)
            finally:
                self._abandoned.set()

    def _finished(self, running: dict[Future[list[str]], HeadId]) -> Iterator[tuple[HeadId, list[str]]]:
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda item: running[item]):
            head = running.pop(future)
            try:
                yield head, future.result()
            except Stopped:
                continue

    def _stop(self) -> bool:
        return self._abandoned.is_set() or (self._deadline is not None and time.monotonic() > self._deadline)

    def _search(self, head: HeadId) -> list[str]:
        row = self._target.geometry.index_of(head)
        packed = np.stack([self._target.store.read(place, row) for place in self._target.places("fit")])
        patterns = torch.from_numpy(unpack(packed, self._target.store.length))[:, self._evidence.queries.cpu()]
        search = HeadSearch(
            self._evidence, patterns.to(self._device), self._effort, seed=self._wanted.seed, stop=self._stop
        )
        fits = search.programs(self._wanted.sizes)
        _, trivial = self._floor.best(row)
        texts = [self._text(head, search, fit, trivial) for fit in fits]
        return list(dict.fromkeys(texts))

    def _text(self, head: HeadId, search: HeadSearch, fit: Fit, trivial: float) -> str:
        fit = replace(fit, weights=torch.tensor([rounded(weight) for weight in fit.weights.tolist()]))
        reached = search.iou(fit)
        return render(
            [head],
            fit.terms,
            fit.weights.tolist(),
            search.importance(fit),
            self._names.of(distinct_sets(fit.terms)),
            short=reached >= _SHORT_IOU and (reached - trivial >= _SHORT_LIFT or trivial > 1 - 2 * _SHORT_LIFT),
        )


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Heads are searched side by side, so torch needs no threads of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

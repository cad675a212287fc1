"""Programs for all heads of a model, written without a language model.

1. The basis is computed once on the fit texts, for all heads.
2. Each head is searched for terms (`search`), several heads at once; what is found is written as programs (`render`),
   one for each size, and kept in the workspace at once: an interrupted run goes on where it stopped.
3. The programs are run in the sandbox and scored on dev like any other; of each head's *front* (`front`) one is chosen.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import torch

from readhead.heads import HeadId
from readhead.library import Report, Target, language_fingerprint, measure_floor
from readhead.patterns import unpack
from readhead.program import parse
from readhead.scoring import available_threads
from readhead.synthesis.basis import distinct_sets
from readhead.synthesis.evidence import Evidence
from readhead.synthesis.fitting import Fit
from readhead.synthesis.front import Front, Wanted, Written
from readhead.synthesis.render import SetNames, render, rounded
from readhead.synthesis.search import HeadSearch, Stopped
from readhead.workspace import Workspace

_TICK_S: Final = 0.2
_SHORT_IOU: Final = 0.4
_SHORT_LIFT: Final = 0.05
"""Below one of these no program is called an explanation."""


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
    method = _method(wanted)
    known = workspace.written_programs(target.model, target.corpus.fingerprint, method)
    sources = {head: known[str(head)] for head in heads if str(head) in known}
    missing = [head for head in heads if head not in sources]
    if missing:
        if report:
            report("synthesize", len(sources), len(heads))
        workshop = _Workshop(
            target, wanted, device, tick=lambda: report and report("synthesize", len(sources), len(heads))
        )
        for head, found in workshop.search_all(missing):
            workspace.store_written(target.model, target.corpus.fingerprint, method, str(head), found)
            sources[head] = found
            if report:
                report("synthesize", len(sources), len(heads))
    fronts = tuple(
        Front(head, tuple(parse(source, name=str(head)) for source in sources[head]))
        for head in heads
        if head in sources
    )
    return Written(fronts, tuple(head for head in heads if head not in sources))


def _method(wanted: Wanted) -> str:
    """A fingerprint of everything that the programs depend on besides the patterns: 16 hexadecimal digits."""
    chosen = sorted((name, value) for name, value in asdict(wanted).items() if name != "time_limit")
    return hashlib.sha256(f"{chosen} {_search_fingerprint()} {language_fingerprint()}".encode()).hexdigest()[:16]


@cache
def _search_fingerprint() -> str:
    sources = (path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return hashlib.sha256(b"\0".join(sources)).hexdigest()


class _Workshop:
    """What all heads share: the basis on the fit texts, names for sets, and the floor."""

    def __init__(self, target: Target, wanted: Wanted, device: str, *, tick: Callable[[], object]) -> None:
        self._tick = tick
        self._target = target
        self._wanted = wanted
        self._device = device
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
        while not (done := wait(running, timeout=_TICK_S, return_when=FIRST_COMPLETED).done):
            self._tick()  # which may raise: the search was cancelled
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
            self._evidence, patterns.to(self._device), self._wanted.effort, seed=self._wanted.seed, stop=self._stop
        )
        fits = search.programs(self._wanted.sizes)
        _, trivial = self._floor.best(row)
        texts = [self._text(head, search, fit, trivial) for fit in fits]
        return list(dict.fromkeys(texts))

    def _text(self, head: HeadId, search: HeadSearch, fit: Fit, trivial: float) -> str:
        fit = replace(fit, weights=fit.weights.new_tensor([rounded(weight) for weight in fit.weights.tolist()]))
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

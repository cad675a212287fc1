"""What programs predict, computed once for each (program, text)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from readhead.errors import ProgramError
from readhead.heads import HeadId
from readhead.lookahead import find_look_ahead
from readhead.patterns import Array
from readhead.program import Program
from readhead.sandbox import Failure, Sandbox
from readhead.scoring import as_pattern
from readhead.tokens import Tokenizer, TokenReader

Ids = tuple[int, ...]
"""The token ids of one text."""

_MEMORY: Final = 512 << 20


@dataclass(frozen=True)
class _Prediction:
    packed: Array | None
    """None where the program failed."""
    failure: Failure | None


class Predictions:
    """Programs' predictions on texts of one tokenizer; the least recently used ones are forgotten first.

    Args:
        tokenizer: turns token ids into what a program sees.
        sandbox: runs the programs.
        memory: bytes of predictions that are kept, at least those of one call of `fetch`.
    """

    def __init__(self, tokenizer: Tokenizer, sandbox: Sandbox, *, memory: int = _MEMORY) -> None:
        self._reader = TokenReader(tokenizer)
        self.sandbox = sandbox
        self._memory = memory
        self._used = 0
        self._known: OrderedDict[tuple[str, Ids], _Prediction] = OrderedDict()
        self._unfit: dict[str, str] = {}

    def fetch(self, programs: Iterable[Program], texts: Sequence[Ids]) -> None:
        """Have every program's prediction on every text at hand; all missing ones are run together."""
        sources = {program.source: program for program in programs}
        missing: dict[tuple[Ids, ...], list[str]] = {}  # the programs that lack the same texts run on them at once
        for source in sources:
            lacking = tuple(dict.fromkeys(ids for ids in texts if (source, ids) not in self._known))
            if lacking:
                missing.setdefault(lacking, []).append(source)
        for lacking, lackers in missing.items():
            self._run(lackers, lacking)
        for source in sources:
            for ids in texts:
                self._known.move_to_end((source, ids))
        self._forget(len(sources) * len(texts))

    def packed(self, program: Program, ids: Ids) -> Array | None:
        """What was fetched: `[n(n+1)/2]`, rows sum to 1; None where the program failed on the text."""
        return self._known[program.source, ids].packed

    def refuse_unfit(self, board: Mapping[HeadId, Program], texts: Sequence[Ids]) -> None:
        """Refuse programs that look ahead, or that give nothing on any of the texts.

        Args:
            board: what is to stand in for heads of a causal model.
            texts: what to try them on, also truncated and with other endings.

        Raises:
            ProgramError: naming the head and the reason: the row and the token that gave the program away.
        """
        reasons = self.unfit(board.values(), texts)
        for head, program in board.items():
            if reason := reasons.get(program.source):
                raise ProgramError(
                    f"{program.path or program.name} cannot stand in for {head}: {reason}",
                    hint="mend it, or leave the head neural; a row may use its own and earlier tokens, and not `s.n`",
                )

    def unfit(self, programs: Iterable[Program], texts: Sequence[Ids]) -> dict[str, str]:
        """The texts of those programs that may not stand in for a head, and why.

        Each program is tried once, on the texts of the first call that brings it.
        """
        listed = {program.source: program for program in programs}
        untried = {source: program for source, program in sorted(listed.items()) if source not in self._unfit}
        if untried:
            self.fetch(untried.values(), texts)
            for source in untried:
                failures = [failure for ids in texts if (failure := self._known[source, ids].failure)]
                if len(failures) == len(texts):
                    self._unfit[source] = f"it gives nothing: {_told(failures[0])}"
            working = [source for source in untried if source not in self._unfit]
            leaks = find_look_ahead(working, [self._reader.read(ids) for ids in texts], self.sandbox)
            for source, leak in zip(working, leaks, strict=True):
                self._unfit[source] = "" if leak is None else f"it looks ahead: {leak}"
        return {source: reason for source in listed if (reason := self._unfit[source])}

    def _run(self, sources: Sequence[str], texts: Sequence[Ids]) -> None:
        self.sandbox.load([self._reader.read(ids) for ids in texts])
        for source, run in zip(sources, self.sandbox.run_many(sources), strict=True):
            first = {failure.sequence: failure for failure in reversed(run.failures)}
            general = run.failures[0] if run.failures else None
            for place, (ids, weights) in enumerate(zip(texts, run.weights, strict=True)):
                packed = None if weights is None else as_pattern(weights)
                self._known[source, ids] = _Prediction(packed, first.get(place, general) if packed is None else None)
                self._used += 0 if packed is None else packed.nbytes

    def _forget(self, wanted: int) -> None:
        """Drop the oldest, but for the `wanted` newest."""
        while self._used > self._memory and len(self._known) > wanted:
            _, old = self._known.popitem(last=False)
            self._used -= 0 if old.packed is None else old.packed.nbytes


def _told(failure: Failure) -> str:
    return f"line {failure.line}: {failure.message}" if failure.line else failure.message

"""What programs predict, computed once for each (program, text)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from readhead.bounded import Bounded
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

TRIED: Final = 8
"""Texts on which a program is tried before it may stand in for a head."""
_MEMORY: Final = 512 << 20
_VERDICTS: Final = 8 << 20
"""Bytes for why programs may not stand in for a head: those of thousands of programs."""
_ENTRY: Final = 200
"""About the bytes of an entry beside its values."""
_EARLIER_ONLY: Final = "a row may use its own and earlier tokens only; `s.n` grows with every later one"


@dataclass(frozen=True)
class Prediction:
    """What a program gave for a text: one of the two."""

    packed: Array | None
    """`[n(n+1)/2]`, rows sum to 1."""
    failure: Failure | None


Found = Mapping[tuple[str, Ids], Prediction]
"""Predictions by a program's text and the text that it was run on."""


class Predictions:
    """Programs' predictions on texts of one tokenizer.

    Args:
        tokenizer: turns token ids into what a program sees.
        sandbox: runs the programs.
        memory: bytes of predictions that are kept for the next call.
    """

    def __init__(self, tokenizer: Tokenizer, sandbox: Sandbox, *, memory: int = _MEMORY) -> None:
        self._reader = TokenReader(tokenizer)
        self.sandbox = sandbox
        self._known: Bounded[tuple[str, Ids], Prediction] = Bounded(memory)
        self._unfit: Bounded[str, str] = Bounded(_VERDICTS)
        """Of the programs that were tried; empty for one that may stand in."""

    def fetch(self, programs: Iterable[Program], texts: Sequence[Ids]) -> Found:
        """Every program's prediction on every text; those that are not known are run together."""
        found: dict[tuple[str, Ids], Prediction] = {}
        missing: dict[tuple[Ids, ...], list[str]] = {}  # the programs that lack the same texts run on them at once
        for source in dict.fromkeys(program.source for program in programs):
            known = {(source, ids): self._known.get((source, ids)) for ids in texts}
            found |= {key: prediction for key, prediction in known.items() if prediction is not None}
            if lacking := tuple(ids for (_, ids), prediction in known.items() if prediction is None):
                missing.setdefault(lacking, []).append(source)
        for lacking, lackers in missing.items():
            for key, prediction in self._run(lackers, lacking):
                found[key] = prediction
                size = 0 if prediction.packed is None else prediction.packed.nbytes
                self._known.put(key, prediction, _ENTRY + 8 * len(key[1]) + size)
        return found

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
                    hint=_EARLIER_ONLY if "looks ahead" in reason else f"mend the program, or leave {head} neural",
                )

    def unfit(self, programs: Iterable[Program], texts: Sequence[Ids]) -> dict[str, str]:
        """The texts of those programs that may not stand in for a head, and why.

        Each program is tried once, on the texts of the first call that brings it, as long as it is remembered.
        """
        listed = {program.source: program for program in programs}
        verdicts = {source: known for source in listed if (known := self._unfit.get(source)) is not None}
        untried = {source: program for source, program in sorted(listed.items()) if source not in verdicts}
        if untried:
            found = self.fetch(untried.values(), texts)
            for source in untried:
                failures = [failure for ids in texts if (failure := found[source, ids].failure)]
                if len(failures) == len(texts):
                    verdicts[source] = f"it gives nothing: {_told(failures[0])}"
            working = [source for source in untried if source not in verdicts]
            leaks = find_look_ahead(working, [self._reader.read(ids) for ids in texts], self.sandbox)
            for source, leak in zip(working, leaks, strict=True):
                verdicts[source] = "" if leak is None else f"it looks ahead: {leak}"
            for source in untried:
                self._unfit.put(source, verdicts[source], _ENTRY + len(source) + len(verdicts[source]))
        return {source: reason for source in listed if (reason := verdicts[source])}

    def _run(self, sources: Sequence[str], texts: Sequence[Ids]) -> Iterator[tuple[tuple[str, Ids], Prediction]]:
        self.sandbox.load([self._reader.read(ids) for ids in texts])
        for source, run in zip(sources, self.sandbox.run_many(sources), strict=True):
            first = {failure.sequence: failure for failure in reversed(run.failures)}
            general = run.failures[0] if run.failures else None
            for place, (ids, weights) in enumerate(zip(texts, run.weights, strict=True)):
                packed = None if weights is None else as_pattern(weights)
                yield (source, ids), Prediction(packed, first.get(place, general) if packed is None else None)


def _told(failure: Failure) -> str:
    return f"line {failure.line}: {failure.message}" if failure.line else failure.message

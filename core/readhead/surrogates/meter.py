"""The perplexity of switchboards on fixed sequences, fast enough to flip heads and watch.

1. Sequences run in batches. The residual stream that enters each layer is kept, under the name of what stood in the
   layers below it: a switchboard that differs from an earlier one in layer l and above begins at layer l.
2. The stream is put in by letting every layer below hand it through; masks and positions are built by the model.
3. Predictions of programs are kept as matrices on the model's device, by (program, batch).
4. All memories are bounded; what was forgotten is computed again.

Estimates come batch by batch, the first from a few sequences.
"""

# ruff: noqa: ANN401 - transformers types neither its layers nor what they give
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Final, Self

import numpy as np
import torch
from torch import Tensor, nn

from readhead.attention import OwnPattern, hooked, run_batch
from readhead.bounded import Bounded
from readhead.corpus import TokenSequence
from readhead.errors import ModelError
from readhead.heads import HeadId
from readhead.models import LoadedModel, evaluating, within_memory
from readhead.patterns import BATCH_TOKENS
from readhead.surrogates.hybrid import check_language_model
from readhead.surrogates.impact import Impact, Losses
from readhead.surrogates.matrices import control_matrix, or_own, stacked, within_sight
from readhead.surrogates.predictions import Predictions
from readhead.surrogates.switchboard import Board, Control, Surrogate

_FIRST: Final = 4
"""Sequences of the first batch, for an early estimate."""
_LOGITS: Final = 128 << 20
"""Bytes of one batch's logits."""
_MEMORY: Final = 1 << 30
"""Bytes for streams, and as many for matrices."""
_REMEMBERED: Final = 16 << 20
"""Bytes for losses, and as many for how often programs failed: those of thousands of switchboards."""
_ENTRY: Final = 200
"""About the bytes of an entry of these beside its values."""
_SAME: Final = 1e-4
"""How far logits may move when the lower layers are not run again."""


class Meter:
    """Measures switchboards on sequences of one length; use it in a `with` block.

    Args:
        model: with a language-modelling head.
        sequences: what the perplexity is measured on.
        predictions: the programs' predictions, of the model's tokenizer.
        memory: bytes for residual streams, and as many for matrices; 0 to keep none.
        seed: of the bootstrap.

    Raises:
        ModelError: if the model has no language-modelling head, or does not fit into memory.
    """

    def __init__(
        self,
        model: LoadedModel,
        sequences: Sequence[TokenSequence],
        predictions: Predictions,
        *,
        memory: int = _MEMORY,
        seed: int = 0,
    ) -> None:
        check_language_model(model.model)
        self.sequences = sequences
        self.between: Callable[[], object] = lambda: None
        """Called before each batch, when nothing is under way: another switchboard may be measured there, and what it
        raises ends the measurement."""
        self._model = model
        self._predictions = predictions
        self._seed = seed
        self._memory = memory
        self._length = len(sequences[0].ids)
        self._batches = list(self._cut())
        self._layers = _layers(model.model, model.geometry.layers)
        self._streams: Bounded[tuple[int, int], Tensor] = Bounded(memory)
        self._matrices: Bounded[tuple[str, int], _Matrix] = Bounded(memory)
        self._losses: Bounded[tuple[int, int], Losses] = Bounded(_REMEMBERED)
        self._failed: Bounded[tuple[str, int], int] = Bounded(_REMEMBERED)
        self._current: dict[int, dict[int, _Matrix]] | None = None
        self._captured: dict[int, Tensor] = {}
        self._width = 0
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        """Hang the hooks on the model."""
        with ExitStack() as undo:
            undo.enter_context(evaluating(self._model.model))
            undo.enter_context(hooked(self._model.model, self._hook))
            for number, layer in enumerate(self._layers):
                undo.callback(layer.register_forward_hook(self._catcher(number)).remove)
            if not self._can_skip():
                self._layers = []
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Take them off again."""
        self._undo.close()

    @property
    def reuses_layers(self) -> bool:
        """Whether lower layers are left out where nothing changed in them; not for every architecture."""
        return bool(self._layers)

    @property
    def _shorter(self) -> str:
        """What to do where memory does not suffice."""
        return f"use --length {max(2, self._length // 2)}, or another --device"

    # ---- measures ----------------------------------------------------------------------------------------------------

    def losses(self, board: Board) -> Losses:
        """`[sequences]`: each sequence's total loss in nats."""
        return np.concatenate([self._loss(board, batch) for batch in self._in_turn()])

    def estimates(self, board: Board, *, within: float = 0.0) -> Iterator[Impact]:
        """A first estimate from a few sequences, and better ones until all are used or the interval is small enough.

        Stop asking, and no further batch is run.

        Args:
            board: the switchboard, or controls.
            within: half the width of the interval that is small enough, as a share: 0.005 is half a percent.
        """
        neural, hybrid = np.empty(0), np.empty(0)
        for batch in self._in_turn():
            neural = np.concatenate([neural, self._loss({}, batch)])
            hybrid = np.concatenate([hybrid, self._loss(board, batch)])
            impact = self._impact(board, neural, hybrid)
            yield impact
            if within and impact.interval and impact.interval[1] - impact.interval[0] <= 2 * within:
                return

    def impact(self, board: Board, *, details: bool = False) -> Impact:
        """The perplexity on all sequences; with `details`, how far the next-token distributions are apart, too."""
        result = self._impact(board, self.losses({}), self.losses(board))
        if not details:
            return result
        divergence, agreement = self._compare(board, slice(0, -1))
        return replace(result, divergence=divergence, agreement=agreement)

    def increase(self, board: Board) -> float:
        """`Impact.increase` alone."""
        return self._impact(board, self.losses({}), self.losses(board)).increase

    def divergence(self, board: Board) -> float:
        """KL divergence from the neural next-token distribution in nats, mean over all tokens, the last one too."""
        return max(0.0, self._compare(board, slice(None))[0])

    def expected(self, board: Board, count: int) -> list[tuple[str, float]]:
        """The likeliest tokens after the first sequence, as the tokenizer writes them, with their probabilities."""
        shares, tokens = self._logits(board, self._batches[0])[0, -1].float().softmax(-1).topk(count)
        names = [str(self._model.tokenizer.decode([token])) for token in tokens.tolist()]
        return list(zip(names, shares.tolist(), strict=True))

    def _impact(self, board: Board, neural: Losses, hybrid: Losses) -> Impact:
        measured = [batch for batch in self._batches if batch.start < len(neural)]
        failed = {
            head: count
            for head, surrogate in board.items()
            if (count := sum(self._failures(surrogate, batch) for batch in measured))
        }
        return Impact(neural, hybrid, self._length - 1, len(board), failed=failed, seed=self._seed)

    def _failures(self, surrogate: Surrogate, batch: range) -> int:
        """Sequences of a batch on which a program gives nothing; remembered."""
        if isinstance(surrogate, Control):
            return 0
        known = self._failed.get((surrogate.source, batch.start))
        if known is None:
            texts = [self.sequences[place].ids for place in batch]
            found = self._predictions.fetch([surrogate], texts)
            known = sum(found[surrogate.source, ids].packed is None for ids in texts)
            self._note_failures(surrogate.source, batch, known)
        return known

    def _note_failures(self, name: str, batch: range, count: int) -> None:
        self._failed.put((name, batch.start), count, _ENTRY + len(name))

    def _compare(self, board: Board, after: slice) -> tuple[float, float]:
        """KL divergence and top-1 agreement, mean over what is expected after some of the tokens."""
        divergence = agreement = 0.0
        tokens = len(self.sequences) * len(range(self._length)[after])
        for batch in self._in_turn():
            with within_memory(f"the comparison of {len(batch)} texts", self._shorter):
                own = self._logits({}, batch)[:, after].float()
                other = self._logits(board, batch)[:, after].float()
                agreement += float((own.argmax(-1) == other.argmax(-1)).sum())
                divergence += float(divergences(own.log_softmax(-1), other.log_softmax(-1)).sum(dtype=torch.float64))
        return divergence / tokens, agreement / tokens

    # ---- running -----------------------------------------------------------------------------------------------------

    def _in_turn(self) -> Iterator[range]:
        """The batches, and `between` before each."""
        for batch in self._batches:
            self.between()
            yield batch

    def _cut(self) -> Iterator[range]:
        """Batches: a small one first, the others as large as memory allows."""
        vocabulary = self._model.model.config.get_text_config().vocab_size
        size = max(1, min(BATCH_TOKENS, _LOGITS // (4 * vocabulary)) // self._length)
        start = 0
        while start < len(self.sequences):
            stop = min(len(self.sequences), start + (min(_FIRST, size) if start == 0 else size))
            yield range(start, stop)
            start = stop

    def _loss(self, board: Board, batch: range) -> Losses:
        """`[B]`, in nats; remembered."""
        key = (batch.start, _prefixes(_by_layer(board), self._model.geometry.layers)[-1])
        known = self._losses.get(key)
        if known is None:
            logits = self._logits(board, batch)
            with torch.inference_mode(), within_memory(f"the loss of {len(batch)} texts", self._shorter):
                targets = torch.tensor([self.sequences[place].ids for place in batch], device=logits.device)
                targets = torch.cat([targets[:, 1:], torch.full_like(targets[:, :1], _IGNORED)], dim=1)
                loss = nn.functional.cross_entropy(
                    logits.float().flatten(0, 1), targets.flatten(), ignore_index=_IGNORED, reduction="none"
                )
                known = loss.view(len(batch), -1).double().sum(1).cpu().numpy()
            self._losses.put(key, known, _ENTRY + known.nbytes)
        return known

    def _logits(self, board: Board, batch: range) -> Tensor:
        """`[B, n, vocabulary]`, from the lowest layer that has to be run."""
        by_layer = _by_layer(board)
        prefixes = _prefixes(by_layer, self._model.geometry.layers)
        begin, stream = self._deepest(batch, prefixes)
        ids = torch.tensor([self.sequences[place].ids for place in batch])
        with within_memory(f"{self._model.name} on {len(batch)} texts of {self._length} tokens", self._shorter):
            self._current = self._ready({layer: heads for layer, heads in by_layer.items() if layer >= begin}, batch)
            self._captured = {}
            try:
                with torch.inference_mode(), _handing_through(self._layers[:begin], self._output(stream)):
                    logits: Tensor = run_batch(self._model.model, ids).logits
            finally:
                self._current = None
        for number, out in self._captured.items():
            if number >= begin:
                self._streams.put((batch.start, prefixes[number + 1]), out, out.numel() * out.element_size())
        self._captured = {}
        return logits

    def _output(self, stream: Tensor | None) -> Any:
        """A stream as the model's layers give it back: alone, or first of some."""
        return (stream, *[None] * (self._width - 1)) if self._width and stream is not None else stream

    def _deepest(self, batch: range, prefixes: Sequence[int]) -> tuple[int, Tensor | None]:
        """The lowest layer that has to be run, and the stream that enters it."""
        if self._layers:
            for layer in range(len(prefixes) - 1, 0, -1):
                stream = self._streams.get((batch.start, prefixes[layer]))
                if stream is not None:
                    return layer, stream
        return 0, None

    def _hook(self, layer: int, pattern: OwnPattern) -> Mapping[int, Tensor]:
        if self._current is None or layer not in self._current:
            return {}
        found = self._current[layer]
        matrices = {head: within_sight(matrix.to(pattern.device), pattern) for head, (matrix, _) in found.items()}
        return or_own(matrices, {head: places for head, (_, places) in found.items()}, pattern)

    def _ready(self, by_layer: Mapping[int, Mapping[int, Surrogate]], batch: range) -> dict[int, dict[int, _Matrix]]:
        """The matrices of surrogates on a batch, in their places; those that are not kept are made together."""
        wanted = {_name(surrogate): surrogate for heads in by_layer.values() for surrogate in heads.values()}
        ready = {name: matrix for name in wanted if (matrix := self._matrices.get((name, batch.start))) is not None}
        missing = {name: surrogate for name, surrogate in wanted.items() if name not in ready}
        texts = [self.sequences[place].ids for place in batch]
        programs = [surrogate for surrogate in missing.values() if not isinstance(surrogate, Control)]
        predictions = self._predictions.fetch(programs, texts)
        for name, surrogate in missing.items():
            if isinstance(surrogate, Control):
                made: _Matrix = (control_matrix(surrogate, self._length).expand(len(batch), -1, -1), [])
            else:
                made = stacked([predictions[name, ids].packed for ids in texts], self._length)
            ready[name] = (made[0].to(self._model.device), made[1])
            self._note_failures(name, batch, len(made[1]))
            self._matrices.put((name, batch.start), ready[name], made[0].numel() * made[0].element_size())
        return {
            layer: {head: ready[_name(surrogate)] for head, surrogate in heads.items()}
            for layer, heads in by_layer.items()
        }

    def _catcher(self, number: int) -> Any:
        def catch(_layer: nn.Module, _args: Any, output: Any) -> None:
            if self._current is not None:
                self._width = 0 if isinstance(output, Tensor) else len(output)
                self._captured[number] = output if isinstance(output, Tensor) else output[0]

        return catch

    def _can_skip(self) -> bool:
        """Whether the logits are the same when the lower half of the layers hands a kept stream through."""
        if len(self._layers) != self._model.geometry.layers:
            return False
        batch, board = self._batches[0][:1], {HeadId(len(self._layers) // 2, 0): Control.UNIFORM}
        kept = self._streams
        try:
            self._streams = Bounded(0)
            whole = self._logits(board, batch)
            self._streams = Bounded(_MEMORY)
            self._logits({}, batch)
            part = self._logits(board, batch)
        except (
            ModelError,
            AttributeError,
            IndexError,
            RuntimeError,
            TypeError,
            ValueError,
        ):  # a tensor in a wrong place
            return False
        finally:
            self._streams = kept
            self._matrices = Bounded(self._memory)
        return bool((whole - part).abs().max() <= _SAME)


_IGNORED: Final = -100
_Matrix = tuple[Tensor, list[int]]
"""`[B, n, n]`, and the places of sequences without a prediction."""


def divergences(neural: Tensor, hybrid: Tensor) -> Tensor:
    """KL(neural || hybrid) in nats of `[…, vocabulary]`, given as logarithms."""
    return (neural.exp() * (neural - hybrid)).sum(-1)


def _name(surrogate: Surrogate) -> str:
    return surrogate.value if isinstance(surrogate, Control) else surrogate.source


def _by_layer(board: Board) -> dict[int, dict[int, Surrogate]]:
    by_layer: dict[int, dict[int, Surrogate]] = {}
    for head, surrogate in sorted(board.items()):
        by_layer.setdefault(head.layer, {})[head.index] = surrogate
    return by_layer


def _prefixes(by_layer: Mapping[int, Mapping[int, Surrogate]], layers: int) -> list[int]:
    """For each layer, and for the end, a hash of what stands in for heads of the layers below it."""
    hashes = [0]
    for layer in range(layers):
        here = tuple((index, _name(surrogate)) for index, surrogate in by_layer.get(layer, {}).items())
        hashes.append(hash((hashes[-1], here)))
    return hashes


def _layers(model: Any, count: int) -> list[Any]:
    """The model's layers, in order; empty where they are not one list."""
    lists = [part for part in model.modules() if isinstance(part, nn.ModuleList) and len(part) == count]
    return list(lists[0]) if lists else []


@contextmanager
def _handing_through(layers: Sequence[Any], output: Any) -> Iterator[None]:
    """Let these layers give back `output`, whatever comes in, instead of running."""
    before = [layer.__dict__.get("forward") for layer in layers]
    for layer in layers:
        layer.forward = lambda *_args, **_options: output
    try:
        yield
    finally:
        for layer, own in zip(layers, before, strict=True):
            if own is None:
                del layer.forward
            else:
                layer.forward = own

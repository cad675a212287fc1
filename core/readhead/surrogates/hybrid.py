"""The hybrid model: a model with programs in the place of some of its heads, for whatever is run on it.

1. A hook before the model's forward pass reads the token ids of every sequence; with a KV cache, the earlier ones are
   kept beside it. Padding is left out where the mask tells it. Padding at the end without a mask, as evaluation
   harnesses send it, is harmless: no row of a program that does not look ahead depends on what comes after it.
2. The programs' predictions for these texts are fetched, all in one run of the sandbox.
3. The hook in every attention layer puts them in the place of the patterns: with a cache, the rows of the new tokens.

Heads that are not replaced are the model's own, bit by bit.
"""

# ruff: noqa: ANN401 - transformers types neither its models' inputs nor its caches
from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from readhead.attention import OwnPattern, hooked
from readhead.corpus import encode, read_documents
from readhead.errors import ModelError, ProgramError, UsageError
from readhead.heads import Geometry, HeadId
from readhead.models import LoadedModel, context_of, fingerprint, probe
from readhead.patterns import unpack
from readhead.program import Program, parse, read_program
from readhead.sandbox import Sandbox
from readhead.surrogates.matrices import or_own, placed, within_sight
from readhead.surrogates.predictions import TRIED, Found, Ids, Predictions
from readhead.surrogates.switchboard import Switchboard, refuse_findings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_TRIED_LENGTH: Final = 64


@contextmanager
def replaced(
    model: LoadedModel | PreTrainedModel,
    programs: Mapping[HeadId, Program] | Mapping[str, str | Path | Program],
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    predictions: Predictions | None = None,
) -> Iterator[Hybrid]:
    """Puts programs in the place of heads, for everything that is run on the model until the block ends.

    Works for forward passes, batches padded on either side, and `generate` with a `DynamicCache`. Blocks nest: an
    inner one's programs go before an outer one's. On any exit the model is what it was. On a text on which a program
    fails, its head is neural; `Hybrid.failed` counts them.

    Args:
        model: as `readhead.models.load_model` gives it, or any supported model of transformers.
        programs: a `Switchboard`, or heads (`L3H2`) with a program file (a `Path`), a program's text (a `str` with a
            line break) or a parsed `Program`. None at all leaves the model bit by bit as it is.
        tokenizer: the model's, where `model` does not bring it.
        predictions: programs' predictions to share; by default a sandbox of its own is started.

    Raises:
        UsageError: for a head that the model does not have, or a switchboard of another model.
        ProgramError: for a program with findings, or one that looks ahead or gives nothing.
        ModelError: while the model runs, for beam search, assisted decoding, static caches and `inputs_embeds`.
    """
    inner, geometry, words = _opened(model, tokenizer)
    board = _as_board(programs)
    for head in board:
        geometry.index_of(head)
    if isinstance(programs, Switchboard) and programs.model:
        mark = model.fingerprint if isinstance(model, LoadedModel) else fingerprint(inner, words)
        programs.check_model(mark, inner.name_or_path or type(inner).__name__)
    refuse_findings(board)
    with ExitStack() as stack:
        if predictions is None:
            predictions = Predictions(words, stack.enter_context(Sandbox()))
        if board:
            predictions.refuse_unfit(board, _trial_texts(inner, words))
        hybrid = Hybrid(board, predictions)
        hybrid.attach(inner, stack)
        yield hybrid


@dataclass(frozen=True)
class _Pass:
    """The forward pass in progress."""

    ids: Tensor
    """`[B, N]`: all tokens so far, those in the cache and padding included."""
    texts: tuple[Ids, ...]
    """Each sequence's tokens, without padding."""
    places: tuple[Tensor, ...]
    """`[m]` for each: where they stand among the `N` positions."""
    found: Found
    """What the programs predict for the texts."""


class Hybrid:
    """The programs in a running model; `replaced` makes one."""

    def __init__(self, board: Mapping[HeadId, Program], predictions: Predictions) -> None:
        self.active = True
        """Set it to False to let the model run as if nothing was replaced."""
        self.failed: dict[HeadId, int] = {}
        """How often a head was neural for one sequence in one forward pass, because its program failed on it."""
        self._predictions = predictions
        self._layers: dict[int, dict[int, Program]] = {}
        for head, program in board.items():
            self._layers.setdefault(head.layer, {})[head.index] = program
        self._programs = list(board.values())
        self._pass: _Pass | None = None

    def attach(self, model: PreTrainedModel, undo: ExitStack) -> None:
        """Hang everything on the model until `undo` closes."""
        body = model.base_model
        names = list(inspect.signature(body.forward).parameters)

        def before(_module: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
            self._begin(dict(zip(names, args, strict=False)) | options)

        def after(_module: Any, _args: tuple[Any, ...], _options: dict[str, Any], output: Any) -> None:
            self._end(getattr(output, "past_key_values", None))

        undo.callback(body.register_forward_pre_hook(before, with_kwargs=True).remove)
        undo.callback(body.register_forward_hook(after, with_kwargs=True).remove)
        if self._programs:
            _guard_generate(model, undo)
        undo.enter_context(hooked(model, self))

    def __call__(self, layer: int, pattern: OwnPattern) -> dict[int, Tensor]:
        """The matrices of the layer's replaced heads, `[B, Q, K]`."""
        programs = self._layers.get(layer, {})
        if self._pass is None or not programs:
            return {}
        matrices, missing = {}, {}
        for index, program in programs.items():
            rows = [self._rows(program, place, pattern) for place in range(len(self._pass.texts))]
            matrix = torch.stack([each for each, _ in rows]).to(pattern.device)
            matrices[index] = within_sight(matrix, pattern)
            missing[index] = [place for place, (_, found) in enumerate(rows) if not found]
            if missing[index]:
                head = HeadId(layer, index)
                self.failed[head] = self.failed.get(head, 0) + len(missing[index])
        return or_own(matrices, missing, pattern)

    def _rows(self, program: Program, place: int, pattern: OwnPattern) -> tuple[Tensor, bool]:
        """One sequence's matrix `[Q, K]`, and whether the program gave one."""
        now = self._pass
        assert now is not None  # noqa: S101 - the caller has looked
        ids = now.texts[place]
        packed = now.found[program.source, ids].packed if ids else None
        prediction = None if packed is None else torch.from_numpy(unpack(packed, len(ids)))
        matrix = placed(prediction, now.places[place], now.ids.shape[1], pattern.queries, pattern.keys)
        return matrix, packed is not None or not ids

    def _begin(self, inputs: Mapping[str, Any]) -> None:
        """Read the tokens of a forward pass."""
        self._pass = None
        if not self.active or not self._programs:
            return
        new = inputs.get("input_ids")
        if new is None:
            raise _unsupported("inputs_embeds", "the programs read tokens: pass input_ids")
        cache, mask = inputs.get("past_key_values"), inputs.get("attention_mask")
        if mask is not None and (not isinstance(mask, Tensor) or mask.dim() != 2):  # noqa: PLR2004 - batch × positions
            raise _unsupported("an attention mask of its own shape", "pass a mask [sequences, tokens] of 0 and 1")
        ids = self._with_earlier(new, cache)
        rows = ids.tolist()
        keep = torch.ones_like(ids) if mask is None else mask.cpu()[:, -ids.shape[1] :]
        places = tuple(row.nonzero().flatten() for row in keep)
        texts = tuple(tuple(row[place] for place in found.tolist()) for row, found in zip(rows, places, strict=True))
        self._pass = _Pass(
            ids, texts, places, self._predictions.fetch(self._programs, [text for text in texts if text])
        )

    def _with_earlier(self, new: Tensor, cache: Any) -> Tensor:
        """All token ids so far, `[B, N]`, those in the cache first."""
        new = new.detach().cpu()
        if cache is None:
            return new
        if getattr(cache, "is_compileable", False):
            raise _unsupported("static caches", "generate with a DynamicCache, which is the default")
        past = int(cache.get_seq_length())
        if past == 0:
            return new
        read: _Read | None = getattr(cache, _READ, None)
        if read is None or read.ids.shape[1] < past:
            raise ModelError(
                "the cache was filled outside of this block, so its tokens are not known",
                hint="begin with an empty cache inside the block",
            )
        if read.ids.shape[1] > past:
            raise _unsupported("a cache that was cut, as for assisted decoding,", "generate without an assistant")
        last = _last_keys(cache)
        if read.ids.shape[0] != new.shape[0] or not (last is None or torch.equal(last, read.last_keys)):
            raise _unsupported("a cache whose sequences change places, as in beam search,", "generate with num_beams=1")
        return torch.cat([read.ids, new], dim=1)

    def _end(self, cache: Any) -> None:
        """Note beside the cache which tokens it holds; the pass is kept, for gradients may run its layers again."""
        if self._pass is not None and cache is not None:
            setattr(cache, _READ, _Read(self._pass.ids, _last_keys(cache)))


@dataclass(frozen=True)
class _Read:
    """What a cache holds."""

    ids: Tensor
    """`[B, N]`."""
    last_keys: Any
    """Of the last layer at the last position: they tell whether the cache's sequences are still in their places."""


_READ: Final = "_readhead_read"


def _last_keys(cache: Any) -> Tensor | None:
    layers = getattr(cache, "layers", None)
    keys = getattr(layers[-1], "keys", None) if layers else None
    return keys[:, :, -1].detach().clone() if isinstance(keys, Tensor) and keys.dim() == 4 else None  # noqa: PLR2004 - B, H, K, d


def _guard_generate(model: Any, undo: ExitStack) -> None:
    """Refuse by name what `generate` cannot do with programs, before it begins."""
    generate = model.generate

    @functools.wraps(generate)
    def guarded(*args: Any, **options: Any) -> Any:
        config = options.get("generation_config") or model.generation_config
        for name, (what, hint) in _REFUSED.items():
            value = options.get(name, getattr(config, name, None))
            if value not in (None, False, 0, 1) and not (name == "cache_implementation" and "static" not in str(value)):
                raise _unsupported(what, hint)
        return generate(*args, **options)

    undo.callback(_put_back, model, model.__dict__.get("generate"))
    model.__dict__["generate"] = guarded


def _put_back(model: Any, before: Any) -> None:
    if before is None:
        model.__dict__.pop("generate", None)
    else:
        model.__dict__["generate"] = before


_REFUSED: Final = {
    "num_beams": ("beam search", "generate with num_beams=1"),
    "assistant_model": ("assisted decoding", "generate without an assistant"),
    "assistant_early_exit": ("assisted decoding", "generate without an assistant"),
    "prompt_lookup_num_tokens": ("assisted decoding", "generate without prompt_lookup_num_tokens"),
    "penalty_alpha": ("contrastive search", "generate greedily or by sampling"),
    "cache_implementation": ("a static cache", "generate with a DynamicCache, which is the default"),
}
"""Arguments of `generate` that move a cache's sequences away from the tokens that were read."""


def _unsupported(what: str, hint: str) -> ModelError:
    return ModelError(f"{what} is not supported while programs stand in for heads", hint=hint)


def check_language_model(model: PreTrainedModel) -> None:
    """Refuse a model that does not predict tokens.

    Raises:
        ModelError: if it has no language-modelling head.
    """
    if model.get_output_embeddings() is None:  # type: ignore[no-untyped-call]  # transformers does not type it
        raise ModelError(
            f"this {model.config.model_type!r} model has no language-modelling head, so it has no perplexity",
            hint="load it as a causal language model: AutoModelForCausalLM",
        )


def _opened(
    model: LoadedModel | PreTrainedModel, tokenizer: PreTrainedTokenizerBase | None
) -> tuple[PreTrainedModel, Geometry, PreTrainedTokenizerBase]:
    if isinstance(model, LoadedModel):
        _PROBED[model.model] = model.geometry
        return model.model, model.geometry, model.tokenizer
    if tokenizer is None:
        raise UsageError("the programs read text, and the model brings no tokenizer", hint="pass tokenizer=…")
    if model not in _PROBED:  # an inner block cannot probe: the outer one's programs are in the model
        _PROBED[model] = probe(model)
    return model, _PROBED[model], tokenizer


_PROBED: weakref.WeakKeyDictionary[Any, Geometry] = weakref.WeakKeyDictionary()


def _as_board(programs: Any) -> dict[HeadId, Program]:
    if not isinstance(programs, Mapping):
        raise UsageError(
            f"these are not heads with their programs: {programs!r}",
            hint="give a mapping such as {'L0H1': Path('mine.py')}, or readhead.Switchboard.load(FILE)",
        )
    board = {}
    for head, program in programs.items():
        key = head if isinstance(head, HeadId) else HeadId.parse(head)
        if isinstance(program, Program):
            board[key] = program
        elif isinstance(program, str) and "\n" in program:
            board[key] = parse(program, name=str(key))
        elif isinstance(program, str | Path):
            board[key] = read_program(program)
        else:
            raise ProgramError(f"{program!r} is no program", hint="give a file, a program's text or a Program")
    return board


def _trial_texts(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Sequence[Ids]:
    """Texts that programs are tried on for looking ahead."""
    length = min(_TRIED_LENGTH, context_of(model) or _TRIED_LENGTH)
    documents = [document for document, _ in zip(read_documents("bundled"), range(TRIED), strict=False)]
    return [tuple(encode(tokenizer, document, length)) for document in documents]

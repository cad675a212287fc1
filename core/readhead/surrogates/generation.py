"""The neural and the hybrid model's texts after one prompt, token by token, side by side.

Both draw with the same random numbers: as long as the two models expect the same, they write the same.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from readhead.attention import run_batch
from readhead.corpus import encode
from readhead.errors import UsageError
from readhead.models import LoadedModel, context_of, evaluating, within_memory
from readhead.surrogates.hybrid import Hybrid, check_language_model
from readhead.surrogates.outcome import Continuation


def continue_both(
    model: LoadedModel, hybrid: Hybrid, prompt: str, *, tokens: int = 60, temperature: float = 0.0, seed: int = 0
) -> Generator[Continuation, None, None]:
    """What both have written so far, after every token; ends when both have ended.

    Args:
        model: the one that `hybrid` is in.
        hybrid: as `readhead.surrogates.hybrid.replaced` gives it.
        prompt: at least a token of text, or nothing where the tokenizer has a beginning-of-sequence token.
        tokens: how many to write at most.
        temperature: 0 for the likeliest token; 1 to draw as the model expects.
        seed: of the drawing.

    Raises:
        UsageError: if the prompt is empty, or does not fit into the model's context with what is to be written.
        ModelError: if the model does not predict tokens.
    """
    check_language_model(model.model)
    ids = encode(model.tokenizer, prompt)
    if not ids:
        raise UsageError("the prompt is empty", hint="give at least a word")
    positions = context_of(model.model)
    if positions is not None and len(ids) + tokens > positions:
        raise UsageError(
            f"{len(ids)} tokens of prompt and {tokens} to write are more than {model.name} has positions: {positions}",
            hint=f"use --tokens {positions - len(ids)}" if positions > len(ids) else "use a shorter prompt",
        )
    ends = _ends(model)
    writers = {name: _Writer(model, ids, temperature, seed, ends) for name in ("neural", "hybrid")}
    with evaluating(model.model):
        for _ in range(tokens):
            for name, writer in writers.items():
                hybrid.active = name == "hybrid"
                writer.write()
            hybrid.active = False  # whatever runs between two tokens is neural
            yield Continuation(
                prompt=prompt,
                neural=writers["neural"].text,
                hybrid=writers["hybrid"].text,
                tokens={name: tuple(writer.written) for name, writer in writers.items()},
                seconds={name: writer.seconds for name, writer in writers.items()},
                failed=dict(hybrid.failed),
            )
            if all(writer.ended for writer in writers.values()):
                return


def _ends(model: LoadedModel) -> frozenset[int]:
    """Tokens that end a text."""
    ends = getattr(model.model.generation_config, "eos_token_id", None)
    listed = ends if isinstance(ends, list) else [ends, model.tokenizer.eos_token_id]
    return frozenset(token for token in listed if token is not None)


@dataclass
class _Writer:
    """One of the two texts, with its cache."""

    model: LoadedModel
    prompt: list[int]
    temperature: float
    seed: int
    ends: frozenset[int]
    written: list[int] = field(default_factory=list)
    ended: bool = False
    seconds: float = 0.0
    cache: Any = field(default_factory=DynamicCache)

    def __post_init__(self) -> None:
        self.waiting = self.prompt
        """Tokens that the model has not read yet."""
        self._beginning = len(self._decoded([]))
        self._random = torch.Generator().manual_seed(self.seed)

    def write(self) -> None:
        """Another token, unless the text has ended."""
        if self.ended:
            return
        start = time.perf_counter()
        room = f"use a shorter prompt than {len(self.prompt)} tokens, or another --device"
        with torch.inference_mode(), within_memory("the text", room):
            output = run_batch(
                self.model.model, torch.tensor([self.waiting]), use_cache=True, past_key_values=self.cache
            )
        token = self._choose(output.logits[0, -1].float().cpu())
        self.seconds += time.perf_counter() - start
        self.ended = token in self.ends
        if not self.ended:
            self.written.append(token)
            self.waiting = [token]

    def _choose(self, logits: Tensor) -> int:
        """The likeliest token under noise that does not depend on the logits: Gumbel's way of drawing."""
        if self.temperature > 0:
            uniform = torch.rand(logits.shape, generator=self._random).clamp_min(1e-20)
            logits = logits / self.temperature - torch.log(-torch.log(uniform))
        return int(logits.argmax())

    @property
    def text(self) -> str:
        """What was written, without the half of a character at the end."""
        return self._decoded(self.written)[self._beginning :].rstrip("\ufffd")

    def _decoded(self, written: list[int]) -> str:
        """The text with its prompt: by themselves, some tokenizers' tokens lose the space before the first."""
        return str(self.model.tokenizer.decode([*self.prompt, *written], skip_special_tokens=True))

"""Tiny random models of every supported architecture, and the page that says how exactly Readhead reads them.

`python tests/core/architectures.py > docs/architectures.md` writes the page. Sliding windows and chunks are shorter
than the text (`LENGTH`), so that they bite; weights are drawn large, so that patterns are far from uniform.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from readhead.attention import ADAPTERS, EXACT, REFUSED, hooked, record_patterns, run_batch

VOCABULARY = 64
LENGTH = 14
WINDOW = 4

_MODERN = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.15,
}
_TOKENS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
_LAYERED = {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"], "sliding_window": WINDOW}
_OLD = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64, "initializer_range": 0.15}

CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "cohere": ("CohereConfig", _MODERN),
    "gemma": ("GemmaConfig", {**_MODERN, "head_dim": 8}),
    "gemma2": ("Gemma2Config", {**_MODERN, **_LAYERED, "head_dim": 8, "attn_logit_softcapping": 1.0}),
    "gemma3_text": ("Gemma3TextConfig", {**_MODERN, **_LAYERED, "head_dim": 8}),
    "gpt2": ("GPT2Config", {**_OLD, "scale_attn_by_inverse_layer_idx": True}),
    "gpt_neox": ("GPTNeoXConfig", _MODERN),
    "granite": ("GraniteConfig", {**_MODERN, "attention_multiplier": 0.2}),
    "llama": ("LlamaConfig", _MODERN),
    "llama4_text": (
        "Llama4TextConfig",
        {**_MODERN, "head_dim": 8, "intermediate_size_mlp": 48, "num_local_experts": 2, "attention_chunk_size": WINDOW},
    ),
    "mistral": ("MistralConfig", {**_MODERN, "sliding_window": WINDOW}),
    "olmo2": ("Olmo2Config", _MODERN),
    "opt": ("OPTConfig", {**_MODERN, "ffn_dim": 48, "word_embed_proj_dim": 32, "init_std": 0.15}),
    "phi": ("PhiConfig", _MODERN),
    "phi3": ("Phi3Config", {**_MODERN, "sliding_window": WINDOW}),
    "qwen2": ("Qwen2Config", {**_MODERN, **_LAYERED, "use_sliding_window": True}),
    "qwen3": ("Qwen3Config", {**_MODERN, **_LAYERED, "use_sliding_window": True, "head_dim": 8}),
    "smollm3": ("SmolLM3Config", _MODERN),
    "stablelm": ("StableLmConfig", _MODERN),
    "starcoder2": ("Starcoder2Config", {**_MODERN, "sliding_window": WINDOW}),
    "bloom": ("BloomConfig", {**_OLD, "hidden_size": 32}),
    "codegen": ("CodeGenConfig", {**_OLD, "n_ctx": 64, "rotary_dim": 4}),
    "gpt_neo": (
        "GPTNeoConfig",
        {**_MODERN, "num_layers": 3, "num_heads": 4, "attention_types": [[["global", "local", "global"], 1]],
         "window_size": WINDOW},
    ),
    "gptj": ("GPTJConfig", {**_OLD, "rotary_dim": 4}),
    "openai-gpt": ("OpenAIGPTConfig", _OLD),
}  # fmt: skip
"""Config class and its arguments, by architecture."""


SEVERAL = ["llama", "mistral", "gemma2", "gpt2", "gpt_neo", "bloom"]
"""One architecture for each way of the seam: grouped queries, sliding window, eager only, plain, both adapters."""


def each_architecture() -> list[Any]:
    """All of them, as parameters of tests; those beyond `SEVERAL` are slow."""
    return [pytest.param(name, marks=() if name in SEVERAL else pytest.mark.slow) for name in CONFIGS]


def tiny_model(architecture: str, *, seed: int = 0, **options: Any) -> PreTrainedModel:
    """A random model of that architecture, in evaluation mode; `options` go to `from_config`."""
    name, arguments = CONFIGS[architecture]
    config = getattr(transformers, name)(**{**arguments, **_TOKENS})
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config, **options).eval()


def tokens(*shape: int, seed: int = 0) -> Tensor:
    """Random token ids of that shape, none of them special."""
    return torch.randint(3, VOCABULARY, shape or (2, LENGTH), generator=torch.Generator().manual_seed(seed))


def logits(model: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    with torch.inference_mode():
        return run_batch(model, input_ids, attention_mask).logits


def own_patterns(_layer: int, pattern: Any) -> dict[int, Tensor]:
    """The hook that replaces every head by its own pattern."""
    return dict(enumerate(pattern().unbind(1)))


@dataclass(frozen=True)
class Differences:
    """The largest absolute differences found for one architecture."""

    eager: float
    """Between the patterns read and those of the model's eager attention."""
    replaced: float
    """Between the logits with and without every head replaced by its own pattern."""
    padded: float
    """Between the logits with and without padding."""


def measure(model: PreTrainedModel) -> Differences:
    input_ids = tokens()
    neural = logits(model, input_ids)
    patterns = record_patterns(model, input_ids)
    with hooked(model, own_patterns):
        replaced = logits(model, input_ids)
    return Differences(
        eager=max(_distance(patterns[layer], own) for layer, own in enumerate(eager_patterns(model, input_ids))),
        replaced=_distance(replaced, neural),
        padded=max(padding_difference(model, side) for side in ("left", "right")),
    )


def eager_patterns(model: PreTrainedModel, input_ids: Tensor) -> tuple[Tensor, ...]:
    """What transformers itself gives out as attentions, of a copy of the model with eager attention."""
    with torch.inference_mode():
        return eager_copy(model)(input_ids, output_attentions=True).attentions


def eager_copy(model: PreTrainedModel) -> PreTrainedModel:
    """The same weights with eager attention."""
    copied = AutoModelForCausalLM.from_config(model.config, attn_implementation="eager").eval()
    copied.load_state_dict(model.state_dict())
    return copied


def padding_difference(model: PreTrainedModel, side: str) -> float:
    """How far the logits of three texts of unequal length move when they are run as one padded batch."""
    texts = [tokens(1, length, seed=length) for length in (LENGTH, LENGTH - 3, 5)]
    input_ids, mask = padded(texts, side)
    together = logits(model, input_ids, mask)
    return max(_distance(together[row, mask[row].bool()], logits(model, text)[0]) for row, text in enumerate(texts))


def padded(texts: list[Tensor], side: str) -> tuple[Tensor, Tensor]:
    """One batch of texts `[1, T]` and its mask."""
    longest = max(text.shape[1] for text in texts)
    rows, masks = [], []
    for text in texts:
        padding = torch.zeros(1, longest - text.shape[1], dtype=torch.long)
        parts = (padding, torch.ones_like(text)), (padding, text)
        mask, row = (torch.cat(part if side == "left" else part[::-1], 1) for part in parts)
        rows.append(row)
        masks.append(mask)
    return torch.cat(rows), torch.cat(masks)


def _distance(one: Tensor, other: Tensor) -> float:
    return (one.float() - other.float()).abs().max().item()


def page() -> str:
    """The docs page, measured now."""
    rows = []
    for architecture in (*EXACT, *ADAPTERS):
        found = measure(tiny_model(architecture))
        way = "adapter" if architecture in ADAPTERS else "interface"
        rows.append(f"| `{architecture}` | {way} | {found.eager:.0e} | {found.replaced:.0e} | {found.padded:.0e} |")
    refused = [f"- `{architecture}`: {reason}" for architecture, reason in sorted(REFUSED.items())]
    return _PAGE.format(
        torch=torch.__version__.partition("+")[0],
        transformers=transformers.__version__,
        rows="\n".join(rows),
        refused="\n".join(refused),
    )


_PAGE = """\
# Architectures

Written by `python tests/core/architectures.py > docs/architectures.md` with transformers {transformers} and torch
{torch}, on small random models in float32 on the CPU; their sliding windows are shorter than the text. The figures
are the largest absolute differences:

- **eager**: between the patterns that Readhead reads and the attentions that the model's eager attention gives out;
- **replaced**: between the model's logits and those with every head replaced by its own pattern;
- **padded**: between the logits of texts alone and of the same texts in a padded batch, on either side.

| architecture | way | eager | replaced | padded |
|---|---|---|---|---|
{rows}

*Interface* means transformers' AttentionInterface. Other causal models that follow it are tried, and probed when they
are loaded; a model that fails a probe is refused with the probe's name. Attention implementations other than `sdpa`
and `eager` are refused, because they hide the patterns. Static caches are refused.

## Refused by name

{refused}
- encoders (such as `bert`), encoder-decoder models (such as `t5`), models that also read images or sound, and models
  that come with their own code: not supported yet
"""


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    sys.stdout.write(page())

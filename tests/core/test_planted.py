"""Heads that were planted by hand are found, and named, by the ranking over the whole shipped library.

The model is a GPT-2 without training. Its residual stream holds one-hot parts for token, position and previous token,
so every vector has the same sum and norm, and LayerNorm is undone by its own weights. A head's scores can then be
written down as they are in a program: `6 * same token - 6 * itself + 4 * first`.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

import readhead
from readhead.corpus import Sizes
from readhead.library import shipped_library

if TYPE_CHECKING:
    from readhead import Explanation

WORDS = [
    "ant", "bag", "cat", "day", "egg", "fox", "gate", "hat", "ice", "jar", "key", "lamp", "moon", "nest", "oak", "pot",
    "queen", "road", "sun", "tree", "ran", "saw", "took", "gave", "red", "big", "old", "Tom", "Mia", "Ben", "the", "a",
    "and", "of", "to", "in", "she", "he", "it",
]  # fmt: skip
MARKS = list(",.!?;:")
VOCABULARY = ["<s>", *(f"▁{word}" for word in WORDS), *MARKS]
LENGTH = 40

TOKENS = len(VOCABULARY)
HEADS = 4
HEAD_SIZE = TOKENS + LENGTH + 1
TOKEN, POSITION, BEFORE = 0, TOKENS, TOKENS + LENGTH
"""Where the one-hot parts begin in the residual stream."""
HARD = 60.0
"""A score beside which all others vanish in a softmax."""

Pairs = list[tuple[int | None, int]]
"""Places in the residual stream of query and key; None stands for every query."""

PREVIOUS: Pairs = [(POSITION + i, POSITION + max(i - 1, 0)) for i in range(LENGTH)]
ITSELF: Pairs = [(POSITION + i, POSITION + i) for i in range(LENGTH)]
FIRST: Pairs = [(None, POSITION)]
SAME_TOKEN: Pairs = [(TOKEN + token, TOKEN + token) for token in range(TOKENS)]
AFTER_SAME_TOKEN: Pairs = [(TOKEN + token, BEFORE + token) for token in range(TOKENS)]


def clear(model: GPT2LMHeadModel, layer: int, parts: int) -> None:
    """A layer that adds nothing, all heads uniform, and that sees the `parts` one-hot parts as they are."""
    block: Any = model.transformer.h[layer]
    for linear in (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj):
        linear.weight.zero_()
        linear.bias.zero_()
    mean = parts / model.config.n_embd
    block.ln_1.weight.fill_((mean - mean**2 + block.ln_1.eps) ** 0.5)
    block.ln_1.bias.fill_(mean)


def plant(model: GPT2LMHeadModel, layer: int, head: int, *terms: tuple[float, Pairs]) -> None:
    """Let a head's score be the sum of the weights of those terms that have a pair for query and key."""
    block: Any = model.transformer.h[layer]
    joint = block.attn.c_attn
    keys = model.config.n_embd
    pairs = [(weight, query, key) for weight, listed in terms for query, key in listed]
    assert len(pairs) <= HEAD_SIZE
    for place, (weight, query, key) in enumerate(pairs, head * HEAD_SIZE):
        asking = joint.bias if query is None else joint.weight[query]
        asking[place] = weight * HEAD_SIZE**0.5  # which the model divides by
        joint.weight[key, keys + place] = 1


def write_token(model: GPT2LMHeadModel, layer: int, head: int, part: int) -> None:
    """Let a head write which token it looks at into a part of the residual stream."""
    block: Any = model.transformer.h[layer]
    attention = block.attn
    values = 2 * model.config.n_embd
    for token, place in enumerate(range(head * HEAD_SIZE, head * HEAD_SIZE + TOKENS)):
        attention.c_attn.weight[TOKEN + token, values + place] = 1
        attention.c_proj.weight[place, part + token] = 1


@torch.no_grad()
def planted_model() -> GPT2LMHeadModel:
    size = HEADS * HEAD_SIZE
    config = GPT2Config(
        vocab_size=TOKENS, n_positions=LENGTH, n_embd=size, n_layer=2, n_head=HEADS, bos_token_id=0, eos_token_id=0
    )
    model = GPT2LMHeadModel(config)
    embeddings: Any = model.transformer.wte.weight, model.transformer.wpe.weight
    for weights, part in zip(embeddings, (TOKEN, POSITION), strict=True):
        weights.zero_()
        weights[:, part : part + len(weights)] = torch.eye(len(weights))
    clear(model, 0, parts=2)
    plant(model, 0, 0, (HARD, PREVIOUS))
    write_token(model, 0, 0, BEFORE)
    plant(model, 0, 1, (HARD, FIRST))
    plant(model, 0, 2, (6.0, SAME_TOKEN), (-6.0, ITSELF), (4.0, FIRST))
    clear(model, 1, parts=3)
    plant(model, 1, 0, (6.0, AFTER_SAME_TOKEN), (4.0, FIRST))
    write_token(model, 1, 0, TOKEN)  # so that patterns matter to the logits
    return model


def planted_tokenizer() -> PreTrainedTokenizerFast:
    """A token for each word and each mark."""
    tokenizer = Tokenizer(models.WordLevel({token: k for k, token in enumerate(VOCABULARY)}, unk_token="<s>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("▁", "merged_with_next"), pre_tokenizers.Punctuation()]
    )
    fast: Any = PreTrainedTokenizerFast
    loaded: PreTrainedTokenizerFast = fast(tokenizer_object=tokenizer, bos_token="<s>", unk_token="<s>")
    return loaded


def text(seed: int) -> str:
    """Words and marks in any order, none more than twice: every copy is the nearest one."""
    chance = random.Random(seed)
    bag = [*chance.sample(WORDS, 17), *chance.sample(MARKS, 4)] * 2
    chance.shuffle(bag)
    return chance.choice(WORDS) + "".join(token if token in MARKS else f" {token}" for token in bag)


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    return readhead.explain(
        planted_model(),
        planted_tokenizer(),
        [text(seed) for seed in range(60)],
        terms=None,
        sizes=Sizes(fit=4, dev=8, held_out=8, length=LENGTH),
    )


@pytest.mark.parametrize(
    ("head", "program"),
    [
        ("L0H0", "previous/previous_token.py"),
        ("L0H1", "first_token/first_token.py"),
        ("L0H2", "duplicates/nearest_copy_or_first.py"),
        ("L1H0", "induction/induction_or_first.py"),
        ("L1H1", "uniform/uniform.py"),
    ],
)
def test_planted_head_is_explained_by_the_program_it_was_planted_from(
    head: str, program: str, explanation: Explanation
) -> None:
    (score,) = (score for score in explanation.heads if str(score.head) == head)
    assert score.program.path == shipped_library() / program
    assert score.part == "held-out"
    assert score.iou >= 0.99
    assert score.coverage == 1


def test_ranking_of_planted_heads_is_over_the_whole_library(explanation: Explanation) -> None:
    assert explanation.library >= 60
    assert not explanation.broken

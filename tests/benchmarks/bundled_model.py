"""Prints the measured figures of the bundled model's card.

1. Bits per byte on the held-out documents, beside a teacher's on the very same text.
2. Perplexity with every head's attention replaced by uniform causal attention.
3. For each head, the simple pattern that comes closest (IoU over 64 tokens) and the mass on the first token.

    python tests/benchmarks/bundled_model.py MODEL_DIR --teacher DIR --text FILE
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AttentionInterface, AutoModelForCausalLM, AutoTokenizer

from readhead.training import held_out_indices, read_documents


def load(folder: Path) -> tuple[Any, Any]:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval(), AutoTokenizer.from_pretrained(folder)


@torch.inference_mode()
def loss(model: Any, tokenizer: Any, texts: list[str]) -> tuple[float, int, int]:
    """Total loss in nats, predicted tokens and bytes of text; BOS is not predicted."""
    nats, n_tokens, n_bytes = 0.0, 0, 0
    for text in texts:
        ids = tokenizer(text, return_tensors="pt").input_ids
        assert ids[0, 0] == model.config.bos_token_id
        nats += model(input_ids=ids, labels=ids).loss.item() * (ids.shape[1] - 1)
        n_tokens += ids.shape[1] - 1
        n_bytes += len(text.encode())
    return nats, n_tokens, n_bytes


def cut(text: str, *readers: tuple[Any, Any]) -> str:
    """The longest run of whole words from the start that fits into every model's context."""
    words = text.split(" ")
    while any(len(t(" ".join(words)).input_ids) > m.config.max_position_embeddings for m, t in readers):
        words.pop()
    return " ".join(words)


def uniform_attention(
    _module: Any, query: torch.Tensor, _key: torch.Tensor, value: torch.Tensor, *_: Any, **__: Any
) -> tuple[torch.Tensor, None]:
    n = query.shape[-2]
    weights = torch.ones(n, n).tril() / torch.arange(1, n + 1)[:, None]
    return (weights @ value).transpose(1, 2).contiguous(), None


def normalised(scores: np.ndarray) -> np.ndarray:
    scores = np.tril(scores.astype(float))
    mass = scores.sum(1, keepdims=True)
    return np.where(mass > 0, scores / np.where(mass > 0, mass, 1), np.eye(len(scores))[0])


def simple_patterns(ids: np.ndarray, tokens: list[str]) -> dict[str, np.ndarray]:
    """Simple patterns of one sequence; a row that looks at nothing looks at the first token."""
    n = len(ids)
    i, j = np.mgrid[:n, :n]
    before = np.concatenate([[-1], ids[:-1]])
    is_start = np.array([not t[0].isalpha() for t in tokens])
    is_stop = np.array([t in {".", "!", "?", '."', '!"'} for t in tokens])
    same = (ids[:, None] == ids[None]) & (i > j)
    induction = (ids[:, None] == before[None]) & (i > j)

    def latest(mask: np.ndarray) -> np.ndarray:
        return mask & (j == np.where(mask & (j <= i), j, -1).max(1, keepdims=True))

    patterns: dict[str, np.ndarray] = {
        "first token": j == 0,
        "self": i == j,
        "previous token": j == np.maximum(i - 1, 0),
        "two back": j == np.maximum(i - 2, 0),
        "three back": j == np.maximum(i - 3, 0),
        "uniform": j >= 0,
        "same token before": same,
        "same token and self": same | (i == j),
        "latest same token": latest(same),
        "induction": induction,
        "latest induction": latest(induction),
        "word start": latest(np.broadcast_to(is_start, (n, n))),
        "sentence so far": np.cumsum(is_stop)[:, None] - is_stop[:, None] == np.cumsum(is_stop)[None] - is_stop[None],
        "latest full stop": latest(np.broadcast_to(is_stop, (n, n)) & (j < i)),
        "all full stops": np.broadcast_to(is_stop, (n, n)) & (j < i),
    }
    for rate in (0.1, 0.2, 0.4, 0.8, 1.6):
        patterns[f"decay {rate}"] = np.exp(-rate * np.abs(i - j))
        patterns[f"decay {rate} without self"] = np.exp(-rate * np.abs(i - j)) * (i != j)
    patterns = {name: normalised(np.asarray(scores)) for name, scores in patterns.items()}
    sink = normalised(j == 0)
    for name in list(patterns):
        if name not in {"first token", "uniform"}:
            patterns[f"{name} + first token"] = (patterns[name] + sink) / 2
    return patterns


@torch.inference_mode()
def head_scores(model: Any, tokenizer: Any, texts: list[str], n_tokens: int = 64) -> tuple[dict[str, np.ndarray], Any]:
    """Mean IoU of every simple pattern as `(L, H)`, and the mean mass on the first token."""
    totals: dict[str, np.ndarray] = {}
    first, count = 0.0, 0
    for text in texts:
        ids = tokenizer(text, return_tensors="pt").input_ids[:, :n_tokens]
        if ids.shape[1] < n_tokens:
            continue
        attentions = torch.stack(model(input_ids=ids, output_attentions=True).attentions)[:, 0].double().numpy()
        first, count = first + attentions[:, :, 1:, 0].mean(-1), count + 1
        for name, pattern in simple_patterns(ids[0].numpy(), tokenizer.convert_ids_to_tokens(ids[0])).items():
            shared = np.minimum(attentions, pattern).sum((-1, -2))
            totals[name] = totals.get(name, 0) + shared / np.maximum(attentions, pattern).sum((-1, -2))
    print(f"3. {count} held-out sequences of {n_tokens} tokens")
    return {name: total / count for name, total in totals.items()}, first / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--hold-out", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    documents = read_documents(options.text)
    held_out = [documents[index] for index in held_out_indices(len(documents), options.hold_out, options.seed)]
    ours = load(options.model)
    readers = [ours] + ([load(options.teacher)] if options.teacher else [])
    texts = [cut(text, *readers) for text in held_out]

    bits = []
    for name, reader in zip(("model", "teacher"), readers, strict=False):
        nats, n_tokens, n_bytes = loss(*reader, texts)
        bits.append(nats / n_bytes / math.log(2))
        print(
            f"1. {name}: {bits[-1]:.4f} bits per byte over {n_bytes} bytes; {n_tokens} tokens, "
            f"{n_bytes / n_tokens:.2f} bytes each, loss {nats / n_tokens:.4f}"
        )
    if len(bits) > 1:
        print(f"1. model / teacher: {bits[0] / bits[1]:.3f}")

    scores, first = head_scores(*ours, held_out)
    nats, n_tokens, _ = loss(*ours, texts)
    AttentionInterface.register("uniform", uniform_attention)
    ours[0].set_attn_implementation("uniform")
    uniform_nats, _, _ = loss(*ours, texts)
    neural, uniform = math.exp(nats / n_tokens), math.exp(uniform_nats / n_tokens)
    print(f"2. perplexity {neural:.2f}, with uniform attention {uniform:.2f}: {uniform / neural:.1f} times")

    for layer, heads in enumerate(first):
        for head, mass in enumerate(heads):
            best = sorted(((score[layer, head], name) for name, score in scores.items()), reverse=True)[:3]
            print(f"3. L{layer}H{head} first {mass:.2f}  " + "  ".join(f"{name} {score:.2f}" for score, name in best))


if __name__ == "__main__":
    main()

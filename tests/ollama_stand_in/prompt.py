"""What of a conversation the model gets to read.

1. Whole messages are dropped from the front until the prompt has at most `num_ctx` tokens; system messages and the
   last message stay (`server/prompt.go`).
2. A prompt that still fills the window is cut between its first `num_keep` tokens and its end. Since Ollama 0.30 it
   is cut to about half of the window, 2050 tokens of 4096, to make room for the answer (`llm/llama_server.go`);
   before, to the window.

Neither is an error: only `prompt_eval_count` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Truncation(StrEnum):
    """How much of a prompt is left that does not fit."""

    HALF = "half"
    """About half of the window, as Ollama since 0.30."""
    WINDOW = "window"
    """All of the window, as Ollama before."""


@dataclass(frozen=True)
class Read:
    """A prompt after truncation."""

    text: str
    """What the model read."""
    tokens: int
    """How many tokens that were: `prompt_eval_count`."""
    sent: int
    """How many tokens all messages were."""


def render(messages: Sequence[dict[str, Any]]) -> str:
    """The messages in the template that `/api/show` names."""
    turns = "".join(f"<|{message['role']}|>\n{message.get('content', '')}\n" for message in messages)
    return f"{turns}<|assistant|>\n"


def count(tokenizer: Tokenizer, text: str) -> int:
    """Tokens of a prompt, with those that the tokenizer adds."""
    return len(tokenizer.encode(text).ids)


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    """The text token by token; those of one character come together. Joined they are the text."""
    starts = sorted({start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets} | {0})
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True) if start < end]


def fit(
    messages: Sequence[dict[str, Any]], tokenizer: Tokenizer, num_ctx: int, num_keep: int, truncation: Truncation
) -> Read:
    """What is left of the messages in a window of `num_ctx` tokens."""
    sent = count(tokenizer, render(messages))
    for first in range(len(messages)):
        system = [message for message in messages[:first] if message["role"] == "system"]
        text = render([*system, *messages[first:]])
        if count(tokenizer, text) <= num_ctx:
            break
    encoding = tokenizer.encode(text)
    tokens = len(encoding.ids)
    if tokens <= (num_ctx - 1 if truncation is Truncation.HALF else num_ctx):
        return Read(text, tokens, sent)
    keep = max(0, min((tokens if num_keep < 0 else num_keep) + encoding.special_tokens_mask[0], num_ctx - 1))
    limit = num_ctx - max((num_ctx - keep) // 2, 1) if truncation is Truncation.HALF else num_ctx
    start = encoding.offsets[keep - 1][1] if keep else 0
    return Read(text[:start] + text[encoding.offsets[tokens - (limit - keep)][0] :], limit, sent)

"""How many tokens a prompt has, for a tokenizer that we do not have; and whether the server cut a prompt, silently.

Ollama cuts a prompt that does not fit its window and says nothing; all there is to see is `prompt_eval_count`. A cut
prompt has one of two lengths: the whole window, or, since Ollama 0.30, what is kept of its beginning plus half of the
rest. Beyond that, a prompt that has far fewer tokens than any tokenizer makes of its characters was cut as well.
Source: github.com/ollama/ollama, `server/prompt.go` and `llm/llama_server.go`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from readhead.synthesis.ollama.client import KEPT, Answer

LEAST_WINDOW: Final = 4096
_FIRST_GUESS: Final = 3.0
"""Characters a token before anything is known: fewer than large tokenizers put into one, to be on the safe side."""
_MOST: Final = 6.0
"""No tokenizer makes fewer tokens of such text."""
_LEAST: Final = 0.5
_MARGIN: Final = 1.1
_TEMPLATE: Final = 32
"""Tokens that the model's template may add to a prompt."""
_SHORTFALL: Final = 0.75
"""A prompt with less than this share of the tokens that earlier ones lead to expect was cut."""


class Ruler:
    """Measures text in tokens, better with each answer."""

    def __init__(self) -> None:
        self.per_token = _FIRST_GUESS
        """Characters a token."""
        self._learnt = False

    def tokens(self, characters: int) -> int:
        """Tokens that so many characters take, rather too many than too few."""
        return int(characters / self.per_token * _MARGIN) + _TEMPLATE

    def window(self, characters: int, reply_tokens: int, most: int) -> int:
        """The context to ask for: a power of two, since another one makes the server load the model anew.

        Args:
            characters: of the prompt.
            reply_tokens: that must fit behind it.
            most: tokens that the model was made for.
        """
        needed = self.tokens(characters) + reply_tokens
        window = LEAST_WINDOW
        while window < needed:
            window *= 2
        return min(window, most)

    def measure(self, answer: Answer) -> Answer:
        """Learn from an answer how long its prompt was; the answer with whether the server cut that prompt."""
        if not answer.prompt_tokens:
            return answer  # it does not say
        if self._is_cut(answer):
            longer = min(self.per_token, answer.characters / answer.window)
            self.per_token = max(longer * _SHORTFALL, _LEAST)
            self._learnt = False  # that is a guess again: no answer can be told from others by it
            return replace(answer, cut=True)
        self.per_token = min(max(answer.characters / answer.prompt_tokens, _LEAST), _MOST)
        self._learnt = True
        return answer

    def _is_cut(self, answer: Answer) -> bool:
        characters, counted, window = answer.characters, answer.prompt_tokens, answer.window
        half = window - (window - KEPT) // 2
        at_limit = counted >= window - 1 or half <= counted <= half + 1
        too_few = counted * _MOST < characters
        unlike_others = self._learnt and counted < characters / self.per_token * _SHORTFALL
        return at_limit or too_few or unlike_others

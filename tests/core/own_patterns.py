"""A model's own patterns in the guise of programs' predictions: put in, they must change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from readhead.attention import record_patterns
from readhead.heads import HeadId
from readhead.patterns import Array, pack
from readhead.program import Program, parse
from readhead.sandbox import Failure
from readhead.surrogates.predictions import Found, Ids, Prediction, Predictions

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def every_head(model: PreTrainedModel) -> dict[HeadId, Program]:
    """For each head a program of its own."""
    config = model.config.get_text_config()
    heads = [HeadId(layer, k) for layer in range(config.num_hidden_layers) for k in range(config.num_attention_heads)]
    return {
        head: parse(f"def head(s):\n    return s.first * {k + 1}\n", name=str(head)) for k, head in enumerate(heads)
    }


class OwnPatterns(Predictions):
    """Knows for the program of each head what the head itself does.

    Args:
        model: a copy of the one that runs: it is run while the other runs.
        fails: tokens; on a text with one of them every program fails.
    """

    def __init__(self, model: PreTrainedModel, *, fails: Sequence[int] = ()) -> None:
        self.model = model
        self.fails = set(fails)
        self.fetched: list[Ids] = []
        self._own: dict[Ids, dict[str, Array]] = {}

    def fetch(self, programs: Iterable[Program], texts: Sequence[Ids]) -> Found:
        self.fetched += texts
        for ids in texts:
            if ids not in self._own:
                patterns = record_patterns(self.model, torch.tensor([ids]))
                self._own[ids] = {
                    str(HeadId(layer, head)): pack(each.numpy())
                    for layer, pattern in patterns.items()
                    for head, each in enumerate(pattern[0])
                }
        return {(program.source, ids): self._prediction(program, ids) for program in programs for ids in texts}

    def _prediction(self, program: Program, ids: Ids) -> Prediction:
        if self.fails & set(ids):
            return Prediction(None, Failure("error", "no such text"))
        return Prediction(self._own[ids][program.name], None)

    def refuse_unfit(self, board: Mapping[HeadId, Program], texts: Sequence[Ids]) -> None:
        """None is."""

"""Perplexity of switchboards: right, the same with and without reuse, bounded, progressive."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from core.architectures import each_architecture, tiny_model, tokens
from core.own_patterns import OwnPatterns, every_head
from core.tokenizers_in_tests import byte_level_bpe
from readhead import attention
from readhead.attention import run_batch
from readhead.bounded import Bounded
from readhead.corpus import TokenSequence
from readhead.errors import ModelError
from readhead.heads import Geometry, HeadId
from readhead.models import LoadedModel
from readhead.patterns import pack
from readhead.program import parse
from readhead.surrogates.impact import Impact, bootstrap
from readhead.surrogates.meter import Meter
from readhead.surrogates.predictions import Prediction
from readhead.surrogates.switchboard import Board, Control
from readhead.tokens import Text

COUNT, LENGTH = 20, 12
Flip = dict[HeadId, Control]


def wrapped(model: Any) -> LoadedModel:
    config = model.config.get_text_config()
    geometry = Geometry(config.num_hidden_layers, config.num_attention_heads)
    return LoadedModel("tiny", model, byte_level_bpe(), geometry, torch.device("cpu"), "f" * 16)


def sequences(count: int = COUNT) -> list[TokenSequence]:
    rows = tokens(count, LENGTH).tolist()
    return [TokenSequence(tuple(row), Text(tuple(map(str, row)))) for row in rows]


def meter_of(model: Any, **options: Any) -> Meter:
    return Meter(wrapped(model), sequences(), OwnPatterns(copy.deepcopy(model)), **options)


@pytest.fixture(scope="module", params=each_architecture())
def model(request: pytest.FixtureRequest) -> Any:
    return tiny_model(request.param)


@pytest.fixture(scope="module")
def gpt2() -> Any:
    return tiny_model("gpt2")


@pytest.fixture
def meter(gpt2: Any) -> Iterator[Meter]:
    with meter_of(gpt2) as entered:
        yield entered


def flips() -> list[Flip]:
    return [
        {HeadId(2, 1): Control.UNIFORM},
        {HeadId(1, 0): Control.ZERO, HeadId(2, 1): Control.UNIFORM},
        {HeadId(2, 3): Control.FIRST},
        {HeadId(0, 2): Control.FIRST},
        {},
    ]


def test_the_neural_loss_is_what_the_model_itself_gives(model: Any) -> None:
    with meter_of(model) as meter, torch.inference_mode():
        ids = tokens(COUNT, LENGTH)
        logits = run_batch(model, ids).logits[:, :-1].log_softmax(-1)
        expected = -logits.gather(-1, ids[:, 1:, None]).squeeze(-1).sum(-1)
        assert np.allclose(meter.losses({}), expected.numpy(), rtol=1e-5)


def test_own_patterns_cost_nothing(model: Any) -> None:
    with meter_of(model) as meter:
        impact = meter.impact(every_head(model), details=True)
        assert abs(impact.increase) < 1e-5
        assert impact.divergence == pytest.approx(0, abs=1e-5)
        assert impact.agreement == pytest.approx(1, abs=0.01)


def test_flips_that_begin_at_a_higher_layer_give_the_same(model: Any) -> None:
    plainly, reusing = meter_of(model, memory=0), meter_of(copy.deepcopy(model))
    with plainly as plain, reusing:
        assert reusing.reuses_layers, "every architecture that is known"
        for flip in flips():
            assert np.allclose(plain.losses(flip), reusing.losses(flip), atol=1e-4)


def test_a_flip_runs_the_layers_from_its_own_on(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    deepest = Meter._deepest
    begun: list[int] = []

    def note(self: Meter, *arguments: Any) -> Any:
        begun.append(deepest(self, *arguments)[0])
        return deepest(self, *arguments)

    monkeypatch.setattr(Meter, "_deepest", note)
    meter.losses({})
    assert set(begun) == {0}
    begun.clear()
    meter.losses({HeadId(2, 1): Control.UNIFORM})
    assert set(begun) == {2}
    begun.clear()
    meter.losses({HeadId(2, 1): Control.UNIFORM, HeadId(1, 1): Control.ZERO})
    assert set(begun) == {1}
    begun.clear()
    meter.losses({HeadId(2, 1): Control.UNIFORM})
    assert not begun, "it is known"


def test_controls_are_what_they_say(gpt2: Any) -> None:
    ids, rows = tokens(COUNT, LENGTH), torch.arange(1, LENGTH + 1)
    matrices = {
        Control.ZERO: torch.zeros(LENGTH, LENGTH),
        Control.UNIFORM: torch.ones(LENGTH, LENGTH).tril() / rows[:, None],
        Control.FIRST: torch.eye(LENGTH)[0].expand(LENGTH, -1),
    }
    with meter_of(gpt2) as meter:
        found = {control: meter.losses({HeadId(1, 2): control}) for control in Control}
    for control, matrix in matrices.items():
        batch = matrix.expand(COUNT, -1, -1)

        def hook(layer: int, _own: Any, batch: torch.Tensor = batch) -> dict[int, torch.Tensor]:
            return {2: batch} if layer == 1 else {}

        with attention.hooked(gpt2, hook), torch.inference_mode():
            logits = run_batch(gpt2, ids).logits[:, :-1].log_softmax(-1)
        expected = -logits.gather(-1, ids[:, 1:, None]).squeeze(-1).sum(-1)
        assert np.allclose(found[control], expected.numpy(), rtol=1e-5)


def test_estimates_come_early_and_end_in_the_whole(meter: Meter) -> None:
    board: Board = {HeadId(0, 0): Control.FIRST}
    estimates = list(meter.estimates(board))
    assert [estimate.sequences for estimate in estimates] == [4, COUNT]
    assert estimates[0].preliminary
    assert estimates[0].interval is None
    assert estimates[-1].increase == pytest.approx(meter.increase(board))
    assert next(meter.estimates({}, within=0.5)).sequences == 4


def test_an_estimate_that_is_good_enough_is_the_last(gpt2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readhead.surrogates.meter.BATCH_TOKENS", 4 * LENGTH)
    with meter_of(gpt2) as meter:
        board: Board = {HeadId(0, 0): Control.FIRST}
        assert [each.sequences for each in meter.estimates(board, within=100.0)] == [4, 8, 12, 16]
        assert [each.sequences for each in meter.estimates(board)] == [4, 8, 12, 16, 20]


def test_a_head_whose_program_fails_is_neural_there_and_counted(gpt2: Any) -> None:
    listed = sequences()
    failing = [sequence.ids[3] for sequence in listed[:3]]
    predictions = OwnPatterns(copy.deepcopy(gpt2), fails=failing)
    count = sum(bool(set(failing) & set(sequence.ids)) for sequence in listed)
    with Meter(wrapped(gpt2), listed, predictions) as meter:
        impact = meter.impact(every_head(gpt2))
        assert impact.failed == dict.fromkeys(every_head(gpt2), count)
        assert abs(impact.increase) < 1e-5


def test_the_model_is_left_as_it_was(gpt2: Any) -> None:
    before = {name: dict(module.__dict__) for name, module in gpt2.named_modules()}
    with meter_of(gpt2) as meter:
        meter.losses({HeadId(1, 0): Control.ZERO})
        meter.losses({HeadId(2, 0): Control.ZERO})
    for name, module in gpt2.named_modules():
        assert module.__dict__.keys() == before[name].keys()
        assert module.config is before[name]["config"] if "config" in before[name] else True
        assert not module._forward_hooks


def test_out_of_memory_names_a_smaller_setting(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("readhead.surrogates.meter.run_batch", explode)
    with pytest.raises(ModelError, match="4 texts of 12 tokens") as refusal:
        meter.losses({})
    assert "--length 6" in refusal.value.hint


def test_other_errors_of_a_model_are_not_taken_for_a_lack_of_memory(
    meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: Any, **__: Any) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr("readhead.surrogates.meter.run_batch", explode)
    with pytest.raises(RuntimeError, match="mat1"):
        meter.losses({})


def test_the_loss_is_the_same_however_little_is_remembered(gpt2: Any) -> None:
    boards = [*flips(), every_head(gpt2), {HeadId(1, 1): every_head(gpt2)[HeadId(1, 1)]}]
    plainly, tightly = meter_of(gpt2, memory=0), meter_of(copy.deepcopy(gpt2), memory=40_000)
    with plainly, tightly:
        for board in boards * 2:
            assert np.allclose(plainly.losses(board), tightly.losses(board), atol=1e-4)


def test_what_is_kept_stays_within_its_bounds() -> None:
    kept: Bounded[str, str] = Bounded(10)
    for name in "abc":
        kept.put(name, name, 4)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (None, "b", "c")
    kept.get("b")
    kept.put("d", "d", 4)
    assert (kept.get("b"), kept.get("c"), kept.get("d")) == ("b", None, "d")
    kept.put("e", "e", 11)
    assert kept.get("e") is None


# ---- figures ---------------------------------------------------------------------------------------------------------


def impact(differences: list[float], predicted: int = 10) -> Impact:
    neural = np.linspace(20, 30, len(differences))
    return Impact(neural, neural + np.array(differences), predicted, 1)


def test_the_increase_is_of_the_total_loss() -> None:
    told = impact([1.0, 3.0])
    assert told.increase == pytest.approx(math.exp(4 / 20) - 1)
    assert told.perplexity / told.neural_perplexity - 1 == pytest.approx(told.increase)
    assert told.as_dict()["low"] is None
    assert impact([1e6] * 20).as_dict()["increase_percent"] > 1e300


def test_the_interval_is_paired_seeded_and_covers_the_mean() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for seed in range(100):
        differences = rng.normal(0.05, 0.1, 64)
        low, high = bootstrap(differences, seed)
        assert (low, high) == bootstrap(differences, seed)
        inside += low <= math.expm1(0.05) <= high
    assert 88 <= inside <= 99
    assert bootstrap(np.full(20, 0.1)) == pytest.approx((math.expm1(0.1), math.expm1(0.1)))


def test_a_program_that_sees_the_window_only_is_made_whole_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that looks at the first token, in a layer that sees the last four."""
    model = tiny_model("mistral")
    program = parse("def head(s):\n    return s.first\n")
    first = np.zeros((LENGTH, LENGTH), np.float32)
    first[:, 0] = 1
    predictions = OwnPatterns(copy.deepcopy(model))
    monkeypatch.setattr(predictions, "_prediction", lambda *_: Prediction(pack(first), None))
    seen: dict[str, torch.Tensor] = {}
    overwrite = attention._overwrite

    def note(output: torch.Tensor, value: torch.Tensor, replacements: Any) -> torch.Tensor:
        seen.update({str(head): matrix for head, matrix in replacements.items()})
        return overwrite(output, value, replacements)

    monkeypatch.setattr("readhead.attention._overwrite", note)
    with Meter(wrapped(model), sequences(2), predictions) as meter:
        meter.losses({HeadId(0, 3): program})
    rows = seen["3"][0]
    assert torch.allclose(rows.sum(-1), torch.ones(LENGTH))
    assert rows.argmax(-1).tolist() == [max(0, row - 3) for row in range(LENGTH)]

"""Programs in the running model: exact with own patterns, whatever is run; refused by name where that cannot be."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, DynamicCache, GenerationConfig, GPT2LMHeadModel, PreTrainedModel, StaticCache

import readhead
from core.architectures import LENGTH, SEVERAL, each_architecture, logits, padded, tiny_model, tokens
from core.own_patterns import OwnPatterns, every_head
from core.tokenizers_in_tests import byte_level_bpe
from readhead.attention import run_batch
from readhead.errors import ModelError, ProgramError, UsageError
from readhead.heads import HeadId
from readhead.models import LoadedModel
from readhead.surrogates.hybrid import Hybrid, check_language_model, replaced
from readhead.surrogates.switchboard import Switchboard

CLOSE = 5e-5
FIRST = "def head(s):\n    return s.first\n"
UNIFORM = "def head(s):\n    return s.every\n"
AHEAD = "def head(s):\n    return np.exp(s.key.is_stop * 3.0) / np.exp(s.key.is_stop * 3.0).sum() + s.itself * s.n\n"
FAILS_ON_RED = "def head(s):\n    return s.first / (1 if 'red' not in ''.join(s.tokens) else [][0])\n"


@pytest.fixture(scope="module", params=each_architecture())
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return tiny_model(request.param)


@pytest.fixture(scope="module", params=SEVERAL)
def some_model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return tiny_model(request.param)


def own(model: PreTrainedModel, **options: Any) -> Any:
    predictions = OwnPatterns(copy.deepcopy(model), **options)
    return replaced(model, every_head(model), tokenizer=byte_level_bpe(), predictions=predictions)


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


def test_own_patterns_reproduce_the_logits(model: PreTrainedModel) -> None:
    neural = logits(model, tokens())
    with own(model):
        assert distance(logits(model, tokens()), neural) < CLOSE
    assert torch.equal(logits(model, tokens()), neural)


@pytest.mark.parametrize("side", ["left", "right"])
def test_own_patterns_reproduce_the_logits_of_a_padded_batch(some_model: PreTrainedModel, side: str) -> None:
    input_ids, mask = padded([tokens(1, length, seed=length) for length in (LENGTH, LENGTH - 3, 5)], side)
    neural = logits(some_model, input_ids, mask)
    with own(some_model):
        hybrid = logits(some_model, input_ids, mask)
    assert distance(hybrid[mask.bool()], neural[mask.bool()]) < CLOSE


def test_padding_at_the_end_that_comes_without_a_mask_changes_nothing(some_model: PreTrainedModel) -> None:
    long, short = tokens(1, LENGTH), tokens(1, 6, seed=6)
    batch = torch.cat([long, torch.cat([short, torch.zeros(1, LENGTH - 6, dtype=torch.long)], 1)])
    with own(some_model):
        together = logits(some_model, batch)
        assert distance(together[1, :6], logits(some_model, short)[0]) < CLOSE
        assert distance(together[0], logits(some_model, long)[0]) < CLOSE


@pytest.mark.parametrize("use_cache", [True, False])
def test_generated_text_is_the_neural_one_token_for_token(some_model: PreTrainedModel, use_cache: bool) -> None:  # noqa: FBT001 - pytest passes it
    input_ids, mask = padded([tokens(1, length, seed=length) for length in (9, 6, 3)], "left")
    options: dict[str, Any] = {"max_new_tokens": 12, "do_sample": False, "use_cache": use_cache, "eos_token_id": None}
    neural = some_model.generate(input_ids, attention_mask=mask, **options)
    with own(some_model):
        assert torch.equal(some_model.generate(input_ids, attention_mask=mask, **options), neural)


@pytest.mark.parametrize("chunks", [(6, 1, 1, 6), (3, 8, 3)])
def test_a_text_in_chunks_with_a_cache_is_the_text_at_once(
    some_model: PreTrainedModel, chunks: tuple[int, ...]
) -> None:
    with own(some_model):
        whole = logits(some_model, tokens())
        cache = DynamicCache(config=some_model.config)
        with torch.inference_mode():
            parts = [
                run_batch(some_model, part, past_key_values=cache, use_cache=True).logits
                for part in tokens().split(list(chunks), 1)
            ]
    assert distance(torch.cat(parts, 1), whole) < CLOSE


def test_without_programs_the_model_is_the_same_bit_by_bit(model: PreTrainedModel) -> None:
    neural = logits(model, tokens())
    with replaced(model, {}, tokenizer=byte_level_bpe()):
        assert torch.equal(logits(model, tokens()), neural)


# ---- real programs ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hybrid_of(tiny_gpt2: GPT2LMHeadModel) -> Any:
    def enter(programs: Any) -> Any:
        return replaced(tiny_gpt2, programs, tokenizer=byte_level_bpe())

    return enter


@pytest.fixture
def ids() -> torch.Tensor:
    return torch.tensor([byte_level_bpe()("Tom saw the red ball. Mia ran home.")["input_ids"]])


def test_blocks_nest_and_the_inner_one_goes_first(
    tiny_gpt2: GPT2LMHeadModel, hybrid_of: Any, ids: torch.Tensor
) -> None:
    neural = logits(tiny_gpt2, ids)
    with hybrid_of({"L0H0": FIRST, "L1H1": FIRST}):
        both = logits(tiny_gpt2, ids)
    with hybrid_of({"L0H0": UNIFORM, "L1H1": FIRST}):
        outer = logits(tiny_gpt2, ids)
        with hybrid_of({"L0H0": FIRST}):
            assert torch.equal(logits(tiny_gpt2, ids), both)
        assert torch.equal(logits(tiny_gpt2, ids), outer)
    assert not torch.equal(outer, both)
    assert torch.equal(logits(tiny_gpt2, ids), neural)
    with pytest.raises(KeyError), hybrid_of({"L0H0": FIRST}):
        raise KeyError
    assert torch.equal(logits(tiny_gpt2, ids), neural)


def test_a_hybrid_can_be_switched_off_and_on(tiny_gpt2: GPT2LMHeadModel, hybrid_of: Any, ids: torch.Tensor) -> None:
    neural = logits(tiny_gpt2, ids)
    with hybrid_of({"L0H0": FIRST}) as hybrid:
        hybrid.active = False
        assert torch.equal(logits(tiny_gpt2, ids), neural)
        hybrid.active = True
        assert not torch.equal(logits(tiny_gpt2, ids), neural)


def test_a_head_is_neural_on_texts_where_its_program_fails(
    tiny_gpt2: GPT2LMHeadModel, hybrid_of: Any, ids: torch.Tensor
) -> None:
    neural = logits(tiny_gpt2, ids)
    with hybrid_of({"L0H0": FAILS_ON_RED, "L1H0": FAILS_ON_RED}) as hybrid:
        assert distance(logits(tiny_gpt2, ids), neural) < CLOSE
        assert hybrid.failed == {HeadId(0, 0): 1, HeadId(1, 0): 1}
        assert not torch.equal(logits(tiny_gpt2, ids[:, :5]), neural[:, :5])
        assert hybrid.failed == {HeadId(0, 0): 1, HeadId(1, 0): 1}


def test_programs_come_as_files_texts_or_a_switchboard(
    tiny_gpt2: GPT2LMHeadModel, hybrid_of: Any, ids: torch.Tensor, tmp_path: Path
) -> None:
    (tmp_path / "first.py").write_text(FIRST)
    with hybrid_of({"L0H1": FIRST}) as hybrid:
        expected = logits(tiny_gpt2, ids)
        assert isinstance(hybrid, Hybrid)
    with hybrid_of({HeadId(0, 1): tmp_path / "first.py"}):
        assert torch.equal(logits(tiny_gpt2, ids), expected)
    Switchboard({HeadId(0, 1): readhead.program.parse(FIRST)}).save(tmp_path / "board.json")
    with readhead.replaced(tiny_gpt2, readhead.Switchboard.load(tmp_path / "board.json"), tokenizer=byte_level_bpe()):
        assert torch.equal(logits(tiny_gpt2, ids), expected)


# ---- refused by name -------------------------------------------------------------------------------------------------


@pytest.fixture
def gpt2_with_first(tiny_gpt2: GPT2LMHeadModel, hybrid_of: Any) -> Iterator[GPT2LMHeadModel]:
    with hybrid_of({"L0H0": FIRST}):
        yield tiny_gpt2


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"num_beams": 2}, "beam search"),
        ({"prompt_lookup_num_tokens": 2}, "assisted decoding"),
        ({"cache_implementation": "static"}, "a static cache"),
        ({"generation_config": GenerationConfig(num_beams=3)}, "beam search"),
    ],
)
def test_generate_refuses_by_name_before_it_begins(
    gpt2_with_first: GPT2LMHeadModel, ids: torch.Tensor, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(ModelError, match=named):
        gpt2_with_first.generate(ids, max_new_tokens=3, pad_token_id=0, **options)


def test_several_texts_are_drawn_from_one_prompt(gpt2_with_first: GPT2LMHeadModel, ids: torch.Tensor) -> None:
    options: dict[str, Any] = {"do_sample": True, "num_return_sequences": 3, "max_new_tokens": 5, "pad_token_id": 0}
    torch.manual_seed(0)
    cached = gpt2_with_first.generate(ids, **options)
    torch.manual_seed(0)
    assert torch.equal(gpt2_with_first.generate(ids, use_cache=False, **options), cached)


def test_static_caches_are_refused(gpt2_with_first: GPT2LMHeadModel, ids: torch.Tensor) -> None:
    cache = StaticCache(config=gpt2_with_first.config, max_cache_len=40)
    with pytest.raises(ModelError, match="static caches"), torch.inference_mode():
        gpt2_with_first(ids, past_key_values=cache, use_cache=True)


def test_embeddings_without_tokens_are_refused(gpt2_with_first: GPT2LMHeadModel) -> None:
    with pytest.raises(ModelError, match="inputs_embeds"):
        gpt2_with_first(inputs_embeds=torch.zeros(1, 3, 16))


def test_a_mask_of_another_shape_is_refused(gpt2_with_first: GPT2LMHeadModel, ids: torch.Tensor) -> None:
    with pytest.raises(ModelError, match="attention mask"):
        gpt2_with_first(ids, attention_mask=torch.ones(1, 1, ids.shape[1], ids.shape[1], dtype=torch.bool))


def test_a_cache_filled_elsewhere_is_refused(
    tiny_gpt2: GPT2LMHeadModel, gpt2_with_first: GPT2LMHeadModel, ids: torch.Tensor
) -> None:
    cache = DynamicCache(config=tiny_gpt2.config)
    for layer in range(2):
        cache.update(torch.zeros(1, 2, 3, 8), torch.zeros(1, 2, 3, 8), layer)
    with pytest.raises(ModelError, match="filled outside"), torch.inference_mode():
        gpt2_with_first(ids[:, :1], past_key_values=cache, use_cache=True)


def test_a_cache_that_was_tampered_with_is_refused(gpt2_with_first: GPT2LMHeadModel, ids: torch.Tensor) -> None:
    two, one = torch.cat([ids, ids.flip(1)]), torch.tensor([[5], [5]])
    with torch.inference_mode():
        swapped = gpt2_with_first(two, use_cache=True).past_key_values
        swapped.reorder_cache(torch.tensor([1, 0]))
        with pytest.raises(ModelError, match="beam search"):
            gpt2_with_first(one, past_key_values=swapped, use_cache=True)
        cut = gpt2_with_first(two, use_cache=True).past_key_values
        cut.crop(-2)
        with pytest.raises(ModelError, match="assisted decoding"):
            gpt2_with_first(one, past_key_values=cut, use_cache=True)


def test_a_cache_serves_the_outer_block_after_the_inner_one_and_copies_of_it_serve_too(
    tiny_gpt2: GPT2LMHeadModel, hybrid_of: Any, ids: torch.Tensor
) -> None:
    with hybrid_of({"L0H0": FIRST}), torch.inference_mode():
        whole = logits(tiny_gpt2, ids)
        cache = tiny_gpt2(ids[:, :5], use_cache=True).past_key_values
        kept = copy.deepcopy(cache)
        with hybrid_of({"L1H0": FIRST}):
            tiny_gpt2(ids[:, 5:7], past_key_values=cache, use_cache=True)
        tiny_gpt2(ids[:, 7:8], past_key_values=cache, use_cache=True)
        rest = tiny_gpt2(ids[:, 5:], past_key_values=kept, use_cache=True).logits
    assert distance(rest, whole[:, 5:]) < CLOSE


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing_enable.*:FutureWarning")
def test_gradients_are_those_of_the_hybrid_with_checkpointing_too(
    tiny_gpt2: GPT2LMHeadModel, ids: torch.Tensor
) -> None:
    model = copy.deepcopy(tiny_gpt2).train()
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    found = []
    for checkpoints in (False, True):
        if checkpoints:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.zero_grad()
        with replaced(model, {"L0H0": FIRST, "L1H1": UNIFORM}, tokenizer=byte_level_bpe()):
            model(ids, labels=ids, use_cache=False).loss.backward()
        found.append(model.transformer.wte.weight.grad.clone())
    assert torch.allclose(found[0], found[1], atol=1e-5)


@pytest.mark.parametrize(
    ("programs", "error", "message"),
    [
        ({"L0H0": AHEAD}, ProgramError, r"L0H0: it looks ahead: row \d+ \("),
        ({"L0H0": "def head(s):\n    return import os\n"}, ProgramError, "L0H0: "),
        ({"L7H0": FIRST}, UsageError, "no head L7H0"),
        ({"head": FIRST}, UsageError, "not a head"),
        ({"L0H0": "def head(s):\n    return s.nothing\n"}, ProgramError, "it gives nothing: line 2: .*nothing"),
        ({"L0H0": 3}, ProgramError, "3 is no program"),
        ("board.json", UsageError, "not heads with their programs"),
    ],
)
def test_programs_that_cannot_stand_in_are_refused(
    hybrid_of: Any, programs: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message), hybrid_of(programs):
        pytest.fail("entered")


def test_a_tokenizer_is_asked_for(tiny_gpt2: GPT2LMHeadModel) -> None:
    with pytest.raises(UsageError, match="tokenizer"), replaced(tiny_gpt2, {"L0H0": FIRST}):
        pytest.fail("entered")


def test_a_switchboard_of_another_model_is_refused(loaded: LoadedModel) -> None:
    board = Switchboard({HeadId(0, 0): readhead.program.parse(FIRST)}, "0123456789abcdef")
    with pytest.raises(UsageError, match="another model"), replaced(loaded, board):
        pytest.fail("entered")
    with pytest.raises(UsageError, match="another model"), replaced(loaded.model, board, tokenizer=loaded.tokenizer):
        pytest.fail("entered")
    own = Switchboard(board.programs, loaded.fingerprint)
    with replaced(loaded, own), replaced(loaded.model, own, tokenizer=loaded.tokenizer):
        pass


def test_a_model_without_a_language_modelling_head_has_no_perplexity(tiny_gpt2: GPT2LMHeadModel) -> None:
    check_language_model(tiny_gpt2)
    with pytest.raises(ModelError, match="no language-modelling head"):
        check_language_model(AutoModel.from_config(tiny_gpt2.config))

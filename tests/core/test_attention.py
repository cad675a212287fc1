"""The seam reads patterns exactly, replaces exactly what it is told to, and leaves nothing behind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
import transformers
from transformers import PreTrainedModel, StaticCache

from core.architectures import (
    CONFIGS,
    LENGTH,
    SEVERAL,
    WINDOW,
    Differences,
    eager_copy,
    eager_patterns,
    logits,
    measure,
    own_patterns,
    padded,
    tiny_model,
    tokens,
)
from readhead.attention import (
    ADAPTERS,
    EXACT,
    REFUSED,
    SEAM,
    check_architecture,
    hooked,
    position_ids,
    read_patterns,
    record_patterns,
    run_batch,
    seen_keys,
)
from readhead.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@pytest.fixture(scope="module", params=list(CONFIGS))
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return tiny_model(request.param)


@pytest.fixture(scope="module")
def differences(model: PreTrainedModel) -> Differences:
    return measure(model)


def nothing(_layer: int, _pattern: Callable[[], Tensor]) -> None:
    """The hook that replaces nothing."""


def first_token(_layer: int, pattern: Callable[[], Tensor]) -> dict[int, Tensor]:
    """The hook that lets head 1 of every layer look at the first token."""
    matrix = torch.zeros_like(pattern()[:, 1])
    matrix[..., 0] = 1
    return {1: matrix}


# ---- every architecture ----------------------------------------------------------------------------------------------


def test_every_supported_architecture_has_a_tiny_model() -> None:
    assert set(CONFIGS) == {*EXACT, *ADAPTERS}


def test_patterns_are_those_of_eager_attention(model: PreTrainedModel) -> None:
    patterns = record_patterns(eager_copy(model), tokens())
    for layer, own in enumerate(eager_patterns(model, tokens())):
        torch.testing.assert_close(patterns[layer], own, atol=1e-6, rtol=0)


def test_patterns_are_those_of_eager_attention_whatever_the_model_runs_with(differences: Differences) -> None:
    """The layers below differ by rounding, which adds up."""
    assert differences.eager < 5e-6


def test_heads_replaced_by_their_own_patterns_reproduce_the_logits(differences: Differences) -> None:
    assert differences.replaced < 5e-5


def test_padding_on_either_side_changes_no_logits(differences: Differences) -> None:
    assert differences.padded < 1e-4


def test_hook_that_replaces_nothing_leaves_the_logits_bit_identical(model: PreTrainedModel) -> None:
    neural = logits(model, tokens())
    with hooked(model, nothing):
        assert torch.equal(logits(model, tokens()), neural)


def test_patterns_are_causal_distributions_in_float32(model: PreTrainedModel) -> None:
    for pattern in record_patterns(model, tokens()).values():
        assert pattern.dtype == torch.float32
        assert pattern.shape == (2, 4, LENGTH, LENGTH)
        assert pattern.triu(1).abs().max() == 0
        torch.testing.assert_close(pattern.sum(-1), torch.ones(2, 4, LENGTH))


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_gets_no_weight_and_leaves_patterns_as_they_are(model: PreTrainedModel, side: str) -> None:
    text = tokens(1, 6)
    input_ids, mask = padded([tokens(1, LENGTH), text], side)
    real = mask[1].bool()
    alone = record_patterns(model, text)
    for layer, pattern in record_patterns(model, input_ids, mask).items():
        assert not pattern.isnan().any()
        assert pattern[1][:, real][..., ~real].abs().max() == 0
        torch.testing.assert_close(pattern[1][:, real][..., real], alone[layer][0], atol=1e-5, rtol=0)


def test_replaced_head_changes_the_logits_and_leaving_restores_everything(model: PreTrainedModel) -> None:
    neural, config, implementation = logits(model, tokens()), model.config, model.config._attn_implementation
    with hooked(model, first_token):
        assert not torch.equal(logits(model, tokens()), neural)
    with pytest.raises(KeyError, match="inside"), hooked(model, first_token):
        raise KeyError("inside")
    assert torch.equal(logits(model, tokens()), neural)
    assert model.config is config
    assert config._attn_implementation == implementation
    for module in model.modules():
        assert not {"_readhead", "_attn"} & set(module.__dict__)
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert getattr(getattr(module, "config", None), "_attn_implementation", "") != SEAM


# ---- several architectures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", SEVERAL)
def test_other_model_is_untouched_although_it_shares_the_config(architecture: str) -> None:
    model = tiny_model(architecture)
    other = type(model)(model.config).eval()
    neural = logits(other, tokens())
    with hooked(model, first_token):
        assert torch.equal(logits(other, tokens()), neural)
        with hooked(other, nothing):
            assert torch.equal(logits(other, tokens()), neural)


@pytest.mark.parametrize("architecture", SEVERAL)
def test_nested_hooks_both_run_and_the_inner_replacement_wins(architecture: str) -> None:
    model = tiny_model(architecture)
    computed: list[Tensor] = []

    def outer(layer: int, pattern: Callable[[], Tensor]) -> dict[int, Tensor]:
        computed.append(pattern())
        return {0: torch.zeros_like(pattern()[:, 0]), **first_token(layer, pattern)}

    def inner(_layer: int, pattern: Callable[[], Tensor]) -> dict[int, Tensor]:
        assert pattern() is computed[-1]
        return {1: pattern()[:, 1]}

    def both(_layer: int, pattern: Callable[[], Tensor]) -> dict[int, Tensor]:
        return {0: torch.zeros_like(pattern()[:, 0]), 1: pattern()[:, 1]}

    with hooked(model, both):
        expected = logits(model, tokens())
    with hooked(model, outer):
        with hooked(model, inner):
            assert torch.equal(logits(model, tokens()), expected)
        assert len(computed) == 3
        assert not torch.equal(logits(model, tokens()), expected)


@pytest.mark.parametrize("architecture", SEVERAL)
def test_generation_with_a_cache_goes_through_the_seam(architecture: str) -> None:
    model = tiny_model(architecture)
    input_ids, mask = padded([tokens(1, 8), tokens(1, 5)], "left")
    shapes: list[tuple[int, ...]] = []

    def own(layer: int, pattern: Callable[[], Tensor]) -> dict[int, Tensor]:
        shapes.append(tuple(pattern().shape))
        return own_patterns(layer, pattern)

    neural = generated_scores(model, input_ids, mask)
    with hooked(model, own):
        torch.testing.assert_close(generated_scores(model, input_ids, mask), neural, atol=1e-4, rtol=0)
    assert shapes[0] == (2, 4, 8, 8)
    assert {shape[2] for shape in shapes[3:]} == {1}
    with hooked(model, first_token):
        assert not torch.equal(generated_scores(model, input_ids, mask)[1:], neural[1:])


def generated_scores(model: PreTrainedModel, input_ids: Tensor, mask: Tensor) -> Tensor:
    """The scores `[step, B, vocabulary]` of a greedy generation."""
    generated: Any = model.generate(
        input_ids,
        attention_mask=mask,
        max_new_tokens=6,
        do_sample=False,
        eos_token_id=None,
        output_scores=True,
        return_dict_in_generate=True,
    )
    return torch.stack(generated.scores)


@pytest.mark.parametrize("architecture", SEVERAL)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_models_give_float32_patterns_close_to_those_of_float32(
    architecture: str, dtype: torch.dtype
) -> None:
    exact = record_patterns(tiny_model(architecture), tokens())
    for layer, pattern in record_patterns(tiny_model(architecture).to(dtype), tokens()).items():
        assert pattern.dtype == torch.float32
        torch.testing.assert_close(pattern.sum(-1), torch.ones(2, 4, LENGTH))
        torch.testing.assert_close(pattern, exact[layer], atol=0.1, rtol=0)


@pytest.mark.parametrize("architecture", ["llama", "mistral", "gpt2"])
def test_model_loaded_with_eager_attention_keeps_it_bit_by_bit(architecture: str) -> None:
    model = tiny_model(architecture, attn_implementation="eager")
    neural = logits(model, tokens())
    with hooked(model, nothing):
        assert torch.equal(logits(model, tokens()), neural)
    own = eager_patterns(model, tokens())
    assert all(torch.equal(own[layer], pattern) for layer, pattern in record_patterns(model, tokens()).items())


def test_upcast_attention_of_gpt2_is_kept_bit_by_bit() -> None:
    model = tiny_model("gpt2", attn_implementation="eager")
    for block in model.transformer.h:
        block.attn.reorder_and_upcast_attn = True
    neural = logits(model, tokens())
    with hooked(model, nothing):
        assert torch.equal(logits(model, tokens()), neural)


@pytest.mark.parametrize("architecture", ["mistral", "phi3", "qwen3", "gemma2", "gemma3_text", "starcoder2", "gpt_neo"])
def test_sliding_window_hides_what_lies_behind_it(architecture: str) -> None:
    patterns = record_patterns(tiny_model(architecture), tokens()).values()
    behind = [pattern.tril(-WINDOW).abs().max().item() for pattern in patterns]
    assert behind.count(0) >= 1


@pytest.mark.parametrize("architecture", ["gpt2", "gpt_neo", "bloom"])
def test_patterns_are_read_without_dropout_from_a_model_in_training(architecture: str) -> None:
    model = tiny_model(architecture)
    exact = record_patterns(model, tokens(), layers=[0])[0]
    for module in model.modules():
        # only the attention's own: the patterns of layer 0 are then the same
        module.training = type(module).__name__.endswith("Attention")
        if isinstance(module, torch.nn.Dropout) and module is _attention_dropout(model):
            module.p, module.training = 0.5, True
    torch.testing.assert_close(record_patterns(model, tokens(), layers=[0])[0], exact)


def _attention_dropout(model: PreTrainedModel) -> torch.nn.Module:
    return next(m for name, m in model.named_modules() if name.endswith(("attn_dropout", "attention_dropout")))


# ---- reading and running ---------------------------------------------------------------------------------------------


def test_reading_hands_out_layer_after_layer_and_spares_the_lm_head() -> None:
    model, order = tiny_model("llama"), []
    model.lm_head.register_forward_hook(lambda *_: pytest.fail("the LM head was run"))
    read_patterns(model, tokens(), lambda layer, _pattern: order.append(layer))
    assert order == [0, 1, 2]


def test_only_the_wanted_layers_are_recorded() -> None:
    assert list(record_patterns(tiny_model("llama"), tokens(), layers=[2, 0])) == [0, 2]


def test_pattern_is_not_computed_unless_a_hook_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readhead.attention._own_pattern", lambda *_: pytest.fail("computed"))
    model = tiny_model("llama")
    with hooked(model, nothing):
        logits(model, tokens())


def test_replaced_head_mixes_the_values_of_its_own_group() -> None:
    """With every matrix the identity, each query head hands on its group's values."""
    model = tiny_model("llama")
    attention = model.model.layers[0].self_attn
    seen: dict[str, Tensor] = {}
    attention.v_proj.register_forward_hook(lambda _m, _a, out: seen.update(value=out))
    attention.o_proj.register_forward_pre_hook(lambda _m, args: seen.update(mixed=args[0]))
    identity = torch.eye(LENGTH).expand(2, -1, -1)
    with hooked(model, lambda _layer, _pattern: dict.fromkeys(range(4), identity)):
        logits(model, tokens())
    values = seen["value"].view(2, LENGTH, 2, 8).repeat_interleave(2, 2)
    assert torch.equal(seen["mixed"].view(2, LENGTH, 4, 8), values)


def test_gradients_flow_through_a_replacement() -> None:
    model = tiny_model("llama")
    matrix = torch.full((2, LENGTH, LENGTH), 1 / LENGTH, requires_grad=True)
    with hooked(model, lambda _layer, _pattern: {0: matrix}):
        run_batch(model, tokens()).logits.sum().backward()
    assert matrix.grad is not None
    assert matrix.grad.abs().sum() > 0


def test_position_ids_count_the_tokens_that_are_no_padding() -> None:
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0]])
    assert position_ids(mask).tolist() == [[0, 0, 0, 1, 2], [0, 1, 2, 2, 2]]


def test_every_form_of_mask_reads_the_same() -> None:
    kept = torch.ones(3, 3, dtype=torch.bool).tril()[None, None]
    additive = torch.zeros(1, 1, 3, 3).masked_fill(~kept, torch.finfo(torch.float32).min)
    for mask in (None, kept, additive, additive.masked_fill(~kept, -torch.inf)):
        assert torch.equal(seen_keys(mask, 3, 3, causal=True, device=kept.device), kept)
    assert seen_keys(None, 2, 3, causal=True, device=kept.device)[0, 0].tolist() == [[True, True, False], [True] * 3]
    assert seen_keys(None, 2, 3, causal=False, device=kept.device).all()


def test_config_saved_meanwhile_does_not_mention_the_seam(tmp_path: Path) -> None:
    model = tiny_model("llama")
    with hooked(model, nothing):
        model.config.save_pretrained(tmp_path)
    assert SEAM not in (tmp_path / "config.json").read_text()


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("BertConfig", "'bert' are not supported: encoders are not supported yet"),
        ("RobertaConfig", "'roberta' are not supported: encoders are not supported yet"),
        ("T5Config", "'t5' are not supported: encoder-decoder models are not supported yet"),
        ("BartConfig", "'bart' are not supported: encoder-decoder models"),
        ("MambaConfig", "'mamba' are not supported: it has no attention patterns"),
        ("RwkvConfig", "'rwkv' are not supported: it has no attention patterns"),
        ("FalconConfig", "'falcon' are not supported: its attention is written inline"),
        ("MptConfig", "'mpt' are not supported: its attention is written inline"),
        ("GptOssConfig", "'gpt_oss' are not supported: its softmax has a learned sink"),
        ("ViTConfig", "'vit' are not supported: it is not a causal language model"),
        ("Gemma3Config", "'gemma3' are not supported: models that also read images"),
        ("MusicgenConfig", "'musicgen' are not supported"),
    ],
)
def test_unsupported_architecture_is_refused_by_name_and_reason(config: str, reason: str) -> None:
    with pytest.raises(ModelError, match=re.escape(reason)) as refusal:
        check_architecture(getattr(transformers, config)())
    assert "gpt_neox" in refusal.value.hint


def test_model_without_the_interface_is_refused_when_hooked() -> None:
    config = transformers.XGLMConfig(
        vocab_size=64, d_model=32, ffn_dim=48, num_layers=1, attention_heads=2, bos_token_id=1, eos_token_id=2
    )
    model = transformers.XGLMForCausalLM(config)
    with (
        pytest.raises(ModelError, match="'xglm' are not supported: its attention does not follow"),
        hooked(model, nothing),
    ):
        pass


def test_implementation_that_hides_its_patterns_is_refused() -> None:
    model = tiny_model("llama")
    model.config._attn_implementation_internal = "flash_attention_2"
    with pytest.raises(ModelError, match="flash_attention_2") as refusal, hooked(model, nothing):
        pass
    assert "sdpa" in refusal.value.hint


def test_static_cache_is_refused() -> None:
    model = tiny_model("llama")
    cache = StaticCache(model.config, max_cache_len=20)
    with hooked(model, nothing), pytest.raises(ModelError, match="static caches"):
        run_batch(model, tokens(), past_key_values=cache, use_cache=True)


@pytest.mark.parametrize("architecture", SEVERAL)
def test_replacement_of_a_wrong_shape_or_head_is_an_error(architecture: str) -> None:
    model = tiny_model(architecture)
    with pytest.raises(ValueError, match="shape"), hooked(model, lambda _layer, _pattern: {0: torch.ones(2, 3)}):
        logits(model, tokens())
    whole = torch.ones(2, LENGTH, LENGTH)
    with pytest.raises(ValueError, match="head 4"), hooked(model, lambda _layer, _pattern: {4: whole}):
        logits(model, tokens())


# ---- the page --------------------------------------------------------------------------------------------------------


def test_page_names_every_architecture() -> None:
    page = (Path(__file__).parents[2] / "docs" / "architectures.md").read_text()
    assert set(re.findall(r"^\| `(.+?)` \|", page, re.MULTILINE)) == {*EXACT, *ADAPTERS}
    assert dict(re.findall(r"^- `(.+?)`: (.+)$", page, re.MULTILINE)) == dict(REFUSED)

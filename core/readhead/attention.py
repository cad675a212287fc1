"""The seam: how Readhead reads and replaces attention patterns inside a running model.

A *hook* is called in every attention layer of a forward pass. It may ask for the layer's own pattern, and may give
back matrices that take the place of some heads' patterns. Everything else of the model runs as it was loaded:

1. `hooked` gives the model private copies of its configs, which select the attention function and the mask function
   registered under the name "readhead". The configs themselves stay as they are, so another model that shares them
   is unaffected. The hooks hang on the model's own modules.
2. The attention function calls the implementation that the model was loaded with, for all heads.
3. Each replaced head is overwritten by one product of its matrix with the layer's values.
4. A layer's own pattern comes from the modelling file's own eager function, in float32, so that scaling, soft caps
   and biases are the model's. It is computed only when a hook asks for it.
5. Architectures that do not follow `transformers`' AttentionInterface have an entry in `ADAPTERS` or in `REFUSED`.

Axes: `B` sequence in batch, `H` query head, `Q` query position, `K` key position. With a `DynamicCache`, query i of a
pattern stands at key `K - Q + i`; static caches are refused. A cache made with the model's config drops keys that
a sliding window has passed, so `K` may be smaller than the text.
"""

# ruff: noqa: ANN401, SLF001 - transformers types neither its attention functions nor what selects them
from __future__ import annotations

import copy
import inspect
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedConfig, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES

from readhead.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

SEAM = "readhead"
"""The name of Readhead's attention and mask function in transformers' registries."""


class AttentionHook(Protocol):
    """Called in every attention layer of a forward pass."""

    def __call__(self, layer: int, pattern: OwnPattern, /) -> Mapping[int, Tensor] | None:
        """Matrices `[B, Q, K]` to put in place of heads' patterns, by head index; None or `{}` changes nothing."""


class OwnPattern:
    """A layer's own pattern in the forward pass at hand; `pattern()` computes it at the first call.

    float32 `[B, H, Q, K]`, query heads under grouped-query attention. Rows sum to 1; the rows of padding that sees no
    key are zero.
    """

    def __init__(
        self, compute: Callable[[], Tensor], mask: Tensor | None, queries: int, keys: int, device: torch.device
    ) -> None:
        self._compute = compute
        self._mask = mask
        self._pattern: Tensor | None = None
        self.queries = queries
        self.keys = keys
        self.device = device

    def __call__(self) -> Tensor:
        """The pattern."""
        if self._pattern is None:
            self._pattern = self._compute()
        return self._pattern

    @property
    def seen(self) -> Tensor | None:
        """Which keys each query may see, bool `[B or 1, 1, Q, K]`; None where that is all keys up to its own."""
        mask = self._mask
        return None if mask is None else seen_keys(mask, self.queries, self.keys, causal=True, device=self.device)


# ---- what differs by family ------------------------------------------------------------------------------------------

EXACT = (
    "cohere",
    "gemma",
    "gemma2",
    "gemma3_text",
    "gpt2",
    "gpt_neox",
    "granite",
    "llama",
    "llama4_text",
    "mistral",
    "olmo2",
    "opt",
    "phi",
    "phi3",
    "qwen2",
    "qwen3",
    "smollm3",
    "stablelm",
    "starcoder2",
)
"""Architectures that follow the AttentionInterface and are tested; others that follow it are tried and probed."""


@dataclass(frozen=True)
class Adapter:
    """Where the attention weights of an architecture pass by that does not follow the AttentionInterface."""

    attention: str
    """Name of the class of the attention modules."""
    method: str = ""
    """Its method `(query, key, value, mask, …) -> (output, weights)`, wrapped on each instance."""
    ask: tuple[object, ...] = ()
    """Further arguments that make the method give back its weights."""
    dropout: str = ""
    """Instead of a method: its dropout module that the weights pass through. Under half precision such patterns
    have that precision."""


ADAPTERS: Mapping[str, Adapter] = {
    "bloom": Adapter("BloomAttention", dropout="attention_dropout"),
    "codegen": Adapter("CodeGenAttention", method="_attn"),
    "gpt_neo": Adapter("GPTNeoSelfAttention", method="_attn"),
    "gptj": Adapter("GPTJAttention", method="_attn"),
    "openai-gpt": Adapter("Attention", method="_attn", ask=(True,)),
}

_INLINE = "its attention is written inline and follows no interface that Readhead could enter"
_NO_ATTENTION = "it has no attention patterns to read"
_SINKS = "its softmax has a learned sink, so the rows of its patterns do not sum to 1"
_MIXED = "only some of its layers are attention layers"
REFUSED: Mapping[str, str] = {
    "bamba": _MIXED,
    "deepseek_v4": _SINKS,
    "falcon": _INLINE,
    "falcon_h1": _MIXED,
    "falcon_mamba": _NO_ATTENTION,
    "gpt_oss": _SINKS,
    "granitemoehybrid": _MIXED,
    "jamba": _MIXED,
    "lfm2": _MIXED,
    "mamba": _NO_ATTENTION,
    "mamba2": _NO_ATTENTION,
    "mpt": _INLINE,
    "nemotron_h": _MIXED,
    "qwen3_next": _MIXED,
    "recurrent_gemma": _MIXED,
    "rwkv": _NO_ATTENTION,
    "xlstm": _NO_ATTENTION,
    "zamba": _MIXED,
    "zamba2": _MIXED,
}
"""Architectures that are known not to work, and why."""

_OWN_IMPLEMENTATIONS = ("eager", "sdpa")


def check_architecture(config: PreTrainedConfig) -> None:
    """Refuses a model of which the config alone shows that its patterns cannot be read.

    Raises:
        ModelError: naming the architecture and the reason.
    """
    architecture = config.model_type
    try:
        text = config.get_text_config(decoder=True)
    except ValueError as error:
        raise _unsupported(architecture, "it is made of several text models") from error
    if reason := REFUSED.get(architecture) or REFUSED.get(text.model_type):
        raise _unsupported(architecture, reason)
    if config.is_encoder_decoder:
        raise _unsupported(architecture, "encoder-decoder models are not supported yet")
    if any(getattr(config, f"{sense}_config", None) is not None for sense in ("vision", "audio")):
        raise _unsupported(architecture, "models that also read images or sound are not supported yet")
    if architecture in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False):
        raise _unsupported(architecture, "encoders are not supported yet")
    if architecture not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise _unsupported(architecture, "it is not a causal language model of transformers")
    if getattr(text, "num_attention_heads", None) is None:
        raise _unsupported(architecture, _NO_ATTENTION)


def _unsupported(architecture: str, reason: str) -> ModelError:
    known = ", ".join(sorted((*EXACT, *ADAPTERS)))
    hint = f"supported: {known}; other causal models that follow transformers' AttentionInterface are tried and probed"
    return ModelError(f"models of the architecture {architecture!r} are not supported: {reason}", hint=hint)


# ---- hooking, reading, running ---------------------------------------------------------------------------------------


@contextmanager
def hooked(model: PreTrainedModel, hook: AttentionHook) -> Iterator[None]:
    """Calls `hook` in every attention layer of `model`, and restores what was there on any exit.

    Nests: the outer and the inner hook both run, and an inner replacement wins. The heads that no hook replaces keep
    the implementation that the model was loaded with, bit by bit. One thread at a time may use the model meanwhile.

    Raises:
        ModelError: if the architecture, or the attention implementation it was loaded with, is not supported.
    """
    check_architecture(model.config)
    adapter = ADAPTERS.get(model.config.model_type)
    with ExitStack() as undo:
        if adapter is None:
            _select_seam(model, hook, undo)
        else:
            _adapt(model, adapter, hook, undo)
        yield


def read_patterns(
    model: PreTrainedModel,
    input_ids: Tensor,
    sink: Callable[[int, Tensor], None],
    attention_mask: Tensor | None = None,
    *,
    layers: Collection[int] | None = None,
) -> None:
    """Calls `sink(layer, pattern)` for every layer, or for `layers`, in one forward pass without the model's LM head.

    Patterns are float32 `[B, H, Q, K]` on the layer's device, and only one layer's is held at a time. `input_ids` and
    `attention_mask` (1 for text, 0 for padding on either side) are `[B, Q]`; the rows of padding are of no meaning.
    Inside an outer `hooked`, its replacements are in force.
    """

    def read(layer: int, pattern: OwnPattern) -> None:
        if layers is None or layer in layers:
            sink(layer, pattern())

    with torch.inference_mode(), hooked(model, read):
        run_batch(model.base_model, input_ids, attention_mask)


def record_patterns(
    model: PreTrainedModel,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    *,
    layers: Collection[int] | None = None,
) -> dict[int, Tensor]:
    """The patterns `[B, H, Q, K]` of all layers, or of `layers`, at once: for short texts; see `read_patterns`."""
    patterns: dict[int, Tensor] = {}
    read_patterns(model, input_ids, patterns.__setitem__, attention_mask, layers=layers)
    return patterns


def run_batch(model: nn.Module, input_ids: Tensor, attention_mask: Tensor | None = None, **options: Any) -> Any:
    """The model's output for a batch; position ids come from the mask, so padding on either side changes nothing.

    Runs without a cache unless `options`, which go to the model, say otherwise. With `past_key_values` the mask covers
    the cached tokens too.
    """
    device = input_device(model)
    accepted = inspect.signature(model.forward).parameters
    inputs: dict[str, Any] = {"use_cache": False, **options} if "use_cache" in accepted else dict(options)
    if attention_mask is not None:
        inputs["attention_mask"] = attention_mask.to(device)
        if "position_ids" in accepted:
            inputs["position_ids"] = position_ids(attention_mask)[:, -input_ids.shape[1] :].to(device)
    return model(input_ids=input_ids.to(device), **inputs)


def position_ids(attention_mask: Tensor) -> Tensor:
    """The position of each token among the tokens that are no padding, from zero; `[B, Q]`, as the mask."""
    return (attention_mask.long().cumsum(-1) - 1).clamp(min=0)


def input_device(model: nn.Module) -> torch.device:
    """The device that token ids have to be on; for a model spread over devices, that of its embeddings."""
    embeddings = model.get_input_embeddings() if isinstance(model, PreTrainedModel) else model
    offloaded = getattr(getattr(embeddings, "_hf_hook", None), "execution_device", None)
    if offloaded is not None:
        return torch.device(offloaded)
    return next(embeddings.parameters()).device


# ---- models that follow the AttentionInterface -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Seam:
    """What hangs on a module as `_readhead` while it is hooked."""

    implementation: str
    hooks: tuple[AttentionHook, ...] = ()


class _Selected(str):
    """The name of the seam, as a config holds it; knows what was selected before."""

    __slots__ = ("own",)
    own: str

    def __new__(cls, own: str) -> Self:
        name = super().__new__(cls, SEAM)
        name.own = own
        return name


def _select_seam(model: PreTrainedModel, hook: AttentionHook, undo: ExitStack) -> None:
    if not model._can_set_attn_implementation():
        raise _unsupported(model.config.model_type, "its attention does not follow transformers' AttentionInterface")
    AttentionInterface.register(SEAM, _seam_attention)
    AttentionMaskInterface.register(SEAM, _seam_mask)
    use_implementation(model, SEAM, undo)
    for module in _configured(model):
        _hang_hook(module, hook, _Seam(module.config._attn_implementation.own), undo)


def use_implementation(model: PreTrainedModel, implementation: str, undo: ExitStack) -> None:
    """Lets `model` run with another attention implementation until `undo` closes; its configs are not written to."""
    copies: dict[int, Any] = {}
    for module in _configured(model):
        config = module.config
        own = config._attn_implementation
        if own == implementation:
            continue
        if implementation == SEAM and own not in _OWN_IMPLEMENTATIONS:
            raise ModelError(
                f"the model was loaded with the attention implementation {own!r}, which hides its patterns",
                hint='load it with attn_implementation="sdpa" or "eager"',
            )
        if id(config) not in copies:
            copy.deepcopy(config, copies)
            for nested in (c for c in copies.values() if isinstance(c, PreTrainedConfig)):
                if nested._attn_implementation != implementation:
                    own = nested._attn_implementation
                    nested._attn_implementation_internal = _Selected(own) if implementation == SEAM else implementation
        undo.callback(setattr, module, "config", config)
        module.config = copies[id(config)]


def _configured(model: nn.Module) -> list[Any]:
    """The modules that hold a config, and so may choose an attention implementation by it."""
    return [module for module in model.modules() if isinstance(getattr(module, "config", None), PreTrainedConfig)]


def _hang_hook(module: nn.Module, hook: AttentionHook, fresh: _Seam, undo: ExitStack) -> None:
    previous = module.__dict__.get("_readhead")
    seam = fresh if previous is None else previous
    if previous is None:
        undo.callback(module.__dict__.pop, "_readhead", None)
    else:
        undo.callback(module.__dict__.__setitem__, "_readhead", previous)
    module.__dict__["_readhead"] = replace(seam, hooks=(*seam.hooks, hook))


def _seam_mask(
    *, config: Any, q_length: int, kv_length: int, q_offset: int | Tensor = 0, kv_offset: int = 0, **options: Any
) -> Tensor | None:
    """The mask that the model's own implementation expects.

    Without a mask function of the same name transformers passes no mask at all, and padding is silently attended to.
    A static cache shows by keys beyond the last query, or (once it is filled) by its offset being a tensor.
    """
    if isinstance(q_offset, Tensor) or kv_offset + kv_length > q_offset + q_length:
        raise ModelError("static caches are not supported", hint="generate with a DynamicCache, which is the default")
    own_mask = ALL_MASK_ATTENTION_FUNCTIONS[config._attn_implementation.own]
    mask: Tensor | None = own_mask(
        config=config, q_length=q_length, kv_length=kv_length, q_offset=q_offset, kv_offset=kv_offset, **options
    )
    return mask


def _seam_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, Tensor | None]:
    """The model's own attention, with the replaced heads overwritten."""
    seam: _Seam = module._readhead
    own = OwnPattern(
        lambda: _own_pattern(module, query, key, value, attention_mask, options),
        attention_mask,
        query.shape[2],
        key.shape[2],
        query.device,
    )
    replacements = _ask_hooks(seam.hooks, module.layer_idx, own)
    attend = _own_attention(module, seam.implementation)
    output, weights = attend(module, query, key, value, attention_mask, **options)  # output: (B, Q, H, d)
    return _overwrite(output, value, replacements), weights


def _ask_hooks(hooks: tuple[AttentionHook, ...], layer: int, pattern: OwnPattern) -> dict[int, Tensor]:
    """All hooks' replacements, the later ones on top."""
    replacements: dict[int, Tensor] = {}
    for hook in hooks:
        replacements.update(hook(layer, pattern) or {})
    return replacements


def _overwrite(output: Tensor, value: Tensor, replacements: Mapping[int, Tensor]) -> Tensor:
    """`output` `[B, Q, H, d]` with the replaced heads' mixtures of `value` `[B, H or fewer, K, d]`."""
    if not replacements:
        return output
    groups = output.shape[2] // value.shape[1]
    expected = (output.shape[0], output.shape[1], value.shape[2])
    output = output.clone()
    for head, matrix in replacements.items():
        _expect_replacement(head, matrix, output.shape[2], expected)
        output[:, :, head] = matrix.to(value) @ value[:, head // groups]
    return output


def _expect_replacement(head: int, matrix: Tensor, heads: int, expected: tuple[int, ...]) -> None:
    if not 0 <= head < heads:
        raise ValueError(f"a hook replaced head {head} of a layer with {heads} heads")
    if tuple(matrix.shape) != expected:
        raise ValueError(f"a hook gave head {head} a matrix of shape {tuple(matrix.shape)}, expected {expected}")


def _own_attention(module: nn.Module, implementation: str) -> Callable[..., Any]:
    """The attention function that `module` would have called under its own `implementation`."""
    eager = _modelling("eager_attention_forward", module)
    if implementation == "eager":
        # GPT-2's own switch, which it looks at only under the name "eager"
        return _upcast_attention if getattr(module, "reorder_and_upcast_attn", False) else eager or plain_attention
    functions = _modelling("ALL_ATTENTION_FUNCTIONS", module) or ALL_ATTENTION_FUNCTIONS
    found: Callable[..., Any] = functions.get_interface(implementation, eager)
    return found


def _upcast_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **_options: Any
) -> Any:
    return module._upcast_and_reordered_attn(query, key, value, attention_mask)


def _modelling(name: str, module: nn.Module) -> Any:
    """What `name` means in the file that defines the class of `module`, or one that it is derived from."""
    for kind in type(module).__mro__:
        if (found := getattr(sys.modules.get(kind.__module__), name, None)) is not None:
            return found
    return None


def _own_pattern(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    options: Mapping[str, Any],
) -> Tensor:
    """The layer's pattern `[B, H, Q, K]` in float32, whatever the model runs in."""
    causal = options.get("is_causal")
    if causal is None:
        causal = getattr(module, "is_causal", True)
    seen = seen_keys(attention_mask, query.shape[2], key.shape[2], causal=causal, device=query.device)
    bias = torch.zeros((), device=query.device)
    if attention_mask is not None and attention_mask.is_floating_point():
        bias = attention_mask.float()
    additive = torch.where(seen, bias, torch.finfo(torch.float32).min)
    attend = _modelling("eager_attention_forward", module) or plain_attention
    narrow = value[..., :1].float()  # only the weights are wanted
    with torch.autocast(query.device.type, enabled=False):
        _, weights = attend(module, query.float(), key.float(), narrow, additive, **{**options, "dropout": 0.0})
    return _without_blind_rows(weights, seen)


def seen_keys(mask: Tensor | None, queries: int, keys: int, *, causal: bool, device: torch.device) -> Tensor:
    """Which keys each query may see, `[B or 1, 1, Q, K]`, from any form of mask that transformers passes.

    The one place that reads masks: None (causal, the last query at the last key; or no mask at all), bool (True is
    kept) or additive (large and negative is hidden). The result may be an expanded view: never write into it.
    """
    if mask is None:
        seen = torch.ones(1, 1, queries, keys, dtype=torch.bool, device=device)
        return seen.tril(keys - queries) if causal else seen
    return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2


def _without_blind_rows(weights: Tensor, seen: Tensor) -> Tensor:
    """`weights` with the rows zeroed that see no key: a softmax over nothing is no pattern."""
    return weights.masked_fill(~seen.any(-1, keepdim=True), 0.0)


def plain_attention(
    _module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, **options: Any
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention, for modelling files without an eager function; `(output, weights)`."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scaling = options.get("scaling")
    scores = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if (softcap := options.get("softcap")) is not None:
        scores = torch.tanh(scores / softcap) * softcap
    weights = (scores + attention_mask).softmax(-1)
    return (weights @ value).transpose(1, 2), weights


# ---- models that need an adapter -------------------------------------------------------------------------------------


def _adapt(model: PreTrainedModel, adapter: Adapter, hook: AttentionHook, undo: ExitStack) -> None:
    modules = [module for module in model.modules() if type(module).__name__ == adapter.attention]
    if not modules:
        raise _unsupported(model.config.model_type, f"no {adapter.attention} was found in it")
    for layer, module in enumerate(modules):
        if "_readhead" not in module.__dict__:
            enter = _wrap_method if adapter.method else _watch_dropout
            enter(module, layer, adapter, undo)
        _hang_hook(module, hook, _Seam("eager"), undo)


def _wrap_method(module: Any, layer: int, adapter: Adapter, undo: ExitStack) -> None:
    original = getattr(module, adapter.method)

    def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *rest: Any) -> Any:
        result = original(query, key, value, mask, *rest)  # output: (B, H, Q, d)

        def pattern() -> Tensor:
            with _no_dropout(module):
                weights = original(query.float(), key.float(), value.float(), mask, *adapter.ask)[1]
            return _without_blind_rows(weights, _seen_by_weights(mask, weights))

        own = OwnPattern(pattern, mask, query.shape[-2], value.shape[-2], query.device)
        replacements = _ask_hooks(module._readhead.hooks, layer, own)
        output = _overwrite(result[0].transpose(1, 2), value, replacements).transpose(1, 2)
        return type(result)([output, *result[1:]])

    undo.callback(module.__dict__.pop, adapter.method)
    setattr(module, adapter.method, attend)


def _watch_dropout(module: Any, layer: int, adapter: Adapter, undo: ExitStack) -> None:
    mask: list[Tensor | None] = [None]  # of the forward pass in progress

    def note_mask(_module: nn.Module, _args: Any, options: dict[str, Any]) -> None:
        mask[0] = options.get("attention_mask")

    def overwrite(_dropout: nn.Module, args: tuple[Tensor], weights: Tensor) -> Tensor:
        def pattern() -> Tensor:
            raw = args[0].float()
            return _without_blind_rows(raw / raw.sum(-1, keepdim=True), _seen_by_weights(mask[0], raw))

        own = OwnPattern(pattern, mask[0], weights.shape[-2], weights.shape[-1], weights.device)
        replacements = _ask_hooks(module._readhead.hooks, layer, own)
        if replacements:
            weights = weights.clone()
        for head, matrix in replacements.items():
            _expect_replacement(head, matrix, weights.shape[1], (weights.shape[0], *weights.shape[2:]))
            weights[:, head] = matrix.to(weights)
        return weights

    undo.callback(module.register_forward_pre_hook(note_mask, with_kwargs=True).remove)
    undo.callback(getattr(module, adapter.dropout).register_forward_hook(overwrite).remove)


def _seen_by_weights(mask: Tensor | None, weights: Tensor) -> Tensor:
    """`seen_keys` for `weights` `[B, H, Q, K]` of causal attention whose mask may hold nothing but the padding."""
    queries, keys = weights.shape[-2:]
    causal = seen_keys(None, queries, keys, causal=True, device=weights.device)
    return causal if mask is None else causal & seen_keys(mask, queries, keys, causal=True, device=weights.device)


@contextmanager
def _no_dropout(module: nn.Module) -> Iterator[None]:
    training = [part for part in module.children() if isinstance(part, nn.Dropout) and part.training]
    try:
        for part in training:
            part.training = False
        yield
    finally:
        for part in training:
            part.training = True

"""Loading models, and the probes that a model passes before Readhead trusts what it reads from it.

A model comes from the hub, from a local folder, from the package itself (`bundled`), or from Python objects that are
already loaded. Whatever goes wrong on the way is one `ModelError` with a hint. The probes run once for each loaded
model, on a few random tokens, in this order:

1. `untouched`: with a hook that replaces nothing, the logits are the model's own, bit by bit;
2. `called-in-every-layer`: every layer of the model hands out a pattern;
3. `rows-sum-to-one`;
4. `causal`: no weight above the diagonal;
5. `own-pattern`: with every head replaced by its own pattern, the logits are the model's own, nearly;
6. `pattern-matters`: with other patterns, the logits are others.
"""

# ruff: noqa: ANN401, SLF001 - transformers types neither `from_pretrained` nor what selects an attention function
from __future__ import annotations

import hashlib
import importlib.resources
import json
import re
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import logging as hub_logging
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from readhead.attention import (
    AttentionHook,
    check_architecture,
    hooked,
    input_device,
    run_batch,
    use_implementation,
)
from readhead.errors import ModelError, ProbeError
from readhead.heads import Geometry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BUNDLED = "bundled"
"""The name of the model that ships in the package."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that passed its probes, with its tokenizer."""

    name: str
    """What the user called it: a hub id, a folder, `bundled`, or the name of an object."""
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    geometry: Geometry
    device: torch.device
    """Where token ids go; the layers of a model spread over devices may live elsewhere."""
    fingerprint: str
    """16 hex digits of config, weights and tokenizer: the same model in another folder or on another device has the
    same."""


def context_of(model: PreTrainedModel) -> int | None:
    """Tokens that the model can read at once; None where its config does not say."""
    positions: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return positions


def load_model(spec: str | Path, *, device: str | None = None) -> LoadedModel:
    """The model that `spec` names: `bundled`, a local folder, or a hub id; on the best device unless `device` says.

    On the CPU it runs in float32 whatever it is stored in; elsewhere in the checkpoint's dtype.

    Raises:
        ModelError: if it cannot be found, read or supported.
        ProbeError: if it failed a probe.
    """
    target = choose_device(device)
    with _quiet():
        checkpoint = _locate(spec)
        config: PreTrainedConfig = checkpoint.load(AutoConfig)
        check_architecture(config)
        checkpoint.check_tokenizer()
        tokenizer: PreTrainedTokenizerBase = checkpoint.load(AutoTokenizer)
        model = _load_weights(checkpoint, target)
    return wrap_model(model, tokenizer, name=str(spec))


def wrap_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, name: str | None = None) -> LoadedModel:
    """A model and a tokenizer that are already loaded, probed where they are; nothing is reloaded, moved or changed.

    Raises:
        ModelError: if the architecture is not supported.
        ProbeError: if it failed a probe.
    """
    return LoadedModel(
        name=name or model.name_or_path or type(model).__name__,
        model=model,
        tokenizer=tokenizer,
        geometry=probe(model),
        device=input_device(model),
        fingerprint=fingerprint(model, tokenizer),
    )


# ---- finding and loading ---------------------------------------------------------------------------------------------


def choose_device(device: str | None = None) -> torch.device:
    """The device of that name, or the best there is: cuda, mps, cpu.

    Raises:
        ModelError: if this machine has no such device.
    """
    count = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    present = [kind for kind, n in count.items() if n]
    try:
        chosen = torch.device(device or present[0])
    except RuntimeError as error:
        raise ModelError(f"{device!r} is not a device", hint=f"this machine has: {', '.join(present)}") from error
    if (chosen.index or 0) >= count.get(chosen.type, 0):
        raise ModelError(f"the device {device!r} is not available", hint=f"this machine has: {', '.join(present)}")
    return chosen


@dataclass(frozen=True)
class _Checkpoint:
    """Where a model's files are, and the one place that translates what goes wrong with reading them."""

    spec: str | Path
    """As the user wrote it."""
    source: str
    """As `from_pretrained` takes it: a folder or a hub id."""
    is_folder: bool = True
    is_offline: bool = False
    """The hub did not answer or does not know the model: only what was fetched before can be read."""

    def load(self, kind: Any, **options: Any) -> Any:
        """What `kind.from_pretrained` makes of the files."""
        try:
            return kind.from_pretrained(
                self.source, trust_remote_code=False, local_files_only=self.is_folder or self.is_offline, **options
            )
        except Exception as error:  # files from anywhere, and four libraries that read them
            raise self._translated(_PARTS[kind], error) from error

    def check_tokenizer(self) -> None:
        """Refuses a folder without one: for some architectures transformers would make up an empty tokenizer."""
        if self.is_folder and not _has_tokenizer(Path(self.source)):
            raise ModelError(f"the folder {self.spec} holds no tokenizer", hint=_FOLDER_HINT)

    def _translated(self, part: str, error: Exception) -> ModelError:
        text = str(error)
        if "trust_remote_code" in text:
            return ModelError(
                f"{self.spec} comes with its own code, which Readhead does not run",
                hint="use a model whose architecture is part of transformers",
            )
        if match := re.search(r"model type `?([\w.-]+)`? but Transformers does not recognize", text):
            return ModelError(
                f"models of the architecture {match[1]!r} are not supported: transformers does not know it",
                hint="a newer transformers may know it",
            )
        if isinstance(error, ImportError):
            return ModelError(
                f"{self.spec} needs a package that is not installed: {_first_line(error)}", hint="install that package"
            )
        if self.is_offline:
            return ModelError(
                f"{self.source!r} cannot be fetched from the Hugging Face hub: no such model, no access, or no network",
                hint="a local folder or `bundled` works without a network",
            )
        return ModelError(f"the {part} of {self.spec} cannot be read: {_first_line(error)}", hint=_FOLDER_HINT)


_PARTS = {AutoConfig: "config.json", AutoTokenizer: "tokenizer", AutoModelForCausalLM: "weights"}
_FOLDER_HINT = "a model folder is what save_pretrained writes: config.json, weights (.safetensors), and a tokenizer"
_HUB_TIMEOUT_S = 10.0


def _locate(spec: str | Path) -> _Checkpoint:
    if spec == BUNDLED:
        folder = importlib.resources.files("readhead") / "bundled" / "model"
        return _Checkpoint(spec, str(folder))
    path = Path(spec).expanduser()
    if isinstance(spec, str) and not (path.exists() or _looks_like_path(spec)):
        return _Checkpoint(spec, spec, is_folder=False, is_offline=not _hub_knows(spec))
    if not path.is_dir():
        raise ModelError(f"there is no model folder {spec}", hint="name a folder with a config.json, or a hub id")
    if not (path / "config.json").is_file():
        raise ModelError(f"the folder {spec} holds no model: it has no config.json", hint=_FOLDER_HINT)
    return _Checkpoint(spec, str(path))


def _looks_like_path(spec: str) -> bool:
    return spec.startswith((".", "/", "~")) or "\\" in spec or spec.count("/") > 1


def _hub_knows(spec: str) -> bool:
    """Whether the hub answers for `spec`; asked once, since `from_pretrained` asks for each file with five retries."""
    try:
        HfApi().model_info(spec, timeout=_HUB_TIMEOUT_S)
    except HFValidationError as error:
        raise ModelError(f"{spec!r} is neither a folder nor a hub id", hint="a hub id reads owner/name") from error
    except Exception:  # noqa: BLE001  # every way not to answer has its own class, of two further libraries
        return False
    return True


def _has_tokenizer(folder: Path) -> bool:
    patterns = ("tokenizer.json", "tokenizer.model", "vocab.*", "spiece.model", "*.tiktoken", "tekken.json")
    return any(any(folder.glob(pattern)) for pattern in patterns)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _load_weights(checkpoint: _Checkpoint, device: torch.device) -> PreTrainedModel:
    dtype = torch.float32 if device.type == "cpu" else "auto"
    model, report = checkpoint.load(
        AutoModelForCausalLM, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True
    )
    for problem, names in (("missing", report["missing_keys"]), ("of another shape", report["mismatched_keys"])):
        if names:
            first = min(name if isinstance(name, str) else name[0] for name in names)
            raise ModelError(
                f"the weights of {checkpoint.spec} do not fit its config.json: {len(names)} tensors are {problem}, "
                f"such as {first}",
                hint=_FOLDER_HINT,
            )
    try:
        placed: PreTrainedModel = model.eval().to(device)
    except RuntimeError as error:  # out of memory
        raise ModelError(
            f"{checkpoint.spec} cannot be put on {device}: {_first_line(error)}", hint="name another --device"
        ) from error
    return placed


@contextmanager
def _quiet() -> Iterator[None]:
    """Neither progress bars nor warnings of the libraries; what was set before is set again afterwards."""
    levels = [(log, log.get_verbosity()) for log in (logging, hub_logging)]
    bars, hub_bars = logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    for log, _ in levels:
        log.set_verbosity_error()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers does not type it
    disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in levels:
            log.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # as above
        if hub_bars:
            enable_progress_bars()


# ---- probes ----------------------------------------------------------------------------------------------------------

PROBE_TOKENS = (2, 12)
EXACT_TOLERANCE = 5e-5
"""How far logits may move in float32 when every head is replaced by its own pattern."""
_ROW_TOLERANCE = 1e-4
_AHEAD_TOLERANCE = 1e-6


def probe(model: PreTrainedModel) -> Geometry:
    """The geometry of `model`, if its attention can be read and replaced; `model.training` is as before.

    Raises:
        ModelError: if the architecture is not supported.
        ProbeError: naming the first probe that failed.
    """
    check_architecture(model.config)
    with evaluating(model), torch.inference_mode():
        return _Probes(model).run()


class _Probes:
    """The model, its random tokens and its own logits, which all probes share."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        vocabulary = model.config.get_text_config().vocab_size
        self.input_ids = torch.randint(vocabulary, PROBE_TOKENS, generator=torch.Generator().manual_seed(0))
        try:
            self.own_logits = self.logits()
        except (RuntimeError, ValueError, TypeError, IndexError) as error:  # the model's, not a probe's
            raise ModelError(
                f"this {model.config.model_type!r} model does not run: {_first_line(error)}",
                hint="check that config.json fits the weights, and that the model fits into memory",
            ) from error

    def run(self) -> Geometry:
        patterns: dict[int, Tensor] = {}

        def collect(layer: int, pattern: Callable[[], Tensor]) -> None:
            if layer in patterns:
                self.fail("called-in-every-layer", f"layer {layer} attends more than once")
            patterns[layer] = pattern()

        if not torch.equal(self.logits(collect), self.own_logits):
            self.fail("untouched", "the logits change although nothing is replaced")
        geometry = self.check_layers(patterns)
        for layer, pattern in sorted(patterns.items()):
            self.check_pattern(layer, pattern)
        self.check_replacement()
        return geometry

    def logits(self, hook: AttentionHook | None = None) -> Tensor:
        with ExitStack() as stack:
            if hook is not None:
                stack.enter_context(hooked(self.model, hook))
            logits: Tensor = run_batch(self.model, self.input_ids).logits
        return logits.float()

    def check_layers(self, patterns: Mapping[int, Tensor]) -> Geometry:
        layers = self.model.config.get_text_config().num_hidden_layers
        if sorted(patterns) != list(range(layers)):
            self.fail("called-in-every-layer", f"{len(patterns)} of {layers} layers hand out their pattern")
        heads = {pattern.shape[1] for pattern in patterns.values()}
        if len(heads) != 1:
            raise ModelError(
                f"the layers of this {self.model.config.model_type!r} model have different numbers of heads",
                hint="models with the same number of heads in every layer are supported",
            )
        return Geometry(layers=layers, heads=heads.pop())

    def check_pattern(self, layer: int, pattern: Tensor) -> None:
        off = (pattern.sum(-1) - 1).abs().max().item()
        if not off < _ROW_TOLERANCE:  # NaN fails too
            self.fail("rows-sum-to-one", f"in layer {layer} the rows miss 1 by up to {off:.2g}")
        ahead = pattern.triu(1).abs().max().item()
        if not ahead < _AHEAD_TOLERANCE:
            self.fail("causal", f"in layer {layer} a weight of {ahead:.2g} lies on a later token")

    def check_replacement(self) -> None:
        own = self.distance(self.logits(lambda _layer, pattern: dict(enumerate(pattern().unbind(1)))))
        tolerance = EXACT_TOLERANCE
        if not own < tolerance:
            tolerance = max(tolerance, 2 * self.noise())
        if not own < tolerance:
            self.fail("own-pattern", f"the logits move by {own:.2g}, and {tolerance:.2g} is allowed")
        other = self.distance(self.logits(_look_at_self))
        if not other > own:
            self.fail("pattern-matters", "the logits stay although every head looks at its own token only")

    def noise(self) -> float:
        """How far apart the model's own attention implementations are; without a second one, a rounding estimate."""
        implementation = self.model.config._attn_implementation
        other = {"sdpa": "eager", "eager": "sdpa"}.get(implementation)
        if other is None or not (self.model._supports_sdpa and self.model._can_set_attn_implementation()):
            return 2 * torch.finfo(self.model.dtype).eps * self.own_logits.abs().max().item()
        with ExitStack() as undo:
            use_implementation(self.model, other, undo)
            return self.distance(self.logits())

    def distance(self, logits: Tensor) -> float:
        return (logits - self.own_logits).abs().max().item()

    def fail(self, name: str, message: str) -> None:
        architecture = self.model.config.model_type
        raise ProbeError(
            name,
            f"{message} (architecture {architecture!r})",
            hint="Readhead cannot read this model's attention faithfully; try another model",
        )


def _look_at_self(_layer: int, pattern: Callable[[], Tensor]) -> dict[int, Tensor]:
    own = pattern()
    return dict.fromkeys(range(own.shape[1]), torch.eye(own.shape[-1], device=own.device).expand(own.shape[0], -1, -1))


_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory did not suffice: on the CPU torch has no class of its own for that."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _NO_MEMORY)


@contextmanager
def within_memory(what: str, hint: str) -> Iterator[None]:
    """Translate running out of memory; any other error passes.

    Raises:
        ModelError: saying what did not fit; `hint` names the next smaller setting.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ModelError(f"memory does not suffice for {what}: {_first_line(error)}", hint=hint) from error


@contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Puts `model` into evaluation mode, without dropout, and what was in training back into it on any exit."""
    training = [module for module in model.modules() if module.training]
    model.eval()  # type: ignore[no-untyped-call]  # transformers does not type it
    try:
        yield
    finally:
        for module in training:
            module.training = True


# ---- fingerprint -----------------------------------------------------------------------------------------------------

_HASHED_WHOLE = 50_000_000
"""Models of up to that many weights are hashed whole; of larger ones, a sample of each tensor."""
_SAMPLE = 4096
_VOLATILE = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache")


def fingerprint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str:
    """16 hex digits of config, weights and tokenizer, the same wherever the model lies and whichever float it runs in.

    Up to fifty million weights all values count; beyond that, every tensor's name and shape and 4096 of its values.
    """
    digest = hashlib.sha256(json.dumps(_lasting(model.config.to_dict()), sort_keys=True, default=str).encode())
    digest.update(_tokenizer_bytes(tokenizer))
    whole = sum(parameter.numel() for parameter in model.parameters()) <= _HASHED_WHOLE
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(_value_bytes(tensor, whole=whole))
    return digest.hexdigest()[:16]


def _lasting(config: Any) -> Any:
    """`config` without what depends on how and where it was loaded, at any depth."""
    if not isinstance(config, dict):
        return config
    return {key: _lasting(value) for key, value in config.items() if key not in _VOLATILE}


def _value_bytes(tensor: Tensor, *, whole: bool) -> bytes:
    if tensor.is_meta:  # offloaded: its values are not in memory
        return b""
    values = tensor.detach().flatten()
    if not whole:
        values = values[:: max(1, values.numel() // _SAMPLE)]
    values = values.cpu()
    if values.is_floating_point():
        values = values.float()  # exact for the half precisions
    return values.contiguous().view(torch.uint8).numpy().tobytes()


def _tokenizer_bytes(tokenizer: PreTrainedTokenizerBase) -> bytes:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        content: Any = [sorted(tokenizer.get_vocab().items()), tokenizer.special_tokens_map]
    else:
        content = json.loads(backend.to_str())
        content["truncation"] = content["padding"] = None  # of the last call, not of the tokenizer
    return json.dumps(content, sort_keys=True, default=str).encode()

"""Models load, are probed, and are refused in one clear line; nothing of the process is left changed."""

from __future__ import annotations

import copy
import json
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
import transformers
from huggingface_hub.utils.tqdm import are_progress_bars_disabled
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from core.architectures import CONFIGS, VOCABULARY, tiny_model
from readhead.errors import ModelError, ProbeError
from readhead.heads import Geometry
from readhead.models import fingerprint, load_model, probe, wrap_model

if TYPE_CHECKING:
    from collections.abc import Callable

STORIES = Path(__file__).parents[3] / "shared" / "models" / "stories260K"


def tiny_tokenizer(*, prefix: str = "w") -> PreTrainedTokenizerFast:
    words = {f"{prefix}{index}": index for index in range(VOCABULARY)}
    unknown = f"{prefix}0"
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token=unknown)), unk_token=unknown, pad_token=unknown
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: a tiny llama and its tokenizer."""
    folder = tmp_path_factory.mktemp("saved")
    tiny_model("llama").save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of `saved` to spoil."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def change_config(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


# ---- loading ---------------------------------------------------------------------------------------------------------


def test_folder_loads_with_its_geometry(saved: Path) -> None:
    loaded = load_model(saved, device="cpu")
    assert loaded.geometry == Geometry(layers=3, heads=4)
    assert loaded.name == str(saved)
    assert loaded.device == torch.device("cpu")
    assert not loaded.model.training
    assert loaded.tokenizer("w5 w6")["input_ids"] != []


@pytest.mark.skipif(not STORIES.is_dir(), reason="the pretrained model beside the project is absent")
def test_pretrained_model_passes_the_probes() -> None:
    assert load_model(STORIES).geometry == Geometry(layers=5, heads=8)


def test_checkpoint_in_half_precision_runs_in_float32_on_the_cpu_with_the_same_fingerprint(
    folder: Path,
) -> None:
    half = tiny_model("llama").half()
    half.save_pretrained(folder)
    loaded = load_model(folder, device="cpu")
    assert loaded.model.dtype == torch.float32
    assert loaded.fingerprint == wrap_model(half, tiny_tokenizer()).fingerprint


def test_loading_prints_nothing_and_leaves_the_process_as_it_was(
    saved: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformers.utils.logging, "_tqdm_active", True)
    before = logging.getLogger("transformers").level, logging.getLogger("huggingface_hub").level
    load_model(saved)
    assert capfd.readouterr() == ("", "")
    assert (logging.getLogger("transformers").level, logging.getLogger("huggingface_hub").level) == before
    assert transformers.utils.logging.is_progress_bar_enabled()
    assert not are_progress_bars_disabled()


def test_wrapped_model_is_the_object_itself_and_stays_in_training() -> None:
    model, tokenizer = tiny_model("gpt2"), tiny_tokenizer()
    model.train()
    model.transformer.h[1].eval()
    training = [module.training for module in model.modules()]
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    loaded = wrap_model(model, tokenizer, name="mine")
    assert (loaded.model, loaded.tokenizer, loaded.name) == (model, tokenizer, "mine")
    assert [module.training for module in model.modules()] == training
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    assert wrap_model(model, tokenizer).name == "GPT2LMHeadModel"


# ---- fingerprint -----------------------------------------------------------------------------------------------------


def test_fingerprint_is_the_same_in_another_folder_and_after_use(folder: Path, saved: Path) -> None:
    first, second = load_model(saved), load_model(folder)
    second.tokenizer(["w1", "w2 w3"], padding=True, truncation=True, max_length=2)
    assert first.fingerprint == second.fingerprint == fingerprint(second.model, second.tokenizer)
    assert len(first.fingerprint) == 16


@pytest.mark.parametrize("whole", [True, False])
def test_fingerprint_knows_weights_config_and_tokenizer(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 - a parameter
    monkeypatch.setattr("readhead.models._HASHED_WHOLE", 10**9 if whole else 0)
    model, tokenizer = tiny_model("llama"), tiny_tokenizer()
    other_weights, other_config = copy.deepcopy(model), copy.deepcopy(model)
    with torch.no_grad():
        other_weights.model.layers[1].mlp.up_proj.weight[0, 0] += 1
    other_config.config.rms_norm_eps = 0.1
    prints = [fingerprint(one, tokenizer) for one in (model, other_weights, other_config)]
    prints.append(fingerprint(model, tiny_tokenizer(prefix="v")))
    assert len(set(prints)) == 4


# ---- what cannot be loaded -------------------------------------------------------------------------------------------


def spoil_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def remove_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "holds no model: it has no config.json"),
        (lambda folder: (folder / "config.json").write_text("{no"), "config.json of .* cannot be read"),
        (lambda folder: (folder / "config.json").write_text("{}"), "config.json of .* cannot be read"),
        (lambda folder: (folder / "model.safetensors").unlink(), "weights of .* cannot be read: .*no file named"),
        (spoil_weights, "weights of .* cannot be read"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "weights of .* cannot be read"),
        (remove_tokenizer, "holds no tokenizer"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "tokenizer of .* cannot be read"),
        (lambda folder: change_config(folder, num_hidden_layers=4), "9 tensors are missing, such as model.layers.3"),
        (lambda folder: change_config(folder, hidden_size=64), "tensors are of another shape, such as"),
        (lambda folder: change_config(folder, num_attention_heads="many"), "config.json of .* cannot be read"),
        (lambda folder: change_config(folder, model_type="blorp"), "'blorp' are not supported: transformers does not"),
        (lambda folder: change_config(folder, model_type="mamba"), "'mamba' are not supported: it has no attention"),
        (lambda folder: change_config(folder, model_type="bert"), "'bert' are not supported: encoders"),
        (
            lambda folder: change_config(folder, model_type="blorp", auto_map={"AutoConfig": "x.Y"}),
            "comes with its own code, which Readhead does not run",
        ),
    ],
)
def test_spoilt_folder_is_one_clear_error(
    folder: Path, spoil: Callable[[Path], None], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil(folder)
    with pytest.raises(ModelError, match=message) as failure:
        load_model(folder)
    assert failure.value.hint
    assert "\n" not in str(failure.value)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("spec", ["/nowhere/model", "./nowhere", "a/b/c", Path("nowhere")])
def test_missing_folder_is_said_to_be_missing(spec: str | Path) -> None:
    with pytest.raises(ModelError, match="there is no model folder"):
        load_model(spec)


def test_name_that_is_no_hub_id_is_said_to_be_none() -> None:
    with pytest.raises(ModelError, match="neither a folder nor a hub id"):
        load_model("no such/-- name!")


def test_hub_that_does_not_answer_leads_to_local_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", _raise_connection_error)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"'owner/model' cannot be fetched .* no network") as failure:
        load_model("owner/model")
    assert "local folder" in failure.value.hint


def _raise_connection_error(*_args: object, **_options: object) -> None:
    raise ConnectionError


@pytest.mark.parametrize("device", ["cuda:99", "meta", "abacus"])
def test_device_that_is_not_there_is_refused_with_those_that_are(saved: Path, device: str) -> None:
    with pytest.raises(ModelError, match=device) as failure:
        load_model(saved, device=device)
    assert "cpu" in failure.value.hint


def test_model_that_cannot_run_is_refused() -> None:
    model = tiny_model("llama")
    model.model.layers[1].self_attn.o_proj = torch.nn.Linear(5, 5)
    with pytest.raises(ModelError, match="'llama' model does not run"):
        probe(model)


# ---- probes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", list(CONFIGS))
def test_every_architecture_passes_the_probes(architecture: str) -> None:
    assert probe(tiny_model(architecture)) == Geometry(layers=3, heads=4)


@pytest.mark.parametrize("architecture", ["llama", "mistral", "gemma2", "gpt2", "gpt_neo", "bloom"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_models_pass_the_probes(architecture: str, dtype: torch.dtype) -> None:
    assert probe(tiny_model(architecture).to(dtype)) == Geometry(layers=3, heads=4)


def test_layer_that_does_not_attend_fails_the_probe() -> None:
    model = tiny_model("llama")
    model.model.layers[1].self_attn.forward = lambda hidden_states, **_: (hidden_states, None)
    with pytest.raises(ProbeError, match=r"2 of 3 layers.*'llama'") as failure:
        probe(model)
    assert failure.value.probe == "called-in-every-layer"


def test_layer_that_attends_twice_fails_the_probe() -> None:
    model = tiny_model("llama")
    model.model.layers[1].self_attn.layer_idx = 0
    with pytest.raises(ProbeError, match="layer 0 attends more than once") as failure:
        probe(model)
    assert failure.value.probe == "called-in-every-layer"


@pytest.mark.parametrize(
    ("name", "target", "wrong"),
    [
        ("untouched", "_overwrite", lambda output, _value, _replacements: output + 1),
        ("rows-sum-to-one", "_without_blind_rows", lambda weights, _seen: weights / 2),
        ("rows-sum-to-one", "_without_blind_rows", lambda weights, _seen: weights * torch.nan),
        ("causal", "_without_blind_rows", lambda weights, _seen: torch.full_like(weights, 1 / weights.shape[-1])),
        ("own-pattern", "_without_blind_rows", lambda weights, _seen: torch.eye(weights.shape[-1]).expand_as(weights)),
        ("pattern-matters", "_overwrite", lambda output, _value, _replacements: output),
    ],
)
def test_each_fault_of_the_seam_fails_its_own_probe(
    name: str, target: str, wrong: Callable[..., torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"readhead.attention.{target}", wrong)
    with pytest.raises(ProbeError, match="'llama'") as failure:
        probe(tiny_model("llama"))
    assert failure.value.probe == name
    assert failure.value.hint


def test_softmax_with_a_sink_fails_a_probe_even_where_its_architecture_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("readhead.attention.REFUSED", {})
    config = transformers.GptOssConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        num_local_experts=2,
        num_experts_per_tok=1,
        layer_types=["full_attention"] * 2,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = transformers.GptOssForCausalLM(config).eval()
    with pytest.raises(ProbeError, match="rows-sum-to-one"):
        probe(model)

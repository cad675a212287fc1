"""Trains the small language model that ships with Readhead, or one like it on any text.

1. `sample_text` lets a teacher model write documents (optional).
2. `train_tokenizer` fits a byte-level BPE whose sequences begin with the document mark.
3. `train` fits a GPT-2 and refreshes the model folder whenever it writes a checkpoint.

A text file holds documents separated by a line `<|endoftext|>`. In the model the same mark is the first
token of every sequence and the token predicted after a document's end.

    python -m readhead.training --text FILE --out DIR [--teacher MODEL_DIR --teacher-tokens N --teacher-text FILE]
"""
# ruff: noqa: ANN401, TC002 - transformers is typed loosely; imports stay in one place
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import argparse
import json
import logging
import math
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.cache_utils import DynamicCache, DynamicLayer

from readhead.errors import CorpusError, ModelError, ReadheadError, UsageError

DOCUMENT_MARK = "<|endoftext|>"
"""Line between two documents of a text file, and the model's BOS and EOS token."""

_OPEN_SHARE = 0.75  # finished documents leave the batch once fewer than this share are still being written
_SHORT = 32  # tokens; shorter documents are never given a repeated passage
_POOL = 2048  # documents among which those of like length share a batch

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything about a training run but its text."""

    minutes: float = 60.0
    """Length of the run, counting training steps only; the learning rate follows a cosine over this time."""
    seed: int = 0
    vocabulary_size: int = 1536
    width: int = 128
    n_layers: int = 4
    n_heads: int = 8
    n_positions: int = 256
    batch_tokens: int = 4096
    learning_rate: float = 2.5e-3
    """At its peak, after a warm-up of 2 % of the time."""
    weight_decay: float = 0.0
    """With small batches, 0.1 keeps queries and keys so short that patterns stay near uniform."""
    repeat_share: float = 0.25
    """Share of the sequences in which a passage is told twice in a row: such text calls for induction heads."""
    save_every_s: float = 300.0


class _RoomyLayer(DynamicLayer):
    """A cache layer with room for `capacity` positions: a step writes in place instead of copying the cache."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        start, stop = self.get_seq_length(), self.get_seq_length() + key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            shape = (*key_states.shape[:2], self.capacity, key_states.shape[-1])
            self.room = (key_states.new_empty(shape), value_states.new_empty(shape))
        for room, states in zip(self.room, (key_states, value_states), strict=True):
            room[:, :, start:stop] = states
        self.keys, self.values = (room[:, :, :stop] for room in self.room)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        n_positions = self.get_seq_length()
        self.room = (self.room[0][indices], self.room[1][indices])
        self.keys, self.values = (room[:, :, :n_positions] for room in self.room)


@torch.inference_mode()
def sample_documents(model: Any, *, n_sequences: int, n_positions: int, seed: int) -> Iterator[list[int]]:
    """Token ids of documents drawn from `model` at temperature 1, each begun by BOS (left out of the result).

    A document ends where the model emits BOS or EOS, or after `n_positions` tokens. Endless: `n_sequences` documents
    are written side by side, and finished ones leave the batch.
    """
    generator = torch.Generator().manual_seed(seed)
    bos = model.config.bos_token_id
    ends = {bos, model.config.eos_token_id}
    while True:
        cache = DynamicCache()
        cache.layers = [_RoomyLayer(n_positions) for _ in range(model.config.num_hidden_layers)]
        written = torch.full((n_sequences, n_positions + 1), bos)
        is_open = torch.ones(n_sequences, dtype=torch.bool)
        for position in range(n_positions):
            logits = model(input_ids=written[:, position : position + 1], past_key_values=cache).logits[:, -1]
            # The largest p / e with exponential e is a draw from p (what torch.multinomial does, without its checks).
            noise = torch.empty_like(logits).exponential_(generator=generator)
            written[:, position + 1] = (logits.softmax(-1) / noise).argmax(-1)
            is_open &= ~torch.isin(written[:, position + 1], torch.tensor(list(ends)))
            if is_open.float().mean() < _OPEN_SHARE or position == n_positions - 1:
                for row in written[~is_open, 1 : position + 2].tolist():
                    yield row[: next(i for i, token in enumerate(row) if token in ends)]
                kept = is_open.nonzero().flatten()
                cache.batch_select_indices(kept)
                written, is_open = written[kept], is_open[kept]
                if not len(kept):
                    break
        yield from written[:, 1:].tolist()


def sample_text(teacher: Path, file: Path, *, n_tokens: int, n_positions: int = 448, seed: int = 0) -> None:
    """Writes documents sampled from the model in the folder `teacher` until they hold `n_tokens` of its tokens."""
    if not (teacher / "config.json").is_file():
        raise ModelError(f"no teacher in {teacher}", hint="Give --teacher a folder with config.json and weights.")
    model = transformers.AutoModelForCausalLM.from_pretrained(teacher, dtype=torch.float32).eval()
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(teacher)
    n_written, n_documents, started = 0, 0, time.monotonic()
    with file.open("w", encoding="utf-8") as stream:
        for ids in sample_documents(model, n_sequences=192, n_positions=n_positions, seed=seed):
            if text := tokenizer.decode(ids, skip_special_tokens=True).strip():
                stream.write(f"{text}\n{DOCUMENT_MARK}\n")
            n_written, n_documents = n_written + len(ids) + 1, n_documents + 1
            if n_documents % 1000 == 0:
                speed = n_written / (time.monotonic() - started)
                _log.info("1. sampled %d documents, %d tokens, %.0f tokens/s", n_documents, n_written, speed)
            if n_written >= n_tokens:
                return


def read_documents(file: Path) -> list[str]:
    """The documents of a text file, stripped; empty ones are no documents.

    Raises:
        CorpusError: there is no such file, or it holds no text.
    """
    if not file.is_file():
        raise CorpusError(f"no training text at {file}", hint="Give --text an existing file.")
    parts = (part.strip() for part in file.read_text(encoding="utf-8").split(DOCUMENT_MARK))
    if documents := [part for part in parts if part]:
        return documents
    raise CorpusError(f"{file} holds no text", hint=f"Write documents into it, separated by a line {DOCUMENT_MARK}.")


def held_out_indices(n_documents: int, n_held_out: int, seed: int) -> list[int]:
    """Indexes, in order, of the documents that neither the tokenizer nor the model may see."""
    return sorted(random.Random(seed).sample(range(n_documents), n_held_out))  # noqa: S311 - no secret


def train_tokenizer(documents: Sequence[str], folder: Path, recipe: Recipe) -> Tokenizer:
    """A byte-level BPE tokenizer that puts the document mark (id 0) before every text, also saved to `folder`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocabulary_size,
        special_tokens=[DOCUMENT_MARK],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{DOCUMENT_MARK} $A", pair=f"{DOCUMENT_MARK} $A $B", special_tokens=[(DOCUMENT_MARK, 0)]
    )
    marks = {"bos_token": DOCUMENT_MARK, "eos_token": DOCUMENT_MARK, "unk_token": None}
    form = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    settings = {**marks, **form, "model_max_length": recipe.n_positions}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def with_repeat(ids: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """The sequence with a passage of 16 to 100 tokens told twice in a row; unchanged if it has under 32 tokens."""
    if len(ids) < _SHORT:
        return ids
    length = int(rng.integers(16, min(100, len(ids) - 1) + 1))
    stop = int(rng.integers(length + 1, min(len(ids), 2 * length + 32) + 1))
    return np.concatenate([ids[:stop], ids[stop - length : stop], ids[stop:]])


def batches(sequences: Sequence[NDArray[np.int64]], recipe: Recipe, rng: np.random.Generator) -> Iterator[torch.Tensor]:
    """Endless `(B, T)` batches of whole sequences of like length, cut to the context, short rows filled up with -1."""
    while True:
        order = rng.permutation(len(sequences))
        for start in range(0, len(order), _POOL):
            pool = [sequences[index] for index in order[start : start + _POOL]]
            pool = [with_repeat(ids, rng) if rng.random() < recipe.repeat_share else ids for ids in pool]
            pool = sorted((ids[: recipe.n_positions + 1] for ids in pool), key=len, reverse=True)
            groups: list[list[torch.Tensor]] = [[]]
            for ids in pool:
                if groups[-1] and len(groups[-1][0]) * (len(groups[-1]) + 1) > recipe.batch_tokens:
                    groups.append([])
                groups[-1].append(torch.from_numpy(ids))
            for index in rng.permutation(len(groups)):
                yield torch.nn.utils.rnn.pad_sequence(groups[index], batch_first=True, padding_value=-1)


def _float32_attention(
    _module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, **__: Any
) -> tuple[torch.Tensor, None]:
    """Causal attention in float32 within bf16 autocast: torch's backward pass for bf16 is slower on a CPU (2.13)."""
    with torch.autocast("cpu", enabled=False):
        mixed = functional.scaled_dot_product_attention(query.float(), key.float(), value.float(), is_causal=True)
    return mixed.transpose(1, 2).to(query.dtype).contiguous(), None


def new_model(vocabulary_size: int, recipe: Recipe) -> GPT2LMHeadModel:
    """An untrained GPT-2 with tied embeddings and no dropout, drawn with the recipe's seed.

    The learned positions start as waves of 2 to 512 tokens, from which "the token before" is a short way to learn.
    """
    torch.manual_seed(recipe.seed)
    shape: dict[str, Any] = {"n_embd": recipe.width, "n_layer": recipe.n_layers, "n_head": recipe.n_heads}
    no_dropout: dict[str, Any] = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    marks: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 0}
    sizes: dict[str, Any] = {"vocab_size": vocabulary_size, "n_positions": recipe.n_positions}
    start: dict[str, Any] = {"activation_function": "gelu_pytorch_tanh", "initializer_range": 0.05}
    model = GPT2LMHeadModel(GPT2Config(**sizes, **shape, **no_dropout, **marks, **start))
    lengths = torch.logspace(1, 9, recipe.width // 2, base=2)
    angles = torch.arange(recipe.n_positions)[:, None] * 2 * math.pi / lengths
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    model.transformer.wpe.weight.data.copy_(0.1 * waves)
    return model


def save_model(model: GPT2LMHeadModel, folder: Path) -> None:
    """Puts `config.json` and `model.safetensors` (fp16) into `folder`, each by a rename, never half written."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as saving:
        half: Any = GPT2LMHeadModel(GPT2Config(**model.config.to_dict()))
        half.load_state_dict(model.state_dict())
        half.half().save_pretrained(saving)
        for name in ("config.json", "model.safetensors"):
            saved = Path(saving) / name
            saved.chmod(0o644)
            saved.replace(folder / name)


def train(  # noqa: PLR0915 - a training loop reads best whole
    documents: Sequence[str], folder: Path, recipe: Recipe, *, checkpoint: Path, resume: bool = False
) -> None:
    """Trains a model on `documents` into `folder`; every `save_every_s` it refreshes the model and `checkpoint`.

    With `resume`, goes on from `checkpoint` with the tokenizer in `folder`.
    """
    if resume and not checkpoint.is_file():
        raise UsageError(f"no checkpoint at {checkpoint} to resume from", hint="Leave --resume out to start afresh.")
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(known)) if resume else train_tokenizer(documents, folder, recipe)
    # The closing mark is predicted; the opening one comes from the tokenizer.
    sequences = [np.array([*text.ids, 0]) for text in tokenizer.encode_batch_fast(list(documents))]
    _log.info("2. %d documents, %d tokens", len(sequences), sum(map(len, sequences)))

    model = new_model(tokenizer.get_vocab_size(), recipe)
    transformers.AttentionInterface.register("readhead_float32", _float32_attention)
    model.set_attn_implementation("readhead_float32")
    weights = list(model.parameters())
    decayed = {"params": [w for w in weights if w.dim() > 1], "weight_decay": recipe.weight_decay}
    others = {"params": [w for w in weights if w.dim() <= 1], "weight_decay": 0.0}
    optimizer = torch.optim.AdamW([decayed, others], lr=recipe.learning_rate, betas=(0.9, 0.99), fused=True)
    done: dict[str, Any] = {"step": 0, "n_seen": 0, "elapsed_s": 0.0}
    if resume:
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state.pop("model"))
        optimizer.load_state_dict(state.pop("optimizer"))
        optimizer.param_groups[0]["weight_decay"] = recipe.weight_decay  # not the checkpoint's
        done = state

    def save() -> None:
        save_model(model, folder)
        beside = checkpoint.with_name(checkpoint.name + ".part")
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), **done}, beside)
        beside.replace(checkpoint)

    saved_s, recent = done["elapsed_s"], 0.0
    for batch in batches(sequences, recipe, np.random.default_rng([recipe.seed, done["step"]])):
        started, progress = time.monotonic(), done["elapsed_s"] / (60 * recipe.minutes)
        if progress >= 1:
            break
        rate = min(1, progress / 0.02 + 1e-3) * (0.51 + 0.49 * math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * rate
        targets = batch[:, 1:].flatten()
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=batch[:, :-1].clamp(min=0), use_cache=False).logits
        loss = functional.cross_entropy(logits.float().flatten(0, 1), targets, ignore_index=-1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        recent += loss.item() / 100
        seen, elapsed_s = done["n_seen"] + int((targets >= 0).sum()), done["elapsed_s"] + time.monotonic() - started
        done.update(step=done["step"] + 1, n_seen=seen, elapsed_s=elapsed_s)
        if done["step"] % 100 == 0:
            _log.info("3. loss of 100 steps %.3f; step %d, %d tokens in %.0f s", recent, *done.values())
            recent = 0.0
        if elapsed_s - saved_s > recipe.save_every_s:
            saved_s = elapsed_s
            save()
    save()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m readhead.training", description="Train a small language model.")
    add = parser.add_argument
    add("--text", type=Path, action="append", default=[], metavar="FILE", help="training text; may be repeated")
    add("--hold-out", type=int, default=0, metavar="N", help="documents of the first --text to leave out")
    add("--teacher", type=Path, metavar="MODEL_DIR", help="sample more text from this model")
    add("--teacher-tokens", type=int, default=10_000_000, metavar="N", help="how much, in the teacher's tokens")
    add("--teacher-text", type=Path, default=Path("sampled.txt"), metavar="FILE", help="where the sample is written")
    add("--out", type=Path, metavar="DIR", help="model folder; without it, only the sample is written")
    add("--checkpoint", type=Path, default=Path("checkpoint.pt"), metavar="FILE", help="state for --resume")
    add("--resume", action="store_true", help="go on from --checkpoint")
    for name, value in vars(Recipe()).items():
        add("--" + name.replace("_", "-"), type=type(value), default=value, metavar="N", help=f"default {value}")
    options = parser.parse_args(arguments)
    if not options.out and not options.teacher:
        parser.error("nothing to do: give --out, --teacher or both")
    if not options.text and not options.teacher:
        parser.error("nothing to train on: give --text, --teacher or both")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        _run(options, Recipe(**{name: getattr(options, name) for name in vars(Recipe())}))
    except ReadheadError as error:
        parser.exit(2, f"{parser.prog}: {error}\n  {error.hint}\n")


def _run(options: argparse.Namespace, recipe: Recipe) -> None:
    texts: list[Path] = list(options.text)
    if options.teacher:
        sample_text(options.teacher, options.teacher_text, n_tokens=options.teacher_tokens, seed=recipe.seed)
        texts.append(options.teacher_text)
    if not options.out:
        return
    files = [read_documents(file) for file in texts]
    if not 0 <= options.hold_out <= len(files[0]):
        raise UsageError(f"--hold-out {options.hold_out}, but {texts[0]} has {len(files[0])} documents")
    held_out = held_out_indices(len(files[0]), options.hold_out, recipe.seed)
    hidden = {files[0][index] for index in held_out}
    _log.info("2. held out of %s: documents %s", texts[0].name, held_out)
    documents = [document for file in files for document in file if document not in hidden]
    train(documents, options.out, recipe, checkpoint=options.checkpoint, resume=options.resume)


if __name__ == "__main__":
    main()

"""A tiny model, a small corpus and a handful of programs, shared by the tests of the outer layers."""

from __future__ import annotations

import functools
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx._transports.default as transports
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import readhead
import readhead_programs
from core.tokenizers_in_tests import byte_level_bpe
from readhead import models, session
from readhead.cli import main
from readhead.models import LoadedModel

POSITIONS = 48
SMALL = ("--sequences", "8", "--length", "16")
"""4 texts in fit, 2 in dev, 2 held out."""
LIBRARY = (
    "first_token/first_token",
    "previous/previous_token",
    "uniform/uniform",
    "decays/decay_4",
    "induction/induction_or_first",
)
PROGRAM = '''"""Look at the last few tokens."""

# /// script
# [tool.readhead]
# heads = ["L0H1", "L1H0"]
# category = "boundaries"
# ///

from readhead.language import Sentence, softmax


def head(s: Sentence):
    return softmax(-1.0 * s.distance)  # the nearer the more
'''


@pytest.fixture(scope="session")
def tiny_gpt2() -> GPT2LMHeadModel:
    """2 layers of 2 heads, random, with patterns far from uniform."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(byte_level_bpe()),
        n_positions=POSITIONS,
        n_embd=16,
        n_layer=2,
        n_head=2,
        initializer_range=1.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    return GPT2LMHeadModel(config).eval()


@pytest.fixture(scope="session")
def documents() -> list[str]:
    names = ("Tom", "Mia", "Ben", "Anna")
    things = ("dog", "red ball", "little door", "apple", "boat")
    return [
        f'{name} saw the {thing} in the rain. "Is it cold?" asked {name}, and the {thing} did not say why. It ran home.'
        for name, thing in itertools.product(names, things)
    ]


@pytest.fixture(scope="session")
def model_folder(tiny_gpt2: GPT2LMHeadModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tiny_gpt2.save_pretrained(folder)
    byte_level_bpe().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def corpus_file(documents: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text("\n".join(documents), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few of the shipped programs."""
    folder = tmp_path_factory.mktemp("library")
    for name in LIBRARY:
        shutil.copy(Path(readhead_programs.__file__).parent / f"{name}.py", folder)
    return folder


@pytest.fixture
def few_programs(small_library: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Ranks `LIBRARY` instead of all that ships; how many programs that is."""
    monkeypatch.setattr(session, "shipped_library", lambda: small_library)
    return len(LIBRARY)


@pytest.fixture(scope="session")
def loaded(model_folder: Path) -> LoadedModel:
    return models.load_model(str(model_folder), device="cpu")


@pytest.fixture
def loaded_once(model_folder: Path, loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny model's folder, which commands do not load again; any other model they do."""
    load_model = models.load_model

    def load(spec: str | Path, *, device: str | None = None) -> LoadedModel:
        models.choose_device(device)
        return loaded if str(spec) == str(model_folder) else load_model(spec, device=device)

    monkeypatch.setattr(models, "load_model", load)
    return model_folder


@pytest.fixture
def workspace(tmp_path: Path, loaded_once: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of the tiny model, and the working directory."""
    root = tmp_path / "workspace"
    (root / "programs").mkdir(parents=True)
    settings = {"model": str(loaded_once), "corpus": str(corpus_file), "fit": 4, "dev": 2, "held_out": 2, "length": 16}
    lines = (f"{key} = {json.dumps(value)}" for key, value in settings.items())
    (root / "readhead.toml").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="session")
def certificates_are_read_once() -> Iterator[None]:
    """Otherwise by every client, which takes longer than all else that it does where no test needs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transports, "create_ssl_context", functools.cache(transports.create_ssl_context))
        yield


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON on stdout: strict, and nothing beside it."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    @property
    def complaint(self) -> str:
        """The first line of two, what is wrong; the second, what to do, is there too, and nothing else."""
        lines = self.err.splitlines()
        assert self.status == 2, self
        assert self.out == ""
        assert len(lines) == 2, self.err
        assert lines[0].startswith("readhead: ")
        assert lines[1].startswith("  "), "what to do"
        return lines[0].removeprefix("readhead: ")


def environment(**changes: str) -> dict[str, str]:
    """A process's environment in which this Readhead is found."""
    roots = {str(Path(package.__file__ or "").parents[1]) for package in (readhead, readhead_programs)}
    return {**os.environ, "PYTHONPATH": os.pathsep.join(roots), **changes}


def own_process(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """The command line as a process of its own; stdout and stderr are pipes unless `options` say otherwise."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "readhead", *map(str, arguments)]
    return subprocess.Popen(command, text=True, env=environment(**options.pop("env", {})), **{**streams, **options})


def finished(process: subprocess.Popen[str]) -> Ran:
    """What the process did, once it has ended."""
    with process:
        out, err = process.communicate(timeout=120)
    return Ran(process.returncode, out or "", err or "")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """The command line, run in this process."""

    def command(*arguments: object) -> Ran:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Ran(status, *capsys.readouterr())

    return command

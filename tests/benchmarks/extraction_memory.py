"""Prints the peak memory of extracting patterns, which must not grow with the corpus.

A random model with 40 heads reads 100 and then 2,000 sequences of 96 tokens, each in a process of its own, and once
more with a whole but unnamed store of 2,000, which is how an interrupted run ends. Required: within 300 MB of each
other.

    PYTHONPATH=core python tests/benchmarks/extraction_memory.py

With `--sequences` it does one of these runs in this process, and prints its peak in MB and nothing else.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LENGTH = 96
VOCABULARY = 64


def extract(count: int, folder: Path) -> None:
    """Extract the patterns of `count` random sequences into `folder`."""
    import numpy as np  # noqa: PLC0415 - the parent needs none of these
    import torch  # noqa: PLC0415
    from tokenizers import Tokenizer  # noqa: PLC0415
    from tokenizers.models import WordLevel  # noqa: PLC0415
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast  # noqa: PLC0415

    from readhead.corpus import TokenSequence  # noqa: PLC0415
    from readhead.models import wrap_model  # noqa: PLC0415
    from readhead.patterns import extract_patterns  # noqa: PLC0415
    from readhead.tokens import Text  # noqa: PLC0415

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=VOCABULARY, n_positions=LENGTH, n_embd=32, n_layer=5, n_head=8)
    words = {f"w{index}": index for index in range(VOCABULARY)}
    fast: Any = PreTrainedTokenizerFast
    model = wrap_model(
        GPT2LMHeadModel(config), fast(tokenizer_object=Tokenizer(WordLevel(words, "w0")), unk_token="w0")
    )
    rows = np.random.default_rng(0).integers(0, VOCABULARY, (count, LENGTH)).tolist()
    sequences = [TokenSequence(tuple(row), Text(tuple(f"w{index}" for index in row))) for row in rows]
    extract_patterns(model, sequences, folder)


def measured(count: int, folder: Path) -> float:
    """The peak memory in MB of a process that extracts `count` sequences."""
    command = [sys.executable, __file__, "--sequences", str(count), "--folder", str(folder)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.sequences:
        extract(options.sequences, options.folder)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3))
        return
    with tempfile.TemporaryDirectory() as folder:
        small, large = (measured(count, Path(folder) / str(count)) for count in (100, 2000))
        store = Path(folder) / "2000" / "patterns.f16"
        size = store.stat().st_size / 1e6
        store.rename(store.with_name("patterns.part"))
        resumed = measured(2000, store.parent)
    print(
        f"peak of 100 sequences {small:.0f} MB, of 2,000 {large:.0f} MB (its store has {size:.0f} MB), "
        f"of resuming these {resumed:.0f} MB; difference {max(large, resumed) - small:.0f} MB"
    )


if __name__ == "__main__":
    main()

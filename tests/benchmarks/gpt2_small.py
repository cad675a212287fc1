"""Prints how long a command takes on a model of GPT-2-small's size, `readhead rank` by default, and its peak memory.

The model is random: 12 layers of 12 heads, a vocabulary of 50,257, with a made-up tokenizer and corpus. The memory is
the sum of the resident memory of the command and all its children, looked at twenty times a second; pages that they
share count more than once. Required: at most 4 GiB. Linux only.

    PYTHONPATH=core:programs python tests/benchmarks/gpt2_small.py
    PYTHONPATH=core:programs python tests/benchmarks/gpt2_small.py synthesize --terms 4
    PYTHONPATH=core:programs python tests/benchmarks/gpt2_small.py replace --fraction 0.25
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TOKENS = 50257


def write_model(folder: Path) -> None:
    """A random GPT-2 and a tokenizer with a token for each made-up word."""
    import torch  # noqa: PLC0415 - only this child process needs it
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415 - as above
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast  # noqa: PLC0415 - as above

    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)
    names = ["<|endoftext|>", *(f"Ġ{word(k)}" for k in range(TOKENS - 1))]
    tokenizer = Tokenizer(models.WordLevel({name: k for k, name in enumerate(names)}, unk_token=names[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    fast: Any = PreTrainedTokenizerFast
    fast(tokenizer_object=tokenizer, bos_token=names[0], unk_token=names[0]).save_pretrained(folder)


def word(number: int) -> str:
    """A different word for each number."""
    syllables: list[str] = []
    while number or not syllables:
        number, digit = divmod(number, 60)
        syllables.append("bdfgklmnprst"[digit // 5] + "aeiou"[digit % 5])
    return "".join(syllables)


def write_corpus(path: Path, documents: int) -> None:
    """Documents of 100 words, of which common ones come often."""
    chance = random.Random(0)
    lines = (" ".join(word(int(chance.paretovariate(0.6)) % TOKENS) for _ in range(100)) for _ in range(documents))
    path.write_text("\n".join(lines), encoding="utf-8")


def resident_bytes(root: int) -> int:
    """Resident memory of a process and all its descendants."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has just ended
                continue
    family, grew = {root}, True
    while grew:
        children = {child for child, parent in parents.items() if parent in family} - family
        family |= children
        grew = bool(children)
    pages = 0
    for process in family:
        try:
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
        except OSError:  # as above
            continue
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--sequences", type=int, default=128)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options, command_flags = parser.parse_known_args()
    if options.write:
        write_model(options.write)
        return
    with tempfile.TemporaryDirectory() as folder:
        model, corpus = Path(folder) / "model", Path(folder) / "corpus.txt"
        subprocess.run([sys.executable, __file__, "--write", str(model)], check=True, stderr=subprocess.DEVNULL)
        write_corpus(corpus, 4 * options.sequences)
        command = [sys.executable, "-m", "readhead", *(command_flags or ["rank"])]
        command += ["--json", "--model", str(model), "--corpus", str(corpus)]
        command += ["--length", str(options.length), "--sequences", str(options.sequences)]
        start, peak = time.perf_counter(), 0
        with (Path(folder) / "heads.json").open("w+b") as output:
            process = subprocess.Popen(command, cwd=folder, stdout=output, env=with_absolute_paths())
            while process.poll() is None:
                peak = max(peak, resident_bytes(process.pid))
                time.sleep(0.05)
            seconds = time.perf_counter() - start
            output.seek(0)
            document = json.load(output)
            heads = document.get("heads", document.get("replaced"))
    print(
        f"{len(heads)} heads, {options.sequences} sequences of {options.length} tokens: {seconds:.1f} s, "
        f"peak memory {peak / 2**30:.2f} GiB with all children"
    )


def with_absolute_paths() -> dict[str, str]:
    """The environment, such that the command finds Readhead from another folder."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in paths if path)}


if __name__ == "__main__":
    main()

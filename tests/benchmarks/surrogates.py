"""Prints what surrogates cost in time: one flip by layer, a full pass with all heads replaced, generated tokens.

1. A flip in layer l: the loss on the dev texts after one head of layer l was flipped, as a ratio to a full pass, and to
   what it should cost: (L - l)/L of the time of the layers, plus the rest (embedding, unembedding, loss). All times
   are medians over rounds, in which the layers take turns. Required: at most 1.25.
2. A full pass with every head replaced and predictions at hand, as a ratio to the neural model's. Required: 1.5.
3. Tokens a second of the bundled model with a program in every head. Required: 5.

    PYTHONPATH=core:programs python tests/benchmarks/surrogates.py
    PYTHONPATH=core:programs:tests/benchmarks python tests/benchmarks/surrogates.py --gpt2

With `--gpt2` the model is a random one of GPT-2-small's size, and 3 is left out.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command line sets it

from gpt2_small import write_corpus, write_model

from readhead.bounded import Bounded
from readhead.heads import HeadId
from readhead.program import Program
from readhead.session import Session
from readhead.settings import Settings
from readhead.surrogates.meter import Meter
from readhead.surrogates.switchboard import Control
from readhead.workspace import Workspace


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def flips(meter: Meter, layers: int, rounds: int) -> None:
    """Part 1."""
    meter.losses({})

    def measure(board: dict[HeadId, Control]) -> float:
        meter._losses.clear()
        return timed(lambda: [meter._loss(board, batch) for batch in meter._batches])

    def forgetting(board: dict[HeadId, Control]) -> float:
        streams, meter._streams = meter._streams, Bounded(0)
        try:
            return measure(board)
        finally:
            meter._streams = streams

    full, rest = [], []
    by_layer: list[list[float]] = [[] for _ in range(layers)]
    for number in range(rounds):
        full.append(forgetting({HeadId(0, 0): Control.UNIFORM}))
        rest.append(measure({}))  # every layer is handed through
        for layer in range(layers):
            head = HeadId(layer, 1 + number % 2)
            meter._streams, kept = meter._streams.copy(), meter._streams
            by_layer[layer].append(measure({head: Control.UNIFORM}))
            meter._streams = kept
    whole, fixed = median(full), median(rest)
    print(f"full pass {whole * 1e3:.0f} ms, of which embedding, unembedding and loss {fixed * 1e3:.0f} ms")
    print("layer   ms   of a full pass   of what it should cost")
    for layer, times in enumerate(by_layer):
        should = (layers - layer) / layers * (whole - fixed) + fixed
        print(f"{layer:>5} {median(times) * 1e3:>4.0f} {median(times) / whole:>16.2f} {median(times) / should:>24.2f}")


def full_pass(meter: Meter, programs: dict[HeadId, Program], rounds: int) -> None:
    """Part 2."""
    meter.losses(programs)
    meter._streams = Bounded(0)
    times: dict[str, list[float]] = {"neural": [], "hybrid": []}
    for _ in range(rounds):
        for name, board in (("neural", {}), ("hybrid", programs)):
            meter._losses.clear()
            times[name].append(timed(lambda board=board: [meter._loss(board, batch) for batch in meter._batches]))
    neural, hybrid = median(times["neural"]), median(times["hybrid"])
    ratio = median(b / a for a, b in zip(times["neural"], times["hybrid"], strict=True))
    print(f"full pass: neural {neural * 1e3:.0f} ms, all heads replaced {hybrid * 1e3:.0f} ms: {ratio:.2f} times")


def generation(session: Session, programs: dict[HeadId, Program], tokens: int = 40) -> None:
    """Part 3."""
    study = session.study(programs)
    *_, text = study.generate(list(programs), "One day, a little girl named Mina", tokens=tokens)
    speed = len(text.tokens["hybrid"]) / text.seconds["hybrid"]
    print(f"generation with {len(programs)} heads replaced: {speed:.1f} tokens a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpt2", action="store_true", help="a random model of GPT-2-small's size")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--workspace", type=Path, help="whose programs to put in; by default the library's best")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings()
        if arguments.gpt2:
            write_model(Path(folder) / "model")
            write_corpus(Path(folder) / "corpus.txt", 60)
            settings = Settings(model=f"{folder}/model", corpus=f"{folder}/corpus.txt", fit=16, dev=16, held_out=16)
        with Workspace.open(arguments.workspace or folder) as workspace, Session.open(workspace, settings) as session:
            programs = dict(session.choose(session.library()).best)
            with Meter(session.model, session.corpus["dev"], session.predictions) as meter:
                print(
                    f"{settings.model if not arguments.gpt2 else 'random GPT-2 small'}: "
                    f"{len(session.corpus['dev'])} texts of {session.corpus.length} tokens"
                )
                flips(meter, session.model.geometry.layers, arguments.rounds or (5 if arguments.gpt2 else 15))
                full_pass(meter, programs, arguments.rounds or (5 if arguments.gpt2 else 15))
            if not arguments.gpt2:
                generation(session, programs)


if __name__ == "__main__":
    main()

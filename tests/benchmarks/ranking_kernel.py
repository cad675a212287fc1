"""Prints how much faster the ranking kernel is than the paper's way, on the same matrices in one run.

The kernel is `overlaps` and `iou_of_overlap`, as `rank` uses them. The paper's way is a Python loop over head, program
and sequence that clips both matrices in float64 and divides the sums of minimum and maximum. Repetitions are
interleaved; the medians of their wall-clock times are compared. Processor seconds stand beside them, because a busy
machine takes time from both. Required are 10 times on one thread and 20 times on two.

    PYTHONPATH=core python tests/benchmarks/ranking_kernel.py
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np
import numpy.typing as npt

from readhead.patterns import unpack
from readhead.scoring import as_pattern, iou_of_overlap, overlaps

Array = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]


def random_patterns(count: int, length: int, rng: np.random.Generator) -> Array:
    """Causal softmax matrices of random scores, packed."""
    scores = np.exp(2 * rng.standard_normal((count, length, length), np.float32))
    return np.stack([as_pattern(weights) for weights in scores])


def paper(predictions: list[Array], patterns: list[Array]) -> Scores:
    """Programs × heads from dense `[programs, n, n]` and `[heads, n, n]` of each sequence."""
    ious: Scores = np.zeros((len(predictions[0]), len(patterns[0])))
    for head in range(ious.shape[1]):
        for program in range(ious.shape[0]):
            for sequence in range(len(predictions)):
                a = np.clip(patterns[sequence][head].astype(np.float64), 0, 1)
                b = np.clip(predictions[sequence][program].astype(np.float64), 0, 1)
                ious[program, head] += np.minimum(a, b).sum() / np.maximum(a, b).sum()
    ious /= len(predictions)
    return ious


def kernel(predictions: list[Array], patterns: list[Array], length: int, pool: ThreadPoolExecutor) -> Scores:
    """Programs × heads from packed `[programs, triangle]` and `[heads, triangle]` of each sequence."""
    ious: list[Scores] = list(pool.map(lambda a, b: iou_of_overlap(overlaps(a, b), length), predictions, patterns))
    mean: Scores = np.mean(ious, axis=0)
    return mean


def pool_of(threads: int, *, pin: bool) -> ThreadPoolExecutor:
    """Threads, on a core each if they are to be pinned."""
    cores = itertools.cycle(sorted(os.sched_getaffinity(0)) if pin else ())
    return ThreadPoolExecutor(threads, initializer=lambda: os.sched_setaffinity(0, {next(cores)}) if pin else None)


def timed(work: Callable[[], Scores]) -> tuple[Scores, float, float]:
    """What `work` gives, its wall-clock seconds and its processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=600)
    parser.add_argument("--heads", type=int, default=40)
    parser.add_argument("--sequences", type=int, default=4)
    parser.add_argument("--length", type=int, default=96)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument(
        "--pin",
        action="store_true",
        help="a core for each thread: where other work keeps all cores busy, Linux puts both threads on one",
    )
    options = parser.parse_args()

    rng, length = np.random.default_rng(0), options.length
    predictions = [random_patterns(options.programs, length, rng) for _ in range(options.sequences)]
    patterns = [random_patterns(options.heads, length, rng) for _ in range(options.sequences)]
    dense_predictions = [unpack(packed, length) for packed in predictions]
    dense_patterns = [unpack(packed, length) for packed in patterns]
    one, two = (pool_of(threads, pin=options.pin) for threads in (1, 2))
    ways: dict[str, Callable[[], Scores]] = {
        "paper's way": lambda: paper(dense_predictions, dense_patterns),
        "kernel, 1 thread": lambda: kernel(predictions, patterns, length, one),
        "kernel, 2 threads": lambda: kernel(predictions, patterns, length, two),
    }
    walls: dict[str, list[float]] = {name: [] for name in ways}
    processors: dict[str, list[float]] = {name: [] for name in ways}
    results = {}
    for _ in range(options.repetitions):
        for name, work in ways.items():
            results[name], wall, processor = timed(work)
            walls[name].append(wall)
            processors[name].append(processor)

    print(
        f"{options.programs} programs x {options.heads} heads x {options.sequences} sequences of {length} tokens, "
        f"{options.repetitions} interleaved repetitions"
    )
    first = next(iter(ways))
    for name in ways:
        print(
            f"{name:18} median {median(walls[name]):7.3f} s, best {min(walls[name]):7.3f} s, "
            f"processor {median(processors[name]):7.3f} s: {median(walls[first]) / median(walls[name]):5.1f} times "
            f"(best {min(walls[first]) / min(walls[name]):5.1f}, "
            f"processor {median(processors[first]) / median(processors[name]):5.1f}), "
            f"largest difference {np.abs(results[name] - results[first]).max():.1e}"
        )


if __name__ == "__main__":
    main()

"""Prints how much longer `readhead --help` takes than `python -c pass`: required are less than 0.3 s.

The runs are interleaved; medians of their wall-clock times are compared, with processor seconds beside them, because
a busy machine takes time from both.

    PYTHONPATH=core python tests/benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from statistics import median

COMMANDS = {"python -c pass": ["-c", "pass"], "readhead --help": ["-m", "readhead", "--help"]}


def timed(arguments: list[str]) -> tuple[float, float]:
    """Wall-clock and processor seconds of one run."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=15)
    options = parser.parse_args()
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(options.repetitions):
        for name, arguments in COMMANDS.items():
            runs[name].append(timed(arguments))
    walls, processors = ([median(run[k] for run in runs[name]) for name in COMMANDS] for k in (0, 1))
    for name, wall, processor in zip(COMMANDS, walls, processors, strict=True):
        print(f"{name:16} median {wall:.3f} s, processor {processor:.3f} s")
    print(f"difference {walls[1] - walls[0]:.3f} s, processor {processors[1] - processors[0]:.3f} s")


if __name__ == "__main__":
    main()

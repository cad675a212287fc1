"""What the sandbox costs: programs run in it, beside the same programs run by plain `exec` in one process.

    .venv/bin/python tests/benchmarks/sandbox_cost.py [--cores 1] [--level locked] [--rounds 15] [--pause 0.05]

Every round runs both ways in turn. Told are the ratio of wall-clock times (median and quartiles), which means something
on an idle machine only, and the ratio of processor times, children and server included, which a busy machine changes
little. The latter counts what the server does ahead, between two programs, too. On save means one program at a time,
each with a text that was never seen before; `--pause` is the time between two rounds, when a person would think, and
the server makes its spare child. In bulk means 200 programs by `run_many`, which uses all cores; `--cores 1`
binds everything to one. At the end, how long hangs last with a limit of 1 s of processor time.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from readhead.language import Sentence
from readhead.sandbox import Limits, Run, Sandbox, Text, namespace

SEQUENCES, TOKENS = 64, 96
WORDS = "the cat , and then a small dog ran to the big red house . She said that it was not there but ' s (".split()  # noqa: SIM905 - a text

PROGRAMS = {
    "vectorised": """
def head(s):
    near = np.where(s.distance < 4, 1.0, 0.25)
    return 2.0 * s.induction + s.same_token * near + 0.1 * s.first
""",
    "softmax": """
def head(s):
    return softmax(2.1 * s.previous(1) + 0.8 * s.key.is_comma + 1.5 * s.same_token - 0.1 * s.distance + s.first)
""",
    "double loop": """
def head(s):
    out = np.zeros((s.n, s.n))
    for i in range(s.n):
        for j in range(i + 1):
            if s.tokens[j] == s.tokens[i]:
                out[i, j] += 1.0 / (1 + i - j)
    return out
""",
}
REQUIRED = {"vectorised": 3.0, "softmax": 3.0, "double loop": 1.5, "bulk": 2.2}


def texts() -> list[Text]:
    chance = random.Random(0)
    return [Text(tuple(" " + chance.choice(WORDS) for _ in range(TOKENS))) for _ in range(SEQUENCES)]


def plain(source: str, sentences: list[Sentence]) -> list[np.ndarray]:
    """What a tool without a sandbox does."""
    names = dict(namespace.prepared())
    exec(compile(source, "<program>", "exec"), names)
    return [np.array(np.broadcast_to(names["head"](s), (s.n, s.n)), np.float32) for s in sentences]


@dataclass
class Cost:
    """Of some work: by the wall clock, and in processor time of this process, the server and its children."""

    wall: float
    processor: float
    server: float = 0.0
    here: float = 0.0


def cost(work: Callable[[], object], server: int = 0) -> Cost:
    wall, here, there, children = time.perf_counter(), time.process_time(), _server_seconds(server), _children(server)
    work()
    wall = time.perf_counter() - wall
    here, there = time.process_time() - here, _server_seconds(server) - there
    return Cost(wall, here + there + _children(server) - children, there, here)


def _server_seconds(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | 2) if pid else 0.0


def _children(pid: int) -> float:
    """In steps of 10 ms: only sums over many rounds mean anything."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def server_of(sandbox: Sandbox) -> int:
    server = getattr(sandbox._backend, "_server", None)
    return server.pid if server else 0


def fresh(source: str, number: int) -> str:
    return f"{source}\n# {number}\n"


def tell(name: str, pairs: list[tuple[Cost, Cost]]) -> None:
    walls = [boxed.wall / bare.wall for bare, boxed in pairs]
    low, middle, high = statistics.quantiles(walls, n=4)
    bare, boxed = (sum(one.processor for one in side) / len(pairs) * 1e3 for side in zip(*pairs, strict=True))
    print(
        f"{name:12} wall ratio {middle:5.2f} ({low:.2f}-{high:.2f})   processor: exec {bare:7.1f} ms,"
        f" sandbox {boxed:7.1f} ms, ratio {boxed / bare:5.2f}   required {REQUIRED[name]}",
        flush=True,
    )


def on_save(sandbox: Sandbox, sentences: list[Sentence], rounds: int, pause: float) -> None:
    for name, source in PROGRAMS.items():
        expected = plain(source, sentences)
        run = sandbox.run(source)
        assert run.failures == ()
        for one, other in zip(expected, run.weights, strict=True):
            np.testing.assert_array_equal(one, other)
        pairs = []
        for number in range(rounds):
            text = fresh(source, number)
            time.sleep(pause)
            bare = cost(lambda: plain(text, sentences))  # noqa: B023
            pairs.append((bare, cost(lambda: sandbox.run(text), server_of(sandbox))))  # noqa: B023
        tell(name, pairs)


def in_bulk(sandbox: Sandbox, sentences: list[Sentence], rounds: int) -> None:
    kinds = [PROGRAMS["vectorised"], PROGRAMS["softmax"]] * 4 + [PROGRAMS["double loop"]]
    pairs = []
    for number in range(rounds):
        sources = [fresh(kinds[k % len(kinds)], 1000 * number + k) for k in range(200)]
        bare = cost(lambda: [plain(source, sentences) for source in sources])  # noqa: B023
        pairs.append((bare, cost(lambda: list(sandbox.run_many(sources)), server_of(sandbox))))  # noqa: B023
    tell("bulk", pairs)
    theirs, ours = (sum(getattr(boxed, who) for _, boxed in pairs) / rounds / 200 * 1e3 for who in ("server", "here"))
    print(f"{'':12} for each program {theirs:.1f} ms in the server itself, {ours:.1f} ms in this process")


def hangs(sandbox: Sandbox) -> None:
    """Time-outs, with a limit of 1 s, and how soon the next program has its result."""
    once = [Text((" a", " b"))]
    sandbox.load(once)
    honest = "def head(s):\n    return s.first\n"
    sandbox.run(honest)
    for name, body in {
        "a loop": "while True: pass",
        "swallowing": "while True:\n        try:\n            while True: pass\n        except: pass",
        "one integer power": "x = 10\n    return x ** x ** 8",
        "one regex": "return re.match('(a+)+$', 'a' * 50 + 'b')",
        "one sum": "return sum(range(10 ** 12))",
        "print flood": "while True: print('x' * 9999)",
    }.items():
        source = f"def head(s):\n    {body}\n"
        runs: list[Run] = []
        ended = cost(lambda: runs.append(sandbox.run(source)), server_of(sandbox))  # noqa: B023
        after = cost(lambda: sandbox.run(fresh(honest, len(name)))).wall  # noqa: B023
        (failure,) = runs[0].failures
        print(
            f"{name:18} {failure.kind}, line {failure.line}, after {ended.wall:.2f} s, of which {ended.processor:.2f} s"
            f" processor time; next result after {after * 1e3:.0f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=0)
    parser.add_argument("--level", default="auto")
    parser.add_argument("--rounds", type=int, default=15, help="0: hangs only")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each round on save")
    options = parser.parse_args()
    if options.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    print("command:", " ".join(["python", *sys.argv]))
    sentences = [Sentence(text.surfaces, text.special) for text in texts()]
    namespace.warm_up()
    with Sandbox(limits=Limits(seconds=1.0), level=options.level) as sandbox:
        print(f"{SEQUENCES} sequences x {TOKENS} tokens, {len(os.sched_getaffinity(0))} cores, {sandbox.isolation}")
        print("load average before:", os.getloadavg()[0])
        sandbox.load(texts())
        if options.rounds:
            on_save(sandbox, sentences, options.rounds, options.pause)
            in_bulk(sandbox, sentences, max(options.rounds // 5, 2))
        hangs(sandbox)


if __name__ == "__main__":
    main()

"""What each layer of the sandbox does to the escape corpus, alone and with the others.

`python tests/core/escape_layers.py > docs/escapes.md` writes the table.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "core")]

from core import escapes
from core.escapes import CASES, SECRET, WON, Case
from core.sandbox_programs import body
from readhead.errors import SandboxError
from readhead.sandbox import Failure, Limits, Run, Sandbox, Text, launch, policy
from readhead.sandbox.results import Weights

SECONDS = 0.25
REACHED = "reached"
"""What the program was after and had to say itself: within its own process, nothing was seen outside."""
PATIENCE = 2.0
"""Wall-clock seconds after which a program at a single layer has run too long."""
TEXT = Text((" The", " cat", ",", " the", " cat"))
OTHER_TEXT = Text((" A", " dog", "."))
HONEST = "from collections import Counter\nimport collections.abc\n" + body(
    "n = len(s.tokens) + Counter(s.tokens).most_common(1)[0][1] + math.floor(2.5) + len(re.findall('t', s.tokens[1]))",
    "x = np.where(s.distance > 0, np.exp(s.distance / 0.0 * 0), np.log(s.distance))",
    "x = np.nan_to_num(x) + s.key.is_comma + s.previous(1) + normalize(s.every) + isinstance(1, collections.abc.Sized)",
    "return softmax(s.first + s.same_token) + x + n + len(str(s.first))",
)

_ALL_OF_PYTHON = (
    "from readhead.sandbox import namespace; import numpy, math, re; from readhead import language; "
    "namespace.prepared = namespace.fresh = lambda: dict(np=numpy, math=math, re=re, softmax=language.softmax, "
    "normalize=language.normalize, __name__='program'); "
)


class World:
    """A folder with a secret, and another process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bystander = self._new_bystander()
        self._reset()

    def _new_bystander(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"])

    def _reset(self) -> None:
        for path in self._folder.iterdir():
            path.rmdir() if path.is_dir() else path.unlink()
        (self._folder / "secret").write_text(SECRET)
        (self._folder / "pickled").write_bytes(b"cos\ngetpid\n(tR.")
        self._before = self._files()

    def _files(self) -> dict[str, bytes]:
        return {path.name: b"" if path.is_dir() else path.read_bytes() for path in self._folder.iterdir()}

    def source(self, case: Case) -> str:
        """The case's program, aimed at this world."""
        return case.source.replace("@FOLDER@", str(self._folder)).replace("@BYSTANDER@", str(self._bystander.pid))

    def harm(self) -> str:
        """What has happened to it; it is put right again."""
        if self._bystander.poll() is not None:
            self._bystander = self._new_bystander()
            return "ended another process"
        os.kill(self._bystander.pid, signal.SIGCONT)
        if self._files() != self._before:
            self._reset()
            return "changed a file"
        return ""

    def close(self) -> None:
        """End the other process."""
        self._bystander.kill()
        self._bystander.wait()


@dataclass
class Outcome:
    """What became of one program."""

    kind: str
    """As in `Failure`, or `ran`."""
    harm: str = ""
    """Empty if it did none."""

    def __str__(self) -> str:
        """As it stands in the table."""
        return f"**{self.harm}**" if self.harm else {"ran": "–", "bad result": "–"}.get(self.kind, self.kind)


# One layer alone, in one process for all programs


class Worker:
    """`escape_worker`, started again when a program has spoilt it."""

    def __init__(self, level: str) -> None:
        self._level = level
        self._process: subprocess.Popen[str] | None = None
        self._expected: object = None

    def run(self, source: str) -> dict[str, object]:
        """Its answer; `kind` is `time-out` or `crash` if there is none."""
        if self._process is None:
            self._start()
        assert self._process is not None
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps(source) + "\n")
            self._process.stdin.flush()
            ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
            answer = self._process.stdout.readline() if ready else None
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.stop()
            return {"kind": "time-out" if answer is None else "crash"}
        return dict(json.loads(answer))

    def _start(self) -> None:
        paths = [*launch.import_paths(), str(Path(__file__).parents[1])]
        run = f"from core.escape_worker import main; main({self._level!r}, {list(TEXT.surfaces)!r})"
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-S", "-P", "-c", f"import sys; sys.path += {paths!r}; {run}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd="/",
            start_new_session=True,
            env={"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "HF_TOKEN": "secret"},
        )
        patience = time.monotonic() + 20
        while "weights" not in (first := self.run_again(HONEST)) and time.monotonic() < patience:
            pass
        self._expected = first

    def run_again(self, source: str) -> dict[str, object]:
        """Ask with all the time there is, at its start."""
        assert self._process is not None
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(source) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def spoilt(self) -> bool:
        """Whether an honest program gives anything else now; if so, or to be sure, it is started again."""
        if self._process is None:
            return True
        spoilt = self.run(HONEST) != self._expected
        if spoilt:
            self.stop()
        return spoilt

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None


def alone(level: str, cases: list[Case], world: World) -> Iterator[Outcome]:
    """One layer, or none, in one process for all programs."""
    worker = Worker(level)
    try:
        for case in cases:
            source = world.source(case)
            if level == "policy" and policy.check(source):
                yield Outcome("refused")
                continue
            yield _outcome_alone(worker, source, case, world)
    finally:
        worker.stop()


def _outcome_alone(worker: Worker, source: str, case: Case, world: World) -> Outcome:
    answer = worker.run(source)
    kind = str(answer["kind"])
    harm = world.harm()
    if kind == "time-out":
        return Outcome(kind, harm or "ran on")
    if kind == "crash":
        return Outcome(kind, harm or "ended the process")
    if kind == "out of memory" or (case.harm == escapes.MEMORY and kind == "ran"):
        return Outcome(kind, harm or "took the memory")
    if kind == "ran" and answer["weights"] == _WON * len(TEXT.surfaces) ** 2:
        harm = harm or REACHED
    return Outcome(kind, harm or ("spoilt the next" if worker.spoilt() else ""))


_WON = b"\0\x80\x26\x44".hex()
"""666 as float32."""

# The sandbox, whole or without its allow-list


def sandboxed(level: str, cases: list[Case], world: World, *, with_policy: bool = True) -> Iterator[Outcome]:
    """The sandbox at one of its levels."""
    with contextlib.ExitStack() as stack:
        if not with_policy:
            stack.enter_context(mock.patch.object(policy, "review", return_value=policy.Review()))
            start = launch.start
            open_start: Callable[..., object] = lambda main, **kept: start(_ALL_OF_PYTHON + main, **kept)  # noqa: E731
            stack.enter_context(mock.patch.object(launch, "start", open_start))
        stack.enter_context(mock.patch.dict(os.environ, {"HF_TOKEN": "secret"}))
        sandbox = stack.enter_context(
            Sandbox(limits=Limits(seconds=SECONDS, memory_bytes=192 << 20), level=level, allow_reduced=True)  # type: ignore[arg-type]
        )
        sandbox.load([TEXT])
        expected = sandbox.run(HONEST)
        assert expected.failed == 0, expected.failures
        for case in cases:
            yield _outcome(sandbox, case, world, expected)


def _outcome(sandbox: Sandbox, case: Case, world: World, expected: Run) -> Outcome:
    begun = time.monotonic()
    try:
        run = sandbox.run(world.source(case))
    except SandboxError as error:
        return Outcome("error", f"ended the server: {error}")
    took = time.monotonic() - begun
    kind = run.failures[0].kind if run.failures else "ran"
    harm = world.harm()
    if took > SECONDS * 10 + 2:
        harm = harm or f"ran for {took:.0f} s"
    if case.harm == escapes.MEMORY and kind == "ran":
        harm = harm or "took the memory"
    if run.weights[0] is not None and (run.weights[0] == WON).all():
        harm = harm or REACHED
    return Outcome(kind, harm or ("" if same(sandbox.run(HONEST), expected) else "spoilt the next"))


def kept(cases: list[Case], world: World) -> Iterator[Outcome]:
    """The sandbox, with every program in a kept child, which is given one text and another and the first again."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, {"HF_TOKEN": "secret"}))
        sandbox = stack.enter_context(Sandbox(limits=Limits(seconds=SECONDS, memory_bytes=192 << 20), level="locked"))
        sandbox.load([TEXT])
        expected = sandbox.run(HONEST)
        assert expected.failed == 0, expected.failures
        for case in cases:
            outcome = _outcome_kept(sandbox, case, world)
            if not outcome.harm and not same(sandbox.run(HONEST), expected):
                outcome.harm = "spoilt the next"
            yield outcome


def _outcome_kept(sandbox: Sandbox, case: Case, world: World) -> Outcome:
    source = world.source(case)
    begun = time.monotonic()
    try:
        with sandbox.keep(source) as program:
            answers = [program.weights(text) for text in (TEXT, OTHER_TEXT, TEXT)]
        took = time.monotonic() - begun
        with sandbox.keep(source) as program:
            fresh = program.weights(OTHER_TEXT)
    except SandboxError as error:
        return Outcome("error", f"ended the server: {error}")
    failure = answers[0]
    kind = failure.kind if isinstance(failure, Failure) else "ran"
    harm = world.harm()
    if took > 3 * (SECONDS * 10 + 2):
        harm = harm or f"ran for {took:.0f} s"
    if case.harm == escapes.MEMORY and kind == "ran":
        harm = harm or "took the memory"
    if not isinstance(failure, Failure) and (failure == WON).all():
        harm = harm or REACHED
    is_same = _same_answer(answers[0], answers[2]) and _same_answer(answers[1], fresh)
    return Outcome(kind, harm or ("" if is_same else "spoilt its own next"))


def _same_answer(one: Weights | Failure, other: Weights | Failure) -> bool:
    """Whether both are the same weights, bit for bit, or both none: time or memory may be what a bomb uses up first."""
    if isinstance(one, Failure) or isinstance(other, Failure):
        return isinstance(one, Failure) and isinstance(other, Failure)
    return one.tobytes() == other.tobytes()


def same(one: Run, other: Run) -> bool:
    """Whether two runs are bit-identical."""
    weights = zip(one.weights, other.weights, strict=True)
    return one.failures == other.failures and all(
        a is b if a is None or b is None else a.tobytes() == b.tobytes() for a, b in weights
    )


# The table

COLUMNS: dict[str, Callable[[list[Case], World], Iterator[Outcome]]] = {
    "nothing": lambda cases, world: alone("nothing", cases, world),
    "allow-list": lambda cases, world: alone("policy", cases, world),
    "fork, limits": lambda cases, world: sandboxed("fork", cases, world, with_policy=False),
    "seccomp": lambda cases, world: alone("seccomp", cases, world),
    "fork, limits, seccomp": lambda cases, world: sandboxed("locked", cases, world, with_policy=False),
    "portable level": lambda cases, world: sandboxed("portable", cases, world),
    "all": lambda cases, world: sandboxed("locked", cases, world),
    "all, kept": kept,
}
EXACT = ("allow-list", "portable level", "all", "all, kept")
"""Columns in which harm and refusal are the same on every system."""

_HEAD = """\
# Escapes, and what stops them

<!-- made by `python tests/core/escape_layers.py > docs/escapes.md`, which `make test-slow` checks -->

{total} programs that try to get out of the sandbox (`tests/core/escapes.py`), each run against every layer alone and
against the layers together. **Bold** is harm, with what it was; `refused` is the allow-list's word before anything
runs; *error*, *time-out*, *crash* and *out of memory* are how a program was stopped without harm; – is a program that
ran and did none. **reached** is a program that got what no program may have, such as a frame or a class of its own, and
from which nothing was seen outside; every other harm was. Measured on {system}, as {user}.

* *nothing*: one process for all programs, all of Python. What is harmless here is so for another reason, such as
  features that are read-only.
* *allow-list*: the same process, with the allow-list and the names that it hands out.
* *fork, limits*: a process for every program, with limits on time, memory and descriptors, and all of Python in it.
* *seccomp*: one process for all programs, without system calls, with all of Python.
* *fork, limits, seccomp*: the sandbox without its allow-list.
* *portable level*: the sandbox where a system has neither fork nor seccomp.
* *all*: the sandbox.
* *all, kept*: the same for one program that is kept and called with three texts, whose answers must be those of a fresh
  child.

"""


def table() -> str:
    """The page."""
    columns = {name: outcomes(name) for name in COLUMNS}
    user = "root" if os.getuid() == 0 else "an ordinary user"
    parts = [_HEAD.format(total=len(CASES), system=f"Linux {platform.machine()}", user=user)]
    parts.append("| | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS) + "\n")
    for word in ("harm", REACHED, "refused", "stopped", "harmless"):
        counts = [Counter(map(_sort, found))[word] for found in columns.values()]
        parts.append(f"| {word} | " + " | ".join(map(str, counts)) + " |\n")
    category = ""
    for case, *row in zip(CASES, *columns.values(), strict=True):
        if case.category != category:
            category = case.category
            parts.append(f"\n## {category.capitalize()}\n\n| | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}\n")
        parts.append(f"| {case.name} | {' | '.join(map(str, row))} |\n")
    return "".join(parts)


def outcomes(column: str, cases: list[Case] = CASES) -> list[Outcome]:
    """Of all cases, at one combination of layers."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            return list(COLUMNS[column](cases, world))
        finally:
            world.close()


def _sort(outcome: Outcome) -> str:
    if outcome.harm or outcome.kind == "refused":
        return {"": "refused", REACHED: REACHED}.get(outcome.harm, "harm")
    return "harmless" if outcome.kind in {"ran", "bad result"} else "stopped"


if __name__ == "__main__":
    sys.stdout.write(table())

"""What all levels have in common, the portable worker and kept programs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.sandbox_processes import descriptors_of, kept_children_of, wait_for_descriptors, wait_for_spare
from core.sandbox_programs import FRIENDLY, REFUSED, body
from readhead.errors import SandboxError
from readhead.sandbox import Failure, Level, Limits, Run, Sandbox, Text, kept, launch, policy, portable

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

TEXTS = [
    Text((" The", " cat", " sat", ",", " and", " the", " cat", " ran", ".")),
    Text(("<s>", " Hello", ",", " Anna", "!"), frozenset({0})),
    Text((" One",)),
]
ABOVE: list[Level] = ["fork", "locked"] if sys.platform == "linux" else []
LEVELS: list[Level] = ["portable", *ABOVE]
SECONDS: dict[Level, float] = {"portable": 0.6, "fork": 0.2, "locked": 0.2}
"""The first is wall-clock time, of which a busy machine takes some away."""
CRASHING = body("m = [1]", "for i in range(150000):", "    m = map(abs, m)", "return list(m)")

FAILING = {
    "error": body("return s.tokens[99]"),
    "error while it is defined": "x = 1 / 0\n" + body("return x"),
    "error on one text": body("if s.n == 5:", "    raise ValueError('five')", "return s.first"),
    "bad result": body("x = 1", "return np.ones((2, 3))"),
    "two kinds": body("if s.n == 9:", "    return None", "return s.tokens[99]"),
    "time-out": body("return re.match('(a+)+$', 'a' * 50 + 'b')"),
    "time-out in one call": body("x = 10", "return x ** x ** 8"),
    "time-out while it is defined": "x = 9\nwhile True: pass\n" + body("return x"),
    "time-out after a good text": body("if s.n == 5:", "    while True: pass", "return s.first"),
    "crash": CRASHING,
    "out of memory": body("x = 1", "return np.zeros(10 ** 12)"),
    "refused": REFUSED["open"][0],
}


@pytest.fixture(scope="module")
def levels() -> Iterator[dict[Level, Sandbox]]:
    memory = 256 << 20
    sandboxes = {level: Sandbox(limits=Limits(SECONDS[level], memory), level=level) for level in LEVELS}
    for sandbox in sandboxes.values():
        sandbox.load(TEXTS)
    yield sandboxes
    for sandbox in sandboxes.values():
        sandbox.close()


@pytest.fixture
def worker(levels: dict[Level, Sandbox]) -> Sandbox:
    return levels["portable"]


def without_limits(failures: tuple[Failure, ...]) -> list[Failure]:
    return [replace(failure, message=re.sub(r"0\.\d s", "", failure.message)) for failure in failures]


def assert_same(one: Run, other: Run) -> None:
    assert (without_limits(one.failures), one.failed) == (without_limits(other.failures), other.failed)
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)


# Every level


@pytest.mark.parametrize("source", [*FRIENDLY.values(), *FAILING.values()], ids=[*FRIENDLY, *FAILING])
def test_every_level_tells_the_same(levels: dict[Level, Sandbox], source: str) -> None:
    first, *others = (sandbox.run(source) for sandbox in levels.values())
    for other in others:
        assert_same(first, other)


@pytest.mark.parametrize("level", LEVELS)
def test_results_come_in_the_order_of_the_sources(levels: dict[Level, Sandbox], level: Level) -> None:
    sources = [body(f"return {k}") if k % 3 else REFUSED["open"][0] for k in range(12)]
    runs = list(levels[level].run_many(sources))
    assert [run.weights[0] is None or float(run.weights[0][0, 0]) for run in runs] == [
        k % 3 == 0 or k for k in range(12)
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_a_closed_sandbox_starts_again(level: Level) -> None:
    with Sandbox(level=level) as sandbox:
        sandbox.load(TEXTS)
        sandbox.close()
        assert sandbox.run(body("return s.first")).failed == 0


@pytest.mark.parametrize("level", LEVELS)
def test_texts_that_cannot_be_read_are_an_error(level: Level) -> None:
    with Sandbox(level=level) as sandbox:
        with pytest.raises(SandboxError, match="could not be read"):
            sandbox.load([Text((1, 2))])  # type: ignore[arg-type]
        sandbox.load(TEXTS)
        assert sandbox.run(body("return 1")).failed == 0


@pytest.mark.parametrize("level", LEVELS)
def test_a_process_that_cannot_start_tells_why(monkeypatch: pytest.MonkeyPatch, level: Level) -> None:
    monkeypatch.setattr(launch, "import_paths", lambda: ["/nowhere"])
    with Sandbox(level=level) as sandbox, pytest.raises(SandboxError, match="No module named 'readhead'"):
        sandbox.load(TEXTS)


# The portable worker


def test_the_portable_level_is_told_and_is_not_for_generated_programs(worker: Sandbox) -> None:
    assert worker.isolation == "reduced: one worker for all programs, as the level asks"
    for attempt in (worker.run, lambda source, **how: worker.run_many([source], **how), worker.keep):
        with pytest.raises(SandboxError, match="generated programs are not run here unasked") as caught:
            attempt(body("return 1"), generated=True)
        for way in ("--allow-reduced-isolation", "allow_reduced_isolation = true", "allow_reduced=True"):
            assert way in caught.value.hint


def test_other_systems_get_the_portable_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with Sandbox() as sandbox:
        assert sandbox.isolation == "reduced: one worker for all programs, because nothing better is known for darwin"
        sandbox.load(TEXTS)
        assert sandbox.run(body("return s.first")).failed == 0
    with pytest.raises(SandboxError, match="no level 'locked' on darwin"):
        Sandbox(level="locked")


def test_the_portable_level_needs_nothing_of_posix() -> None:
    script = f"""
import sys
sys.path += {launch.import_paths()!r}
import os, signal, socket
for name in ("resource", "fcntl", "pwd", "grp", "termios", "readline"):
    sys.modules[name] = None
for module, names in ((os, ("fork", "forkpty", "memfd_create", "preadv", "pread", "pwrite", "getppid")),
                      (socket, ("socketpair", "send_fds", "recv_fds", "AF_UNIX")),
                      (signal, ("SIGXCPU", "SIGUSR1", "pthread_kill"))):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
"""
    run = """
import threading
from readhead.sandbox import *
from readhead.sandbox import portable
sys.platform = "win32"
with Sandbox(limits=Limits(seconds=0.3)) as sandbox:
    sandbox.load([Text((" a", " b"))])
    print(sandbox.run("def head(s):\\n    return s.previous(1)\\n").weights[0].tolist())
    print(sandbox.run("def head(s):\\n    while True: pass\\n").failures[0].line)
    with sandbox.keep("def head(s):\\n    return s.n\\n") as kept:
        print(kept.weights(Text((" a",))))
"""
    patched = f"from readhead.sandbox import portable; portable._SERVE = {script!r} + portable._SERVE\n"
    start = [sys.executable, "-s", "-S", "-P", "-c", script + patched + run]
    done = subprocess.run(start, capture_output=True, text=True, check=False, env={}, timeout=60)
    assert (done.stdout.split("\n"), done.stderr) == (["[[0.0, 0.0], [1.0, 0.0]]", "2", "[[1.]]", ""], "")


def pid(sandbox: Sandbox) -> int | None:
    worker = sandbox._backend._worker
    return worker and worker._process.pid


def test_one_worker_serves_all_programs_that_do_no_harm(worker: Sandbox) -> None:
    worker.run(body("return s.first"))
    before = pid(worker)
    assert before is not None
    for source in (*FRIENDLY.values(), FAILING["error"], FAILING["bad result"], FAILING["refused"]):
        worker.run(source)
    assert pid(worker) == before


@pytest.mark.parametrize("kind", ["time-out", "crash", "out of memory"])
def test_the_worker_is_replaced_after(worker: Sandbox, kind: str) -> None:
    honest = body("return softmax(s.previous(1) + s.key.is_comma)")
    before = worker.run(honest)
    old = pid(worker)
    (failure,) = worker.run(FAILING[kind]).failures
    assert failure.kind == kind
    assert pid(worker) is None
    assert_same(before, worker.run(honest))
    assert pid(worker) != old


SPOILING = {
    "numpy, by way of softmax": body("softmax.__globals__['np'].exp = np.abs", "return s.first"),
    "the code of softmax": body("softmax.__code__ = normalize.__code__", "return s.first"),
    "the class of sentences": body("s.__class__.previous = lambda self, k: self.first", "return s.first"),
}


@pytest.mark.parametrize("source", SPOILING.values(), ids=SPOILING.keys())
def test_what_spoils_the_worker_does_not_reach_the_next_program(
    worker: Sandbox, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    honest = body("return softmax(s.previous(1) + np.where(s.distance > 1, 1, 2)) + normalize(s.every)")
    before = worker.run(honest)
    with monkeypatch.context() as patch:
        patch.setattr(policy, "review", lambda _: policy.Review())
        worker.run(source)
    assert pid(worker) is None
    assert_same(before, worker.run(honest))


def test_what_a_program_does_to_its_sentences_stays_with_it(worker: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = body("return s.distance + s.is_comma")
    before = worker.run(honest)
    with monkeypatch.context() as patch:
        patch.setattr(policy, "review", lambda _: policy.Review())
        spoil = ("s.is_comma.flags.writeable = True", "s.is_comma[:] = 7", "s._relations.clear()", "return s.distance")
        worker.run(body("try:", *(f"    {line}" for line in spoil), "except ValueError:", "    return 1"))
    assert_same(before, worker.run(honest))


def test_a_worker_that_somebody_killed_is_replaced(worker: Sandbox) -> None:
    worker.run(body("return 1"))
    os.kill(pid(worker) or 0, signal.SIGKILL)
    time.sleep(0.05)
    assert worker.run(body("return 1")).failed == 0


def test_a_worker_killed_in_the_midst_of_a_program(worker: Sandbox) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy, "review", lambda _: policy.Review())
        walk = "next(c for c in ().__class__.__mro__[1].__subclasses__() if c.__name__ == 'BuiltinImporter')"
        posix = f"{walk}.load_module('posix')"
        run = worker.run(body(f"{posix}.kill({posix}.getpid(), 9)"))
    assert [failure.kind for failure in run.failures] == ["out of memory"]
    assert run.failed == 3


def test_what_a_worker_sends_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    for pieces in (
        "[(10 ** 9, b'x')]",
        "[(-2, b'x')]",
        "[(16384, b'\\xff' * 9), (-1, b'[]')]",
        "[(-1, b'[' * 99999)]",
        "[(0, b'\\xff' * 300), (-1, b'{}')]",
    ):
        lie = f"""
from readhead.sandbox import worker
def run(self, *_):
    for place, body in {pieces}:
        self._outgoing.write(worker.PIECE.pack(place, len(body)) + body)
    self._outgoing.flush()
    worker.os._exit(0)
worker._Worker._run = run
"""
        with monkeypatch.context() as patch:
            patch.setattr(portable, "_SERVE", lie + portable._SERVE)
            with Sandbox(level="portable") as sandbox:
                sandbox.load(TEXTS)
                run = sandbox.run(body("return 1"))
                assert run.failed == 3
                assert {failure.kind for failure in run.failures} <= {"crash", "out of memory"}
                assert pid(sandbox) is None


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_portable_level_leaves_nothing_behind() -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    with Sandbox(limits=Limits(seconds=0.1), level="portable") as sandbox:
        sandbox.load(TEXTS)
        list(sandbox.run_many([body("return s.first"), body("while True: pass"), "nonsense("] * 2))
        with sandbox.keep(body("return s.first")) as program:
            program.weights(TEXTS[0])
        last = pid(sandbox)
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert not Path(f"/proc/{last}").exists()


# Kept programs


@pytest.mark.parametrize("level", LEVELS)
def test_a_kept_program_says_what_a_run_says(levels: dict[Level, Sandbox], level: Level) -> None:
    source = body("return softmax(s.previous(1) + s.key.is_comma)")
    expected = levels[level].run(source).weights
    with levels[level].keep(source) as program:
        for _ in range(7):
            for text, weights in zip(TEXTS, expected, strict=True):
                np.testing.assert_array_equal(program.weights(text), weights)
        assert program.check() is None
    np.testing.assert_array_equal(program.weights(TEXTS[0]), expected[0])
    program.close()


@pytest.mark.parametrize(
    ("level", "name"),
    [
        *(("locked", name) for name in FAILING if "locked" in LEVELS),
        *(("portable", name) for name in ("error", "time-out after a good text", "crash")),
    ],
)
def test_a_kept_program_fails_as_in_a_run(levels: dict[Level, Sandbox], level: Level, name: str) -> None:
    text = TEXTS[1] if "text" in name else TEXTS[0]
    levels[level].load([text])
    try:
        expected = levels[level].run(FAILING[name]).failures[0]
    finally:
        levels[level].load(TEXTS)
    with levels[level].keep(FAILING[name]) as program:
        assert program.weights(text) == expected
        assert program.weights(text) == expected


@pytest.mark.parametrize("level", LEVELS)
def test_a_kept_program_lives_on_after_a_failure(levels: dict[Level, Sandbox], level: Level) -> None:
    with levels[level].keep(body("if s.n == 5:", "    while True: pass", "return s.first")) as program:
        assert isinstance(program.weights(TEXTS[0]), np.ndarray)
        failure = program.weights(TEXTS[1])
        assert isinstance(failure, Failure)
        assert (failure.kind, failure.line) == ("time-out", 3)
        assert isinstance(program.weights(TEXTS[2]), np.ndarray)


REMEMBERING = {
    "a list": "seen = []\n" + body("seen.append(s.n)", "return len(seen)"),
    "late": "seen = []\n" + body("seen.append(1)", "return 1 if len(seen) < 12 else 2"),
    "a cache": "import functools\nn = [0]\n@functools.cache\ndef f(x):\n    n[0] += x\n    return n[0]\n"
    + body("return f(s.n)"),
    "a default": "def head(s, seen=[]):\n    seen.append(1)\n    return len(seen)\n",
    "open generators": "def hold():\n    with np.errstate(all='raise'):\n        yield 1\nheld = []\n"
    + body("x = np.log(s.first)", "g = hold()", "next(g)", "held.append((g, held))", "return np.nan_to_num(x) + s.n"),
    "a generator that never ends": "def hold():\n    while True:\n        try:\n            yield 1\n"
    "        except GeneratorExit:\n            yield 2\nheld = []\n"
    + body("with np.errstate(divide='raise'):", "    held.append(hold())", "    next(held[-1])", "return s.n"),
}


@pytest.mark.parametrize("level", ABOVE)
@pytest.mark.parametrize("name", REMEMBERING)
def test_a_kept_program_says_what_it_says_in_a_fresh_child(
    levels: dict[Level, Sandbox], level: Level, name: str
) -> None:
    fresh = []
    for text in TEXTS:
        with levels[level].keep(REMEMBERING[name]) as program:
            fresh.append(program.weights(text))
    with levels[level].keep(REMEMBERING[name]) as program:
        for k in (0, 1, 2, 0, 0, 1, 2) * 3:
            np.testing.assert_array_equal(program.weights(TEXTS[k]), fresh[k])
        assert program.check() is None


@pytest.mark.parametrize("level", ABOVE)
@pytest.mark.parametrize(
    ("source", "is_replaced"),
    [
        (body("return s.first"), False),
        ("seen = []\n" + body("seen.append(s)", "return len(seen)"), False),
        (body("np.tril = np.triu", "return s.first"), True),
        (body("np.errstate(divide='raise').__enter__()", "return s.first"), True),
        (body("__builtins__['sorted'] = list", "return s.first"), True),
    ],
)
def test_a_kept_child_is_replaced_when_a_program_has_spoilt_it(
    levels: dict[Level, Sandbox], level: Level, source: str, *, is_replaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "review", lambda _: policy.Review())
    with levels[level].keep(source) as program:
        for _ in range(3):
            assert isinstance(program.weights(TEXTS[0]), np.ndarray)
            assert (program._line._block < 0) == is_replaced


class _Fickle:
    """A line whose answers count."""

    def __init__(self) -> None:
        self.count = 0

    def call(self, text: Text) -> Run:
        """One more every time, from the twelfth on."""
        self.count += 1
        return Run((np.full((len(text.surfaces),) * 2, max(self.count - 11, 0), np.float32),), (), 0, 0.0)

    def close(self) -> None:
        """Nothing to do."""


def test_a_kept_program_that_changes_its_mind_all_the_same_is_ended() -> None:
    with kept.Kept(_Fickle) as program:
        answers = [program.weights(TEXTS[0]) for _ in range(kept._CHECK_EVERY)]
        failure = answers[-1]
        assert isinstance(failure, Failure)
        assert (failure.kind, failure.message[:18]) == ("bad result", "gave other weights")
        assert program.weights(TEXTS[1]) == failure
        assert program.check() == failure


@pytest.mark.parametrize("level", ABOVE)
def test_kept_programs_and_runs_go_on_side_by_side(levels: dict[Level, Sandbox], level: Level) -> None:
    sandbox = levels[level]
    with sandbox.keep(body("return 1")) as one, sandbox.keep(body("return 2")) as two:
        runs = sandbox.run_many([body(f"return {k}") for k in range(9)])
        for k, run in enumerate(runs):
            assert float(run.weights[0][0, 0]) == k
            assert float(one.weights(TEXTS[k % 3])[0, 0]) == 1
            assert float(two.weights(TEXTS[k % 3])[0, 0]) == 2
            if k == 4:
                os.kill(sandbox._backend._server.pid, signal.SIGKILL)


@pytest.mark.parametrize("level", ABOVE)
def test_a_kept_child_that_dies_while_it_waits(levels: dict[Level, Sandbox], level: Level) -> None:
    sandbox = levels[level]
    with sandbox.keep(body("return s.first")) as program:
        program.weights(TEXTS[0])
        server = sandbox._backend._server.pid
        (child,) = kept_children_of(server)
        os.kill(child, signal.SIGKILL)
        time.sleep(0.05)
        assert isinstance(program.weights(TEXTS[0]), Failure | np.ndarray)
        assert isinstance(program.weights(TEXTS[0]), np.ndarray)


@pytest.mark.parametrize("level", ABOVE)
def test_a_text_that_is_too_long_to_keep_a_program_for(levels: dict[Level, Sandbox], level: Level) -> None:
    with levels[level].keep(body("return s.first")) as program:
        with pytest.raises(SandboxError, match="too long"):
            program.weights(Text((" a",) * 5000))
        with pytest.raises(SandboxError, match="too long"):
            program.weights(Text((" a" * (1 << 22),)))
        assert isinstance(program.weights(TEXTS[0]), np.ndarray)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_kept_program_leaves_nothing_behind(levels: dict[Level, Sandbox]) -> None:
    sandbox = levels["locked"]
    sandbox.run(body("return 1"))
    server = sandbox._backend._server.pid
    wait_for_spare(server)
    ours, theirs = sorted(Path("/proc/self/fd").iterdir()), descriptors_of(server)
    for source in (body("return s.first"), FAILING["time-out"], FAILING["error while it is defined"], CRASHING):
        with sandbox.keep(source) as program:
            program.weights(TEXTS[0])
            program.weights(TEXTS[1])
    sandbox.run(body("return 1"))
    wait_for_spare(server)
    assert sorted(Path("/proc/self/fd").iterdir()) == ours
    assert wait_for_descriptors(server, theirs) == theirs

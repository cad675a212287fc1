from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.sandbox_processes import bareness, children_of, descriptors_of, is_alive, wait_for_descriptors, wait_for_spare
from core.sandbox_programs import FRIENDLY, REFUSED, body
from readhead.errors import SandboxError
from readhead.language import Sentence
from readhead.sandbox import Failure, Level, Limits, Run, Sandbox, Text, block, forks, launch, performance, policy, wire

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = [
    Text((" The", " cat", " sat", ",", " and", " the", " cat", " ran", ".")),
    Text(("<s>", " Hello", ",", " Anna", "!"), frozenset({0})),
    Text((" One",)),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=Limits(seconds=0.3, memory_bytes=256 << 20)) as sandbox:
        sandbox.load(TEXTS)
        yield sandbox


@pytest.fixture(scope="module")
def small() -> Iterator[Sandbox]:
    """Much time and little memory."""
    with Sandbox(limits=Limits(seconds=20.0, memory_bytes=48 << 20)) as sandbox:
        sandbox.load(TEXTS)
        yield sandbox


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def only(run: Run) -> Failure:
    (failure,) = run.failures
    return failure


# Results


def test_weights_are_what_the_program_returns(sandbox: Sandbox) -> None:
    run = sandbox.run(body("return softmax(6.0 * s.previous(1) + 3.0 * s.key.is_comma)"))
    assert (run.failures, run.failed, len(run.weights)) == ((), 0, 3)
    assert run.seconds > 0
    for text, weights in zip(TEXTS, run.weights, strict=True):
        s = Sentence(text.surfaces, text.special)
        scores = 6.0 * s.previous(1) + 3.0 * s.key.is_comma
        scores = np.where(np.tri(s.n) > 0, scores, -np.inf)
        expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(weights, expected, rtol=1e-5)
        assert weights.dtype == np.float32
        assert weights.flags.c_contiguous


def test_special_tokens_reach_the_program(sandbox: Sandbox) -> None:
    run = sandbox.run(body("return s.is_special"))
    np.testing.assert_array_equal(run.weights[1], [[1, 0, 0, 0, 0]] * 5)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("2", [[2, 2], [2, 2]]),
        ("True", [[1, 1], [1, 1]]),
        ("[1, 2]", [[1, 2], [1, 2]]),
        ("np.array([1, 2])", [[1, 2], [1, 2]]),
        ("np.array([[1, 2]])", [[1, 2], [1, 2]]),
        ("np.array([[1], [2]])", [[1, 1], [2, 2]]),
        ("np.array([[5]])", [[5, 5], [5, 5]]),
        ("((1, 2), (3, 4))", [[1, 2], [3, 4]]),
        ("np.array([[1, 2], [3, 4]]).T", [[1, 3], [2, 4]]),
        ("np.array([[np.nan, -1], [np.inf, -np.inf]])", [[np.nan, -1], [np.inf, -np.inf]]),
        ("np.array([1e300, 0.5])", [[np.inf, 0.5], [np.inf, 0.5]]),
        ("np.array([True, False])", [[1, 0], [1, 0]]),
    ],
)
def test_whatever_broadcasts_is_broadcast(small: Sandbox, result: str, expected: list[list[float]]) -> None:
    try:
        small.load([Text(("a", "b"))])
        run = small.run(body(f"return {result}"))
    finally:
        small.load(TEXTS)
    assert run.failures == ()
    np.testing.assert_array_equal(run.weights[0], np.array(expected, np.float32))


@pytest.mark.parametrize("source", FRIENDLY.values(), ids=FRIENDLY.keys())
def test_a_friendly_program_runs(sandbox: Sandbox, source: str) -> None:
    assert sandbox.run(source).failures == ()


def test_every_numpy_function_finds_what_it_imports_lazily(sandbox: Sandbox) -> None:
    calls = [
        "x.sum(), x.mean(), x.any(), x.clip(0, 1), x.prod(), x.std(), x.argsort(), x.cumsum()",
        "np.median(x), np.unique(x), np.percentile(x, 3), np.histogram(x), np.cov(x), np.nanmean(x)",
        "np.einsum('ij,jk->ik', x, x), x @ x, np.linalg.svd(x), np.linalg.inv(x), np.linalg.norm(x)",
        "np.pad(x, 1), np.roll(x, 1), np.tril(x), np.kron(x[:2], x[:2]), np.interp(1, [0, 2], [0, 2])",
        "np.isin(x, [1]), np.vectorize(abs)(x), np.fromfunction(np.add, (2, 2)), np.apply_along_axis(sum, 0, x)",
        "repr(x), str(x), f'{x}', np.array(['a']), x.astype('int32').tolist()",
        "'\\N{BULLET}'.title(), re.split('a|\\\\N{BULLET}', 'b'), str(s.tokens), np.gradient(x)",
        "np.lexsort(x), np.searchsorted([1, 2], x), np.piecewise(x, [x > 0], [1, 0]), np.polyfit([1, 2], [1, 2], 1)",
    ]
    for call in calls:
        assert sandbox.run(body("x = np.eye(70)", call, "return 1")).failures == ()


def test_results_come_in_order_and_are_the_same_every_time(sandbox: Sandbox) -> None:
    sources = [
        body(f"return {k} * s.first + len({{'a', 'b', '{k}'}})") if k % 4 else body("return s.nope") for k in range(12)
    ]
    first, again = list(sandbox.run_many(sources)), [sandbox.run(source) for source in sources]
    assert [run.failed for run in first] == [0 if k % 4 else 3 for k in range(12)]
    for k, (one, other) in enumerate(zip(first, again, strict=True)):
        assert one.failures == other.failures
        for a, b in zip(one.weights, other.weights, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a is None or a[0, 0] == k + 3


def test_set_order_is_the_same_in_every_server() -> None:
    program = body("return [[hashed for hashed in [list({'a', 'b', 'c', 'd', 'e', 'f'}).index('a')]]]")
    found = set()
    for _ in range(3):
        with Sandbox() as sandbox:
            sandbox.load([Text(("a",))])
            found.add(float(sandbox.run(program).weights[0][0, 0]))
    assert len(found) == 1


def test_an_abandoned_batch_does_not_disturb_the_next(sandbox: Sandbox) -> None:
    runs = sandbox.run_many([body("return s.first"), *[body("while True: pass")] * 20])
    assert next(runs).failed == 0
    begun = time.monotonic()
    runs.close()
    assert sandbox.run(body("return s.every")).failed == 0
    assert time.monotonic() - begun < 3


def test_loading_replaces_the_texts(sandbox: Sandbox) -> None:
    try:
        sandbox.load([Text(("a", "b")), Text(())])
        run = sandbox.run(body("return s.position"))
        assert [weights.shape for weights in run.weights] == [(2, 2), (0, 0)]
        sandbox.load([])
        assert sandbox.run(body("return s.position")).weights == ()
    finally:
        sandbox.load(TEXTS)
    assert sandbox.run(body("return s.position")).failed == 0


@on_linux
def test_texts_that_were_replaced_leave_the_servers_memory() -> None:
    """An editor's engine loads texts thousands of times, and each program's fork takes longer the larger the server."""

    def resident(server: int) -> int:
        return int(Path(f"/proc/{server}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    with Sandbox() as sandbox:
        texts = [Text((" word",) * 64)] * 64  # each relation takes a megabyte
        sizes = []
        for _ in range(12):
            sandbox.load(texts)
            assert sandbox.run(body("return s.distance + s.same_token + s.previous(1)")).failed == 0
            sizes.append(resident(sandbox._backend._server.pid))
    assert sizes[-1] - sizes[3] < 8 << 20, sizes


def test_without_texts_a_program_is_still_looked_at() -> None:
    with Sandbox() as sandbox:
        run = sandbox.run("x = 1 / 0\n" + body("return 1"))
    assert (run.weights, only(run).kind, only(run).line, only(run).sequence) == ((), "error", 1, None)


# The six kinds of failure


def test_refused(sandbox: Sandbox) -> None:
    run = sandbox.run("import os\n" + body("return open('x')"))
    failure = only(run)
    assert (failure.kind, failure.code, failure.line, failure.column) == ("refused", "RH223", 1, 8)
    assert (run.weights, run.failed) == ((None,) * 3, 3)
    assert failure.as_dict() == {
        "kind": "refused",
        "code": "RH223",
        "line": 1,
        "column": 8,
        "message": "'os' cannot be imported",
        "hint": "a program sees the text only, through its argument",
    }


def test_error(sandbox: Sandbox) -> None:
    run = sandbox.run("def inner(x):\n    return '🙂', x.tolist()[99]\n\n" + body("return inner(s.first)"))
    failure = only(run)
    assert (failure.kind, failure.line, failure.column, failure.sequence) == ("error", 2, 17, 0)
    assert failure.message == "IndexError: list index out of range"
    assert failure.as_dict()["sequence"] == 0
    assert run.failed == 3


def test_an_error_inside_the_language_is_placed_in_the_program(sandbox: Sandbox) -> None:
    failure = only(sandbox.run(body("x = 1", "return s.previous(-1)")))
    assert (failure.kind, failure.line) == ("error", 3)


def test_one_failing_text_among_good_ones(sandbox: Sandbox) -> None:
    run = sandbox.run(body("if s.n == 5:", "    raise ValueError('five')", "return s.first"))
    assert [weights is None for weights in run.weights] == [False, True, False]
    assert run.failed == 1
    assert only(run) == Failure("error", "ValueError: five", line=3, column=9, sequence=1)


def test_the_first_failure_of_each_kind_is_told(sandbox: Sandbox) -> None:
    run = sandbox.run(body("if s.n == 9:", "    return None", "if s.n == 5:", "    raise KeyError", "while True: pass"))
    assert [(failure.kind, failure.sequence) for failure in run.failures] == [
        ("bad result", 0),
        ("error", 1),
        ("time-out", 2),
    ]
    assert run.failed == 3


@pytest.mark.parametrize(
    ("result", "got"),
    [
        ("None", "got None"),
        ("'text'", "got str"),
        ("np.ones(3)", "got shape [3]"),
        ("np.ones((2, 3))", "got shape [2, 3]"),
        ("np.ones((1, 9, 9))", "got shape [1, 9, 9]"),
        ("[[1, 2], [3]]", "uneven parts"),
        ("np.sqrt(s.every + 0 * np.array(-1).astype('complex'))", "got complex numbers"),
        ("{1, 2}", "got set"),
        ("(x for x in [1])", "got generator"),
        ("np.array([None] * 9)", "got array of object"),
        ("s", "got Sentence"),
        ("head", "got function"),
    ],
)
def test_bad_result(sandbox: Sandbox, result: str, got: str) -> None:
    failure = only(sandbox.run(body("x = 1", f"return {result}")))
    assert (failure.kind, failure.line, failure.sequence) == ("bad result", 3, 0)
    assert "expected" in failure.message
    assert "n = 9" in failure.message
    assert got in failure.message


def test_a_program_without_return_is_placed_at_its_def(sandbox: Sandbox) -> None:
    failure = only(sandbox.run("\n" + body("x = 1")))
    assert (failure.kind, failure.line) == ("bad result", 2)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (body("x = 1", "while True:", "    x += 1"), None),
        (body("while True:", "    try:", "        while True: pass", "    except:", "        pass"), None),
        (body("x = 10", "return x ** x ** 8"), 3),
        (body("return re.match('(a+)+$', 'a' * 50 + 'b')"), 2),
        (body("x = 9", "return sum(range(10 ** 12))"), 3),
        (body("while True:", "    print('flood' * 1000)"), None),
    ],
)
def test_time_out(sandbox: Sandbox, source: str, line: int | None) -> None:
    begun = time.monotonic()
    run = sandbox.run(source)
    assert time.monotonic() - begun < 9
    failure = only(run)
    assert (failure.kind, failure.sequence, run.failed) == ("time-out", 0, 3)
    assert failure.message == "took longer than 0.3 s on one sequence"
    assert failure.line == line if line else failure.line in range(2, 7)


def test_the_clock_starts_again_with_each_sequence() -> None:
    busy = body("x = 0", "for i in range(10 ** 6):", "    x += i", "return s.first")
    with Sandbox(limits=Limits(seconds=1.0)) as sandbox:
        sandbox.load(TEXTS * 8)
        run = sandbox.run(busy)
    assert run.failed == 0


def test_a_time_out_keeps_what_was_finished(sandbox: Sandbox) -> None:
    run = sandbox.run(body("while s.n == 5: pass", "return s.first"))
    assert [weights is None for weights in run.weights] == [False, True, True]
    assert (only(run).sequence, only(run).line, run.failed) == (1, 2, 2)


def test_a_time_out_before_the_first_sequence(sandbox: Sandbox) -> None:
    failure = only(sandbox.run("while True:\n    pass\n" + body("return 1")))
    assert (failure.kind, failure.sequence) == ("time-out", None)
    assert failure.message == "took longer than 0.3 s before the first sequence"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (body("return np.zeros(10 ** 12)"), 2),
        (body("return 'a' * 10 ** 10"), 2),
        (body("x = np.ones(10 ** 6)", "parts = []", "while True:", "    parts.append(x.copy())"), 5),
        ("x = [0] * 10 ** 10\n" + body("return 1"), 1),
    ],
)
def test_out_of_memory(small: Sandbox, source: str, line: int) -> None:
    run = small.run(source)
    failure = only(run)
    assert (failure.kind, failure.line, run.failed) == ("out of memory", line, 3)


def test_out_of_memory_in_small_pieces(small: Sandbox) -> None:
    run = small.run(body("parts = []", "while True:", "    parts = [parts, 1.5]"))
    assert (only(run).kind, run.failed) == ("out of memory", 3)


def test_crash(sandbox: Sandbox) -> None:
    nested = body("m = [1]", "for i in range(300000):", "    m = map(abs, m)", "return list(m)")
    run = sandbox.run(nested)
    failure = only(run)
    assert (failure.kind, failure.line, failure.sequence) == ("crash", 5, 0)
    assert "SIGSEGV" in failure.message
    assert run.failed == 3


def test_recursion_is_an_error(sandbox: Sandbox) -> None:
    failure = only(sandbox.run("def f(n):\n    return f(n + 1)\n\n" + body("return f(0)")))
    assert (failure.kind, failure.line) == ("error", 2)
    assert failure.message.startswith("RecursionError")


# Hostile programs


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        *((source, "refused") for source, _ in REFUSED.values()),
        (body("s.distance[:] = 0", "return s.distance"), "error"),
        (body("np.add(s.distance, 1, out=s.distance)", "return s.distance"), "error"),
        (body("s.key.is_comma.sort()", "return s.first"), "error"),
        (body("np.fill_diagonal(s.distance, 7)", "return s.first"), "error"),
        (body("raise ValueError('a' * 10 ** 7)"), "error"),
        (body("raise ValueError(head, s, [s] * 1000)"), "error"),
        (body("return np.divide(1, s.distance, where=s.distance > 0)"), "error"),
        (body("def open(): return 1", "return open"), "bad result"),
        ("def f(open=1):\n    return 1\n" + body("return open('/etc/passwd')"), "error"),
        ("head = 3\n" + body("return 1") + "head = 3\n", "error"),
    ],
)
def test_a_hostile_program_is_stopped(sandbox: Sandbox, source: str, kind: str) -> None:
    run = sandbox.run(source)
    assert [failure.kind for failure in run.failures] == [kind]
    assert run.weights == (None,) * 3
    assert len(run.failures[0].message) <= 200
    assert run.failures[0].message.isprintable()


def test_one_program_cannot_change_the_next(sandbox: Sandbox) -> None:
    honest = body("return softmax(s.previous(1)) + np.where(s.distance > 2, 1.0, 0.5)")
    before = sandbox.run(honest)
    spoil = "np = 3\nsoftmax = None\nseen = []\n" + body("seen.append(1)", "return len(seen)")
    assert [float(weights[0, 0]) for weights in sandbox.run(spoil).weights] == [1, 2, 3]
    assert [float(weights[0, 0]) for weights in sandbox.run(spoil).weights] == [1, 2, 3]
    after = sandbox.run(honest)
    for a, b in zip(before.weights, after.weights, strict=True):
        np.testing.assert_array_equal(a, b)


PERMISSION = "PermissionError: [Errno 1]"


@pytest.fixture(scope="module")
def both() -> Iterator[list[Sandbox]]:
    """With the limits alone, and locked."""
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("HF_TOKEN", "secret")
        levels: list[Level] = ["fork", "locked"]
        both = [stack.enter_context(Sandbox(limits=Limits(seconds=0.3), level=level)) for level in levels]
        for sandbox in both:
            sandbox.load(TEXTS[:1])
        yield both


@on_linux
@pytest.mark.parametrize(
    ("attempt", "by_limits", "by_the_lock"),
    [
        ("posix.open('/etc/hostname', 0)", "OSError: [Errno 24]", PERMISSION),
        ("posix.listdir('/')", "OSError: [Errno 24]", PERMISSION),
        ("posix.pipe()", "OSError: [Errno 24]", PERMISSION),
        ("posix.write(1, b'x'), posix.write(5, b'x')", "OSError: [Errno 9]", "OSError: [Errno 9]"),
        ("[1][b'HF_TOKEN' in posix.environ]", "", ""),
        ("posix._exit(3)", "ended the interpreter (exit status 3)", "ended the interpreter (exit status 3)"),
        ("posix._exit(0)", "ended the interpreter (exit status 0)", "ended the interpreter (exit status 0)"),
        ("posix.abort()", "crashed the interpreter (SIGABRT)", "crashed the interpreter"),
        ("posix.kill(posix.getpid(), 9)", "was ended by the system", PERMISSION),
        ("posix.close(3), posix.kill(posix.getpid(), 19)", "was ended by the system", PERMISSION),
        ("[posix.fork() for _ in range(3)] and 1 / 0", "ZeroDivisionError|BlockingIOError", PERMISSION),
    ],
)
def test_a_program_past_the_policy_meets_the_child_it_runs_in(
    both: list[Sandbox], monkeypatch: pytest.MonkeyPatch, attempt: str, by_limits: str, by_the_lock: str
) -> None:
    walk = "next(c for c in ().__class__.__mro__[1].__subclasses__() if c.__name__ == 'BuiltinImporter')"
    monkeypatch.setattr(policy, "review", lambda _: policy.Review())
    for sandbox, outcome in zip(both, (by_limits, by_the_lock), strict=True):
        run = sandbox.run(f"posix = {walk}.load_module('posix')\n" + body(attempt, "return 1"))
        told = "".join(failure.message for failure in run.failures)
        assert re.match(outcome if "|" in outcome else re.escape(outcome), told)
        assert run.failed == bool(outcome)
        assert sandbox.run(body("return 1")).failed == 0


def test_messages_are_one_printable_line(sandbox: Sandbox) -> None:
    failure = only(sandbox.run(body("raise ValueError('a\\n\\x1b[31m\\u202e' + 'b' * 1000)")))
    assert failure.message.startswith("ValueError: a  [31m bbb")
    assert failure.message.endswith("b…")
    assert len(failure.message) == 200


def test_a_hostile_block_does_no_harm() -> None:
    layout = block.Layout((2,))
    ending = block.Ending(code=0, seconds=0.1, limit=1.0)
    space = layout.STATES - layout.REPORT
    reports = [
        b"\xff" * space,
        b"[" * space,
        json.dumps([1, {}, {"kind": "x"}]).encode(),
        json.dumps(
            [{"kind": "error", "message": ["\x1b" * 999], "line": 10**99, "column": "1", "sequence": -4}]
        ).encode(),
        json.dumps([{"kind": "error"}] * 500).encode(),
    ]
    for report in reports:
        for size in (len(report), -1, 2**62):
            left = np.zeros(layout.offsets[-1], np.uint8)
            left[layout.REPORT_SIZE : layout.REPORT_SIZE + 8].view(np.int64)[0] = size
            left[layout.REPORT : layout.REPORT + len(report)] = np.frombuffer(report, np.uint8)
            left[layout.SEQUENCE : layout.SEQUENCE + 16] = 255
            run = block.read_run(left, layout, ending, policy.Review())
            assert run.failed == 1
            assert 1 <= len(run.failures) <= 7
            assert all(failure.message.isprintable() and failure.line is None for failure in run.failures)


def test_a_block_that_was_cut_off_is_read_as_empty() -> None:
    layout = block.Layout((2,))
    descriptor = block.new_block(100)
    left = block.read_block(descriptor, layout.offsets[-1])
    os.close(descriptor)
    run = block.read_run(left, layout, block.Ending(code=-9, seconds=0.1, limit=1.0), policy.Review())
    assert (run.failed, only(run).kind) == (1, "out of memory")


@pytest.mark.parametrize(("named", "told"), [(2, 2), (999, None), (0, None)])
def test_a_stack_that_names_no_line_of_the_program_has_no_line(named: int, told: int | None) -> None:
    layout = block.Layout((2,))
    trace = f'File "{policy.FILE_NAME}", line {named} in head'
    ending = block.Ending(code=1, seconds=0.1, limit=1.0, timed_out=True, trace=trace)
    run = block.read_run(np.zeros(layout.offsets[-1], np.uint8), layout, ending, policy.Review(lines=3))
    assert (only(run).kind, only(run).line) == ("time-out", told)


# The server


def test_a_killed_server_is_replaced(sandbox: Sandbox) -> None:
    assert sandbox.run(body("return s.first")).failed == 0
    os.kill(sandbox._backend._server.pid, signal.SIGKILL)
    run = sandbox.run(body("return s.position"))
    assert (run.failed, run.failures) == (0, ())
    assert [len(weights) for weights in run.weights] == [9, 5, 1]


def test_a_server_killed_with_programs_in_work_is_replaced(sandbox: Sandbox) -> None:
    runs = sandbox.run_many([body(f"return {k}") for k in range(9)])
    values = []
    for run in runs:
        values.append(float(run.weights[0][0, 0]))
        if len(values) == 2:
            os.kill(sandbox._backend._server.pid, signal.SIGKILL)
    assert values == list(range(9))


def test_texts_that_cannot_be_read_are_an_error() -> None:
    with Sandbox() as sandbox:
        with pytest.raises(SandboxError, match="could not be read"):
            sandbox.load([Text((1, 2))])  # type: ignore[arg-type]
        sandbox.load(TEXTS)
        assert sandbox.run(body("return 1")).failed == 0


def test_a_long_corpus_does_not_fill_the_memory() -> None:
    words = tuple(f" word{k % 50}" for k in range(300))
    with Sandbox(limits=Limits(memory_bytes=24 << 20)) as sandbox:
        sandbox.load([Text(words)] * 40)  # 14 MB of results, and as much again for every relation
        terms = " + ".join(f"s.previous(s.n - {k}) + s.within(s.n - {k})" for k in range(8))
        assert sandbox.run(body(f"return {terms}")).failures == ()


def test_all_that_a_sentence_keeps_is_known() -> None:
    sentence = Sentence(TEXTS[0].surfaces)
    sides = (sentence, sentence.key, sentence.query, sentence.word)
    kept = [value for side in sides for value in vars(side).values() if isinstance(value, dict)]
    assert {id(cache) for cache in kept} == {id(cache) for cache in performance.caches_of(sentence)}


def test_texts_can_change_with_programs_in_work(sandbox: Sandbox) -> None:
    runs = sandbox.run_many([body("return s.first")] * 20)
    assert len(next(runs).weights) == 3
    try:
        sandbox.load([Text(("a",))])
        assert len(sandbox.run(body("return s.first")).weights) == 1
        assert [run.failed for run in itertools.islice(runs, 4)] == [0] * 4
    finally:
        runs.close()
        sandbox.load(TEXTS)


def test_a_sandbox_closed_under_a_batch_says_so() -> None:
    sandbox = Sandbox()
    sandbox.load(TEXTS)
    runs = sandbox.run_many([body("return s.first")] * 9)
    next(runs)
    sandbox.close()
    with pytest.raises(SandboxError, match="closed"):
        list(runs)
    sandbox.close()


def test_an_interrupt_leaves_a_sandbox_that_works(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(wire, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sandbox.run(body("return s.first"))
    assert sandbox._backend._open == {}
    assert sandbox.run(body("return s.first")).failed == 0


def test_a_server_that_cannot_start_tells_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "import_paths", lambda: ["/nowhere"])
    with Sandbox() as sandbox, pytest.raises(SandboxError, match="No module named 'readhead'"):
        sandbox.load(TEXTS)


def test_a_server_that_dies_of_a_program_is_not_started_for_ever(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = wire.receive

    def killing(link: socket.socket) -> object:
        message = receive(link)
        if "program" in message[0]:
            raise EOFError
        return message

    with monkeypatch.context() as patch:
        patch.setattr(wire, "receive", killing)
        with pytest.raises(SandboxError, match="died"):
            sandbox.run(body("return s.first"))
    assert sandbox.run(body("return s.first")).failed == 0


@on_linux
def test_nothing_is_left_behind() -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    with Sandbox(limits=Limits(seconds=0.1)) as sandbox:
        sandbox.load(TEXTS)
        list(sandbox.run_many([body("return s.first"), body("while True: pass"), "nonsense("] * 3))
        next(sandbox.run_many([body("return s.first")] * 9))
        server = sandbox._backend._server.pid
        children = Path(f"/proc/{server}/task/{server}/children")
        descriptors = Path(f"/proc/{server}/fd")
        deadline = time.monotonic() + 5
        while (len(children.read_text().split()) > 1 or len(list(descriptors.iterdir())) > 11) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.01)
        assert len(children.read_text().split()) <= 1  # the spare
        assert len(list(descriptors.iterdir())) <= 11
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert not Path(f"/proc/{server}").exists()


def test_a_closed_sandbox_starts_again() -> None:
    sandbox = Sandbox()
    sandbox.load(TEXTS)
    sandbox.close()
    assert sandbox.run(body("return s.first")).failed == 0
    sandbox.close()
    sandbox.close()


@on_linux
def test_the_server_gets_none_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    with Sandbox() as sandbox:
        sandbox.load(TEXTS)
        environment = Path(f"/proc/{sandbox._backend._server.pid}/environ").read_bytes()
    assert b"secret" not in environment
    assert b"OPENBLAS_NUM_THREADS=1" in environment


def test_the_server_imports_neither_torch_nor_a_tokenizer() -> None:
    show = "import json, sys, readhead.sandbox, readhead.sandbox.server; print(json.dumps(sorted(sys.modules)))"
    paths = launch.import_paths()
    start = [sys.executable, "-s", "-S", "-P", "-c", f"import sys; sys.path += {paths!r}; {show}"]
    loaded = json.loads(subprocess.run(start, capture_output=True, check=True, env={}).stdout)
    roots = {name.partition(".")[0] for name in loaded}
    assert roots.isdisjoint({"torch", "transformers", "tokenizers", "tree_sitter", "safetensors", "rich", "typer"})
    assert "numpy" in roots


# The spare


@pytest.fixture
def idle() -> Iterator[tuple[Sandbox, int]]:
    """A sandbox whose server has a spare, and the server."""
    with Sandbox(limits=Limits(seconds=0.3)) as sandbox:
        sandbox.load(TEXTS)
        assert sandbox.run(body("return s.first")).failed == 0
        yield sandbox, sandbox._backend._server.pid


@on_linux
def test_a_spare_runs_the_next_program_and_another_follows(idle: tuple[Sandbox, int]) -> None:
    sandbox, server = idle
    spares = [wait_for_spare(server)]
    for k in range(5):
        run = sandbox.run(body(f"return {k} * s.first"))
        assert [float(weights[0, 0]) for weights in run.weights] == [k] * 3
        assert not is_alive(spares[-1])
        spares.append(wait_for_spare(server))
    assert len(set(spares)) == len(spares)


@on_linux
def test_a_spare_that_lacks_texts_or_vocabulary_is_not_used(idle: tuple[Sandbox, int]) -> None:
    sandbox, server = idle
    before = wait_for_spare(server)
    run = sandbox.run(body("return s.every"))  # new to the server
    assert run.failed == 0
    after = wait_for_spare(server)
    assert not is_alive(before)
    sandbox.load(TEXTS[:1])
    assert children_of(server) == []
    assert not is_alive(after)
    (weights,) = sandbox.run(body("return s.position")).weights
    assert weights.shape == (9, 9)


@on_linux
def test_a_spare_that_has_died_is_not_missed(idle: tuple[Sandbox, int]) -> None:
    sandbox, server = idle
    spare = wait_for_spare(server)
    os.kill(spare, signal.SIGKILL)
    while is_alive(spare):
        time.sleep(0.001)
    assert sandbox.run(body("return s.first")).failures == ()
    spare = wait_for_spare(server)
    os.kill(spare, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while children_of(server) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert children_of(server) == []  # buried, and not made again and again
    assert sandbox.run(body("return s.first")).failures == ()


@on_linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_spare_dies_with_its_server(idle: tuple[Sandbox, int], number: int) -> None:
    sandbox, server = idle
    spare = wait_for_spare(server)
    os.kill(server, number)
    deadline = time.monotonic() + 5
    while is_alive(spare) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not is_alive(spare)
    assert sandbox.run(body("return s.first")).failed == 0


@on_linux
def test_closing_ends_the_spare(idle: tuple[Sandbox, int]) -> None:
    sandbox, server = idle
    spare = wait_for_spare(server)
    sandbox.close()
    assert not is_alive(spare)


@on_linux
def test_a_spare_ends_up_as_bare_as_any_child() -> None:
    """The same descriptors, limits and lock, as the system tells of children in the middle of a program."""
    found = []
    endless = body("while True: pass")
    with Sandbox(limits=Limits(seconds=1.0)) as sandbox:
        sandbox.load(TEXTS)
        for is_spare in (False, True):
            server = sandbox._backend._server.pid
            if is_spare:
                spare = wait_for_spare(server)
            ticket = sandbox._begin(endless)
            deadline = time.monotonic() + 0.9
            while time.monotonic() < deadline and not found[is_spare:]:
                for pid in children_of(server):
                    status = Path(f"/proc/{pid}/status").read_text()
                    if "Seccomp:\t2" in status and (not is_spare or pid == spare):
                        found.append(bareness(pid, status))
            sandbox._finish(ticket)
    fresh, spare_found = found
    assert fresh == spare_found
    assert fresh[0] == {"0": "/dev/null", "1": "/dev/null", "2": "/dev/null", "3": "pipe"}


# Isolation


@on_linux
def test_the_isolation_is_told(sandbox: Sandbox) -> None:
    assert sandbox.isolation == "locked"
    with Sandbox(level="locked") as locked, Sandbox(level="fork") as fork:
        assert locked.isolation == "locked"
        assert fork.isolation == "reduced: without a system-call filter, as the level asks"


@on_linux
@pytest.mark.parametrize(
    ("sabotage", "why"),
    [
        ("child.lock = lambda: None", "the system-call filter lets open through"),
        ("child.lock = lambda: child.os._exit(3)", "the self-test of the system-call filter ended without a word"),
        ("lock.MACHINES.clear()", "no system-call filter is known for linux on "),
        ("selftest._SECONDS = 0.1; selftest._NEEDED['numpy'] = lambda: [0 for _ in iter(int, 1)]", "does not end"),
        ("selftest._NEEDED['numpy'] = lambda: 1 / 0", "the system-call filter breaks numpy (division by zero)"),
        (
            "m = next(iter(lock.MACHINES.values())); object.__setattr__(m, 'calls', (*m.calls, 41, 198))",
            "the system-call filter lets socket through",
        ),
    ],
)
def test_a_lock_that_does_not_hold_reduces_the_isolation(
    monkeypatch: pytest.MonkeyPatch, sabotage: str, why: str
) -> None:
    main = f"from readhead.sandbox import child, lock, selftest; {sabotage}; {forks._SERVE}"
    monkeypatch.setattr(forks, "_SERVE", main)
    with Sandbox() as sandbox:
        sandbox.load(TEXTS)
        assert sandbox.isolation.startswith("reduced: ")
        assert why in sandbox.isolation
        assert sandbox.run(body("return s.first")).failed == 0
        with pytest.raises(SandboxError) as caught:
            sandbox.run(body("return s.first"), generated=True)
        for way in ("--allow-reduced-isolation", "allow_reduced_isolation = true", "allow_reduced=True"):
            assert way in caught.value.hint
        with pytest.raises(SandboxError, match="reduced"):
            sandbox.run_many([], generated=True)
        sandbox.allow_reduced = True
        assert sandbox.run(body("return s.first"), generated=True).failed == 0
    with Sandbox(level="locked") as sandbox, pytest.raises(SandboxError, match="cannot be locked in") as caught:
        sandbox.load(TEXTS)
    assert sandbox._backend._server is None


@on_linux
def test_generated_programs_run_in_a_locked_child(sandbox: Sandbox) -> None:
    assert sandbox.run(body("return s.first"), generated=True).failed == 0
    assert [run.failed for run in sandbox.run_many([body("return s.first")] * 3, generated=True)] == [0] * 3


# Long runs


@on_linux
@pytest.mark.slow
def test_ten_thousand_runs_leave_nothing_behind() -> None:
    kinds = [
        *[body("return s.first")] * 6,
        body("return s.tokens[99]"),
        body("m = [1]", "for i in range(300000):", "    m = map(abs, m)", "return list(m)"),
        "nonsense(",
    ]
    ours = sorted(Path("/proc/self/fd").iterdir())
    with Sandbox(limits=Limits(seconds=0.05)) as sandbox:
        sandbox.load(TEXTS)
        list(sandbox.run_many([*kinds, body("while True: pass")] * 4))
        server = sandbox._backend._server.pid
        wait_for_spare(server)
        theirs, segments = descriptors_of(server), shared_memory(server)
        sources = [f"{kinds[k % 9] if k % 500 else body('while True: pass')}\n# {k}" for k in range(10_000)]
        for k, run in enumerate(sandbox.run_many(sources)):
            good = k % 500 != 0 and k % 9 < 6
            assert (run.failed == 0) == good, (k, run.failures)
        with sandbox.keep(body("return s.first")) as kept:
            for k in range(2_000):
                assert isinstance(kept.weights(TEXTS[k % 3]), np.ndarray)
        sandbox.run(body("return s.first"))
        assert sandbox._backend._server.pid == server
        spare = wait_for_spare(server)
        assert wait_for_descriptors(server, theirs) == theirs
        assert shared_memory(server) <= segments + (8 << 20)
    assert sorted(Path("/proc/self/fd").iterdir()) == ours
    assert not Path(f"/proc/{server}").exists()
    assert not is_alive(spare)


def shared_memory(server: int) -> int:
    """Bytes of it that this process and the server have mapped."""
    statuses = [Path(f"/proc/{process}/status").read_text() for process in ("self", server)]
    return (
        sum(int(size) for text in statuses for size in re.findall(r"^RssShmem:\s*(\d+) kB", text, re.MULTILINE)) * 1024
    )


@on_linux
def test_an_interrupt_from_the_keyboard_leaves_no_process() -> None:
    script = (
        "import sys; sys.path += sys.argv[1:]\n"
        "from readhead.sandbox import Limits, Sandbox, Text\n"
        "with Sandbox(limits=Limits(seconds=60)) as sandbox:\n"
        "    sandbox.load([Text((' a',))])\n"
        "    print(sandbox._backend._server.pid, flush=True)\n"
        "    list(sandbox.run_many(['def head(s):\\n    while True: pass\\n'] * 9))\n"
    )
    for number in (signal.SIGINT, signal.SIGKILL):
        start = [sys.executable, "-c", script, *launch.import_paths()]
        with subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as ours:
            server = int(ours.stdout.readline())
            children = Path(f"/proc/{server}/task/{server}/children")
            deadline = time.monotonic() + 20
            while not (pids := children.read_text().split()) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert pids
            ours.send_signal(number)
            ours.wait(20)
        while any(is_alive(int(pid)) for pid in (server, *pids)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [pid for pid in (server, *pids) if is_alive(int(pid))] == []

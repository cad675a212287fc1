"""Programs made at random, and what must hold for every one of them.

Three ways of making one: from the allow-list's own words, by changing the syntax tree of a known program, by changing
its text. `python tests/fuzz/fuzzer.py --minutes 30` runs it for as long as one likes; findings are printed, and kept
with `--keep`.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "core")]

from core.escapes import CASES
from core.sandbox_programs import FRIENDLY, REFUSED, body
from readhead.errors import SandboxError
from readhead.sandbox import Limits, Run, Sandbox, Text, policy
from readhead.sandbox.client import Level

SECONDS = 0.25
LIMITS = Limits(seconds=SECONDS, memory_bytes=192 << 20)
POLICY_SECONDS = 2.0
MAKING_A_SPARE = 6
"""Descriptors that the server has open meanwhile; three of them as long as it has the spare."""
TEXTS = [Text((" The", " cat", ",", " the", " cat")), Text(("<s>", " No"), frozenset({0}))]
HONEST = body("return softmax(s.previous(1) + np.log1p(s.distance)) + np.where(s.same_token > 0, 0.5, 0.25)")
UNCHANGED = (
    "if not all(np.array_equal(a, b) for a, b in zip(kept, (s.distance, s.first, s.is_comma))):",
    "    raise ValueError('a feature has changed')",
)
"""The end of a program that began by keeping these."""
OPERATORS = ("+", "-", "*", "/", "@", "%", "//", "**", "&", "|", "<", "==", "in")
UFUNC_METHODS = ("reduce", "outer", "accumulate", "at")
KEYWORDS = (
    *("out", "where", "dtype", "axis", "casting", "mode", "initial", "keepdims", "order", "subok", "copy", "k", "key"),
    *("default", "start", "stop", "fill_value", "kind", "signature", "otypes", "optimize", "side", "sorter", "weights"),
    *("bins", "ddof", "like", "shape"),
)
LIBRARY = Path(__file__).parents[2] / "programs" / "readhead_programs"


def known_programs() -> list[str]:
    """What is changed at random: friendly programs, hostile ones, the library."""
    cases = [case for case in CASES if len(case.source) < 20_000 and case.category != "crashes"]
    hostile = [case.source for case in cases] + [source for source, _ in REFUSED.values()]
    library = [path.read_text("utf-8") for path in sorted(LIBRARY.glob("*/*.py"))]
    return [*list(FRIENDLY.values()) * 3, *hostile, *library]


class Maker:
    """Programs without end; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.known = known_programs()
        trees = [tree for source in self.known if (tree := parsed(source)) is not None]
        self.trees = [ast.unparse(tree) for tree in trees]
        nodes = [node for tree in trees for node in ast.walk(tree)]
        self.expressions = list(_texts(nodes, ast.expr, "eval"))
        self.statements = list(_texts(nodes, ast.stmt, "exec"))
        self.attributes = sorted(policy.ATTRIBUTES)
        self.functions = sorted(policy.MODULES["numpy"])
        self.builtins = sorted(policy.BUILTINS)

    def program(self) -> str:
        """The next one."""
        way = self.random.choices((self.spelled, self.changed_tree, self.changed_text), (6, 3, 2))[0]
        return way()

    # From the allow-list

    def spelled(self) -> str:
        """A program of allowed words only."""
        imports = self.random.choice(
            ["", "", "import itertools, functools, collections\n", "import numpy.typing as t\n"]
        )
        lines = [f"x{k} = {self.expression(3)}" for k in range(self.random.randint(1, 5))]
        guarded = self.random.random() < 0.8
        if guarded:
            lines = [part for line in lines for part in ("try:", f"    {line}", "except:", f"    {line[:2]} = s.first")]
        lines = ["kept = s.distance.copy(), s.first.copy(), s.is_comma.copy()", *lines, *UNCHANGED]
        return imports + body(*lines, f"return {self.random.choice(['x0', 's.first * 1', self.expression(2)])}")

    def expression(self, depth: int) -> str:
        r = self.random
        if depth == 0 or r.random() < 0.1:
            return self.leaf()
        inner = [self.expression(depth - 1) for _ in range(r.randint(1, 3))]
        keywords = "".join(f", {self.keyword(depth)}" for _ in range(r.choice((0, 0, 1, 2))))
        ways: list[Callable[[], str]] = [
            lambda: f"np.{r.choice(self.functions)}({', '.join(inner)}{keywords})",
            lambda: f"({inner[0]}).{r.choice(self.attributes)}({', '.join(inner[1:])}{keywords if inner[1:] else ''})",
            lambda: f"({inner[0]}).{r.choice(self.attributes)}",
            lambda: f"{r.choice(self.builtins)}({', '.join(inner)})",
            lambda: f"({inner[0]})[{inner[-1]}]",
            lambda: f"({inner[0]} {r.choice(OPERATORS)} {inner[-1]})",
            lambda: f"[{', '.join(inner)}]",
            lambda: f"({', '.join(inner)},)",
            lambda: f"{{{inner[0]}: {inner[-1]}}}",
            lambda: f"[{inner[0]} for q in {inner[-1]}]",
            lambda: f"(lambda *q, **p: {inner[0]})",
            lambda: f"np.{r.choice(self.functions)}.{r.choice(UFUNC_METHODS)}({', '.join(inner)}{keywords})",
            lambda: f"f'{{{inner[0]!s}}}'" if "'" not in inner[0] else inner[0],
            lambda: f"({inner[0]} if {inner[-1]} else {inner[0]})",
            lambda: f"functools.{r.choice(['reduce', 'partial', 'cache'])}({', '.join(inner)})",
            lambda: f"re.{r.choice(['sub', 'findall', 'compile', 'match', 'split'])}({', '.join(inner)})",
        ]
        return r.choice(ways)()

    def keyword(self, depth: int) -> str:
        r = self.random
        name = r.choice(KEYWORDS)
        value = r.choice(["None", "s.distance", "'O'", "'i8'", "'V8'", "'unsafe'", "'empty'", "0", "True"])
        return f"{name}={value if r.random() < 0.7 else self.expression(min(depth - 1, 1))}"

    def leaf(self) -> str:
        r = self.random
        return r.choice(
            [
                "s.distance", "s.first", "s.is_comma", "s.key.is_name", "s.query.position", "s.word.length", "s.tokens",
                "s.n", "s", "s.previous(1)", "s.every", "0", "1", "-1", "2", "0.5", "[]", "None", "True", "'a'",
                "''",
                "2 ** 31", "2 ** 63", "-(2 ** 63)", "1e308", "np.nan", "-np.inf", "'O'", "'i8'", "'f4,O'", "'S3'",
                "'U'",
                "'V8'", "'T'", "'M8[s]'", "np.ones((3, 0))", "np.ones((2, 3))", "np.array([None, s])", "np.r_", "np.c_",
                "np.mgrid", "np.arange(5)", "slice(None)", "...", "range(5)", "head", "softmax", "np", "math", "re",
                "np.float32", "np.add", "int", "dict", "(lambda q: q)", "'(a+)+$'", "{}", "np.array(['a', 'b'])",
                "np.zeros(2, 'O,i8')", "np.array([1, 2], 'f2')", "(x for x in range(3))", "np.finfo('f4')", "x0", "q",
            ]
        )  # fmt: skip

    # From a known program

    def changed_tree(self) -> str:
        r = self.random
        tree = ast.parse(r.choice(self.trees))
        for _ in range(r.randint(1, 4)):
            node = r.choice([node for node in ast.walk(tree) if hasattr(node, "_fields")])
            self._change(node)
        try:
            return ast.unparse(ast.fix_missing_locations(tree))
        except (ValueError, RecursionError, AttributeError, TypeError):
            return self.spelled()

    def _change(self, node: ast.AST) -> None:
        r = self.random
        match node:
            case ast.Attribute():
                node.attr = r.choice([*self.attributes, "__class__", "__globals__", "f_back", "_reading", "ctypes"])
            case ast.Name():
                node.id = r.choice([*self.builtins, "np", "s", "head", "eval", "open", "__builtins__", "softmax"])
            case ast.Constant():
                node.value = r.choice(
                    [0, -1, 2**63, 10**30, 1e308, float("nan"), "", "O", "a" * 99, None, True, ..., b"a"]
                )
            case ast.arg():
                node.arg = r.choice(["s", "np", "__x", "softmax", "x"])
            case _:
                self._transplant(node)

    def _transplant(self, node: ast.AST) -> None:
        """Put a part of another program into this one."""
        r = self.random
        for name, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                value.insert(r.randint(0, len(value)), ast.parse(r.choice(self.statements)).body[0])
            elif isinstance(value, ast.expr) and not isinstance(getattr(value, "ctx", None), ast.Store | ast.Del):
                setattr(node, name, ast.parse(r.choice(self.expressions), mode="eval").body)
            elif isinstance(value, list) and value and isinstance(value[0], ast.expr) and r.random() < 0.5:
                value[r.randrange(len(value))] = ast.parse(r.choice(self.expressions), mode="eval").body

    def changed_text(self) -> str:
        r = self.random
        text = r.choice(self.known)
        for _ in range(r.randint(1, 5)):
            a, b = sorted(r.randint(0, len(text)) for _ in range(2))
            b = min(b, a + r.choice((1, 3, 30)))
            piece = r.choice(
                [
                    "", text[a:b] * 2, text[b : b + 20], "\0", "\ud800", "\u202e", "\x0c", "\r", "\n", "\t", "\\", "'",
                    '"""',
                    "(" * 90, "[" * 300, "{", "}", "_", "__", "＿", "ｅ", "𝐞", ".", "=", ":", "lambda: ", "await ", "@",
                    "*",
                    "if __name__ == '__main__':\n    ", "not " * 50, "f'{", "é", "🙂", "# coding: utf-7\n", ";",
                    "\\N{BULLET}",
                    "match x:\n case ", "type X = 1\n", "except* ValueError:", "finally:\n", "global s\n", "del s\n",
                ]
            )  # fmt: skip
            text = text[:a] + piece + text[b:]
        return text


def parsed(source: str) -> ast.Module | None:
    """Its tree, if it is a small one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
            small = len(ast.unparse(tree)) < 5_000
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if small else None


def _texts(nodes: list[ast.AST], kind: type[ast.AST], mode: str) -> Iterator[str]:
    """Of those nodes that stand for themselves."""
    for node in nodes:
        if isinstance(node, kind):
            text = ast.unparse(node)
            with contextlib.suppress(SyntaxError, ValueError):
                compile(text, "", mode, ast.PyCF_ONLY_AST)
                if len(text) < 400:
                    yield text


@dataclass
class Fuzzer:
    """Makes programs, runs them, and collects what is wrong."""

    seed: int
    level: Level = "locked"
    findings: list[tuple[str, str]] = field(default_factory=list)
    """What was wrong, and the program."""
    crashes: list[tuple[str, str]] = field(default_factory=list)
    """Programs that ended their process, which is no harm, but to be looked at."""
    counts: Counter[str] = field(default_factory=Counter)
    longest_check: float = 0.0
    slowest: str = ""
    """What took the policy longest."""
    longest_run: float = 0.0

    def run(self, seconds: float) -> None:
        """For so long."""
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            self._folder = Path(folder)
            (self._folder / "secret").write_text("the canary sings")
            while time.monotonic() < begun + seconds:
                self._session(begun + seconds)

    def _session(self, until: float) -> None:
        """One server, and a few thousand programs."""
        maker = Maker(self.random_seed())
        with Sandbox(limits=LIMITS, level=self.level, allow_reduced=True) as sandbox:
            sandbox.load(TEXTS)
            expected = sandbox.run(HONEST)
            assert expected.failed == 0
            self.counts[f"sessions {sandbox.isolation}"] += 1
            before = self._descriptors() + MAKING_A_SPARE
            for number in range(3000):
                if time.monotonic() > until:
                    break
                source = maker.program().replace("@FOLDER@", str(self._folder)).replace("@BYSTANDER@", "1")
                self._try(sandbox, source, again=number % 4 == 0)
                if number % 20 == 0:
                    self._look_around(sandbox, source, expected, before)

    def random_seed(self) -> int:
        """Of the next session."""
        self.counts["sessions"] += 1
        return self.seed * 1_000_003 + self.counts["sessions"]

    def _found(self, what: str, source: str) -> None:
        self.counts["findings"] += 1
        self.findings.append((what, source))

    def _try(self, sandbox: Sandbox, source: str, *, again: bool) -> None:
        self.counts["programs"] += 1
        begun = time.process_time()
        try:
            findings = policy.check(source)
        except Exception as error:  # noqa: BLE001 - it must not raise at all
            self._found(f"the policy raised {error!r}", source)
            return
        took = time.process_time() - begun
        if took > self.longest_check:
            self.slowest = source
        self.longest_check = max(self.longest_check, took)
        if took > POLICY_SECONDS:
            self._found(f"the policy took {took:.1f} s", source)
        if findings:
            self.counts["refused"] += 1
            lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            if any(not 1 <= f.line <= len(lines) or f.column < 1 or not f.message.isprintable() for f in findings):
                self._found(f"a finding that stands nowhere: {findings}", source)
            return
        self._run(sandbox, source, again=again)

    def _run(self, sandbox: Sandbox, source: str, *, again: bool) -> None:
        self.counts["accepted"] += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                compile(source, policy.FILE_NAME, "exec", flags=policy.COMPILER_FLAGS, dont_inherit=True)
            except Exception as error:  # noqa: BLE001 - whatever it is
                self._found(f"accepted and does not compile: {error!r}", source)
        begun = time.monotonic()
        try:
            run = sandbox.run(source)
        except SandboxError as error:
            self._found(f"the server did not survive: {error}", source)
            return
        took = time.monotonic() - begun
        self.longest_run = max(self.longest_run, took)
        if took > SECONDS * 10 * (len(TEXTS) + 1) + 2:
            self._found(f"ran for {took:.1f} s", source)
        kinds = {failure.kind for failure in run.failures} or {"ran"}
        self.counts.update(kinds)
        self._check_failures(run, source)
        if again and kinds <= {"ran", "error", "bad result"} and not same(run, sandbox.run(source)):
            self._found("not the same the second time", source)

    def _check_failures(self, run: Run, source: str) -> None:
        n_lines = len(source.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        for failure in run.failures:
            if failure.line is not None and failure.line > n_lines:
                self._found(f"a line that is not there: {failure}", source)
            if not failure.message.isprintable() or len(failure.message) > 200:
                self._found(f"a message that cannot be shown: {failure}", source)
            if "a feature has changed" in failure.message:
                self._found(f"{failure.message}", source)
            if failure.kind == "crash":
                self.crashes.append((f"{failure.message} in line {failure.line}", source))

    def _look_around(self, sandbox: Sandbox, source: str, expected: Run, before: int) -> None:
        self.counts["honest programs"] += 1
        if not same(expected, sandbox.run(HONEST)):
            self._found("an honest program gave something else afterwards", source)
        written = {path.name for path in self._folder.iterdir()}
        if written != {"secret"} or (self._folder / "secret").read_text() != "the canary sings":
            self._found(f"files: {written}", source)
        if self._descriptors() > before:
            self._found(f"descriptors: {self._descriptors()} after {before}", source)
        if zombies := list(_zombies()):
            self._found(f"zombies: {zombies}", source)

    def _descriptors(self) -> int:
        """Ours and the server's."""
        processes = ("self", *_children(os.getpid()))
        return sum(len(list(Path(f"/proc/{process}/fd").iterdir())) for process in processes)

    def summary(self) -> str:
        """In words."""
        counted = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        return f"{counted}; longest check {self.longest_check:.2f} s, longest run {self.longest_run:.2f} s"


def same(one: Run, other: Run) -> bool:
    """Whether two runs are bit-identical."""
    weights = zip(one.weights, other.weights, strict=True)
    return one.failures == other.failures and all(
        a is b if a is None or b is None else a.tobytes() == b.tobytes() for a, b in weights
    )


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _zombies() -> Iterator[int]:
    """Dead children of ours or of a server's that nobody has waited for."""
    for server in _children(os.getpid()):
        for process in (server, *_children(server)):
            try:
                state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state == "Z":
                yield process


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Runs random programs in the sandbox.")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--level", choices=["locked", "fork", "portable"], default="locked")
    parser.add_argument("--keep", type=Path, help="a folder for the programs of findings")
    options = parser.parse_args()
    fuzzer = Fuzzer(options.seed, options.level)
    until = time.monotonic() + 60 * options.minutes
    print(f"seed {options.seed}", flush=True)
    shown = 0
    while time.monotonic() < until:
        fuzzer.run(min(60.0, until - time.monotonic()))
        print(time.strftime("%H:%M:%S"), fuzzer.summary(), flush=True)
        noted = [*fuzzer.findings, *fuzzer.crashes]
        for number, (what, source) in enumerate(noted[shown:], shown):
            print("NOTED", number, what, flush=True)
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{number:04}.txt").write_text(
                    f"{what}\n\n{source}", "utf-8", errors="backslashreplace"
                )
        shown = len(noted)
    sys.exit(1 if fuzzer.findings else 0)


if __name__ == "__main__":
    main()

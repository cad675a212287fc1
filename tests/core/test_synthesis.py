"""The search for terms: repeatable, resumable, within what was asked for; and its programs, sound in every corner."""

from __future__ import annotations

import ast
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from core.planted_patterns import Score, plant_patterns, stories
from readhead.corpus import Corpus, Sizes
from readhead.errors import UsageError
from readhead.heads import HeadId
from readhead.language import Sentence
from readhead.library import Target, score_pairs
from readhead.lookahead import find_look_ahead
from readhead.program import Program, parse
from readhead.sandbox import Sandbox, policy
from readhead.synthesis import evidence, symbolic
from readhead.synthesis.basis import EVERY, Relation, Side, Term, TokenClass, TokenSet, distinct_sets
from readhead.synthesis.front import Effort, Wanted, Written
from readhead.synthesis.render import render, rounded
from readhead.synthesis.search import HeadSearch
from readhead.synthesis.symbolic import write_programs
from readhead.workspace import Workspace

Plant = Callable[..., Target]


def fate(s: Sentence, *, of_tokens: bool = False) -> npt.NDArray[np.float64]:
    """Random scores of a text, always the same ones; of each pair, or of each token wherever it stands."""
    if of_tokens:
        return np.array([zlib.crc32(token.encode()) % 7 - 3.0 for token in s.tokens])[None, :].repeat(s.n, 0)
    return np.random.default_rng(zlib.crc32(repr(s.tokens).encode())).normal(0, 2, (s.n, s.n))


HEADS: dict[str, Score] = {
    "mixture": lambda s: 4 * s.previous(1) + 2 * s.same_word,
    "tokens": lambda s: fate(s, of_tokens=True),
    "noise": fate,
}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    """The heads on some stories."""
    known: dict[tuple[int, int], Target] = {}

    def planted(fit: int = 10, length: int = 24) -> Target:
        if (fit, length) not in known:
            corpus: Corpus = stories(Sizes(fit=fit, dev=2, held_out=3, length=length))
            known[fit, length] = plant_patterns(tmp_path_factory.mktemp("store") / "patterns.f16", corpus, HEADS)
        return known[fit, length]

    return planted


@pytest.fixture(scope="module")
def target(plant: Plant) -> Target:
    return plant()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace.temporary() as opened:
        yield opened


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How many searches were begun, as `searched.total()`."""
    begun: Counter[int] = Counter()

    class Counted(HeadSearch):
        def programs(self, sizes: Sequence[int]) -> Any:
            begun.update([max(sizes)])
            return super().programs(sizes)

    monkeypatch.setattr(symbolic, "HeadSearch", Counted)
    return begun


def write(target: Target, workspace: Workspace | None = None, **wanted: Any) -> Written:
    """Programs for all heads; in a workspace of their own where none is given."""
    heads = target.geometry.head_ids()
    if workspace:
        return write_programs(target, heads, Wanted(**wanted), workspace)
    with Workspace.temporary() as fresh:
        return write_programs(target, heads, Wanted(**wanted), fresh)


def sources(written: Written) -> list[list[str]]:
    return [[program.source for program in front.programs] for front in written.fronts]


def programs(written: Written) -> list[Program]:
    return [program for front in written.fronts for program in front.programs]


@pytest.fixture(scope="module")
def written(target: Target) -> Written:
    return write(target, terms=3)


# ---- again, and on ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_second_run_writes_the_same_programs_to_the_byte_with_any_number_of_threads(
    target: Target, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    for threads in (1, 3):
        monkeypatch.setattr(symbolic, "available_threads", lambda threads=threads: threads)
        assert sources(write(target, terms=3)) == sources(written)


@pytest.mark.slow
def test_heads_that_the_workspace_knows_are_not_searched_again(
    target: Target, written: Written, workspace: Workspace, searched: Counter[int]
) -> None:
    heads = target.geometry.head_ids()
    first = write_programs(target, heads[1:2], Wanted(terms=3), workspace)
    assert searched.total() == 1
    assert sources(first) == sources(written)[1:2]
    assert sources(write(target, workspace, terms=3)) == sources(written)
    assert searched.total() == 3
    assert sources(write(target, workspace, terms=3, time_limit=1e-6)) == sources(written)
    assert searched.total() == 3
    write(target, workspace, terms=1)
    assert searched.total() == 6, "what is known is for what was asked then"


def test_interrupted_run_keeps_what_it_told_and_goes_on_there(
    target: Target, written: Written, workspace: Workspace, searched: Counter[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: str, done: int, __: int) -> None:
        if done:
            raise KeyboardInterrupt

    heads = target.geometry.head_ids()
    threads = torch.get_num_threads()
    monkeypatch.setattr(symbolic, "available_threads", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        write_programs(target, heads, Wanted(terms=3), workspace, report=interrupt)
    assert searched.total() == 1
    assert torch.get_num_threads() == threads
    assert sources(write(target, workspace, terms=3)) == sources(written)
    assert searched.total() == 3


def test_progress_counts_heads_up_to_all_of_them(target: Target, workspace: Workspace) -> None:
    told: list[tuple[str, int, int]] = []
    heads = target.geometry.head_ids()
    write_programs(target, heads[:1], Wanted(terms=1), workspace)
    write_programs(target, heads, Wanted(terms=1), workspace, report=lambda *step: told.append(step))
    assert list(dict.fromkeys(told)) == [("synthesize", done, 3) for done in (1, 2, 3)]


# ---- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [1, 2, 5])
def test_no_program_is_larger_than_was_asked_for(terms: int, target: Target) -> None:
    fronts = write(target, terms=terms).fronts
    for front in fronts:
        found = [program.terms for program in front.programs]
        assert found == sorted(found)
        assert 1 <= found[0] <= found[-1] <= terms
    assert max(program.terms for front in fronts for program in front.programs) == terms


def test_programs_list_tokens_only_where_they_may(target: Target, written: Written) -> None:
    assert any(program.set_tokens for program in programs(written))
    without = programs(write(target, terms=3, effort=Effort(set_size=0)))
    assert [program.set_tokens for program in without] == [0] * len(without)


def test_time_limit_leaves_heads_for_the_next_run(
    target: Target, written: Written, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(symbolic, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(symbolic, "available_threads", lambda: 1)

    def pass_time(_: str, done: int, __: int) -> None:
        clock.now = 100.0 * done

    heads = target.geometry.head_ids()
    cut = write_programs(target, heads, Wanted(terms=3, time_limit=60), workspace, report=pass_time)
    assert sources(cut) == sources(written)[:1]
    assert cut.unreached == tuple(heads[1:])
    whole = write(target, workspace, terms=3)
    assert sources(whole) == sources(written)
    assert whole.unreached == ()


def test_time_limit_that_is_over_at_once_leaves_every_head(target: Target) -> None:
    assert write(target, time_limit=1e-9) == Written((), tuple(target.geometry.head_ids()))


@pytest.mark.parametrize(
    "wanted", [{"terms": 0}, {"terms": 33}, {"time_limit": 0.0}, {"time_limit": -1.0}, {"time_limit": float("nan")}]
)
def test_limits_that_make_no_sense_are_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Wanted(**wanted)


# ---- sound programs --------------------------------------------------------------------------------------------------


def assert_sound(listed: Sequence[Program], target: Target, sandbox: Sandbox) -> None:
    """Every rule for a program file holds, on held-out texts too."""
    for program in listed:
        assert program.findings == ()
        assert policy.check(program.source) == []
        assert program.explanation.endswith(".")
        assert max(map(len, program.source[program.source.index("# /// script") :].splitlines())) <= 120
    texts = [sequence.text for sequence in target.corpus["held-out"]]
    assert find_look_ahead([program.source for program in listed], texts, sandbox) == [None] * len(listed)
    scores = score_pairs([(program, program.metadata.heads[0]) for program in listed], target, sandbox)
    assert [score.failures for score in scores] == [()] * len(listed)


def test_programs_are_sound(target: Target, written: Written, sandbox: Sandbox) -> None:
    assert_sound(programs(written), target, sandbox)
    for front in written.fronts:
        assert all(program.metadata.heads == (front.head,) for program in front.programs)


@pytest.mark.parametrize(("fit", "length"), [(1, 24), (1, 2), (10, 2), (2, 3)])
def test_little_text_is_enough(fit: int, length: int, plant: Plant, sandbox: Sandbox) -> None:
    target = plant(fit, length)
    found = write(target, terms=3)
    assert found.unreached == ()
    assert_sound(programs(found), target, sandbox)


@pytest.mark.parametrize("stride", [2, 3])
def test_of_much_text_only_some_queries_are_looked_at(
    stride: int, target: Target, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "_MOST_CELLS", 10 * 24 * 24 // stride)
    queries = evidence.Evidence.of(target.corpus["fit"]).queries
    assert queries.tolist() == list(range(stride - 1, 24, stride))
    found = write(target, terms=3)
    assert_sound(programs(found), target, sandbox)
    mixture = found.fronts[0].programs[-1]
    assert "s.previous(1)" in mixture.source
    assert "s.same_word" in mixture.source


def test_programs_count_what_the_search_counted(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: dict[str, tuple[int, int]] = {}

    def noting(heads: Sequence[HeadId], terms: Sequence[Term], weights: Sequence[float], *more: Any, **how: Any) -> str:
        source = render(heads, terms, weights, *more, **how)
        listed = [term for term, weight in zip(terms, weights, strict=True) if rounded(weight)]
        counted[source] = (max(1, len(listed)), sum(len(item.tokens) for item in distinct_sets(listed)))
        return source

    monkeypatch.setattr(symbolic, "render", noting)
    found = programs(write(target, terms=5))
    assert {program.source: (program.terms, program.set_tokens) for program in found} == counted
    assert any(tokens for _, tokens in counted.values())


def test_linter_finds_nothing_in_the_programs(written: Written, tmp_path: Path) -> None:
    for number, program in enumerate([*programs(written), parse(rendered(WEIRD))]):
        (tmp_path / f"program_{number}.py").write_text(program.source, encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--extend-select=W,PLE"]
    done = subprocess.run([*command, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- the text of a program -------------------------------------------------------------------------------------------

WEIRD = (
    '"', "'", '"""', "\\", "\\n", "\n", " \n", "\t", "\r", " ", "#", "; ", "{x}", "é", "\u2028", "\u202e", "\x00",
    "\x7f", "\xa0", "😀", "😀\n", "\U000e0001", "\ufffd",
)  # fmt: skip


def rendered(tokens: Sequence[str], weight: float = 3.0) -> str:
    """A program of one term, over a set."""
    listed = TokenSet(tuple(tokens))
    names: dict[Side, str] = {listed: "TOKENS"}
    return render([HeadId(0, 0)], [Term(None, EVERY, listed)], [weight], [1.0], names)


@pytest.mark.parametrize("token", WEIRD, ids=ascii)
def test_token_of_a_set_is_spelled_so_that_python_reads_it_again(token: str) -> None:
    program = parse(rendered([token, " the"]))
    assert program.findings == ()
    assert policy.check(program.source) == []
    assert program.set_tokens == 2
    (assigned,) = (node for node in ast.parse(program.source).body if isinstance(node, ast.Assign))
    assert ast.literal_eval(assigned.value) == {token, " the"}
    assert program.explanation.startswith("Looks at ")
    assert program.explanation.endswith(".")
    assert program.explanation.isprintable()


def test_long_set_is_broken_into_lines() -> None:
    tokens = [f" token{number}" for number in range(60)]
    source = rendered(tokens)
    assert max(map(len, source.splitlines())) <= 120
    assert parse(source).set_tokens == 60


@pytest.mark.parametrize("weight", [0.0, 1e-9, -1e-9, 1e-4, -0.012345, 7, 123.4, -1e6])
def test_weight_of_any_size_is_written(weight: float) -> None:
    program = parse(rendered([" the"], weight))
    assert program.findings == ()
    assert policy.check(program.source) == []
    assert ("softmax(" in program.source) == (weight != 0)
    assert program.terms == 1


def test_terms_stand_in_the_order_of_what_they_bring() -> None:
    terms = [Term(None, Relation("first"), None), Term(TokenClass("is_verb"), Relation("previous", 1), None)]
    source = render([HeadId(1, 2)], terms, [2.0, -1.0], [0.1, 0.2], {})
    lines = source.splitlines()
    (one, two) = (line.strip() for line in lines[lines.index("    return softmax(") + 1 : -1])
    assert one.startswith("-1.0 * s.query.is_verb * s.previous(1)")
    assert two.startswith("+ 2.0 * s.first")
    assert parse(source).terms == 2
    assert parse(source).metadata.heads == (HeadId(1, 2),)


def test_one_clause_too_long_for_a_line_leaves_no_empty_lines() -> None:
    program = parse(rendered([f" {'a' * 40}{number}" for number in range(3)]))
    assert program.source.startswith(f'"""{program.explanation}"""\n\n# /// script\n')
    assert program.explanation.endswith(".")

"""Programs × heads: every program runs once a text, and every figure is the one that a plain loop would give."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from readhead import library
from readhead.corpus import PARTS, Corpus, Part, TokenSequence
from readhead.findings import Finding
from readhead.heads import Geometry, HeadId
from readhead.library import (
    Ranking,
    Target,
    find_heads,
    load_programs,
    measure_floor,
    rank,
    score_known,
    score_pairs,
    shipped_library,
)
from readhead.patterns import PatternStore, pack, packed_size, unpack
from readhead.program import Program
from readhead.sandbox import Failure, Run, Sandbox
from readhead.scoring import TRIVIAL, as_pattern, iou, trivial_patterns
from readhead.tokens import Text
from readhead.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from readhead.sandbox.client import Kind

Array = npt.NDArray[np.float32]

LENGTH = 6
SIZES = {"fit": 2, "dev": 5, "held-out": 3}
GEOMETRY = Geometry(layers=2, heads=2)
HEADS = GEOMETRY.head_ids()


def sequence(part: str, number: int) -> TokenSequence:
    surfaces = (f"{part} {number}", *"abcde")
    return TokenSequence(tuple(range(LENGTH)), Text(surfaces))


CORPUS = Corpus("made up", LENGTH, {p: tuple(sequence(p, k) for k in range(SIZES[p])) for p in PARTS}, 0, 0)


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """Random patterns of four heads, but that L1H1 looks at the first token only."""
    weights = np.random.default_rng(0).random((sum(SIZES.values()), GEOMETRY.size, LENGTH, LENGTH)) ** 4
    weights[:, 3] = np.eye(LENGTH)[0]
    packed = pack(weights / np.tril(weights).sum(axis=-1, keepdims=True)).astype(np.float16)
    packed.tofile(tmp_path / "patterns.f16")
    store = PatternStore(tmp_path / "patterns.f16", len(packed), GEOMETRY.size, LENGTH)
    return Target("model", GEOMETRY, CORPUS, store)


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace.temporary() as opened:
        yield opened


class FakeSandbox(Sandbox):
    """Weights drawn from a program's source and a text's first token, and the failures that it was told of."""

    def __init__(self, failing: dict[tuple[str, str], Kind] | None = None) -> None:
        super().__init__()
        self.failing = failing or {}
        self.ran: Counter[tuple[str, str]] = Counter()
        self.loaded: list[int] = []
        """How many texts were loaded each time."""

    def load(self, texts: Sequence[Text]) -> None:
        self.texts = tuple(texts)
        self.loaded.append(len(texts))

    def run_many(self, sources: Sequence[str]) -> Iterator[Run]:
        for source in sources:
            names = [text.surfaces[0] for text in self.texts]
            self.ran.update((source, name) for name in names)
            kinds = [self.failing.get((source, name)) for name in names]
            weights = tuple(
                None if kind else raw_weights(source, name) for kind, name in zip(kinds, names, strict=True)
            )
            failures = tuple(
                Failure(kind, "no", sequence=place)
                for place, kind in enumerate(kinds)
                if kind and kind not in kinds[:place]
            )
            yield Run(weights, failures, sum(map(bool, kinds)), 0.0)


def raw_weights(source: str, name: str) -> Array:
    seed = int.from_bytes(hashlib.sha256(f"{source} {name}".encode()).digest()[:4])
    return np.random.default_rng(seed).random((LENGTH, LENGTH), np.float32) ** 3 - 0.1


def programs(*sources: str) -> list[Program]:
    return [Program(source, source, lines=3) for source in sources]


def every(sources: Sequence[str], part: str) -> Counter[tuple[str, str]]:
    """Each program once on each text of the part."""
    return Counter((source, f"{part} {k}") for source in sources for k in range(SIZES[part]))


def brute_iou(source: str, head: int, part: Part, target: Target) -> float:
    total = 0.0
    for place, text in zip(target.places(part), CORPUS[part], strict=True):
        prediction = unpack(as_pattern(raw_weights(source, text.text.surfaces[0])), LENGTH).astype(np.float64)
        pattern = unpack(target.store.read(place, head), LENGTH).astype(np.float64)
        total += np.minimum(prediction, pattern).sum() / np.maximum(prediction, pattern).sum()
    return total / SIZES[part]


# ---- ranking ---------------------------------------------------------------------------------------------------------


def test_ranking_is_what_a_loop_over_programs_heads_and_texts_gives(target: Target, workspace: Workspace) -> None:
    ranking = rank(programs("a", "b", "c"), target, workspace, FakeSandbox())
    expected = [[brute_iou(source, head, "dev", target) for head in range(4)] for source in "abc"]
    assert ranking.iou == pytest.approx(np.array(expected), abs=1e-6)
    assert ranking.failed == (0, 0, 0)


@pytest.mark.parametrize("part", PARTS)
def test_ranking_agrees_with_the_scores_of_pairs(part: Part, target: Target, workspace: Workspace) -> None:
    listed = programs("a", "b")
    ranking = rank(listed, target, workspace, FakeSandbox(), part=part)
    pairs = list(itertools.product(listed, HEADS))
    scores = score_pairs(pairs, target, FakeSandbox(), part=part)
    assert [(score.program, score.head) for score in scores] == pairs
    assert ranking.iou.flatten() == pytest.approx([score.iou for score in scores], abs=1e-6)


@pytest.fixture
def no_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are counted: those that look for programs that look ahead are left out."""
    monkeypatch.setattr(library, "_look_ahead", lambda *_: {})


@pytest.mark.usefixtures("no_trials")
def test_program_runs_once_a_text_however_many_heads_it_is_scored_on(target: Target, workspace: Workspace) -> None:
    sandbox = FakeSandbox()
    rank(programs("a", "b"), target, workspace, sandbox)
    assert sandbox.ran == every("ab", "dev")
    sandbox = FakeSandbox()
    score_pairs([(program, head) for head in HEADS for program in programs("a", "b")], target, sandbox)
    assert sandbox.ran == every("ab", "held-out")


def test_predictions_in_memory_are_bounded_and_the_bound_changes_no_score(
    target: Target, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = programs("a", "b", "c")
    whole = rank(listed, target, workspace, FakeSandbox())
    monkeypatch.setattr(library, "_PREDICTION_BYTES", 2 * 3 * 4 * packed_size(LENGTH))  # two texts
    sandbox, told = FakeSandbox(), []
    with Workspace.temporary() as empty:
        batched = rank(listed, target, empty, sandbox, report=lambda *state: told.append(state))
    assert sandbox.loaded == [2, 2, 1]
    assert sandbox.ran == every("abc", "dev")
    assert batched.iou == pytest.approx(whole.iou, abs=1e-6)
    assert told[-1] == ("rank", 15, 15)
    monkeypatch.setattr(library, "_PREDICTION_BYTES", 1)
    assert [len(batch) for _, batch in library._batches(CORPUS["dev"], 3)] == [1] * 5


def test_best_program_of_equals_is_the_one_with_fewer_lines() -> None:
    long, short, longest = (Program(name, name, lines=lines) for name, lines in (("l", 5), ("s", 2), ("x", 9)))
    ious = np.array([[0.5, 0.5], [0.5, 0.4], [0.5, 0.6]], np.float32)
    ranking = Ranking((long, short, longest), "dev", ious, (0, 0, 0), ((), (), ()))
    assert ranking.best() == [1, 2]


# ---- what is known ---------------------------------------------------------------------------------------------------


def test_known_scores_are_not_run_again(target: Target, tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as opened:
        first = rank(programs("a", "b"), target, opened, FakeSandbox())
    sandbox = FakeSandbox()
    with Workspace.open(tmp_path) as opened:
        second = rank(programs("b", "c", "a"), target, opened, sandbox)
        assert sandbox.ran == every("c", "dev")
        assert (second.iou[[2, 0]] == first.iou).all()
        rank(programs("a"), target, opened, sandbox, part="fit")
        assert sandbox.ran == every("c", "dev") + every("a", "fit")


def test_scores_of_another_model_or_corpus_are_not_taken_for_these(target: Target, workspace: Workspace) -> None:
    rank(programs("a"), target, workspace, FakeSandbox())
    shorter = {**CORPUS.parts, "fit": CORPUS["fit"][:1], "dev": CORPUS["dev"][::-1]}
    for other in (replace(target, model="other"), replace(target, corpus=Corpus("made up", LENGTH, shorter, 0, 0))):
        sandbox = FakeSandbox()
        rank(programs("a"), other, workspace, sandbox)
        assert sandbox.ran == every("a", "dev")


@pytest.mark.parametrize(
    ("kind", "lasts"),
    [("time-out", False), ("crash", False), ("out of memory", False), ("error", True), ("bad result", True)],
)
def test_failure_is_stored_only_where_it_would_come_again(
    kind: Kind, *, lasts: bool, target: Target, workspace: Workspace
) -> None:
    rank(programs("a", "b"), target, workspace, FakeSandbox({("a", "dev 1"): kind}))
    sandbox = FakeSandbox()
    again = rank(programs("a", "b"), target, workspace, sandbox)
    assert sandbox.ran == (Counter() if lasts else every("a", "dev"))
    assert again.failed == ((1, 0) if lasts else (0, 0))


def test_time_out_after_another_failure_is_not_stored_either(
    target: Target, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_PREDICTION_BYTES", 1)  # every text is a batch of its own
    failing: dict[tuple[str, str], Kind] = {("a", "dev 1"): "error", ("a", "dev 3"): "time-out"}
    ranking = rank(programs("a"), target, workspace, FakeSandbox(failing))
    assert [(told["kind"], told["sequence"]) for told in ranking.failures[0]] == [("error", 1), ("time-out", 3)]
    sandbox = FakeSandbox()
    assert rank(programs("a"), target, workspace, sandbox).failed == (0,)
    assert sandbox.ran == every("a", "dev")


def test_known_figures_are_not_run_again_and_come_back_whole(target: Target, workspace: Workspace) -> None:
    pairs = list(itertools.product(programs("a", "b"), HEADS[:2]))
    failing: dict[tuple[str, str], Kind] = {("a", "held-out 0"): "error"}
    first = score_known(pairs, target, workspace, FakeSandbox(failing))
    sandbox = FakeSandbox()
    assert score_known(pairs, target, workspace, sandbox) == first
    assert not sandbox.ran


# ---- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [library._PREDICTION_BYTES, 1])
def test_text_that_a_program_failed_on_counts_as_zero_and_is_told(
    bound: int, target: Target, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_PREDICTION_BYTES", bound)
    failing: dict[tuple[str, str], Kind] = {("a", "dev 2"): "error", ("a", "dev 4"): "error"}
    ranking = rank(programs("a"), target, workspace, FakeSandbox(failing))
    (score,) = score_pairs([(programs("a")[0], HEADS[1])], target, FakeSandbox(failing), part="dev")
    (whole,) = score_pairs([(programs("a")[0], HEADS[1])], target, FakeSandbox(), part="dev")
    expected = [0.0 if place in {2, 4} else figure for place, figure in enumerate(whole.by_sequence)]
    assert score.by_sequence == pytest.approx(expected)
    assert score.iou == pytest.approx(np.mean(expected))
    assert ranking.iou[0, 1] == pytest.approx(score.iou)
    assert score.jsd > whole.jsd
    assert (score.failed, score.error) == (2, None)
    assert score.coverage == pytest.approx(0.6)
    assert [told["sequence"] for told in score.failures] == [2]
    assert [told["sequence"] for told in ranking.failures[0]] == [2]
    assert ranking.failed == (2,)


def test_program_that_gave_nothing_has_an_error_and_no_figures(target: Target) -> None:
    failing: dict[tuple[str, str], Kind] = {("a", f"held-out {k}"): "time-out" for k in range(3)}
    (score,) = score_pairs([(programs("a")[0], HEADS[0])], target, FakeSandbox(failing))
    row = score.as_score_row()
    assert score.error is not None
    assert (row["iou"], row["jsd"], row["error"]["kind"], row["coverage"]) == (None, None, "time-out", 0)
    assert (score.iou, score.jsd) == (0, 1)


@pytest.mark.usefixtures("no_trials")
def test_program_with_findings_is_refused_and_never_run(target: Target) -> None:
    broken = Program("broken", "broken", findings=(Finding(3, 4, "RH203", "no", "mend it"),))
    sandbox = FakeSandbox()
    scores = score_pairs([(broken, HEADS[0]), (programs("a")[0], HEADS[0])], target, sandbox)
    assert sandbox.ran == every("a", "held-out")
    assert scores[0].error is not None
    assert (scores[0].error["kind"], scores[0].error["line"]) == ("refused", 3)
    assert scores[1].coverage == 1


# ---- figures of a pair -----------------------------------------------------------------------------------------------


def test_floor_is_the_best_trivial_program_of_each_head(target: Target) -> None:
    floor = measure_floor(target, "dev")
    heads = [[target.store.read(place, head) for place in target.places("dev")] for head in range(4)]
    expected = [[np.mean([iou(trivial, p) for p in head]) for head in heads] for trivial in trivial_patterns(LENGTH)]
    assert floor.iou == pytest.approx(np.array(expected), abs=1e-6)
    assert floor.best(3) == ("first token", 1.0)
    assert floor.best(0) == (TRIVIAL[int(floor.iou[:, 0].argmax())], float(floor.iou[:, 0].max()))


def test_head_that_rests_on_the_first_token_is_inactive(target: Target) -> None:
    resting, other = score_pairs([(programs("a")[0], HEADS[3]), (programs("a")[0], HEADS[0])], target, FakeSandbox())
    assert (resting.inactive, resting.trivial, resting.trivial_iou) == (True, "first token", 1.0)
    assert not other.inactive
    assert resting.lift == pytest.approx(resting.iou - 1)


def test_mistakes_are_the_worst_rows_of_the_worst_texts(target: Target) -> None:
    (score,) = score_pairs([(programs("a")[0], HEADS[0])], target, FakeSandbox(), part="dev", mistakes=3)
    overlaps = [mistake.overlap for mistake in score.mistakes]
    assert len(overlaps) == len({mistake.sequence for mistake in score.mistakes}) == 3
    assert overlaps == sorted(overlaps)
    worst = score.mistakes[0]
    prediction = unpack(as_pattern(raw_weights("a", f"dev {worst.sequence}")), LENGTH)
    pattern = unpack(target.store.read(target.places("dev")[worst.sequence], 0), LENGTH)
    assert worst.overlap == pytest.approx(np.minimum(prediction, pattern)[worst.query].sum())
    assert worst.token == CORPUS["dev"][worst.sequence].text.surfaces[worst.query]


# ---- reverse search --------------------------------------------------------------------------------------------------


def test_found_heads_are_in_the_order_of_the_program_and_say_its_place(target: Target) -> None:
    ious = np.array([[0.3, 0.5, 0.5, 0.1], [0.4, 0.2, 0.5, 0.1], [0.9, 0.1, 0.4, 0.3]], np.float32)
    ranking = Ranking(tuple(programs("a", "b", "c")), "dev", ious, (0, 0, 0), ((), (), ()))
    floor = measure_floor(target, "dev")
    found = find_heads(programs("b")[0], ranking, floor, GEOMETRY)
    assert [(str(row.head), row.rank, row.of) for row in found] == [
        ("L1H0", 1, 3),  # level with another program
        ("L0H0", 2, 3),
        ("L0H1", 2, 3),
        ("L1H1", 2, 3),
    ]
    assert found[3].trivial == "first token"
    assert found[3].lift == pytest.approx(0.1 - 1.0)
    assert found[0].as_dict()["head"] == str(HeadId(1, 0))


# ---- files -----------------------------------------------------------------------------------------------------------


def test_programs_are_the_python_files_of_the_folders_in_order(tmp_path: Path) -> None:
    for name in ("b/two.py", "a.py", "b/__init__.py", ".hidden/three.py", "notes.txt", "b/one.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("def head(s):\n    return 1\n")
    assert [program.name for program in load_programs(tmp_path, tmp_path / "missing")] == ["a", "one", "two"]


def test_a_file_that_cannot_be_read_is_a_finding_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("def head(s):\n    return 1\n")
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9\n")
    (tmp_path / "long.py").write_text("#" * 70_000)
    (tmp_path / "nowhere.py").symlink_to(tmp_path / "missing.py")
    good, *unread = load_programs(tmp_path)
    assert not good.findings
    assert [str(program.findings[0]) for program in unread] == [
        "1:1: RH201 the file is not UTF-8 (byte 5) (save it as UTF-8)",
        "1:1: RH201 the file has 70000 bytes (a program has at most 65536)",
        "1:1: RH201 the file cannot be read: No such file or directory (name a program file (.py))",
    ]


def test_shipped_library_is_found() -> None:
    assert (shipped_library() / "previous" / "previous_token.py").is_file()

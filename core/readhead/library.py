"""Programs × heads: run every program once a sequence, score it against every head, find the best.

1. A program's predictions are computed once for each sequence and shared by all heads.
2. `rank` scores all programs against all heads on `dev`; what the workspace knows already is not run again.
3. The best program of a head is chosen on `dev`; what is reported of it is measured on `held-out` (`score_pairs`).
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from readhead.corpus import PARTS, Corpus, Part, TokenSequence
from readhead.errors import ProgramError
from readhead.findings import Finding
from readhead.heads import Geometry, HeadId
from readhead.lookahead import find_look_ahead
from readhead.patterns import Array, PatternStore, packed_size
from readhead.program import Program, read_program
from readhead.sandbox import Failure, Sandbox
from readhead.scores import Found, HeadScore
from readhead.scoring import (
    INACTIVE,
    TRIVIAL,
    Mistake,
    as_pattern,
    available_threads,
    first_token_mass,
    iou,
    iou_of_overlap,
    iou_without_first,
    jensen_shannon_distance,
    overlaps,
    rows_without_rest,
    trivial_patterns,
    worst_rows,
)
from readhead.workspace import FigureKey, ScoreKey, StoredScore, Workspace

Report = Callable[[str, int, int], None]
"""Called with a stage's name, what is done and what there is to do."""

Result = TypeVar("Result")

_PREDICTION_BYTES = 128 << 20
_TRIED = 4
"""Texts on which a program is tried for looking ahead."""
_PASSING = frozenset({"time-out", "crash", "out of memory"})
"""Kinds of failure that a busy machine may bring about."""


def shipped_library() -> Path:
    """The folder of the library that ships.

    Raises:
        ProgramError: if the package `readhead_programs` is not installed.
    """
    found = importlib.util.find_spec("readhead_programs")
    if found is None or not found.submodule_search_locations:
        raise ProgramError("the library readhead_programs is not installed", hint="install Readhead again")
    return Path(found.submodule_search_locations[0])


def load_programs(*folders: Path) -> list[Program]:
    """All program files under the folders, in the order of their paths; a folder that does not exist has none.

    A file that cannot be read is a program with a finding: it keeps no other from being measured.
    """
    return [
        _read(path)
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
        if path.name != "__init__.py" and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _read(path: Path) -> Program:
    try:
        return read_program(path)
    except ProgramError as error:
        what = f"the file {str(error).removeprefix(f'{path} ')}"
        return Program(path.stem, "", path, findings=(Finding(1, 1, "RH201", what, error.hint),))


@dataclass(frozen=True)
class Target:
    """What programs are measured against: a model's patterns on a corpus."""

    model: str
    """The model's fingerprint."""
    geometry: Geometry
    corpus: Corpus
    store: PatternStore
    """The patterns of all sequences of the corpus: fit, dev, held-out."""

    def places(self, part: Part) -> range:
        """The places of the part's sequences in the store."""
        start = sum(len(self.corpus[earlier]) for earlier in PARTS[: PARTS.index(part)])
        return range(start, start + len(self.corpus[part]))


@dataclass(frozen=True)
class Ranking:
    """Programs × heads on one part."""

    programs: tuple[Program, ...]
    part: Part
    iou: Array
    """`[programs, heads]`, mean over sequences; a sequence on which a program failed counts as 0."""
    failed: tuple[int, ...]
    """For each program the sequences on which it gave nothing."""
    failures: tuple[tuple[dict[str, Any], ...], ...]
    """For each program what went wrong."""

    def among(self, programs: Iterable[Program]) -> Ranking:
        """The same of some of the programs."""
        numbers = self.numbers
        kept = sorted({numbers[program.source] for program in programs})
        return Ranking(
            tuple(self.programs[number] for number in kept),
            self.part,
            self.iou[kept],
            tuple(self.failed[number] for number in kept),
            tuple(self.failures[number] for number in kept),
        )

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Each program's number, by its text."""
        return {program.source: number for number, program in enumerate(self.programs)}

    def order(self, head: int) -> list[int]:
        """The programs' numbers, the closest to a head first; of equals the one with fewer lines, as for `best`."""
        lines = np.array([program.lines for program in self.programs])
        return [int(number) for number in np.lexsort((lines, -self.iou[:, head]))]

    def best(self) -> list[int]:
        """For each head the number of its best program; of equals the one with fewer lines."""
        shortest_first = np.argsort([program.lines for program in self.programs], kind="stable")
        return [int(shortest_first[self.iou[shortest_first, head].argmax()]) for head in range(self.iou.shape[1])]


@dataclass(frozen=True)
class Floor:
    """What the trivial programs reach on every head of one part."""

    iou: Array
    """`[4, heads]`, in the order of `readhead.scoring.TRIVIAL`."""
    first_mass: Array
    """`[heads]`: mean weight on the first token."""

    def best(self, head: int) -> tuple[str, float]:
        """The best trivial program for a head, and its IoU."""
        place = int(self.iou[:, head].argmax())
        return TRIVIAL[place], float(self.iou[place, head])


def measure_floor(target: Target, part: Part) -> Floor:
    """The trivial programs against all heads."""
    length = target.store.length
    trivial = trivial_patterns(length)

    def one(place: int) -> tuple[npt.NDArray[np.float64], Array]:
        patterns = target.store.read(place)
        return iou_of_overlap(overlaps(trivial, patterns), length), first_token_mass(patterns, length)

    results = _over(one, target.places(part))
    return Floor(
        np.mean([trivial_iou for trivial_iou, _ in results], axis=0).astype(np.float32),
        np.mean([mass for _, mass in results], axis=0),
    )


def rank(
    programs: Sequence[Program],
    target: Target,
    workspace: Workspace,
    sandbox: Sandbox,
    *,
    part: Part = "dev",
    report: Report | None = None,
) -> Ranking:
    """All programs against all heads of one part, mean IoU; known scores come from the workspace."""
    keys = [_key(program, target, part) for program in programs]
    known = workspace.stored_scores(keys)
    unknown = {key: program for key, program in zip(keys, programs, strict=True) if key not in known}
    if unknown:
        fresh = dict(zip(unknown, _score_all(list(unknown.values()), target, part, sandbox, report), strict=True))
        workspace.store_scores({key: score for key, score in fresh.items() if _lasts(score.failures)})
        known |= fresh
    scores = [known[key] for key in keys]
    return Ranking(
        tuple(programs),
        part,
        np.array([score.iou for score in scores], np.float32).reshape(len(programs), target.geometry.size),
        tuple(score.failed for score in scores),
        tuple(score.failures for score in scores),
    )


def score_known(
    pairs: Sequence[tuple[Program, HeadId]],
    target: Target,
    workspace: Workspace,
    sandbox: Sandbox,
    *,
    part: Part = "held-out",
    report: Report | None = None,
) -> list[HeadScore]:
    """As `score_pairs`; what the workspace knows already is not computed again."""
    keys = [(_key(program, target, part), str(head)) for program, head in pairs]
    known = workspace.stored_figures(keys)
    unknown = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in known}
    fresh: dict[FigureKey, HeadScore] = {}
    if unknown:
        scores = score_pairs(list(unknown.values()), target, sandbox, part=part, report=report)
        fresh = dict(zip(unknown, scores, strict=True))
        workspace.store_figures({key: score.figures() for key, score in fresh.items() if _lasts(score.failures)})
    return [
        replace(fresh[key], program=program) if key in fresh else HeadScore.of_figures(head, program, known[key])
        for key, (program, head) in zip(keys, pairs, strict=True)
    ]


def score_pairs(
    pairs: Sequence[tuple[Program, HeadId]],
    target: Target,
    sandbox: Sandbox,
    *,
    part: Part = "held-out",
    mistakes: int = 0,
    floor: Floor | None = None,
    report: Report | None = None,
) -> list[HeadScore]:
    """Every figure of each (program, head), in the order given, with `mistakes` worst rows, one a sequence at most.

    `floor` is that of the part, where it was measured already.
    """
    floor = floor or measure_floor(target, part)
    programs = list({program.source: program for program, _ in pairs}.values())
    tallies = {(program.source, head): _Tally(program, head) for program, head in pairs}
    places, length = target.places(part), target.store.length
    done = 0
    for span, batch in _batches(target.corpus[part], len(programs)):
        for program, (predictions, problems) in zip(programs, predict(programs, batch, sandbox), strict=True):
            for tally in (tally for (source, _), tally in tallies.items() if source == program.source):
                _note(tally.failures, problems, span.start)
                row = target.geometry.index_of(tally.head)
                for place, prediction in zip(span, predictions, strict=True):
                    pattern = target.store.read(places[place], row)
                    tally.add(prediction, pattern, length)
                    if mistakes and prediction is not None:
                        tokens = target.corpus[part][place].text.surfaces
                        tally.worst += worst_rows(prediction, pattern, tokens, sequence=place, count=1)
            done += len(batch)
            if report:
                report("score", done, len(places) * len(programs))
    leaks = _look_ahead(programs, target, part, sandbox)
    scores = {key: tally.score(target, part, floor, mistakes=mistakes) for key, tally in tallies.items()}
    return [
        replace(scores[program.source, head], program=program, look_ahead=leaks.get(program.source, ""))
        for program, head in pairs
    ]


def _look_ahead(programs: Sequence[Program], target: Target, part: Part, sandbox: Sandbox) -> dict[str, str]:
    """The programs' sources with the row that gave each away; those that do not look ahead are left out."""
    sources = [program.source for program in programs if not program.findings]
    texts = [sequence.text for sequence in target.corpus[part][:_TRIED]]
    found = zip(sources, find_look_ahead(sources, texts, sandbox), strict=True)
    return {source: str(leak) for source, leak in found if leak is not None}


@dataclass
class _Tally:
    """What adds up for one program and one head, sequence by sequence."""

    program: Program
    head: HeadId
    iou: list[float] = field(default_factory=list)
    without_first: list[float] = field(default_factory=list)
    jsd: list[float] = field(default_factory=list)
    left_out: int = 0
    failed: int = 0
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)
    worst: list[Mistake] = field(default_factory=list)

    def add(self, prediction: Array | None, pattern: Array, length: int) -> None:
        if prediction is None:
            self.failed += 1
            self.iou.append(0.0)
            self.without_first.append(0.0)
            self.jsd.append(1.0)
            return
        self.iou.append(iou(prediction, pattern))
        rest = iou_without_first(prediction, pattern, length)
        if rest is not None:
            self.without_first.append(rest)
        self.left_out += rows_without_rest(prediction, pattern, length)
        self.jsd.append(jensen_shannon_distance(prediction, pattern, length))

    def score(self, target: Target, part: Part, floor: Floor, *, mistakes: int) -> HeadScore:
        row = target.geometry.index_of(self.head)
        trivial, trivial_iou = floor.best(row)
        return HeadScore(
            head=self.head,
            program=self.program,
            part=part,
            sequences=len(self.iou),
            length=target.store.length,
            iou=float(np.mean(self.iou)),
            iou_without_first=float(np.mean(self.without_first)) if self.without_first else None,
            left_out=self.left_out,
            jsd=float(np.mean(self.jsd)),
            trivial=trivial,
            trivial_iou=trivial_iou,
            inactive=bool(floor.first_mass[row] >= INACTIVE),
            failed=self.failed,
            failures=tuple(self.failures.values()),
            mistakes=tuple(sorted(self.worst, key=lambda mistake: mistake.overlap)[:mistakes]),
            by_sequence=tuple(self.iou),
        )


def _lasts(failures: Sequence[dict[str, Any]]) -> bool:
    """Whether a program that failed so would fail again."""
    return not any(failure["kind"] in _PASSING for failure in failures)


def _key(program: Program, target: Target, part: Part) -> ScoreKey:
    code = hashlib.sha256(f"{program.fingerprint} {language_fingerprint()}".encode()).hexdigest()[:16]
    return ScoreKey(code, target.model, target.corpus.fingerprint, part)


@cache
def language_fingerprint() -> str:
    """Of everything that gives a program's words their meaning: 16 hexadecimal digits."""
    here = Path(__file__).parent
    names = ("language.py", "reading.py", "words.py", "scoring.py", "lookahead.py", "sandbox/policy.py")
    sources = [(here / name).read_bytes() for name in names]
    return hashlib.sha256(b"\0".join(sources)).hexdigest()[:16]


def _score_all(
    programs: list[Program], target: Target, part: Part, sandbox: Sandbox, report: Report | None
) -> list[StoredScore]:
    places = target.places(part)
    length = target.store.length
    total = np.zeros((len(programs), target.geometry.size))
    failed = np.zeros(len(programs), int)
    failures: list[dict[str, dict[str, Any]]] = [{} for _ in programs]
    done = 0
    for sequences, batch in _batches(target.corpus[part], len(programs)):
        predictions = np.zeros((len(batch), len(programs), packed_size(length)), np.float32)
        for number, (weights, problems) in enumerate(predict(programs, batch, sandbox)):
            for place, packed in enumerate(weights):
                if packed is not None:
                    predictions[place, number] = packed
            failed[number] += sum(packed is None for packed in weights)
            _note(failures[number], problems, sequences.start)
            done += len(batch)
            if report:
                report("rank", done, len(programs) * len(places))

        def one(place: int, predictions: Array = predictions, first: int = sequences.start) -> Array:
            return overlaps(predictions[place], target.store.read(places[first + place]))

        total += sum(iou_of_overlap(shared, length) for shared in _over(one, range(len(batch))))
    mean = (total / len(places)).astype(np.float32)
    return [StoredScore(mean[k], int(failed[k]), tuple(failures[k].values())) for k in range(len(programs))]


def _note(known: dict[str, dict[str, Any]], problems: Iterable[Failure], start: int) -> None:
    """Keep the first failure of each kind; `problems` count their sequences from `start` of the part."""
    for problem in problems:
        place = None if problem.sequence is None else start + problem.sequence
        known.setdefault(problem.kind, replace(problem, sequence=place).as_dict())


def predict(
    programs: Sequence[Program], sequences: Sequence[TokenSequence], sandbox: Sandbox
) -> Iterator[tuple[list[Array | None], tuple[Failure, ...]]]:
    """For each program its packed predictions on the sequences (None where it failed), and what went wrong.

    A program with findings is not run.
    """
    sandbox.load([sequence.text for sequence in sequences])
    runs = sandbox.run_many([program.source for program in programs if not program.findings])
    for program in programs:
        if program.findings:
            yield [None] * len(sequences), tuple(refusal(finding) for finding in program.findings)
        else:
            run = next(runs)
            yield [None if weights is None else as_pattern(weights) for weights in run.weights], run.failures


def refusal(finding: Finding) -> Failure:
    """A finding as the failure of a program that was not run."""
    return Failure(
        kind="refused",
        message=finding.message,
        code=finding.code,
        line=finding.line,
        column=finding.column,
        hint=finding.hint,
    )


def find_heads(program: Program, ranking: Ranking, floor: Floor, geometry: Geometry) -> list[Found]:
    """The heads of a ranking in the order of this program's IoU, best first."""
    own = next(k for k, other in enumerate(ranking.programs) if other.source == program.source)
    found = []
    for place, head in enumerate(geometry.head_ids()):
        column = ranking.iou[:, place]
        trivial, trivial_iou = floor.best(place)
        better = int((column > column[own]).sum())
        found.append(Found(head, float(column[own]), trivial, trivial_iou, better + 1, len(column)))
    return sorted(found, key=lambda row: -row.iou)


def _batches(sequences: Sequence[TokenSequence], programs: int) -> Iterator[tuple[range, Sequence[TokenSequence]]]:
    """Cut the sequences so that the predictions of all programs on one batch stay within bounds."""
    size = max(1, _PREDICTION_BYTES // (4 * max(1, programs) * packed_size(len(sequences[0].ids))))
    for start in range(0, len(sequences), size):
        batch = sequences[start : start + size]
        yield range(start, start + len(batch)), batch


def _over(work: Callable[[int], Result], places: Iterable[int]) -> list[Result]:
    """`work` at every place, on all cores: numpy leaves Python's lock while it computes."""
    with ThreadPoolExecutor(available_threads()) as pool:
        return list(pool.map(work, places))

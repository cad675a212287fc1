"""The memorisation guard: does the language model read what it is shown, or recite what it knows?

1. *Planted heads*: patterns of programs that were drawn by chance, which no text can tell of. The same prompts ask for
   them; the share that is found again is the recovery rate.
2. *Shuffled tokens*: the same patterns on texts whose tokens were shuffled. Whatever a head does with words cannot be
   seen there, only where it looks. A program from such a prompt that predicts the real texts as well as one from the
   real prompt was not read from them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np

from readhead.corpus import Corpus, TokenSequence
from readhead.errors import OllamaError, SandboxError
from readhead.heads import Geometry, HeadId
from readhead.library import Target, measure_floor, predict, score_pairs
from readhead.patterns import PatternStore
from readhead.program import Program, parse
from readhead.sandbox import Text
from readhead.synthesis.ollama.run import Desk, Drafted, Drafting
from readhead.synthesis.ollama.schedule import draft_programs

RECOVERED: Final = 0.9
"""A planted head is recovered from this IoU on."""
_RARE, _FREQUENT = 0.04, 0.6
"""Shares of tokens between which a class is worth planting."""
_KNOWN: Final = (
    "4.0 * s.previous(1) + 4.0 * s.first",
    "6.0 * s.last_induction + 3.0 * s.first",
)
"""Heads that every text about attention tells of."""
_RELATIONS: Final = (
    "s.previous(2)",
    "s.previous(3)",
    "s.word_start",
    "s.sentence_start",
    "s.clause_start",
    "s.last_punctuation",
    "s.last_name",
    "s.previous_word",
    "s.last_same_token",
    "s.first",
)
_CLASSES: Final = (
    "is_pronoun",
    "is_article",
    "is_preposition",
    "is_verb",
    "is_noun",
    "is_short",
    "is_long",
    "is_punctuation",
    "is_continuation",
    "is_function",
    "is_repeated",
    "is_most_common",
)


@dataclass(frozen=True)
class Control:
    """What the language model found for one head, and what it should have found."""

    head: HeadId
    truth: str
    """Of a planted head, its score; empty for a head of the model."""
    floor: float
    """Of the best trivial program; all figures are IoU on `dev`."""
    iou: float | None
    """Of the best program from the real prompt; None where there is none."""
    shuffled: float | None = None
    """Of the best program from the prompt with shuffled tokens, on the shuffled texts."""
    recited: float | None = None
    """Of that same program on the real texts."""

    @property
    def is_recovered(self) -> bool:
        """Of a planted head, whether it was found again."""
        return self.iou is not None and self.iou >= RECOVERED

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {name: getattr(self, name) for name in ("truth", "floor", "iou", "shuffled", "recited")}
        return {"head": str(self.head), **told}


@dataclass(frozen=True)
class Guard:
    """What came of the controls."""

    model: str
    """As Ollama names it."""
    planted: tuple[Control, ...]
    real: tuple[Control, ...]
    """Heads of the model, with and without shuffled tokens."""
    notes: tuple[str, ...]
    runs: tuple[Drafted, ...]

    @property
    def least(self) -> float:
        """IoU from which on a planted head counts as found."""
        return RECOVERED

    @property
    def recovery(self) -> float:
        """Share of the planted heads that were found again."""
        return fmean(control.is_recovered for control in self.planted)

    def as_dict(self) -> dict[str, Any]:
        """The document that `readhead guard --json` prints."""
        return {
            "model": self.model,
            "part": "dev",
            "recovered_from": RECOVERED,
            "recovery_rate": self.recovery,
            "planted": [control.as_dict() for control in self.planted],
            "heads": [control.as_dict() for control in self.real],
            "tokens": sum(run.tokens for run in self.runs),
            "notes": list(self.notes),
        }


def run_guard(desk: Desk, heads: Sequence[HeadId], wanted: Drafting, *, planted: int = 6) -> Guard:
    """Ask for planted heads, and for real ones with and without shuffled tokens.

    Args:
        desk: what it takes.
        heads: of the model, for the shuffled controls.
        wanted: how the language model is asked, the same for all; its seed also draws the planted heads.
        planted: how many heads to plant; two of them are well known.

    Raises:
        OllamaError: if the server cannot be asked, or fails on the way: what was answered is kept.
    """
    with tempfile.TemporaryDirectory(prefix="readhead-") as folder:
        truths = plant(desk.target.corpus, planted, wanted.seed)
        target = _planted(desk, truths, Path(folder) / "patterns.f16")
        ids = target.geometry.head_ids()
        found = _asked(replace(desk, target=target), ids, wanted)
        controls = [
            Control(head, truth, *_floor_and_best(desk, target, found, head))
            for head, truth in zip(ids, truths, strict=True)
        ]
    shuffled = replace(desk.target, corpus=shuffle(desk.target.corpus, wanted.seed))
    real_run = _asked(desk, heads, wanted)
    blind_run = _asked(replace(desk, target=shuffled), heads, wanted)
    real = []
    for head in heads:
        floor, best = _floor_and_best(desk, desk.target, real_run, head)
        blind = next(iter(blind_run.eligible(head)), None)
        reached = None if blind is None else _dev_iou(desk, shuffled, blind.program, head)
        recited = None if blind is None else _dev_iou(desk, desk.target, blind.program, head)
        real.append(Control(head, "", floor, best, reached, recited))
    runs = (found, real_run, blind_run)
    notes = tuple(note for run in runs for note in run.notes)
    return Guard(desk.settings.model, tuple(controls), tuple(real), notes, runs)


def plant(corpus: Corpus, count: int, seed: int) -> list[str]:
    """Scores of heads to plant: first the well-known ones, then others drawn by chance."""
    chance = np.random.default_rng(seed)
    classes = [name for name in _CLASSES if _RARE <= _share(corpus, name) <= _FREQUENT] or ["is_short"]
    drawn = list(_KNOWN[:count])
    while len(drawn) < count:
        looks, seen = chance.choice(classes, 2)
        here, there = chance.choice(_RELATIONS, 2, replace=False)
        one, other, third = chance.integers(3, 7, 3)
        drawn.append(
            f"{one}.0 * s.query.{looks} * {here} + {other}.0 * (1 - s.query.{looks}) * {there}"
            f" + {third - 2}.0 * s.key.{seen}"
        )
    return drawn


def shuffle(corpus: Corpus, seed: int) -> Corpus:
    """The same texts with their tokens in another order, special tokens in their places."""
    chance = np.random.default_rng(seed)

    def mixed(sequence: TokenSequence) -> TokenSequence:
        special = sequence.text.special
        free = [place for place in range(len(sequence.ids)) if place not in special]
        order = list(range(len(sequence.ids)))
        for place, other in zip(free, chance.permutation(free), strict=True):
            order[place] = int(other)
        surfaces = tuple(sequence.text.surfaces[place] for place in order)
        return TokenSequence(tuple(sequence.ids[place] for place in order), Text(surfaces, special))

    parts = {part: tuple(mixed(sequence) for sequence in corpus[part]) for part in corpus.parts}
    return Corpus(f"{corpus.name}, shuffled", corpus.length, parts, corpus.too_short, corpus.copies)


def _share(corpus: Corpus, name: str) -> float:
    from readhead.language import Sentence  # noqa: PLC0415 - only who plants heads reads texts here

    texts = (sequence.text for sequence in corpus["fit"][:8])
    return float(np.mean([getattr(Sentence(text.surfaces, text.special), name).mean() for text in texts]))


def _planted(desk: Desk, truths: Sequence[str], path: Path) -> Target:
    """Heads whose patterns are what those programs predict."""
    programs = [parse(f"def head(s):\n    return softmax({score})\n") for score in truths]
    corpus = desk.target.corpus
    predictions = []
    for packed, failures in predict(programs, corpus.all(), desk.sandbox):
        if failures:
            raise SandboxError(f"a planted head fails: {failures[0].message}", hint="this is a mistake in Readhead")
        predictions.append([each for each in packed if each is not None])
    np.array(predictions, np.float16).swapaxes(0, 1).tofile(path)
    store = PatternStore(path, len(corpus.all()), len(programs), corpus.length)
    return Target(
        "planted " + " ".join(program.fingerprint for program in programs), Geometry(1, len(programs)), corpus, store
    )


def _asked(desk: Desk, heads: Sequence[HeadId], wanted: Drafting) -> Drafted:
    run = draft_programs(desk, heads, wanted)
    if run.error is not None:
        raise OllamaError(str(run.error), hint=run.error.hint)
    return run


def _floor_and_best(desk: Desk, target: Target, run: Drafted, head: HeadId) -> tuple[float, float | None]:
    _, floor = measure_floor(target, "dev").best(target.geometry.index_of(head))
    best = next(iter(run.eligible(head)), None)
    return floor, None if best is None else _dev_iou(desk, target, best.program, head)


def _dev_iou(desk: Desk, target: Target, program: Program, head: HeadId) -> float:
    return score_pairs([(program, head)], target, desk.sandbox, part="dev")[0].iou

"""The memorisation guard: does the language model read what it is shown, or recite what it knows?

1. *Planted heads*: patterns of programs that no model has. Some are *known*, for every text about attention tells of
   them; the others are *drawn* by chance, and no text can tell of those. The same prompts ask for all; the share of
   the drawn ones that is found again is the recovery rate, and that of the known ones stands beside it. A head that
   was not asked for, since the budget was spent, counts for neither.
2. *Shuffled tokens*: the same patterns on texts whose tokens were shuffled. Whatever a head does with words cannot be
   seen there, only where it looks. Where a program from such a prompt predicts the real texts as well as one from the
   real prompt, where the head looks was enough, and the words added nothing. That is telling only of programs that
   speak of words: what looks one token back is read from shuffled texts as well.
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
_AS_GOOD: Final = 0.01
"""IoU that a program from shuffled tokens may lack, and be as good as one from the real prompt."""
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
    shuffled_on_real: float | None = None
    """Of that same program on the real texts."""
    is_asked: bool = True
    """Whether all was asked, and what was answered judged; else it tells nothing."""

    @property
    def is_known(self) -> bool:
        """Of a planted head, whether texts about attention tell of it."""
        return self.truth in _KNOWN

    @property
    def is_recovered(self) -> bool | None:
        """Of a planted head, whether it was found again; None where it was not asked for, or is the model's own."""
        if not self.truth or not self.is_asked:
            return None
        return self.iou is not None and self.iou >= RECOVERED

    @property
    def is_as_good_shuffled(self) -> bool:
        """Whether the words of the texts added nothing."""
        if not self.is_asked or self.iou is None or self.shuffled_on_real is None:
            return False
        return self.shuffled_on_real >= self.iou - _AS_GOOD

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {name: getattr(self, name) for name in ("truth", "floor", "iou", "shuffled", "shuffled_on_real")}
        return {"head": str(self.head), "asked": self.is_asked, "recovered": self.is_recovered, **told}


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
    def drawn(self) -> list[Control]:
        """The planted heads that were drawn by chance."""
        return [control for control in self.planted if not control.is_known]

    @property
    def known(self) -> list[Control]:
        """The planted heads that texts about attention tell of."""
        return [control for control in self.planted if control.is_known]

    @property
    def recovery(self) -> float | None:
        """Share of the drawn ones that were found again, of those that were asked for; None where none was."""
        return _found_again(self.drawn)

    @property
    def known_recovery(self) -> float | None:
        """The same of the known ones."""
        return _found_again(self.known)

    def as_dict(self) -> dict[str, Any]:
        """The document that `readhead guard --json` prints."""
        return {
            "model": self.model,
            "part": "dev",
            "recovered_from": RECOVERED,
            "recovery_rate": {"drawn": self.recovery, "known": self.known_recovery},
            "planted": [control.as_dict() | {"known": control.is_known} for control in self.planted],
            "heads": [control.as_dict() for control in self.real],
            "tokens": sum(run.tokens for run in self.runs),
            "notes": list(self.notes),
        }


def _found_again(planted: Sequence[Control]) -> float | None:
    told = [control.is_recovered for control in planted if control.is_recovered is not None]
    return fmean(told) if told else None


def run_guard(desk: Desk, heads: Sequence[HeadId], wanted: Drafting, *, planted: int = 6) -> Guard:
    """Ask for planted heads, and for real ones with and without shuffled tokens.

    Args:
        desk: what it takes.
        heads: of the model, for the shuffled controls.
        wanted: how the language model is asked, the same for all; its seed also draws the planted heads, and its
            budget is for all together.
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
            Control(head, truth, *_floor_and_best(desk, target, found, head), is_asked=_was_asked(found, head))
            for head, truth in zip(ids, truths, strict=True)
        ]
    shuffled = replace(desk.target, corpus=shuffle(desk.target.corpus, wanted.seed))
    real_run = _asked(desk, heads, _left(wanted, [found]))
    blind_run = _asked(replace(desk, target=shuffled), heads, _left(wanted, [found, real_run]))
    real = []
    for head in heads:
        floor, best = _floor_and_best(desk, desk.target, real_run, head)
        blind = next(iter(blind_run.eligible(head)), None)
        reached = None if blind is None else _dev_iou(desk, shuffled, blind.program, head)
        on_real = None if blind is None else _dev_iou(desk, desk.target, blind.program, head)
        asked = _was_asked(real_run, head) and _was_asked(blind_run, head)
        real.append(Control(head, "", floor, best, reached, on_real, asked))
    runs = (found, real_run, blind_run)
    notes = tuple(note for run in runs for note in run.notes)
    return Guard(desk.settings.model, tuple(controls), tuple(real), notes, runs)


def _left(wanted: Drafting, runs: Sequence[Drafted]) -> Drafting:
    """The same, with what those runs have left of the budget."""
    wanted = wanted.after(sum(run.seconds for run in runs))
    if wanted.token_limit is None:
        return wanted
    return replace(wanted, token_limit=max(1, wanted.token_limit - sum(run.tokens for run in runs)))


def _was_asked(run: Drafted, head: HeadId) -> bool:
    """Whether the language model had its say on a head: it answered, and the budget was enough to judge that."""
    if any(candidate.head == head for candidate in run.candidates):
        return True
    return not run.spent and any(exchange.about == head for exchange in run.exchanges)


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

"""A workspace in memory: heads with cards, programs and patterns, and a perplexity that depends on the switchboard.

Every figure comes from names alone, so it is the same in every run.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from readhead.engine.client import EngineError
from readhead.engine.results import Card, Impacted, Scored, Stamp, text_stamp
from readhead.heads import Geometry, HeadId
from readhead.patterns import Array
from readhead.program import CATEGORIES, parse

NEURAL_PERPLEXITY: Final = 9.0
TEXTS: Final = (
    "Once upon a time , there was a little girl named Lily . She loved to play with her red ball .",
    "The dog ran to the park , and the dog saw a big tree . The dog was happy .",
    "Tom and Sam went to the shop . Tom gave Sam a cake , and Sam said thank you .",
    "It was a sunny day . The cat sat on the mat and looked at the bird .",
)
"""Shorter than the corpus says, and fewer; they come again and again."""
NAMES: Final = ("induction", "previous", "first_token", "sentence_start", "same_word", "decay")
"""Of the library's programs; a head has some of them, in an order of its own."""


parsed = cache(parse)
"""Thousands of heads have the same few programs' texts, again and again."""


def chance(*names: object) -> random.Random:
    """Numbers that depend on these names only."""
    return random.Random(" ".join(map(str, names)))


def source_of(name: str, head: HeadId, number: int = 0) -> str:
    """The text of a program."""
    weight = chance(name, head, number).uniform(0.5, 4)
    return (
        f'"""Looks at what {name} says, for {head}."""\n\n'
        "from readhead.language import Sentence, softmax\n\n\n"
        "def head(s: Sentence):\n"
        f"    return softmax({weight:.2f} * s.previous(1) + {number + 1}.0 * s.first)\n"
    )


class FakeWorkspace:
    """What an engine would know of a workspace.

    Args:
        layers: of the model.
        heads: of each layer.
        dev: texts of the corpus.
    """

    def __init__(self, layers: int = 4, heads: int = 8, *, dev: int = 32) -> None:
        self.geometry = Geometry(layers, heads)
        self.dev = dev
        self.root = Path()
        self.model = "tiny-stories"
        self.is_ranked = True
        self.board: dict[str, str] = {}
        self.unfit: dict[str, str] = {}
        """Heads whose best programs may not stand in, and why."""
        self.written: dict[str, list[dict[str, Any]]] = {}
        """Programs that were written for heads, as candidates."""

    # ---- what is known -----------------------------------------------------------------------------------------------

    @property
    def programs(self) -> Path:
        """Folder of the user's own program files."""
        return self.root / "programs"

    def facts(self) -> dict[str, Any]:
        corpus = {"name": "bundled", "fit": 64, "dev": self.dev, "held_out": 32, "length": 24, "too_short": 0}
        return {
            "model": self.model,
            "layers": self.geometry.layers,
            "heads": self.geometry.heads,
            "corpus": {**corpus, "copies": 0},
            "isolation": "locked",
            "programs": str(self.programs),
        }

    def trivial_iou(self, head: HeadId) -> float:
        """Of the best trivial program; an inactive head looks at the first token only."""
        return 0.97 if self.is_inactive(head) else chance("trivial", head).uniform(0.1, 0.4)

    def is_inactive(self, head: HeadId) -> bool:
        return head.index % 7 == 6

    def cards(self) -> list[dict[str, Any]]:
        return [asdict(self._card(head)) for head in self.geometry.head_ids()]

    def _card(self, head: HeadId) -> Card:
        trivial, inactive = self.trivial_iou(head), self.is_inactive(head)
        mode = "program" if str(head) in self.board else "neural"
        card = Card(str(head), "first" if inactive else "uniform", trivial, inactive, mode=mode)
        if not self.is_ranked:
            return card
        found = self.candidates(str(head))
        others = [{name: row[name] for name in ("name", "path", "iou", "terms")} for row in found]
        best = found[0]
        facts = {name: best[name] for name in ("explanation", "category", "path")}
        return Card(
            card.head, card.trivial, trivial, inactive, best["name"], best["iou"], **facts, others=others, mode=mode,
            text=text_stamp(best["source"]),
        )  # fmt: skip

    def candidates(self, head: str, most: int = 12) -> list[dict[str, Any]]:
        wanted = HeadId.parse(head)
        rows = list(self.written.get(head, []))
        if self.is_ranked:
            names = chance("names", head).sample(NAMES, 3)
            rows += [self._row(wanted, name, number) for number, name in enumerate(names)]
        own = self.programs / f"{head}.py"
        if self.is_ranked and own.is_file():
            rows.append(self.row(wanted, own.read_text("utf-8"), "workspace", path=own, lift=0.4))
        return sorted(rows, key=lambda row: -row["iou"])[:most]

    def _row(self, head: HeadId, name: str, number: int) -> dict[str, Any]:
        path = Path(f"/library/{name}/{name}_{head.layer}.py")
        return self.row(head, source_of(name, head, number), "library", path=path, lift=0.3 - 0.1 * number)

    def row(
        self, head: HeadId, source: str, origin: str, *, path: Path | None = None, lift: float = 0.2
    ) -> dict[str, Any]:
        """A program as a candidate for a head."""
        program = parsed(source, name=path.stem if path else str(head), path=path)
        floor = self.trivial_iou(head)
        iou = min(0.99, floor + lift * chance("iou", head, source).random())
        return {
            "name": program.name,
            "path": str(path or ""),
            "origin": origin,
            "source": source,
            "explanation": program.explanation,
            "category": CATEGORIES[chance("category", head, source).randrange(len(CATEGORIES))],
            "terms": program.terms,
            "lines": program.lines,
            "iou": iou,
        }

    def scored(self, head: HeadId, source: str) -> dict[str, Any]:
        """A program on a head."""
        row = self.row(head, source, "workspace")
        stamp = asdict(Stamp("", self.model, "corpus", length=24))
        return asdict(Scored(
            head=str(head), stamp=stamp, iou=row["iou"], iou_without_first=None, jsd=0.1, trivial="uniform",
            trivial_iou=self.trivial_iou(head), inactive=self.is_inactive(head), coverage=1.0, sequences=self.dev,
            rank=2, of=9,
        ))  # fmt: skip

    def best_source(self, head: str) -> str:
        """The text of a head's best program."""
        source: str = self.candidates(head)[0]["source"]
        return source

    # ---- patterns ----------------------------------------------------------------------------------------------------

    def tokens_of(self, sequence: int) -> list[str]:
        """Of a text of `dev`."""
        return split(TEXTS[sequence % len(TEXTS)])

    def pattern(
        self, head: str, source: str = "", name: str = "program", sequence: int = 0, text: str = ""
    ) -> dict[str, Any]:
        """A head's pattern and a program's prediction on one text."""
        del name
        tokens = split(text) if text else self.tokens_of(sequence)
        place: dict[str, Any] = {} if text else {"sequence": sequence, "of": self.dev}
        return {
            "head": head,
            **place,
            "tokens": tokens,
            "pattern": matrix(len(tokens), head, text or sequence).round(4).tolist(),
            "prediction": matrix(len(tokens), head, source).round(4).tolist() if source else None,
        }

    def worst_texts(self, source: str, head: str, name: str = "program") -> list[dict[str, Any]]:
        del name
        found = [
            {"sequence": number, "iou": chance("worst", head, source, number).random(), "failed": False}
            for number in range(self.dev)
        ]
        return sorted(found, key=lambda row: float(str(row["iou"])))

    # ---- the switchboard ---------------------------------------------------------------------------------------------

    def switches(self) -> dict[str, Any]:
        digest = hashlib.sha256(json.dumps(self.board, sort_keys=True).encode()).hexdigest()[:16]
        return {"heads": dict(self.board), "fingerprint": digest if self.board else ""}

    def change(self, heads: dict[str, str | None]) -> None:
        """Heads with the texts that they get, or None for neural."""
        for head, source in heads.items():
            self.geometry.index_of(HeadId.parse(head))
            if source is None:
                self.board.pop(head, None)
            else:
                self.board[head] = source

    # ---- what it costs -----------------------------------------------------------------------------------------------

    def cost_percent(self, head: str) -> float:
        """What a program in the place of a head does to the perplexity."""
        return chance("cost", head).uniform(-0.5, 5)

    def estimates(self) -> list[dict[str, Any]]:
        """The perplexity of the current switchboard, from ever more texts."""
        counts = [count for count in (4, 16) if count < self.dev]
        return [self._impact(count) for count in (*counts, self.dev)]

    def _impact(self, sequences: int) -> dict[str, Any]:
        increase = sum(self.cost_percent(head) for head in self.board)
        width = 8.0 / sequences**0.5 if self.board else 0.0
        increase += 0.0 if sequences == self.dev else width / 4
        has_interval = sequences >= 16
        return asdict(Impacted(
            stamp=asdict(Stamp("", self.model, "corpus", length=24, board=self.switches()["fingerprint"])),
            perplexity=NEURAL_PERPLEXITY * (1 + increase / 100),
            neural_perplexity=NEURAL_PERPLEXITY,
            increase_percent=increase,
            low=increase - width if has_interval else None,
            high=increase + width if has_interval else None,
            preliminary=not has_interval,
            sequences=sequences,
            replaced=sorted(self.board),
        ))  # fmt: skip

    def control_percent(self, control: str, heads: int) -> float:
        """What a control on so many heads does to the perplexity."""
        return {"zero": 9.0, "uniform": 6.0, "first": 4.0, "mean": 5.0}[control] * heads

    def impacts(self) -> list[dict[str, Any]]:
        """What each head's best program does alone."""
        return [self._impact_alone(str(head)) for head in self.geometry.head_ids()]

    def _impact_alone(self, head: str) -> dict[str, Any]:
        refused = self.unfit.get(head, "")
        increase = self.cost_percent(head)
        figures = {"increase_percent": increase, "low": increase - 1, "high": increase + 1}
        best = self.candidates(head)[0]
        stamp = asdict(Stamp(text_stamp(best["source"]), self.model, "corpus", length=24))
        return {"head": head, "program": best["name"], "stamp": stamp, "refused": refused,
                **(dict.fromkeys(figures) if refused else figures)}  # fmt: skip

    def best_first(self) -> list[HeadId]:
        """The heads in the order of their best programs' IoU, the inactive ones last."""
        cards = {HeadId.parse(card["head"]): card["best_iou"] for card in self.cards()}
        return sorted(cards, key=lambda head: (self.is_inactive(head), -cards[head], head))

    def need_ranking(self) -> None:
        """As the engine refuses what waits for the ranking."""
        if not self.is_ranked:
            raise EngineError("RH100", "the programs are not ranked yet", "wait for the ranking")


def split(text: str) -> list[str]:
    """Words as tokens."""
    words = text.split()
    return [*words[:1], *(word if word in {",", "."} else f" {word}" for word in words[1:])]


def matrix(tokens: int, *names: object) -> Array:
    """A pattern `[n, n]`: rows sum to one, and no token looks ahead."""
    lots = chance("pattern", *names)
    shares = np.array([lots.random() + 0.05 for _ in range(4)])
    shares /= shares.sum()
    rows = np.arange(tokens)
    first, itself = np.zeros((tokens, tokens)), np.eye(tokens)
    first[:, 0] = 1
    before = np.eye(tokens)[np.maximum(rows - 1, 0)]
    even = np.tril(np.ones((tokens, tokens))) / (rows[:, None] + 1)
    mixed: Array = (shares[0] * first + shares[1] * before + shares[2] * even + shares[3] * itself).astype(np.float32)
    return mixed

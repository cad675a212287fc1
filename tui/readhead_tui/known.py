"""What the app knows of a workspace: plain values, filled by what the engine says. No Textual here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from readhead.engine import Card
from readhead.engine.results import text_stamp
from readhead.heads import Geometry, HeadId
from readhead.program import Program
from readhead_tui.watch import Broken, News


@dataclass(frozen=True)
class Candidate:
    """A program that could stand in for a head."""

    name: str
    source: str
    origin: str = ""
    """`library`, `workspace`, `symbolic` or `ollama`."""
    iou: float | None = None
    """On the head, on `dev`."""
    path: str = ""
    """Empty for a program without a file."""
    terms: int = 0
    lines: int = 0
    explanation: str = ""
    category: str = ""

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """From what the engine says."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__ if name in row})

    def of_program(self, program: Program) -> Self:
        """Another text in the same place, not scored yet."""
        return replace(
            self,
            source=program.source,
            iou=None,
            terms=program.terms,
            lines=program.lines,
            explanation=program.explanation,
            category=program.metadata.category,
        )


@dataclass(frozen=True)
class Alone:
    """What one program does to the perplexity in its head's place, all other heads neural."""

    text: str
    """Of the program, by `text_stamp`."""
    increase_percent: float | None
    """None where the program may not stand in for the head."""
    low: float | None = None
    high: float | None = None
    refused: str = ""
    """Why it may not."""

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """From what the engine says."""
        return cls(row["stamp"]["text"], *(row[name] for name in ("increase_percent", "low", "high", "refused")))


@dataclass
class Known:
    """One model in one workspace."""

    model: str = ""
    geometry: Geometry = field(default_factory=lambda: Geometry(0, 0))
    corpus: dict[str, Any] = field(default_factory=dict)
    isolation: str = ""
    programs: str = ""
    """Folder of the workspace's program files."""
    cards: dict[HeadId, Card] = field(default_factory=dict)
    ranked: bool = False
    """Whether the cards know the best programs."""
    board: dict[HeadId, str] = field(default_factory=dict)
    """Heads in program mode, each with its program's text."""
    board_stamp: str = ""
    pending: set[HeadId] = field(default_factory=set)
    """Heads whose flip is on its way."""
    impacts: dict[HeadId, Alone] = field(default_factory=dict)
    """What a program does to the perplexity in its head's place; see `impact`, which leaves older programs out."""
    stale: set[HeadId] = field(default_factory=set)
    """Heads whose best program's file has changed since it was ranked."""
    texts: dict[str, str] = field(default_factory=dict)
    """Of files that have changed, by path: the text's stamp as it was read last; empty where there is none."""
    broken: dict[str, Broken] = field(default_factory=dict)
    """Program files that cannot be ranked, or fail, by path."""
    chosen: dict[HeadId, Candidate] = field(default_factory=dict)
    """Programs that the user prefers to the best ones."""

    def learn(self, facts: Mapping[str, Any]) -> bool:
        """The model and the corpus; whether they are others than before."""
        geometry = Geometry(int(facts["layers"]), int(facts["heads"]))
        changed = (facts["model"], geometry, facts["corpus"]) != (self.model, self.geometry, self.corpus)
        self.model, self.geometry, self.corpus = str(facts["model"]), geometry, dict(facts["corpus"])
        self.isolation, self.programs = str(facts["isolation"]), str(facts["programs"])
        if changed:
            self.cards, self.ranked, self.impacts, self.chosen, self.stale = {}, False, {}, {}, set()
        return changed

    def learn_cards(self, cards: Iterable[Mapping[str, Any]]) -> None:
        """What is known of every head."""
        read = {HeadId.parse(card["head"]): Card.read(dict(card)) for card in cards}
        self.cards = read
        self.stale = {head for head, card in read.items() if self._is_older(card)}
        self.ranked = any(card.best for card in read.values())

    def _is_older(self, card: Card) -> bool:
        """Whether a card tells of a text that its file has no more: files may change while programs are ranked."""
        return bool(card.text) and self.texts.get(card.path, card.text) != card.text

    def learn_files(self, news: News) -> None:
        """What has changed in the folder of programs; heads whose best program that was are stale."""
        owners = {
            path: frozenset(head for head, card in self.cards.items() if card.path == path) for path in news.files
        }
        self.stale |= frozenset().union(*owners.values())
        self.texts |= dict.fromkeys(news.files, "")
        self.texts |= {path: text_stamp(program.source) for path, program in news.programs.items()}
        for path in news.files:
            before = self.broken.pop(path, None)
            if before is not None and path in news.broken:
                owners[path] |= before.heads
        for path, broken in news.broken.items():
            self.broken[path] = replace(broken, heads=broken.heads | owners.get(path, frozenset()))
        for head, candidate in list(self.chosen.items()):
            if candidate.path in news.programs:
                if news.programs[candidate.path].source != candidate.source:
                    self.chosen[head] = candidate.of_program(news.programs[candidate.path])
            elif candidate.path in news.files - news.broken.keys():
                del self.chosen[head]

    def problem(self, head: HeadId) -> Broken | None:
        """A broken file that is a program of this head, if there is one."""
        return next((broken for broken in self.broken.values() if head in broken.heads), None)

    def learn_board(self, heads: Mapping[str, str], stamp: str) -> set[HeadId]:
        """The current switchboard; the heads that changed."""
        board = {HeadId.parse(head): source for head, source in heads.items()}
        changed = {head for head in board.keys() | self.board.keys() if board.get(head) != self.board.get(head)}
        self.board, self.board_stamp = board, stamp
        self.pending -= changed
        return changed

    def card(self, head: HeadId) -> Card:
        """What is known of a head; an empty card while nothing is."""
        return self.cards.get(head) or Card(str(head), "", 0.0, inactive=False)

    def mode(self, head: HeadId) -> str:
        """`program` or `neural`."""
        return "program" if head in self.board else "neural"

    def runs_other(self, head: HeadId) -> bool:
        """Whether the head is in program mode with another text than its best program's."""
        return head in self.board and text_stamp(self.board[head]) != self.card(head).text

    def is_best_on(self, heads: Iterable[HeadId]) -> bool:
        """Whether exactly these heads are in program mode, each with its best program."""
        return set(heads) == self.board.keys() and not any(map(self.runs_other, self.board))

    def iou(self, head: HeadId) -> float | None:
        """Of its best program."""
        return self.card(head).best_iou

    def lift(self, head: HeadId) -> float | None:
        """IoU of its best program over that of the best trivial one."""
        card = self.card(head)
        return None if card.best_iou is None else card.best_iou - card.trivial_iou

    def impact(self, head: HeadId) -> Alone | None:
        """What its best program alone does to the perplexity; None where that is not measured."""
        alone = self.impacts.get(head)
        return alone if alone is not None and alone.text == self.card(head).text else None

    def best(self, count: int) -> list[HeadId]:
        """The heads whose best programs have the highest IoU; inactive ones, which need no explanation, come last."""
        known = [head for head in self.cards if self.iou(head) is not None]
        return sorted(known, key=lambda head: (self.card(head).inactive, -(self.iou(head) or 0.0), head))[:count]


def counted(number: int, noun: str) -> str:
    """`1 head`, `2 heads`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"

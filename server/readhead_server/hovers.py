"""Hovers: what a name of the language means and does, and what is known of the program's heads.

A hover never waits long: what the engine does not tell at once is left out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lsprotocol import types as lsp

from readhead.engine import Card, Engine, EngineGoneError, Scored
from readhead.engine.client import EngineError
from readhead.heads import HeadId
from readhead.program import metadata_block
from readhead_server.annotations import Annotations
from readhead_server.documents import Document
from readhead_server.examples import ExampleText, example
from readhead_server.names import Named, named_at, sentence_name

PATIENCE_S = 0.5
"""For the engine's part of a hover."""
_HEAD = re.compile(r"\b[Ll]\d+[Hh]\d+\b")
_SPECIAL = re.compile(r"<[^<>\s]+>|\[[A-Z]+\]")


@dataclass(frozen=True)
class Subject:
    """What is pointed at: a name of the language, or heads."""

    range: lsp.Range
    named: Named | None = None
    heads: Sequence[str] = field(default=())


def subject_at(document: Document, position: lsp.Position) -> Subject | None:
    """What stands at a position: a name, a head in the metadata, or the docstring, which is about all heads."""
    offset = document.lines.offset(position)
    named = named_at(document, offset)
    if named is not None:
        start, end = (document.lines.of_bytes(place) for place in (named.start, named.end))
        return Subject(document.lines.range(start, end), named)
    block = metadata_block(document.source)
    if block is not None and block.start() <= offset <= block.end():
        return _head_at(document, offset)
    span = document.docstring_span
    if span is not None and span[0] <= offset <= span[1]:
        return Subject(document.lines.range(document.lines.at(span[0]), document.lines.at(span[1])),
                       heads=tuple(document.heads))  # fmt: skip
    return None


def _head_at(document: Document, offset: int) -> Subject | None:
    row, _ = document.lines.at(offset)
    begin = document.source.rfind("\n", 0, offset) + 1
    for match in _HEAD.finditer(document.lines.lines[row]):
        if match.start() <= offset - begin <= match.end():
            place = document.lines.range((row, match.start()), (row, match.end()))
            return Subject(place, heads=(str(HeadId.parse(match[0])),))
    return None


# ---- a name ----------------------------------------------------------------------------------------------------------


def name_hover(document: Document, subject: Subject, text: ExampleText | None = None) -> lsp.Hover | None:
    """Meaning, shape on this side, and an example."""
    named = subject.named
    if named is None:
        return None
    written = named.written.replace("s.", f"{sentence_name(document.source)}.", 1)
    title, lines = example(named, text)
    parts = [f"```python\n{written}  # {named.shape}\n```", about(named)]
    if lines:
        parts.append(f"{title}:\n\n{_fenced(lines)}")
    return _hover("\n\n".join(parts), subject)


def about(named: Named) -> str:
    """The meaning, and what the side makes of it."""
    return f"{named.term.meaning}\n\n*{_SIDES[named.side]}*" if named.term.kind == "feature" else named.term.meaning


_SIDES = {
    "": "One number a token, for loops and for `s.last(…)`; in a sum, write the side: `s.key` or `s.query`.",
    "key": "Of the token that is looked at.",
    "query": "Of the token that looks.",
    "word": "Of the whole word of the token that is looked at, as far as the query has read it.",
}


def _fenced(lines: str) -> str:
    longest = max((len(run) for run in re.findall("`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{lines}\n{fence}"


async def worst_text(engine: Engine, annotations: Annotations) -> ExampleText | None:
    """The text that holds the document's worst row, where the engine tells it at once."""
    for head, score in annotations.scores.items():
        if score.mistakes:
            number = score.mistakes[0]["sequence"]
            found = await _asked(engine, "pattern", head=head, sequence=number)
            if found is not None:
                return text_of(found["tokens"], f"In dev text {number}, on which the program is worst for {head}")
    return None


def text_of(surfaces: Sequence[str], title: str) -> ExampleText:
    """A text of the corpus; what begins it may be a special token."""
    begins = bool(surfaces) and _SPECIAL.fullmatch(surfaces[0]) is not None
    return ExampleText(tuple(surfaces), frozenset({0} if begins else ()), title)


# ---- heads -----------------------------------------------------------------------------------------------------------


def heads_hover(
    document: Document, annotations: Annotations, subject: Subject, cards: Mapping[str, Card]
) -> lsp.Hover | None:
    """A card for each head: the program's score over its floor, and the best programs that are known."""
    shown = [_card(document, annotations, head, cards.get(head)) for head in subject.heads]
    if not shown:
        return None
    category = f"Category: {document.program.metadata.category}\n\n" if document.program.metadata.heads else ""
    return _hover(category + "\n\n---\n\n".join(shown), subject)


def _card(document: Document, annotations: Annotations, head: str, card: Card | None) -> str:
    score = annotations.scores.get(head)
    lines = []
    if score is not None:
        stale = "" if annotations.is_current(document) else " (stale: of an earlier text)"
        over = f"{score.lift:+.3f} over {score.trivial} ({score.trivial_iou:.3f})"
        lines.append(f"**{head}**: IoU {score.iou:.3f}{stale}, {over}; dev, {score.stamp.get('length', '?')} tokens")
        lines += _details(score)
    elif card is not None:
        lines.append(f"**{head}**: not measured; the floor is {card.trivial} ({card.trivial_iou:.3f})")
    else:
        lines.append(f"**{head}**: not measured")
    inactive = score.inactive if score is not None else card is not None and card.inactive
    if inactive:
        lines.append("inactive: it keeps 0.9 or more of its weight on the first token")
    impact, current = annotations.impact(document, head)
    if head in annotations.refused:
        lines.append(f"may not stand in for the head: {annotations.refused[head]}")
    elif impact is not None:
        between = "" if impact.low is None else f" [{impact.low:.1f}, {impact.high:.1f}]"
        stale = "" if current else " (stale)"
        lines.append(f"in its place perplexity {impact.increase_percent:+.1f} %{between}{stale}")
    return "  \n".join(lines) + (_best(card) if card is not None and card.others else "")


def _details(score: Scored) -> list[str]:
    details = [] if score.iou_without_first is None else [f"without the first token {score.iou_without_first:.3f}"]
    details.append(f"Jensen–Shannon distance {score.jsd:.3f}")
    if score.coverage < 1:
        details.append(f"coverage {score.coverage:.0%}")
    if score.rank is not None:
        details.append(f"rank {score.rank} of {score.of}")
    ahead = [f"looks ahead: {score.look_ahead}"] if score.look_ahead else []
    return [", ".join(details), *ahead]


def _best(card: Card) -> str:
    rows = [f"| {each['name']} | {each['iou']:.3f} | {each.get('terms', '')} |" for each in card.others]
    return f"\n\nBest programs: *{card.explanation}*\n\n| program | IoU | terms |\n|---|---|---|\n" + "\n".join(rows)


async def cards(engine: Engine) -> dict[str, Card]:
    """What is known of all heads, where the engine tells it at once."""
    found = await _asked(engine, "cards")
    return {row["head"]: Card.read(row) for row in found or []}


async def _asked(engine: Engine, method: str, **given: Any) -> Any:  # noqa: ANN401 - JSON
    if engine.state != "ready":
        return None
    try:
        return await asyncio.wait_for(engine.call(method, **given), PATIENCE_S)
    except (TimeoutError, EngineError, EngineGoneError):
        return None


def _hover(text: str, subject: Subject) -> lsp.Hover:
    return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text), subject.range)


async def hover(
    document: Document, annotations: Annotations, engine: Engine, position: lsp.Position
) -> lsp.Hover | None:
    """For whatever stands at a position."""
    subject = subject_at(document, position)
    if subject is None:
        return None
    if subject.named is not None:
        return name_hover(document, subject, await worst_text(engine, annotations))
    return heads_hover(document, annotations, subject, await cards(engine))

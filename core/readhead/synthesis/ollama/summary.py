"""What a language model gets to see of a head: numbers and examples from `fit` texts, within a number of tokens.

1. Where the weight goes: on the first token, the token itself, the one before, and by distance.
2. What is to be beaten: the best trivial program, and the best program there is.
3. Keys that get more weight than their distance explains.
4. The most salient weights, token → token, in four strata from high to low.
5. Rows of whole texts, so that the context can be seen.

Nothing of it names the model, its layers or its heads: a language model may have read about those.

Source: arXiv 2606.19317 shows the 2.5 % most salient weights in strata; the rest is ours.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from readhead.heads import HeadId
from readhead.library import Target, measure_floor
from readhead.patterns import Array, unpack
from readhead.program import without_metadata
from readhead.strips import quoted, targets

STRATA = ("high", "upper middle", "lower middle", "low")
SALIENT = 0.025
"""Share of the weights, by size, that the strata are taken from."""
_READ = 24
"""Texts that are looked into."""
_SHOWN = 3
"""Texts whose rows are shown."""
_OFTEN = 4
"""How often a key has to occur to be told of."""
_HEAD = re.compile(r"(?i)(?<![a-z0-9])l\d+[ .]?h\d+(?![0-9])|(?<=\blayer )\d+|(?<=\bhead )\d+")
_BANDS = ((0, 0), (1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64), (65, 1 << 20))


@dataclass(frozen=True)
class Rival:
    """A program that is to be beaten."""

    source: str
    iou: float
    """On `fit`."""


def summarise(target: Target, head: HeadId, fits: Callable[[str], bool], *, rival: Rival | None = None) -> str:
    """The summary of a head.

    Args:
        target: whose `fit` texts are shown.
        head: which.
        fits: whether a text is short enough; called with ever longer ones, and True for the shortest.
        rival: the best program there is.
    """
    row = target.geometry.index_of(head)
    texts = [sequence.text.surfaces for sequence in target.corpus["fit"][:_READ]]
    length = target.store.length
    patterns = unpack(np.stack([target.store.read(place, row) for place in target.places("fit")[: len(texts)]]), length)
    trivial, floor = measure_floor(target, "fit").best(row)
    head_lines = [
        f"{len(texts)} texts of {length} tokens were read. A token's leading space belongs to it.",
        *_shares(patterns),
        f"The best trivial rule, '{trivial}', has IoU {floor:.2f} (share of the weight that is right, 0 to 1).",
        *(_rival_lines(rival) if rival else ()),
    ]
    sections = [
        _Section("Keys with more weight than their distance explains (times as much):", _lifts(texts, patterns)),
        *(
            _Section(f"Salient weights, {name}: query → key", lines)
            for name, lines in zip(STRATA, _strata(texts, patterns), strict=True)
        ),
        *(
            _Section(f"Text {number + 1}: {''.join(tokens).strip()!r}\nrows: query: keys", _rows(tokens, pattern))
            for number, (tokens, pattern) in enumerate(zip(texts[:_SHOWN], patterns[:_SHOWN], strict=True))
        ),
    ]
    return _filled(head_lines, sections, fits)


class _Section:
    """A title with lines, the most telling ones first."""

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        self.title = title
        self.lines = lines
        self.shown = 0

    def __str__(self) -> str:
        return "\n".join(["", self.title, *self.lines[: self.shown]]) if self.shown else ""


def _filled(beginning: Sequence[str], sections: Sequence[_Section], fits: Callable[[str], bool]) -> str:
    """Sections grow by a line each, in turn, while the whole fits."""

    def whole() -> str:
        return "\n".join([*beginning, *(str(section) for section in sections if section.shown)])

    open_ones = list(sections)
    while open_ones:
        for section in list(open_ones):
            section.shown += 1
            if section.shown > len(section.lines) or not fits(whole()):
                section.shown -= 1
                open_ones.remove(section)
    return whole()


def _rival_lines(rival: Rival) -> Iterator[str]:
    yield f"The best program so far has IoU {rival.iou:.2f}; beat it, or say the same more simply:"
    yield f"```python\n{unnamed(rival.source)}\n```"


def unnamed(source: str, model: str = "") -> str:
    """A program's text as a prompt shows it: without its metadata, and with "it" for heads and for the model.

    Args:
        source: the text.
        model: the model's name, which is taken out in capitals and small letters, and without its folder too.
    """
    bare = _HEAD.sub("it", without_metadata(source))
    for name in filter(None, (model, model.rstrip("/").rpartition("/")[2])):
        bare = re.sub(rf"(?i)(?<![\w.]){re.escape(name)}(?!\w)", "it", bare)
    return bare


def _shares(patterns: Array) -> Iterator[str]:
    rows = patterns[:, 1:]
    first = float(rows[:, :, 0].mean())
    itself = float(np.diagonal(patterns, axis1=1, axis2=2)[:, 1:].mean())
    before = float(np.diagonal(patterns, offset=-1, axis1=1, axis2=2).mean())
    yield f"Mean weight: first token {first:.2f}, the token itself {itself:.2f}, the token before {before:.2f}."
    length = patterns.shape[-1]
    distance = np.arange(length)[:, None] - np.arange(length)[None]
    rest = patterns * (np.arange(length) > 0)  # the first token is told already
    shares = (
        (
            low,
            min(high, length - 1),
            float(rest[:, 1:][:, (distance[1:] >= low) & (distance[1:] <= high)].sum() / rows[:, :, 0].size),
        )
        for low, high in _BANDS
        if low < length
    )
    told = (f"{low}{f'-{high}' if high > low else ''}: {share:.2f}" for low, high, share in shares)
    yield f"By distance in tokens, the first token left out: {'; '.join(told)}."


def _lifts(texts: Sequence[Sequence[str]], patterns: Array) -> list[str]:
    """Keys by how many times the weight they get that their distance alone would give them."""
    length = patterns.shape[-1]
    by_distance = np.array([np.diagonal(patterns, -back, axis1=1, axis2=2)[:, 1:].mean() if back < length - 1 else 0.0
                            for back in range(length)])  # fmt: skip
    got: dict[str, float] = defaultdict(float)
    due: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    received = patterns.sum(axis=1)
    for tokens, column in zip(texts, received, strict=True):
        for key in range(1, length):
            got[tokens[key]] += float(column[key])
            due[tokens[key]] += float(by_distance[: length - key].sum())
            count[tokens[key]] += 1
    often = [token for token in got if count[token] >= _OFTEN and due[token] > 0]
    ranked = sorted(often, key=lambda token: (-got[token] / due[token] * min(1.0, got[token]), token))
    return [f"{quoted(token)} {got[token] / due[token]:.1f}" for token in ranked]


def _strata(texts: Sequence[Sequence[str]], patterns: Array) -> list[list[str]]:
    """Salient weights off the first token, in four strata of equal size, spread over texts and tokens."""
    length = patterns.shape[-1]
    seen = np.tri(length, dtype=bool)
    seen[:, 0] = seen[0] = False
    text, query, key = np.nonzero(np.broadcast_to(seen, patterns.shape))
    weights = patterns[text, query, key]
    order = np.argsort(-weights, kind="stable")[: max(len(STRATA), int(SALIENT * len(weights)))]
    strata = []
    for part in np.array_split(order, len(STRATA)):
        lines: dict[str, str] = {}
        for place in part[_spread(len(part))]:
            tokens = texts[text[place]]
            looks, seen_key = int(query[place]), int(key[place])
            pair = f"{quoted(tokens[looks])} → {quoted(tokens[seen_key])}"
            lines.setdefault(pair, f"{pair} {weights[place]:.2f} ({looks - seen_key} back)")
        strata.append(list(lines.values()))
    return strata


def _spread(count: int) -> list[int]:
    """0 to count - 1, in an order of which every beginning is spread evenly: the first few stand for all."""
    stride = next((step for step in (89, 61, 37, 23, 13, 7, 5, 3) if step < count and count % step), 1)
    return [place * stride % count for place in range(count)]


def _rows(tokens: Sequence[str], pattern: Array) -> list[str]:
    """Rows of one text, those with most weight off the first token first."""
    off = 1 - pattern[:, 0]
    order = sorted(range(1, len(tokens)), key=lambda query: (-float(pattern[query, 1:].max() * off[query]), query))
    return [f"{query} {quoted(tokens[query])}: {targets(tokens, pattern[query], query)}" for query in order]

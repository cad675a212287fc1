"""What a name of the language gives on a text: an example for its hover. Nothing of the program runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from readhead.language import Sentence, Term, normalize, softmax
from readhead_server.names import TERMS, Named

if TYPE_CHECKING:
    from readhead.language import Array

_WIDTH = 72
"""Characters of a line of an example."""
_SHOWN = 6
"""Numbers that are listed, where they are no plain yes and no."""
_LARGEST = 1e6
_MARK, _QUERY = "^", "q"
_FEATURE = re.compile(r"\w+\.(\w+)")
_VISIBLE = str.maketrans({"\n": "⏎", "\r": "⏎", "\t": "⇥"})


@dataclass(frozen=True)
class ExampleText:
    """A text to show a name on."""

    surfaces: tuple[str, ...]
    """Its tokens, each with the space before it."""
    special: frozenset[int] = frozenset({0})
    title: str = "For example"


BUILT_IN = (
    ExampleText(
        ("<s>", "Lil", "y", " said", ",", ' "', "The", " red", " ball", " is", " mine", ".", '"', "\n",
         "Then", " she", " took", " the", " red", " ball", ".")
    ),
    ExampleText(
        ("<s>", "But", " why", " didn", "'", "t", " he", " (", "Tom", "-", "my", ")", " give", " them", " two",
         " wonder", "ful", " cakes", " for", " 3", "?", " Look", ":", " no", "!", "'")
    ),
)  # fmt: skip
"""Every feature holds somewhere in them."""
_NOWHERE = "It holds nowhere in this text."


def example(named: Named, text: ExampleText | None = None) -> tuple[str, str]:
    """A title, and lines of plain text; a text in which the name holds nowhere gives way to a built-in one."""
    texts = [*([text] if text is not None and text.surfaces else []), *BUILT_IN]
    shown = [(each.title, _shown_on(named, each)) for each in texts]
    return next(((title, lines) for title, lines in shown if lines != _NOWHERE), shown[0])


def _shown_on(named: Named, text: ExampleText) -> str:
    sentence = Sentence(text.surfaces, text.special)
    if named.term.kind == "feature":
        return _feature(named, sentence, text)
    if named.term.kind == "relation":
        return _relation(named, sentence, text)
    if named.term.kind == "function":
        return _function(named.term, sentence, text)
    return _value(named.term, sentence)


def _feature(named: Named, sentence: Sentence, text: ExampleText) -> str:
    name = _bare(named.term)
    owner = getattr(sentence, named.side) if named.side == "word" else sentence
    values = getattr(owner, name)
    if callable(values):
        values = values(_tokens(named.argument) or {text.surfaces[-1]})
    if named.side == "word":  # what the last query knows of each word
        values = values[-1]
    if set(values.tolist()) <= {0.0, 1.0}:
        hits = [place for place, value in enumerate(values) if value]
        return _marked(text.surfaces, dict.fromkeys(hits, _MARK)) if hits else _NOWHERE
    return _listed(text.surfaces, values, range(len(values)))


def _relation(named: Named, sentence: Sentence, text: ExampleText) -> str:
    matrix = _matrix(named, sentence)
    query = _telling_query(matrix)
    if query is None:
        return _NOWHERE
    row = matrix[query]
    if set(row.tolist()) <= {0.0, 1.0}:
        marks = dict.fromkeys((place for place, value in enumerate(row) if value), _MARK)
        sign = "" if query in marks else f" ({_QUERY})"
        return (
            f"The query is {_shown(text.surfaces[query])!r}{sign}.\n{_marked(text.surfaces, {query: _QUERY} | marks)}"
        )
    listed = _listed(text.surfaces, row, range(max(query + 1 - _SHOWN, 0), query + 1))
    return f"The query is {_shown(text.surfaces[query])!r}.\n{listed}"


def _matrix(named: Named, sentence: Sentence) -> Array:
    found = getattr(sentence, _bare(named.term))
    if not callable(found):
        return np.asarray(found, np.float32)
    call: Callable[[Any], Array] = found
    if named.term.name.endswith("(x)"):
        match = _FEATURE.fullmatch(named.argument)
        known = TERMS.get(match[1]) if match else None
        is_feature = known is not None and known.kind == "feature" and "(" not in known.name
        return call(getattr(sentence, _bare(known) if known is not None and is_feature else "is_noun"))
    return call(_number(named.argument, whole=_bare(named.term) != "decay"))


def _number(argument: str, *, whole: bool) -> float:
    """A count as it is written; 2 where it cannot be told."""
    try:
        value = ast.literal_eval(argument.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return 2
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST
    return value if is_number and (not whole or value == int(value)) else 2


def _tokens(argument: str) -> set[str]:
    try:
        value = ast.literal_eval(argument.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return set()
    return {item for item in value if isinstance(item, str)} if isinstance(value, set | list | tuple) else set()


def _telling_query(matrix: Array) -> int | None:
    """The last row that looks at more than its own token and not at all keys alike; else the last that looks."""
    looks = [row for row in range(len(matrix)) if matrix[row].any()]
    away = [row for row in looks if matrix[row, :row].any()]
    return next(reversed(away or looks), None)


def _function(term: Term, sentence: Sentence, text: ExampleText) -> str:
    function = {"softmax": softmax, "normalize": normalize}[_bare(term)]
    scores = 2.0 * sentence.previous(1) + sentence.itself
    last = sentence.n - 1
    listed = _listed(text.surfaces, function(scores)[last], range(max(last + 1 - _SHOWN, 0), last + 1))
    written = f"{_bare(term)}(2.0 * s.previous(1) + s.itself)"
    return f"{written}, the row of {_shown(text.surfaces[last])!r}:\n{listed}"


def _value(term: Term, sentence: Sentence) -> str:
    name = _bare(term)
    if name == "n":
        return f"s.n is {sentence.n}"
    if name in {"tokens", "words"}:
        values = getattr(sentence, name)
        more = ", …" if len(values) > _SHOWN else ""
        return f"s.{name} is ({', '.join(repr(value) for value in values[:_SHOWN])}{more})"
    return ""


def _bare(term: Term) -> str:
    return term.name.removeprefix("s.").split("(", maxsplit=1)[0]


def _shown(surface: str) -> str:
    return surface.strip(" ").translate(_VISIBLE) or surface.translate(_VISIBLE)


def _listed(surfaces: Sequence[str], values: Array, places: Sequence[int]) -> str:
    """Tokens with their numbers."""
    width = max(len(_shown(surfaces[place])) for place in places)
    shown = [place for place in places if place < len(surfaces)][-2 * _SHOWN :]
    return "\n".join(f"{_shown(surfaces[place]):<{width}}  {values[place]:.3g}" for place in shown)


def _marked(surfaces: Sequence[str], marks: dict[int, str]) -> str:
    """The text with a mark under each character of a token that has one; lines without a mark are left out."""
    rows: list[tuple[str, str]] = []
    text, below = "", ""
    for place, surface in enumerate(surfaces):
        shown = surface.translate(_VISIBLE)
        if text and len(text) + len(shown) > _WIDTH:
            rows.append((text, below))
            text, below = "", ""
        blank = len(shown) - len(shown.lstrip(" "))
        mark = marks.get(place, " ")
        text += shown
        below += (" " * blank + mark * (len(shown) - blank)) if len(shown) > blank else mark * len(shown)
    rows.append((text, below))
    lines = []
    for line, under in rows:
        if under.strip():
            lines += [line, under.rstrip()]
    return "\n".join(lines)

"""Terms to the text of a program: one term a line with a comment in words, and its token sets in full above."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Final

from readhead.corpus import TokenSequence
from readhead.heads import HeadId
from readhead.language import Sentence
from readhead.program import Category
from readhead.synthesis import phrases
from readhead.synthesis.basis import CLASSES, EVERY, Side, Term, TokenClass, TokenSet, distinct_sets

_WIDTH: Final = 120
_QUOTES: Final = '"""'
_HOW_TO_READ: Final = (
    "    # Scores add up; each point makes a token weigh 2.7 times as much. Products count where all factors do.",
)
_SHOWN: Final = 3
"""Members of a set that the explanation shows."""
_TOLD: Final = 4
"""Terms that the first line tells."""
_MOST: Final = 0.8
_MANY: Final = 0.6
"""Share of a set's members that must be of a kind for the set to be named after it, or to be named mostly so."""


def rounded(weight: float) -> float:
    """To two digits."""
    return float(f"{weight:.2g}")


class SetNames:
    """Names for token sets, after the class that most of their members belong to."""

    def __init__(self, sequences: Iterable[TokenSequence]) -> None:
        seen: dict[str, list[int]] = {}
        for sequence in sequences:
            sentence = Sentence(sequence.text.surfaces, sequence.text.special)
            members = [kind.of(sentence) > 0 for kind in CLASSES]
            for place, surface in enumerate(sequence.text.surfaces):
                counts = seen.setdefault(surface, [0] * (len(CLASSES) + 1))
                counts[-1] += 1
                for number, listed in enumerate(members):
                    counts[number] += int(listed[place])
        self._share = {token: [count / counts[-1] for count in counts[:-1]] for token, counts in seen.items()}
        everyone = list(self._share.values())
        self._usual = [sum(column) / len(everyone) for column in zip(*everyone, strict=True)]

    def of(self, sets: Sequence[TokenSet]) -> dict[Side, str]:
        """A distinct name for each set."""
        names: dict[Side, str] = {}
        taken: dict[str, int] = {}
        for item in sets:
            name = self._name(item)
            taken[name] = taken.get(name, 0) + 1
            names[item] = name if taken[name] == 1 else f"{name}_{taken[name]}"
        return names

    def _name(self, item: TokenSet) -> str:
        shares = [self._share[token] for token in item.tokens if token in self._share]
        best, lift = "", 0.0
        for number, kind in enumerate(CLASSES):
            share = sum(row[number] for row in shares) / max(1, len(shares))
            if share >= _MANY and share - self._usual[number] > lift:
                best, lift = _plural(kind, share), share - self._usual[number]
        return best or "LISTED"


def _plural(kind: TokenClass, share: float) -> str:
    name = _SHORT.get(kind.feature, kind.feature.removeprefix("is_").upper() + "S")
    return name if share >= _MOST else f"MOSTLY_{name}"


_SHORT: Final = {
    "is_special": "SPECIAL",
    "is_text": "WORDS",
    "is_word_start": "WORD_STARTS",
    "is_continuation": "WORD_PIECES",
    "is_capital": "CAPITALS",
    "is_short": "SHORT_WORDS",
    "is_long": "LONG_WORDS",
    "is_punctuation": "MARKS",
    "is_dash": "DASHES",
    "in_quotes": "QUOTED",
    "starts_sentence": "SENTENCE_STARTS",
    "starts_clause": "CLAUSE_STARTS",
    "is_auxiliary": "AUXILIARIES",
    "is_content": "CONTENT_WORDS",
    "is_function": "FUNCTION_WORDS",
    "is_most_common": "MOST_COMMON_WORDS",
    "is_common": "COMMON_WORDS",
    "is_rare": "RARE_WORDS",
    "is_repeated": "REPEATED",
}


def render(
    heads: Sequence[HeadId],
    terms: Sequence[Term],
    weights: Sequence[float],
    importance: Sequence[float],
    names: Mapping[Side, str],
    *,
    short: bool = True,
) -> str:
    """The text of a program.

    Args:
        heads: what it was written for.
        terms: the summands of its score.
        weights: of each term; rounded here.
        importance: of each term, at least 0: what is lost without it.
        names: of the token sets.
        short: whether the terms predict the head well; if not, the first line says so.
    """
    order = sorted(range(len(terms)), key=lambda place: -importance[place])
    listed = [(terms[place], rounded(weights[place])) for place in order if rounded(weights[place])]
    told = [_such_as(phrases.clause(term, weight, names), names) for term, weight in listed[:_TOLD]]
    kind: Category = phrases.category([terms[place] for place in order], [importance[place] for place in order])
    sets = distinct_sets([term for term, _ in listed])
    imports = "Sentence, softmax" if listed else "Sentence"
    metadata = f"# heads = {json.dumps([str(head) for head in heads])}\n# category = {json.dumps(kind)}"
    parts = [
        _docstring(told or ["looks at all tokens so far alike"], short=short),
        f"# /// script\n# [tool.readhead]\n{metadata}\n# ///",
        f"from readhead.language import {imports}",
    ]
    if sets:
        parts.append("\n".join(_assignment(names[item], item) for item in sets))
    body = _sum(listed, names) if listed else "    return s.every"
    return "\n\n".join(parts) + f"\n\n\ndef head(s: Sentence):\n{body}\n"


def _such_as(clause: str, names: Mapping[Side, str]) -> str:
    """A clause for somebody who has not seen the sets: some members stand for each."""
    shown = {
        name: ", ".join(map(_shown, side.tokens[:_SHOWN])) + (", …" if len(side.tokens) > _SHOWN else "")
        for side, name in names.items()
        if isinstance(side, TokenSet)
    }
    return re.sub(r"\b[A-Z_0-9]+\b", lambda word: shown.get(word[0], word[0]), clause)


def _shown(token: str) -> str:
    if token.isspace():
        return "line breaks" if "\n" in token else "blanks"
    text = token.strip()
    return "quotation marks" if text in {"'", '"'} else f"'{_printable(text)}'"


def _docstring(clauses: Sequence[str], *, short: bool) -> str:
    """The explanation: as many clauses as fit into the first line, the others below."""
    opening = "" if short else "No short program predicts this head well; the nearest "
    room = _WIDTH - 2 * len(_QUOTES)
    told = 1
    while told < len(clauses) and len(opening) + len("; ".join(clauses[: told + 1])) < room:
        told += 1
    first = f"{opening}{'; '.join(clauses[:told])}."
    lines = [first[0].upper() + first[1:]]
    if told < len(clauses):
        lines += ["", *(line for clause in clauses[told:] for line in wrap(f"Also {clause}.", _WIDTH)), ""]
    text = "\n".join(lines).replace("\\", "\\\\").replace('"', "'")
    return f"{_QUOTES}{text}{_QUOTES}"


def _assignment(name: str, item: TokenSet) -> str:
    members = [_quoted(token) for token in item.tokens]
    line = f"{name} = {{{', '.join(members)}}}"
    if len(line) <= _WIDTH:
        return line
    lines, current = [], "   "
    for member in members:
        if len(current) + len(member) + 2 > _WIDTH:
            lines.append(current)
            current = "   "
        current += f" {member},"
    return "\n".join([f"{name} = {{", *lines, current, "}"])


def _quoted(token: str) -> str:
    escaped = _printable(token.replace("\\", "\\\\").replace('"', '\\"'))
    return f'"{escaped}"'


def _printable(token: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in token)


def _sum(listed: Sequence[tuple[Term, float]], names: Mapping[Side, str]) -> str:
    lines = [*_HOW_TO_READ, "    return softmax("]
    for place, (term, weight) in enumerate(listed):
        sign = "" if place == 0 and weight > 0 else "-" if place == 0 else "+ " if weight > 0 else "- "
        code = f"        {sign}{abs(weight)} * {_code(term, names)}"
        words = phrases.clause(term, weight, names)
        if len(code) + len(words) + 4 <= _WIDTH:
            lines.append(f"{code}  # {words}")
        else:
            lines += [*(f"        # {line}" for line in wrap(words, _WIDTH - 10)), code]
    return "\n".join([*lines, "    )"])


def _code(term: Term, names: Mapping[Side, str]) -> str:
    factors = [] if term.query is None else [_side("query", term.query, names)]
    if term.relation != EVERY or not (term.query or term.key):
        factors.append(term.relation.code)
    if term.key is not None:
        factors.append(_side("key", term.key, names))
    return " * ".join(factors)


def _side(which: str, side: Side, names: Mapping[Side, str]) -> str:
    if isinstance(side, TokenClass):
        return f"s.{which}.{side.feature}"
    return f"s.{which}.is_one_of({names[side]})"

"""Where a head and a program look, in words: for people, and for the prompt of a language model.

A *strip* is the text up to a query with the weight of each key behind its token, in tenths: `Once upon a time[3] ,[6]`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from readhead.patterns import Array

_SHOWN = 0.05
"""Weights below this are not written."""


def printable(text: str) -> str:
    """A text that changes no terminal: what cannot be printed stands there as its escape, besides newlines and tabs."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else repr(character)[1:-1] for character in text
    )


def quoted(token: str) -> str:
    """A token as it stands in a sentence of ours: in quotation marks, on one line."""
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in token)
    return f'"{shown}"' if '"' not in shown else f"'{shown}'"


def strip(tokens: Sequence[str], weights: Array, query: int) -> str:
    """The tokens up to the query, each with the tenths of weight that it gets; the query itself stands in > <.

    Args:
        tokens: of the text.
        weights: `[n]` or longer than the query: the query's row, from 0 to 1.
        query: the position that looks.
    """
    return "".join(_piece(tokens[key], float(weights[key]), looks=key == query) for key in range(query + 1)).strip()


def _piece(token: str, weight: float, *, looks: bool) -> str:
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in token)
    space = " " if shown.startswith(" ") else ""
    word = f">{shown.strip()}<" if looks else shown.lstrip()
    mark = f"[{max(1, min(9, round(weight * 10)))}]" if weight >= _SHOWN else ""
    return f"{space}{word}{mark}"


def targets(tokens: Sequence[str], weights: Array, query: int, *, most: int = 3) -> str:
    """The keys that a query looks at most: `11 " Lily" 0.62, 13 "," 0.21`."""
    row = weights[: query + 1]
    places = np.argsort(-row, kind="stable")[:most]
    return ", ".join(f"{key} {quoted(tokens[key])} {row[key]:.2f}" for key in places if row[key] >= _SHOWN)

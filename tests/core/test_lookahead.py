"""Programs that look ahead are found, whatever way they do it; others are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from readhead.lookahead import find_look_ahead
from readhead.sandbox import Sandbox
from readhead.tokens import Text

TEXTS = [
    Text(
        (" the", " cat", " sat", " on", " the", " mat", ",", " and", " then", " it", " saw", " a", " dog", ".", " It")
    ),
    Text(
        (" It", ".", " dog", " a", " saw", " it", " then", " and", ",", " mat", " the", " on", " sat", " cat", " the")
    ),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


def program(expression: str) -> str:
    return f"def head(s):\n    return {expression}\n"


@pytest.mark.parametrize(
    "expression",
    [
        "np.exp(s.key.is_stop * 3.0) / np.exp(s.key.is_stop * 3.0).sum() + s.itself",  # a sum over all keys
        "softmax(s.n * s.previous(1))",  # grows while text is generated
        "s.itself + s.first * s.is_stop.max()",  # whether a stop is still to come
        "np.array([[len(s.tokens[-1])] * s.n] * s.n) * s.itself + s.first",  # the last token of all
        "[[1.0 if j == i - s.n % 3 else 0.0 for j in range(s.n)] for i in range(s.n)]",
    ],
)
def test_a_program_that_uses_later_tokens_is_found(sandbox: Sandbox, expression: str) -> None:
    (found,) = find_look_ahead([program(expression)], TEXTS, sandbox)
    assert found is not None
    assert found.by > 1e-5
    assert "moves by" in str(found)


@pytest.mark.parametrize(
    "expression",
    [
        "softmax(3.0 * s.previous(1) + s.key.is_stop)",
        "normalize(s.key.is_stop + 0.1)",
        "np.ones((s.n, s.n)) / s.n",  # the effect of n cancels
        "s.key.position",
        "0.0 * s.every",  # every row falls to the first token
    ],
)
def test_a_causal_program_is_not_accused(sandbox: Sandbox, expression: str) -> None:
    assert find_look_ahead([program(expression)], TEXTS, sandbox) == [None]


def test_the_row_named_is_one_that_moved(sandbox: Sandbox) -> None:
    (found,) = find_look_ahead([program("s.itself + s.first * s.is_stop.max()")], TEXTS[:1], sandbox)
    assert found is not None
    assert found.change == "cut off"  # the replaced tail has a stop of its own
    assert found.token == TEXTS[0].surfaces[found.query].strip()


def test_a_single_short_text_is_enough_to_ask(sandbox: Sandbox) -> None:
    assert find_look_ahead([program("s.every")], [Text((" one",))], sandbox) == [None]


def test_each_program_gets_its_own_answer(sandbox: Sandbox) -> None:
    good, bad = program("s.itself"), program("softmax(s.n * s.previous(1))")
    answers = find_look_ahead([good, bad, good], TEXTS, sandbox)
    assert [answer is not None for answer in answers] == [False, True, False]

"""Programs of additive form come apart into terms that add up, and go together again to the byte; others say why."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readhead.language import softmax
from readhead.library import load_programs, shipped_library
from readhead.program import Program, parse
from readhead.sandbox import Sandbox
from readhead.scoring import as_pattern
from readhead.surrogates.additive import Additive, NotAdditive, additive_form
from readhead.tokens import Text

TEXTS = (
    Text(("<s>", "Tom", " saw", " the", " dog", ",", " and", " the", " dog", " saw", " Tom", "."), frozenset({0})),
    Text((' "', "Is", " it", " un", "like", "ly", "?", '"', "\n", "No", ",", " said", " Mia", "."), frozenset()),
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as box:
        box.load(TEXTS)
        yield box


def program(score: str, *before: str, above: str = "") -> Program:
    lines = "".join(f"    {line}\n" for line in before)
    text = f'"""A program."""\n\nfrom readhead.language import Sentence, softmax\n{above}\n\ndef head(s: Sentence):\n'
    return parse(f"{text}{lines}    return softmax({score})\n")


def weights(form: Additive) -> list[float]:
    return [summand.weight for summand in form.summands]


def off(form: Additive, sandbox: Sandbox) -> float:
    """How far the weighted sum of a program's summands is from its own prediction."""
    runs = [sandbox.run(summand.source) for summand in form.summands]
    own = sandbox.run(form.program.source).weights
    assert not any(run.failures for run in runs), [run.failures for run in runs]
    worst = 0.0
    for text, prediction in enumerate(own):
        values = [run.weights[text] for run in runs]
        assert prediction is not None
        score = sum(np.float32(weight) * np.asarray(value) for weight, value in zip(weights(form), values, strict=True))
        worst = max(worst, float(np.abs(as_pattern(softmax(score)) - as_pattern(prediction)).max()))
    return worst


@pytest.mark.parametrize(
    ("score", "expected", "terms"),
    [
        ("2.5 * s.first", [2.5], 1),
        ("s.first * 2.5", [2.5], 1),
        ("3 * s.itself", [3], 1),
        ("-2.0 * s.first + 1.5 * s.itself", [-2, 1.5], 2),
        ("4.0 * s.first - 1.5 * s.itself - s.distance", [4, -1.5, -1], 2),
        ("1.0 * s.first - (2.0 * s.itself - 3.0 * s.previous(1))", [1, -2, 3], 3),
        ("-(2.0 * s.itself + 0.5 * s.previous(1))", [-2, -0.5], 2),
        ("1.0 * s.first - -2.0 * s.itself", [1, 2], 2),
        ("s.key.is_comma * 2.0 * s.same_sentence / 4", [2], 1),
        ("s.query.is_comma * (3.0 * s.first)", [3], 1),
        ("2.0 * (s.first + s.itself)", [2], 1),
        ("2.0 * s.first + 1.0", [2, 1], 1),
        ("-s.distance / 8", [1], 0),
        ("-(s.distance / 8)", [-1], 0),
        ("s.first", [1], 0),
        ("0.0 * s.first + 1e-3 * s.distance", [0, 0.001], 2),
        ("2.0 * s.first  # the first\n        + 3.0 * s.itself  # itself, in ünïcode\n    ", [2, 3], 2),
    ],
)
def test_the_form_gives_every_summand_its_weight(
    score: str, expected: list[float], terms: int, sandbox: Sandbox
) -> None:
    form = additive_form(program(score))
    assert weights(form) == expected
    assert len(form.terms) == terms
    assert off(form, sandbox) <= 1e-5


@pytest.mark.parametrize(
    ("score", "before", "above"),
    [
        ("4.0 * near + 2.0 * s.first", ("near = s.within(3)  # near",), ""),
        ("4.0 * s.key.is_one_of(SET) + 2.0 * s.first", ('"""What it does."""',), 'SET = {" the", " dog"}'),
        ("WEIGHT * s.first + 2.0 * twice(s)", (), "WEIGHT = 4.0\n\n\ndef twice(s):\n    return 2 * s.itself\n"),
        (
            "2.0 * total + 1.0 * s.first",
            ("total = s.itself", "for k in range(1, 3):", "    total = total + s.previous(k)"),
            "",
        ),
    ],
)
def test_what_stands_before_the_return_is_kept(
    score: str, before: tuple[str, ...], above: str, sandbox: Sandbox
) -> None:
    assert off(additive_form(program(score, *before, above=above)), sandbox) <= 1e-5


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def head(s):\n    return s.first", "does not return `softmax(…)`"),
        ("def head(s):\n    return normalize(2.0 * s.first)", "does not return `softmax(…)`"),
        ("def head(s):\n    return 0.5 * softmax(2.0 * s.first)", "does not return `softmax(…)`"),
        ("def head(s):\n    x = softmax(2.0 * s.first)\n    return x", "does not return `softmax(…)`"),
        ("def head(s):\n    pass", "more than one place, or not at its end"),
        (
            "def head(s):\n    if s.n > 3:\n        return s.first\n    return softmax(2.0 * s.first)",
            "more than one place",
        ),
        ("def head(s):\n    while True:\n        return softmax(2.0 * s.first)", "not at its end"),
        ("softmax = normalize\n\n\ndef head(s):\n    return softmax(2.0 * s.first)", "another one"),
        ("def softmax(x):\n    return x\n\n\ndef head(s):\n    return softmax(2.0 * s.first)", "another one"),
        ("def head(s, softmax=normalize):\n    return softmax(2.0 * s.first)", "may not be run"),
        ("def head(s):\n    return softmax(*[2.0 * s.first])", "not given one plain sum"),
        ("def head(s):\n    return softmax(scores=2.0 * s.first)", "not given one plain sum"),
        ("def head(s):\n    return softmax(", "may not be run"),
        ("def head(s):\n    return", "does not return `softmax(…)`"),
        (
            "def head(s):\n    return softmax(s.first)\n\n\ndef head(s):\n    return softmax(s.itself)",
            "one plain function",
        ),
    ],
)
def test_another_form_is_named_in_words(source: str, reason: str) -> None:
    with pytest.raises(NotAdditive) as caught:
        additive_form(parse(source))
    assert reason in str(caught.value)


def test_returns_of_inner_functions_do_not_count() -> None:
    assert weights(additive_form(program("2.0 * near(3)", "def near(k):", "    return s.within(k)"))) == [2]


@pytest.mark.slow
def test_the_shipped_library_adds_up_or_says_why(sandbox: Sandbox) -> None:
    forms, reasons = [], []
    for shipped in load_programs(shipped_library()):
        try:
            forms.append(additive_form(shipped))
        except NotAdditive as reason:
            reasons.append(str(reason))
    assert len(forms) > 80
    assert all(reasons)
    for form in forms:
        assert off(form, sandbox) <= 1e-5, form.program.name
        assert form.with_weights([summand.weight for summand in form.terms]) == form.program.source


def test_a_summand_alone_keeps_its_negative_values_and_is_broadcast(sandbox: Sandbox) -> None:
    column, difference = additive_form(program("2.0 * s.key.is_comma - 3.0 * (s.first - s.itself)")).summands
    values = sandbox.run(column.source).weights[0]
    assert values is not None
    assert values.shape == (12, 12)
    assert (values == values[:1]).all()
    assert values.max() == 1
    negative = sandbox.run(difference.source).weights[0]
    assert negative is not None
    assert negative.min() == -1


def test_programs_share_the_text_of_a_term_that_they_share() -> None:
    one = program("2.0 * s.first + 3.0 * s.key.is_one_of(A)", above='A = {" the"}')
    other = program("0.5 * s.first  # another comment\n", "# as ever", above='B = {" dog"}')
    assert additive_form(one).summands[0].source == additive_form(other).summands[0].source


@pytest.mark.parametrize(
    ("score", "new", "expected"),
    [
        ("2.0 * s.first + 3 * s.itself", [1.25, 3], "1.25 * s.first + 3 * s.itself"),
        ("2.0 * s.first - 3.0 * s.itself", [2.0, -0.5], "2.0 * s.first - 0.5 * s.itself"),
        ("2.0 * s.first - 3.0 * s.itself", [2.0, 0.5], "2.0 * s.first - -0.5 * s.itself"),
        ("-2.0 * s.first", [3.0], "3.0 * s.first"),
        ("s.key.is_comma * 2.0 - s.distance / 8", [-4.0], "s.key.is_comma * -4.0 - s.distance / 8"),
    ],
)
def test_new_weights_change_their_literals_only(score: str, new: list[float], expected: str) -> None:
    old = program(score)
    form = additive_form(old)
    text = form.with_weights(new)
    assert text == old.source.replace(score, expected)
    assert [summand.weight for summand in additive_form(parse(text)).terms] == new


@given(st.lists(st.floats(-50, 50, allow_nan=False).map(lambda x: float(f"{x:.3g}")), min_size=3, max_size=3))
def test_weights_that_are_written_are_read_again(new: list[float]) -> None:
    form = additive_form(program("-2.0 * s.first - (s.itself * 3 - 0.5 * s.previous(1)) - s.distance"))
    again = additive_form(parse(form.with_weights(new)))
    assert [summand.weight for summand in again.terms] == new
    assert again.with_weights([summand.weight for summand in form.terms]).count("s.") == form.program.source.count("s.")

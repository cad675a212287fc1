"""The memorisation guard tells a model that reads from one that recites."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from core.planted_patterns import plant_patterns, stories
from ollama_stand_in import Request, StandIn
from readhead.corpus import Corpus, Sizes
from readhead.heads import HeadId
from readhead.library import Target, predict
from readhead.program import parse
from readhead.sandbox import Sandbox
from readhead.scoring import iou
from readhead.settings import OllamaSettings
from readhead.synthesis.ollama import guard as guards
from readhead.synthesis.ollama.candidates import Candidate
from readhead.synthesis.ollama.client import Answer
from readhead.synthesis.ollama.guard import RECOVERED, Control, Guard, plant, run_guard, shuffle
from readhead.synthesis.ollama.prompts import Prompts
from readhead.synthesis.ollama.run import Desk, Drafted, Drafting, Exchange
from readhead.synthesis.ollama.views import guard_view
from readhead.workspace import Workspace

PLANTED = 4
WORDS = "3.0 * s.query.is_short * s.last_punctuation + 2.0 * s.key.is_comma + 2.0 * s.itself"
"""What the real head does: of words, so that shuffled tokens hide it."""
ASKED = Drafting(count=1, rounds=0)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return stories(Sizes(fit=6, dev=4, held_out=2, length=24))


@pytest.fixture
def target(corpus: Corpus, tmp_path: Path) -> Target:
    def score(s: object) -> object:
        return eval(WORDS, {"s": s})  # the tests' own text

    return plant_patterns(tmp_path / "patterns.f16", corpus, {"L0H0": score})  # type: ignore[dict-item]


def answering(answer: Callable[[str], str]) -> Callable[[Request], str]:
    def say(request: Request) -> str:
        code = f"def head(s):\n    return softmax({answer(request.messages[-1]['content'])})"
        return json.dumps({"programs": [{"explanation": "an idea", "code": code}]})

    return say


@pytest.fixture
def guarded(target: Target, tmp_path: Path) -> Callable[[Callable[[str], str]], dict[str, object]]:
    def guard(answer: Callable[[str], str]) -> dict[str, object]:
        with (
            StandIn(answering(answer), {"coder": {"context_length": 32768}}) as server,
            Workspace.open(tmp_path) as workspace,
            Sandbox() as sandbox,
        ):
            settings = OllamaSettings(model="coder", host=server.url)
            desk = Desk(target, settings, workspace, sandbox, Prompts.load())
            result = run_guard(desk, [HeadId(0, 0)], ASKED, planted=PLANTED)
            assert guard_view(result)
            return result.as_dict()

    return guard


@pytest.mark.slow
def test_a_model_that_knows_the_answers_recovers_every_planted_head(
    corpus: Corpus, guarded: Callable[[Callable[[str], str]], dict[str, object]]
) -> None:
    truths = iter([*plant(corpus, PLANTED, ASKED.seed), WORDS, "2.0 * s.itself"])
    document = guarded(lambda _: next(truths))
    assert document["recovery_rate"] == {"drawn": 1, "known": 1}
    (row,) = document["heads"]  # type: ignore[misc]
    assert row["iou"] > 0.99
    assert row["shuffled_on_real"] < row["iou"] - 0.1


@pytest.mark.slow
def test_a_model_that_recites_recovers_nothing_and_does_as_well_without_the_text(
    guarded: Callable[[Callable[[str], str]], dict[str, object]],
) -> None:
    document = guarded(lambda _: "1.0 * s.previous(1) + 1.0 * s.itself")
    assert document["recovery_rate"] == {"drawn": 0, "known": 0}
    (row,) = document["heads"]  # type: ignore[misc]
    assert row["shuffled_on_real"] == pytest.approx(row["iou"])


def test_planted_heads_are_drawn_by_the_seed_and_differ(corpus: Corpus) -> None:
    assert plant(corpus, 6, 0) == plant(corpus, 6, 0)
    assert plant(corpus, 6, 0)[2:] != plant(corpus, 6, 1)[2:]
    assert len(set(plant(corpus, 12, 0))) == 12


def test_shuffling_keeps_the_tokens_of_each_text_and_the_special_ones_in_place(corpus: Corpus) -> None:
    mixed = shuffle(corpus, 0)
    assert mixed.fingerprint != corpus.fingerprint
    for before, after in zip(corpus.all(), mixed.all(), strict=True):
        assert sorted(before.ids) == sorted(after.ids)
        assert sorted(before.text.surfaces) == sorted(after.text.surfaces)
        assert before.text.special == after.text.special
        assert before.ids[0] == after.ids[0]


KNOWN, DRAWN = guards._KNOWN[0], "4.0 * s.query.is_short * s.first"
NOBODY = {"model": "coder", "notes": (), "runs": ()}


def drawn(guard: Guard) -> str:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(guard_view(guard))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def planted(*found: tuple[str, float | None, bool]) -> Guard:
    controls = [
        Control(HeadId(0, place), truth, 0.2, iou, is_asked=asked) for place, (truth, iou, asked) in enumerate(found)
    ]
    return Guard(planted=tuple(controls), real=(), **NOBODY)  # type: ignore[arg-type]


def test_known_heads_do_not_count_in_the_rate_of_the_drawn_ones() -> None:
    guard = planted((KNOWN, 0.99, True), (DRAWN, 0.5, True), (DRAWN, None, True))
    assert guard.as_dict()["recovery_rate"] == {"drawn": 0, "known": 1}
    assert [row["recovered"] for row in guard.as_dict()["planted"]] == [True, False, False]
    assert "coder recovers 0% of 2 planted heads that were drawn" in drawn(guard)
    assert "100% of 1 planted head that texts" in drawn(guard)


def test_heads_that_were_not_asked_for_are_named_and_count_for_nothing() -> None:
    guard = planted((KNOWN, None, False), (DRAWN, 0.95, True), (DRAWN, None, False))
    assert guard.as_dict()["recovery_rate"] == {"drawn": 1, "known": None}
    rows = guard.as_dict()["planted"]
    assert [(row["asked"], row["recovered"]) for row in rows] == [(False, None), (True, True), (False, None)]
    assert f"Not asked, and not counted: {KNOWN}; {DRAWN}." in drawn(guard)
    assert "– of 0 planted heads that texts" in drawn(guard)


def test_a_head_is_asked_for_once_it_is_answered_and_what_came_was_judged() -> None:
    head, other = HeadId(0, 0), HeadId(0, 1)
    answered = [Exchange(head, "write", Answer(), 1, "", earlier=False)]
    judged = [Candidate(head, 1, "write", "")]
    for run, asked in (
        (Drafted("coder"), False),
        (Drafted("coder", spent=True, exchanges=answered), False),
        (Drafted("coder", exchanges=answered), True),
        (Drafted("coder", spent=True, exchanges=answered, candidates=judged), True),
    ):
        assert guards._was_asked(run, head) == asked
        assert not guards._was_asked(run, other)


def test_what_is_read_from_shuffled_texts_as_well_is_no_verdict_on_the_model() -> None:
    real = (
        Control(HeadId(0, 0), "", 0.2, 0.9, 0.9, 0.9),
        Control(HeadId(0, 1), "", 0.2, 0.9, 0.5, 0.5),
        Control(HeadId(1, 0), "", 0.2, None, is_asked=False),
    )
    told = drawn(Guard(planted=(), real=real, **NOBODY))  # type: ignore[arg-type]
    assert "of L0H0 is as good as from the real prompt: where the head looks was enough, the words added" in told
    assert "telling only where the program speaks of words" in told
    assert "Not asked in both ways: L1H0." in told


def test_one_budget_is_for_all_that_is_asked() -> None:
    first = Drafted("coder", tokens=60)
    first.seconds = 7
    left = guards._left(Drafting(time_limit=10, token_limit=100), [first])
    assert (left.time_limit, left.token_limit) == (3, 40)


def test_no_planted_head_stands_in_the_prompts_examples(corpus: Corpus) -> None:
    examples = re.findall(r"```python\n(.*?)```", Prompts.load().language, re.DOTALL)
    truths = [f"def head(s):\n    return softmax({score})\n" for score in plant(corpus, 12, 0)]
    with Sandbox() as sandbox:
        every = list(predict([parse(source) for source in [*examples, *truths]], corpus["fit"], sandbox))
    shown, hidden = every[: len(examples)], every[len(examples) :]
    for one, failures in shown:
        assert not failures
        for other, _ in hidden:
            shares = [iou(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
            assert sum(shares) / len(shares) < RECOVERED

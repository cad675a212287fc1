"""The memorisation guard tells a model that reads from one that recites."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.planted_patterns import plant_patterns, stories
from ollama_stand_in import Request, StandIn
from readhead.corpus import Corpus, Sizes
from readhead.heads import HeadId
from readhead.library import Target
from readhead.sandbox import Sandbox
from readhead.synthesis.ollama.guard import plant, run_guard, shuffle
from readhead.synthesis.ollama.prompts import Prompts
from readhead.synthesis.ollama.run import Desk, Drafting
from readhead.synthesis.ollama.views import guard_view
from readhead.workspace import OllamaSettings, Workspace

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
    assert document["recovery_rate"] == 1
    (row,) = document["heads"]  # type: ignore[misc]
    assert row["iou"] > 0.99
    assert row["recited"] < row["iou"] - 0.1


@pytest.mark.slow
def test_a_model_that_recites_recovers_nothing_and_does_as_well_without_the_text(
    guarded: Callable[[Callable[[str], str]], dict[str, object]],
) -> None:
    document = guarded(lambda _: "1.0 * s.previous(1) + 1.0 * s.itself")
    assert document["recovery_rate"] == 0
    (row,) = document["heads"]  # type: ignore[misc]
    assert row["recited"] == pytest.approx(row["iou"])


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

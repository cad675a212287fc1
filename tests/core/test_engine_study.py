"""The engine's work in the model: best programs flipped, text, curves and plans, with urgent calls in their midst."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from core.conftest import LIBRARY
from core.served_works import AHEAD, NEAR, Served, make_workspace
from readhead import session
from readhead.engine.jobs import CancelledJob
from readhead.errors import ReadheadError, UsageError
from readhead.surrogates.outcome import Continuation
from readhead.surrogates.views import continuation_view

PROMPT = "Once upon a time"


@pytest.fixture(scope="module")
def library(small_library: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "shipped_library", lambda: small_library)
        yield


@pytest.fixture(scope="module")
def opened(library: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:  # noqa: ARG001 - its effect
    served = Served(make_workspace(tmp_path_factory.mktemp("study")))
    served.call("rank")
    yield served
    served.close()


@pytest.fixture
def served(opened: Served) -> Served:
    """With every head neural."""
    opened.call("flip", heads=dict.fromkeys(opened.call("switches")["heads"]))
    opened.events.clear()
    return opened


# ---- flipping --------------------------------------------------------------------------------------------------------


def test_heads_are_flipped_to_their_best_programs(served: Served) -> None:
    flipped = served.call("flip", best=["L0H0", "L1H2"])
    best = {card["head"]: card["best"] for card in served.call("cards")}
    others = {row["name"]: row["source"] for row in served.call("candidates", head="L0H0", most=99)}
    assert flipped["heads"]["L0H0"] == others[best["L0H0"]]
    assert list(flipped["heads"]) == ["L0H0", "L1H2"]
    assert flipped["refused"] == {}
    assert [given for event, given in served.events if event == "switches"] == [served.call("switches")]


def test_best_programs_and_given_ones_are_flipped_at_once(served: Served) -> None:
    flipped = served.call("flip", heads={"L0H1": NEAR}, best=["L0H0"])
    assert flipped["heads"]["L0H1"] == NEAR
    assert set(flipped["heads"]) == {"L0H0", "L0H1"}


def test_a_given_program_that_may_not_stand_in_changes_nothing(served: Served) -> None:
    with pytest.raises(ReadheadError, match="looks ahead"):
        served.call("flip", heads={"L0H1": AHEAD}, best=["L0H0"])
    with pytest.raises(ReadheadError, match="RH"):
        served.call("flip", heads={"L0H1": "def tail(s):\n    return 1\n"})
    assert served.call("switches")["heads"] == {}
    assert not [event for event, _ in served.events if event == "switches"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"best": "L0H0"}, "best cannot be 'L0H0'"),
        ({"best": ["L9H0"]}, "L9H0"),
        ({"heads": ["L0H0"]}, "heads cannot be"),
        ({"heads": {"L0H0": None}, "best": ["l0h0"]}, "L0H0 is named twice"),
        ({"worst": []}, "unexpected keyword argument 'worst'"),
    ],
)
def test_what_cannot_be_flipped_is_told(served: Served, given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        served.call("flip", **given)
    assert caught.value.hint


def test_until_the_programs_are_ranked_no_best_one_is_flipped(tmp_path: Path) -> None:
    served = Served(make_workspace(tmp_path))
    try:
        with pytest.raises(UsageError, match="not ranked yet") as caught:
            served.call("flip", best=["L0H0"])
        assert "wait for the ranking" in caught.value.hint
        assert served.call("flip", heads={"L0H0": NEAR})["heads"] == {"L0H0": NEAR}
    finally:
        served.close()


# ---- text ------------------------------------------------------------------------------------------------------------


def test_text_is_told_token_by_token_and_read_back(served: Served) -> None:
    served.call("flip", best=["L0H0", "L2H1"])
    parts: list[Any] = []
    last = served.call("generate", parts.append, prompt=PROMPT, tokens=5)
    assert [len(part["tokens"]["hybrid"]) for part in parts] == [1, 2, 3, 4, 5]
    assert parts[-1] == last == json.loads(json.dumps(last))
    text = Continuation.read(last)
    assert text.as_sent() == last
    assert text.prompt == PROMPT
    console = Console(width=100, file=StringIO())
    with console.capture() as shown:
        console.print(continuation_view(text))
    assert PROMPT in shown.get()


def test_without_a_head_in_program_mode_no_text_is_written(served: Served) -> None:
    with pytest.raises(UsageError, match="no head is in program mode") as caught:
        served.call("generate", prompt=PROMPT)
    assert "flip one" in caught.value.hint


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"prompt": PROMPT, "tokens": 0}, "tokens cannot be 0"),
        ({"prompt": PROMPT, "tokens": 2.5}, "tokens cannot be 2.5"),
        ({"prompt": PROMPT, "temperature": -1}, "temperature cannot be -1"),
        ({"prompt": PROMPT, "tokens": 10**6}, "more than .* positions"),
        ({"prompt": 7}, "prompt cannot be 7"),
        ({}, "missing a required argument: 'prompt'"),
    ],
)
def test_what_cannot_be_written_is_told(served: Served, given: dict[str, Any], told: str) -> None:
    served.call("flip", best=["L0H0"])
    with pytest.raises(UsageError, match=told) as caught:
        served.call("generate", **given)
    assert caught.value.hint


# ---- candidates ------------------------------------------------------------------------------------------------------


def test_candidates_are_the_ranking_and_what_was_written_best_first(served: Served) -> None:
    before = served.call("candidates", head="L0H3", most=99)
    assert len(before) == len(LIBRARY)
    assert {row["origin"] for row in before} == {"library"}
    front = served.call("front", head="L0H3", terms=2)
    rows = served.call("candidates", head="L0H3", most=99)
    assert len(rows) == len(LIBRARY) + len(front)
    assert [row["iou"] for row in rows] == sorted((row["iou"] for row in rows), reverse=True)
    assert {row["source"] for row in rows if row["origin"] == "symbolic"} == {row["source"] for row in front}
    assert served.call("candidates", head="L0H3", most=3) == rows[:3]
    assert rows[0].keys() <= front[0].keys()


def test_candidates_of_no_head_or_none_at_all_are_refused(served: Served) -> None:
    with pytest.raises(UsageError, match="L7H0"):
        served.call("candidates", head="L7H0")
    with pytest.raises(UsageError, match="most cannot be 0"):
        served.call("candidates", head="L0H0", most=0)


# ---- in each other's midst -------------------------------------------------------------------------------------------


def disturbed(served: Served, method: str, **given: Any) -> tuple[Any, Any, list[str]]:
    """What a call gives when a perplexity is asked for after its first part, what that gives, and the order of both."""
    order: list[str] = []
    asked: list[Any] = []

    def part(_: Any) -> None:
        order.append("part")
        if not asked:
            asked.append(served.begin("perplexity", lambda _: order.append("urgent")))

    result = served.call(method, part, **given)
    return result, asked[0][1].result(60), order


def hooks(served: Served) -> int:
    model = served.works.session.model.model
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def seconds_aside(document: Any) -> Any:
    return {name: value for name, value in document.items() if name != "seconds"}


CALLS = [("generate", {"prompt": PROMPT, "tokens": 6}), ("curve", {"fractions": [0.1, 0.5], "controls": ["zero"]})]


@pytest.mark.parametrize(("method", "given"), CALLS)
def test_a_perplexity_in_the_midst_of_other_work_changes_no_figure(
    opened: Served, tmp_path: Path, method: str, given: dict[str, Any]
) -> None:
    served = Served(make_workspace(tmp_path))  # no meter is on its model yet
    try:
        before = hooks(served)
        served.call("rank")
        for engine in (opened, served):
            engine.call("flip", best=["L0H0", "L1H2", "L3H1"])
        result, perplexity, order = disturbed(served, method, **given)
        assert order.index("urgent") < len(order) - 1, "it was not answered in the midst"
        assert seconds_aside(result) == seconds_aside(opened.call(method, **given))
        assert perplexity == opened.call("perplexity")
    finally:
        served.close()
    assert hooks(served) == before


def cancelled(served: Served, method: str, **given: Any) -> list[Any]:
    """The parts of a call that is cancelled at the first."""
    jobs: list[Any] = []
    known = threading.Event()
    seen: list[Any] = []

    def part(each: Any) -> None:
        seen.append(each)
        assert known.wait(10)
        jobs[0].cancel()

    job, answer = served.begin(method, part, **given)
    jobs.append(job)
    known.set()
    with pytest.raises(CancelledJob):
        answer.result(60)
    return seen


def test_text_is_not_written_on_when_nobody_wants_it(served: Served) -> None:
    served.call("flip", best=["L0H0"])
    before = served.call("perplexity")
    assert len(cancelled(served, "generate", prompt=PROMPT, tokens=50)) == 1
    assert served.call("perplexity") == before

"""The engine's work in the model: best programs flipped, text, curves and plans, with urgent calls in their midst."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from core.conftest import LIBRARY, Ran
from core.served_works import AHEAD, NEAR, Served, make_workspace
from readhead import session
from readhead.engine.jobs import CancelledJob
from readhead.errors import ReadheadError, UsageError
from readhead.surrogates.outcome import Continuation
from readhead.surrogates.views import continuation_view

pytestmark = pytest.mark.slow

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


# ---- figures ---------------------------------------------------------------------------------------------------------


def test_each_head_s_best_program_is_measured_once_alone(served: Served) -> None:
    parts: list[Any] = []
    rows = served.call("impacts", parts.append, heads=["L2H0", "L0H5"])
    assert rows == parts
    assert [row["head"] for row in rows] == ["L2H0", "L0H5"]
    source = served.call("flip", best=["L2H0"])["heads"]["L2H0"]
    alone = served.call("impact", source=source, head="L2H0")
    assert {name: rows[0][name] for name in ("increase_percent", "low", "high", "stamp")} == {
        name: alone[name] for name in ("increase_percent", "low", "high", "stamp")
    }
    assert rows[0]["refused"] == ""
    every = served.call("impacts")
    assert len(every) == 32
    started = time.monotonic()
    assert served.call("impacts") == every
    assert time.monotonic() - started < 0.1
    with pytest.raises(UsageError, match="L0H99"):
        served.call("impacts", heads=["L0H99"])


def test_the_best_program_that_looks_ahead_is_refused_and_everything_goes_on(
    opened: Served,  # noqa: ARG001 - its library
    tmp_path: Path,
) -> None:
    root = make_workspace(tmp_path)
    close = "def head(s):\n    return softmax(-0.005 * s.n * s.distance)\n"
    (root / "programs" / "ahead.py").write_text(close, "utf-8")
    served = Served(root)
    try:
        served.call("rank")
        (head, *_) = [card["head"] for card in served.call("cards") if card["best"] == "ahead"]
        flipped = served.call("flip", best=[head, "L0H0"])
        assert "looks ahead" in flipped["refused"][head]
        assert list(flipped["heads"]) == ["L0H0"]
        (row,) = served.call("impacts", heads=[head])
        assert row["program"] == "ahead"
        assert "looks ahead" in row["refused"]
        assert row["increase_percent"] is row["low"] is row["high"] is None
        assert "looks ahead" in served.call("curve", fractions=[0.1])["neural"][head]
        assert "looks ahead" in served.call("plan", budget=50, order="iou")["neural"][head]
        assert served.call("candidates", head=head)[0]["origin"] == "workspace"
    finally:
        served.close()


def test_a_curve_is_told_point_by_point_and_is_the_command_line_s(served: Served, run: Callable[..., Ran]) -> None:
    parts: list[Any] = []
    curve = served.call("curve", parts.append, fractions=[0.05, 1], controls=["zero", "uniform"], of_part="dev")
    assert curve["points"] == parts
    assert (curve["order"], curve["part"], curve["neural"]) == ("iou", "dev", {})
    assert [len(point["heads"]) for point in parts] == [2, 32]
    root = served.works.session.workspace.root
    ran = run("replace", "--curve", "--controls", "zero,uniform", "--part", "dev", "--json", "--workspace", root)
    (told,) = ran.document["curves"]
    assert curve["neural_perplexity"] == pytest.approx(told["neural"], rel=1e-6)
    for point, row in zip(parts, (told["curve"][0], told["curve"][-1]), strict=True):
        assert point["increase_percent"] == pytest.approx(row["increase_percent"], abs=1e-4)
        assert point["perplexity"] == pytest.approx(row["perplexity"], rel=1e-6)
        for name, percent in point["controls"].items():
            assert percent == pytest.approx(row["controls"][name]["increase_percent"], abs=1e-3)


def test_a_dev_perplexity_is_the_command_line_s(served: Served, run: Callable[..., Ran], tmp_path: Path) -> None:
    served.call("flip", best=["L0H0", "L1H3", "L3H6"])
    engine = served.call("perplexity")
    saved = served.call("save_board", path=str(tmp_path / "board.json"))
    root = served.works.session.workspace.root
    ran = run("replace", "--switchboard", saved["path"], "--part", "dev", "--json", "--workspace", root)
    assert ran.document["part"] == "dev"
    assert ran.document["perplexity"]["increase_percent"] == pytest.approx(engine["increase_percent"], abs=1e-4)
    assert ran.document["perplexity"]["low"] == pytest.approx(engine["low"], abs=1e-4)


def test_a_plan_holds_the_most_heads_within_the_budget_and_flips_none(served: Served) -> None:
    plan = served.call("plan", budget=2.0, order="iou")
    assert plan["increase_percent"] <= 2
    assert (plan["order"], plan["neural"]) == ("iou", {})
    assert served.call("switches")["heads"] == {}
    served.call("flip", best=plan["heads"])
    assert served.call("perplexity")["increase_percent"] == pytest.approx(plan["increase_percent"])
    ordered = served.call("curve", fractions=[1.0], controls=[])["points"][0]["heads"]
    assert ordered[: len(plan["heads"])] == plan["heads"]
    served.call("flip", best=ordered[: len(plan["heads"]) + 1])
    assert served.call("perplexity")["increase_percent"] > 2


@pytest.mark.parametrize(
    ("method", "given", "told"),
    [
        ("plan", {"budget": -1}, "budget cannot be -1"),
        ("plan", {"budget": "5%"}, "budget cannot be '5%'"),
        ("plan", {"budget": 5, "order": "best"}, "there is no order 'best'"),
        ("curve", {"order": "worst"}, "there is no order 'worst'"),
        ("curve", {"of_part": "test"}, "of_part cannot be 'test'"),
        ("curve", {"controls": ["one"]}, "there is no control 'one'"),
        ("curve", {"controls": "zero"}, "controls cannot be 'zero'"),
        ("curve", {"fractions": []}, "a curve needs a fraction"),
        ("curve", {"fractions": [2]}, "2.0 is no fraction"),
        ("curve", {"fractions": 0.5}, "fractions cannot be 0.5"),
        ("load_board", {"path": 3}, "path cannot be 3"),
    ],
)
def test_what_cannot_be_measured_is_told(served: Served, method: str, given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        served.call(method, **given)
    assert caught.value.hint


# ---- boards ----------------------------------------------------------------------------------------------------------


def test_a_saved_board_replaces_the_whole_current_one(served: Served) -> None:
    board = served.call("flip", heads={"L0H0": NEAR}, best=["L1H1"])
    saved = served.call("save_board", path="board.json")
    assert Path(saved["path"]).parent == served.works.session.workspace.root
    served.call("flip", heads={"L0H0": None, "L2H2": NEAR})
    served.events.clear()
    assert served.call("load_board", path="board.json") == board
    assert served.call("switches") == {name: board[name] for name in ("heads", "fingerprint")}
    assert served.events == [("switches", served.call("switches"))]


def spoilt(document: dict[str, Any], **changes: Any) -> str:
    return json.dumps(document | changes)


BOARDS: dict[str, tuple[Callable[[dict[str, Any]], str], str]] = {
    "not json": (lambda _: "{", "not JSON"),
    "other model": (lambda board: spoilt(board, model="0" * 16), "another model"),
    "no such head": (lambda board: spoilt(board, heads={"L9H9": "near"}), "L9H9"),
    "ahead": (lambda board: spoilt(board, programs={"near": {"name": "near", "source": AHEAD}}), "looks ahead"),
    "findings": (lambda board: spoilt(board, programs={"near": {"name": "near", "source": "def"}}), "RH201"),
}


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_that_cannot_be_loaded_changes_nothing(served: Served, tmp_path: Path, name: str) -> None:
    before = served.call("flip", heads={"L3H3": NEAR})
    served.events.clear()
    make, told = BOARDS[name]
    board = {
        "readhead": 1,
        "model": "",
        "heads": {"L0H0": "near"},
        "programs": {"near": {"name": "near", "source": NEAR}},
    }
    (tmp_path / "board.json").write_text(make(board), "utf-8")
    with pytest.raises(ReadheadError, match=told) as caught:
        served.call("load_board", path=str(tmp_path / "board.json"))
    assert caught.value.hint
    assert served.call("switches")["heads"] == before["heads"]
    assert served.events == []


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
    served: Served, tmp_path: Path, method: str, given: dict[str, Any]
) -> None:
    fresh = Served(make_workspace(tmp_path))  # no meter is on its model yet
    try:
        before = hooks(fresh)
        fresh.call("rank")
        for engine in (served, fresh):
            engine.call("flip", best=["L0H0", "L1H2", "L3H1"])
        result, perplexity, order = disturbed(fresh, method, **given)
        assert order.index("urgent") < len(order) - 1, "it was not answered in the midst"
        assert seconds_aside(result) == seconds_aside(served.call(method, **given))
        assert perplexity == served.call("perplexity")
    finally:
        fresh.close()
    assert hooks(fresh) == before


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


def test_a_curve_is_not_measured_on_when_nobody_wants_it(served: Served) -> None:
    before = served.call("perplexity")
    assert len(cancelled(served, "curve")) == 1
    assert served.call("perplexity") == before


def test_nothing_grows_with_every_flip(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = served.works.in_model._measure
    known = served.works.session.predictions
    monkeypatch.setattr(meter._losses, "memory", 3_000)
    monkeypatch.setattr(meter._failed, "memory", 3_000)
    monkeypatch.setattr(known._unfit, "memory", 3_000)
    figures = []
    for number in [*range(12), 0]:
        slope = f"def head(s):\n    return softmax(-{1 + number / 10} * s.distance)\n"
        served.call("flip", heads={"L0H0": slope})
        figures.append(served.call("perplexity"))
    assert figures[0] == figures[-1]
    for memory in (meter._losses, meter._failed, known._unfit):
        assert 0 < memory.used <= 3_000

"""`replace`, `generate`, `bisect` and the curve of `explain`, as they are typed."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.conftest import POSITIONS, PROGRAM, Ran, own_process

pytestmark = pytest.mark.usefixtures("few_programs", "workspace")
AHEAD = PROGRAM.replace("-1.0 * s.distance", "s.n * s.previous(1)")
FAILS = PROGRAM.replace("return softmax", '[0][len("".join(s.tokens)) % 2]\n    return softmax')


def increases(document: Any) -> list[float]:
    return [point["increase_percent"] for point in document["curve"]]


def test_explain_tells_the_curve(run: Callable[..., Ran]) -> None:
    document = run("explain", "--library-only", "--json").document
    perplexity = document["perplexity"]
    assert [point["fraction"] for point in perplexity["curve"]] == [0.05, 0.1, 0.25, 0.4, 0.5, 0.75, 1.0]
    assert [point["replaced"] for point in perplexity["curve"]] == [1, 1, 1, 2, 2, 3, 4]
    assert perplexity["order"] == "iou"
    assert perplexity["neural"] > 1
    last = perplexity["curve"][-1]
    assert last["perplexity"] / perplexity["neural"] - 1 == pytest.approx(last["increase_percent"] / 100)
    assert last["low"] is None, "two texts are not enough for an interval"
    assert last["controls"]["uniform"]["increase_percent"] != last["increase_percent"]
    assert document["seconds"]["replace"] > 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a terminal is made with the pty module")
@pytest.mark.parametrize("command", [["explain", "--library-only"], ["replace", "--fraction", "0.5"]])
def test_results_go_to_stdout_while_progress_is_drawn_on_a_terminal(command: list[str]) -> None:
    ours, theirs = os.openpty()
    with own_process(*command, "--json", stderr=theirs, env={"TERM": "xterm"}) as process:
        os.close(theirs)
        drawn = threading.Thread(target=drain, args=(ours,))
        drawn.start()
        out, _ = process.communicate(timeout=120)
        drawn.join()
    os.close(ours)
    assert json.loads(out)["isolation"]


def drain(terminal: int) -> None:
    with contextlib.suppress(OSError):  # which is how a terminal ends
        while os.read(terminal, 4096):
            pass


def test_explain_shows_the_curve_in_another_order_with_all_controls(run: Callable[..., Ran]) -> None:
    shown = run("explain", "--library-only", "--order", "greedy", "--controls", "all").out
    assert "greedy order (dev)" in shown
    assert "zero: nothing instead, uniform: all tokens so far alike, first: the first token only" in " ".join(
        shown.split()
    )
    assert "preliminary" in shown


def test_a_fraction_is_measured_beside_its_controls(run: Callable[..., Ran]) -> None:
    document = run("replace", "--fraction", "0.5", "--json").document
    assert len(document["replaced"]) == 2
    assert document["order"] == "iou"
    assert document["part"] == "held-out"
    assert set(document["perplexity"]["controls"]) == {"zero", "uniform", "first"}
    assert 0 <= document["perplexity"]["top1_agreement"] <= 1
    shown = run("replace", "--fraction", "0.5", "--controls", "none").out
    assert "2 heads replaced in the order of their IoU" in " ".join(shown.split())
    assert "2 held-out texts of 16 tokens" in shown
    assert "uniform " not in shown


def test_nothing_replaced_costs_nothing(run: Callable[..., Ran]) -> None:
    perplexity = run("replace", "--fraction", "0", "--json").document["perplexity"]
    assert perplexity["increase_percent"] == 0
    assert perplexity["kl"] == 0
    assert perplexity["top1_agreement"] == 1


def test_heads_are_given_with_and_without_their_programs(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "near.py"
    file.write_text(PROGRAM)
    document = run("replace", "--heads", f"L0H1={file},L1H0", "--json").document
    assert document["order"] == "given"
    assert [(row["head"], row["program"] == "near") for row in document["replaced"]] == [
        ("L0H1", True),
        ("L1H0", False),
    ]


def test_a_switchboard_is_saved_and_opened_again(run: Callable[..., Ran], tmp_path: Path) -> None:
    board = tmp_path / "board.json"
    first = run("replace", "--fraction", "0.75", "--json", "--save", board)
    assert str(board) in first.err
    again = run("replace", "--switchboard", board, "--json").document
    assert again["perplexity"]["perplexity"] == first.document["perplexity"]["perplexity"]
    assert [row["head"] for row in again["replaced"]] == [row["head"] for row in first.document["replaced"]]
    document = json.loads(board.read_text())
    document["model"] = "0" * 16
    board.write_text(json.dumps(document))
    assert "another model" in run("replace", "--switchboard", board).complaint


def test_curves_of_two_orders_end_at_the_same_point(run: Callable[..., Ran]) -> None:
    document = run("replace", "--curve", "--order", "iou,greedy", "--controls", "zero", "--json").document
    iou, greedy = document["curves"]
    assert (iou["order"], greedy["order"]) == ("iou", "greedy")
    assert increases(iou)[-1] == increases(greedy)[-1] == document["perplexity"]["increase_percent"]
    assert set(iou["curve"][0]["controls"]) == {"zero"}


def test_a_budget_is_kept_on_dev_and_told_on_held_out(run: Callable[..., Ran]) -> None:
    document = run("replace", "--budget", "1000000%", "--json").document
    assert document["budget_percent"] == 1e6
    assert document["dev_increase_percent"] < 1e6
    assert len(document["replaced"]) == 4


def test_a_head_whose_program_fails_on_some_texts_is_neural_there_and_told(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    file = tmp_path / "fails.py"
    file.write_text(FAILS)
    document = run("replace", "--heads", f"L0H1={file}", "--sequences", "16", "--json").document
    failed = document["perplexity"]["failed"]
    assert 0 < failed["L0H1"] <= 4
    assert f"failed on {failed['L0H1']} of 4 texts" in run(
        "replace", "--heads", f"L0H1={file}", "--sequences", "16"
    ).out.replace("\n", " ")


def test_controls_are_measured_on_the_same_texts_where_few_are_enough(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readhead.surrogates.meter.BATCH_TOKENS", 64)
    monkeypatch.setattr("readhead.surrogates.impact.ENOUGH", 2)
    document = run("replace", "--fraction", "0.5", "--within", "1e9", "--sequences", "20", "--json").document
    perplexity = document["perplexity"]
    assert perplexity["sequences"] == 4
    assert {each["sequences"] for each in perplexity["controls"].values()} == {4}


def test_generate_writes_both_texts(run: Callable[..., Ran]) -> None:
    options = ("--fraction", "1", "--tokens", "6", "--temperature", "1", "--seed", "3", "--json")
    document = run("generate", "Tom saw", *options).document
    assert document["tokens"] == {"neural": 6, "hybrid": 6}
    assert document == run("generate", "Tom saw", *options).document | {"seconds": document["seconds"]}
    nothing = run("generate", "Tom saw", "--fraction", "0", "--tokens", "6", "--temperature", "1", "--json").document
    assert nothing["neural"] == nothing["hybrid"]
    assert nothing["same_tokens"] == 6
    assert "tokens a second" in run("generate", "Tom saw", "--tokens", "2").out


def test_bisect_names_the_guilty_heads(run: Callable[..., Ran]) -> None:
    prompt = "Tom saw the red ball in the rain."
    document = run("bisect", prompt, "--fraction", "1", "--json").document
    assert document["guilty"]
    assert document["kl_without_guilty"] <= 0.2 * document["kl"]
    assert run("bisect", "Tom", "--fraction", "1", "--json").document["kl"] > 0, "the end of the prompt counts"
    assert set(document["expected"]) == {"neural", "hybrid", "healed"}
    assert "Guilty: " in run("bisect", prompt, "--fraction", "1").out
    assert "change next to nothing here" in run("bisect", prompt, "--fraction", "0").out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("replace",), "say in one way which heads to replace"),
        (("replace", "--fraction", "0.2", "--budget", "3"), "say in one way"),
        (("replace", "--fraction", "1.5"), "1.5 is no fraction of the heads"),
        (("replace", "--heads", "L7H0"), "the model has no head L7H0"),
        (("replace", "--heads", "L0H0=absent.py"), "absent.py cannot be read"),
        (("replace", "--budget", "much"), "'much' is no number"),
        (("replace", "--fraction", "a lot"), "'a lot' is no number"),
        (("replace", "--heads", "L0H0,L0H0=x.py"), "named twice"),
        (("replace", "--fraction", "0.5", "--save", "absent/board.json"), "no folder absent"),
        (("replace", "--budget", "-99%"), "a budget is not below zero"),
        (("replace", "--fraction", "0.5", "--order", "luck"), "there is no order 'luck'"),
        (("replace", "--fraction", "0.5", "--controls", "magic"), "there is no control 'magic'"),
        (("replace", "--switchboard", "absent.json"), "absent.json cannot be read"),
        (("replace", "--fraction", "0.5", "--order", "iou,greedy"), "one order chooses the heads"),
        (("qa", "--heads", "L0H0", "--fraction", "0.5"), "say in one way"),
        (("explain", "--library-only", "--joint"), "joint constants are written into programs"),
        (("explain", "--order", "luck"), "there is no order 'luck'"),
        (("generate", "Tom", "--tokens", "999"), f"has positions: {POSITIONS}"),
        (("bisect", "Tom saw it.", "--share", "2"), "2.0 is no share of the harm"),
        (("bisect", "Tom saw it. " * 30), "positions of"),
    ],
)  # fmt: skip
def test_bad_input_is_told_with_its_cure(run: Callable[..., Ran], arguments: tuple[str, ...], complaint: str) -> None:
    assert complaint in run(*arguments).complaint


@pytest.mark.parametrize(("source", "complaint"), [(AHEAD, "it looks ahead: row"), ("def head(s:", "RH201")])
def test_a_program_that_cannot_stand_in_is_refused(
    run: Callable[..., Ran], tmp_path: Path, source: str, complaint: str
) -> None:
    file = tmp_path / "bad.py"
    file.write_text(source)
    assert complaint in run("replace", "--heads", f"L0H1={file}").complaint


def test_the_best_program_of_a_head_stays_out_where_it_looks_ahead(run: Callable[..., Ran], workspace: Path) -> None:
    (workspace / "programs" / "ahead.py").write_text(AHEAD)
    document = run("explain", "--library-only", "--json").document
    chosen = {row["head"] for row in document["heads"] if row["program"] == "ahead"}
    assert set(document["neural"]) == chosen
    assert document["perplexity"]["curve"][-1]["replaced"] == 4 - len(chosen)

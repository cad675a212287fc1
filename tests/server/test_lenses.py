"""Lenses tell in text what a program is worth, and never a number of another text as if it were this one's."""

from __future__ import annotations

from typing import Any

import pytest

from readhead.engine import State
from readhead_server.annotations import Annotations
from readhead_server.documents import Document
from readhead_server.lenses import code_lenses
from server.documents_in_tests import PROGRAM, annotated, document, impacted, in_head, scored


def titles(
    opened: Document, notes: Annotations | None = None, state: State = "ready", *, trusted: bool = True
) -> list[str]:
    found = code_lenses(opened, notes or Annotations(), state, trusted=trusted)
    assert all(lens.command is not None and lens.range.start.line == opened.head_line for lens in found)
    return [lens.command.title for lens in found if lens.command is not None]


def test_a_head_has_its_score_over_its_floor_and_its_mode() -> None:
    opened = document()
    assert titles(opened, annotated(opened, scored(opened, rank=2, of=61))) == [
        "L1H3 IoU 0.620 (+0.22 over previous-token) · rank 2 of 61",
        "L1H3 is neural: flip",
    ]


def test_every_head_of_the_metadata_has_its_own() -> None:
    opened = document(PROGRAM.replace('["L1H3"]', '["L1H3", "L0H1"]'))
    found = titles(opened, annotated(opened, scored(opened)))
    assert found[0].startswith("L1H3 IoU")
    assert found[2] == "L0H1: not measured yet"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"coverage": 0.5}, "coverage 50%"),
        ({"inactive": True}, "inactive"),
        ({"look_ahead": "row 3 moves"}, "looks ahead"),
    ],
)
def test_what_makes_a_score_doubtful_stands_beside_it(changes: dict[str, Any], told: str) -> None:
    opened = document()
    assert f" · {told}" in titles(opened, annotated(opened, scored(opened, **changes)))[0]


def test_the_perplexity_stands_with_its_interval_and_says_when_it_is_of_another_text() -> None:
    opened = document()
    notes = annotated(opened, scored(opened), impacts={"L1H3": impacted(opened)})
    assert titles(opened, notes)[0].endswith(" · perplexity +2.5 % [1.5, 3.5]")
    notes.impacts["L1H3"] = impacted(opened, stamp={"text": "another"}, low=None, high=None)
    assert titles(opened, notes)[0].endswith(" · perplexity +2.5 % (stale)")
    notes.refused["L1H3"] = "it looks ahead"
    assert titles(opened, notes)[0].endswith(" · no surrogate")


def test_a_score_of_another_text_is_stale_and_tells_of_no_other_head() -> None:
    opened = document()
    notes = annotated(opened, scored(opened), other=scored(opened, "L0H1"))
    notes.stamp = "another"
    assert titles(opened, notes) == ["stale: L1H3 IoU 0.620 (+0.22 over previous-token)", "L1H3 is neural: flip"]


def test_the_best_other_head_can_be_explained_too() -> None:
    opened = document()
    last = code_lenses(opened, annotated(opened, scored(opened), other=scored(opened, "L0H1")), "ready", trusted=True)[
        -1
    ]
    assert last.command is not None
    assert last.command.title == "best other head: L0H1 IoU 0.620 (+0.22 over previous-token)"
    assert (last.command.command, last.command.arguments) == ("readhead.setBest", [opened.uri, "L0H1"])


def test_the_mode_tells_whether_it_is_this_text_that_runs() -> None:
    opened = document()
    for board, mode in (({}, "neural"), ({"L1H3": opened.stamp}, "program"), ({"L1H3": "x"}, "program (another text)")):
        assert titles(opened, annotated(opened, scored(opened), board=board))[1] == f"L1H3 is {mode}: flip"


def test_without_scores_the_lens_says_why() -> None:
    assert titles(document(), state="loading") == ["Readhead: the model is loaded"]
    assert titles(document(), Annotations(error="no such model")) == ["Readhead: no such model"]
    assert titles(document(in_head("return s.nope"))) == ["not run: 1 finding"]
    assert titles(document(in_head("return s.nope + s.nope"))) == ["not run: 2 findings"]
    assert titles(document(), trusted=False) == ["Readhead: the workspace is not trusted; nothing of it runs"]


@pytest.mark.parametrize(
    ("opened", "notes", "state", "command"),
    [
        (document(in_head("return s.nope")), Annotations(), "ready", "readhead.why"),
        (document(), Annotations(), "loading", "readhead.why"),
        (document(), Annotations(), "failed", "readhead.restart"),
        (document(), Annotations(), "closed", "readhead.restart"),
        (document(), Annotations(error="no room"), "ready", "readhead.score"),
    ],
)
def test_a_click_never_ends_an_engine_that_others_use(
    opened: Document, notes: Annotations, state: State, command: str
) -> None:
    (lens,) = code_lenses(opened, notes, state, trusted=True)
    assert lens.command is not None
    assert (lens.command.command, lens.command.arguments) == (command, [opened.uri])


def test_scores_stay_while_the_engine_is_started_again() -> None:
    opened = document()
    assert titles(opened, annotated(opened, scored(opened)), "restarting")[0].startswith("L1H3 IoU")

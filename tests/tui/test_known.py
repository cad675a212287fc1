"""What the app knows follows what the engine says, and drops what no longer holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from readhead.engine.results import text_stamp
from readhead.heads import HeadId
from readhead.program import parse
from readhead_tui.card import card_of
from readhead_tui.known import Alone, Candidate, Known, counted
from readhead_tui.watch import News
from tui.fake_workspace import FakeWorkspace
from tui.known_in_tests import known_of, learn_switches

HEAD = HeadId(0, 1)


@pytest.fixture
def workspace() -> FakeWorkspace:
    return FakeWorkspace(2, 3)


def test_nothing_is_known_at_first() -> None:
    known = Known()
    assert (known.geometry.size, known.cards, known.ranked, known.board) == (0, {}, False, {})
    assert known.iou(HEAD) is None
    assert known.lift(HEAD) is None
    assert known.mode(HEAD) == "neural"
    assert known.card(HEAD).best == ""


def test_facts_of_another_model_forget_what_was_known_of_the_heads(workspace: FakeWorkspace) -> None:
    known = known_of(workspace)
    known.impacts[HEAD] = Alone("", 1.0)
    assert not known.learn(workspace.facts())
    assert known.ranked
    workspace.model = "another"
    assert known.learn(workspace.facts())
    assert (known.cards, known.ranked, known.impacts, known.chosen, known.stale) == ({}, False, {}, {}, set())


def test_cards_without_best_programs_are_not_ranked(workspace: FakeWorkspace) -> None:
    workspace.is_ranked = False
    known = known_of(workspace)
    assert known.cards
    assert not known.ranked
    workspace.is_ranked = True
    known.learn_cards(workspace.cards())
    assert set(known.cards) == set(workspace.geometry.head_ids())
    assert known.ranked


def test_an_impact_is_told_of_the_text_that_it_was_measured_of(workspace: FakeWorkspace, tmp_path: Path) -> None:
    workspace.root = tmp_path
    known = known_of(workspace)
    other = HeadId(1, 1)
    known.impacts = {head: Alone(known.card(head).text, 1.0) for head in (HEAD, other)}
    row = workspace.row(HEAD, "def head(s):\n    return s.first\n", "symbolic", path=Path("x.py"), lift=3)
    workspace.written[str(HEAD)] = [row]
    known.learn_cards(workspace.cards())
    assert known.impact(HEAD) is None
    assert known.impact(other) == Alone(known.card(other).text, 1.0)


def test_new_cards_are_not_stale(workspace: FakeWorkspace) -> None:
    known = known_of(workspace)
    known.stale = {HEAD}
    known.learn_cards(workspace.cards())
    assert known.stale == set()


def test_a_switchboard_tells_which_heads_changed_and_ends_what_was_pending(workspace: FakeWorkspace) -> None:
    known = known_of(workspace)
    other = HeadId(1, 2)
    known.pending = {HEAD, other}
    workspace.change({str(HEAD): "one"})
    assert learn_switches(known, workspace) == {HEAD}
    assert known.pending == {other}
    assert known.mode(HEAD) == "program"
    workspace.change({str(HEAD): "another text"})
    assert learn_switches(known, workspace) == {HEAD}
    assert learn_switches(known, workspace) == set()
    assert known.board_stamp == workspace.switches()["fingerprint"] != ""


def test_the_best_heads_come_by_iou(workspace: FakeWorkspace) -> None:
    known = known_of(workspace)
    values = [known.iou(head) or 0 for head in known.best(4)]
    assert values == sorted(values, reverse=True)
    assert len(known.best(4)) == 4
    assert known.best(100) == workspace.best_first()


def test_lift_is_iou_over_the_floor(workspace: FakeWorkspace) -> None:
    known = known_of(workspace)
    card = known.card(HEAD)
    assert card.best_iou is not None
    assert known.lift(HEAD) == card.best_iou - card.trivial_iou


def test_a_candidate_is_read_from_what_the_engine_says_and_what_is_more_is_left_out(workspace: FakeWorkspace) -> None:
    row = workspace.candidates(str(HEAD))[0]
    candidate = Candidate.read(row | {"set_tokens": 3})
    assert (candidate.source, candidate.iou, candidate.origin) == (row["source"], row["iou"], "library")


@pytest.mark.parametrize(("number", "told"), [(0, "0 heads"), (1, "1 head"), (12, "12 heads")])
def test_numbers_are_told_with_their_noun(number: int, told: str) -> None:
    assert counted(number, "head") == told


def test_a_head_in_program_mode_may_run_another_text_than_its_best_program(workspace: FakeWorkspace) -> None:
    workspace.change({str(HEAD): workspace.best_source(str(HEAD))})
    known = known_of(workspace)
    assert known.is_best_on([HEAD])
    assert "not with its best" not in card_of(known, HEAD).plain
    workspace.change({str(HEAD): "def head(s):\n    return s.first\n"})
    learn_switches(known, workspace)
    assert known.runs_other(HEAD)
    assert not known.is_best_on([HEAD])
    assert "not with its best program" in card_of(known, HEAD).plain


def test_a_card_of_an_older_text_than_its_file_has_is_stale() -> None:
    known = Known()
    card = {
        "head": "L0H0",
        "trivial": "first",
        "trivial_iou": 0.1,
        "inactive": False,
        "best": "near",
        "path": "near.py",
    }
    old, new = (parse(f"def head(s):\n    return s.decay({decay})\n", name="near") for decay in (3, 4))
    known.learn_cards([card | {"text": text_stamp(old.source)}])
    known.learn_files(News(frozenset({"near.py"}), {"near.py": new}))
    assert known.stale == {HeadId(0, 0)}
    known.learn_cards([card | {"text": text_stamp(old.source)}])
    assert known.stale == {HeadId(0, 0)}, "what was ranked was the older text"
    known.learn_cards([card | {"text": text_stamp(new.source)}])
    assert not known.stale

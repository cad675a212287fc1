"""Flipping heads, undoing it, measuring, saving and loading what stands, key by key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from readhead.engine.client import EngineError
from readhead.heads import HeadId
from tui.covered import covers
from tui.fake_engine import FakeEngine
from tui.running import running

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


@covers("flip")
async def test_space_flips_the_head_under_the_cursor_and_back(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("right", "space")
        await here.settled()
        assert engine.workspace.board == {"L0H1": engine.workspace.best_source("L0H1")}
        assert "●" in here.line("#map").splitlines()[1]
        assert "1 of 32 heads" in here.line("#perplexity-line")
        await here.press("space")
        await here.settled()
        assert engine.workspace.board == {}
        assert "●" not in here.screen


async def test_selected_heads_are_flipped_together_to_program_until_all_are(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("space", "v", "down", "v", "down", "v", "space")
        await here.settled()
        assert set(engine.workspace.board) == {"L0H0", "L1H0", "L2H0"}
        await here.press("space")
        await here.settled()
        assert engine.workspace.board == {}


@covers("flip_row")
async def test_a_layer_is_flipped_as_far_as_it_is_shown(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine, head="L2H0") as here:
        await here.press("ctrl+r")
        await here.settled()
        assert set(engine.workspace.board) == {f"L2H{index}" for index in range(8)}
        await here.press("ctrl+r", "slash")
        await here.type("head < 2")
        await here.press("ctrl+r")
        await here.settled()
        assert set(engine.workspace.board) == {"L2H0", "L2H1"}


@covers("flip_best")
async def test_the_best_heads_are_flipped_as_many_as_is_said(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("b")
        await here.type("many")
        assert "'many' is no number of heads; 1 to 32" in here.screen
        await here.press(*["backspace"] * 4)
        await here.type("5")
        await here.settled()
        assert {HeadId.parse(head) for head in engine.workspace.board} == set(engine.workspace.best_first()[:5])


@covers("all_neural")
async def test_every_head_goes_back_to_neural(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("space", "ctrl+r")
        await here.settled()
        assert len(engine.workspace.board) == 8
        await here.press("ctrl+n")
        await here.settled()
        assert engine.workspace.board == {}


@covers("undo", "redo")
async def test_flips_are_undone_and_done_again(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("space", "right", "space")
        await here.settled()
        seen = []
        for key in ("u", "u", "r", "ctrl+y"):
            await here.press(key)
            await here.settled()
            seen.append(sorted(engine.workspace.board))
        assert seen == [["L0H0"], [], ["L0H0"], ["L0H0", "L0H1"]]
        assert len(here.app.timeline.moments) == 3


async def test_two_undos_at_once_undo_two_flips(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("space", "right", "space")
        await here.settled()
        held = engine.hold("flip")
        await here.press("u", "u")
        held.release()
        await here.settled()
        assert engine.workspace.board == {}
        assert (here.app.timeline.place, len(here.app.timeline.moments)) == (0, 3)


async def test_a_flip_on_its_way_is_not_undone_before_it_is_there(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("space")
        await here.settled()
        held = engine.hold("flip")
        await here.press("right", "space", "u")
        assert here.told("that flip is still on its way")
        held.release()
        await here.settled()
        assert set(engine.workspace.board) == {"L0H0", "L0H1"}


async def test_an_undo_that_fails_can_be_tried_again(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("space")
        await here.settled()
        engine.fail_next("flip", EngineError("RH600", "the disk is full", "make room"))
        await here.press("u")
        await here.settled()
        assert here.told("the disk is full\nmake room")
        await here.press("u")
        await here.settled()
        assert engine.workspace.board == {}


async def test_an_undo_of_a_chosen_program_brings_back_that_text(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine, view="head") as here:
        await here.press("o", "space")
        await here.settled()
        before = dict(engine.workspace.board)
        await here.press("space", "u")
        await here.settled()
        assert engine.workspace.board == before


async def test_any_moment_can_be_gone_back_to_from_the_table_of_flips(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("space", "right", "space", "right", "space", "3")
        await here.settled()
        assert here.line("#moments").count("→ program") == 3
        await here.press("up", "up", "enter")
        await here.settled()
        assert sorted(engine.workspace.board) == ["L0H0"]
        assert "▶" in here.line("#moments").splitlines()[2]


async def test_a_head_whose_program_may_not_stand_in_stays_neural_and_the_reason_is_told(tmp_path: Path) -> None:
    engine = FakeEngine()
    engine.workspace.unfit["L0H0"] = "it looks ahead"
    async with running(tmp_path, engine) as here:
        await here.press("space")
        await here.settled()
        assert here.told("1 head stayed neural. L0H0: it looks ahead")
        assert here.app.known.pending == set()
        assert "◌" not in here.screen


@covers("controls")
async def test_controls_are_measured_on_the_same_heads(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("space", "3", "c")
        await here.settled()
        assert engine.asked("perplexity")[-1]["controls"] == ["zero", "uniform", "first"]
        assert "zero +9.0 %, uniform +6.0 %, first +4.0 %" in here.screen


@covers("save_board", "load_board")
async def test_a_switchboard_is_saved_and_gone_on_with(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine) as here:
        await here.press("3", "O")
        assert "none is saved" in here.screen
        await here.press("escape", "1", "space", "S")
        await here.type("../there")
        assert "'../there' is no name" in here.screen
        await here.press(*["backspace"] * 8)
        await here.type("mine")
        await here.settled()
        file = tmp_path / "switchboards" / "mine.json"
        assert json.loads(file.read_text("utf-8")) == engine.workspace.board
        assert here.told("1 head in")
        await here.press("ctrl+n", "3", "O")
        assert "saved: mine" in here.screen
        await here.type("")
        await here.settled()
        assert sorted(engine.workspace.board) == ["L0H0"]


async def test_a_switchboard_that_was_never_saved_is_told(tmp_path: Path) -> None:
    async with running(tmp_path, view="perplexity") as here:
        await here.press("O")
        await here.type("nothing")
        await here.until(lambda: here.told("cannot be read"), "a word about it")


@covers("export")
async def test_the_command_line_names_the_workspace_and_the_saved_switchboard(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.press("space", "3", "x")
        await here.settled()
        file = tmp_path / "switchboards" / f"{here.app.known.board_stamp}.json"
        assert file.is_file()
        command = f"readhead replace --workspace {tmp_path} --switchboard {file} --part dev"
        assert here.told(command)
        assert here.app.clipboard == command

"""The table of actions: each one is reached, explained, tested, and says why it cannot be done."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.command import CommandPalette

from readhead_tui.actions import ACTIONS, BY_ID, VIEWS, Action, _always
from readhead_tui.bars import key_name
from readhead_tui.commands import ActionCommands
from readhead_tui.preferences import Preferences
from tui.covered import covered_actions
from tui.fake_engine import FakeEngine
from tui.running import running

ACTION = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
VIEW = pytest.mark.parametrize("view", VIEWS)
DISABLED = [action for action in ACTIONS if action.why_not is not _always]


def keys_of(action: Action) -> tuple[str, ...]:
    return Preferences().keys_of(action)


@ACTION
def test_every_action_has_a_test(action: Action) -> None:
    assert action.id in covered_actions(), f'no test says @covers("{action.id}")'


@ACTION
def test_every_action_is_named_and_explained(action: Action) -> None:
    assert action.label.strip()
    assert len(action.label) <= 16
    assert action.meaning.endswith(".")
    assert set(action.views) <= set(VIEWS)
    assert action.keys or not action.in_footer, "the footer shows keys"


def test_ids_are_different() -> None:
    assert len(BY_ID) == len(ACTIONS)


@VIEW
def test_no_key_means_two_things_in_a_view(view: str) -> None:
    meanings: dict[str, str] = {}
    for action in ACTIONS:
        for key in keys_of(action) if action.is_in(view) else []:
            assert key not in meanings, f"{key}: {meanings[key]} and {action.id}"
            meanings[key] = action.id


@pytest.mark.slow
@pytest.mark.asyncio
async def test_every_key_reaches_its_action_in_its_views(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        for view in VIEWS:
            here.app.show_view(view)
            await here.settled()
            bound = here.app.screen.active_bindings
            for action in ACTIONS:
                for key in keys_of(action) if action.is_in(view) else []:
                    does = {f"do('{action.id}')", "select_cursor"}  # the row of a table, which does the same
                    assert bound[key].binding.action in does, f"{key} in {view}"


@pytest.mark.asyncio
async def test_the_footer_shows_the_keys_of_the_view_and_no_others(tmp_path: Path) -> None:
    async with running(tmp_path, size=(400, 24)) as here:
        for view in VIEWS:
            here.app.show_view(view)
            await here.settled()
            wanted = {
                f" {key_name(keys_of(action))}  {action.label} "
                for action in ACTIONS if action.in_footer and action.is_in(view)
            }  # fmt: skip
            shown = here.line("#keys") + " "
            assert {piece for piece in wanted if piece not in shown} == set()
            assert len(shown.strip()) == len("".join(wanted).strip()), f"nothing else in {view}"


@pytest.mark.slow
@pytest.mark.asyncio
async def test_the_footer_of_a_narrow_screen_keeps_help_and_quit_and_cuts_no_word(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        for width in (40, 57, 80):
            await here.pilot.resize_terminal(width, 24)
            for view in VIEWS:
                here.app.show_view(view)
                await here.deal()
                shown = here.line("#keys")
                assert " ?  help " in shown
                assert " q  quit" in shown
                assert len(shown) <= width
                assert any(shown.endswith(f" {action.label}") for action in ACTIONS), shown


@pytest.mark.slow
@pytest.mark.asyncio
async def test_every_action_is_in_the_help_those_of_the_view_first(tmp_path: Path) -> None:
    async with running(tmp_path, size=(110, 250)) as here:
        for view in ("map", "write"):
            here.app.show_view(view)
            await here.press("question_mark")
            lines = here.screen.splitlines()
            for action in ACTIONS:
                assert any(f" {action.id} " in f"{line} " for line in lines), action.id
            names = {*VIEWS.values(), "Everywhere"}
            headings = [line.lstrip("▀ ") for line in lines if line.lstrip("▀ ") in names]
            assert headings[:2] == [VIEWS[view], "Everywhere"], "what counts here comes first"
            await here.press("escape")


@pytest.mark.asyncio
async def test_what_cannot_be_done_says_why(tmp_path: Path) -> None:
    async with running(tmp_path, FakeEngine(opens=False)) as here:
        tried = set()
        for view in VIEWS:
            here.app.show_view(view)
            for action in DISABLED:
                if not action.is_in(view):
                    continue
                reason = action.why_not(here.app)
                assert reason, f"{action.id} can be done before the engine is ready"
                here.app.clear_notifications()
                await here.press(keys_of(action)[0])
                assert here.notifications == [f"{action.label}: {reason}"]
                assert len(here.app.screen_stack) == 1, "no question is asked"
                tried.add(action.id)
        assert {name for name, _ in here.engine.calls} <= {"candidates"}, "which waits until it is ready"
        assert tried == {action.id for action in DISABLED}


@pytest.mark.asyncio
async def test_what_waits_for_the_ranking_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, FakeEngine(ranked=False)) as here:
        for key in ("space", "b", "i", "ctrl+r"):
            here.app.clear_notifications()
            await here.press(key)
            assert here.told("the programs are still being ranked"), key
        here.engine.finish_ranking()
        await here.settled()
        await here.press("space")
        await here.settled()
        assert set(here.engine.workspace.board) == {"L0H0"}


# ---- other keys --------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_keys_of_the_preferences_take_the_place_of_the_usual_ones(tmp_path: Path) -> None:
    preferences = Preferences(keys={"flip": "f5,!", "help": "f2", "open": "f6"})
    async with running(tmp_path, preferences=preferences) as here:
        await here.press("space")
        await here.settled()
        assert here.engine.workspace.board == {}
        for key in ("f5", "right", "exclamation_mark"):
            await here.press(key)
            await here.settled()
        assert set(here.engine.workspace.board) == {"L0H0", "L0H1"}
        assert " f5  flip " in here.line("#keys")
        await here.press("f2")
        assert "f5 !" in here.screen
        await here.press("escape", "f6")
        assert here.app.view == "head"


@pytest.mark.asyncio
async def test_a_key_that_is_given_away_in_one_view_stays_in_the_others(tmp_path: Path) -> None:
    async with running(tmp_path, preferences=Preferences(keys={"flip_best": "f6"})) as here:
        here.app.show_view("curve")
        await here.settled()
        assert here.app.screen.active_bindings["b"].binding.action == "do('budget')"


# ---- the palette -------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_palette_offers_every_action(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        provider = ActionCommands(here.app.screen)
        offered = [hit.help async for hit in provider.discover()]
        assert offered == [action.meaning for action in ACTIONS]
        for action in ACTIONS:
            found = [hit.help async for hit in provider.search(action.label)]
            assert action.meaning in found, action.label


@pytest.mark.asyncio
async def test_the_palette_does_an_action_of_another_view_there(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await here.press("ctrl+p")
        await here.until(lambda: isinstance(here.app.screen, CommandPalette), "the palette")
        await here.press(*"other program")
        await here.until_seen("The next of the programs")
        await here.press("enter")
        await here.settled()
        await here.until(lambda: here.app.view == "head", "the view of the action")
        await here.settled()
        assert not isinstance(here.app.screen, CommandPalette)


@pytest.mark.asyncio
@pytest.mark.parametrize("keys", [["pageup"], ["pagedown", "enter"], ["f", "enter", "enter"], ["enter", "escape"]])
async def test_keys_that_come_faster_than_the_palette_are_no_crash(tmp_path: Path, keys: list[str]) -> None:
    async with running(tmp_path) as here:
        here.send("ctrl+p")
        for key in keys:
            here.send(key)
        await here.settled()
        await here.press("escape", "escape")
        assert here.app.is_running

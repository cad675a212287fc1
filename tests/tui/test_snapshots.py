"""What each state looks like. After a wanted change of looks:

    python -m pytest tests/tui/test_snapshots.py -m slow --snapshot-update

and look at the pictures in `tests/tui/__snapshots__` before they are kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from readhead_tui.app import ReadheadApp
from readhead_tui.colourings import COLOURINGS
from readhead_tui.preferences import Preferences
from tui.fake_engine import FakeEngine
from tui.fake_workspace import FakeWorkspace
from tui.running import SIZE, Running, make_app, welcomed
from tui.scripted_engine import ScriptedEngine, Shown

if TYPE_CHECKING:
    from textual.pilot import Pilot

pytestmark = pytest.mark.slow

Compare = Callable[..., bool]
Do = Callable[[Running], Awaitable[None]]


@pytest.fixture
def looks_the_same(snap_compare: Compare, tmp_path: Path) -> Callable[..., bool]:
    """Whether the app, on a fake engine and at rest, looks as it did after some deeds."""

    def compare(
        *keys: str,
        engine: FakeEngine | None = None,
        size: tuple[int, int] = SIZE,
        preferences: Preferences | None = None,
        first_time: bool = False,
        then: Do | None = None,
        **known: object,
    ) -> bool:
        root = Path("/workspace")  # as it is told; what is remembered lies elsewhere
        here = engine or FakeEngine()
        if not first_time:
            welcomed(tmp_path, **known)
        app = make_app(tmp_path, here, preferences)

        async def deeds(pilot: Pilot[None]) -> None:
            running = Running(app, here, pilot)
            await rest(running)
            for key in keys:
                await running.press(key)
                await rest(running)
            if then is not None:
                await then(running)
            app.clear_notifications()
            app.root = root
            await rest(running)

        return snap_compare(app, terminal_size=size, run_before=deeds)

    return compare


async def rest(here: Running) -> None:
    """Wait until all is learnt and drawn."""
    if here.engine.opens:
        await here.until(lambda: here.app.timeline.now, "a first switchboard")
        await here.settled()
    await here.deal()
    await here.settled()


def measured(workspace: FakeWorkspace | None = None) -> FakeEngine:
    """An engine with some heads in program mode, one of which may not be."""
    engine = FakeEngine(workspace or FakeWorkspace(6, 8))
    engine.workspace.unfit["L1H2"] = "it looks ahead"
    for head in ("L0H1", "L2H3", "L2H4"):
        engine.workspace.change({head: engine.workspace.best_source(head)})
    return engine


@pytest.mark.parametrize("colouring", COLOURINGS)
def test_the_map(looks_the_same: Callable[..., bool], colouring: str) -> None:
    keys = ["i"] if colouring == "impact" else []
    assert looks_the_same(*keys, "v", "down", "right", engine=measured(), colouring=colouring)


def test_the_map_of_a_large_terminal(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same("down", "right", engine=measured(FakeWorkspace(24, 16)), size=(200, 50))


def test_the_map_of_more_heads_than_there_is_room_for(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same("down", "end", "space", engine=measured(FakeWorkspace(40, 50)))


def test_the_map_without_colour(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same("right", engine=measured(), preferences=Preferences(palette="none"))


def test_the_map_while_programs_are_ranked_and_a_flip_is_on_its_way(looks_the_same: Callable[..., bool]) -> None:
    async def flip(here: Running) -> None:
        held = here.engine.hold("flip")
        await here.press("space")
        await here.until(lambda: held.is_reached, "a flip on its way")
        here.engine.say("progress", stage="ranking", done=12, total=32)
        await here.until_seen("12/32")
        here.app.workers.cancel_all()
        here.app.known.pending = {here.app.head}
        here.app.redraw_heads()

    assert looks_the_same(engine=measured(), then=flip)


def test_a_filtered_map(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same(engine=measured(), filter="lift > 0.1", colouring="lift")


def test_a_head(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same("pagedown", engine=measured(), view="head", head="L2H3")


def test_a_head_in_a_large_terminal(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same("pagedown", engine=measured(), view="head", head="L2H3", size=(200, 50))


def test_a_head_without_colour(looks_the_same: Callable[..., bool]) -> None:
    none = Preferences(palette="none")
    assert looks_the_same("pagedown", engine=measured(), view="head", head="L2H3", preferences=none)


def test_a_text_of_the_user(looks_the_same: Callable[..., bool]) -> None:
    async def ask(here: Running) -> None:
        await here.press("t")
        await here.type("The frog sat on a log and the frog was happy")
        await here.settled()
        await here.press("pagedown")

    assert looks_the_same(engine=measured(), view="head", head="L0H1", then=ask)


def test_the_program_alone(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same("p", "o", engine=measured(), view="head", head="L2H3")


def test_one_picture_alone(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same("m", "m", "m", engine=measured(), view="head", head="L2H3")


def test_a_head_before_the_ranking(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same(engine=FakeEngine(ranked=False), view="head", head="L2H3")


def test_the_perplexity(looks_the_same: Callable[..., bool]) -> None:
    async def flip(here: Running) -> None:
        await here.press("space", "right", "space")
        here.engine.flip_elsewhere("L3H1", "L3H2", "L3H3", "L3H4")
        await here.settled()
        await here.press("u")
        await here.settled()
        await here.press("3", "c")
        await here.settled()

    assert looks_the_same(engine=measured(), then=flip)


def test_the_perplexity_in_a_large_terminal(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same("space", "right", "space", "3", engine=measured(), size=(200, 50))


def test_the_help(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same("question_mark")


def test_the_first_screen(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same(first_time=True)


def test_a_question_with_a_wrong_answer(looks_the_same: Callable[..., bool]) -> None:
    async def ask(here: Running) -> None:
        await here.press("slash")
        await here.type("size < 3")

    assert looks_the_same(engine=measured(), then=ask)


def test_an_engine_that_starts(looks_the_same: Callable[..., bool]) -> None:
    async def load(here: Running) -> None:
        here.engine.go("loading")
        here.engine.say("progress", stage="patterns", done=3, total=9)
        await here.until_seen("3/9")

    assert looks_the_same(engine=FakeEngine(opens=False), then=load)


def test_an_engine_that_failed(looks_the_same: Callable[..., bool]) -> None:
    async def fail(here: Running) -> None:
        here.engine.fail("there is no model 'nano'", "name another one in readhead.toml")
        await here.until_seen("engine failed")

    assert looks_the_same(engine=FakeEngine(opens=False), then=fail)


def test_a_terminal_that_is_too_small(looks_the_same: Callable[..., bool]) -> None:
    assert looks_the_same(size=(36, 10))


@pytest.mark.parametrize("view", ["map", "head", "perplexity"])
def test_the_smallest_terminal(looks_the_same: Callable[..., bool], view: str) -> None:
    assert looks_the_same(engine=measured(), size=(40, 12), view=view)


@pytest.mark.parametrize(
    ("view", "key", "done"),
    [("curve", "m", "+10.0 %  [+7.0"), ("generate", "enter", "big dog")],
    ids=["curve", "generate"],
)
def test_what_takes_its_time_when_it_is_done(
    snap_compare: Compare, tmp_path: Path, view: str, key: str, done: str
) -> None:
    engine = ScriptedEngine(board={"L0H1": "# mine", "L2H3": "# mine"})
    app = ReadheadApp(welcomed(tmp_path, view=view), attach=engine.attach)
    app.animation_level = "none"

    async def deeds(pilot: Pilot[None]) -> None:
        here = Shown(app, pilot, engine)
        await here.until(lambda: app.timeline.now and app.timeline.now.impact and app.known.cards)
        await here.press(key)
        await here.until(lambda: done in here.screen)
        await here.until(lambda: not any(worker.is_running for worker in app.workers))
        app.clear_notifications()
        app.root = Path("/workspace")
        await here.press()

    assert snap_compare(app, terminal_size=SIZE, run_before=deeds)

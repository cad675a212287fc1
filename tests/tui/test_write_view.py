"""Writing programs for a head: runs and what they tell, one at a time, cancelled, failed, taken and kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.conftest import environment
from core.drafts_in_tests import reply, serving
from core.served_works import make_workspace
from ollama_stand_in import StandIn
from readhead_tui.app import ReadheadApp
from readhead_tui.remembered import Remembered
from readhead_tui.write_view import WriteView
from tui.covered import covers
from tui.little_engine import Here, LittleEngine, broken_off, program, run

pytestmark = pytest.mark.slow

ABSENT = ("the model coder is not there; installed: other:latest", "ollama pull coder")
STATES = {
    "not installed": ("nothing answers, and there is no ollama", "install it from ollama.com"),
    "not running": ("nothing answers at http://127.0.0.1:11434", "run ollama serve"),
    "model absent": ABSENT,
    "context too small": ("coder reads 4096 tokens, and 8192 are needed", "name a model with a longer context"),
}
STEPS: list[dict[str, Any]] = [
    {"about": "L0H0", "name": "write", "stage": "writes", "iou": None, "tokens": 12, "seconds": 0.5},
    {"about": "L0H0", "name": "write", "stage": "answered", "iou": None, "tokens": 120, "seconds": 1.5},
    {"about": "L0H0", "name": "#1", "stage": "kept", "iou": 0.6, "tokens": 40, "seconds": 0.1},
    {"about": "L0H0", "name": "#2", "stage": "refused", "iou": None, "tokens": 30, "seconds": 0.1},
]


def view(running: Here) -> WriteView:
    return running.app.write_view


# ---- runs ------------------------------------------------------------------------------------------------------------


@covers("search")
@pytest.mark.parametrize("from_view", ["map", "head", "write"])
def test_a_search_shows_its_programs_closest_first_with_floor_and_best(tmp_path: Path, from_view: str) -> None:
    async def work(running: Here) -> None:
        running.app.show_view(from_view)
        await running.press("s")
        assert running.app.view == "write"
        await running.seen("symbolic search: done", "0.380")
        rows = [line.split() for line in running.screen.splitlines() if "search" in line and line.strip()[0] in "★◆0"]
        assert [row[1:4] for row in rows[:1]] == [["0.380", "+0.180", "+0.080"]]
        assert rows[0][0] == "★"
        assert [row[0] for row in rows[1:]] == ["◆", "0.310"]
        assert "Look at the first token." in running.screen
        assert "return 0.38 * s.first" in running.screen

    run(tmp_path, work)


@covers("more_terms", "fewer_terms")
def test_the_search_takes_the_terms_that_are_set(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        running.app.show_view("write")
        await running.press("plus", "plus", "minus", "s")
        await running.seen("symbolic search: done", "up to 12 terms")
        assert running.engine.asked("front") == [{"head": "L0H0", "terms": 12}]
        await running.press(*["minus"] * 20)
        assert view(running).terms == 1
        await running.press(*["plus"] * 20)
        assert view(running).terms == 32

    run(tmp_path, work)


def test_while_the_search_runs_its_progress_and_its_seconds_are_seen(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        gate = running.engine.hold("front")
        await running.press("s")
        running.engine.say("progress", stage="synthesize", done=0, total=1)
        await running.seen("symbolic search: running", "at work", "esc cancels")
        gate.set()
        await running.seen("symbolic search: done")

    run(tmp_path, work)


@covers("ask", "steps")
def test_a_language_model_s_steps_are_told_as_they_come_and_add_up(tmp_path: Path) -> None:
    engine = LittleEngine(tmp_path)
    engine.parts["draft"] = STEPS

    async def work(running: Here) -> None:
        gate = engine.hold("draft")
        await running.press("a")
        await running.seen("Ollama drafts: running", "answered", "#1", "refused", "not allowed, or not Python")
        await running.seen("2 programs: 1 kept, 1 refused; 120 tokens")
        assert running.screen.count("write  ") == 1
        gate.set()
        await running.seen("Ollama drafts: done", "a prompt was cut", "0.600", "Read the past.")
        assert "#1" not in running.screen
        await running.press("v")
        await running.seen("#1")
        await running.press("v")
        await running.seen("return 0.6 * s.first")

    run(tmp_path, work, engine)


@covers("refine")
def test_the_shown_program_is_refined(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        await running.press("f")
        await running.seen("Ollama refines every: done", "0.700", "Refined.")
        (given,) = running.engine.asked("refine")
        assert (given["head"], given["name"]) == ("L0H0", "every")
        assert "s.every" in given["source"]

    run(tmp_path, work)


def test_a_program_that_is_kept_as_it_was_is_told_with_the_reason(tmp_path: Path) -> None:
    engine = LittleEngine(tmp_path)
    engine.answers["refine"] = {"changed": False, "kept": "no revision is closer", "notes": ["a note"], "source": ""}

    async def work(running: Here) -> None:
        await running.press("f")
        await running.seen("every is kept as it was: no revision is closer", "a note")
        assert view(running).found is None

    run(tmp_path, work, engine)


def test_what_is_found_stays_beside_what_another_run_finds(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        await running.press("s")
        await running.seen("symbolic search: done")
        await running.press("a")
        await running.seen("Ollama drafts: done")
        assert view(running).writing is not None
        by = [each.candidate.origin for each in view(running).writing.found]  # type: ignore[union-attr]  # as asserted
        assert by == ["ollama", "symbolic", "symbolic", "symbolic"]

    run(tmp_path, work)


# ---- one at a time, cancelled, failed --------------------------------------------------------------------------------


def test_one_run_at_a_time_whichever_the_head_and_another_says_why_not(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        gate = running.engine.hold("front")
        await running.press("s")
        await running.press("right_square_bracket")
        await running.until(lambda: running.app.head.index == 1)
        await running.seen("L0H1   floor", "s searches")
        await running.press("a")
        await running.until(lambda: "L0H0 is being worked on (symbolic search)" in running.told)
        assert running.engine.asked("draft") == []
        gate.set()
        await running.until(lambda: not view(running).why_not_begin())
        assert "s searches" in running.screen
        await running.press("left_square_bracket")
        await running.seen("L0H0   floor", "symbolic search: done", "0.380")

    run(tmp_path, work)


@covers("cancel")
def test_escape_ends_the_engine_s_work_and_keeps_the_steps(tmp_path: Path) -> None:
    engine = LittleEngine(tmp_path)
    engine.parts["draft"] = STEPS

    async def work(running: Here) -> None:
        engine.hold("draft")
        await running.press("a")
        await running.seen("#1")
        await running.press("escape")
        await running.seen("Ollama drafts: cancelled", "#1", "refused")
        await running.until(lambda: engine.cancelled == ["draft"])
        await running.press("escape")
        await running.until(lambda: "nothing is being written" in running.told)
        await running.press("s")
        await running.seen("symbolic search: done")

    run(tmp_path, work, engine)


def test_a_run_that_is_cancelled_before_it_began_leaves_room_for_the_next(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        running.app.write("search")
        view(running).cancel()
        await running.seen("symbolic search: cancelled")
        await running.press("s")
        await running.seen("symbolic search: done")

    run(tmp_path, work)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("key", ["a", "f"])
def test_a_server_that_cannot_be_asked_stands_in_the_view_with_its_cure(tmp_path: Path, state: str, key: str) -> None:
    message, cure = STATES[state]
    engine = LittleEngine(tmp_path)
    error = {"code": "RH600", "message": message, "hint": cure}
    engine.answers["draft"] = {"programs": [], "notes": [], "error": error}
    engine.answers["refine"] = broken_off(message, cure)

    async def work(running: Here) -> None:
        await running.press(key)
        await running.seen(": failed", message, f"→ {cure}")
        await running.until(lambda: message in running.told)

    run(tmp_path, work, engine)


def test_programs_that_came_before_the_server_failed_are_there(tmp_path: Path) -> None:
    engine = LittleEngine(tmp_path)
    rows = [engine.row(program(0.6), "ollama")]
    error = {"code": "RH600", "message": "the server is gone", "hint": "start it"}
    engine.answers["draft"] = {"programs": rows, "notes": [], "error": error}

    async def work(running: Here) -> None:
        await running.press("a")
        await running.seen("Ollama drafts: failed", "the server is gone", "0.600")

    run(tmp_path, work, engine)


def test_leaving_in_the_midst_of_a_run_is_no_failure(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        running.engine.hold("draft")
        await running.press("a")
        await running.seen("Ollama drafts: running")

    run(tmp_path, work)


# ---- what is found ---------------------------------------------------------------------------------------------------


@covers("use")
def test_a_program_is_taken_for_the_head_and_a_flip_takes_it(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        await running.press("s")
        await running.seen("symbolic search: done")
        await running.press("down", "enter")
        await running.until(lambda: "shown for L0H0" in running.told)
        await running.seen("◆▶")
        chosen = running.app.known.chosen[running.app.head]
        assert chosen.iou == 0.32
        await running.press("2")
        await running.seen("new (symbolic)", "IoU 0.320")

    run(tmp_path, work)


@covers("keep")
def test_a_program_is_kept_as_a_file_and_the_map_knows_it(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        await running.press("s")
        await running.seen("symbolic search: done")
        await running.press("w")
        path = tmp_path / "programs" / "L0H0_kept.py"
        await running.until(path.is_file)
        await running.until(lambda: "is kept as" in running.told)
        await running.until(lambda: running.app.known.card(running.app.head).path == str(path))
        await running.press("1")
        await running.seen("L0H0_kept", "IoU 0.380")
        assert running.app.known.chosen[running.app.head].path == str(path)

    run(tmp_path, work)


def test_a_click_goes_to_a_program_and_a_second_one_takes_it(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        await running.press("s")
        await running.seen("symbolic search: done", "0.310")
        await running.pilot.click("#found", offset=(20, 3), times=2)
        await running.seen("return 0.31 * s.first")
        assert view(running).place == 2
        await running.until(lambda: running.app.known.chosen[running.app.head].iou == 0.31)

    run(tmp_path, work)


@pytest.mark.parametrize("key", ["enter", "w"])
def test_without_a_program_there_is_nothing_to_take(tmp_path: Path, key: str) -> None:
    async def work(running: Here) -> None:
        running.app.show_view("write")
        await running.press(key)
        await running.until(lambda: "nothing was found for L0H0 yet" in running.told)

    run(tmp_path, work)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 50)])
def test_tables_and_program_stand_in_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    engine = LittleEngine(tmp_path)
    engine.parts["draft"] = STEPS

    async def work(running: Here) -> None:
        await running.press("a")
        await running.seen("Ollama drafts: done", "0.600")
        if size[0] >= 200:
            await running.seen("#1", "return 0.6 * s.first")

    run(tmp_path, work, engine, size=size)


# ---- the engine and a server -----------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[StandIn]:
    near, even = "def head(s):\n    return 2 * s.previous(1) + s.first\n", "def head(s):\n    return s.every\n"
    with serving(*[reply(near, even)] * 8) as standing:
        yield standing


def test_search_and_language_model_write_for_a_head_of_the_engine(
    tmp_path: Path, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    make_workspace(tmp_path)
    with (tmp_path / "readhead.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'\n[ollama]\nmodel = "coder"\nhost = {json.dumps(server.url)}\n')
    Remembered(welcomed=True).write(tmp_path)

    async def go() -> None:
        app = ReadheadApp(tmp_path)
        async with app.run_test(size=(80, 24)) as pilot:
            running = Here(app, None, pilot)  # type: ignore[arg-type]  # a real one
            await running.until(lambda: app.known.ranked, 90)
            await running.press("minus", "s")
            await running.seen("symbolic search: done", seconds=60)
            await running.press("a")
            await running.seen("Ollama drafts: done", seconds=90)
            assert app.write_view.writing is not None
            assert {each.candidate.origin for each in app.write_view.writing.found} == {"symbolic", "ollama"}
            await running.press("w")
            await running.until(lambda: list((tmp_path / "programs").glob("L0H0.py")))
            kept = str(tmp_path / "programs" / "L0H0.py")
            await running.until(lambda: any(row["path"] == kept for row in app.known.card(app.head).others), 20)

    asyncio.run(go())

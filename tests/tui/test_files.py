"""Program files that others change: seen, ranked again, marked meanwhile; broken ones are told."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import pytest

from core.conftest import environment
from core.served_works import make_workspace
from readhead.heads import HeadId
from readhead_tui.app import ReadheadApp
from readhead_tui.known import Candidate
from readhead_tui.remembered import Remembered
from readhead_tui.watch import look
from tui.little_engine import Here, program, run, with_file

pytestmark = pytest.mark.slow

HEAD = HeadId(0, 0)


# ---- what is in a folder ---------------------------------------------------------------------------------------------


def test_files_that_the_engine_does_not_read_are_not_looked_at(tmp_path: Path) -> None:
    for name in (".git/x.py", "deep/.#x.py", "__init__.py", "deep/one.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(program(0.5), "utf-8")
    stamps, news = look(tmp_path, None)
    assert list(stamps) == [str(tmp_path / "deep" / "one.py")]
    assert news.files == frozenset()


def test_a_broken_file_is_told_with_its_line_and_the_heads_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(program(0.5, "L1H0") + "x = [1,\n", "utf-8")
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe")
    _, news = look(tmp_path, None)
    assert news.broken[str(path)].told.startswith("mine.py, line 11: not Python")
    assert news.broken[str(path)].heads == {HeadId(1, 0)}
    assert "not UTF-8" in news.broken[str(tmp_path / "binary.py")].told


# ---- on the screen ---------------------------------------------------------------------------------------------------


def test_a_saved_program_is_stale_until_it_is_ranked(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        gate = running.engine.hold("rank")
        (tmp_path / "programs" / "L0H0.py").write_text(program(0.7), "utf-8")
        await running.until(lambda: running.app.known.stale == {HEAD})
        await running.seen(".50~", "changed since: ~")
        running.app.show_view("head")
        await running.seen("~ the file has changed")
        gate.set()
        await running.seen("IoU 0.700")
        assert "~" not in running.screen
        assert running.app.known.stale == set()

    run(tmp_path, work, with_file(tmp_path))


def test_a_new_file_and_a_gone_one_change_the_map(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        path = tmp_path / "programs" / "L1H1.py"
        path.write_text(program(0.9, "L1H1"), "utf-8")
        await running.seen(".90")
        path.unlink()
        await running.until(lambda: ".90" not in running.screen)
        assert running.app.known.card(HeadId(1, 1)).best == "every"

    run(tmp_path, work)


def test_a_broken_file_stands_on_the_map_until_it_is_mended(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        path = tmp_path / "programs" / "L0H0.py"
        path.write_text(program(0.5) + "x = [1,\n", "utf-8")
        await running.seen(".30!", "! L0H0.py, line 11: not Python")
        assert "broken programs: L0H0.py, line 11" in running.told
        running.app.show_view("head")
        await running.seen("! L0H0.py, line 11")
        running.app.show_view("map")
        path.write_text(program(0.6), "utf-8")
        await running.seen(".60 ")
        assert "!" not in running.screen

    run(tmp_path, work, with_file(tmp_path))


def test_files_that_are_broken_at_the_start_are_told_once(tmp_path: Path) -> None:
    engine = with_file(tmp_path, program(0.5) + "x = [1,\n")
    for number in range(4):
        (tmp_path / "programs" / f"more_{number}.py").write_text("def head(s)\n", "utf-8")

    async def work(running: Here) -> None:
        await running.seen(".30!")
        (told,) = [each for each in running.messages if "broken programs" in each]
        assert "and 2 more" in told
        assert len(engine.asked("rank")) <= 1, "only that of an engine that was there before"

    run(tmp_path, work, engine)


def test_a_program_that_fails_when_it_runs_is_told_with_its_line(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        text = program(0.5).replace("return ", "return s.no_such + ")
        (tmp_path / "programs" / "L0H0.py").write_text(text, "utf-8")
        await running.until(lambda: "L0H0.py, line 9: no_such is not there (fails on 2 of 4 texts)" in running.told)
        await running.seen("! L0H0.py, line 9")

    run(tmp_path, work, with_file(tmp_path))


def test_a_chosen_program_follows_its_file_and_is_forgotten_with_it(tmp_path: Path) -> None:
    path = tmp_path / "programs" / "L0H0.py"

    async def work(running: Here) -> None:
        running.app.known.chosen[HEAD] = Candidate("L0H0", program(0.5), "workspace", 0.5, str(path))
        path.write_text(program(0.7), "utf-8")
        await running.until(lambda: running.app.known.chosen[HEAD].source == program(0.7))
        path.write_text(program(0.7) + "x = [1,\n", "utf-8")
        await running.until(lambda: running.app.known.problem(HEAD))
        assert running.app.known.chosen[HEAD].source == program(0.7)
        path.unlink()
        await running.until(lambda: HEAD not in running.app.known.chosen)

    run(tmp_path, work, with_file(tmp_path))


def test_many_changes_while_it_is_ranked_end_with_the_last(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        path = tmp_path / "programs" / "L0H0.py"
        for value in (0.6, 0.7, 0.8):
            path.write_text(program(value), "utf-8")
            await running.app.files.look()
        await running.seen(".80 ")
        assert running.app.known.stale == set()

    run(tmp_path, work, with_file(tmp_path))


# ---- the engine ------------------------------------------------------------------------------------------------------


def test_a_program_that_another_process_saves_is_scored_on_map_and_head_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    make_workspace(tmp_path)
    Remembered(welcomed=True).write(tmp_path)
    path = tmp_path / "programs" / "L0H0.py"
    took: dict[str, list[float]] = {"map": [], "head": []}

    async def go() -> None:
        app = ReadheadApp(tmp_path)
        async with app.run_test(size=(80, 24)) as pilot:
            running = Here(app, None, pilot)  # type: ignore[arg-type]  # a real one
            await running.until(lambda: app.known.ranked and app.files._stamps is not None, 90)
            app.known.chosen[HEAD] = Candidate("L0H0", "", "workspace", path=str(path))
            for number, view in enumerate(["map", "head"] * 4):
                app.show_view(view)
                await asyncio.sleep(0.3)
                weight = 1 + number
                saved = program(weight).replace("s.first", "s.first + s.every")
                path.write_text(saved, "utf-8")
                started = time.monotonic()

                def shown(saved: str = saved, view: str = view) -> bool:
                    if view == "map":
                        known = [row["path"] for row in app.known.card(HEAD).others]
                        return str(path) in known and not app.known.stale
                    candidate = app.head_view.candidate
                    return candidate is not None and candidate.source == saved and candidate.iou is not None

                await running.until(shown)
                took[view].append(time.monotonic() - started)

    asyncio.run(go())
    assert statistics.median(took["head"]) < 1.5, took  # about 0.5 s where the machine is not busy

"""A program in the user's editor: opened, kept first where it has no file, scored again, and the terminal intact."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from readhead.errors import UsageError
from readhead_tui import editing
from readhead_tui.app import ReadheadApp
from tui.covered import covers
from tui.little_engine import SHIPPED, Here, run, with_file

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="the editors of these tests are shell scripts"),
    pytest.mark.slow,
]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes EDITOR a shell script with this body; `$1` is the file."""
    monkeypatch.delenv("VISUAL", raising=False)
    path = tmp_path / "editor with a space.sh"

    def write(body: str) -> None:
        path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("EDITOR", f"'{path}' --wait")

    write("exit 0")
    return write


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The terminal of a test cannot be lent; notes when it would be."""
    noted: list[str] = []

    @contextmanager
    def suspend(_app: ReadheadApp) -> Iterator[None]:
        noted.append("lent")
        yield
        noted.append("back")

    monkeypatch.setattr(ReadheadApp, "suspend", suspend)
    return noted


# ---- a head's program ------------------------------------------------------------------------------------------------


@covers("edit")
@pytest.mark.parametrize("from_view", ["map", "head"])
def test_a_program_of_the_workspace_is_edited_scored_and_shown(
    tmp_path: Path, script: Callable[[str], None], lent: list[str], from_view: str
) -> None:
    script("""sed -i "s/return 0.5/return 0.7/" "$2" """)

    async def work(running: Here) -> None:
        running.app.show_view(from_view)
        await running.press("e")
        await running.until(lambda: "L0H0.py on L0H0: IoU 0.500 → 0.700" in running.told)
        await running.until(lambda: running.app.known.card(running.app.head).best_iou == 0.7)
        assert lent == ["lent", "back"]
        assert running.engine.asked("keep") == []
        running.app.show_view("head")
        await running.seen("L0H0 (workspace)", "IoU 0.700")
        chosen = running.app.known.chosen[running.app.head]
        assert "return 0.7" in chosen.source
        assert running.app.head_view.candidate is not None
        assert running.app.head_view.candidate.source == chosen.source

    run(tmp_path, work, with_file(tmp_path))


def test_an_edited_program_is_shown_though_another_one_is_better(
    tmp_path: Path, script: Callable[[str], None], lent: list[str]
) -> None:
    script("""sed -i "s/return 0.5/return 0.1/" "$2" """)

    async def work(running: Here) -> None:
        await running.press("e")
        await running.until(lambda: running.app.known.card(running.app.head).best == "every")
        await running.seen("chosen: L0H0 0.100")
        running.app.show_view("head")
        await running.seen("L0H0 (workspace)", "IoU 0.100")
        assert lent

    run(tmp_path, work, with_file(tmp_path))


def test_a_shipped_program_is_kept_as_a_file_first_and_says_so(
    tmp_path: Path, script: Callable[[str], None], lent: list[str]
) -> None:
    script("""sed -i "s/return .*/return 0.7 * s.first/" "$2" """)

    async def work(running: Here) -> None:
        await running.press("e")
        path = tmp_path / "programs" / "L0H0_kept.py"
        await running.until(lambda: f"every (library) is kept as {path}" in running.told)
        await running.until(lambda: running.app.known.card(running.app.head).best_iou == 0.7)
        assert running.engine.asked("keep") == [{"source": SHIPPED, "head": "L0H0"}]
        assert running.app.known.chosen[running.app.head].path == str(path)
        assert lent

    run(tmp_path, work)


def test_an_edit_that_changes_nothing_scores_nothing(
    tmp_path: Path, script: Callable[[str], None], lent: list[str]
) -> None:
    script("exit 0")

    async def work(running: Here) -> None:
        await running.until(lambda: running.engine.asked("rank"))  # as an engine that was there before is asked
        await running.press("e")
        await running.until(lambda: lent == ["lent", "back"])
        await running.until(lambda: not any(worker.group == "edit" for worker in running.app.workers))
        assert running.engine.asked("score") == []
        assert len(running.engine.asked("rank")) == 1
        assert running.app.known.chosen == {}

    run(tmp_path, work, with_file(tmp_path))


def test_what_is_broken_by_an_edit_is_told_and_opened_again_by_the_next(
    tmp_path: Path, script: Callable[[str], None], lent: list[str]
) -> None:
    script("""echo "x = [1," >> "$2" """)

    async def work(running: Here) -> None:
        await running.press("e")
        await running.until(lambda: "L0H0.py, line 11: not Python" in running.told)
        await running.seen("! L0H0.py, line 11")
        script("""sed -i "/^x/d; s/return 0.5/return 0.6/" "$2" """)
        await running.press("e")
        await running.until(lambda: running.app.known.card(running.app.head).best_iou == 0.6)
        assert running.app.known.problem(running.app.head) is None
        assert running.engine.asked("keep") == []
        assert lent == ["lent", "back"] * 2

    run(tmp_path, work, with_file(tmp_path))


def test_a_file_that_the_editor_removes_is_told(tmp_path: Path, script: Callable[[str], None], lent: list[str]) -> None:
    script("""rm "$2" """)

    async def work(running: Here) -> None:
        await running.press("e")
        await running.until(lambda: "L0H0.py is gone" in running.told)
        await running.until(lambda: running.app.known.card(running.app.head).best == "every")
        assert lent

    run(tmp_path, work, with_file(tmp_path))


@pytest.mark.parametrize(("body", "told"), [("exit 3", "ended with status 3"), ("kill -9 $$", "was ended by SIGKILL")])
def test_an_editor_that_fails_is_told_and_the_app_goes_on(
    tmp_path: Path, script: Callable[[str], None], lent: list[str], body: str, told: str
) -> None:
    script(body)

    async def work(running: Here) -> None:
        await running.press("e")
        await running.until(lambda: told in running.told)
        assert lent == ["lent", "back"]

    run(tmp_path, work, with_file(tmp_path))


@pytest.mark.parametrize(
    ("named", "told"), [("/nowhere/ed", "/nowhere/ed is not there"), ("vim 'x", "EDITOR cannot be read")]
)
def test_an_editor_that_is_not_there_leaves_the_terminal_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lent: list[str], named: str, told: str
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", named)

    async def work(running: Here) -> None:
        await running.press("e")
        await running.until(lambda: told in running.told)
        assert lent == []
        assert running.engine.asked("keep") == []

    run(tmp_path, work)


def test_a_terminal_that_cannot_be_lent_is_told(tmp_path: Path, script: Callable[[str], None]) -> None:
    script("exit 0")

    async def work(running: Here) -> None:
        await running.press("e")
        await running.until(lambda: "cannot be lent to an editor" in running.told)

    run(tmp_path, work, with_file(tmp_path))


def test_a_program_cannot_be_edited_before_there_is_one(tmp_path: Path) -> None:
    async def work(running: Here) -> None:
        running.app.known.ranked = False
        await running.press("e")
        await running.until(lambda: "still being ranked" in running.told)

    run(tmp_path, work)


# ---- the editor ------------------------------------------------------------------------------------------------------


def test_visual_comes_before_editor_and_both_before_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", f"{sys.executable} -x")
    monkeypatch.setenv("EDITOR", "/bin/ed")
    assert editing.editor() == [sys.executable, "-x"]
    monkeypatch.setenv("VISUAL", " ")
    monkeypatch.setenv("EDITOR", sys.executable)
    assert editing.editor() == [sys.executable]
    monkeypatch.delenv("EDITOR")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if name == "vi" else None)
    assert editing.editor() == ["/usr/bin/vi"]
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(UsageError, match="no editor"):
        editing.editor()


def test_an_interrupt_ends_the_editor_and_not_the_app(tmp_path: Path) -> None:
    with editing.deaf():
        os.kill(os.getpid(), signal.SIGINT)
        told = editing.edit(["/bin/sh", "-c", "kill -INT $$; sleep 30"], tmp_path)
    assert told.endswith("was ended by SIGINT")
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_the_app_does_not_hear_of_an_interrupt_that_was_the_editor_s(
    tmp_path: Path, script: Callable[[str], None], lent: list[str]
) -> None:
    script("kill -INT $PPID; exit 4")

    async def work(running: Here) -> None:
        await running.press("e")
        await running.until(lambda: "status 4" in running.told)
        await running.pilot.pause(0.1)
        assert "interrupted" not in running.told
        assert lent

    run(tmp_path, work, with_file(tmp_path))


def test_what_cannot_be_run_is_told(tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("no program", "utf-8")
    plain.chmod(0o700)
    assert "cannot be run" in editing.edit([str(plain)], tmp_path)


_IN_A_TERMINAL = """
import fcntl, termios
from pathlib import Path
from readhead_tui import editing

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
before = termios.tcgetattr(0)
told = editing.edit(["/bin/sh", "-c", "stty raw -echo; kill -9 $$"], Path("x"))
print("same" if termios.tcgetattr(0) == before else "other", told.split()[-1], flush=True)
"""


def test_an_editor_that_is_killed_leaves_the_terminal_as_it_was() -> None:
    master, terminal = os.openpty()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _IN_A_TERMINAL],
            check=False,
            stdin=terminal,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
            timeout=60,
        )
    finally:
        os.close(master)
        os.close(terminal)
    assert ended.stdout.split() == [b"same", b"SIGKILL"]

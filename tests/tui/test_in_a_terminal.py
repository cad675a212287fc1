"""The app as a user has it: in a terminal, with the real engine on the bundled model."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from server.conftest import make_workspace
from server.processes import engines_of, gone
from server.programs import GOOD
from tui.terminal import HAS_TMUX, Terminal, terminal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_TMUX, reason="tmux is not installed"),
    pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up in /proc"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = make_workspace(tmp_path / "workspace")
    (found / "programs" / "near.py").write_text(GOOD)
    return found


def keep(screen: str, name: str) -> None:
    """Leave a screen where READHEAD_SCREENS says, to be looked at."""
    folder = os.environ.get("READHEAD_SCREENS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}.txt").write_text(screen)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=["80x24", "200x50"])
def test_a_user_walks_flips_looks_and_leaves(root: Path, size: tuple[int, int]) -> None:
    name = f"{size[0]}x{size[1]}"
    with terminal(root, size) as user:
        keep(user.until("Press a key to begin"), f"{name}-welcome")
        user.press("Enter")
        keep(
            user.until(lambda screen: " IoU 0." in screen and "ready" in screen and "16 texts" in screen), f"{name}-map"
        )

        user.type("L0H3")
        user.until("Go to head")
        user.press("Enter")
        user.until(lambda screen: "L0H3" in screen and "Go to head" not in screen)
        user.press("Space")
        keep(user.until(lambda screen: "●" in screen and "1 of 32" in screen and "[" in screen), f"{name}-flipped")

        user.press("Enter")
        keep(user.until("looks at"), f"{name}-head")
        user.press("t")
        user.until("Your text")
        user.type("Once upon a time there was a dog.")
        user.press("Enter")
        keep(user.until("own text"), f"{name}-own-text")
        user.press("p")
        keep(user.until("def head(s"), f"{name}-program")

        user.press("3")
        keep(user.until(lambda screen: "L0H3 → program" in screen and "KL" in screen), f"{name}-perplexity")
        user.press("u")
        user.until("all heads neural")
        user.press("r")
        user.until("1 of 32")

        user.press("?")
        keep(user.until("load_board"), f"{name}-help")
        user.press("Escape")
        user.until(lambda screen: "load_board" not in screen)
        user.press("q")
        user.until("ended with status 0")
        asyncio.run(gone(*engines_of(root)))

    with terminal(root, size) as again:
        screen = again.until(lambda screen: "1 of 32" in screen and "ready" in screen)
        assert "L0H3 → program" not in screen, "the flips of another session are not told again"
        assert "Press a key to begin" not in screen


def test_what_goes_wrong_leaves_the_app_on_its_feet(root: Path) -> None:
    (root / "programs" / "hangs.py").write_text(GOOD.replace("    return", "    while True:\n        pass\n    return"))
    with terminal(root, (80, 24)) as user:
        user.until("Press a key to begin")
        user.press("Enter")
        user.until("ready")
        user.press("C-c")
        user.until(lambda screen: "ended" not in screen)
        for width, height in ((20, 10), (80, 24), (20, 10), (200, 50), (80, 24)):
            user.resize(width, height)
            user.until(lambda screen, width=width: ("too small" in screen) == (width < 40))
        user.until("ready")
        (engine,) = engines_of(root)
        os.kill(engine, signal.SIGKILL)
        user.until(lambda _: engines_of(root) not in ([], [engine]))
        user.until("ready")
        os.kill(_app_of(user), signal.SIGINT)
        user.press("g")
        user.until("Go to head")
        user.press("C-c")
        user.press("Escape")
        user.until(lambda screen: "Go to head" not in screen)
        user.press("q")
        user.until("ended with status 0")
        asyncio.run(gone(*engines_of(root)))


def test_no_programs_folder_and_no_workspace_are_no_obstacle(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    with terminal(bare, (80, 24)) as user:
        user.until("Press a key to begin")
        user.press("Enter")
        user.until(lambda screen: "ready" in screen and "IoU 0." in screen)
        user.press("q")
        user.until("ended with status 0")


def _app_of(user: Terminal) -> int:
    """The process of the app: the shell's only child."""
    (child,) = (Path(f"/proc/{user.pid}/task/{user.pid}/children")).read_text().split()
    return int(child)

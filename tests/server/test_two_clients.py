"""Two server processes on one workspace: one engine, one model, and a flip in one editor is on the other's lens."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from server.editor import editor
from server.processes import engines_of, gone, resident_bytes
from server.programs import GOOD

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up in /proc"),
]


async def test_a_flip_in_one_editor_is_on_the_lens_of_the_other_within_a_second(own_workspace: Path) -> None:
    path = own_workspace / "programs" / "one.py"
    async with editor(own_workspace) as one, editor(own_workspace) as other:
        uri = one.open(path, GOOD)
        other.open(path, GOOD)
        await one.settled(uri)
        await other.settled(uri)
        took = []
        for mode in ("program", "neural") * 3:
            started = time.monotonic()
            await one.command("readhead.flip", uri, "L0H3")
            await other.until_lens(uri, f"L0H3 is {mode}: flip".__eq__, f"the other editor tells {mode}")
            took.append(time.monotonic() - started)
        assert sorted(took)[len(took) // 2] < 1, took


@pytest.mark.slow
async def test_one_engine_holds_the_one_model_and_outlives_whichever_editor_is_killed(own_workspace: Path) -> None:
    path = own_workspace / "programs" / "one.py"
    async with editor(own_workspace) as one:
        uri = one.open(path, GOOD)
        await one.settled(uri)
        alone = engines_of(own_workspace)
        async with editor(own_workspace, kills=True) as other:
            other.open(path, GOOD)
            await other.settled(uri)
            (engine,) = engines_of(own_workspace)
            assert alone == [engine]
            torch_s = [maps_torch(pid) for pid in (one.server_pid, other.server_pid, engine)]
            assert torch_s == [False, False, True], "only the engine has loaded a model"
            servers = [resident_bytes(pid) >> 20 for pid in (one.server_pid, other.server_pid)]
            print(f"MiB: servers {servers}, engine {resident_bytes(engine) >> 20}")
            assert max(servers) < (resident_bytes(engine) >> 20) / 2
            os.kill(other.server_pid, signal.SIGKILL)
        one.edit(uri, GOOD.replace("0.67", "0.9"))
        one.save(uri)
        await one.settled(uri)
        assert engines_of(own_workspace) == [engine]
    await gone(engine)


@pytest.mark.slow
async def test_killing_the_editor_that_started_the_engine_leaves_the_other_working(own_workspace: Path) -> None:
    path = own_workspace / "programs" / "one.py"
    async with editor(own_workspace, kills=True) as one:
        uri = one.open(path, GOOD)
        await one.settled(uri)
        async with editor(own_workspace) as other:
            other.open(path, GOOD)
            await other.settled(uri)
            (engine,) = engines_of(own_workspace)
            os.kill(one.server_pid, signal.SIGKILL)
            await gone(one.server_pid)
            other.edit(uri, GOOD.replace("0.67", "0.9"))
            other.save(uri)
            await other.settled(uri)
            assert engines_of(own_workspace) == [engine]
        await gone(engine)


def maps_torch(pid: int) -> bool:
    """Whether a process has torch loaded."""
    return "libtorch" in Path(f"/proc/{pid}/maps").read_text()

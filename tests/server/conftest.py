"""Workspaces of the bundled model with a small corpus; one has an engine that stays for all tests of the run."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from readhead.engine import Engine
from server.editor import PATIENCE_S, server_environment
from server.wire import answers, engines, file

__all__ = ["answers", "engines", "file"]

SETTINGS = 'model = "bundled"\nfit = 16\ndev = 16\nheld_out = 4\nlength = 24\n'
"""From 16 sequences on a perplexity has an interval."""


def make_workspace(root: Path, settings: str = SETTINGS) -> Path:
    """A workspace without programs."""
    (root / "programs").mkdir(parents=True)
    (root / "readhead.toml").write_text(settings, "utf-8")
    return root


@pytest.fixture
def own_workspace(tmp_path: Path) -> Path:
    """A workspace whose engine is this test's own."""
    return make_workspace(tmp_path / "workspace")


class _Attached:
    """A front end in a thread: while it is there, the workspace's engine stays."""

    def __init__(self, root: Path) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._ranked = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._leaves = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._stay(root),))
        self._thread.start()
        if not self._ranked.wait(2 * PATIENCE_S):
            self.end()
            raise AssertionError(f"the engine does not get ready: {self.events}")

    async def _stay(self, root: Path) -> None:
        engine = Engine(root, self._hear)
        engine.start()
        await self._leaves.wait()
        await engine.close()

    def _hear(self, event: str, given: dict[str, Any]) -> None:
        self.events.append((event, given))
        if event == "ranked":
            self._ranked.set()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._leaves.set)
        self._thread.join(PATIENCE_S)
        self._loop.close()


@pytest.fixture(scope="session")
def shared_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace whose engine runs and has ranked the library."""
    root = make_workspace(tmp_path_factory.mktemp("shared") / "workspace")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = server_environment()["PYTHONPATH"]
    try:
        attached = _Attached(root)
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    yield root
    attached.end()


@pytest.fixture
def program_file(shared_workspace: Path, request: pytest.FixtureRequest) -> Path:
    """A path in the shared workspace that no other test uses."""
    return shared_workspace / "programs" / f"{request.node.name.split('[')[0][:40]}_{os.urandom(3).hex()}.py"

"""One code-server for all tests that may share one, with a window whose engine is warm; pictures of what failed."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from editors.vscode.workbench import CACHE, PROJECT, CodeServer, Workbench, browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SETTINGS = 'model = "bundled"\nfit = 16\ndev = 16\nheld_out = 4\nlength = 24\n'
"""From 16 sequences on a perplexity has an interval."""
READHEAD = Path(sys.executable).parent / "readhead"
VSIX = PROJECT / "editors" / "vscode" / "dist" / "readhead.vsix"
NOWHERE = "/usr/bin:/bin"
"""A PATH without `readhead`."""
SIZE: Any = {"width": 1400, "height": 860}


def make_workspace(root: Path) -> Path:
    """A workspace without programs, whose own environment has `readhead`."""
    (root / "programs").mkdir(parents=True)
    (root / "readhead.toml").write_text(SETTINGS, "utf-8")
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "readhead").symlink_to(READHEAD)
    return root


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser."""
    with browser() as launched:
        yield launched


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., CodeServer]]:
    """Start code-server with the extension, and with others; all end with the tests."""
    assert VSIX.is_file(), f"{VSIX} is missing: make test-editors builds it"
    servers: list[CodeServer] = []

    def start(*others: Path, trusts: bool = True, **settings: Any) -> CodeServer:
        folder = tmp_path_factory.mktemp("code-server")
        servers.append(CodeServer(folder, VSIX, *others, trusts=trusts, path=NOWHERE, settings=settings))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


@pytest.fixture(scope="session")
def server(serve: Callable[..., CodeServer]) -> CodeServer:
    """The one that most tests share."""
    return serve()


@pytest.fixture(scope="session")
def shared_window(
    chromium: Browser, server: CodeServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workbench]:
    """A window of a workspace in which the programs are ranked."""
    root = make_workspace(tmp_path_factory.mktemp("shared") / "workspace")
    page = chromium.new_page(viewport=SIZE)
    window = Workbench(page, server, root)
    window.status_shows(re.compile("perplexity"))
    yield window
    page.close()


@pytest.fixture
def window(shared_window: Workbench, request: pytest.FixtureRequest) -> Workbench:
    """The same, without open editors and views of an earlier test."""
    shared_window.tidy()
    request.node.windows = [shared_window]
    return shared_window


@pytest.fixture
def open_window(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[[CodeServer, Path], Workbench]]:
    """A window of this test's own."""
    pages: list[Page] = []
    request.node.windows = []

    def begin(server: CodeServer, folder: Path) -> Workbench:
        page = chromium.new_page(viewport=SIZE)
        pages.append(page)
        window = Workbench(page, server, folder)
        request.node.windows.append(window)
        return window

    yield begin
    for page in pages:
        page.close()


@pytest.fixture
def program(window: Workbench, request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Write a program of this test's own."""

    def write(text: str) -> Path:
        name = re.sub(r"\W", "_", request.node.name.removeprefix("test_"))[:40]
        path = window.folder / "programs" / f"{name}_{os.urandom(2).hex()}.py"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Keep what the windows of a failed test show, and the extension's log."""
    report = yield
    if report.when == "call" and report.failed:
        folder = CACHE / "failures"
        folder.mkdir(parents=True, exist_ok=True)
        for number, window in enumerate(getattr(item, "windows", [])):
            window.page.screenshot(path=folder / f"{item.name}-{number}.png")
            (folder / f"{item.name}-{number}.log").write_text(window.server.logs(), "utf-8")
    return report


@pytest.fixture(scope="session", autouse=True)
def _clear_pictures() -> None:
    """Those that are kept are of this run."""
    shutil.rmtree(CACHE / "failures", ignore_errors=True)

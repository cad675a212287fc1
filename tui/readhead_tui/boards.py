"""Switchboards as files: saved, loaded, and as a command line that measures one again."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from readhead.errors import UsageError
from readhead_tui.known import counted

if TYPE_CHECKING:
    from readhead_tui.app import ReadheadApp


class Boards:
    """The workspace's folder `switchboards`."""

    def __init__(self, app: ReadheadApp) -> None:
        self._app = app

    @property
    def _folder(self) -> Path:
        return self._app.root / "switchboards"

    async def ask_save(self) -> None:
        """Under which name."""

        def go(name: str) -> None:
            self._app.link.begin(partial(self._saving, self._new_file(name)), "board")

        await self._app.ask("Save the switchboard as", go, hint=f"a name, in {self._folder}", check=self._new_file)

    async def _saving(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        saved = await self._app.link.call("save_board", path=str(path))
        self._app.notify(f"{counted(saved['heads'], 'head')} in {saved['path']}", title="save")

    async def ask_load(self) -> None:
        """Which one."""
        names = sorted(path.stem for path in self._folder.glob("*.json"))

        def go(name: str) -> None:
            self._app.link.begin(partial(self._loading, self._file(name)), "board")

        hint = f"saved: {', '.join(names)}" if names else f"none is saved in {self._folder} yet: save one with S"
        await self._app.ask(
            "Go on with the switchboard", go, initial=names[0] if names else "", hint=hint, check=self._file
        )

    async def _loading(self, path: Path) -> None:
        await self._app.switching.announced(self._app.link.call("load_board", path=str(path)))

    def _new_file(self, name: str) -> Path:
        path = self._file(name)
        if path.exists():
            raise UsageError(f"{path.name} is there already", hint="give another name")
        return path

    def _file(self, name: str) -> Path:
        if not name.strip() or "/" in name or name.startswith("."):
            raise UsageError(f"{name!r} is no name", hint="letters and digits")
        return self._folder / f"{name.strip().removesuffix('.json')}.json"

    def export(self) -> None:
        """Save the switchboard, and tell the command that measures it."""
        self._app.link.begin(self._exporting, "board")

    async def _exporting(self) -> None:
        path = self._folder / f"{self._app.known.board_stamp or 'neural'}.json"
        await self._saving(path)
        where = ("--workspace", str(self._app.root), "--switchboard", str(path))
        told = shlex.join(["readhead", "replace", *where, "--part", "dev"])
        self._app.copy_to_clipboard(told)
        self._app.notify(f"{told}\n(also in the clipboard, if your terminal lets it)", title="command line", timeout=20)

"""A program in the user's editor: the app leaves the screen, waits, and has the file scored when it comes back.

While an editor has the terminal the app's loop stands still, so that nothing is drawn over it. The engine goes on
meanwhile; what it says is heard afterwards.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from textual.app import SuspendNotSupported

from readhead.errors import ProgramError, ReadheadError, UsageError
from readhead.program import read_program
from readhead_tui.known import Candidate
from readhead_tui.watch import stamp

if TYPE_CHECKING:
    from readhead.heads import HeadId
    from readhead_tui.app import ReadheadApp

_USUAL: Final = ("nano", "vi", "notepad")
_FOR_EDITORS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGQUIT") if hasattr(signal, name))
"""Signals of keys, which a terminal sends to whoever runs in it: to the app, too."""


# ---- the editor ------------------------------------------------------------------------------------------------------


def editor() -> list[str]:
    """The command that `VISUAL` or `EDITOR` names, or an editor that is installed.

    Raises:
        UsageError: if there is none, or its command cannot be read.
    """
    named = os.environ.get("VISUAL", "").strip() or os.environ.get("EDITOR", "").strip()
    if not named:
        found = next((path for name in _USUAL if (path := shutil.which(name))), None)
        if found is None:
            raise UsageError("there is no editor", hint="name one: EDITOR")
        return [found]
    try:
        command = shlex.split(named)
    except ValueError as error:
        raise UsageError(f"EDITOR cannot be read: {named} ({error})", hint="close its quotes") from error
    command[0] = str(Path(command[0]).expanduser())
    if shutil.which(command[0]) is None:
        raise UsageError(f"the editor {command[0]} is not there", hint="name another one: EDITOR")
    return command


def edit(command: list[str], path: Path) -> str:
    """Wait until the user has left the editor; what went wrong, or nothing. It raises nothing."""
    with _untouched_terminal():
        try:
            status = subprocess.run([*command, str(path)], check=False).returncode  # noqa: S603 - the user's command
        except OSError as error:
            return f"{shlex.join(command)} cannot be run: {error.strerror}"
    if status < 0:
        return f"{shlex.join(command)} was ended by {_signal_name(-status)}"
    return f"{shlex.join(command)} ended with status {status}" if status else ""


@contextmanager
def deaf() -> Iterator[None]:
    """Keys that end what runs in the terminal are not meant for the app; its children hear them all the same."""
    loop = signal.set_wakeup_fd(-1)  # asyncio hears of signals there, whatever their handlers
    before: dict[int, Any] = {number: signal.signal(number, _nothing) for number in _FOR_EDITORS}
    try:
        yield
    finally:
        signal.set_wakeup_fd(loop)
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing(_number: int, _frame: object) -> None:
    """Unlike `SIG_IGN` it is not inherited by an editor."""


@contextmanager
def _untouched_terminal() -> Iterator[None]:
    """Afterwards the terminal is as it was, and in our hands: an editor that is killed leaves it as it needed it."""
    try:
        import termios  # noqa: PLC0415 - not everywhere

        modes, owner = termios.tcgetattr(0), os.tcgetpgrp(0)
    except (ImportError, OSError, termios.error):
        yield
        return
    try:
        yield
    finally:
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # who takes a terminal back is stopped otherwise
        with suppress(OSError, termios.error):
            os.tcsetpgrp(0, owner)
            termios.tcsetattr(0, termios.TCSAFLUSH, modes)  # what was typed for the editor is not for the app
        signal.signal(signal.SIGTTOU, before)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# ---- a head's program ------------------------------------------------------------------------------------------------


async def edit_program(app: ReadheadApp) -> None:
    """Edit the program that is shown for the head under the cursor; one without a file of the workspace is kept first.

    Raises:
        ReadheadError: if there is no program, no editor, or the program cannot be kept.
    """
    head, command = app.head, editor()
    path, candidate, told = await _file_of(app, head)
    before = stamp(path)
    try:
        with deaf(), app.suspend():
            problem = edit(command, path)
    except SuspendNotSupported as error:
        raise UsageError("this terminal cannot be lent to an editor", hint=f"edit {path} beside the app") from error
    if told:
        app.notify(told, title="kept")
    if problem:
        app.notify(problem, title="edit", severity="warning")
    edited = None
    if stamp(path) is None:
        app.notify(f"{path} is gone", title="edit", severity="warning")
    elif stamp(path) != before:
        edited = _new_text(candidate, path)
    if edited is not None:
        app.known.chosen[head] = edited
    await app.files.look()
    if edited is not None:
        await _score(app, edited, candidate.iou, head)


def _new_text(candidate: Candidate, path: Path) -> Candidate | None:
    """The program as the editor has left it; None for one that cannot be run, which the look at the files tells."""
    try:
        program = read_program(path)
    except ProgramError:
        return None
    return None if program.findings else candidate.of_program(program)


async def _score(app: ReadheadApp, edited: Candidate, before: float | None, head: HeadId) -> None:
    """Say at once what the edit has done to the score; the ranking takes longer."""
    rows = await app.link.call("score", source=edited.source, heads=[str(head)], mistakes=0)
    now = float(rows[0]["iou"])
    if app.known.chosen.get(head) == edited:
        app.known.chosen[head] = replace(edited, iou=now)
    was = "" if before is None else f"{before:.3f} → "
    app.notify(f"{Path(edited.path).name} on {head}: IoU {was}{now:.3f}", title="edit")


async def _file_of(app: ReadheadApp, head: HeadId) -> tuple[Path, Candidate, str]:
    """The file of the workspace to edit, with its program as it is shown; and what is to be told if it was made."""
    broken = app.known.problem(head)
    candidate = await app.head_view.candidate_of(head)
    if broken is not None and (candidate is None or head not in app.known.chosen):
        return Path(broken.path), Candidate(Path(broken.path).stem, "", "workspace", path=broken.path), ""
    if candidate is None:
        raise ReadheadError(f"{head} has no program yet", hint="write one with s")
    path = Path(candidate.path)
    if candidate.path and path.is_relative_to(app.known.programs) and stamp(path) is not None:
        return path, candidate, ""
    kept, told = await keep(app, candidate, head)
    return Path(kept.path), kept, told


async def keep(app: ReadheadApp, candidate: Candidate, head: HeadId) -> tuple[Candidate, str]:
    """The program as a file of the workspace, from now on shown for the head; and where that is, in a line."""
    saved = await app.link.call("keep", source=candidate.source, head=str(head))
    path = str(saved["path"])
    is_new = app.files.stamp(path) is None
    told = (
        f"{candidate.name} ({candidate.origin or 'no file yet'}) is {'kept as' if is_new else 'there already:'} {path}"
    )
    kept = replace(candidate, name=Path(path).stem, origin="workspace", path=path, source=read_program(path).source)
    app.known.chosen[head] = kept
    return kept, "\n".join(filter(None, [told, str(saved["note"])]))


async def keep_program(app: ReadheadApp, candidate: Candidate, head: HeadId) -> None:
    """Keep a program as a file, and have it ranked with the others."""
    kept, told = await keep(app, candidate, head)
    app.show_program(head, kept)
    app.notify(told, title="kept")
    await app.files.look()

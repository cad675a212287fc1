"""Processes as `/proc` shows them."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path


def engines_of(root: Path) -> list[int]:
    """Processes that are a workspace's engine."""
    wanted = str(root.resolve()).encode()
    return [pid for pid, words in _commands() if b"readhead.engine.host" in words and wanted in words]


def _commands() -> list[tuple[int, list[bytes]]]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found.append((int(process.name), (process / "cmdline").read_bytes().split(b"\0")))
        except OSError:
            continue
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def gone(*pids: int, seconds: float = 5.0) -> float:
    """Wait until processes have ended; seconds that took."""
    started = time.monotonic()
    while left := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() - started < seconds, f"still there: {[command(pid) for pid in left]}"
        await asyncio.sleep(0.01)
    return time.monotonic() - started


def command(pid: int) -> str:
    """What a process was started as."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return f"{pid}, gone"


def descendants(pid: int) -> list[int]:
    """Children of a process, and theirs."""
    found = []
    for child in _children(pid):
        found += [child, *descendants(child)]
    return found


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:
        return []


def resident_bytes(pid: int) -> int:
    """Memory that a process holds; none once it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0

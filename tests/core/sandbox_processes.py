"""What the system tells of a sandbox's processes; Linux only."""

from __future__ import annotations

import re
import time
from pathlib import Path

_SECONDS = 10.0


def children_of(server: int) -> list[int]:
    """Its children, zombies included."""
    return [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    return _state(pid) not in {"", "Z"}


def descriptors_of(pid: int) -> list[str]:
    """The kinds of what another process has open, in no order of its own."""
    return sorted(str(path.readlink()).partition(":")[0] for path in Path(f"/proc/{pid}/fd").iterdir())


def wait_for_spare(server: int) -> int:
    """The one child that an idle server has, once it waits for a program."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        match children_of(server):
            case [child] if _state(child) == "S":
                return child
        time.sleep(0.005)
    raise TimeoutError


def wait_for_descriptors(server: int, expected: list[str]) -> list[str]:
    """What an idle server has open, once it is what is expected, or after a while."""
    deadline = time.monotonic() + _SECONDS
    while (found := descriptors_of(server)) != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def kept_children_of(server: int) -> list[int]:
    """Those of its children that have given up to open files: in an idle server, the kept ones."""
    limits = {pid: Path(f"/proc/{pid}/limits").read_text() for pid in children_of(server)}
    return [pid for pid, told in limits.items() if re.search(r"Max open files +0 ", told)]


def bareness(pid: int, status: str) -> tuple[dict[str, str], list[str], list[str]]:
    """Descriptors, limits (but on the address space, which is told from what was used before) and privileges."""
    descriptors = {path.name: str(path.readlink()).partition(":")[0] for path in Path(f"/proc/{pid}/fd").iterdir()}
    limits = [line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if "address space" not in line]
    privileges = [line for line in status.splitlines() if re.match("NoNewPrivs|Seccomp|Cap|Threads", line)]
    return descriptors, limits, privileges


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""

"""Limits that the system puts on a process: all that POSIX has, none on Windows."""

from __future__ import annotations

import contextlib
import mmap

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


def limit(**values: int) -> None:
    """Set limits by their names, `RLIMIT_` left out: the soft and, below what it is, the hard one."""
    for name, value in values.items():
        with contextlib.suppress(ValueError, OSError, AttributeError):  # not on this system, or lower already
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def limit_memory(more: int) -> None:
    """Let this process have so many bytes more than now; may be called again. Only where the size can be told."""
    size = address_space()
    if size and resource is not None:
        with contextlib.suppress(ValueError, OSError):
            _, most = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (size + more, most))


def most_descriptors() -> int:
    """One more than the largest that this process may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def address_space() -> int:
    """Bytes of address space that this process has; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - pathlib would cost more than the read
            return int(file.read().split()[0]) * mmap.PAGESIZE
    except OSError:
        return 0

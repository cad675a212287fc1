"""The lock: from here on the kernel refuses this process nearly every system call, for good.

A seccomp filter, written out as the BPF instructions that the kernel takes, so that no library is needed. What is left
is computing with memory that the process can get, telling the time, and reading and writing the descriptors that it
still has: no file, socket, process, thread or signal, and no memory that could be executed. Everything else fails with
EPERM, which Python turns into an exception that has a line. Calls in another architecture's numbering end the process.

The table for aarch64 is from the kernel's published one (`asm-generic/unistd.h`); nobody has tried it on such a
machine. The self-test at the server's start is what stands between a mistake in it and a program.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import struct
import sys
from dataclasses import dataclass
from typing import Final

_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_MODE_FILTER: Final = 2

_KILL: Final = 0x80000000
_REFUSE: Final = 0x00050000 | errno.EPERM
_ALLOW: Final = 0x7FFF0000

_LOAD: Final = 0x20
"""BPF: load 32 bits of `struct seccomp_data`, from an offset."""
_IF_EQUAL: Final = 0x15
_IF_AT_LEAST: Final = 0x35
_IF_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06

_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_PROTECTION: Final = 32
"""The third argument's lower half, on a little-endian machine."""
_PROT_EXEC: Final = 4
_X32: Final = 0x40000000


@dataclass(frozen=True)
class Machine:
    """How one architecture numbers the calls that are left."""

    audit: int
    """The kernel's own number for it."""
    calls: tuple[int, ...]
    """Allowed whatever their arguments."""
    mapping: tuple[int, int]
    """mmap and mprotect: allowed for memory that is not executable."""


MACHINES: Final = {
    "x86_64": Machine(
        0xC000003E,
        # read write munmap brk rt_sigaction rt_sigprocmask rt_sigreturn sched_yield mremap madvise getpid exit
        # gettimeofday sigaltstack gettid futex restart_syscall clock_gettime exit_group getrandom
        (0, 1, 11, 12, 13, 14, 15, 24, 25, 28, 39, 60, 96, 131, 186, 202, 219, 228, 231, 318),
        (9, 10),
    ),
    "aarch64": Machine(
        0xC00000B7,
        # The same calls in the same order.
        (63, 64, 215, 214, 134, 135, 139, 124, 216, 233, 172, 93, 169, 132, 178, 98, 128, 113, 94, 278),
        (222, 226),
    ),
}


class _Program(ctypes.Structure):
    """The kernel's `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def lock() -> None:
    """Give up system calls.

    Raises:
        OSError: where the kernel, or this machine, has no such filter; nothing has changed then.
    """
    library, program = _prepared()
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, None), (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program))):
        option, value, pointer = arguments
        if library.prctl(option, ctypes.c_ulong(value), pointer, None, None) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"the kernel refuses a system-call filter ({os.strerror(number)})")


@functools.cache
def _prepared() -> tuple[ctypes.CDLL, _Program]:
    """The C library and the filter; made by the server, for all its children."""
    machine = MACHINES.get(platform.machine()) if sys.platform == "linux" and sys.maxsize > 1 << 32 else None
    if machine is None:
        raise OSError(errno.ENOSYS, f"no system-call filter is known for {sys.platform} on {platform.machine()}")
    library = ctypes.CDLL(None, use_errno=True)
    instructions = filter_for(machine)
    return library, _Program(len(instructions), b"".join(instructions))


def filter_for(machine: Machine) -> list[bytes]:
    """The filter, one BPF instruction an entry."""
    return [
        _step(_LOAD, _ARCHITECTURE),
        _step(_IF_EQUAL, machine.audit, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_IF_AT_LEAST, _X32, 0, 1),  # x86-64's second numbering; no other machine's reaches so far
        _step(_RETURN, _KILL),
        *(step for call in machine.calls for step in (_step(_IF_EQUAL, call, 0, 1), _step(_RETURN, _ALLOW))),
        _step(_IF_EQUAL, machine.mapping[0], 2, 0),
        _step(_IF_EQUAL, machine.mapping[1], 1, 0),
        _step(_RETURN, _REFUSE),
        _step(_LOAD, _PROTECTION),
        _step(_IF_ANY_BIT, _PROT_EXEC, 0, 1),
        _step(_RETURN, _REFUSE),
        _step(_RETURN, _ALLOW),
    ]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction; the jumps count the instructions that are passed over."""
    return struct.pack("=HBBI", code, if_true, if_false, value)

from __future__ import annotations

import platform
import struct
import subprocess
import sys

import pytest

from readhead.sandbox import launch, lock

LOCKED = """
import ctypes, os, sys, time, mmap
from readhead.sandbox import lock
library = ctypes.CDLL(None, use_errno=True)
library.syscall.restype = ctypes.c_long
def call(number, *arguments):
    return library.syscall(ctypes.c_long(number), *arguments), ctypes.get_errno()
lock.lock()
"""

on_x86 = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="numbers of one machine's calls"
)


def locked(script: str) -> subprocess.CompletedProcess[str]:
    start = [sys.executable, "-c", f"import sys; sys.path += {launch.import_paths()!r}\n{LOCKED}{script}; os._exit(0)"]
    return subprocess.run(start, capture_output=True, text=True, check=False, timeout=60)


@on_x86
def test_every_other_call_is_refused() -> None:
    uprobes = {335, 336}  # since Linux 6.14 no filter sees them; outside a probe they end the process with SIGILL
    passed_over = {*lock.MACHINES["x86_64"].calls, *lock.MACHINES["x86_64"].mapping, *uprobes}
    tried = [number for number in range(1100) if number not in passed_over]
    done = locked(f"os.write(1, repr([n for n in {tried} if call(n) != (-1, 1)]).encode())")
    assert (done.returncode, done.stdout) == (0, "[]")


@on_x86
def test_executable_memory_is_refused() -> None:
    answers = "[call({0}, {1}, 4096, prot, 0x22, -1, 0)[0] > -1 for prot in (0, 1, 3, 4, 5, 7)]"
    attempt = f"os.write(1, repr({answers}).encode())"
    mapped = locked(attempt.format(9, 0))
    assert mapped.stdout == "[True, True, True, False, False, False]"
    page = "library.mmap.restype = ctypes.c_void_p; page = ctypes.c_void_p(library.mmap(None, 4096, 3, 0x22, -1, 0)); "
    protected = locked(page + attempt.format(10, "page"))
    assert protected.stdout == "[True, True, True, False, False, False]"


@on_x86
@pytest.mark.parametrize("number", [0x40000000, 0x40000000 + 1, 0x40000000 + 512, -1])
def test_a_call_in_another_numbering_ends_the_process(number: int) -> None:
    assert locked(f"call({number})").returncode == -31  # SIGSYS


@on_x86
def test_a_32_bit_call_ends_the_process() -> None:
    # mov eax, 20 (getpid); int 0x80; ret
    code = "page = mmap.mmap(-1, 4096, prot=7); page.write(bytes.fromhex('b814000000cd80c3')); "
    enter = "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))"
    script = LOCKED.replace("lock.lock()", f"{code}enter = {enter}\nassert enter() > 0; lock.lock()")
    start = [sys.executable, "-c", f"import sys; sys.path += {launch.import_paths()!r}\n{script}enter(); os._exit(0)"]
    assert subprocess.run(start, check=False, capture_output=True, timeout=60).returncode == -31


def test_the_tables_name_the_same_calls_and_no_call_twice() -> None:
    for machine in lock.MACHINES.values():
        numbers = (*machine.calls, *machine.mapping)
        assert len(set(numbers)) == len(numbers)
    assert len({len(machine.calls) for machine in lock.MACHINES.values()}) == 1


def answer(steps: list[bytes], audit: int, number: int, protection: int = 0) -> int:
    """What the kernel would say: the few BPF instructions that the filter is made of."""
    call = struct.pack("=IIQQQQ", number, audit, 0, 0, 0, protection)
    place = value = 0
    while True:
        code, if_true, if_false, operand = struct.unpack("=HBBI", steps[place])
        place += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            (value,) = struct.unpack_from("=I", call, operand)
        else:
            holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
            place += if_true if holds else if_false


@pytest.mark.parametrize("machine", lock.MACHINES.values(), ids=lock.MACHINES.keys())
def test_the_filter_says_what_its_table_says(machine: lock.Machine) -> None:
    steps = lock.filter_for(machine)
    kill, refuse, allow = 0x80000000, 0x00050001, 0x7FFF0000
    for number in range(1000):
        expected = allow if number in (*machine.calls, *machine.mapping) else refuse
        assert answer(steps, machine.audit, number) == expected
        assert answer(steps, machine.audit, number, 3) == expected
        assert answer(steps, machine.audit, number, 4) == (refuse if number in machine.mapping else expected)
        assert answer(steps, 0x40000003, number) == kill
    assert answer(steps, machine.audit, 0x40000000) == kill

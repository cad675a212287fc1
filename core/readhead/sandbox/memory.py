"""New arrays are zero, whoever makes them.

numpy hands out memory as it finds it: `np.add(a, b, where=…, out=None)` and `np.pad(a, 1, mode="empty")` show what
lay there before, addresses included, and give another result every time. Both are too common in another form to be
refused, so numpy's allocator is replaced: its `malloc` slot takes the C library's `calloc`, whose two arguments are
the allocator's own context, here 1, and the size.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Final

import numpy as np

_SET_HANDLER: Final = 304
"""Place of PyDataMem_SetHandler in numpy's table of C functions, part of its ABI since 1.22."""
_GET_HANDLER: Final = 305
_CAPSULE: Final = b"mem_handler"


class _Handler(ctypes.Structure):
    """numpy's PyDataMem_Handler."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("malloc", ctypes.c_void_p),
        ("calloc", ctypes.c_void_p),
        ("realloc", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
    )


def zero_new_arrays() -> None:
    """From here on, in this thread; does nothing on Windows, whose C library is another one than numpy's."""
    if sys.platform == "win32":
        return
    functions = ctypes.cast(_pointer(np._core._multiarray_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))  # type: ignore[attr-defined]  # noqa: SLF001 - the table that C extensions are given
    usual = _Handler.from_address(_pointer(ctypes.PYFUNCTYPE(ctypes.py_object)(functions[_GET_HANDLER])(), _CAPSULE))
    if usual.name == _zeroing().name:
        return
    zeroing = _zeroing()
    zeroing.calloc, zeroing.realloc, zeroing.free = usual.calloc, usual.realloc, usual.free
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(functions[_SET_HANDLER])
    new_capsule = ctypes.pythonapi.PyCapsule_New
    new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    new_capsule.restype = ctypes.py_object
    set_handler(new_capsule(ctypes.addressof(zeroing), _CAPSULE, None))


@functools.cache
def _zeroing() -> _Handler:
    """Kept for the process's life: every array remembers the handler that it came from."""
    calloc = ctypes.cast(ctypes.CDLL(None).calloc, ctypes.c_void_p)
    return _Handler(b"zeroing", 1, 1, calloc)


def _pointer(capsule: object, name: bytes | None) -> int:
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    get_pointer.restype = ctypes.c_void_p
    return int(get_pointer(capsule, name))

"""Starting a process that runs programs: our own interpreter, numpy and readhead, and nothing of our environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np

from readhead.sandbox import policy
from readhead.sandbox.block import plain

START_SECONDS: Final = 60.0
_END_SECONDS: Final = 2.0


def start(main: str, *, stdin: int, stdout: int) -> subprocess.Popen[bytes]:
    """Start the process.

    Args:
        main: what it does, in Python.
        stdin: a descriptor, or one of the constants of `subprocess`.
        stdout: as `stdin`; what goes to stderr is kept for `stop`.
    """
    return subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
        [sys.executable, "-s", "-S", "-P", "-c", f"import sys; sys.path += sys.argv[1:]; {main}", *import_paths()],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=_environment(),
        cwd="/",
        start_new_session=True,  # Ctrl-C is for us to hear
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # as above, on Windows
    )


def stop(process: subprocess.Popen[bytes]) -> str:
    """End a process that was told to end, or was asked by closing its input; the last line of its complaints."""
    try:
        _, errors = process.communicate(timeout=_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        _, errors = process.communicate()
    lines = errors.decode(errors="replace").strip().splitlines()
    return plain(lines[-1]) if lines else f"exit status {process.returncode}"


def import_paths() -> list[str]:
    """Where the process finds readhead and numpy: it starts without site-packages."""
    folders = (Path(policy.__file__).parents[2], Path(np.__file__).parents[1])
    return list(dict.fromkeys(str(folder.resolve()) for folder in folders))


def _environment() -> dict[str, str]:
    """The whole environment: nothing of ours but where the libraries are.

    `-I` would make Python ignore PYTHONHASHSEED, without which sets of strings change their order from run to run.
    """
    needed = ("LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")
    kept = {name: os.environ[name] for name in needed if name in os.environ}
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    return kept | dict.fromkeys(threads, "1") | {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}

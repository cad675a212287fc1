"""Every error that Readhead raises on purpose.

::

    ReadheadError          the root; carries a message and a hint that names the cure
    ├── UsageError         a flag, a head name or a setting that cannot be meant
    ├── ModelError         a model that cannot be found, loaded or read
    │   └── ProbeError     a model that loaded, but failed one of the named load-time probes
    ├── CorpusError        text that cannot be found, decoded or cut into sequences
    ├── ProgramError       a program file that cannot be read, recorded or run at all
    ├── SandboxError       the worker that runs programs could not be started or has died
    ├── StoreError         the workspace or a file in it cannot be read or written
    ├── OllamaError        the server of a local language model answers otherwise than it should
    └── TaskError          a question-answering task that cannot be found, read or asked

A program that is refused, raises or times out is *data* (`readhead.program.Finding`,
`readhead.sandbox.Failure`), not an exception: the other programs go on.
"""

from __future__ import annotations

from typing import ClassVar


class ReadheadError(Exception):
    """Something the user can mend: `str(error)` says what is wrong and where, `hint` says what to do."""

    code: ClassVar[str] = "RH000"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ReadheadError):
    """A flag, a head name or a setting that cannot be meant."""

    code = "RH100"


class ModelError(ReadheadError):
    """A model that cannot be found, loaded or read."""

    code = "RH300"


class ProbeError(ModelError):
    """A model that loaded, but whose attention failed a named load-time probe."""

    code = "RH310"

    def __init__(self, probe: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"probe {probe!r} failed: {message}", hint=hint)
        self.probe = probe


class CorpusError(ReadheadError):
    """Text that cannot be found, decoded or cut into sequences."""

    code = "RH400"


class ProgramError(ReadheadError):
    """A program file that cannot be read, recorded or run at all."""

    code = "RH200"


class SandboxError(ReadheadError):
    """The worker process that runs programs could not be started, or has died."""

    code = "RH500"


class StoreError(ReadheadError):
    """The workspace, or a file in it, cannot be read or written."""

    code = "RH600"


class TaskError(ReadheadError):
    """A question-answering task that cannot be found, read or asked."""

    code = "RH700"


class OllamaError(ReadheadError):
    """The server of a local language model does not answer in time, or otherwise than it should."""

    code = "RH800"

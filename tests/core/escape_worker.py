"""A process that runs one program after another with nothing around it but what the caller asks for.

Limits far beyond the sandbox's own keep the machine safe while a single layer is tried.
"""

from __future__ import annotations

import json
import math
import os
import re
import resource
import sys
from typing import Any

import numpy as np

from readhead import language
from readhead.sandbox import lock, namespace, policy

BELT_BYTES = 1200 << 20


def main(level: str, surfaces: list[str]) -> None:
    """Read programs from standard input, one JSON string a line, and answer each with its weights."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    for limit, value in (
        (resource.RLIMIT_AS, BELT_BYTES),
        (resource.RLIMIT_CPU, 60),
        (resource.RLIMIT_FSIZE, 1 << 20),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    namespace.warm_up()
    sentence = language.Sentence(surfaces, [])
    if level == "seccomp":
        lock.lock()
    for line in sys.stdin:
        names = namespace.fresh() if level == "policy" else plain_names()
        replies.write(json.dumps(_answer(json.loads(line), names, sentence)) + "\n")
        replies.flush()


def plain_names() -> dict[str, Any]:
    """All of Python."""
    return {
        "np": np,
        "math": math,
        "re": re,
        "softmax": language.softmax,
        "normalize": language.normalize,
        "__name__": "program",
    }


def _answer(source: str, names: dict[str, Any], sentence: language.Sentence) -> dict[str, Any]:
    try:
        exec(compile(source, "<program>", "exec", flags=policy.COMPILER_FLAGS, dont_inherit=True), names)
        weights = np.array(np.broadcast_to(np.asarray(names["head"](sentence), np.float32), (sentence.n, sentence.n)))
    except MemoryError:
        return {"kind": "out of memory"}
    except BaseException as error:  # noqa: BLE001 - a program's failure is data
        return {"kind": "error", "message": type(error).__name__}
    return {"kind": "ran", "weights": weights.tobytes().hex()}

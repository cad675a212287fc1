"""Messages between front ends and the engine: one JSON object a line.

==============================================  =============================================================
a front end sends                               the engine sends
==============================================  =============================================================
``{"id": 1, "call": "score", "with": {…}}``     ``{"id": 1, "part": …}`` any number of times, then one of
``{"cancel": 1}``                               ``{"id": 1, "result": …}``, ``{"id": 1, "error": {…}}``,
                                                ``{"id": 1, "cancelled": true}``
``{"ping": 1}``                                 ``{"pong": 1}``; ``{"event": "state", "with": {…}}`` to all
==============================================  =============================================================
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

LONGEST: Final = 64 << 20
"""Bytes of one message."""


def encode(message: dict[str, Any]) -> bytes:
    """A message as a line."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


async def receive(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next message; None where the other side has gone, or speaks another language."""
    try:
        line = await reader.readline()
        message = json.loads(line) if line else None
    except (OSError, ValueError):
        return None
    return message if isinstance(message, dict) else None

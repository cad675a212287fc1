"""Messages between us and the fork server: length-prefixed JSON over a socket pair, with open files if need be."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterable
from typing import Any, Final

_LONGEST: Final = 1 << 30


def send(link: socket.socket, message: object, descriptors: Iterable[int] = ()) -> None:
    """Send one message, with open files if need be."""
    body = json.dumps(message).encode()
    socket.send_fds(link, [struct.pack("!I", len(body))], list(descriptors))
    link.sendall(body)


def receive(link: socket.socket) -> tuple[Any, list[int]]:
    """The next message and the files that came with it.

    Raises:
        EOFError: if the other side has gone.
    """
    head, descriptors, _, _ = socket.recv_fds(link, 4, 2, socket.MSG_CMSG_CLOEXEC)
    head += _receive_exactly(link, 4 - len(head)) if head else b""
    if not head:
        raise EOFError
    (size,) = struct.unpack("!I", head)
    if size > _LONGEST:
        raise EOFError
    return json.loads(_receive_exactly(link, size)), descriptors


def _receive_exactly(link: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = link.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)

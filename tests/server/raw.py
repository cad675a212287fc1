"""A client that takes nothing but the protocol: any other byte on the server's stdout fails it."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from server.editor import PATIENCE_S, server_command, server_environment

_HEADER = re.compile(rb"Content-Length: (\d+)\r\n(Content-Type: [^\r\n]*\r\n)?\r\n")


class RawClient:
    """Sends and receives JSON as it is."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.heard: list[dict[str, Any]] = []
        self.garbage = b""
        """What was not protocol."""
        self._news = asyncio.Event()
        self._number = 0
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        pending = b""
        while not self.garbage:
            more = await self.process.stdout.read(1 << 16)
            if not more:
                self.garbage = pending
                break
            pending = self._take(pending + more)
        self._news.set()

    def _take(self, pending: bytes) -> bytes:
        while b"\r\n\r\n" in pending:
            header = _HEADER.match(pending)
            if header is None:
                self.garbage = pending
                return b""
            end = header.end() + int(header[1])
            if len(pending) < end:
                break
            self.heard.append(json.loads(pending[header.end() : end]))
            self._news.set()
            pending = pending[end:]
        return pending

    def send(self, method: str, params: Any = None) -> None:
        """A notification."""
        self.send_bytes(_framed({"jsonrpc": "2.0", "method": method, "params": params}))

    def send_bytes(self, data: bytes) -> None:
        """Whatever it is."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    async def ask(self, method: str, params: Any = None) -> dict[str, Any]:
        """A request; the whole answer."""
        self._number += 1
        number = self._number
        self.send_bytes(_framed({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        return await self.until(
            lambda: next((each for each in self.heard if each.get("id") == number and "method" not in each), None),
            f"an answer to {method}",
        )

    async def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Wait for a message after which `holds()` is true."""
        while not (found := holds()):
            assert not self.garbage, f"this is not protocol: {self.garbage[:200]!r}"
            assert not self._reader.done(), f"the server has gone: {what}"
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), PATIENCE_S)
            except TimeoutError:
                raise AssertionError(f"not within {PATIENCE_S} s: {what}; {self.heard[-5:]}") from None
        return found

    async def initialize(self, root: Path, **capabilities: Any) -> None:
        """Begin."""
        given = {"processId": os.getpid(), "rootUri": root.as_uri(), "capabilities": capabilities}
        assert "result" in await self.ask("initialize", given)
        self.send("initialized", {})

    def open(self, path: Path, text: str) -> str:
        """Open a document; its URI."""
        uri = path.as_uri()
        self.send(
            "textDocument/didOpen",
            {"textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": text}},
        )
        return uri

    def told(self, method: str) -> list[dict[str, Any]]:
        """Parameters of all messages of one kind."""
        return [each["params"] for each in self.heard if each.get("method") == method]

    async def leave(self) -> int:
        """Shut the server down; its exit status."""
        await self.ask("shutdown")
        self.send("exit")
        status = await asyncio.wait_for(self.process.wait(), PATIENCE_S)
        await self._reader
        assert not self.garbage
        return status


def _framed(message: dict[str, Any]) -> bytes:
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


@asynccontextmanager
async def raw_client(command: Sequence[str] = ()) -> AsyncIterator[RawClient]:
    """A strict client with its own server."""
    process = await asyncio.create_subprocess_exec(
        *(command or server_command()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=server_environment(),
    )
    client = RawClient(process)
    try:
        yield client
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        client._reader.cancel()
        if process.stdin is not None:
            process.stdin.close()
        process._transport.close()  # type: ignore[attr-defined]  # else its pipes are closed when nobody looks

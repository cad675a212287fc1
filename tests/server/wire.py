"""A client for tests: it speaks with a server in the same loop, in the protocol's own messages, without a process."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from readhead.engine.client import EngineError
from readhead_server import project
from readhead_server.server import ReadheadServer, create_server

PROGRAM = '''"""Look at the last few tokens."""

# /// script
# [tool.readhead]
# heads = ["L0H1"]
# ///


def head(s):
    return softmax(-1.5 * s.distance + 0.5 * s.first)
'''


class FakeEngine:
    """Stands in for a workspace's engine: answers with what a test has put into `answers`, and notes the calls."""

    made: list[FakeEngine]
    answers: dict[str, Any]

    def __init__(self, root: Path, listener: Callable[[str, dict[str, Any]], None]) -> None:
        self.root = root
        self.state = "closed"
        self.facts: dict[str, Any] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.cancelled: list[str] = []
        self.restarts = 0
        self.tell = listener
        self.made.append(self)

    def start(self) -> None:
        self.state = "ready"
        self.facts = {"model": "tiny", "layers": 2, "heads": 2, "programs": str(self.root / "programs"),
                      "isolation": "locked", "corpus": {"name": "bundled", "dev": 2, "length": 16}}  # fmt: skip
        self.tell("state", {"state": "ready", **self.facts})

    async def close(self) -> None:
        self.state = "closed"

    def restart(self) -> None:
        self.restarts += 1

    async def call(self, method: str, *, on_part: Callable[[Any], None] | None = None, **given: Any) -> Any:
        assert self.state == "ready", f"{method} is asked of an engine that was never started"
        self.calls.append((method, given))
        answer = self.answers.get(method)
        if answer is None:
            raise EngineError("RH100", f"no {method} here", "")
        try:
            await asyncio.sleep(0)
            found = answer(**given) if callable(answer) else answer
            if asyncio.iscoroutine(found):
                found = await found
        except asyncio.CancelledError:
            self.cancelled.append(method)
            raise
        if isinstance(found, Exception):
            raise found
        if on_part is not None:
            on_part({"stage": "part", "name": "1", "about": "L0H1"})
        return found

    def asked(self, method: str) -> list[dict[str, Any]]:
        return [given for name, given in self.calls if name == method]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[FakeEngine]:
    """The engines that are made, all of them fakes."""

    class Fake(FakeEngine):
        made: list[FakeEngine] = []  # noqa: RUF012 - one list a test
        answers: dict[str, Any] = {"switches": {"heads": {}, "fingerprint": ""}}  # noqa: RUF012 - as above

    monkeypatch.setattr(project, "Engine", Fake)
    monkeypatch.setattr(FakeEngine, "answers", Fake.answers, raising=False)
    return Fake.made


@pytest.fixture
def answers(engines: list[FakeEngine]) -> dict[str, Any]:
    """What the fakes answer, by method: a value, an exception, or a function of what is given."""
    del engines
    return FakeEngine.answers


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A program file in a workspace."""
    (tmp_path / "programs").mkdir()
    (tmp_path / "readhead.toml").write_text('model = "bundled"\n', "utf-8")
    path = tmp_path / "programs" / "near.py"
    path.write_text(PROGRAM, "utf-8")
    return path


class Client:
    """The editor's side. What the server asks for is answered by `handlers`; an answer may be awaited."""

    def __init__(self, server: ReadheadServer) -> None:
        self.server = server
        self.heard: list[tuple[str, Any]] = []
        """Requests and notifications of the server."""
        self.handlers: dict[str, Callable[[Any], Any]] = {}
        self._numbers = itertools.count(1)
        self.last_id = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        server.protocol.set_writer(self, include_headers=False)

    def write(self, message: bytes) -> None:
        """What the server's protocol writes to."""
        asyncio.get_running_loop().call_soon(self._take, json.loads(message))

    def close(self) -> None:
        """As a writer has it."""

    def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            future = self._waiting.pop(message["id"])
            if "error" in message:
                future.set_exception(Refused(message["error"]))
            else:
                future.set_result(message.get("result"))
            return
        self.heard.append((message["method"], message.get("params")))
        if "id" in message:
            task = asyncio.create_task(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: dict[str, Any]) -> None:
        handler = self.handlers.get(message["method"])
        if handler is None:
            error = {"code": -32601, "message": f"{message['method']} is not known here"}
            self._send({"id": message["id"], "error": error})
            return
        result = handler(message["params"])
        if isinstance(result, Awaitable):
            result = await result
        self._send({"id": message["id"], "result": result})

    def _send(self, message: dict[str, Any]) -> None:
        text = json.dumps({"jsonrpc": "2.0", **message})
        self.server.protocol.handle_message(json.loads(text, object_hook=self.server.protocol.structure_message))

    def notify(self, method: str, params: Any = None) -> None:
        self._send({"method": method, "params": params})

    async def request(self, method: str, params: Any = None) -> Any:
        number = self.last_id = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "method": method, "params": params})
        return await asyncio.wait_for(future, 10)

    async def command(self, name: str, *arguments: Any) -> Any:
        return await self.request("workspace/executeCommand", {"command": name, "arguments": list(arguments)})

    def messages(self, method: str) -> list[Any]:
        return [params for name, params in self.heard if name == method]

    @property
    def shown(self) -> list[str]:
        """Messages to the user."""
        return [params["message"] for params in self.messages("window/showMessage")]

    async def until(self, condition: Callable[[], Any], seconds: float = 5.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"it did not happen; heard: {[name for name, _ in self.heard]}"
            await asyncio.sleep(0.005)
        return found

    def open(self, path: Path, text: str | None = None, version: int = 1) -> str:
        document = {"uri": path.as_uri(), "languageId": "python", "version": version,
                    "text": path.read_text("utf-8") if text is None else text}  # fmt: skip
        self.notify("textDocument/didOpen", {"textDocument": document})
        return path.as_uri()

    def change(self, uri: str, text: str, version: int) -> None:
        changes = [{"text": text}]
        self.notify(
            "textDocument/didChange", {"textDocument": {"uri": uri, "version": version}, "contentChanges": changes}
        )


class Refused(Exception):  # noqa: N818 - an answer
    """The server answered a request with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code = error["code"]


def talk(
    work: Callable[[Client], Awaitable[None]], capabilities: dict[str, Any] | None = None, **options: Any
) -> Client:
    """Run `work(client)` with a server that was initialized with these capabilities and options."""
    server = create_server()
    found: list[Client] = []

    async def run() -> None:
        client = Client(server)
        found.append(client)
        await client.request(
            "initialize",
            {"processId": None, "rootUri": None, "capabilities": capabilities or {}, "initializationOptions": options},
        )
        client.notify("initialized", {})
        try:
            await asyncio.wait_for(work(client), 20)
        finally:
            if not server.protocol._shutdown:
                await client.request("shutdown")

    asyncio.run(run())
    return found[0]

"""The server: routes, the record of requests, and the writing of answers."""

from __future__ import annotations

import json
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from ollama_stand_in import wire
from ollama_stand_in.chat import Chat
from ollama_stand_in.models import Model, full_name
from ollama_stand_in.prompt import Read, Truncation
from ollama_stand_in.replies import Reply, read_all
from ollama_stand_in.slots import Slots, days_ago
from ollama_stand_in.wire import ApiError

VERSION = "0.40.0"
TICK_S = 0.01
"""How soon a client that hangs up is noticed."""


class HungUp(Exception):  # noqa: N818 - not an error
    """The client is gone, or the server stops."""


@dataclass
class Request:
    """What a client asked."""

    method: str
    path: str
    raw: bytes
    body: dict[str, Any] = field(default_factory=dict)
    """Empty if it is no JSON object."""
    read: Read | None = None
    """Of a chat: what the model got to read."""
    abandoned: bool = False
    """The client hung up before the end."""

    @property
    def options(self) -> dict[str, Any]:
        """Of the body, {} without any."""
        return self.body.get("options") or {}

    @property
    def messages(self) -> list[dict[str, str]]:
        """Of the body, [] without any."""
        return self.body.get("messages") or []


Script = Iterable[Reply | str | dict[str, Any]] | Callable[[Request], Reply | str | dict[str, Any]]


class StandIn:
    """An Ollama server on the loopback address, from `with` to its end.

    Args:
        replies: Answers of `/api/chat`, in the order in which requests get their turn, or a function of the request,
            which sees in `read` what the model got to read. When none is left, a chat is answered with 500, which
            says so, unless they `repeat`.
        models: By name, what the server has; a mapping has the fields of `Model`.
        pullable: By name, what `/api/pull` finds.
        port: 0 for any that is free.
        parallel: Chats at once, OLLAMA_NUM_PARALLEL.
        max_queue: Chats that wait, OLLAMA_MAX_QUEUE.
        num_ctx: The window where neither request nor model says one.
        pull_step_s: Between lines of progress.
        layers: Of a model that is pulled, and `pull_steps` lines of progress for each.

    A mistake of the script, as a function that raises, answers with 500 and is raised at the end of `with`.
    """

    def __init__(
        self,
        replies: Script = (),
        models: Mapping[str, Model | Mapping[str, Any]] | None = None,
        *,
        pullable: Mapping[str, Model | Mapping[str, Any]] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        repeat: bool = False,
        parallel: int = 1,
        max_queue: int = 512,
        num_ctx: int = 4096,
        keep_alive_s: float = 300.0,
        truncation: Truncation | str = Truncation.HALF,
        version: str = VERSION,
        pull_step_s: float = 0.0,
        pull_steps: int = 3,
        layers: int = 2,
    ) -> None:
        self.models = _by_full_name({"tiny": {}} if models is None else models)
        self.pullable = _by_full_name(pullable or {})
        self.repeat = repeat
        self.num_ctx = num_ctx
        self.keep_alive_s = keep_alive_s
        self.truncation = Truncation(truncation)
        self.version = version
        self.pull_step_s = pull_step_s
        self.pull_steps = pull_steps
        self.layers = layers
        self.slots = Slots(parallel, max_queue)
        self.requests: list[Request] = []
        """Every one, in the order of arrival."""
        self.mistakes: list[Exception] = []
        self.stopping = threading.Event()
        self._answer = replies if callable(replies) else None
        self._replies = [] if callable(replies) else read_all(replies)
        self._said = 0
        self._lock = threading.Lock()
        self._http = _Http((host, port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": TICK_S})

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def chats(self) -> list[Request]:
        """The requests to `/api/chat`."""
        return [request for request in self.requests if request.path == "/api/chat"]

    @property
    def left(self) -> int:
        """Replies that nobody has asked for yet."""
        return max(0, len(self._replies) - self._said)

    def say(self, *replies: Reply | str | dict[str, Any]) -> None:
        """More replies, after those that are left."""
        with self._lock:
            self._replies += read_all(replies)

    def next_reply(self, request: Request) -> Reply:
        """What the script has for this request.

        Raises:
            ApiError: 500, it has nothing left.
        """
        if self._answer is not None:
            return Reply.read(self._answer(request))
        with self._lock:
            if not self._replies or (self._said >= len(self._replies) and not self.repeat):
                raise ApiError(500, f"the stand-in's script has no reply left; it had {len(self._replies)}")
            self._said += 1
            return self._replies[(self._said - 1) % len(self._replies)]

    def start(self) -> Self:
        """Serves from now on, in a thread of its own."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Hangs up on everybody and waits until all threads have ended."""
        self.stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.hang_up()
        self._http.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.stop()
        if error is None and self.mistakes:
            raise self.mistakes[0]


class _Http(ThreadingHTTPServer):
    """Knows its connections, to close those that clients keep alive."""

    daemon_threads = False  # `server_close` waits for them

    def __init__(self, address: tuple[str, int], stand_in: StandIn) -> None:
        self.stand_in = stand_in
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it has ended meanwhile

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the names are given
        mistake = sys.exc_info()[1]
        if isinstance(mistake, Exception) and not isinstance(mistake, OSError):  # connections break
            self.stand_in.mistakes.append(mistake)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: _Http
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.streaming = False
        self.arrived = time.monotonic_ns()

    @property
    def stand_in(self) -> StandIn:
        return self.server.stand_in

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is given
        pass

    def do_GET(self) -> None:
        self._route()

    do_HEAD = do_POST = do_DELETE = do_PUT = do_GET  # noqa: N815 - the names are given

    def _route(self) -> None:
        """Records the request and answers it."""
        self.streaming = False
        self.arrived = time.monotonic_ns()
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        request = Request(self.command, path, raw)
        self.stand_in.requests.append(request)
        try:
            self._answer(request)
        except ApiError as error:
            self.send({"error": error.message}, status=error.status)
        except (HungUp, ConnectionError):
            request.abandoned = not self.stand_in.stopping.is_set()
            self.close_connection = True
        except Exception as mistake:  # noqa: BLE001 - of the script, which is anyone's function
            self.stand_in.mistakes.append(mistake)
            self.close_connection = self.streaming
            if not self.streaming:
                self.send({"error": f"the stand-in's script: {mistake!r}"}, status=500)

    def _answer(self, request: Request) -> None:
        reads = {"/": self._root, "/api/version": self._version, "/api/tags": self._tags, "/api/ps": self._ps}
        writes = {"/api/show": self._show, "/api/pull": self._pull}
        methods = ("GET", "HEAD") if request.path in ("/", "/api/version", "/api/tags") else ("GET",)
        if request.path in reads and request.method in methods:
            reads[request.path]()
        elif request.path in (*writes, "/api/chat") and request.method == "POST":
            kind = f"{request.path.removeprefix('/api/').capitalize()}Request"
            request.body = _object(request.raw)
            body = wire.read_body(request.raw, kind)
            if request.path == "/api/chat":
                Chat(self, self.stand_in, request, body).answer()
            else:
                writes[request.path](body)
        elif request.path in (*reads, *writes, "/api/chat"):
            self.send_bytes(b"405 method not allowed", "text/plain", status=405)
        else:
            self.send_bytes(b"404 page not found", "text/plain", status=404)

    def _root(self) -> None:
        self.send_bytes(b"Ollama is running", "text/plain; charset=utf-8")

    def _version(self) -> None:
        self.send({"version": self.stand_in.version})

    def _tags(self) -> None:
        models = enumerate(list(self.stand_in.models.items()))
        listed = [{**model.listed(name), "modified_at": days_ago(index)} for index, (name, model) in models]
        self.send({"models": listed})

    def _ps(self) -> None:
        self.send({"models": [one.listed for one in self.stand_in.slots.loaded()]})

    def _show(self, body: dict[str, Any]) -> None:
        name = wire.model_name(body)
        self.send({**self.find(name).shown(full_name(name)), "modified_at": days_ago(0)})

    def _pull(self, body: dict[str, Any]) -> None:
        name = full_name(wire.model_name(body, missing="invalid model name"))
        lines: list[dict[str, Any]] = [{"status": "pulling manifest"}]
        model = self.stand_in.pullable.get(name) or self.stand_in.models.get(name)
        if model is None:
            lines.append({"error": "pull model manifest: file does not exist"})
        else:
            lines += _progress(name, model, self.stand_in.layers, self.stand_in.pull_steps)
        streams = body.get("stream", True)
        for line in lines[:-1]:
            if streams:
                self.send_line(line)
            self.wait(self.stand_in.pull_step_s)
        if model is not None:
            self.stand_in.models[name] = model
        self.send(lines[-1], status=500 if model is None else 200)

    def find(self, name: str) -> Model:
        """The model of a name with or without its tag.

        Raises:
            ApiError: 404.
        """
        model = self.stand_in.models.get(full_name(name))
        if model is None:
            raise wire.not_found(name)
        return model

    def wait(self, seconds: float) -> None:
        """Lets time pass.

        Raises:
            HungUp: the client went away meanwhile.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.stand_in.stopping.is_set():
                raise HungUp
            readable, _, _ = select.select([self.connection], [], [], min(left, TICK_S))
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                raise HungUp

    def send(self, body: dict[str, Any], *, status: int = 200) -> None:
        """A whole answer; in a stream, its last line."""
        if self.streaming:
            self.send_line(body)
            self.end_stream()
        else:
            self.send_bytes(json.dumps(body).encode(), "application/json; charset=utf-8", status=status)

    def send_bytes(self, content: bytes, kind: str, *, status: int = 200, missing: int = 0) -> None:
        """An answer of a known length, which `missing` makes longer than what comes."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) + missing))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_line(self, line: dict[str, Any] | bytes) -> None:
        """A line of a stream; the first one brings the headers."""
        if not self.streaming:
            self.streaming = True
            self.send_response(200)
            self.send_header("Content-Type", "application/x-ndjson")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
        content = (line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()) + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def end_stream(self) -> None:
        """The proper end."""
        self.wfile.write(b"0\r\n\r\n")
        self.streaming = False

    def drop(self) -> None:
        """Hangs up."""
        self.close_connection = True


def _by_full_name(models: Mapping[str, Model | Mapping[str, Any]]) -> dict[str, Model]:
    made = {name: model if isinstance(model, Model) else Model(**model) for name, model in models.items()}
    return {full_name(name): model for name, model in made.items()}


def _object(raw: bytes) -> dict[str, Any]:
    """For the record."""
    try:
        body = json.loads(raw)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _progress(name: str, model: Model, layers: int, steps: int) -> list[dict[str, Any]]:
    """What `/api/pull` says after the manifest."""
    lines: list[dict[str, Any]] = []
    for layer in range(layers):
        digest = model.digest(f"{name} {layer}")
        total = max(1, model.size // layers)
        said = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}", "total": total}
        lines.append(said)
        lines += [{**said, "completed": total * step // steps} for step in range(1, steps + 1)]
    return [*lines, *({"status": s} for s in ("verifying sha256 digest", "writing manifest", "success"))]

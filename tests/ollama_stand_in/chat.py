"""`/api/chat`: the order of Ollama's checks, and a reply with what goes wrong in it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ollama_stand_in import prompt, wire
from ollama_stand_in.models import full_name
from ollama_stand_in.replies import Fault, Reply
from ollama_stand_in.slots import now
from ollama_stand_in.wire import ApiError

if TYPE_CHECKING:
    from ollama_stand_in.server import Request, StandIn, _Handler

MALFORMED = b'{"model":"tiny","message":{"role":"assistant","content":"'


class Chat:
    """One request to `/api/chat`.

    1. Body, name and model; 2. `think` and `keep_alive`; 3. a slot; 4. options, and the model is loaded; 5. the prompt
    is cut to the window; 6. the reply.
    """

    def __init__(self, handler: _Handler, stand_in: StandIn, request: Request, body: dict[str, Any]) -> None:
        self.handler = handler
        self.stand_in = stand_in
        self.request = request
        self.body = body
        self.name = wire.model_name(body)
        self.model = handler.find(self.name)
        self.keep_alive_s = wire.keep_alive_s(body, stand_in.keep_alive_s)
        self.streams = body.get("stream", True)
        self.load_ns = 0
        self.num_ctx = 0

    def answer(self) -> None:
        """Answers it."""
        messages = self.body.get("messages") or []
        if not messages and self.body.get("keep_alive") is not None and self.keep_alive_s == 0:
            self.handler.send(self._last({}, "unload"))
            return
        thinks = wire.check_think(self.body, self.model.capabilities)
        with self.stand_in.slots.turn():
            options = wire.check_options({**self.model.parameters, **(self.body.get("options") or {})})
            num_ctx = min(options.get("num_ctx") or self.stand_in.num_ctx, self.model.context_length)
            self._load(num_ctx)
            if not messages:
                self.handler.send(self._last({}, "load"))
            else:
                self._read(messages, num_ctx, options.get("num_keep", 4))
                wire.check_format(self.body)
                self._reply(self.stand_in.next_reply(self.request), thinks=thinks, limit=options.get("num_predict", -1))

    def _load(self, num_ctx: int) -> None:
        """Takes its time if the model is not there with this window."""
        if not self.stand_in.slots.is_loaded(full_name(self.name), num_ctx):
            self.handler.wait(self.model.load_s)
        self.num_ctx = num_ctx
        self.stand_in.slots.keep(full_name(self.name), self.model, num_ctx, self.stand_in.keep_alive_s)
        self.load_ns = time.monotonic_ns() - self.handler.arrived

    def _read(self, messages: list[dict[str, Any]], num_ctx: int, num_keep: int) -> None:
        """What the model gets to read."""
        if messages[0]["role"] != "system" and self.model.system:
            messages = [{"role": "system", "content": self.model.system}, *messages]
        if not self.body.get("truncate", True):
            tokens = prompt.count(self.model.counter, prompt.render(messages))
            if tokens >= num_ctx:
                raise ApiError(400, _too_long(tokens, num_ctx))
        self.request.read = prompt.fit(messages, self.model.counter, num_ctx, num_keep, self.stand_in.truncation)

    def _reply(self, reply: Reply, *, thinks: bool, limit: int) -> None:
        """Says it, up to `limit` tokens and up to its fault."""
        self.handler.wait(reply.load_s)
        self.load_ns += int(reply.load_s * 1e9)
        if reply.status != 200:
            raise ApiError(reply.status, reply.message)
        started = time.monotonic_ns()
        self.handler.wait(reply.first_token_s)
        said = list(self._chunks(reply, thinks=thinks))
        cut = said[:limit] if limit >= 0 else said
        reason = reply.done_reason or ("length" if len(cut) < len(said) else "stop")
        if self.streams:
            self._stream(reply, cut, reason, started)
        else:
            self._whole(reply, cut, reason, started)

    def _chunks(self, reply: Reply, *, thinks: bool) -> Iterator[dict[str, str]]:
        """Messages of a token each."""
        thinking, content = reply.thinking, reply.content
        if thinking and (reply.tagged or "thinking" not in self.model.capabilities):
            thinking, content = "", f"<think>\n{thinking}\n</think>\n\n{content}"
        for piece in prompt.pieces(self.model.counter, thinking) if thinks else ():
            yield {"content": "", "thinking": piece}
        for piece in prompt.pieces(self.model.counter, content):
            yield {"content": piece}

    def _stream(self, reply: Reply, said: list[dict[str, str]], reason: str, started: int) -> None:
        """Line by line."""
        for index in range(len(said) + 1):
            if reply.fault and index == min(reply.fault_after, len(said)) and self._fails(reply):
                return
            if index < len(said):
                self.handler.send_line(self._line(said[index]))
                self.handler.wait(reply.token_s)
        self.handler.send_line(self._last({}, reason, **self._counts(len(said), started)))
        self.handler.end_stream()

    def _fails(self, reply: Reply) -> bool:
        """Does the fault; whether that was the end."""
        if reply.fault is Fault.MALFORMED:
            self.handler.send_line(MALFORMED)
            return False
        if reply.fault is Fault.ERROR:
            self.handler.send({"error": reply.message}, status=500)
        elif reply.fault is Fault.UNFINISHED:
            self.handler.end_stream()
        else:
            self.handler.drop()
        return True

    def _whole(self, reply: Reply, said: list[dict[str, str]], reason: str, started: int) -> None:
        """In one piece: a cut one is shorter than announced, a malformed or unfinished one ends in the middle."""
        if reply.fault is Fault.ERROR:
            raise ApiError(500, reply.message)
        self.handler.wait(reply.token_s * len(said))
        thinking = "".join(chunk.get("thinking", "") for chunk in said)
        message = {
            "content": "".join(chunk["content"] for chunk in said),
            **({"thinking": thinking} if thinking else {}),
        }
        line = self._last(message, reason, **self._counts(len(said), started))
        content = json.dumps(line, ensure_ascii=False).encode()
        kind = "application/json; charset=utf-8"
        half = len(content) // 2
        if reply.fault is None:
            self.handler.send_bytes(content, kind)
        elif reply.fault is Fault.CUT:
            self.handler.send_bytes(content[:half], kind, missing=len(content) - half)
            self.handler.drop()
        else:
            self.handler.send_bytes(content[:half], kind)

    def _line(self, message: dict[str, str]) -> dict[str, Any]:
        """A line that is not the last one."""
        whole = {"role": "assistant", "content": "", **message}
        return {"model": self.name, "created_at": now(), "message": whole, "done": False}

    def _last(self, message: dict[str, str], reason: str, **counts: int) -> dict[str, Any]:
        """The last line; whoever has it finds in `/api/ps` what `keep_alive` asks for."""
        self.stand_in.slots.keep(full_name(self.name), self.model, self.num_ctx, self.keep_alive_s)
        return {**self._line(message), "done": True, "done_reason": reason, **counts}

    def _counts(self, eval_count: int, started: int) -> dict[str, int]:
        """Of the last line; Ollama leaves out what is 0."""
        ended = time.monotonic_ns()
        read = self.request.read
        counts = {
            "total_duration": ended - self.handler.arrived,
            "load_duration": self.load_ns,
            "prompt_eval_count": read.tokens if read else 0,
            "prompt_eval_duration": max(1, (ended - started) // 2),
            "eval_count": eval_count,
            "eval_duration": max(1, (ended - started) // 2),
        }
        return {key: value for key, value in counts.items() if value}


def _too_long(tokens: int, num_ctx: int) -> str:
    """What comes through from Ollama's runner, JSON in a text, to a request that forbids truncation."""
    exceeds = f"exceeds the available context size ({num_ctx} tokens), try increasing it"
    error = {
        "code": 400,
        "message": f"request ({tokens} tokens) {exceeds}",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": tokens,
        "n_ctx": num_ctx,
    }
    return json.dumps({"error": error}, separators=(",", ":"))

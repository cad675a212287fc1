"""Our end of the fork server: sends programs to it, and starts it again whenever it has died.

Requests and replies go over a socket pair. The weights come back in a block, an anonymous file of the run's own, which
the program's child maps, and which comes here only after that child is dead.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from readhead.errors import SandboxError
from readhead.sandbox import launch, policy, wire
from readhead.sandbox.backend import Ticket
from readhead.sandbox.block import Ending, Layout, new_kept_block, plain, read_block, read_run, write_request
from readhead.sandbox.results import Limits, Run
from readhead.tokens import Text

_SERVE: Final = "from readhead.sandbox.server import main; main()"


class Forks:
    """A process for every program.

    Args:
        limits: of every program.
        level: `locked`, `fork` or `auto`; see `Sandbox`.
    """

    def __init__(self, limits: Limits, level: str) -> None:
        self.limits = limits
        self._level = level
        self._isolation = ""
        self._texts: tuple[Text, ...] = ()
        self._server: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._numbers = itertools.count(1)
        self._open: dict[int, Ticket] = {}
        self._lock = threading.RLock()
        self._talking = False
        self._abandoned: list[int] = []
        self._turns: dict[int, dict[str, Any]] = {}
        """Of every kept child that is alive: its last answer, empty while it is awaited."""

    @property
    def isolation(self) -> str:
        """See `Sandbox.isolation`."""
        with self._lock:
            if not self._isolation:
                self._exchange(lambda: None)
            return self._isolation

    def close(self) -> None:
        """End the server and whatever it runs. A later call starts it again."""
        with self._lock:
            for ticket in self._open.values():
                _let_go(ticket)
            self._open.clear()
            self._stop()

    def load(self, texts: tuple[Text, ...]) -> None:
        """Run later programs on these texts."""
        with self._lock:
            self._texts = texts
            try:
                self._exchange(self._load_texts)
            except BaseException:
                self._texts = ()
                raise

    def begin(self, source: str, review: policy.Review) -> Ticket:
        """Send off a program that was found harmless."""
        with self._lock:
            ticket = Ticket(source, review, self._texts, next(self._numbers))
            self._open[ticket.number] = ticket
            try:
                self._exchange(lambda: self._send_program(ticket))
            except BaseException:
                self.abandon([ticket])
                raise
            return ticket

    def finish(self, ticket: Ticket) -> Run:
        """Wait for a program's answer and read its block."""
        with self._lock:
            try:
                while not ticket.reply:
                    if ticket.number not in self._open:
                        raise SandboxError("the sandbox was closed while it ran a program", hint="run it again")
                    self._exchange(self._receive_reply)
                return _read(ticket.block, ticket.layout, ticket.reply, ticket.review)
            finally:
                self.abandon([ticket])

    def abandon(self, tickets: list[Ticket]) -> None:
        """Have programs stopped whose results nobody waits for."""
        with self._lock:
            for ticket in tickets:
                if self._open.pop(ticket.number, None):
                    self._abandoned.append(ticket.number)
                _let_go(ticket)
            # A generator may be collected at any moment, in the midst of a message too; then the next program tells.
            if self._abandoned and self._link is not None and not self._talking:
                self._exchange(self._send_abandoned)

    def _send_abandoned(self) -> None:
        numbers, self._abandoned = self._abandoned, []
        if numbers:
            wire.send(self._connected(launch.START_SECONDS), {"op": "cancel", "programs": numbers})

    # Kept programs

    def keep(self, source: str, review: policy.Review) -> KeptChild:
        """A child that runs one program on one text after another."""
        return KeptChild(self, source, review)

    def begin_kept(self, source: str, review: policy.Review, block: int) -> tuple[int, dict[str, Any]]:
        """Start a kept child; its number, and how it defined its program: empty if the server died of it."""
        number = next(self._numbers)
        request = self._request("keep", number, source, review)
        return number, self._take_turn(number, request, [block])

    def call_kept(self, number: int) -> dict[str, Any]:
        """Have a kept child run its program on the text in its block; empty if it is gone."""
        if number not in self._turns:
            return {}
        return self._take_turn(number, {"op": "call", "program": number})

    def end_kept(self, number: int) -> None:
        """Stop a kept child."""
        with self._lock:
            if self._turns.pop(number, None) is not None:
                self._abandoned.append(number)
                self.abandon([])

    def _take_turn(self, number: int, request: dict[str, Any], descriptors: Iterable[int] = ()) -> dict[str, Any]:
        with self._lock:
            self._exchange(lambda: None)  # a server, or else this would start one and be lost
            self._turns[number] = {}
            self._exchange(lambda: wire.send(self._connected(launch.START_SECONDS), request, descriptors))
            while self._turns.get(number) == {}:
                self._exchange(self._receive_reply)
            reply = self._turns.get(number, {})
            if not reply.get("kept"):
                self._turns.pop(number, None)
            return reply

    # The server

    def _exchange(self, talk: Callable[[], None]) -> None:
        """Talk to the server; if it turns out to have died, start another and send again what was open."""
        self._talking = True
        try:
            if self._link is None:
                self._start()
            else:
                talk()
        except (EOFError, ConnectionError):
            self._start()
        except TimeoutError as error:
            self._stop()
            raise SandboxError("the sandbox's server does not answer", hint="run it again") from error
        except BaseException:
            self._stop()  # a message may have been cut in two
            raise
        finally:
            self._talking = False

    def _start(self) -> None:
        """Start a server, load the texts, and send every program that has no answer."""
        words = self._stop()
        self._abandoned.clear()
        self._turns.clear()
        open_tickets = list(self._open.values())
        if any(ticket.attempts > 1 or ticket.texts is not self._texts for ticket in open_tickets):
            self.close()
            raise SandboxError(f"the sandbox's server died while it ran a program: {words}", hint="run it again")
        try:
            self._server, self._link = _new_server()
            self._choose_level()
            self._load_texts()
            for ticket in open_tickets:
                self._send_program(ticket)
        except (EOFError, OSError) as error:
            raise SandboxError(
                f"the sandbox's server did not start: {self._stop() or error}", hint="run it again"
            ) from error

    def _stop(self) -> str:
        """End the server; the last line of what it had to complain about."""
        link, server = self._link, self._server
        self._link = self._server = None
        if link is not None:
            link.close()
        return "" if server is None else launch.stop(server)

    def _choose_level(self) -> None:
        link = self._connected(launch.START_SECONDS)
        wire.send(link, {"op": "start", "level": self._level})
        complaint = plain(wire.receive(link)[0]["complaint"])
        if complaint and self._level == "locked":
            raise SandboxError(
                f"programs cannot be locked in here: {complaint}",
                hint="with the level `auto` they run with reduced isolation, which results then tell",
            )
        self._isolation = f"reduced: {complaint}" if complaint else "locked"

    def _load_texts(self) -> None:
        link = self._connected(launch.START_SECONDS + len(self._texts))
        texts = [[text.surfaces, sorted(text.special)] for text in self._texts]
        wire.send(link, {"op": "load", "texts": texts})
        while True:
            message, descriptors = wire.receive(link)
            if "loaded" in message:
                break
            self._note_reply(message, descriptors)
        if not message["loaded"]:
            raise SandboxError(f"the texts could not be read: {plain(message['error'])}")

    def _send_program(self, ticket: Ticket) -> None:
        self._send_abandoned()
        ticket.attempts += 1
        request = self._request("run", ticket.number, ticket.source, ticket.review)
        wire.send(self._connected(launch.START_SECONDS), request)

    def _request(self, operation: str, number: int, source: str, review: policy.Review) -> dict[str, Any]:
        return {
            "op": operation,
            "program": number,
            "source": source,
            "features": sorted(review.features),
            "counted": sorted(review.counted),
            "seconds": self.limits.seconds,
            "memory": self.limits.memory_bytes,
        }

    def _receive_reply(self) -> None:
        patience = launch.START_SECONDS + 12 * self.limits.seconds * (len(self._texts) + 1)
        self._note_reply(*wire.receive(self._connected(patience)))

    def _note_reply(self, message: dict[str, Any], descriptors: list[int]) -> None:
        number = message["program"]
        if number in self._turns:
            self._turns[number] = message
        elif number in self._open:
            ticket = self._open.pop(number)
            ticket.reply = message
            ticket.block = descriptors.pop()
        for descriptor in descriptors:  # of a program that nobody waits for
            os.close(descriptor)

    def _connected(self, patience: float) -> socket.socket:
        if self._link is None:
            raise EOFError  # `_exchange` starts a server
        self._link.settimeout(patience)
        return self._link


class KeptChild:
    """A child that waits for texts; another takes its place when it has died, or when a program has spoilt it."""

    def __init__(self, forks: Forks, source: str, review: policy.Review) -> None:
        self._forks = forks
        self._source = source
        self._review = review
        self._number = -1
        self._block = -1

    def call(self, text: Text) -> Run:
        """Run the program on one text."""
        for _ in range(2):
            reply = self._try(text)
            if reply:
                run = _read(self._block, Layout((len(text.surfaces),)), reply, self._review)
                if reply["spoilt"]:
                    self.close()
                return run
        raise SandboxError("the sandbox's server died while it ran a program", hint="run it again")

    def close(self) -> None:
        """End the child."""
        self._forks.end_kept(self._number)
        if self._block >= 0:
            os.close(self._block)
        self._block = -1

    def _try(self, text: Text) -> dict[str, Any]:
        if self._block >= 0:
            write_request(self._block, text)
            reply = self._forks.call_kept(self._number)
            if reply:
                return reply
        self.close()
        self._block = new_kept_block()
        write_request(self._block, text)
        self._number, reply = self._forks.begin_kept(self._source, self._review, self._block)
        return self._forks.call_kept(self._number) if reply.get("kept") else reply


def _let_go(ticket: Ticket) -> None:
    if ticket.block >= 0:
        os.close(ticket.block)
    ticket.block = -1


def _read(block: int, layout: Layout, reply: dict[str, Any], review: policy.Review) -> Run:
    return read_run(read_block(block, layout.offsets[-1]), layout, Ending(**reply["ending"]), review)


def _new_server() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A server that has just been started, and the way to it."""
    ours, theirs = socket.socketpair()
    with theirs:
        return launch.start(_SERVE, stdin=theirs.fileno(), stdout=subprocess.DEVNULL), ours

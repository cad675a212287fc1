"""Our end of the fork server: sends programs to it, and starts it again whenever it has died.

Requests and replies go over a socket pair. The weights come back in a block, an anonymous file of the run's own, which
the program's child maps, and which is read here only after that child is dead.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from readhead.errors import SandboxError
from readhead.sandbox import launch, policy, wire
from readhead.sandbox.block import Ending, Layout, new_block, plain, read_block, read_run
from readhead.sandbox.results import Limits, Run
from readhead.tokens import Text

_SERVE: Final = "from readhead.sandbox.server import main; main()"


@dataclass
class Ticket:
    """A program that was sent and has not been answered."""

    number: int
    source: str
    review: policy.Review
    texts: tuple[Text, ...]
    layout: Layout
    block: int = -1
    attempts: int = 0
    reply: dict[str, Any] = field(default_factory=dict)

    def close(self) -> None:
        """Let go of the block."""
        if self.block >= 0:
            os.close(self.block)
        self.block = -1

    def run(self) -> Run:
        """What the program did, once it has been answered."""
        ending = Ending(**{name: value for name, value in self.reply.items() if name != "program"})
        return read_run(read_block(self.block, self.layout.offsets[-1]), self.layout, ending, self.review.result_line)


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
        self._layout = Layout(())
        self._server: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._numbers = itertools.count(1)
        self._open: dict[int, Ticket] = {}
        self._lock = threading.RLock()
        self._talking = False
        self._abandoned: list[int] = []

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
                ticket.close()
            self._open.clear()
            self._stop()

    def load(self, texts: tuple[Text, ...]) -> None:
        """Run later programs on these texts."""
        with self._lock:
            self._texts = texts
            self._layout = Layout(tuple(len(text.surfaces) for text in texts))
            try:
                self._exchange(self._load_texts)
            except BaseException:
                self._texts, self._layout = (), Layout(())
                raise

    def begin(self, source: str, review: policy.Review) -> Ticket:
        """Send off a program that was found harmless."""
        with self._lock:
            ticket = Ticket(next(self._numbers), source, review, self._texts, self._layout)
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
                return ticket.run()
            finally:
                self.abandon([ticket])

    def abandon(self, tickets: list[Ticket]) -> None:
        """Have programs stopped whose results nobody waits for."""
        with self._lock:
            for ticket in tickets:
                if self._open.pop(ticket.number, None):
                    self._abandoned.append(ticket.number)
                ticket.close()
            # A generator may be collected at any moment, in the midst of a message too; then the next program tells.
            if self._abandoned and self._link is not None and not self._talking:
                self._exchange(self._send_abandoned)

    def _send_abandoned(self) -> None:
        numbers, self._abandoned = self._abandoned, []
        if numbers:
            wire.send(self._connected(launch.START_SECONDS), {"op": "cancel", "programs": numbers})

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
            message, _ = wire.receive(link)
            if "loaded" in message:
                break
            self._note_reply(message)
        if not message["loaded"]:
            raise SandboxError(f"the texts could not be read: {plain(message['error'])}")

    def _send_program(self, ticket: Ticket) -> None:
        self._send_abandoned()
        ticket.attempts += 1
        ticket.close()
        ticket.block = new_block(ticket.layout.offsets[-1])
        request = {
            "op": "run",
            "program": ticket.number,
            "source": ticket.source,
            "features": sorted(ticket.review.features),
            "counted": sorted(ticket.review.counted),
            "seconds": self.limits.seconds,
            "memory": self.limits.memory_bytes,
        }
        wire.send(self._connected(launch.START_SECONDS), request, [ticket.block])

    def _receive_reply(self) -> None:
        patience = launch.START_SECONDS + 12 * self.limits.seconds * (len(self._texts) + 1)
        message, _ = wire.receive(self._connected(patience))
        self._note_reply(message)

    def _note_reply(self, message: dict[str, Any]) -> None:
        ticket = self._open.pop(message["program"], None)
        if ticket is not None:
            ticket.reply = message

    def _connected(self, patience: float) -> socket.socket:
        if self._link is None:
            raise EOFError  # `_exchange` starts a server
        self._link.settimeout(patience)
        return self._link


def _new_server() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A server that has just been started, and the way to it."""
    ours, theirs = socket.socketpair()
    with theirs:
        return launch.start(_SERVE, stdin=theirs.fileno(), stdout=subprocess.DEVNULL), ours

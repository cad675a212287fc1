"""The Ollama server: whether it can be used, and what to do where it cannot.

Four states are told apart, each with its cure: Ollama is not installed, it is not running, the model is absent, its
context is too small. A name without a tag means `:latest`, as in Ollama.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from readhead.errors import OllamaError
from readhead.synthesis.ollama.client import Client

if TYPE_CHECKING:
    from readhead.settings import OllamaSettings

State = Literal["ready", "not installed", "not running", "model absent", "context too small"]
NEEDED: Final = 8192
"""Tokens of context that a prompt with its reply takes at least."""
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - names of this machine


@dataclass(frozen=True)
class Status:
    """Whether a model can be asked."""

    state: State
    message: str
    """What is so, in a line."""
    cure: str
    """What to do about it; empty where it is ready."""
    host: str
    """The server's address."""
    model: str
    version: str = ""
    """Of the server; empty where it does not answer."""
    installed: tuple[str, ...] = ()
    """The models that the server has."""
    context: int = 0
    """Tokens that the model was made for; 0 where the server does not say."""

    def as_dict(self) -> dict[str, Any]:
        """The document that `readhead ollama --json` prints."""
        return {
            "state": self.state,
            "message": self.message,
            "cure": self.cure or None,
            "host": self.host,
            "model": self.model,
            "version": self.version or None,
            "installed": list(self.installed),
            "context": self.context or None,
        }


def inspect_server(settings: OllamaSettings, *, needed: int = NEEDED) -> Status:
    """The state of the server and of the model that the settings name.

    Args:
        settings: host, model and patience.
        needed: tokens of context that the model has to have.

    Raises:
        UsageError: if the host is no address.
        OllamaError: if something else than Ollama answers, or the server refuses.
    """
    with Client(settings) as client:
        facts: dict[str, Any] = {"host": client.host, "model": settings.model}
        version = client.version()
        if version is None:
            return _silent(client.host, facts)
        installed = client.installed()
        facts |= {"version": version, "installed": installed}
        if _full(settings.model) not in {_full(name) for name in installed}:
            has = ", ".join(installed) or "none"
            return Status(
                "model absent",
                f"the model {settings.model} is not there; installed: {has}",
                f"ollama pull {settings.model}, or name another in readhead.toml: [ollama] model",
                **facts,
            )
        context = client.context()
        facts["context"] = context
        if context and context < needed:
            return Status(
                "context too small",
                f"{settings.model} reads {context} tokens, and {needed} are needed",
                "name a model with a longer context in readhead.toml: [ollama] model",
                **facts,
            )
        return Status("ready", f"{settings.model} is ready at {client.host} (Ollama {version})", "", **facts)


def _silent(host: str, facts: dict[str, Any]) -> Status:
    """What it means that nothing answers."""
    if urlsplit(host).hostname in _LOCAL and shutil.which("ollama") is None:
        return Status(
            "not installed",
            f"nothing answers at {host}, and there is no `ollama` on this machine",
            "install it from ollama.com, then run `ollama serve`; or name another host: OLLAMA_HOST",
            **facts,
        )
    return Status("not running", f"nothing answers at {host}", "run `ollama serve`, or check OLLAMA_HOST", **facts)


def _full(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def require_server(settings: OllamaSettings) -> Status:
    """The state of a server that is ready.

    Raises:
        OllamaError: with the cure, if it is not; else as `inspect_server`.
    """
    status = inspect_server(settings)
    if status.state != "ready":
        raise OllamaError(status.message, hint=status.cure)
    return status

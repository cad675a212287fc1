"""The Ollama server: whether it can be used, and what to do where it cannot. The one module that calls the client.

Four states are told apart, each with its cure: Ollama is not installed, it is not running, the model is absent, its
context is too small. A name without a tag means `:latest`, as in Ollama.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from readhead.errors import OllamaError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from readhead.workspace import OllamaSettings

State = Literal["ready", "not installed", "not running", "model absent", "context too small"]
NEEDED: Final = 8192
"""Tokens of context that a prompt with its replies takes at least."""
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - names of this machine
_ANSWERS_S: Final = 5.0
"""Seconds for a question that the server answers at once."""


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
    with _calling(settings, timeout=_ANSWERS_S) as (client, host):
        facts: dict[str, Any] = {"host": host, "model": settings.model}
        try:
            version = str(client._request_raw("GET", "/api/version").json()["version"])  # noqa: SLF001 - it has no method for it
        except ConnectionError:
            return _silent(host, facts)
        installed = tuple(sorted(str(each.model) for each in client.list().models))
        facts |= {"version": version, "installed": installed}
        if _full(settings.model) not in {_full(name) for name in installed}:
            has = ", ".join(installed) or "none"
            return Status(
                "model absent",
                f"the model {settings.model} is not there; installed: {has}",
                f"ollama pull {settings.model}, or name another in readhead.toml: [ollama] model",
                **facts,
            )
        context = _context(client.show(settings.model).modelinfo or {})
        facts["context"] = context
        if context and context < needed:
            return Status(
                "context too small",
                f"{settings.model} reads {context} tokens, and {needed} are needed",
                "name a model with a longer context in readhead.toml: [ollama] model",
                **facts,
            )
        return Status("ready", f"{settings.model} is ready at {host} (Ollama {version})", "", **facts)


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


def _context(facts: Any) -> int:  # noqa: ANN401 - the server's own
    """The context length among a model's facts, whose names begin with its architecture."""
    lengths = (value for key, value in dict(facts).items() if key.endswith(".context_length"))
    return int(next(lengths, 0))


@contextmanager
def _calling(settings: OllamaSettings, *, timeout: float) -> Iterator[tuple[Any, str]]:
    """A client of the server, and its address; whatever the library raises becomes one of our errors."""
    import httpx  # noqa: PLC0415 - only who asks a model waits for it
    import ollama  # noqa: PLC0415 - as above

    try:
        client = ollama.Client(host=settings.host or None, timeout=timeout)
    except ValueError as error:
        raise UsageError(f"{settings.host!r} is no address of a server", hint="write http://127.0.0.1:11434") from error
    host = str(client._client.base_url).rstrip("/")  # noqa: SLF001 - it does not tell
    try:
        yield client, host
    except ollama.ResponseError as error:
        raise OllamaError(f"Ollama refuses: {error.error}", hint=f"see the server's log at {host}") from error
    except httpx.TimeoutException as error:
        raise OllamaError(
            f"{host} does not answer within {timeout:g} s", hint="check the server, or OLLAMA_HOST"
        ) from error
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise OllamaError(f"what answers at {host} is not Ollama", hint="check OLLAMA_HOST") from error
    finally:
        client._client.close()  # noqa: SLF001 - as above

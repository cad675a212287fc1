"""Talking to the server: the one module that calls the `ollama` client, and where its errors become ours.

An answer is read as a stream, so that nothing of it is lost where it breaks off: whatever came is returned, with the
error beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from readhead.errors import OllamaError, UsageError

if TYPE_CHECKING:
    from readhead.settings import OllamaSettings

ANSWERS_S: Final = 5.0
"""Seconds for a connection, and for a question that the server answers at once."""
KEPT: Final = 4
"""Tokens at the beginning of a prompt that the server keeps where it cuts one (`num_keep`)."""
_LONGEST_S: Final = 1e6
"""No system waits for longer on a connection."""
_ABSENT, _BUSY = 404, 503
_LONGEST_ERROR: Final = 300

Listen = Callable[[str, str], bool]
"""Called with each piece of an answer and of the thoughts before it; returns whether to go on."""


class BrokenAnswerError(OllamaError):
    """An answer that broke off, or a server that was busy: worth asking once more."""


@dataclass(frozen=True)
class Question:
    """One request to the model."""

    system: str
    prompt: str
    schema: dict[str, Any]
    """JSON schema that the answer has to follow."""
    seed: int = 0

    @property
    def characters(self) -> int:
        """Of all that the model is to read."""
        return len(self.system) + len(self.prompt)


@dataclass(frozen=True)
class Answer:
    """What came of one request."""

    text: str = ""
    thinking: str = ""
    """What the model told itself before."""
    characters: int = 0
    """Of the prompt."""
    window: int = 0
    """Tokens of context that were asked for."""
    prompt_tokens: int = 0
    """Tokens that the model read; 0 where the server does not say."""
    reply_tokens: int = 0
    """Tokens that it wrote."""
    seconds: float = 0.0
    ending: str = "stop"
    """Why it ended: `stop`, `length` at the most tokens of a reply, `stopped` by us, `broken`."""
    cut: bool = False
    """The server cut the prompt, silently."""
    error: OllamaError | None = field(default=None, compare=False)
    """Of an answer that is broken."""


class Client:
    """A connection to the server that the settings name; threads may share it."""

    def __init__(self, settings: OllamaSettings) -> None:
        import httpx  # noqa: PLC0415 - only who asks a model waits for it
        import ollama  # noqa: PLC0415 - as above

        self._settings = settings
        try:
            self._client: Any = ollama.Client(host=settings.host or None, timeout=ANSWERS_S)
        except (ValueError, httpx.InvalidURL) as error:
            raise UsageError(
                f"{settings.host!r} is no address of a server", hint="write http://127.0.0.1:11434"
            ) from error
        self.host = str(self._client._client.base_url).rstrip("/")  # noqa: SLF001 - it does not tell

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client._client.close()  # noqa: SLF001 - the client's own `close` is newer than its first release

    def version(self) -> str | None:
        """The server's version; None where nothing answers."""
        with self._translating():
            try:
                return str(self._client._request_raw("GET", "/api/version").json()["version"])  # noqa: SLF001 - as above
            except ConnectionError:
                return None

    def installed(self) -> tuple[str, ...]:
        """The models that the server has, by name."""
        with self._translating():
            return tuple(sorted(str(each.model) for each in self._client.list().models))

    def context(self) -> int:
        """Tokens that the settings' model was made for; 0 where the server does not say."""
        with self._translating():
            facts = self._client.show(self._settings.model).modelinfo or {}
            lengths = (value for key, value in dict(facts).items() if key.endswith(".context_length"))
            return int(next(lengths, 0))

    def chat(self, question: Question, *, window: int, listen: Listen) -> Answer:
        """Ask, and read the answer as it comes; raises nothing that has to do with the server."""
        started = time.monotonic()
        text: list[str] = []
        thinking: list[str] = []
        facts: dict[str, Any] = {"ending": "stopped"}
        error: OllamaError | None = None
        try:
            with self._translating():
                for part in self._stream(question, window):
                    text.append(part.message.content or "")
                    thinking.append(part.message.thinking or "")
                    if part.done:
                        facts = _facts(part)
                        break
                    if not listen(text[-1], thinking[-1]):
                        break
                else:
                    raise BrokenAnswerError(
                        f"the answer of {self._settings.model} ended in the middle", hint=self._see_log()
                    )
        except OllamaError as broken:
            error, facts = broken, {"ending": "broken"}
        return Answer(
            text=joined(text),
            thinking=joined(thinking),
            characters=question.characters,
            window=window,
            seconds=time.monotonic() - started,
            error=error,
            **({"reply_tokens": sum(map(bool, text)) + sum(map(bool, thinking))} | facts),
        )

    def _stream(self, question: Question, window: int) -> Iterator[Any]:
        import httpx  # noqa: PLC0415 - as above

        settings = self._settings
        self._client._client.timeout = httpx.Timeout(ANSWERS_S, read=min(settings.patience, _LONGEST_S))  # noqa: SLF001 - as above
        messages = [{"role": "system", "content": question.system}, {"role": "user", "content": question.prompt}]
        options = {
            "num_ctx": window,
            "num_keep": KEPT,
            "num_predict": settings.reply_tokens,
            "temperature": settings.temperature,
            "seed": question.seed,
        }
        stream: Iterator[Any] = self._client.chat(
            settings.model,
            messages,
            stream=True,
            format=question.schema,
            options=options,
            keep_alive=settings.keep_alive,
        )
        return stream

    def _see_log(self) -> str:
        return f"see the server's log at {self.host}, then run the command again: what came is kept"

    @contextmanager
    def _translating(self) -> Iterator[None]:
        import httpx  # noqa: PLC0415 - as above
        import ollama  # noqa: PLC0415 - as above

        model = self._settings.model
        try:
            yield
        except ollama.ResponseError as error:
            told = _in_a_line(error.error)
            if error.status_code == _ABSENT:
                raise OllamaError(f"Ollama has no model {model}: {told}", hint=f"ollama pull {model}") from error
            if error.status_code == _BUSY:
                raise BrokenAnswerError(
                    f"Ollama is busy: {told}", hint="try again later, or ask for less at once: [ollama] parallel"
                ) from error
            kind = OllamaError if 400 <= error.status_code < 500 else BrokenAnswerError  # noqa: PLR2004 - our mistake
            raise kind(f"Ollama refuses: {told}", hint=self._see_log()) from error
        except httpx.ReadTimeout as error:
            waited = self._client._client.timeout.read  # noqa: SLF001 - as above
            raise OllamaError(
                f"{self.host} does not answer within {waited:g} s",
                hint="check the server, or give a large model more time in readhead.toml: [ollama] patience",
            ) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, ConnectionError) as error:  # the last is the client's own
            raise OllamaError(
                f"nothing answers at {self.host}", hint="run `ollama serve`, or check OLLAMA_HOST"
            ) from error
        except httpx.NetworkError as error:
            raise BrokenAnswerError(f"the connection to {self.host} broke off", hint=self._see_log()) from error
        except httpx.RemoteProtocolError as error:
            raise BrokenAnswerError(f"the connection to {self.host} broke off", hint=self._see_log()) from error
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:  # no JSON, or another form
            raise BrokenAnswerError(f"{self.host} answers what is not Ollama's", hint="check OLLAMA_HOST") from error


def joined(pieces: Iterable[str]) -> str:
    """Pieces of an answer as a text; the halves of a character that a server has cut in two come together again."""
    return "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _in_a_line(text: str) -> str:
    """A server's words, which may be a page of HTML, or have a terminal do things."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= _LONGEST_ERROR else f"{line[: _LONGEST_ERROR - 1]}…"


def _facts(last: Any) -> dict[str, Any]:  # noqa: ANN401 - the client's own
    """What the last line of a stream tells."""
    return {
        "ending": "length" if last.done_reason == "length" else "stop",
        "prompt_tokens": last.prompt_eval_count or 0,
        "reply_tokens": last.eval_count or 0,
    }

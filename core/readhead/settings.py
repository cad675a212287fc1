"""What a `readhead.toml` may say, and where it is found. Flags of commands go before it."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from readhead.corpus import Sizes
from readhead.errors import UsageError

CONFIG = "readhead.toml"
_WANTED: dict[type, str] = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}
_LEAST = {
    "fit": 1, "dev": 1, "held_out": 1, "length": 2, "reply_tokens": 64, "parallel": 1, "temperature": 0, "patience": 1
}  # fmt: skip


@dataclass(frozen=True)
class OllamaSettings:
    """The table `[ollama]` of `readhead.toml`."""

    model: str = "qwen2.5-coder:7b"
    """As Ollama names it; without a tag, `:latest` is meant."""
    host: str = ""
    """Address of the server; empty for OLLAMA_HOST, or else this machine."""
    temperature: float = 0.8
    """0 for the likeliest program each time; higher for more different ones."""
    reply_tokens: int = 3072
    """The most tokens of one reply, thinking included."""
    patience: float = 300.0
    """Seconds to wait for the next token; the first one waits for the model to be loaded and the prompt to be read."""
    keep_alive: str = "10m"
    """How long the server keeps the model in memory after a reply."""
    parallel: int = 1
    """Replies that are asked for at once; the server has to allow as many (OLLAMA_NUM_PARALLEL)."""


@dataclass(frozen=True)
class Settings:
    """What `readhead.toml` may say; every key is optional."""

    model: str = "bundled"
    """Hub id, local folder (from the workspace's root) or `bundled`."""
    corpus: str = "bundled"
    """See `readhead.corpus.read_documents`; a relative path is meant from the workspace's root."""
    programs: str = "programs"
    """Folder of program files that are ranked beside the shipped library."""
    device: str = ""
    """cuda, mps or cpu; empty for the best there is."""
    seed: int = 0
    fit: int = Sizes.fit
    """Sequences in the `fit` part."""
    dev: int = Sizes.dev
    held_out: int = Sizes.held_out
    length: int = Sizes.length
    """Tokens a sequence, beginning-of-sequence token included."""
    allow_reduced_isolation: bool = False
    """Run generated programs where they cannot be locked in, too; see `readhead.sandbox.Sandbox`."""
    ollama: OllamaSettings = field(default_factory=OllamaSettings)
    """The local language model that writes programs."""

    @property
    def sizes(self) -> Sizes:
        """The sizes of the corpus' parts."""
        return Sizes(self.fit, self.dev, self.held_out, self.length)


def find_root(start: Path) -> Path | None:
    """The nearest folder upwards from `start` that holds a `readhead.toml`."""
    return next((folder for folder in (start, *start.parents) if (folder / CONFIG).is_file()), None)


def read_settings(path: Path) -> Settings:
    """The settings in a `readhead.toml`.

    Raises:
        UsageError: naming the key that is unknown or has a wrong type, or where the TOML breaks.
    """
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{path} is not TOML: {error}", hint="mend it, or remove it and run `readhead init`"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", hint="check its rights; it is a UTF-8 text file") from error
    nested = table.pop("ollama", {})
    if not isinstance(nested, dict):
        raise UsageError(f"{path}: ollama is not a table", hint="write [ollama] on a line of its own")
    _check_keys(path, nested, OllamaSettings, "ollama.")
    _check_keys(path, table, Settings)
    return Settings(**table, ollama=OllamaSettings(**nested))


def _check_keys(path: Path, table: dict[str, Any], kind: type, prefix: str = "") -> None:
    """Refuse keys that `kind` does not have, and values of another type."""
    plain = [item for item in fields(kind) if item.default is not MISSING]
    known: dict[str, type] = {item.name: type(item.default) for item in plain}
    for key, value in table.items():
        if key not in known:
            raise UsageError(f"{path}: unknown key {prefix + key!r}", hint=f"known keys: {', '.join(known)}")
        if type(value) is not known[key] and not (known[key] is float and type(value) is int):
            example = json.dumps(getattr(kind, key))
            raise UsageError(
                f"{path}: {prefix}{key} is not {_WANTED[known[key]]}", hint=f"write for example: {key} = {example}"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{path}: {prefix}{key} = {value} is no number", hint="write a number, or leave it out")
        if isinstance(value, int | float) and value < _LEAST.get(key, value):
            raise UsageError(f"{path}: {prefix}{key} = {value} is too small", hint=f"write {_LEAST[key]} or more")

"""What the app remembers of a workspace between two starts: where the user was. In `.readhead/tui.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from readhead.errors import StoreError
from readhead.patterns import write_beside
from readhead.workspace import STATE

FILE = "tui.json"


@dataclass
class Remembered:
    """Where the user was. A file that cannot be read counts as none: nothing of worth is in it."""

    welcomed: bool = False
    head: str = "L0H0"
    view: str = "map"
    colouring: str = "IoU"
    filter: str = ""
    theme: str = ""
    palette: str = ""
    compact: bool | None = None
    prompt: str = "Once upon a time"
    """Of the texts that are written."""
    tokens: int = 60
    temperature: float = 0.0

    @classmethod
    def read(cls, root: Path) -> Self:
        """What was remembered of the workspace in `root`."""
        try:
            document: dict[str, Any] = json.loads((root / STATE / FILE).read_text("utf-8"))
            known = {item.name: type(getattr(cls, item.name)) for item in fields(cls)} | {"compact": bool}
            return cls(**{
                name: value for name, value in document.items()
                if name in known and isinstance(value, known[name])
            })  # fmt: skip
        except (OSError, ValueError, AttributeError, TypeError, RecursionError):
            return cls()

    def write(self, root: Path) -> None:
        """Remember it, whole or not at all.

        Raises:
            StoreError: if it cannot be written.
        """
        try:
            (root / STATE).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{root / STATE} cannot be made: {error.strerror}", hint="make room for it") from error
        write_beside(root / STATE / FILE, json.dumps(asdict(self), indent=1) + "\n")

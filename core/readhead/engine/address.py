"""Where a workspace's engine listens: a Unix socket in a private folder, told in `.readhead/engine.json`."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from readhead.patterns import write_beside

FILE = "engine.json"
LOCK = "engine.lock"


@dataclass(frozen=True)
class Address:
    """A running engine."""

    path: str
    """Of its socket."""
    pid: int
    token: str
    """What a front end says first: whoever cannot read the workspace's state cannot attach."""

    def write(self, state: Path) -> None:
        """Tell front ends, who alone can read it."""
        write_beside(state / FILE, json.dumps(asdict(self)))
        (state / FILE).chmod(0o600)

    @classmethod
    def read(cls, state: Path) -> Address | None:
        """The address that was told last; None where there is none."""
        try:
            return cls(**json.loads((state / FILE).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def socket_path(root: Path) -> Path:
    """A path for a workspace's socket: short, since the system allows 100 bytes or so, and ours alone."""
    folder = Path(tempfile.gettempdir()) / f"readhead-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
        folder = Path(tempfile.mkdtemp(prefix="readhead-"))
    digest = hashlib.sha256(str(root).encode()).hexdigest()[:16]
    return folder / f"{digest}-{os.getpid()}.sock"

"""`python -m ollama_stand_in --port 11434 --script replies.json`.

The script is a list of replies, or an object with `replies`, `models`, `pullable` and any other option of `StandIn`.
"""

from __future__ import annotations

import argparse
import json
import threading
from pathlib import Path
from typing import Any

from ollama_stand_in.server import StandIn


def main(arguments: list[str] | None = None) -> None:
    """Serves until Ctrl-C; the replies start anew when they are through."""
    parser = argparse.ArgumentParser(prog="ollama_stand_in", description="A stand-in for an Ollama server.")
    parser.add_argument("--port", type=int, default=11434)
    parser.add_argument("--script", type=Path, help="JSON: a list of replies, or an object with replies and models")
    parser.add_argument("--once", action="store_true", help="answer with 500 when the replies are through")
    options = parser.parse_args(arguments)
    script: Any = json.loads(options.script.read_text(encoding="utf-8")) if options.script else ["Hello."]
    settings = script if isinstance(script, dict) else {"replies": script}
    with StandIn(port=options.port, repeat=not options.once, **settings) as server:
        print(f"{server.url} has {', '.join(server.models)}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{len(server.requests)} requests")


if __name__ == "__main__":
    main()

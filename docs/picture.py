"""Draws the README's picture, the table of `readhead explain` on the bundled model: `python docs/picture.py`."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from readhead.session import Session
from readhead.surrogates.planner import Plan
from readhead.synthesis.front import Wanted
from readhead.workspace import Workspace


def main() -> None:
    """Write `explain.svg` beside this file."""
    with Workspace.temporary() as workspace, Session.open(workspace, workspace.settings) as session:
        explanation = session.explain(session.library(), wanted=Wanted(), plan=Plan())
    console = Console(record=True, width=108, file=io.StringIO())
    console.print(explanation, highlight=False)
    console.save_svg(str(Path(__file__).with_name("explain.svg")), title="readhead explain")


if __name__ == "__main__":
    main()

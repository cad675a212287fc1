"""Draws the picture of the terminal app, from a real session: `python docs/tui_picture.py WORKSPACE`.

The workspace is one that `readhead explain --workspace WORKSPACE` has filled.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from readhead.heads import HeadId
from readhead_tui.app import ReadheadApp
from readhead_tui.remembered import Remembered

SIZE = (172, 36)


async def draw(root: Path) -> str:
    """The app with a few heads flipped and one looked at, as SVG."""
    Remembered(welcomed=True, head="L2H1").write(root)
    app = ReadheadApp(root)
    async with app.run_test(size=SIZE) as pilot:

        async def until_measured() -> None:
            while not (
                app.known.ranked and app.timeline.now and (impact := app.timeline.now.impact) and impact.kl is not None
            ):
                await pilot.pause(0.1)

        await until_measured()
        app.switching.flip({head for head in app.known.best(8) if head not in app.known.board})
        await pilot.pause(0.5)
        await until_measured()
        app.map.cursor = HeadId(0, 3)
        await pilot.press("2", *["down"] * 22)
        while app.head_view.candidate is None or app.head_view.row < 22:  # noqa: PLR2004 - as many as above
            await pilot.pause(0.1)
        await pilot.pause(1)
        return app.export_screenshot(title="readhead tui")


def main() -> None:
    """Write `tui.svg` beside this file."""
    picture = asyncio.run(draw(Path(sys.argv[1]).resolve()))
    Path(__file__).with_name("tui.svg").write_text(picture, "utf-8")


if __name__ == "__main__":
    main()

"""The lines at the top and at the bottom: model and engine, the views, the keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.keys import key_to_character
from textual.widgets import Static

from readhead_tui.actions import ACTIONS, VIEWS

if TYPE_CHECKING:
    from readhead_tui.app import ReadheadApp
    from readhead_tui.known import Known
    from readhead_tui.preferences import Preferences

KEY_NAMES = {
    "space": "space", "slash": "/", "plus": "+", "minus": "-", "escape": "esc", "up": "↑", "down": "↓", "left": "←",
    "right": "→", "pageup": "pgup", "pagedown": "pgdn",
}  # fmt: skip
"""Keys as people read them, where that is neither their character nor Textual's name."""


def key_name(keys: Iterable[str], *, every: bool = False) -> str:
    """The first of some keys, or every one, as people read them."""
    names = [KEY_NAMES.get(key) or _character(key) or key.replace("ctrl+", "^") for key in keys]
    return " ".join(names) if every else next(iter(names), "")


def _character(key: str) -> str:
    character = key_to_character(key) or ""
    return character if character.isprintable() else ""


def put(widget: Static, content: Text | str) -> None:
    """Show something else in a widget whose size does not depend on it: a new layout of the screen takes long."""
    if widget.content != content:
        widget.update(content, layout=False)


class _Line(Static):
    """One line that does not wrap."""

    DEFAULT_CSS = """
    _Line {
        height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis;
        link-style: none; link-color: $foreground; link-style-hover: underline; link-background-hover: $surface;
    }
    """
    ALLOW_SELECT: ClassVar[bool] = False
    app: ReadheadApp

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - as Textual calls it
        super().__init__(id=id, markup=False)
        self._again: Callable[[], None] = lambda: None

    def on_resize(self) -> None:
        """What fits depends on the room."""
        self._again()


class TopLine(_Line):
    """What is looked at, and what the engine does."""

    def tell(self, known: Known, engine: str) -> None:
        """Draw it anew; what the engine does comes first."""
        self._again = partial(self.tell, known, engine)
        geometry, corpus = known.geometry, known.corpus
        line = Text().append(" Readhead ", style="bold reverse")
        if known.model:
            told = f"  {known.model}  {geometry.layers} × {geometry.heads} heads"
            texts = f"  dev {corpus.get('dev', '?')} texts of {corpus.get('length', '?')} tokens"
            left = self.app.size.width - line.cell_len - len(engine) - 3
            line.append(next((each for each in (told + texts, told) if len(each) <= left), ""))
        room = self.app.size.width - line.cell_len - len(engine) - 1
        line.append(" " * max(2, room) + engine, style="bold" if engine != "ready" else "dim")
        put(self, line)


class ViewsLine(_Line):
    """The views, with their keys; a click goes there."""

    def tell(self, view: str) -> None:
        """Draw it anew."""
        line = Text()
        for place, (name, label) in enumerate(VIEWS.items(), 1):
            click: dict[str, Any] = {"@click": f"app.do('view_{name}')"}
            line.append(f" {place} {label} ", style="bold underline" if name == view else "dim")
            line.apply_meta(click, line.cell_len - len(label) - 4)
        put(self, line)


class Keys(_Line):
    """The keys that count here; those that cannot act now are dim."""

    def tell(self, view: str, preferences: Preferences) -> None:
        """Draw as many as there is room for."""
        self._again = partial(self.tell, view, preferences)
        line = Text()
        wanted = [action for action in ACTIONS if action.in_footer and action.is_in(view)]
        first = ("help", "quit", "flip")  # those are always seen; then what only this view has
        wanted.sort(key=lambda action: (action.id not in first, len(action.views) or len(VIEWS)))
        for action in wanted:
            key = key_name(preferences.keys_of(action))
            piece = Text().append(f" {key} ", style="bold reverse")
            can = not action.why_not(self.app)
            piece.append(f" {action.label} ", style="" if can else "dim")
            piece.apply_meta({"@click": f"app.do('{action.id}')"})
            if line.cell_len + piece.cell_len > self.app.size.width:
                break
            line.append_text(piece)
        put(self, line)

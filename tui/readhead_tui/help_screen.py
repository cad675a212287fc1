"""Help: what every key does; and the first screen of all, with three of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.containers import Center, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from readhead_tui.actions import ACTIONS, VIEWS
from readhead_tui.bars import key_name

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from readhead_tui.preferences import Preferences


class HelpScreen(ModalScreen[None]):
    """All actions with their keys; those of the current view first."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll { width: 96%; max-width: 110; height: 90%; background: $panel; padding: 1 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,f1,question_mark,enter", "leave", "back")]

    def __init__(self, view: str, preferences: Preferences) -> None:
        super().__init__()
        self._view, self._preferences = view, preferences

    def compose(self) -> ComposeResult:
        """One table for each view, and one for what counts everywhere."""
        with VerticalScroll(can_focus=True):
            order = [self._view, "", *(view for view in VIEWS if view != self._view)]
            for view in order:
                yield Static(VIEWS.get(view, "Everywhere"), classes="heading", markup=False)
                yield Static(self._table(view))
            yield Static("\nKeys can be changed by id in tui.toml; see docs/tui.md. esc closes this.", markup=False)

    def _table(self, view: str) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, width=10, style="bold")
        table.add_column(ratio=1)
        table.add_column(no_wrap=True, style="dim")
        for action in ACTIONS:
            if action.views == () if view == "" else view in action.views:
                keys = key_name(self._preferences.keys_of(action), every=True)
                table.add_row(keys, action.meaning, action.id)
        return table

    def action_leave(self) -> None:
        """Back to the views."""
        if self.is_active:  # a second key may be on its way
            self.dismiss(None)


class Welcome(ModalScreen[None]):
    """Three keys, once."""

    DEFAULT_CSS = """
    Welcome { align: center middle; }
    Welcome > Vertical { width: 60; max-width: 95%; height: auto; background: $panel; padding: 1 3;
        border: round $primary; }
    """

    def compose(self) -> ComposeResult:
        """What this is, three keys, how to go on."""
        what = Text("Readhead", style="bold").append(
            " reads a model's attention heads as code. Each cell of the map is a head; its number tells how well a"
            " short program predicts where it looks.",
            style="not bold",
        )
        keys = Table.grid(padding=(0, 2, 1, 0))
        for key, meaning in (
            ("space", "put the program in the head's place, and watch the perplexity"),
            ("enter", "look at the head: its pattern, the program's, the code"),
            ("?", "what every other key does"),
        ):
            keys.add_row(Text(f" {key} ", style="bold reverse"), meaning)
        text = Group(what, "", keys, Text("Arrows walk, u undoes, q leaves.\nPress a key to begin.", style="dim"))
        with Vertical():
            yield Center(Static(text))

    def on_key(self, event: events.Key) -> None:
        """Any key will do, and does nothing else."""
        event.stop()
        event.prevent_default()
        self._begin()

    def on_click(self) -> None:
        """A click as well."""
        self._begin()

    def _begin(self) -> None:
        if self.is_active:  # a second key may be on its way
            self.dismiss(None)

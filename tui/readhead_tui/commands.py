"""The table of actions in the command palette."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

from readhead_tui.actions import ACTIONS, Action
from readhead_tui.bars import key_name

if TYPE_CHECKING:
    from readhead_tui.app import ReadheadApp


class ActionCommands(Provider):
    """Every action; one of another view goes there first."""

    app: ReadheadApp  # type: ignore[assignment]  # a property there

    async def discover(self) -> Hits:
        """All of them."""
        for action in ACTIONS:
            yield DiscoveryHit(self._title(action), partial(self.app.do_from_palette, action.id), help=action.meaning)

    async def search(self, query: str) -> Hits:
        """Those that match."""
        matcher = self.matcher(query)
        for action in ACTIONS:
            title = self._title(action)
            score = max(matcher.match(title), matcher.match(action.meaning))
            if score > 0:
                yield Hit(score, matcher.highlight(title), partial(self.app.do_from_palette, action.id),
                          help=action.meaning)  # fmt: skip

    def _title(self, action: Action) -> str:
        keys = key_name(self.app.preferences.keys_of(action))
        return f"{action.label} ({keys})" if keys else action.label


class Palette(CommandPalette):
    """Textual's, without two crashes of 8.2.8: by a second answer that was on its way, and by keys before its list."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Once."""
        if not self.is_active:
            return AwaitComplete()
        self.call_next(self._forget)
        return super().dismiss(result)

    def _action_command_list(self, action: str) -> None:
        with suppress(KeyError):  # of a list that has not been laid out
            super()._action_command_list(action)

    def _forget(self) -> None:
        self._selected_command = None

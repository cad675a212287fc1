"""The app: puts the views together, and does what the table of actions says. Work is the engine's."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.app import App, SystemCommand
from textual.containers import Horizontal, Vertical
from textual.widgets import ContentSwitcher, Static
from textual.worker import Worker, WorkerState

from readhead.engine import Engine, EngineGoneError
from readhead.errors import ReadheadError
from readhead.heads import HeadId
from readhead_tui import editing, figures
from readhead_tui.actions import ACTIONS, BY_ID, VIEWS
from readhead_tui.bars import Keys, TopLine, ViewsLine, key_name, put
from readhead_tui.boards import Boards
from readhead_tui.card import card_of
from readhead_tui.colourings import COLOURINGS, LEGENDS
from readhead_tui.commands import ActionCommands, Palette
from readhead_tui.curve_view import CurveView
from readhead_tui.files import Files
from readhead_tui.filters import HINT, read_filter
from readhead_tui.generate_view import GenerateView
from readhead_tui.head_map import HeadMap
from readhead_tui.head_view import LAYOUTS, HeadView
from readhead_tui.help_screen import HelpScreen, Welcome
from readhead_tui.known import Candidate, Known, counted
from readhead_tui.link import Attach, EngineSaid, Link
from readhead_tui.perplexity_view import PerplexityView
from readhead_tui.preferences import Preferences
from readhead_tui.question import Check, Question
from readhead_tui.remembered import Remembered
from readhead_tui.shades import PALETTES
from readhead_tui.switching import Switching
from readhead_tui.timeline import Timeline, difference
from readhead_tui.write_view import WriteView

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.screen import Screen

    from readhead_tui.writings import Kind

_WIDE: Final = 140
"""Columns from which the map stands beside the other views."""
_LEFT: Final = 46
"""Columns of the map there, at least."""
_SMALLEST: Final = (40, 12)
"""Columns and lines that the app needs."""
_LOW: Final = 18
"""Lines below which the card tells less."""
_LOOKS_EVERY_S: Final = 0.25
"""At the program files."""
_PAUSE_S: Final = 0.12
"""Without another head, before the engine is asked for one."""


class ReadheadApp(App[None], inherit_bindings=False):
    """One workspace, in a terminal.

    Args:
        root: of the workspace.
        preferences: of the user.
        lasts: whether what is kept in the workspace is there tomorrow.
        attach: makes the engine; for tests.
    """

    TITLE = "Readhead"
    CSS_PATH = "app.tcss"
    COMMANDS: ClassVar[set[Any]] = App.COMMANDS | {ActionCommands}
    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+c", "help_quit")]

    def __init__(
        self, root: Path, preferences: Preferences | None = None, *, lasts: bool = True, attach: Attach = Engine
    ) -> None:
        super().__init__()
        self.root = root
        self._lasts = lasts
        self.preferences = preferences or Preferences()
        for action in ACTIONS:  # Textual's keymap would take a key that is given away from the other views' actions too
            for key in self.preferences.keys_of(action):
                self.bind(key, f"do('{action.id}')", description=action.label, show=False)
        self.remembered = Remembered.read(root)
        self.known: Known = Known()
        self.timeline: Timeline = Timeline()
        self.link: Link = Link(self, root, attach)
        self.view = "map"
        remembered = self.remembered.palette
        self.palette_name = remembered if remembered in PALETTES else self.preferences.palette
        self._beside = "head"
        """The view beside the map, where there is room for both."""
        self._engine_state: tuple[str, dict[str, Any]] = ("starting", {})
        self.progress = ""
        self._jobs = 0
        self.switching: Switching = Switching(self)
        self.boards: Boards = Boards(self)
        self.files = Files(self, self.redraw_heads)
        self._keys: Keys | None = None

    # ---- putting together --------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Two lines, the map and the views, two lines."""
        yield TopLine(id="top")
        yield ViewsLine(id="views-line")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield Static(id="legend", markup=False)
                yield HeadMap(self.known, id="map")
                yield Static(id="card", markup=False)
            with ContentSwitcher(initial="head", id="views"):
                yield HeadView(self.known, self.link, id="head")
                yield PerplexityView(self.known, self.timeline, id="perplexity")
                yield CurveView(self.known, self.link, id="curve")
                yield GenerateView(self.known, self.link, self.remembered, id="generate")
                yield WriteView(self.known, self.link, id="write")
        yield Static(id="perplexity-line", markup=False)
        yield Keys(id="keys")
        yield Static("too small:\n40 × 12 at least", id="too-small", markup=False)

    @property
    def map(self) -> HeadMap:
        """The map of heads."""
        return self.query_one("#map", HeadMap)

    @property
    def head_view(self) -> HeadView:
        """One head."""
        return self.query_one("#head", HeadView)

    @property
    def perplexity_view(self) -> PerplexityView:
        """The flips and what they cost."""
        return self.query_one("#perplexity", PerplexityView)

    @property
    def curve_view(self) -> CurveView:
        """What ever more heads in program mode cost."""
        return self.query_one("#curve", CurveView)

    @property
    def generate_view(self) -> GenerateView:
        """What the model writes."""
        return self.query_one("#generate", GenerateView)

    @property
    def write_view(self) -> WriteView:
        """The search and the language model at work."""
        return self.query_one("#write", WriteView)

    @property
    def head(self) -> HeadId:
        """The one under the cursor."""
        return self.map.cursor

    def on_mount(self) -> None:
        """Begin where the user left."""
        self._keys = self.query_one("#keys", Keys)
        theme = self.remembered.theme or self.preferences.theme
        self.theme = theme if theme in self.available_themes else "textual-dark"
        self.theme_changed_signal.subscribe(self, self._theme_changed)
        compact = self.remembered.compact
        self.set_class(self.preferences.compact if compact is None else compact, "-compact")
        self.map.set_reactive(HeadMap.cursor, _head_of(self.remembered.head))
        if not _is_filter(self.remembered.filter):
            self.remembered.filter = ""
        if self.remembered.colouring in COLOURINGS:
            self.map.colouring = self.remembered.colouring
        self._paint()
        self._lay_out()
        self.show_view(self.remembered.view if self.remembered.view in VIEWS else "map")
        self._outlive_interrupts()
        self.link.engine.start()
        self.set_interval(_LOOKS_EVERY_S, self._look_at_files)
        if not self.remembered.welcomed:
            self.remembered.welcomed = True
            self.push_screen(Welcome())
        if not self._lasts:
            told = "nothing is kept: make a workspace with `readhead init`, or name a folder with --workspace"
            self.notify(told, title="a workspace for this time only", timeout=10)

    def _outlive_interrupts(self) -> None:
        """Ctrl-C is a key while the terminal is the app's; what comes as a signal is told, and ends nothing."""
        told = partial(self.notify, "q leaves", title="interrupted")
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; not the main thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, told)

    def _theme_changed(self, _theme: object) -> None:
        self.remembered.theme = self.theme
        self.redraw()

    async def on_unmount(self) -> None:
        """Remember, and let go of the engine."""
        self.remembered.view = self.view
        try:
            self.remembered.write(self.root)
        except ReadheadError as error:
            self.log.error(str(error))  # noqa: TRY400 - a line of Textual's log
        await self.link.engine.close()

    # ---- layout ------------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Side by side, or one view at a time."""
        self._lay_out(event.size.width, event.size.height)

    @property
    def is_wide(self) -> bool:
        """Whether the map stands beside the other views."""
        return self.size.width >= _WIDE

    def _lay_out(self, width: int | None = None, height: int | None = None) -> None:
        width, height = width or self.size.width, height or self.size.height
        wide = width >= _WIDE
        self.set_class(wide, "-wide")
        self.set_class(height < _LOW, "-low")
        self.set_class(width < _SMALLEST[0] or height < _SMALLEST[1], "-tiny")
        left = self.query_one("#left")
        left.display = wide or self.view == "map"
        left.styles.width = min(max(_LEFT, self.map.widest + 2), 2 * width // 5) if wide else "1fr"
        switcher = self.query_one("#views", ContentSwitcher)
        switcher.display = wide or self.view != "map"
        switcher.current = self._beside
        self.call_after_refresh(self.redraw)

    def show_view(self, view: str) -> None:
        """Go to a view."""
        self.view = view
        if view != "map":
            self._beside = view
        elif self.is_wide:
            self._beside = "head"
        self._lay_out()
        if view == "head" or (view == "map" and self.is_wide):
            self.head_view.show(self.head)
        self.write_view.show(self.head)
        focus = {"map": "#map", "perplexity": "#moments", "curve": "#points", "generate": "#texts"}.get(view)
        self.screen.set_focus(self.query_one(focus) if focus else None)
        self.redraw()

    @property
    def _is_there(self) -> bool:
        """Whether there is something to draw on: not before the app is put together, nor while it leaves."""
        return self._keys is not None and self._keys.is_attached

    def redraw(self) -> None:
        """The lines around the views, and the card."""
        if not self._is_there:
            return
        self.query_one("#top", TopLine).tell(self.known, self.engine_in_words())
        self.query_one("#views-line", ViewsLine).tell(self.view)
        self.query_one("#keys", Keys).tell(self.view, self.preferences)
        put(self.query_one("#card", Static), card_of(self.known, self.head))
        selected = f"  ·  {counted(len(self.map.selected), 'head')} selected" if self.map.selected else ""
        shown = f"  ·  only {self.remembered.filter}" if self.remembered.filter else ""
        colouring = self.map.colouring
        self.map.explain("" if self.known.geometry.size else self._engine_at_length())
        put(self.query_one("#legend", Static), f" {colouring}{shown}{selected}  ·  {LEGENDS[colouring]}")
        now = self.timeline.now
        put(self.query_one("#perplexity-line", Static), " " + figures.line(
            now.impact if now else None,
            len(self.known.board),
            self.known.geometry.size,
            stale=now is not None and now.stamp != self.known.board_stamp,
            problem=now.problem if now else "",
        ))  # fmt: skip

    def redraw_heads(self) -> None:
        """What is known of the heads has changed."""
        if not self._is_there:
            return
        self.map.redraw()
        self.head_view.redraw_facts()
        self.perplexity_view.redraw()
        self.curve_view.redraw()
        self.generate_view.redraw()
        self.write_view.redraw()
        self.redraw()

    def _paint(self) -> None:
        self.map.palette = self.palette_name
        self.head_view.paint(PALETTES[self.palette_name])

    # ---- actions -----------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys count in their views."""
        if action == "do" and self.screen is self.screen_stack[0]:
            return BY_ID[str(parameters[0])].is_in(self.view)
        return super().check_action(action, parameters)

    async def action_do(self, name: str) -> None:
        """Do what the table says, or tell why not."""
        action = BY_ID[name]
        reason = action.why_not(self)
        if reason:
            self.notify(reason, title=action.label, severity="warning")
            return
        done = action.run(self)
        if done is not None:
            await done
        self.redraw()

    async def do_from_palette(self, name: str) -> None:
        """The same, in a view where it counts."""
        action = BY_ID[name]
        if not action.is_in(self.view):
            self.show_view(action.views[0])
        await self.action_do(name)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Textual's own, without those that the table has."""
        for command in super().get_system_commands(screen):
            if command.title not in {"Quit", "Keys"}:
                yield command

    async def ask(self, label: str, then: Any, *, initial: str = "", hint: str = "", check: Check = str) -> None:  # noqa: ANN401 - a function of the answer
        """Ask, and go on with the answer."""

        def answered(answer: str | None) -> None:
            if answer is not None:
                then(answer)
            self.redraw()

        await self.push_screen(Question(label, initial=initial, hint=hint, check=check), answered)

    def on_key(self, event: events.Key) -> None:
        """Keys that were typed while a question opened are on their way to what had the focus before."""
        if isinstance(self.screen, Question):
            self.screen.take(event)

    # ---- walking -----------------------------------------------------------------------------------------------------

    def walk(self, layers: int, heads: int) -> None:
        """Move the cursor of the map."""
        self.map.move(layers, heads)

    def step_head(self, step: int) -> None:
        """The next head, layer by layer."""
        geometry = self.known.geometry
        if geometry.size:
            place = (geometry.index_of(self.head) + step) % geometry.size
            self.map.cursor = HeadId(place // geometry.heads, place % geometry.heads)

    def on_head_map_moved(self, event: HeadMap.Moved) -> None:
        """The other views follow, once the cursor rests."""
        self.remembered.head = str(event.head)
        self.write_view.show(event.head)
        self.redraw()
        if self.view == "head" or self.is_wide:
            self.set_timer(_PAUSE_S, partial(self._follow, event.head))

    def _follow(self, head: HeadId) -> None:
        if self._is_there and head == self.head:
            self.head_view.show(head)

    def on_head_map_opened(self) -> None:
        """A double click."""
        self.show_view("head")

    def layer_heads(self) -> set[HeadId]:
        """All heads of the cursor's layer that are shown."""
        row = {HeadId(self.head.layer, index) for index in range(self.known.geometry.heads)}
        return {head for head in row if self.map.shown(self.known, head)}

    def heads_meant(self) -> set[HeadId]:
        """The selected heads, or the one under the cursor."""
        return set(self.map.selected) if self.map.selected and self.view == "map" else {self.head}

    def select(self, heads: set[HeadId]) -> None:
        """Select these heads too, or leave them out if they were all selected."""
        selected = self.map.selected
        self.map.select(selected - heads if heads <= selected else selected | heads)

    def show_all(self) -> None:
        """No selection, no filter."""
        self.map.select(set())
        self._filter("")

    def zoom(self, step: int) -> None:
        """Other cells."""
        self.map.zoom_by(step)

    def colour_by_next(self) -> None:
        """The next colouring."""
        names = list(COLOURINGS)
        self.map.colouring = names[(names.index(self.map.colouring) + 1) % len(names)]
        self.remembered.colouring = self.map.colouring
        if self.map.colouring == "impact" and not self.known.impacts:
            self.notify("press i to measure every head's impact", title="impact")

    async def ask_head(self, initial: str) -> None:
        """Which head to go to."""
        await self.ask(
            "Go to head",
            self._jump,
            initial=initial,
            hint="as L3H2: layer 3, head 2, both from zero",
            check=lambda text: self.known.geometry.index_of(HeadId.parse(text)),
        )

    def _jump(self, text: str) -> None:
        self.map.cursor = HeadId.parse(text)

    async def ask_filter(self) -> None:
        """Which heads to show."""
        await self.ask(
            "Show only heads with", self._filter, initial=self.remembered.filter, hint=HINT, check=read_filter
        )

    def _filter(self, text: str) -> None:
        self.remembered.filter = text.strip()
        count = self.map.show_only(text)
        if text.strip():
            self.notify(f"{counted(count, 'head')} of {self.known.geometry.size}", title=f"only {text.strip()}")

    # ---- one head ----------------------------------------------------------------------------------------------------

    def toggle_program(self) -> None:
        """Pictures or program."""
        self.head_view.show_layout("maps" if self.head_view.layout_shown == "program" else "program")

    def next_picture(self) -> None:
        """One picture alone, or all."""
        pictures = [layout for layout in LAYOUTS if layout != "program"]
        shown = self.head_view.layout_shown
        place = pictures.index(shown) if shown in pictures else -1
        self.head_view.show_layout(pictures[(place + 1) % len(pictures)])

    def step_candidate(self, step: int) -> None:
        """Another program for the head."""
        view = self.head_view
        if view.candidates:
            view.choose((view.place + step) % len(view.candidates))

    async def ask_text(self) -> None:
        """A text of the user's."""
        await self.ask(
            "Your text", self.head_view.show_text, initial=self.head_view.own_text, hint="empty for the corpus again"
        )

    def edit_program(self) -> None:
        """Open the program's file in the user's editor; one that has none is saved first."""
        self.link.begin(partial(editing.edit_program, self), "edit")

    def on_head_view_chosen(self) -> None:
        """The user prefers another program."""
        self.redraw()

    # ---- writing -----------------------------------------------------------------------------------------------------

    def write(self, kind: Kind) -> None:
        """Have programs written for the head; to see it go on, to the view of writing."""
        self.show_view("write")
        if kind == "refine":
            self.link.begin(partial(self._refining, self.head), "candidates")
        else:
            self.write_view.begin(kind, self.head)

    async def _refining(self, head: HeadId) -> None:
        subject = await self.head_view.candidate_of(head)
        if subject is not None:
            self.write_view.begin("refine", head, subject)

    def keep_program(self) -> None:
        """The highlighted program of the view of writing as a file of the workspace."""
        found = self.write_view.found
        if found is not None:
            self.link.begin(partial(editing.keep_program, self, found.candidate, self.head), "keep")

    def on_write_view_used(self, event: WriteView.Used) -> None:
        """A program that was written is to be the one that is shown."""
        self.show_program(event.head, event.candidate)
        self.notify(f"shown for {event.head}: 2 looks at it, space flips it, w keeps it as a file", title="write")

    def show_program(self, head: HeadId, candidate: Candidate) -> None:
        """Have a program shown for a head from now on."""
        self.known.chosen[head] = candidate
        if self.head_view.head == head:
            self.head_view.offer([candidate])
            self.head_view.choose([each.source for each in self.head_view.candidates].index(candidate.source))
        self.redraw_heads()

    def on_write_view_changed(self) -> None:
        """Other keys can act."""
        self.redraw()

    # ---- what views ask for ------------------------------------------------------------------------------------------

    def on_curve_view_taken(self, event: CurveView.Taken) -> None:
        """Exactly these heads in program mode, with their best programs: one step of the timeline."""
        wanted = dict.fromkeys(event.heads, "")
        self.switching.change(
            {head: None for head in difference(self.known.board, wanted) if head not in wanted}, list(wanted)
        )

    def on_curve_view_changed(self) -> None:
        """Other keys can act."""
        self.redraw()

    def on_generate_view_changed(self) -> None:
        """Other keys can act."""
        self.redraw()

    def on_perplexity_view_returned(self, event: PerplexityView.Returned) -> None:
        """The user picked a moment."""
        self.switching.travel(event.place)

    # ---- the engine --------------------------------------------------------------------------------------------------

    def engine_in_words(self) -> str:
        """What the engine does, or what is wrong with it."""
        state, facts = self._engine_state
        if state == "failed":
            return f"{_failure(facts)} (^e starts it again)"
        if state != "ready":
            return f"engine: {state} {self.progress}".rstrip() + " …"
        return self.progress or ("working" if self._jobs else "ready")

    def _engine_at_length(self) -> str:
        """Why there is no map yet, and what to do about it."""
        state, facts = self._engine_state
        if state != "failed":
            return self.engine_in_words()
        hint = (facts.get("error") or {}).get("hint", "")
        return f"{_failure(facts)}\n{hint}\n\nctrl+e starts it again"

    def on_engine_said(self, event: EngineSaid) -> None:
        """An event of the engine."""
        match event.event, event.given:
            case "state", given:
                self._engine_changed(given)
            case "switches", given:
                self.switching.arrive(given)
            case "ranked", _:
                self.curve_view.outdate()
                self.link.begin(self._learn_cards, "cards")
            case "progress", given:
                self.progress = f"{given['stage']} {given['done']}/{given['total']}"
                if given["done"] >= given["total"]:
                    self.progress = ""
                self.curve_view.progressed(given)
                self.write_view.progressed(given)
            case "busy", given:
                self._jobs = given["jobs"]
                if not self._jobs:
                    self.progress = ""
            case "notice", given:
                self.notify(given["message"], title="engine", severity="warning")
        self.redraw()

    def _engine_changed(self, given: Mapping[str, Any]) -> None:
        state = str(given["state"])
        before, self._engine_state = self._engine_state[0], (state, dict(given))
        self.progress = ""
        if state == "ready":
            if self.known.learn(given):
                self._forget()
            self.link.begin(self._learn_first_cards, "cards")
            self.link.begin(self.switching.learn_current, "switches")
        elif state == "failed":
            error = given.get("error") or {}
            told = "\n".join(filter(None, [error.get("message", ""), error.get("hint", ""), "^e starts it again"]))
            self.notify(told, title="the engine failed", severity="error", timeout=15)
        elif state == "restarting" and before == "ready":
            self.known.pending.clear()
            self.notify("the engine ended; it is started again", title="engine", severity="warning")

    def _forget(self) -> None:
        """Another model, or other texts: nothing that was measured holds any more."""
        self.timeline.forget()
        self.map.geometry_changed()
        self.head_view.forget()
        self.write_view.forget()
        self.curve_view.outdate()
        self._lay_out()

    async def _learn_first_cards(self) -> None:
        """Those of an engine that was there before us may be older than the program files."""
        await self._learn_cards()
        if self.known.ranked:
            self.link.begin(partial(self.link.call, "rank"), "rank")

    async def _learn_cards(self) -> None:
        self.known.learn_cards(await self.link.call("cards"))
        if self.remembered.filter:
            self.map.show_only(self.remembered.filter)
        self.redraw_heads()
        if self.view == "head" or self.is_wide:
            self.head_view.show(self.head)

    def restart_engine(self) -> None:
        """Begin anew."""
        self.link.engine.restart()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Whatever goes wrong in the background reaches the screen."""
        if event.state is not WorkerState.ERROR:
            return
        error = event.worker.error
        if isinstance(error, EngineGoneError):
            return  # its state tells
        hint = getattr(error, "hint", "")
        known = isinstance(error, ReadheadError)
        told = str(error) if known else f"{type(error).__name__}: {error}"
        self.notify(f"{told}\n{hint}".rstrip(), title=event.worker.group, severity="error")
        self.redraw_heads()

    # ---- files -------------------------------------------------------------------------------------------------------

    def _look_at_files(self) -> None:
        if self._engine_state[0] == "ready" and self.known.programs:
            self.files.begin_look()

    # ---- the rest ----------------------------------------------------------------------------------------------------

    def next_palette(self) -> None:
        """Other colours."""
        names = list(PALETTES)
        self.palette_name = names[(names.index(self.palette_name) + 1) % len(names)]
        self.remembered.palette = self.palette_name
        self._paint()
        self.notify(self.palette_name, title="colours")

    def toggle_compact(self) -> None:
        """With or without the lines at the top."""
        self.toggle_class("-compact")
        self.remembered.compact = self.has_class("-compact")

    def show_help(self) -> None:
        """All keys."""
        self.push_screen(HelpScreen(self.view, self.preferences))

    def action_command_palette(self) -> None:
        """All actions, by name."""
        if not any(isinstance(screen, Palette) for screen in self.screen_stack):
            self.push_screen(Palette(id="--command-palette"))

    def action_help_quit(self) -> None:
        """Ctrl-C leaves other programs; here it says what does."""
        self.notify(f"{key_name(self.preferences.keys_of(BY_ID['quit']))} leaves", title="still here")

    def leave(self) -> None:
        """The end."""
        self.exit()


def _head_of(text: str) -> HeadId:
    try:
        return HeadId.parse(text)
    except ReadheadError:
        return HeadId(0, 0)


def _is_filter(text: str) -> bool:
    try:
        read_filter(text)
    except ReadheadError:
        return False
    return True


def _failure(facts: Mapping[str, Any]) -> str:
    return f"engine failed: {(facts.get('error') or {}).get('message', '')}"

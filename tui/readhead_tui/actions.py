"""Everything a user can do, in one table: keys, footer, help and command palette are made from it.

An action that cannot be done now says why (`why_not`). Keys can be changed by id in the user's `tui.toml`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from textual.binding import Binding

if TYPE_CHECKING:
    from readhead_tui.app import ReadheadApp

VIEWS: Final = {
    "map": "Map",
    "head": "Head",
    "perplexity": "Perplexity",
    "curve": "Curve",
    "generate": "Generate",
    "write": "Write",
}
"""Views by id, in the order of their number keys."""

Run = Callable[["ReadheadApp"], Awaitable[None] | None]
Reason = Callable[["ReadheadApp"], str]
"""Why an action cannot be done now; empty if it can."""


def _always(_app: ReadheadApp) -> str:
    return ""


@dataclass(frozen=True)
class Action:
    """One thing to do."""

    id: str
    keys: str
    """As Textual names them, parted by commas; empty for an action that only the palette has."""
    label: str
    """In the footer: a word or two."""
    meaning: str
    """In the help and the palette: a sentence."""
    run: Run
    views: tuple[str, ...] = ()
    """Where its keys count; everywhere when empty."""
    why_not: Reason = _always
    in_footer: bool = True

    def is_in(self, view: str) -> bool:
        """Whether its keys count in a view."""
        return not self.views or view in self.views

    def meets(self, other: Action) -> bool:
        """Whether there is a view in which the keys of both count."""
        return any(self.is_in(view) and other.is_in(view) for view in VIEWS)


@cache
def split_keys(keys: str) -> tuple[str, ...]:
    """The single ones of keys that are parted by commas, as Textual names them; a character is a key too."""
    single = [Binding(key, "") for key in keys.split(",") if key.strip()]
    return tuple(binding.key for binding in Binding.make_bindings(single))


def _show_view(app: ReadheadApp, view: str) -> None:
    app.show_view(view)


def _no_heads(app: ReadheadApp) -> str:
    return "" if app.known.cards else app.engine_in_words()


def _no_ranking(app: ReadheadApp) -> str:
    return _no_heads(app) or ("" if app.known.ranked else "the programs are still being ranked")


def _no_program(app: ReadheadApp) -> str:
    return _no_heads(app) or ("" if app.head_view.candidate else f"{app.head} has no program yet: write one with s")


def _cannot_edit(app: ReadheadApp) -> str:
    return "" if app.head in app.known.chosen or app.known.problem(app.head) else _no_ranking(app)


def _cannot_write(app: ReadheadApp) -> str:
    return _no_heads(app) or app.write_view.why_not_begin()


def _cannot_refine(app: ReadheadApp) -> str:
    return _cannot_edit(app) or app.write_view.why_not_begin()


def _no_found(app: ReadheadApp) -> str:
    return app.write_view.why_no_program()


def _nothing_to_undo(app: ReadheadApp) -> str:
    if app.known.pending and app.timeline.aim == app.timeline.place:
        return "that flip is still on its way"
    return "" if app.timeline.aim > 0 else "nothing was flipped before this"


def _nothing_to_redo(app: ReadheadApp) -> str:
    return "" if app.timeline.aim + 1 < len(app.timeline.moments) else "nothing was undone"


def _no_board(app: ReadheadApp) -> str:
    return "" if app.known.board else "no head is in program mode: flip one with space"


def _cannot_flip(app: ReadheadApp) -> str:
    heads = app.heads_meant()
    if heads & app.known.pending:
        return "that flip is still on its way"
    if all(head in app.known.board for head in heads):
        return _no_heads(app)
    return _no_ranking(app)


def _cannot_measure_curve(app: ReadheadApp) -> str:
    return _no_ranking(app) or app.curve_view.why_no_measuring()


def _cannot_plan(app: ReadheadApp) -> str:
    return _no_ranking(app) or app.curve_view.why_no_planning()


_WALK: Final = ("map",)
_HEAD: Final = ("head",)
_BOTH: Final = ("map", "head")
_WRITE: Final = ("write",)
_CURVE: Final = ("curve",)
_TEXT: Final = ("generate",)

ACTIONS: Final[tuple[Action, ...]] = (
    # ---- the curve
    Action("curve_measure", "m", "measure", "Measure what ever more replaced heads cost, on held-out texts.",
           lambda app: app.curve_view.measure(), _CURVE, _cannot_measure_curve),
    Action("curve_order", "o", "order", "Replace the heads in another order: by IoU, by impact, greedily.",
           lambda app: app.curve_view.take_order(), _CURVE),
    Action("curve_row", "enter", "take", "Put exactly the row's heads into program mode, with their best programs.",
           lambda app: app.curve_view.take_row(), _CURVE, lambda app: app.curve_view.why_no_row()),
    Action("budget", "b", "budget", "Find the most heads that cost no more perplexity on dev than so many percent.",
           lambda app: app.curve_view.ask_budget(), _CURVE, _cannot_plan),
    Action("apply_plan", "a", "apply", "Put exactly the plan's heads into program mode, with their best programs.",
           lambda app: app.curve_view.take_plan(), _CURVE, lambda app: app.curve_view.why_no_plan()),
    Action("curve_stop", "escape", "stop", "Stop measuring; what was measured stays.",
           lambda app: app.curve_view.stop(), _CURVE, lambda app: app.curve_view.why_no_stop()),
    # ---- texts
    Action("write_texts", "enter", "write", "Write after the prompt, neural and with the current switchboard.",
           lambda app: app.generate_view.write(), _TEXT, lambda app: app.generate_view.why_not_write()),
    Action("prompt", "i", "prompt", "Type another prompt; esc leaves it.",
           lambda app: app.generate_view.edit_prompt(), _TEXT),
    Action("tokens", "n", "tokens", "How many tokens to write.", lambda app: app.generate_view.ask_tokens(), _TEXT),
    Action("temperature", "t", "temperature", "How random the texts are.",
           lambda app: app.generate_view.ask_temperature(), _TEXT),
    Action("stop_texts", "escape", "stop", "Leave the prompt, or stop writing; the texts so far stay.",
           lambda app: app.generate_view.stop(), _TEXT, lambda app: app.generate_view.why_no_stop()),
    # ---- flipping
    Action("flip", "space", "flip", "Flip the head, or the selected heads, between neural and program mode.",
           lambda app: app.switching.flip(app.heads_meant()), ("map", "head", "perplexity", "write"), _cannot_flip),
    Action("flip_row", "ctrl+r", "flip layer", "Flip all heads of the layer.",
           lambda app: app.switching.flip(app.layer_heads()), _BOTH, _no_ranking, in_footer=False),
    Action("flip_best", "b", "n best", "Put the heads with the best programs into program mode: how many is asked.",
           lambda app: app.switching.flip_best(), ("map", "head", "perplexity"), _no_ranking),
    Action("all_neural", "ctrl+n", "all neural", "Put every head back into neural mode.",
           lambda app: app.switching.flip(set(app.known.board)), (), _no_board, in_footer=False),
    Action("undo", "u", "undo", "Undo the last flip.", lambda app: app.switching.step(-1), (),
           _nothing_to_undo),
    Action("redo", "r,ctrl+y", "redo", "Do again what was undone.", lambda app: app.switching.step(1), (),
           _nothing_to_redo, in_footer=False),
    # ---- the map
    Action("left", "left,h", "left", "The head to the left.", lambda app: app.walk(0, -1), _WALK, in_footer=False),
    Action("right", "right,l", "right", "The head to the right.", lambda app: app.walk(0, 1), _WALK, in_footer=False),
    Action("up", "up,k", "up", "The layer above.", lambda app: app.walk(-1, 0), _WALK, in_footer=False),
    Action("down", "down,j", "down", "The layer below.", lambda app: app.walk(1, 0), _WALK, in_footer=False),
    Action("page_up", "pageup", "page up", "Ten layers up.", lambda app: app.walk(-10, 0), _WALK, in_footer=False),
    Action("page_down", "pagedown", "page down", "Ten layers down.", lambda app: app.walk(10, 0), _WALK,
           in_footer=False),
    Action("first", "home", "first head", "The first head of the layer.", lambda app: app.walk(0, -(10**6)), _WALK,
           in_footer=False),
    Action("last", "end", "last head", "The last head of the layer.", lambda app: app.walk(0, 10**6), _WALK,
           in_footer=False),
    Action("open", "enter", "open", "Look at the head.", lambda app: app.show_view("head"), _WALK),
    Action("select", "v", "select", "Select the head for the next flip, or leave it out again.",
           lambda app: app.select({app.head}), _WALK),
    Action("select_row", "V", "select layer", "Select all heads of the layer, or none of them.",
           lambda app: app.select(app.layer_heads()), _WALK, in_footer=False),
    Action("unselect", "escape", "none selected", "Select nothing, and show all heads.",
           lambda app: app.show_all(), _WALK, in_footer=False),
    Action("colour", "c", "colour by", "Colour by IoU, lift, impact, category or mode, in turn.",
           lambda app: app.colour_by_next(), _WALK),
    Action("impacts", "i", "impacts", "Measure what each head's best program alone does to the perplexity.",
           lambda app: app.switching.measure_impacts(), _WALK, _no_ranking),
    Action("filter", "slash", "filter", "Show only some heads: lift < 0.1, program mode, a word of the program.",
           lambda app: app.ask_filter(), _WALK),
    Action("zoom_in", "plus,equals_sign", "wider", "Wider cells.", lambda app: app.zoom(1), _WALK, in_footer=False),
    Action("zoom_out", "minus", "narrower", "Narrower cells.", lambda app: app.zoom(-1), _WALK, in_footer=False),
    Action("jump", "g", "jump", "Jump to a head: L3H2.", lambda app: app.ask_head(""), ()),
    Action("jump_spelled", "L", "jump", "Jump to a head by typing its name.", lambda app: app.ask_head("L"), (),
           in_footer=False),
    Action("next_head", "right_square_bracket", "next head", "The next head.", lambda app: app.step_head(1), (),
           in_footer=False),
    Action("previous_head", "left_square_bracket", "previous head", "The head before.",
           lambda app: app.step_head(-1), (), in_footer=False),
    # ---- one head
    Action("row_up", "up,k", "token up", "The token before looks.", lambda app: app.head_view.move(-1), _HEAD,
           in_footer=False),
    Action("row_down", "down,j", "token", "The next token looks.", lambda app: app.head_view.move(1), _HEAD),
    Action("row_page_up", "pageup", "10 up", "Ten tokens before.", lambda app: app.head_view.move(-10), _HEAD,
           in_footer=False),
    Action("row_page_down", "pagedown", "10 down", "Ten tokens on.", lambda app: app.head_view.move(10), _HEAD,
           in_footer=False),
    Action("next_text", "right,n", "next text", "The next text.", lambda app: app.head_view.step_text(1), _HEAD),
    Action("previous_text", "left,N", "previous text", "The text before.",
           lambda app: app.head_view.step_text(-1), _HEAD, in_footer=False),
    Action("worst", "w", "worst first", "Go through the texts from the one where the program does worst, or in order.",
           lambda app: app.head_view.show_worst(), _HEAD, _no_program),
    Action("own_text", "t", "own text", "Type a text, and see both patterns on it.", lambda app: app.ask_text(), _HEAD,
           _no_heads),
    Action("layout", "p", "program", "The program in the place of the pictures, and back.",
           lambda app: app.toggle_program(), _HEAD),
    Action("picture", "m", "one picture", "One picture alone, in turn: pattern, prediction, difference, all.",
           lambda app: app.next_picture(), _HEAD, in_footer=False),
    Action("candidate", "o", "other program", "The next of the programs that are known for the head.",
           lambda app: app.step_candidate(1), _HEAD, _no_program),
    Action("candidate_back", "O", "program before", "The program before it.", lambda app: app.step_candidate(-1),
           _HEAD, _no_program, in_footer=False),
    Action("edit", "e", "edit", "Open the program in $EDITOR; it is scored again when you return.",
           lambda app: app.edit_program(), (*_BOTH, "write"), _cannot_edit),
    # ---- writing
    Action("search", "s", "search", "Search for programs for the head, without a language model.",
           lambda app: app.write("search"), (*_BOTH, "write"), _cannot_write),
    Action("ask", "a", "ask Ollama", "Have a language model write programs for the head.",
           lambda app: app.write("draft"), (*_BOTH, "write"), _cannot_write),
    Action("refine", "f", "refine", "Have a language model refine the program that is shown for the head.",
           lambda app: app.write("refine"), (*_BOTH, "write"), _cannot_refine),
    Action("use", "enter", "show", "Make the highlighted program the one that is shown for the head, and flipped.",
           lambda app: app.write_view.use(), _WRITE, _no_found),
    Action("keep", "w", "keep", "Keep the highlighted program as a file in the programs folder.",
           lambda app: app.keep_program(), _WRITE, _no_found),
    Action("found_up", "up,k", "program above", "The program above.", lambda app: app.write_view.move(-1), _WRITE,
           in_footer=False),
    Action("found_down", "down,j", "program below", "The program below.", lambda app: app.write_view.move(1), _WRITE,
           in_footer=False),
    Action("steps", "v", "steps", "What was done, step by step, in the place of the program, and back.",
           lambda app: app.write_view.toggle_steps(), _WRITE, lambda app: app.write_view.why_no_steps(),
           in_footer=False),
    Action("program_up", "pageup", "program up", "Lines of the program above.",
           lambda app: app.write_view.scroll_program(-5), _WRITE, in_footer=False),
    Action("program_down", "pagedown", "program down", "Lines of the program below.",
           lambda app: app.write_view.scroll_program(5), _WRITE, in_footer=False),
    Action("more_terms", "plus,equals_sign", "more terms", "Larger programs, from the next run on.",
           lambda app: app.write_view.change_terms(1), _WRITE, in_footer=False),
    Action("fewer_terms", "minus", "fewer terms", "Smaller programs, from the next run on.",
           lambda app: app.write_view.change_terms(-1), _WRITE, in_footer=False),
    Action("cancel", "escape", "cancel", "End what is going on here; what came so far stays.",
           lambda app: app.write_view.cancel(), _WRITE, lambda app: app.write_view.why_not_cancel(), in_footer=False),
    # ---- perplexity
    Action("controls", "c", "controls", "Measure zero, uniform and first-token attention on the same heads.",
           lambda app: app.switching.measure_controls(), ("perplexity",), _no_board),
    Action("save_board", "S", "save", "Save the switchboard to a file.", lambda app: app.boards.ask_save(), (),
           _no_board, in_footer=False),
    Action("load_board", "O", "load", "Go on with a saved switchboard.", lambda app: app.boards.ask_load(),
           ("perplexity",)),
    Action("export", "x", "command line", "The command line that measures this switchboard again.",
           lambda app: app.boards.export(), ("perplexity",), _no_board),
    # ---- everywhere
    *(
        Action(f"view_{view}", str(place), name, f"The view: {name}.",
               partial(_show_view, view=view), in_footer=False)
        for place, (view, name) in enumerate(VIEWS.items(), 1)
    ),
    Action("palette", "P", "colours", "Other colours for numbers, the colourless ones among them.",
           lambda app: app.next_palette(), in_footer=False),
    Action("compact", "ctrl+k", "compact", "Without the lines at the top, and back.", lambda app: app.toggle_compact(),
           in_footer=False),
    Action("restart", "ctrl+e", "restart engine", "Start the engine anew, with the settings as they are now.",
           lambda app: app.restart_engine(), in_footer=False),
    Action("help", "question_mark,f1", "help", "What every key does here.", lambda app: app.show_help()),
    Action("quit", "q,ctrl+q", "quit", "Leave; the switchboard stays as it is.", lambda app: app.leave()),
)  # fmt: skip

BY_ID: Final = {action.id: action for action in ACTIONS}

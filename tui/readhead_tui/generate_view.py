"""What the model writes after a prompt, neural and with the current switchboard, side by side while it is written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from rich.console import Group
from rich.text import Text
from textual import on
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Input, Label, Static

from readhead.surrogates.outcome import Continuation
from readhead.surrogates.views import continuation_view
from readhead_tui.known import counted
from readhead_tui.question import Question, read_number, read_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType
    from textual.app import ComposeResult

    from readhead_tui.known import Known
    from readhead_tui.link import Link
    from readhead_tui.remembered import Remembered

_TINY: Final = 14
"""Lines below which facts leave room for the texts."""
_MOST: Final = 100_000
"""Tokens, which no model here has room for."""
_NO_BOARD: Final = (
    "No head is in program mode, so there is nothing to compare the neural model with.\n"
    "Flip some first: space on the map (1), or enter on a row of the curve (4)."
)


@dataclass(frozen=True)
class _Written:
    """Two texts, and what they depend on."""

    text: Continuation
    model: str
    board: str
    """Stamp of the switchboard."""
    heads: int
    tokens: int
    temperature: float
    is_whole: bool = False


class GenerateView(Vertical):
    """The prompt above, both texts below."""

    DEFAULT_CSS = """
    GenerateView #prompt-line { height: 1; padding: 0 1; }
    GenerateView #prompt-label { width: 8; text-style: bold; }
    GenerateView #prompt { width: 1fr; }
    GenerateView #generate-facts { height: auto; max-height: 4; padding: 0 1; margin-bottom: 1; }
    GenerateView.-tiny-view #generate-facts { max-height: 2; margin-bottom: 0; }
    GenerateView #texts { height: 1fr; scrollbar-size: 1 1; }
    GenerateView #texts:focus { background: $background; }
    GenerateView #written { height: auto; padding: 0 1; }
    GenerateView #written.-stale { text-opacity: 60%; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    class Changed(Message):
        """What can be done here has changed."""

    def __init__(self, known: Known, link: Link, remembered: Remembered, *, id: str | None = None) -> None:  # noqa: A002 - as Textual calls it
        super().__init__(id=id)
        self.known = known
        self.link = link
        self.remembered = remembered
        self.writing = False
        self._count = 0
        """Tokens that the current work has written so far."""
        self._wanted = 0
        """Tokens that it writes at most."""
        self._written: _Written | None = None

    def compose(self) -> ComposeResult:
        """Prompt, facts, texts."""
        with Horizontal(id="prompt-line"):
            yield Label("Prompt", id="prompt-label")
            yield Input(self.remembered.prompt, id="prompt", select_on_focus=False, compact=True)
        yield Static(id="generate-facts")
        with VerticalScroll(id="texts"):
            yield Static(id="written")

    def on_mount(self) -> None:
        """Nothing is written yet."""
        self.redraw()

    # ---- what can be done --------------------------------------------------------------------------------------------

    @property
    def _prompt(self) -> Input:
        return self.query_one("#prompt", Input)

    def edit_prompt(self) -> None:
        """Type another prompt."""
        self._prompt.focus()

    def write(self) -> None:
        """Both texts after the prompt."""
        self.query_one("#texts").focus()
        self.link.begin(self._writing, "generate")

    def stop(self) -> None:
        """Leave the prompt, or end the texts; what was written stays."""
        if self._prompt.has_focus:
            self.query_one("#texts").focus()
        else:
            self.link.stop("generate")

    def ask_tokens(self) -> None:
        """How many to write."""

        def go(answer: str | None) -> None:
            if answer is not None:
                self.remembered.tokens = _count(answer)
                self._changed()

        question = Question("Tokens to write at most", initial=str(self.remembered.tokens), hint=f"1 to {_MOST:,}",
                            check=_count)  # fmt: skip
        self.app.push_screen(question, go)

    def ask_temperature(self) -> None:
        """How random."""
        hint = "0: always the likeliest token; 1: drawn as the model expects, both with the same random numbers"

        def go(answer: str | None) -> None:
            if answer is not None:
                self.remembered.temperature = read_number(answer, hint)
                self._changed()

        check = partial(read_number, hint=hint)
        question = Question("Temperature", initial=f"{self.remembered.temperature:g}", hint=hint, check=check)
        self.app.push_screen(question, go)

    def why_not_write(self) -> str:
        """Why nothing can be written now; empty if it can."""
        if self.writing:
            return "texts are being written: esc stops them"
        if not self.known.board:
            return "no head is in program mode: flip one with space on the map (1)"
        if self.known.pending:
            return "a flip is still on its way"
        return "" if self._prompt.value.strip() else "the prompt is empty: i types one"

    def why_no_stop(self) -> str:
        """Why there is nothing to stop or to leave; empty if there is."""
        return "" if self.writing or self._prompt.has_focus else "nothing is being written"

    # ---- the engine --------------------------------------------------------------------------------------------------

    async def _writing(self) -> None:
        known, prompt = self.known, self._prompt.value
        tokens, temperature = self.remembered.tokens, self.remembered.temperature
        model, board, heads = known.model, known.board_stamp, len(known.board)

        def learn(part: Mapping[str, Any], *, is_whole: bool = False) -> None:
            text = Continuation.read(part)
            self._count = max(map(len, text.tokens.values()))
            self._written = _Written(text, model, board, heads, tokens, temperature, is_whole)
            self.redraw()

        self.writing, self._count, self._wanted = True, 0, tokens
        self._changed()
        try:
            last = await self.link.call(
                "generate", prompt=prompt, tokens=tokens, temperature=temperature, on_part=learn
            )  # fmt: skip
            learn(last, is_whole=True)
        finally:
            self.writing = False
            self._changed()

    def _changed(self) -> None:
        self.redraw()
        self.post_message(self.Changed())

    # ---- drawing -----------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """The texts come first where there is little room."""
        self.set_class(self.size.height < _TINY, "-tiny-view")
        self.redraw()

    @property
    def is_stale(self) -> bool:
        """Whether the texts are of another model or switchboard than the current ones."""
        written = self._written
        return written is not None and (written.model, written.board) != (self.known.model, self.known.board_stamp)

    def redraw(self) -> None:
        """Something has changed."""
        if not self.is_mounted or not self.size:
            return  # it is drawn when it is seen
        self.query_one("#generate-facts", Static).update(self._facts())
        shown = self.query_one("#written", Static)
        shown.set_class(self.is_stale, "-stale")
        if self._written is not None:
            text: RenderableType = continuation_view(self._written.text)
            shown.update(text if self.known.board or self.writing else Group(text, "", Text(_NO_BOARD)))
        elif not self.known.board:
            shown.update(Text(_NO_BOARD))
        else:
            shown.update(Text("enter writes the texts.", style="dim"))

    def _facts(self) -> Text:
        """What comes first is seen however small the view is."""
        settings = Text(f"{self.remembered.tokens} tokens, temperature {self.remembered.temperature:g}  ·  hybrid: ")
        settings.append(f"{len(self.known.board)} of {counted(self.known.geometry.size, 'head')} in program mode")
        lines, written = [settings], self._written
        if written is not None:
            depends = f"{written.model}, switchboard {written.board}, {counted(written.heads, 'head')}"
            told = f"{depends}, {written.tokens} tokens, temperature {written.temperature:g}"
            lines.append(Text(told, style="dim"))
        if self.writing:
            lines.insert(0, Text(f"writing {self._count} of {self._wanted} … esc stops", style="bold"))
        elif written is not None and not written.is_whole:
            lines.insert(0, Text("stopped before the end", style="italic"))
        if self.is_stale:
            anew = "; enter writes anew" if self.known.board and not self.writing else ""
            stale = f"~ stale: switchboard or model is another one now{anew}"
            lines.insert(0, Text(stale, style="bold italic"))
        return Text("\n").join(lines)

    @on(Input.Changed, "#prompt")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.remembered.prompt = event.value

    @on(Input.Submitted, "#prompt")
    async def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        await self.app.run_action("do('write_texts')")


def _count(text: str) -> int:
    return read_whole(text, "tokens", _MOST)

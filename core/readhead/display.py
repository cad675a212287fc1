"""How results look in a terminal and in a notebook. Every number that is drawn as a shade also stands as a digit."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text as Styled

if TYPE_CHECKING:
    from rich.console import RenderableType

    from readhead.session import Explanation, PatternView
    from readhead.library import Found, HeadScore
    from readhead.patterns import Array
    from readhead.program import Program
    from readhead.record import Drift

_LABEL = 10
_SHADES = ("grey93", "grey85", "grey74", "grey66", "grey54", "grey46", "grey35", "grey27", "grey15", "grey3")


def explanation_table(explanation: Explanation) -> RenderableType:
    """The table of `readhead explain`, with what it means below it."""
    corpus = explanation.corpus
    sequences = len(corpus["held-out"])
    title = (
        f"{explanation.model}: {len(explanation.heads)} heads, on {sequences} held-out texts of {corpus.length} tokens"
    )
    lines = [
        f"Mean IoU {explanation.mean_iou:.3f} at {corpus.length} tokens; "
        f"the best trivial program of each head reaches {explanation.mean_trivial_iou:.3f}.",
        f"{len({head.program.source for head in explanation.heads})} of {explanation.library} programs are best "
        f"somewhere. Programs were chosen on dev texts and measured on held-out ones; they ran {explanation.isolation}.",
    ]
    inactive = sum(head.inactive for head in explanation.heads)
    if inactive:
        lines.append(f"{inactive} heads are inactive: they keep 0.9 or more of their weight on the first token.")
    lines += [f"Not ranked: {program.path}: {program.findings[0]}" for program in explanation.broken]
    return Group(head_table(explanation.heads, title), *(Styled(line) for line in lines))


def head_table(heads: Sequence[HeadScore], title: str) -> Table:
    """One row a head; the floor is the IoU of its best trivial program, the lift what the program has over it."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in ("Head", "IoU", "Floor", "Lift"):
        table.add_column(name, justify="left" if name == "Head" else "right", no_wrap=True)
    table.add_column("Program", no_wrap=True, max_width=22, style="cyan")
    table.add_column("What it does", ratio=1, overflow="fold", min_width=24)
    for head in heads:
        table.add_row(
            str(head.head),
            _iou(head),
            f"{head.trivial_iou:.3f}",
            f"{head.lift:+.3f}",
            escape(head.program.name),
            escape(_remark(head)),
            style="dim" if head.inactive else "",
        )
    return table


def _iou(head: HeadScore) -> str:
    return "–" if head.error else f"{head.iou:.3f}"


def _remark(head: HeadScore) -> str:
    if head.error:
        return f"{head.error['kind']}: {head.error['message']}"
    coverage = f" [failed on {head.failed} of {head.sequences} texts]" if head.failed else ""
    return ("inactive; " if head.inactive else "") + head.program.explanation + coverage


def score_view(scores: Sequence[HeadScore]) -> RenderableType:
    """The table of `readhead score`, with each score's further figures and worst rows below it."""
    first = scores[0]
    title = f"{first.sequences} {first.part} texts of {first.length} tokens"
    parts: list[RenderableType] = [head_table(scores, title)]
    for score in scores:
        name = f"{score.program.name} on {score.head}"
        if score.error:
            place = f" (line {score.error['line']})" if score.error.get("line") else ""
            hint = f"; {score.error['hint']}" if score.error.get("hint") else ""
            parts.append(Styled(f"{name}: {score.error['kind']}{place}: {score.error['message']}{hint}"))
            continue
        without = "–" if score.iou_without_first is None else f"{score.iou_without_first:.3f}"
        parts.append(
            Styled(
                f"{name}: without the first token {without}, Jensen-Shannon distance {score.jsd:.3f}, "
                f"coverage {score.coverage:.0%}, {score.program.terms} terms"
            )
        )
        parts += [Styled(f"  {mistake}") for mistake in score.mistakes]
    return Group(*parts)


def found_table(program: Program, found: Sequence[Found]) -> Table:
    """The table of `readhead find`."""
    table = Table(title=f"{program.name}: {program.explanation}", title_justify="left", box=None, header_style="bold")
    for name in ("Head", "IoU (dev)", "Lift", "Over", "Rank"):
        table.add_column(name, justify="left" if name in {"Head", "Over"} else "right", no_wrap=True)
    for row in found:
        over = f"{row.trivial} {row.trivial_iou:.3f}"
        table.add_row(str(row.head), f"{row.iou:.3f}", f"{row.lift:+.3f}", over, f"{row.rank} of {row.of}")
    return table


def check_table(results: Sequence[Drift]) -> Table:
    """The table of `readhead check`."""
    table = Table(box=None, header_style="bold")
    for name in ("File", "Head", "Recorded", "Now", ""):
        table.add_column(name, justify="right" if name in {"Recorded", "Now"} else "left")
    for result in results:
        recorded, measured = ("–" if value is None else f"{value:.4f}" for value in (result.recorded, result.measured))
        table.add_row(str(result.program.path), str(result.head), recorded, measured, escape(result.reason) or "holds")
    return table


def pattern_view(view: PatternView) -> RenderableType:
    """A head's pattern beside a prediction, as wide as the console."""
    title = f"{view.head} beside {view.program.name}: IoU {view.iou:.3f} on {len(view.tokens)} tokens"
    return Group(
        Styled(title, style="bold"),
        Styled(view.program.explanation),
        _Maps(view.tokens, (("pattern", view.pattern), ("prediction", view.prediction))),
    )


@dataclass(frozen=True)
class _Maps:
    """Heat maps that learn the width when they are drawn."""

    tokens: Sequence[str]
    maps: Sequence[tuple[str, Array]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield heat_maps(self.tokens, self.maps, width=options.max_width)


def heat_maps(tokens: Sequence[str], maps: Sequence[tuple[str, Array]], *, width: int) -> RenderableType:
    """Matrices `[n, n]` side by side, a digit a cell: tenths of weight, blank under 0.05, 9 from 0.85 on.

    Only the first rows and columns are drawn that fit into `width` characters; the caption says so.
    """
    room = (width - _LABEL - 2) // len(maps) - 2
    shown = max(1, min(len(tokens), room))
    lines = [_header(maps, shown)]
    for row in range(shown):
        line = Styled(f"{_label(tokens[row]):>{_LABEL}} ")
        for _, matrix in maps:
            for column in range(shown):
                line.append(*_cell(float(matrix[row, column]), seen=column <= row))
            line.append("  ")
        lines.append(line)
    caption = "Rows look, columns are looked at; a digit is tenths of weight, blank under 0.05."
    if shown < len(tokens):
        caption += f" The first {shown} of {len(tokens)} tokens."
    return Group(*lines, Styled(caption, style="italic"))


def _header(maps: Sequence[tuple[str, Array]], shown: int) -> Styled:
    names = Styled(" " * (_LABEL + 1))
    ruler = Styled(" " * (_LABEL + 1))
    for name, _ in maps:
        names.append(f"{name[:shown]:<{shown}}  ", style="bold")
        ruler.append("".join(str(column % 10) for column in range(shown)) + "  ", style="dim")
    return Styled("\n").join([names, ruler])


def _cell(weight: float, *, seen: bool) -> tuple[str, str]:
    if not seen:
        return " ", ""
    tenths = min(9, round(weight * 10))
    if tenths == 0:
        return "·", "grey50"
    return str(tenths), f"{'black' if tenths < 5 else 'white'} on {_SHADES[tenths]}"  # noqa: PLR2004 - mid-grey


def _label(token: str) -> str:
    shown = token.replace("\n", "⏎").replace(" ", "␣") if token.strip(" ") != token or "\n" in token else token
    return shown if len(shown) <= _LABEL else shown[: _LABEL - 1] + "…"


def as_html(result: RenderableType) -> str:
    """A notebook's view of anything that rich can draw."""
    console = Console(record=True, width=120, file=io.StringIO())
    console.print(result)
    return console.export_html(inline_styles=True, code_format="<pre style='line-height:1.25'>{code}</pre>")

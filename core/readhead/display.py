"""How results look in a terminal and in a notebook. Every number that is drawn as a shade also stands as a digit."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, Group
from rich.table import Table
from rich.text import Text as Styled

from readhead.surrogates.views import curve_table, joint_line, left_neural, texts_of
from readhead.synthesis.ollama.views import drafted_view

if TYPE_CHECKING:
    from rich.console import RenderableType

    from readhead.explanation import Explanation, PatternView
    from readhead.patterns import Array
    from readhead.program import Program
    from readhead.record import Drift
    from readhead.scores import Found, HeadScore
    from readhead.synthesis.constants import Fitted
    from readhead.synthesis.outcome import Synthesis

_LABEL = 10
_SHADES = (
    "#ffffff on #482475",
    "#ffffff on #414487",
    "#ffffff on #355f8d",
    "#ffffff on #2a788e",
    "#ffffff on #1f8087",
    "#000000 on #22a884",
    "#000000 on #44bf70",
    "#000000 on #7ad151",
    "#000000 on #fde725",
)
"""For one to nine tenths: viridis, which grows lighter all the way and reads alike for colour-blind eyes."""


def explanation_table(explanation: Explanation) -> RenderableType:
    """The table of `readhead explain`, with what it means below it."""
    corpus, part = explanation.corpus, explanation.part
    title = (
        f"{explanation.model}: {len(explanation.heads)} heads, on {texts_of(len(corpus[part]), part, corpus.length)}"
    )
    lines = [
        (
            f"Mean IoU {explanation.mean_iou:.3f} at {corpus.length} tokens; "
            f"the best trivial program of each head reaches {explanation.mean_trivial_iou:.3f}."
        ),
        (
            f"{len({head.program.source for head in explanation.heads})} programs are best somewhere, of "
            f"{explanation.library} in the library and {explanation.synthesized} written for these heads. "
            f"They were chosen on dev texts and measured on {part} texts."
        ),
        f"Isolation of the programs: {explanation.isolation}.",
    ]
    inactive = sum(head.inactive for head in explanation.heads)
    if inactive:
        lines.append(f"{inactive} heads are inactive: they keep 0.9 or more of their weight on the first token.")
    if explanation.unreached:
        lines.append(f"{len(explanation.unreached)} heads were not searched within the time limit.")
    lines += [
        f"{broken.program.path or broken.program.name}: coverage {broken.coverage:.0%}; {_reason(broken.error)}"
        for broken in explanation.broken
    ]
    parts: list[RenderableType] = [Styled(title, style="bold"), head_table(explanation.heads)]
    if explanation.curve is not None:
        parts.append(curve_table(explanation.curve, part))
    lines += [joint_line(explanation.joint)] if explanation.joint else []
    lines += left_neural(explanation.neural)
    return Group(*parts, *(Styled(line) for line in lines))


def _reason(error: dict[str, Any]) -> str:
    """A failure in a line: what, where, why, and what to do."""
    place = f" in line {error['line']}" if error["line"] else ""
    hint = f" ({error['hint']})" if error["hint"] else ""
    return f"{error['kind']}{place}: {error['message']}{hint}"


def head_table(heads: Sequence[HeadScore], *, sizes: bool = False) -> Table:
    """One row a head; the floor is the IoU of its best trivial program, the lift what the program has over it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Head", "IoU", "Floor", "Lift", *(("Terms", "Set") if sizes else ())):
        table.add_column(name, justify="left" if name == "Head" else "right", no_wrap=True)
    table.add_column("Program", no_wrap=True, max_width=22, style="cyan")
    table.add_column("What it does", ratio=1, overflow="fold", min_width=24)
    for head in heads:
        table.add_row(
            str(head.head),
            _iou(head),
            f"{head.trivial_iou:.3f}",
            "–" if head.error else _signed(head.lift),
            *((str(head.program.terms), str(head.program.set_tokens)) if sizes else ()),
            Styled(head.program.name),
            Styled(_remark(head)),
            style="dim" if head.inactive else "",
        )
    return table


def _signed(lift: float) -> str:
    return f"{round(lift, 3) + 0.0:+.3f}"  # never -0.000


def _iou(head: HeadScore) -> str:
    return "–" if head.error else f"{head.iou:.3f}"


def _remark(head: HeadScore) -> str:
    if head.error:
        return _reason(head.error)
    coverage = f" [failed on {head.failed} of {head.sequences} texts]" if head.failed else ""
    ahead = " [looks ahead]" if head.look_ahead else ""
    return ("inactive; " if head.inactive else "") + head.program.explanation + coverage + ahead


def score_view(scores: Sequence[HeadScore]) -> RenderableType:
    """The table of `readhead score`, with each score's further figures and worst rows below it."""
    first = scores[0]
    title = Styled(texts_of(first.sequences, first.part, first.length), style="bold")
    parts: list[RenderableType] = [title, head_table(scores)]
    for score in (score for score in scores if not score.error):
        name = f"{score.program.name} on {score.head}"
        without = "–" if score.iou_without_first is None else f"{score.iou_without_first:.3f}"
        parts.append(
            Styled(
                f"{name}: without the first token {without}, Jensen-Shannon distance {score.jsd:.3f}, "
                f"coverage {score.coverage:.0%}, {score.program.terms} term{'s' if score.program.terms > 1 else ''}"
            )
        )
        if score.failed:
            parts.append(Styled(f"  {_reason(score.failures[0])}"))
        if score.look_ahead:
            parts.append(Styled(f"  It looks ahead, which a causal model cannot: {score.look_ahead}."))
        parts += [Styled(f"  {mistake}") for mistake in score.mistakes]
    return Group(*parts)


def fit_view(results: Sequence[Fitted], *, differences: bool) -> RenderableType:
    """The table of `readhead fit`, and below it what moved, or each file's differences line by line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Program", "Heads", "Moved", "IoU (fit)", "IoU (dev)"):
        table.add_column(name, justify="left" if name in {"Program", "Heads"} else "right")
    parts: list[RenderableType] = [table]
    for result in results:
        table.add_row(
            Styled(result.program.name, style="cyan"),
            " ".join(map(str, result.heads)),
            f"{len(result.changes)} of {result.constants}",
            f"{result.fit_before:.3f} → {result.fit_after:.3f}",
            f"{result.dev_before:.3f} → {result.dev_after:.3f}",
        )
        path = str(result.program.path or result.program.name)
        if result.kept:
            parts.append(Styled(f"{path} is kept as it was: {result.kept}"))
        elif differences:
            old, new = (source.splitlines() for source in (result.program.source, result.source))
            parts += [Styled(line) for line in unified_diff(old, new, path, path, lineterm="", n=0)]
        else:
            moved = "; ".join(f"line {change.line}: {change.old:g} → {change.new:g}" for change in result.changes)
            parts.append(Styled(f"{path}: {moved}"))
            if result.program.metadata.recorded is not None:
                parts.append(Styled("  Its recorded scores are true no longer and were removed: record it again."))
    return Group(*parts)


def synthesis_view(synthesis: Synthesis, *, front: bool = False) -> RenderableType:
    """The table of `readhead synthesize`, with the fronts where they are asked for, and what can be merged."""
    corpus, scores = synthesis.corpus, synthesis.heads
    count = f"{len(scores)} head{'s' if len(scores) > 1 else ''}"
    title = f"{synthesis.model}: {count}, on {texts_of(len(corpus['held-out']), 'held-out', corpus.length)}"
    lines = (
        [
            f"Mean IoU {synthesis.mean_iou:.3f} at {corpus.length} tokens.",
            f"{synthesis.fewest} of {len(scores)} programs are enough for a mean IoU within 0.01 of that (on dev).",
        ]
        if synthesis.mean_iou is not None
        else ["No head got a program."]
    )
    if synthesis.merges:
        offers = ", ".join(f"{merge.head} by {merge.other.name} ({-merge.cost:+.3f})" for merge in synthesis.merges[:6])
        more = len(synthesis.merges) - 6
        lines.append(f"Nearly alike: {offers}{f' and {more} more' if more > 0 else ''}. Merge them with --merge.")
    if synthesis.unreached:
        told = " ".join(map(str, synthesis.unreached[:8])) + (" …" if len(synthesis.unreached) > 8 else "")  # noqa: PLR2004
        lines.append(f"{len(synthesis.unreached)} heads were not reached in time: {told}. Run it again to go on.")
    parts: list[RenderableType] = [Styled(title, style="bold")]
    if scores:
        parts.append(head_table(scores, sizes=True))
    if front:
        parts.append(_front_table(synthesis))
    if synthesis.drafted is not None:
        parts.append(drafted_view(synthesis.drafted, synthesis.ranked))
    return Group(*parts, *(Styled(line) for line in lines))


def _front_table(synthesis: Synthesis) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title="Fronts, IoU on dev", title_justify="left")
    for name in ("Head", "Terms", "Set tokens", "Symbols", "Lines", "IoU", ""):
        table.add_column(name, justify="left" if name in {"Head", ""} else "right")
    for score, front, values in zip(synthesis.heads, synthesis.fronts, synthesis.front_iou, strict=True):
        for number, (program, value) in enumerate(zip(front.programs, values, strict=True)):
            sizes = (program.terms, program.set_tokens, program.symbols, program.lines)
            chosen = "chosen" if program.fingerprint == score.program.fingerprint else ""
            table.add_row(str(front.head) if not number else "", *map(str, sizes), f"{value:.3f}", chosen)
    return table


def found_table(program: Program, found: Sequence[Found]) -> RenderableType:
    """The table of `readhead find`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Head", "IoU (dev)", "Lift", "Over", "Rank"):
        table.add_column(name, justify="left" if name in {"Head", "Over"} else "right", no_wrap=True)
    for row in found:
        over = f"{row.trivial} {row.trivial_iou:.3f}"
        table.add_row(str(row.head), f"{row.iou:.3f}", _signed(row.lift), over, f"{row.rank} of {row.of}")
    return Group(Styled(f"{program.name}: {program.explanation}", style="bold"), table)


def check_table(results: Sequence[Drift]) -> Table:
    """The table of `readhead check`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("File", "Head", "Recorded", "Now", ""):
        table.add_column(name, justify="right" if name in {"Recorded", "Now"} else "left")
    for result in results:
        recorded, measured = ("–" if value is None else f"{value:.4f}" for value in (result.recorded, result.measured))
        head = str(result.head) if result.head else "–"
        table.add_row(Styled(str(result.program.path)), head, recorded, measured, Styled(result.reason or "holds"))
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
    """Matrices `[n, n]` side by side, a digit a cell: tenths of weight, a dot under 0.05, 9 from 0.85 on.

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
    caption = "Rows look, columns are looked at; a digit is tenths of weight, · is less."
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
    return str(tenths), _SHADES[tenths - 1]


def _label(token: str) -> str:
    shown = token.replace("\n", "⏎").replace(" ", "␣") if token.strip(" ") != token or "\n" in token else token
    return shown if len(shown) <= _LABEL else shown[: _LABEL - 1] + "…"


def as_html(result: RenderableType) -> str:
    """A notebook's view of anything that rich can draw."""
    console = Console(record=True, width=120, file=io.StringIO())
    console.print(result)
    return console.export_html(inline_styles=True, code_format="<pre style='line-height:1.25'>{code}</pre>")

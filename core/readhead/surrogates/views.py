"""How results about surrogates look in a terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text as Styled

from readhead.evaluation import compare
from readhead.progress import talk_console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from readhead.evaluation import Answers, TaskScore
    from readhead.heads import HeadId
    from readhead.surrogates.impact import Curve, Impact
    from readhead.surrogates.outcome import Continuation, Guilt, Replacement


def texts_of(count: int, part: str, length: int) -> str:
    """`32 held-out texts of 64 tokens`."""
    return f"{count} {part} text{'s' if count > 1 else ''} of {length} tokens"


def left_neural(neural: Mapping[HeadId, str]) -> list[str]:
    """A line for each head that no program may stand in for."""
    return [f"{head} stays neural: {reason}" for head, reason in neural.items()]


def curve_table(curve: Curve, part: str) -> RenderableType:
    """A curve: what ever more replaced heads do to the perplexity, with its interval, beside the controls."""
    controls = list(curve.points[0].controls)
    title = (
        f"Perplexity with heads replaced in {_ORDER[curve.order]}, {part} texts; "
        f"neural {_number(curve.neural_perplexity)}"
    )
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name in ("Replaced", "Perplexity", "Increase", "95 %", "KL", "Top-1", *controls):
        table.add_column(name, justify="right", no_wrap=True)
    for point in curve.points:
        impact = point.impact
        table.add_row(
            f"{point.fraction:.0%} ({len(point.heads)})",
            _number(impact.perplexity),
            _share(impact.increase),
            _interval(impact),
            "–" if impact.divergence is None else f"{impact.divergence:.3f}",
            "–" if impact.agreement is None else f"{impact.agreement:.1%}",
            *(_share(point.controls[name].increase).removesuffix(" %") for name in controls),
        )
    meaning = {"zero": "nothing instead", "uniform": "all tokens so far alike", "first": "the first token only"}
    failed = {head: count for point in curve.points for head, count in point.impact.failed.items()}
    lines = [f"{head}: its program failed on {count} texts, and it was neural there." for head, count in failed.items()]
    told = f"On the same heads, in %: {', '.join(f'{name}: {meaning[name]}' for name in controls)}."
    return Group(Styled(title, style="bold"), table, *([Styled(told)] if controls else []), *map(Styled, lines))


_ORDER = {
    "iou": "the order of their IoU (dev)",
    "impact": "the order of their own impact (dev)",
    "greedy": "greedy order (dev)",
}
_HUGE = 10


def _number(perplexity: float) -> str:
    return f"{perplexity:.3g}" if perplexity >= 1000 else f"{perplexity:.2f}"  # noqa: PLR2004 - four digits


def _share(increase: float) -> str:
    """An increase in percent, with the digits that mean something."""
    return f"{100 * increase:+.0f} %" if abs(increase) >= _HUGE else f"{100 * increase + 0.0:+.1f} %"


def _interval(impact: Impact) -> str:
    if impact.interval is None:
        return f"preliminary, {impact.sequences} texts"
    low, high = impact.interval
    return f"{_share(low).removesuffix(' %')} … {_share(high)}"


def replacement_view(result: Replacement) -> RenderableType:
    """The table of `readhead replace`: the switchboard beside its controls, and its curves."""
    corpus, impact, count = result.corpus, result.impact, len(result.board)
    title = f"{result.model}: {count} head{'s' if count != 1 else ''} replaced"
    if result.order != "given":
        title += f" in {_ORDER[result.order]}"
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("On these heads", "Perplexity", "Increase", "95 %"):
        table.add_column(name, justify="left" if name == "On these heads" else "right", no_wrap=True)
    table.add_row("neural", _number(impact.neural_perplexity), "", "")
    for name, each in [("programs", impact), *result.controls.items()]:
        style = "bold" if each is impact else ""
        table.add_row(name, _number(each.perplexity), _share(each.increase), _interval(each), style=style)
    lines = [f"Measured on {texts_of(impact.sequences, result.part, corpus.length)}."]
    if result.order != "given":
        lines[0] = f"{lines[0][:-1]}; heads were chosen on dev texts."
    if impact.divergence is not None and impact.agreement is not None:
        lines.append(
            f"KL divergence from the neural model's next token {impact.divergence:.4f} nats; "
            f"both expect the same token {impact.agreement:.1%} of the time."
        )
    if result.budget is not None and result.dev_increase is not None:
        lines.append(
            f"The most heads of that order within {result.budget:.2%} on dev texts, where they cost "
            f"{_share(result.dev_increase)}."
        )
    if result.joint is not None:
        lines.append(joint_line(result.joint))
    lines += [
        f"{head}: its program failed on {failed} of {impact.sequences} texts, and it was neural there."
        for head, failed in impact.failed.items()
    ]
    lines += left_neural(result.neural)
    lines.append(f"Isolation of the programs: {result.isolation}.")
    named = ((str(head), program.name) for head, program in result.board.items())
    shown = " ".join(head if name == head else f"{head}={name}" for head, name in named)
    parts: list[RenderableType] = [Styled(title, style="bold"), table, *(Styled(line) for line in lines)]
    parts += [curve_table(curve, result.part) for curve in result.curves]
    return Group(*parts, Styled(f"Replaced: {shown or 'nothing'}"))


def joint_line(joint: Mapping[str, Any]) -> str:
    """What fitting all constants together has changed."""
    if joint["kept"]:
        return f"Joint constants: kept as they were, {joint['kept']}."
    before, after = joint["dev"]["before"], joint["dev"]["after"]
    alone = f", {len(joint['left_alone'])} programs of another form left alone" if joint["left_alone"] else ""
    return (
        f"Joint constants: {joint['constants']} fitted on {joint['texts']} fit texts{alone}; with all heads replaced, "
        f"on dev, {before['increase_percent']:+.1f} % became {after['increase_percent']:+.1f} %, "
        f"and the mean IoU {before['iou']:.3f} became {after['iou']:.3f}."
    )


def guilt_view(guilt: Guilt) -> RenderableType:
    """The answer of `readhead bisect`."""
    lines = [f"{head} was neural all along: its program fails on this prompt." for head in guilt.failed]
    lines += left_neural(guilt.neural)
    remarks = [Styled(line) for line in lines]
    if not guilt.guilty:
        told = f"The {guilt.replaced} replaced heads change next to nothing here: KL {guilt.harm:.4f} nats a token."
        return Group(Styled(told), *remarks)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Model", "Expects next"):
        table.add_column(name)
    for name, tokens in guilt.expected.items():
        table.add_row(name, Styled("  ".join(f"{token!r} {share:.2f}" for token, share in tokens)))
    count = len(guilt.guilty)
    names = " ".join(map(str, guilt.guilty))
    return Group(
        Styled(f"Guilty: {names}", style="bold"),
        Styled(
            f"{count} of {guilt.replaced} replaced heads. With {'it' if count == 1 else 'them'} neural, the KL "
            f"divergence from the neural model falls from {guilt.harm:.4f} to {guilt.rest:.4f} nats a token; "
            f"{guilt.measured} switchboards were tried."
        ),
        table,
        *remarks,
    )


def continuation_view(text: Continuation) -> RenderableType:
    """Both texts side by side; where they part is marked."""
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for name in ("Neural", "Hybrid"):
        table.add_column(name, ratio=1, overflow="fold")
    pairs = zip(text.neural, text.hybrid, strict=False)
    common = next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(text.neural), len(text.hybrid)))
    parted = text.neural != text.hybrid
    common = text.neural.rfind(" ", 0, common) + 1 if parted else common  # where the word begins that is another one
    columns = []
    for written in (text.neural, text.hybrid):
        column = Styled(text.prompt, style="dim")
        column.append(written[:common], style="not dim")
        if parted:
            column.append("▏", style="not dim bold")
        column.append(written[common:], style="not dim bold" if parted else "not dim")
        columns.append(column)
    table.add_row(*columns)
    same = f"They part at ▏; tokens that are the same: {text.same}." if parted else "Both are the same."
    speeds = ", ".join(
        f"{name} {len(text.tokens[name]) / max(seconds, 1e-9):.0f} tokens a second"
        for name, seconds in text.seconds.items()
    )
    failed = [
        f"{head} was neural for {count} tokens, because its program failed." for head, count in text.failed.items()
    ]
    lines = [f"{same} {speeds}.", *failed, *left_neural(text.left_neural)]
    return Group(table, *(Styled(line) for line in lines))


def live_continuation(texts: Iterator[Continuation]) -> Continuation:
    """Draw both texts while they are written, where stderr is a terminal; the last state comes back."""
    console = talk_console()
    drawing = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else nullcontext()
    last: Continuation | None = None
    with drawing as live:
        for last in texts:
            if live is not None:
                live.update(continuation_view(last), refresh=True)
    if last is None:
        raise ValueError("nothing was written")
    return last


def answers_view(answers: Answers) -> RenderableType:
    """The table of `readhead qa`: of each task the neural model's accuracy, and below it that with heads replaced.

    Every accuracy stands with its standard error, every change with the paired one; a change that starts from no more
    than guessing is not shown.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Task", "Questions", "Chance", "Heads replaced", "Accuracy", "Change"):
        table.add_column(name, justify="left" if name == "Task" else "right", no_wrap=True)
    lines = ["Accuracy ± standard error; of a change, over the same questions."]
    for row, before in enumerate(answers.neural):
        task = Styled(before.task, style="cyan" if before.has_signal else "dim")
        silent = "" if before.has_signal else "no signal"
        table.add_row(task, str(before.questions), f"{before.chance:.3f}", "none", _accuracy(before), silent)
        for state in answers.states:
            change = compare(before, state.scores[row])
            told = f"{change.difference + 0.0:+.3f} ± {change.standard_error:.3f}"
            replaced = f"{state.name} ({len(state.heads)})"
            table.add_row("", "", "", replaced, _accuracy(state.scores[row]), silent or told)
        if before.cut:
            lines.append(f"{before.task}: {before.cut} of {before.questions} questions lost their beginning: too long.")
        if before.left_out:
            questions = "1 question was" if before.left_out == 1 else f"{before.left_out} questions were"
            lines.append(f"{before.task}: {questions} left out: the model does not read an answer of that length.")
    if guessed := [score.task for score in answers.neural if not score.has_signal]:
        lines.append(
            f"No signal: {', '.join(guessed)}. The neural model is not two standard errors above chance there, "
            "so nothing can be lost."
        )
    lines += [
        f"{state.name}: {head} was neural for {count} texts, because its program failed on them."
        for state in answers.states
        for head, count in state.failed.items()
    ]
    lines += left_neural(answers.left_neural)
    return Group(table, *(Styled(line) for line in lines))


def _accuracy(score: TaskScore) -> str:
    return f"{score.accuracy:.3f} ± {score.standard_error:.3f}"

"""How a language model's work looks in a terminal: a table that grows while it goes on, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import unified_diff
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text as Styled

from readhead.progress import talk_console
from readhead.strips import printable
from readhead.synthesis.ollama.candidates import REASONS, Candidate, count_reasons

if TYPE_CHECKING:
    from rich.console import RenderableType

    from readhead.heads import HeadId
    from readhead.program import Program
    from readhead.synthesis.ollama.guard import Control, Guard
    from readhead.synthesis.ollama.notebook import About
    from readhead.synthesis.ollama.ranked import Ranked
    from readhead.synthesis.ollama.revise import Revision
    from readhead.synthesis.ollama.run import Drafted, Row, Show
    from readhead.synthesis.ollama.schedule import FirstPrompt

_LIVE_ROWS = 18
_LISTED = 200
"""Candidates of a run, up to which the dropped ones are listed too."""


def drafted_view(drafted: Drafted, ranked: Sequence[Ranked]) -> RenderableType:
    """Every candidate with what became of it, and the sums, which add up."""
    parts: list[RenderableType] = [Styled(f"Written by {drafted.model}", style="bold")]
    listed = drafted.candidates if len(drafted.candidates) <= _LISTED else drafted.kept
    if listed:
        places = {(each.candidate.head, each.candidate.number): each for each in ranked}
        parts.append(_candidates_table(listed, places))
    lines = [_sums(drafted), *_winners(ranked), *drafted.notes]
    if len(listed) < len(drafted.candidates):
        lines.insert(0, "Only those that were kept are listed; --json lists all.")
    empty = sorted({each.head for each in drafted.candidates} - {each.head for each in drafted.kept})
    if empty:
        lines.append(f"No candidate was kept for {' '.join(map(str, empty))}.")
    if drafted.unreached:
        names = " ".join(map(str, drafted.unreached))
        lines.append(f"Not reached: {names}. Run it again to go on; what was answered is kept.")
    elif drafted.spent:
        lines.append("The budget is spent. Run it again to go on; what was answered is kept.")
    return Group(*parts, *(Styled(line) for line in lines))


def _candidates_table(candidates: Sequence[Candidate], places: dict[tuple[HeadId, int], Ranked]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Head", "#", "Outcome", "fit", "dev", "Rank"):
        table.add_column(name, justify="right" if name in {"#", "fit", "dev"} else "left", no_wrap=True)
    table.add_column("What it does, or why not", ratio=1, overflow="fold", min_width=24)
    for candidate in candidates:
        ranked = places.get((candidate.head, candidate.number))
        program = candidate.program
        table.add_row(
            str(candidate.head),
            str(candidate.number),
            _outcome(candidate),
            _number(candidate.iou),
            _number(ranked.iou if ranked else None),
            _rank(ranked),
            Styled(program.explanation if candidate.is_kept else candidate.detail),
            style="" if candidate.is_kept else "dim",
        )
    return table


def _rank(ranked: Ranked | None) -> str:
    if ranked is None:
        return ""
    return "–" if ranked.rank is None else f"{ranked.rank} of {ranked.of}"


def _outcome(candidate: Candidate) -> str:
    if not candidate.is_kept:
        return candidate.reason
    marks = [*(["looks ahead"] if candidate.look_ahead else []), *(["fitted"] if candidate.fitted else [])]
    if candidate.failed:
        marks.append(f"failed on {candidate.failed}")
    return ", ".join(["kept", *marks])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _sums(drafted: Drafted) -> str:
    dropped = count_reasons(drafted.candidates)
    why = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
    earlier = sum(exchange.earlier for exchange in drafted.exchanges)
    asked = len(drafted.exchanges) - earlier
    kept_from = f" and {earlier} kept from earlier runs" if earlier else ""
    legend = "".join(f" {reason.capitalize()}: {REASONS[reason]}." for reason in REASONS if reason in dropped)
    return (
        f"{_plural(asked, 'answer')}{kept_from}, {drafted.tokens:,} tokens, {drafted.seconds:.0f} s. "
        f"{_plural(len(drafted.candidates), 'candidate')} = {len(drafted.kept)} kept + {sum(dropped.values())} dropped"
        f"{f' ({why})' if why else ''}.{legend}"
    )


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _winners(ranked: Sequence[Ranked]) -> Iterator[str]:
    """Where a program of somebody else's is better on dev."""
    heads = {each.candidate.head: each for each in ranked if each.rank is not None}
    for head, each in heads.items():
        best = max(other.iou for other in ranked if other.candidate.head == head and other.rank is not None)
        if each.best_iou > best and each.owner:
            yield (
                f"{head}: the best of all {each.of} programs on dev is {each.owner}, with {each.best_iou:.3f}; "
                f"the language model's best has {best:.3f}."
            )


def prompts_view(prompts: Sequence[FirstPrompt]) -> str:
    """The prompts as they would be sent; what cannot be printed, as in a text of the corpus, stands as its escape."""
    return "\n\n".join(
        printable(f"# {each.head}: about {each.tokens:,} tokens\n\n{each.system}\n\n{each.prompt}") for each in prompts
    )


def revisions_view(
    revisions: Sequence[Revision], *, differences: bool, unreached: Sequence[Program] = ()
) -> RenderableType:
    """What became of each program, with `differences` line by line; and which were not reached."""
    parts: list[RenderableType] = []
    for revision in revisions:
        name = str(revision.program.path or revision.program.name)
        parts.append(Styled(f"{name}: {revision.outcome}"))
        if revision.is_changed and differences:
            old, new = revision.program.source.splitlines(), revision.source.splitlines()
            parts += [Styled(printable(line)) for line in unified_diff(old, new, name, name, lineterm="", n=1)]
        parts += [Styled(f"  {note}") for note in revision.notes]
    parts += [Styled(f"{program.path or program.name}: not reached") for program in unreached]
    return Group(*parts)


def guard_view(guard: Guard) -> RenderableType:
    """Planted heads with what was found of them, and heads of the model with their shuffled controls."""
    planted = Table(box=None, pad_edge=False, header_style="bold", title="Planted heads", title_justify="left")
    for name in ("Head", "Floor", "IoU", "", "Score"):
        planted.add_column(name, justify="right" if name in {"Floor", "IoU"} else "left")
    told = {None: "not asked", True: "recovered", False: "not found"}
    for control in guard.planted:
        kind = "known" if control.is_known else "drawn"
        found = told[control.is_recovered]
        planted.add_row(kind, f"{control.floor:.3f}", _or_dash(control.iou), found, Styled(control.truth))
    real = Table(box=None, pad_edge=False, header_style="bold", title="Heads of the model", title_justify="left")
    for name in ("Head", "Floor", "Real prompt", "Shuffled prompt", "… on real texts"):
        real.add_column(name, justify="left" if name == "Head" else "right")
    for control in guard.real:
        figures = map(_or_dash, (control.iou, control.shuffled, control.shuffled_on_real))
        real.add_row(str(control.head), f"{control.floor:.3f}", *figures)
    return Group(planted, real, *(Styled(line) for line in [*_guard_lines(guard), *guard.notes]))


def _guard_lines(guard: Guard) -> Iterator[str]:
    """What the tables come to."""
    from readhead.synthesis.ollama.guard import RECOVERED  # noqa: PLC0415 - who shows a program needs no client

    yield (
        f"{guard.model} recovers {_share(guard.recovery, guard.drawn)} that were drawn by chance (IoU ≥ {RECOVERED}), "
        f"and {_share(guard.known_recovery, guard.known)} that texts about attention tell of."
    )
    unasked = [*(control.truth for control in guard.planted if not control.is_asked)]
    if unasked:
        yield f"Not asked, and not counted: {'; '.join(unasked)}."
    left = " ".join(str(control.head) for control in guard.real if not control.is_asked)
    if left:
        yield f"Not asked in both ways: {left}. Run it again to go on; what was answered is kept."
    alike = " ".join(str(control.head) for control in guard.real if control.is_as_good_shuffled)
    if alike:
        yield (
            f"The program from shuffled tokens of {alike} is as good as from the real prompt: where the head looks was "
            "enough, the words added nothing."
        )
    yield "IoU on dev of the best program from each prompt; it is telling only where the program speaks of words."


def _share(rate: float | None, planted: Sequence[Control]) -> str:
    asked = sum(control.is_asked for control in planted)
    return f"{'–' if rate is None else f'{rate:.0%}'} of {_plural(asked, 'planted head')}"


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


@contextmanager
def live_rows() -> Iterator[Show]:
    """A table of what is going on, where stderr is a terminal; nothing elsewhere."""
    console = talk_console()
    rows: dict[tuple[About, str], Row] = {}
    if not console.is_terminal:
        yield lambda _: None
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(row: Row) -> None:
            key = (row.about, row.name)
            rows.pop(key, None)
            rows[key] = row
            live.update(_rows_table(list(rows.values())[-_LIVE_ROWS:]), refresh=True)

        yield show


def _rows_table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Head", "Candidate", "Stage", "IoU (fit)", "Tokens", "Seconds"):
        table.add_column(name, justify="right" if name in {"IoU (fit)", "Tokens", "Seconds"} else "left", no_wrap=True)
    for row in rows:
        table.add_row(
            str(row.about), row.name, row.stage, _number(row.iou), f"{row.tokens:,}" if row.tokens else "",
            f"{row.seconds:.1f}",
        )  # fmt: skip
    return table

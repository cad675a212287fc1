"""A head in a few lines, beneath the map."""

from __future__ import annotations

from rich.text import Text

from readhead.heads import HeadId
from readhead_tui.figures import bounds, percent
from readhead_tui.known import Known


def _alone(known: Known, head: HeadId) -> str:
    """What the best program alone does to the perplexity, with its interval; or why it may not stand in."""
    alone = known.impact(head)
    if alone is None:
        return ""
    if alone.increase_percent is None:
        return f"  may not stand in: {alone.refused}"
    within = "preliminary" if alone.low is None or alone.high is None else bounds(alone.low, alone.high)
    return f"  alone {percent(alone.increase_percent)} {within}"


def card_of(known: Known, head: HeadId) -> Text:
    """What is known of a head: its best program, how good it is, the next ones."""
    card, text = known.card(head), Text()
    text.append(f" {head} ", style="bold reverse")
    if not known.cards:
        return text
    mode = known.mode(head)
    text.append(f" {'● ' if mode == 'program' else ''}{mode} mode", style="bold" if mode == "program" else "")
    if card.best and known.runs_other(head):
        text.append(" (not with its best program)", style="italic")
    if head in known.pending:
        text.append(" …", style="bold")
    chosen = known.chosen.get(head)
    if chosen is not None and (chosen.name, chosen.path) != (card.best, card.path):
        text.append(f"  chosen: {chosen.name}" + ("" if chosen.iou is None else f" {chosen.iou:.3f}"), style="bold")
    if card.inactive:
        text.append("  inactive: it looks at the first token only", style="italic")
    problem = known.problem(head)
    if problem is not None:
        text.append(f"\n! {problem.told}", style="bold")
    if card.best_iou is None:
        text.append(f"\nfloor {card.trivial_iou:.3f} ({card.trivial}); programs are being ranked", style="dim")
        return text
    text.append(f"\n{card.best}", style="bold")
    text.append(f"  {card.category}" + ("  (changed since: ~)" if head in known.stale else ""), style="dim")
    text.append(f"\nIoU {card.best_iou:.3f}", style="bold")
    text.append(f"  floor {card.trivial_iou:.3f} ({card.trivial})  lift {card.best_iou - card.trivial_iou:+.3f}")
    text.append(_alone(known, head))
    text.append(f"\n{card.explanation}", style="italic")
    others = [f"{row['name']} {row['iou']:.2f}" for row in card.others[1:4]]
    if others:
        text.append(f"\nnext: {', '.join(others)}", style="dim")
    return text

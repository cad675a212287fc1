"""Code lenses over `head`: what the program is worth, in text, for each of its heads."""

from __future__ import annotations

from lsprotocol import types as lsp

from readhead.engine import Scored, State
from readhead_server.annotations import Annotations
from readhead_server.documents import Document


def code_lenses(document: Document, annotations: Annotations, state: State, *, trusted: bool) -> list[lsp.CodeLens]:
    """One for each head of the metadata, and one for the best other head; sent resolved."""
    line = document.lines.line_range(document.head_line)

    def lens(title: str, command: str, *arguments: object) -> lsp.CodeLens:
        return lsp.CodeLens(line, command=lsp.Command(title=title, command=command, arguments=list(arguments)))

    if not trusted:
        return [lens("Readhead: the workspace is not trusted; nothing of it runs", "readhead.explainTrust")]
    # A click may start what has ended; what runs, or is about to, it leaves alone: it is every front end's.
    engine = lens(
        f"Readhead: {IN_WORDS[state]}", "readhead.restart" if state in _ENDED else "readhead.why", document.uri
    )
    if document.findings:
        count = len(document.findings)
        return [lens(f"not run: {count} finding{'s' if count > 1 else ''}", "readhead.why", document.uri)]
    if state != "ready" and not annotations.scores:
        return [engine]
    if annotations.error and not annotations.scores:
        return [lens(f"Readhead: {annotations.error}", "readhead.score", document.uri)]
    lenses = []
    for head in document.heads:
        score = annotations.scores.get(head)
        if score is None:
            lenses.append(lens(f"{head}: not measured yet", "readhead.score", document.uri))
            continue
        lenses.append(lens(_score_title(document, annotations, head, score), "readhead.compare", document.uri, head))
        flipped = annotations.board.get(head)
        mode = "neural" if flipped is None else "program" if flipped == document.stamp else "program (another text)"
        lenses.append(lens(f"{head} is {mode}: flip", "readhead.flip", document.uri, head))
    if state != "ready":  # what was measured stays, but nothing new is
        lenses.append(engine)
    if annotations.other is not None and annotations.is_current(document):
        other = annotations.other
        title = f"best other head: {other.head} IoU {other.iou:.3f} ({other.lift:+.2f} over {_hyphened(other.trivial)})"
        lenses.append(lens(title, "readhead.setBest", document.uri, other.head))
    return lenses


_ENDED = ("failed", "closed")
IN_WORDS = {
    "starting": "the engine starts",
    "loading": "the model is loaded",
    "ready": "ready",
    "failed": "the engine failed; try again",
    "restarting": "the engine is started again",
    "closed": "the engine is closed",
}


def _score_title(document: Document, annotations: Annotations, head: str, score: Scored) -> str:
    parts = [f"{head} IoU {score.iou:.3f} ({score.lift:+.2f} over {_hyphened(score.trivial)})"]
    if score.coverage < 1:
        parts.append(f"coverage {score.coverage:.0%}")
    if score.inactive:
        parts.append("inactive")
    if score.look_ahead:
        parts.append("looks ahead")
    if score.rank is not None:
        parts.append(f"rank {score.rank} of {score.of}")
    impact, current = annotations.impact(document, head)
    if head in annotations.refused:
        parts.append("no surrogate")
    elif impact is not None:
        interval = "" if impact.low is None else f" [{impact.low:.1f}, {impact.high:.1f}]"
        stale = "" if current or not annotations.is_current(document) else " (stale)"
        parts.append(f"perplexity {impact.increase_percent:+.1f} %{interval}{stale}")
    title = " · ".join(parts)
    return title if annotations.is_current(document) else f"stale: {title}"


def _hyphened(trivial: str) -> str:
    return trivial.replace(" ", "-")

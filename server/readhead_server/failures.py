"""Where a program fails on a head, as a virtual document: the worst texts, and on one of them the worst rows in words.

A page has the address `readhead://failures/<path of the program>/<head>/failures.md`, which is the worst text, or
`…/<head>/<number>/failures.md` for the `dev` text of that number. It tells which text of the program it is of: while a
newer one is being measured, or cannot be, the page of the older one stays, marked as stale.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

import numpy as np

from readhead.engine import EngineGoneError
from readhead.engine.client import EngineError
from readhead.strips import strip

if TYPE_CHECKING:
    from lsprotocol import types as lsp

    from readhead.patterns import Array
    from readhead_server.annotations import Annotations
    from readhead_server.documents import Document
    from readhead_server.project import Project
    from readhead_server.server import ReadheadServer

_START: Final = "readhead://failures/"
_END: Final = "failures.md"
_ROWS: Final = 5
"""Rows that are told in words."""
_TEXTS: Final = 8
"""Texts that are listed."""
_KEPT: Final = 16
"""Pages that are refreshed; older ones are forgotten."""
_NAMES: Final = {
    ",": "the comma", ".": "the full stop", "\n": "the line break", '"': "the quotation mark", "?": "the question mark",
    "!": "the exclamation mark", ":": "the colon", ";": "the semicolon", "'": "the apostrophe", "`": "the backtick",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """What a page is about."""

    path: Path
    """Of the program."""
    head: str
    sequence: int | None = None
    """Number of the `dev` text; None for the one on which the program is worst."""

    @property
    def uri(self) -> str:
        """Of the page."""
        number = "" if self.sequence is None else f"{self.sequence}/"
        return f"{_START}{quote(str(self.path))}/{self.head}/{number}{_END}"

    @classmethod
    def read(cls, uri: str) -> Place | None:
        """The place of a page's address, however the client quotes it; None for an address that is no page's."""
        plain = unquote(uri)
        if not plain.startswith(_START) or not plain.endswith(f"/{_END}"):
            return None
        *path, head = plain[len(_START) : -len(_END) - 1].split("/")
        sequence = None
        if head.isdecimal() and path:
            sequence = int(head)
            *path, head = path
        return cls(Path("/".join(path)), head, sequence) if path else None


@dataclass(frozen=True)
class Failing:
    """What the engine says of a place."""

    place: Place
    stamp: str
    """Of the program's text that was measured."""
    texts: list[dict[str, Any]]
    """All `dev` texts, the worst first: number, IoU, and whether the program gave nothing."""
    tokens: list[str]
    pattern: Array
    prediction: Array | None
    why: str = ""
    """Why the program gave nothing, where that is known."""

    @property
    def sequence(self) -> int:
        """Number of the text that is shown."""
        return int(self.texts[self._rank]["sequence"])

    @property
    def _rank(self) -> int:
        """Its place among all, the worst first."""
        wanted = self.place.sequence
        return next((rank for rank, row in enumerate(self.texts) if row["sequence"] == wanted), 0)

    def beside(self, step: int) -> Place | None:
        """The next text, in the order of failure; None at the end."""
        rank = self._rank + step
        if not 0 <= rank < len(self.texts):
            return None
        return Place(self.place.path, self.place.head, self.texts[rank]["sequence"])

    def as_text(self, *, stale: bool) -> str:
        """The page, in Markdown."""
        row, count = self.texts[self._rank], len(self.texts)
        mean = sum(each["iou"] for each in self.texts) / count
        state = "**stale: the program has another text by now**" if stale else "the program's current text"
        order = "the worst" if self._rank == 0 else f"number {self._rank + 1} from the worst"
        links = [(name, self.beside(step)) for name, step in (("next", 1), ("previous", -1))]
        lines = [
            f"# {self.place.path.name} on {self.place.head}: dev text {self.sequence}",
            "",
            f"- IoU {row['iou']:.3f}, {order} of {count} (mean {mean:.3f})",
            f"- measured on dev, {len(self.tokens)} tokens",
            f"- of text {self.stamp}: {state}",
            "",
            " · ".join(f"[{name}]({place.uri})" for name, place in links if place is not None),
            "",
        ]
        lines += self._nothing() if self.prediction is None else self._rows(self.prediction)
        lines += ["## The worst texts", ""]
        for each in self.texts[:_TEXTS]:
            place = Place(self.place.path, self.place.head, each["sequence"])
            told = "it gives nothing" if each["failed"] else f"IoU {each['iou']:.3f}"
            lines.append(f"- [dev text {each['sequence']}]({place.uri}): {told}")
        return "\n".join([*lines, ""])

    def _nothing(self) -> list[str]:
        why = f": {self.why}" if self.why else ""
        return [f"The program gives nothing on this text{why}", "", "```", "".join(self.tokens).strip(), "```", ""]

    def _rows(self, prediction: Array) -> list[str]:
        """The rows that share least, in words and as strips: the head's above the program's."""
        shared = np.minimum(self.pattern, prediction).sum(axis=1)
        lines = ["## The worst rows", ""]
        for query in np.argsort(shared, kind="stable")[:_ROWS]:
            real, predicted = (looks_at(self.tokens, rows[query], query) for rows in (self.pattern, prediction))
            where = f"At {named(self.tokens[query])} (token {query}) the head looks at {real}"
            lines += [
                f"{where}; the program at {predicted}. They share {shared[query]:.2f}.",
                "",
                "```",
                f"neural   {strip(self.tokens, self.pattern[query], query)}",
                f"program  {strip(self.tokens, prediction[query], query)}",
                "```",
                "",
            ]
        return lines


def looks_at(tokens: list[str], weights: Array, query: int) -> str:
    """The key that gets most of a row, with its weight: `` `Lily` (0.62)``."""
    key = int(np.argmax(weights[: query + 1]))
    return f"{'itself' if key == query else named(tokens[key])} ({weights[key]:.2f})"


def named(token: str) -> str:
    """A token in a sentence: `` `she` ``, or what a mark is called."""
    bare = token.strip(" ")
    if token and not bare:
        return "the space"
    if bare in _NAMES:
        return _NAMES[bare]
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in bare or token)
    return f"``{shown}``" if "`" in shown else f"`{shown}`"


async def failing(document: Document, project: Project, annotations: Annotations, place: Place) -> Failing:
    """Ask the engine.

    Raises:
        EngineError: what it says is wrong, with the head for example.
    """
    given = {"source": document.source, "head": place.head, "name": document.name}
    texts = await project.ask("worst_texts", **given)
    numbers = [row["sequence"] for row in texts]
    if place.sequence is not None and place.sequence not in numbers:
        raise EngineError("RH100", f"there is no dev text {place.sequence}", f"there are {len(numbers)}, from 0")
    sequence = numbers[0] if place.sequence is None else place.sequence
    shown = await project.ask("pattern", **given, sequence=sequence)
    scored = annotations.scores.get(place.head)
    failures = scored.failures if scored and annotations.is_current(document) else []
    why = next((f"{each['kind']}: {each['message']}" for each in failures), "")
    prediction = None if shown["prediction"] is None else np.array(shown["prediction"], np.float32)
    return Failing(
        place, document.stamp, texts, list(shown["tokens"]), np.array(shown["pattern"], np.float32), prediction, why
    )


class Pages:
    """The pages that the client has asked for."""

    def __init__(self) -> None:
        self._kept: dict[str, Failing | None] = {}
        self._told: dict[str, tuple[str, bool]] = {}
        """By page: text of the program, and whether it was measured, when the client was last told to ask again."""

    async def content(self, ls: ReadheadServer, uri: str) -> str:
        """A page; what is wrong where there is none."""
        place = Place.read(uri)
        document = None if place is None else ls.document_at(place.path)
        if place is None or document is None:
            return f"{uri} is no page of a program of a workspace\n"
        project = ls.project_of(document)
        annotations = project.notes(document)
        kept = self._kept.pop(uri, None)
        waits = bool(annotations.scores) and not annotations.is_current(document)
        try:
            if kept is None or not (document.findings or waits):
                kept = await failing(document, project, annotations, place)
        except (EngineError, EngineGoneError) as error:
            self._keep(uri, None)
            return f"{error}\n\n{error.hint}\n"
        self._keep(uri, kept)
        now = ls.document_at(place.path)
        return kept.as_text(stale=now is None or now.stamp != kept.stamp)

    def _keep(self, uri: str, page: Failing | None) -> None:
        self._kept[uri] = page
        while len(self._kept) > _KEPT:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            self._told.pop(oldest, None)

    def outdated(self, document: Document, annotations: Annotations) -> list[str]:
        """The pages of a document that say something else by now; each is told once."""
        state = (document.stamp, annotations.is_current(document))
        found = []
        for uri in self._kept:
            place = Place.read(uri)
            if place is not None and place.path == document.path and self._told.get(uri) != state:
                self._told[uri] = state
                found.append(uri)
        return found


def shows_pages(capabilities: lsp.ClientCapabilities) -> bool:
    """Whether a client opens a page when told so."""
    window, workspace = capabilities.window, capabilities.workspace
    shows = window is not None and window.show_document is not None and window.show_document.support
    return bool(shows and workspace is not None and workspace.text_document_content is not None)

"""Requests beyond the protocol, for editors that draw heads and tell of a switchboard.

A `uri` is that of an open program or of anything else in a workspace, its folder for example.

pygls hands the parameters of methods that it does not know to a handler as a tree of named tuples. They are checked
here, field by field, so that a mistake is an answer that names it.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from readhead.engine import Card, EngineGoneError
from readhead.engine.client import EngineError
from readhead.engine.results import text_stamp
from readhead.errors import UsageError

if TYPE_CHECKING:
    from readhead_server.annotations import Annotations
    from readhead_server.documents import Document
    from readhead_server.project import Project

T = TypeVar("T")

HEADS, PATTERN, WORST, PERPLEXITY, DOCUMENT = (
    f"readhead/{name}" for name in ("heads", "pattern", "worst", "perplexity", "document")
)
_FAILED = -32803
"""The protocol's code of a request that is right, but cannot be answered."""


@dataclass(frozen=True)
class WorkspaceParams:
    """Of `readhead/heads`, `readhead/perplexity` and `readhead/document`."""

    uri: str
    """Of an open program, for the last one; else of anything in the workspace."""


@dataclass(frozen=True)
class HeadsResult:
    """All heads of a workspace's model."""

    model: str
    layers: int
    heads: int
    """In each layer."""
    corpus: dict[str, Any]
    """Name, sizes of the parts and tokens a sequence; the IoUs are those on `dev`."""
    isolation: str
    """How programs are kept apart from the machine, in words."""
    cards: list[Card]
    """Layer by layer: floor, best programs and mode of each head."""
    board: dict[str, str] = field(default_factory=dict)
    """Heads in program mode, each with the stamp of the program's text."""


@dataclass(frozen=True)
class PatternParams:
    """Of `readhead/pattern`."""

    uri: str
    """Of an open program, or of anything else in the workspace."""
    head: str
    source: str | None = None
    """What predicts; by default the open program's text, or else the head's best program; with an empty one nothing."""
    sequence: int = 0
    """Number of a `dev` text."""
    text: str = ""
    """Another text, instead of that."""


@dataclass(frozen=True)
class WorstParams:
    """Of `readhead/worst`."""

    uri: str
    """Of an open program, or of anything else in the workspace."""
    head: str
    source: str | None = None
    """As for a pattern."""


@dataclass(frozen=True)
class PatternResult:
    """A head's pattern beside a program's prediction."""

    head: str
    tokens: list[str]
    pattern: list[list[float]]
    """A row for each query, a column for each key."""
    prediction: list[list[float]] | None
    """None where nothing predicts, or the program gave nothing."""
    stamp: str
    """Of the text that predicts; empty without one."""
    sequence: int | None = None
    """Number of the `dev` text; None for a text of the client's."""
    of: int | None = None
    """How many `dev` texts there are."""
    name: str = ""
    """Of the program that predicts."""


@dataclass(frozen=True)
class DocumentResult:
    """What is known of an open program, as far as its lenses tell it."""

    name: str
    version: int
    """Of the text, as the client counts."""
    line: int
    """From 0; of `head`, over which the lenses stand."""
    heads: list[str]
    """Those of its metadata."""
    findings: int
    """With any, nothing is measured."""
    scores: list[dict[str, Any]]
    """For each head that was measured: its name, IoU, floor (`trivial`, `trivial_iou`) and mode."""
    current: bool
    """Whether the scores are those of the text as it is."""


def read(kind: type[T], given: Any) -> T:  # noqa: ANN401 - whatever the client sent
    """A request's parameters.

    Raises:
        JsonRpcInvalidParams: naming the field that is missing or of a wrong type.
    """
    values = given if isinstance(given, dict) else given._asdict() if hasattr(given, "_asdict") else {}
    hints = get_type_hints(kind)
    found: dict[str, Any] = {}
    for item in fields(kind):  # type: ignore[arg-type]  # only dataclasses are read
        if values.get(item.name) is None:
            if item.default is MISSING:
                raise JsonRpcInvalidParams(f"{item.name!r} is missing: {_wanted(hints[item.name])}")
            continue
        if type(values[item.name]) not in _types(hints[item.name]):
            raise JsonRpcInvalidParams(f"{item.name!r} is {values[item.name]!r}: {_wanted(hints[item.name])}")
        found[item.name] = values[item.name]
    return kind(**found)


def _types(hint: Any) -> Sequence[Any]:  # noqa: ANN401 - a type or a union of some
    return get_args(hint) if isinstance(hint, types.UnionType) else [hint]


def _wanted(hint: Any) -> str:  # noqa: ANN401 - as above
    names = {str: "a string", int: "a whole number"}
    return " or ".join(names[kind] for kind in _types(hint) if kind in names)


async def heads(project: Project) -> HeadsResult:
    """All heads' cards.

    Raises:
        JsonRpcException: with what the engine says is wrong.
    """
    cards = [Card.read(card) for card in await _ask(project, "cards")]
    facts = await _ask(project, "facts")
    switches = await _ask(project, "switches")
    board = {head: text_stamp(source) for head, source in switches["heads"].items()}
    told = {name: facts[name] for name in ("model", "layers", "heads", "corpus", "isolation")}
    return HeadsResult(**told, cards=cards, board=board)


async def perplexity(project: Project) -> dict[str, Any]:
    """What the current switchboard does to the perplexity, as `readhead.engine.Impacted` has it.

    Raises:
        JsonRpcException: with what the engine says is wrong.
    """
    found: dict[str, Any] = await _ask(project, "perplexity")
    return found


async def flip_best(project: Project, head: str) -> None:
    """Put a head's best program in its place, or the head back.

    Raises:
        EngineError: what the engine says is wrong.
        UsageError: why the best program may not stand in.
    """
    switches = await project.ask("switches")
    change: dict[str, Any] = {"heads": {head: None}} if head in switches["heads"] else {"best": [head]}
    refused = (await project.ask("flip", **change))["refused"]
    if refused:
        raise UsageError(refused[head], hint="pick another program for the head")


def document(document: Document, annotations: Annotations) -> DocumentResult:
    """What is known of an open program."""
    scores = [
        {"head": head, "iou": score.iou, "trivial": score.trivial, "trivial_iou": score.trivial_iou,
         "mode": "program" if head in annotations.board else "neural"}
        for head in document.heads if (score := annotations.scores.get(head)) is not None
    ]  # fmt: skip
    return DocumentResult(
        name=document.name,
        version=document.version,
        line=document.head_line,
        heads=document.heads,
        findings=len(document.findings),
        scores=scores,
        current=annotations.is_current(document),
    )


async def pattern(project: Project, params: PatternParams, document: Document | None) -> PatternResult:
    """A head's pattern and a prediction.

    Raises:
        JsonRpcException: with what the engine says is wrong, with the head for example.
    """
    name, source = await _predicts(project, params, document)
    place = {"text": params.text} if params.text else {"sequence": params.sequence}
    shown = await _ask(project, "pattern", head=params.head, source=source, name=name, **place)
    return PatternResult(
        head=shown["head"],
        tokens=shown["tokens"],
        pattern=shown["pattern"],
        prediction=shown["prediction"],
        stamp=text_stamp(source) if source else "",
        sequence=shown.get("sequence"),
        of=shown.get("of"),
        name=name if source else "",
    )


async def worst(project: Project, params: WorstParams, document: Document | None) -> list[dict[str, Any]]:
    """The `dev` texts in the order in which a program fails on them: number, IoU, and whether it gave nothing.

    Raises:
        JsonRpcException: with what the engine says is wrong, with the head for example.
    """
    name, source = await _predicts(project, params, document)
    if not source:
        return []
    found: list[dict[str, Any]] = await _ask(project, "worst_texts", head=params.head, source=source, name=name)
    return found


async def _predicts(
    project: Project, params: PatternParams | WorstParams, document: Document | None
) -> tuple[str, str]:
    """Name and text of what predicts."""
    if params.source is not None:
        return ("program" if document is None else document.name), params.source
    if document is not None:
        return document.name, document.source
    best = await _ask(project, "candidates", head=params.head, most=1)
    return (best[0]["name"], best[0]["source"]) if best else ("", "")


async def _ask(project: Project, method: str, **given: Any) -> Any:  # noqa: ANN401 - JSON
    try:
        return await project.ask(method, **given)
    except (EngineError, EngineGoneError) as error:
        message = f"{error}; {error.hint}" if error.hint else str(error)
        code = error.kind if isinstance(error, EngineError) else error.code
        raise JsonRpcException(message, _FAILED, {"code": code, "hint": error.hint}) from error

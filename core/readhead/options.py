"""The flags that commands share: dataclasses, added to a command's signature by `with_options`."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from readhead.errors import UsageError

if TYPE_CHECKING:
    from readhead.heads import HeadId
    from readhead.program import Program
    from readhead.session import Session
    from readhead.settings import Settings
    from readhead.surrogates.planner import Selection
    from readhead.synthesis.ollama.run import Drafting
    from readhead.workspace import Workspace


@dataclass(frozen=True)
class Options:
    """What the shared flags said; None where a flag was not given."""

    model: Annotated[str | None, typer.Option(help="Hub id, local folder, or `bundled`.")] = None
    corpus: Annotated[
        str | None, typer.Option(help="Text file, .jsonl file, folder of .txt, hub data set, or `bundled`.")
    ] = None
    sequences: Annotated[
        int | None, typer.Option(help="Texts in all, divided 2:1:1 into fit, dev and held-out.", min=4)
    ] = None
    length: Annotated[int | None, typer.Option(help="Tokens a text, begin-of-sequence included.", min=2)] = None
    seed: Annotated[int | None, typer.Option(help="Seed of the split into parts.")] = None
    device: Annotated[str | None, typer.Option(help="cuda, mps or cpu; by default the best there is.")] = None
    workspace: Annotated[
        Path | None, typer.Option(help="Folder that keeps state; by default that of the nearest readhead.toml.")
    ] = None
    allow_reduced_isolation: Annotated[
        bool,
        typer.Option(
            "--allow-reduced-isolation",
            help="Where programs cannot be locked in, run those too that a language model or a stranger wrote.",
        ),
    ] = False
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout.")] = False

    def settings(self, workspace: Workspace) -> Settings:
        """The flags, then `readhead.toml`, then the defaults."""
        from readhead.corpus import Sizes  # noqa: PLC0415 - `readhead --help` does not wait for numpy

        given = {name: getattr(self, name) for name in ("model", "corpus", "seed", "device", "length")}
        settings = replace(workspace.settings, **{name: value for name, value in given.items() if value is not None})
        if self.corpus is None:
            settings = replace(settings, corpus=_from_root(workspace.root, settings.corpus))
        if self.model is None:
            settings = replace(settings, model=_from_root(workspace.root, settings.model))
        if self.allow_reduced_isolation:
            settings = replace(settings, allow_reduced_isolation=True)
        if self.sequences is not None:
            sizes = Sizes.of(self.sequences, settings.length)
            settings = replace(settings, fit=sizes.fit, dev=sizes.dev, held_out=sizes.held_out)
        return settings

    @contextmanager
    def session(self, also: Callable[[Settings], Settings] = lambda settings: settings) -> Iterator[Session]:
        """The model on the corpus in the workspace, with progress on stderr; `also` changes the settings."""
        from readhead.progress import progress  # noqa: PLC0415 - as above
        from readhead.session import Session  # noqa: PLC0415 - as above
        from readhead.workspace import Workspace  # noqa: PLC0415 - as above

        if self.workspace is not None and self.workspace.exists() and not self.workspace.is_dir():
            raise UsageError(f"{self.workspace} is not a folder", hint="name a folder for --workspace")
        with (
            Workspace.open(self.workspace) as workspace,
            progress() as report,
            Session.open(workspace, also(self.settings(workspace)), report=report) as session,
        ):
            yield session


def _from_root(root: Path, location: str) -> str:
    """A relative path of `readhead.toml` is meant from the workspace's root."""
    inside = root / location.partition("#")[0]
    return str(root / location) if location != "bundled" and inside.exists() else location


@dataclass(frozen=True)
class Naming:
    """What the flags said about the language model; None where a flag was not given."""

    ollama_model: Annotated[
        str | None, typer.Option(help="As Ollama names it; by default that of readhead.toml.", show_default=False)
    ] = None

    def settings(self, settings: Settings) -> Settings:
        """The settings with what the flags say of the model."""
        if self.ollama_model is None:
            return settings
        return replace(settings, ollama=replace(settings.ollama, model=self.ollama_model))


@dataclass(frozen=True)
class Refining(Naming):
    """What they said about how it revises programs."""

    rounds: Annotated[int, typer.Option(help="Rounds in which it refines the best.", min=1)] = 2
    token_limit: Annotated[
        int | None, typer.Option(help="The most tokens that it may read and write for a program.", show_default=False)
    ] = None

    def drafting(self, terms: int, seed: int, time_limit: float | None) -> Drafting:
        """The same, read."""
        from readhead.synthesis.ollama.run import Drafting  # noqa: PLC0415 - as above

        return Drafting(rounds=self.rounds, terms=terms, seed=seed, time_limit=time_limit, token_limit=self.token_limit)


@dataclass(frozen=True)
class Asking(Refining):
    """What they said about how it writes programs."""

    rounds: Annotated[int, typer.Option(help="Rounds in which it refines the best.", min=0)] = 2
    token_limit: Annotated[
        int | None, typer.Option(help="The most tokens that it may read and write in this run.", show_default=False)
    ] = None
    candidates: Annotated[int, typer.Option(help="Programs that the language model is asked for a head.", min=1)] = 5

    def drafting(self, terms: int, seed: int, time_limit: float | None) -> Drafting:
        """The same, read."""
        return replace(super().drafting(terms, seed, time_limit), count=self.candidates)


@dataclass(frozen=True)
class Replacing:
    """What the flags said about the heads to replace; None where a flag was not given."""

    fraction: Annotated[
        str | None, typer.Option(help="Share of all heads, the first of the order: 0.25, or 25%.", show_default=False)
    ] = None
    heads: Annotated[
        str | None,
        typer.Option(help="Heads in a list, with a file where not their best program is meant: L0H1,L2H3=FILE."),
    ] = None
    budget: Annotated[
        str | None, typer.Option(help="The most heads that cost no more perplexity (dev), such as 5%.", metavar="PCT")
    ] = None
    switchboard: Annotated[Path | None, typer.Option(help="A file that `replace --save` wrote.")] = None
    order: Annotated[str, typer.Option(help="Which heads first: iou, impact or greedy.")] = "iou"
    terms: Annotated[
        int | None,
        typer.Option(
            help="Write programs of so many terms for all heads first; by default the library's and the workspace's"
            " programs are used.",
            min=1,
            max=32,
        ),
    ] = None
    joint: Annotated[
        bool, typer.Option("--joint", help="First fit all programs' constants together to the model's output.")
    ] = False

    def selection(self, *, fraction: float | None = None) -> Selection:
        """The same, read; `fraction` is meant where no flag says which heads."""
        from readhead.surrogates.planner import Selection  # noqa: PLC0415 - `readhead --help` does not wait for numpy
        from readhead.surrogates.switchboard import Switchboard  # noqa: PLC0415 - as above

        heads, programs = _heads_and_programs(self.heads or "")
        said = bool(heads) or any(value is not None for value in (self.fraction, self.budget, self.switchboard))
        return Selection(
            fraction=fraction if not said else None if self.fraction is None else read_share(self.fraction),
            heads=heads,
            budget=None if self.budget is None else read_share(self.budget, percent=True),
            switchboard=None if self.switchboard is None else Switchboard.load(self.switchboard),
            programs=programs,
            order=self.order,  # type: ignore[arg-type]  # checked there
            terms=self.terms,
            joint=self.joint,
        )


def _heads_and_programs(listed: str) -> tuple[tuple[HeadId, ...], dict[HeadId, Program]]:
    """`L0H1,L2H3=FILE`, read."""
    from readhead.heads import HeadId  # noqa: PLC0415 - as above
    from readhead.program import read_program  # noqa: PLC0415 - as above

    pairs = [item.partition("=") for item in listed.split(",") if item.strip()]
    named = {HeadId.parse(head): file for head, _, file in pairs}
    if len(named) < len(pairs):
        raise UsageError(f"a head is named twice in {listed}", hint="name each head once")
    return tuple(named), {head: read_program(file) for head, file in named.items() if file}


def read_share(text: str, *, percent: bool = False) -> float:
    """`0.25` or `25%` as 0.25; with `percent`, `25` too."""
    number = text.strip()
    try:
        return float(number.removesuffix("%")) / (100 if percent or number.endswith("%") else 1)
    except ValueError as error:
        raise UsageError(f"{text!r} is no number", hint="write 0.25, or 25%") from error


def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`command(options, …)` as a function that typer can read: the flags of its first parameters follow its own.

    The first parameters are the ones whose annotations are dataclasses of this module.
    """
    hints = typing.get_type_hints(command, include_extras=True)
    parameters = list(inspect.signature(command).parameters.values())
    groups = [hints[parameter.name] for parameter in parameters if is_dataclass(hints[parameter.name])]
    own = [p.replace(annotation=hints[p.name]) for p in parameters[len(groups) :]]
    names = {parameter.name for parameter in own}
    shared = [
        parameter.replace(
            annotation=typing.get_type_hints(group, include_extras=True)[parameter.name],
            kind=inspect.Parameter.KEYWORD_ONLY,
        )
        for group in reversed(groups)
        for parameter in inspect.signature(group).parameters.values()
        if parameter.name not in names
    ]

    @functools.wraps(command)
    def call(**values: Any) -> Any:  # noqa: ANN401 - whatever the command takes and gives
        flags = {parameter.name: values.pop(parameter.name) for parameter in shared}
        filled = [group(**{name: flags[name] for name in _field_names(group) & flags.keys()}) for group in groups]
        return command(*filled, **values)

    keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    call.__signature__ = inspect.Signature([*keyword_only, *shared])  # type: ignore[attr-defined]  # inspect reads it
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
    del call.__wrapped__  # or inspect looks through
    return call


def _field_names(group: Any) -> set[str]:  # noqa: ANN401 - a dataclass
    return {item.name for item in fields(group)}

"""The flags that commands share: one dataclass, added to a command's signature by `with_options`."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from readhead.errors import UsageError

if TYPE_CHECKING:
    from readhead.session import Session
    from readhead.workspace import Settings, Workspace


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
    def session(self) -> Iterator[Session]:
        """The model on the corpus in the workspace, with progress on stderr."""
        from readhead.progress import progress  # noqa: PLC0415 - as above
        from readhead.session import Session  # noqa: PLC0415 - as above
        from readhead.workspace import Workspace  # noqa: PLC0415 - as above

        if self.workspace is not None and self.workspace.exists() and not self.workspace.is_dir():
            raise UsageError(f"{self.workspace} is not a folder", hint="name a folder for --workspace")
        with (
            Workspace.open(self.workspace) as workspace,
            progress() as report,
            Session.open(workspace, self.settings(workspace), report=report) as session,
        ):
            yield session


def _from_root(root: Path, location: str) -> str:
    """A relative path of `readhead.toml` is meant from the workspace's root."""
    inside = root / location.partition("#")[0]
    return str(root / location) if location != "bundled" and inside.exists() else location


def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`command(options, …)` as a function that typer can read: the shared flags follow the command's own."""
    hints = typing.get_type_hints(command, include_extras=True)
    own = [p.replace(annotation=hints[p.name]) for p in list(inspect.signature(command).parameters.values())[1:]]
    shared_hints = typing.get_type_hints(Options, include_extras=True)
    shared = [
        parameter.replace(annotation=shared_hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(Options).parameters.values()
        if parameter.name not in {p.name for p in own}
    ]

    @functools.wraps(command)
    def call(**values: Any) -> Any:  # noqa: ANN401 - whatever the command takes and gives
        flags = {parameter.name: values.pop(parameter.name) for parameter in shared}
        return command(Options(**flags), **values)

    keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    call.__signature__ = inspect.Signature([*keyword_only, *shared])  # type: ignore[attr-defined]  # inspect reads it
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
    del call.__wrapped__  # or inspect looks through
    return call

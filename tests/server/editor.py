"""A client of the language server over stdio: it keeps all that it is told, in order, and waits for what it wants."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types as lsp
from pytest_lsp import ClientServerConfig, LanguageClient, make_test_lsp_client

import readhead
import readhead_programs
import readhead_server

PATIENCE_S = 60.0
"""For what takes a second on an idle machine."""
_TOLD = tuple(
    f"readhead/{name}" for name in ("scored", "state", "progress", "busy", "error", "notice", "switches", "ranked")
)
_ASKED = (
    lsp.WORKSPACE_CODE_LENS_REFRESH,
    lsp.WORKSPACE_INLAY_HINT_REFRESH,
    lsp.WORKSPACE_DIAGNOSTIC_REFRESH,
    lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS,
    lsp.WINDOW_SHOW_MESSAGE,
    lsp.WINDOW_LOG_MESSAGE,
)
Found = TypeVar("Found")


def server_environment(**changes: str) -> dict[str, str]:
    """A process's environment in which this Readhead is found."""
    packages = (readhead, readhead_programs, readhead_server)
    roots = dict.fromkeys(str(Path(package.__file__ or "").parents[1]) for package in packages)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(roots), **changes}


def capabilities(*, pulls: bool, encodings: Sequence[str]) -> lsp.ClientCapabilities:
    """Of an editor that pulls diagnostics and can be told to ask again, or of one that gets pushes and refreshes."""
    agreed = [lsp.PositionEncodingKind(each) for each in encodings]
    return lsp.ClientCapabilities(
        general=lsp.GeneralClientCapabilities(position_encodings=agreed) if agreed else None,
        text_document=lsp.TextDocumentClientCapabilities(
            diagnostic=lsp.DiagnosticClientCapabilities() if pulls else None,
        ),
        workspace=lsp.WorkspaceClientCapabilities(
            code_lens=lsp.CodeLensWorkspaceClientCapabilities(refresh_support=True),
            inlay_hint=lsp.InlayHintWorkspaceClientCapabilities(refresh_support=True),
            diagnostics=lsp.DiagnosticWorkspaceClientCapabilities(refresh_support=True) if pulls else None,
        ),
    )


@dataclass(frozen=True)
class Heard:
    """One message of the server."""

    method: str
    params: Any
    at: float
    """By `time.monotonic`."""


class Editor:
    """One client with its own server process."""

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self.heard: list[Heard] = []
        self.versions: dict[str, int] = {}
        self.texts: dict[tuple[str, int], str] = {}
        """Every text that was sent, by document and version."""
        self._news = asyncio.Event()
        for method in _TOLD + _ASKED:
            # pytest-lsp has handlers of its own for some, which pygls does not let anyone replace
            client.protocol.fm.features.pop(method, None)
            client.feature(method)(self._listener(method))

    def _listener(self, method: str) -> Callable[[Any], None]:
        def listen(params: Any) -> None:
            self.heard.append(Heard(method, params, time.monotonic()))
            self._news.set()

        return listen

    @property
    def server_pid(self) -> int:
        """Of the server's process."""
        process = self.client._server
        assert process is not None
        return process.pid

    @property
    def busy(self) -> int:
        """Jobs of the engine, as it told last."""
        told = list(self.told("readhead/busy"))
        return int(told[-1].jobs) if told else 0

    # ---- documents ---------------------------------------------------------------------------------------------------

    def open(self, path: Path, text: str) -> str:
        """Open a document as version 1, whatever is on the disk; its URI."""
        uri = path.as_uri()
        self.versions[uri] = 1
        self.texts[uri, 1] = text
        item = lsp.TextDocumentItem(uri, "python", 1, text)
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        return uri

    def edit(self, uri: str, text: str) -> int:
        """Replace the text; its version."""
        self.versions[uri] += 1
        version = self.versions[uri]
        self.texts[uri, version] = text
        change = lsp.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(lsp.VersionedTextDocumentIdentifier(version=version, uri=uri), [change])
        )
        return version

    def save(self, uri: str) -> None:
        """Say that it was saved."""
        self.client.text_document_did_save(lsp.DidSaveTextDocumentParams(lsp.TextDocumentIdentifier(uri)))

    def close(self, uri: str) -> None:
        """Close it."""
        self.client.text_document_did_close(lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(uri)))

    # ---- what is asked for -------------------------------------------------------------------------------------------

    async def lenses(self, uri: str) -> list[str]:
        """Titles of the code lenses."""
        params = lsp.CodeLensParams(lsp.TextDocumentIdentifier(uri))
        found = await asyncio.wait_for(self.client.text_document_code_lens_async(params), PATIENCE_S)
        return [lens.command.title for lens in found or [] if lens.command is not None]

    async def hints(self, uri: str) -> list[lsp.InlayHint]:
        """Inlay hints of the whole document."""
        whole = lsp.Range(lsp.Position(0, 0), lsp.Position(999, 0))
        params = lsp.InlayHintParams(lsp.TextDocumentIdentifier(uri), whole)
        found = await asyncio.wait_for(self.client.text_document_inlay_hint_async(params), PATIENCE_S)
        return list(found or [])

    async def pull(self, uri: str, previous: str | None = None) -> Any:
        """A diagnostic report."""
        params = lsp.DocumentDiagnosticParams(lsp.TextDocumentIdentifier(uri), previous_result_id=previous)
        return await asyncio.wait_for(self.client.text_document_diagnostic_async(params), PATIENCE_S)

    async def command(self, name: str, *arguments: Any) -> Any:
        """Execute a command."""
        params = lsp.ExecuteCommandParams(name, list(arguments))
        return await asyncio.wait_for(self.client.workspace_execute_command_async(params), PATIENCE_S)

    # ---- what is told ------------------------------------------------------------------------------------------------

    def told(self, method: str, since: int = 0) -> Iterator[Any]:
        """Parameters of all messages of one kind, from place `since` of `heard` on."""
        return (message.params for message in self.heard[since:] if message.method == method)

    def published(self, uri: str, since: int = 0) -> list[lsp.PublishDiagnosticsParams]:
        """All pushes for a document."""
        pushed = self.told(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, since)
        return [params for params in pushed if params.uri == uri]

    def diagnostics(self, uri: str, source: str = "") -> list[lsp.Diagnostic]:
        """As pushed last, of one source or all."""
        pushed = self.published(uri)
        every = pushed[-1].diagnostics if pushed else []
        return [each for each in every if source in {"", each.source}]

    async def until(self, holds: Callable[[], Found], what: str, patience: float = PATIENCE_S) -> Found:
        """Wait for a message after which `holds()` is true, or something that counts as true."""
        deadline = time.monotonic() + patience
        while not (found := holds()):
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), max(0.01, deadline - time.monotonic()))
            except TimeoutError:
                last = "\n".join(f"{each.method}: {each.params}"[:300] for each in self.heard[-8:])
                raise AssertionError(f"not within {patience} s: {what}; last heard:\n{last}") from None
        return found

    async def until_lens(self, uri: str, wanted: Callable[[str], Any], what: str, patience: float = PATIENCE_S) -> str:
        """Wait until a lens is as wanted, asking again after every message; its title."""
        deadline = time.monotonic() + patience
        while True:
            self._news.clear()
            titles = await self.lenses(uri)
            for title in titles:
                if wanted(title):
                    return title
            try:
                await asyncio.wait_for(self._news.wait(), max(0.01, deadline - time.monotonic()))
            except TimeoutError:
                raise AssertionError(f"not within {patience} s: {what}; the lenses are {titles}") from None

    async def settled(self, uri: str) -> str:
        """Wait until the document as it is now is measured on all counts; its head's lens."""
        return await self.until_lens(
            uri, lambda title: " IoU " in title and "perplexity" in title and "stale" not in title, "a settled lens"
        )


def server_command() -> list[str]:
    """What an editor starts; many add the flag, ours do not."""
    return [sys.executable, "-m", "readhead", "lsp", "--stdio"]


@asynccontextmanager
async def editor(
    root: Path,
    *,
    pulls: bool = False,
    encodings: Sequence[str] = ("utf-16",),
    command: Sequence[str] = (),
    environment: dict[str, str] | None = None,
    kills: bool = False,
    **options: Any,
) -> AsyncIterator[Editor]:
    """A client that is initialized, until the block ends; with `kills` its server is not asked to leave, but ended."""
    config = ClientServerConfig(
        list(command) or server_command(),
        client_factory=make_test_lsp_client,
        server_env=environment or server_environment(),
    )
    client = await config.start()
    mine = Editor(client)
    try:
        await client.initialize_session(
            lsp.InitializeParams(
                capabilities=capabilities(pulls=pulls, encodings=encodings),
                root_uri=root.as_uri(),
                initialization_options=options,
            )
        )
        yield mine
        if not kills:
            await asyncio.wait_for(client.shutdown_session(), PATIENCE_S)
    finally:
        process = client._server
        if process is not None and process.returncode is None:
            process.kill()
        await client.stop()

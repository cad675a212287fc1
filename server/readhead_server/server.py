"""The server: wiring only. Documents in, annotations out; every feature is a function in a module of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import FeatureRequestError, JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from readhead import __version__
from readhead_server.annotations import Annotations
from readhead_server.convert import Units
from readhead_server.diagnostics import (
    RUN,
    SCORE,
    SYNTAX,
    DiagnosticStore,
    run_diagnostics,
    score_diagnostics,
    syntax_diagnostics,
)
from readhead_server.documents import Document, open_document
from readhead_server.hints import inlay_hints
from readhead_server.lenses import code_lenses
from readhead_server.options import ServerOptions
from readhead_server.project import Project

SCHEME = "readhead"


def can_pull(client: lsp.ClientCapabilities) -> bool:
    """Whether a client asks for diagnostics, and asks again when told to."""
    document, workspace = client.text_document, client.workspace
    asks = document is not None and document.diagnostic is not None
    return asks and workspace is not None and bool(workspace.diagnostics and workspace.diagnostics.refresh_support)


class _Protocol(LanguageServerProtocol):
    """Tells of virtual documents, which pygls 2.1 does not, and offers no diagnostics to whom they are pushed."""

    @lsp_method(lsp.INITIALIZE)
    def lsp_initialize(self, params: lsp.InitializeParams) -> Any:  # noqa: ANN401 - as in pygls
        result = yield from super().lsp_initialize(params)
        if result.capabilities.workspace is not None:
            result.capabilities.workspace.text_document_content = lsp.TextDocumentContentOptions(schemes=[SCHEME])
        if not can_pull(params.capabilities):
            result.capabilities.diagnostic_provider = None
        return result

    def _execute_handler(
        self,
        msg_id: Any,  # noqa: ANN401 - as in pygls
        handler: Callable[..., Any],
        callback: Callable[[Any], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """What came of a notification is dropped, which pygls 2.1.1 keeps for ever: a kilobyte for each key typed."""

        def done(future: Any) -> None:  # noqa: ANN401 - as in pygls
            self._request_futures.pop(msg_id, None)
            callback(future)

        super()._execute_handler(msg_id, handler, done, args, kwargs)

    def structure_message(self, data: dict[str, Any]) -> Any:  # noqa: ANN401 - as in pygls
        """Pygls 2.1 gives no answer to a request that it cannot read, for which a client waits for ever."""
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], None, error.to_response_error())
            raise


class ReadheadServer(LanguageServer):
    """Its state: options, projects by root, diagnostics."""

    def __init__(self) -> None:
        super().__init__("readhead", __version__, protocol_cls=_Protocol, max_workers=2)
        self.options = ServerOptions()
        self.projects: dict[Path, Project] = {}
        self.store = DiagnosticStore()
        self._refreshing: set[str] = set()
        self._pushed: dict[str, int] = {}
        self._snapshots: dict[str, tuple[Document, str]] = {}
        """By document, with the text that pygls has of it: parsed once for each version."""

    def report_server_error(self, error: Exception, source: Any) -> None:  # noqa: ANN401 - as in pygls
        """A mistake that nobody waits to hear of goes to the log; a pop-up is for what a user can mend."""
        if source is not FeatureRequestError:
            self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, f"{source.__name__}: {error}"))

    # ---- what the client can -----------------------------------------------------------------------------------------

    @property
    def pulls(self) -> bool:
        """Whether the client asks for diagnostics itself, and can be told to ask again: scores come later."""
        return can_pull(self.client_capabilities)

    @property
    def units(self) -> Units:
        """How it counts columns."""
        return Units(str(self.workspace.position_codec.encoding or "utf-16"))

    # ---- documents ---------------------------------------------------------------------------------------------------

    def snapshot(self, uri: str) -> Document | None:
        """The document as it is now; None for one that is none of ours, or not open."""
        if uri not in self.workspace.text_documents:
            return None
        text = self.workspace.text_documents[uri]
        last, of = self._snapshots.get(uri, (None, None))
        if last is not None and of is text.source and last.version == (text.version or 0):
            return last
        document = open_document(uri, text.version, text.source, self.units)
        if document is not None:
            self._snapshots[uri] = document, text.source
        return document

    def project_of(self, document: Document) -> Project:
        """Its workspace; the first document of one starts its engine."""
        if document.root not in self.projects:
            self.projects[document.root] = Project(document.root, self.publish, self.told, self.options)
        return self.projects[document.root]

    def known(self, uri: str) -> tuple[Document, Project, Annotations] | None:
        """A document that is open and ours, with what is known of it."""
        document = self.snapshot(uri)
        if document is None:
            return None
        project = self.project_of(document)
        return document, project, project.annotations.setdefault(uri, Annotations())

    def publish(self, document: Document, annotations: Annotations) -> None:
        """Something new is known: diagnostics are pushed or asked for, lenses and hints asked for again."""
        changed = [self.store.put(document, SYNTAX, syntax_diagnostics(document))]
        if document.findings:
            changed += [self.store.put(document, source, []) for source in (RUN, SCORE)]
        elif annotations.is_current(document):
            changed += [
                self.store.put(document, RUN, run_diagnostics(document, annotations)),
                self.store.put(document, SCORE, score_diagnostics(document, annotations, self.options)),
            ]
        else:
            changed += [self.store.age(document, source) for source in (RUN, SCORE)]
        if not self.pulls:
            if any(changed) or self._pushed.get(document.uri) != document.version:
                self.push(document)
        elif any(changed):
            self.refresh("diagnostic")
        self.refresh("lens")
        self.refresh("hint")
        self.protocol.notify(
            "readhead/scored", {"uri": document.uri, "version": document.version, "stamp": annotations.stamp}
        )

    def push(self, document: Document) -> None:
        """All diagnostics of a document, with its version."""
        self._pushed[document.uri] = document.version
        diagnostics = self.store.all(document.uri)
        self.text_document_publish_diagnostics(
            lsp.PublishDiagnosticsParams(uri=document.uri, version=document.version, diagnostics=diagnostics)
        )

    def refresh(self, what: str) -> None:
        """Have the client ask again, once for all that comes in one turn of the loop."""
        if what not in self._refreshing:
            self._refreshing.add(what)
            asyncio.get_running_loop().call_soon(self._refresh, what)

    def _refresh(self, what: str) -> None:
        self._refreshing.discard(what)
        workspace = self.client_capabilities.workspace
        if workspace is None:
            return
        if what == "lens" and workspace.code_lens and workspace.code_lens.refresh_support:
            self.workspace_code_lens_refresh(None)
        elif what == "hint" and workspace.inlay_hint and workspace.inlay_hint.refresh_support:
            self.workspace_inlay_hint_refresh(None)
        elif what == "diagnostic" and workspace.diagnostics and workspace.diagnostics.refresh_support:
            self.workspace_diagnostic_refresh(None)

    def told(self, project: Project, event: str, given: dict[str, Any]) -> None:
        """What a project says: the state of its engine, progress, mistakes."""
        self.protocol.notify(f"readhead/{event}", {"root": str(project.root), **given})
        if event == "state" and given.get("state") == "failed":
            error = given.get("error") or {}
            hint = f"\n{error['hint']}" if error.get("hint") else ""
            message = f"Readhead cannot open {project.root}: {error.get('message', '')}{hint}"
            self.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Error, message))
        elif event in {"error", "notice"}:
            self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, str(given.get("message"))))

    def forget(self, uri: str) -> None:
        """A document is closed: what was pushed of it is taken back."""
        self._pushed.pop(uri, None)
        self._snapshots.pop(uri, None)
        if self.store.drop(uri) and not self.pulls:
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri=uri, diagnostics=[]))

    async def end(self) -> None:
        """Let go of all engines."""
        await asyncio.gather(*(project.end() for project in self.projects.values()))
        self.projects.clear()


def initialize(ls: ReadheadServer, params: lsp.InitializeParams) -> None:
    """Take the client's options."""
    ls.options, problems = ls.options.updated(params.initialization_options or {})
    for problem in problems:
        ls.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, f"Readhead: {problem}"))


async def shutdown(ls: ReadheadServer, _: None) -> None:
    """Let go of all engines."""
    await ls.end()


def did_open(ls: ReadheadServer, params: lsp.DidOpenTextDocumentParams) -> None:
    """Annotate a document."""
    document = ls.snapshot(params.text_document.uri)
    if document is not None:
        ls.project_of(document).open(document)


def did_change(ls: ReadheadServer, params: lsp.DidChangeTextDocumentParams) -> None:
    """Tell findings, and mark the rest as stale."""
    document = ls.snapshot(params.text_document.uri)
    if document is not None:
        ls.project_of(document).change(document)


def did_save(ls: ReadheadServer, params: lsp.DidSaveTextDocumentParams) -> None:
    """Measure."""
    document = ls.snapshot(params.text_document.uri)
    if document is not None:
        ls.project_of(document).save(document)


def did_close(ls: ReadheadServer, params: lsp.DidCloseTextDocumentParams) -> None:
    """Forget."""
    uri = params.text_document.uri
    for project in ls.projects.values():
        project.close(uri)
    ls.forget(uri)


def pull_diagnostics(ls: ReadheadServer, params: lsp.DocumentDiagnosticParams) -> lsp.DocumentDiagnosticReport:
    """What is known is wrong now."""
    uri = params.text_document.uri
    result_id = ls.store.result_id(uri)
    if params.previous_result_id == result_id:
        return lsp.RelatedUnchangedDocumentDiagnosticReport(result_id=result_id)
    return lsp.RelatedFullDocumentDiagnosticReport(items=ls.store.all(uri), result_id=result_id)


def lenses(ls: ReadheadServer, params: lsp.CodeLensParams) -> list[lsp.CodeLens]:
    """Over `head`."""
    known = ls.known(params.text_document.uri)
    if known is None:
        return []
    document, project, annotations = known
    return code_lenses(document, annotations, project.engine.state, trusted=ls.options.trusted)


def hints(ls: ReadheadServer, params: lsp.InlayHintParams) -> list[lsp.InlayHint]:
    """Behind each term."""
    known = ls.known(params.text_document.uri)
    return [] if known is None else inlay_hints(known[0], known[2], params.range)


async def flip(ls: ReadheadServer, uri: str, head: str) -> None:
    """Put the document's program into the model, or the head back."""
    known = ls.known(uri)
    if known is not None:
        document, project, annotations = known
        source = None if annotations.board.get(head) == document.stamp else document.source
        await project.engine.call("flip", heads={head: source})


def score(ls: ReadheadServer, uri: str) -> None:
    """Measure a document now."""
    known = ls.known(uri)
    if known is not None:
        known[1].save(known[0])


def restart(ls: ReadheadServer, uri: str) -> None:
    """Start a document's engine again."""
    known = ls.known(uri)
    if known is not None:
        known[1].engine.restart()


FEATURES: dict[str, tuple[Callable[..., Any], Any]] = {
    lsp.INITIALIZE: (initialize, None),
    lsp.SHUTDOWN: (shutdown, None),
    lsp.TEXT_DOCUMENT_DID_OPEN: (did_open, None),
    lsp.TEXT_DOCUMENT_DID_CHANGE: (did_change, None),
    lsp.TEXT_DOCUMENT_DID_SAVE: (did_save, None),
    lsp.TEXT_DOCUMENT_DID_CLOSE: (did_close, None),
    lsp.TEXT_DOCUMENT_DIAGNOSTIC: (
        pull_diagnostics,
        lsp.DiagnosticOptions(inter_file_dependencies=False, workspace_diagnostics=False, identifier="readhead"),
    ),
    lsp.TEXT_DOCUMENT_CODE_LENS: (lenses, lsp.CodeLensOptions(resolve_provider=False)),
    lsp.TEXT_DOCUMENT_INLAY_HINT: (hints, None),
}
"""Handlers by method, with what is told of them at the start."""
COMMANDS: dict[str, Callable[..., Any]] = {
    "readhead.flip": flip,
    "readhead.score": score,
    "readhead.restart": restart,
}


def create_server() -> ReadheadServer:
    """A server with all its features."""
    server = ReadheadServer()
    for method, (handler, options) in FEATURES.items():
        server.feature(method, options)(handler)
    for name, command in COMMANDS.items():
        server.command(name)(command)
    return server


def serve(tcp: str | None = None) -> None:
    """Serve a client over stdio, or over a loopback port for debugging."""
    server = create_server()
    if tcp is not None:
        host, _, port = tcp.rpartition(":")
        server.start_tcp(host or "127.0.0.1", int(port))
        return
    # Nothing but the protocol may reach the client: whatever else writes to stdout goes to stderr.
    wire = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    server.start_io(stdout=wire)

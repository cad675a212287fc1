"""The server: wiring only. Documents in, annotations out; every feature is a function in a module of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from readhead import __version__
from readhead_server import hovers
from readhead_server.annotations import Annotations
from readhead_server.completions import SIGNATURE_TRIGGERS, TRIGGERS, completions, signature_help
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
from readhead_server.fixes import KINDS, code_actions, with_head
from readhead_server.hints import inlay_hints
from readhead_server.lenses import code_lenses
from readhead_server.options import ServerOptions
from readhead_server.project import Project
from readhead_server.small_edits import workspace_edit
from readhead_server.symbols import document_symbols, folding_ranges

SCHEME = "readhead"


class _Protocol(LanguageServerProtocol):
    """Tells of virtual documents, which pygls 2.1 does not."""

    @lsp_method(lsp.INITIALIZE)
    def lsp_initialize(self, params: lsp.InitializeParams) -> Any:  # noqa: ANN401 - as in pygls
        result = yield from super().lsp_initialize(params)
        if result.capabilities.workspace is not None:
            result.capabilities.workspace.text_document_content = lsp.TextDocumentContentOptions(schemes=[SCHEME])
        return result


class ReadheadServer(LanguageServer):
    """Its state: options, projects by root, diagnostics."""

    def __init__(self) -> None:
        super().__init__("readhead", __version__, protocol_cls=_Protocol, max_workers=2)
        self.options = ServerOptions()
        self.projects: dict[Path, Project] = {}
        self.store = DiagnosticStore()
        self._refreshing: set[str] = set()

    # ---- what the client can -----------------------------------------------------------------------------------------

    @property
    def pulls(self) -> bool:
        """Whether the client asks for diagnostics itself."""
        document = self.client_capabilities.text_document
        return document is not None and document.diagnostic is not None

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
        return open_document(uri, text.version, text.source, self.units)

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
        changed = [self.store.put(document.uri, SYNTAX, syntax_diagnostics(document))]
        if annotations.is_current(document) or document.findings:
            run = [] if document.findings else run_diagnostics(document, annotations)
            score = [] if document.findings else score_diagnostics(document, annotations, self.options)
            changed += [self.store.put(document.uri, RUN, run), self.store.put(document.uri, SCORE, score)]
        if not self.pulls:
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
    ls.store.drop(uri)
    ls.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri=uri, diagnostics=[]))


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


async def hover(ls: ReadheadServer, params: lsp.HoverParams) -> lsp.Hover | None:
    """On names of the language, and on heads."""
    known = ls.known(params.text_document.uri)
    if known is None:
        return None
    document, project, annotations = known
    return await hovers.hover(document, annotations, project.engine, params.position)


def complete(ls: ReadheadServer, params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
    """The vocabulary, and what the metadata may hold."""
    known = ls.known(params.text_document.uri)
    if known is None:
        return []
    text = ls.client_capabilities.text_document
    able = text.completion.completion_item if text and text.completion else None
    snippets = bool(able and able.snippet_support)
    return completions(known[0], params.position, known[1].engine.facts, snippets=snippets)


def signatures(ls: ReadheadServer, params: lsp.SignatureHelpParams) -> lsp.SignatureHelp | None:
    """Inside the parentheses of a name of the language."""
    document = ls.snapshot(params.text_document.uri)
    return None if document is None else signature_help(document, params.position)


def symbols(ls: ReadheadServer, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
    """For an outline."""
    document = ls.snapshot(params.text_document.uri)
    return [] if document is None else document_symbols(document)


def folds(ls: ReadheadServer, params: lsp.FoldingRangeParams) -> list[lsp.FoldingRange]:
    """What can be folded."""
    document = ls.snapshot(params.text_document.uri)
    return [] if document is None else folding_ranges(document)


def actions(ls: ReadheadServer, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    """What can be done at a place."""
    known = ls.known(params.text_document.uri)
    if known is None:
        return []
    document, _, annotations = known
    return code_actions(document, annotations, ls.options, params.range, params.context.only)


async def set_best(ls: ReadheadServer, uri: str, head: str) -> None:
    """Add a head that a document's program explains to its metadata."""
    document = ls.snapshot(uri)
    source = None if document is None else with_head(document, head)
    if document is not None and source is not None:
        edit = workspace_edit(document, source)
        await ls.workspace_apply_edit_async(lsp.ApplyWorkspaceEditParams(edit, label=f"Explain {head} too"))


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
    lsp.TEXT_DOCUMENT_HOVER: (hover, None),
    lsp.TEXT_DOCUMENT_COMPLETION: (complete, lsp.CompletionOptions(trigger_characters=TRIGGERS)),
    lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL: (symbols, None),
    lsp.TEXT_DOCUMENT_FOLDING_RANGE: (folds, None),
    lsp.TEXT_DOCUMENT_CODE_ACTION: (actions, lsp.CodeActionOptions(code_action_kinds=KINDS)),
    lsp.TEXT_DOCUMENT_SIGNATURE_HELP: (
        signatures,
        lsp.SignatureHelpOptions(trigger_characters=SIGNATURE_TRIGGERS),
    ),
}
"""Handlers by method, with what is told of them at the start."""
COMMANDS: dict[str, Callable[..., Any]] = {
    "readhead.flip": flip,
    "readhead.score": score,
    "readhead.restart": restart,
    "readhead.setBest": set_best,
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

"""The server: wiring only. Documents in, annotations out; every feature is a function in a module of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lsprotocol import types as lsp
from pygls.exceptions import FeatureRequestError, JsonRpcException, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method
from pygls.uris import to_fs_path

from readhead import __version__
from readhead.errors import UsageError
from readhead_server import configuration, fixes, hovers, long_actions, views
from readhead_server.annotations import Annotations
from readhead_server.completions import SIGNATURE_TRIGGERS, TRIGGERS, completions, signature_help
from readhead_server.configuration import configured
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
from readhead_server.documents import Document, open_document, root_at
from readhead_server.failures import Pages, Place, shows_pages
from readhead_server.hints import inlay_hints
from readhead_server.lenses import IN_WORDS, code_lenses
from readhead_server.offers import offer
from readhead_server.options import ServerOptions
from readhead_server.project import Project
from readhead_server.symbols import document_symbols, folding_ranges
from readhead_server.watched import files_changed
from readhead_server.working import Working, forward, open_program, tell, trusts, work

SCHEME = "readhead"
_PORTS = 65535


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

    @lsp_method(lsp.SHUTDOWN)
    def lsp_shutdown(self, *args: Any) -> Any:  # noqa: ANN401 - as in pygls
        """As in pygls, which fails (2.1.1) where a command is still on its way: cancelling it changes what it walks."""
        for number, future in list(self._request_futures.items()):
            if number != self.msg_id and not future.done():
                future.cancel()
        yield from super().lsp_shutdown(*args)

    def _execute_handler(
        self,
        msg_id: str | int,
        handler: Callable[..., Any],
        callback: Callable[..., Any],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """As in pygls, but for two things that 2.1.1 does not do.

        What came of a notification is dropped: it is kept for ever there, a kilobyte for each key typed. Cancelling the
        request of a command ends the command, where pygls answers and lets it go on.
        """

        def done(future: Any) -> None:  # noqa: ANN401 - as in pygls
            self._request_futures.pop(msg_id, None)
            callback(future)

        super()._execute_handler(msg_id, handler, done, args, kwargs)
        outer = getattr(callback, "keywords", {}).get("result_future")
        inner = self._request_futures.get(msg_id)
        if outer is not None and inner is not None:
            outer.add_done_callback(lambda ended: inner.cancel() if ended.cancelled() else None)

    def _handle_cancel_notification(self, msg_id: str | int) -> None:
        """An answer and the wish to cancel it may cross: pygls warns of that, which clients show as an error."""
        if msg_id in self._request_futures:
            super()._handle_cancel_notification(msg_id)

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
        self.given = self.options
        """What the client gave at the start."""
        self.settings: Any = {}
        self._problems: set[str] = set()
        self.projects: dict[Path, Project] = {}
        self.store = DiagnosticStore()
        self.pages = Pages()
        self.works: list[Working] = []
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
        text = self.workspace.text_documents.get(unquote(uri))  # pygls keeps them by that
        if text is None:
            return None
        last, of = self._snapshots.get(uri, (None, None))
        if last is not None and of is text.source and last.version == (text.version or 0):
            return last
        document = open_document(uri, text.version, text.source, self.units)
        if document is not None:
            self._snapshots[uri] = document, text.source
        return document

    def open_at(self, path: Path) -> Document | None:
        """The open document of a program file."""
        opened = [text.uri for text in self.workspace.text_documents.values() if text.path == str(path)]
        return self.snapshot(opened[0]) if opened else None

    def document_at(self, path: Path) -> Document | None:
        """The document of a program file: as it is open, or else as it is on disk."""
        found = self.open_at(path)
        if found is not None:
            return found
        try:
            return open_document(path.as_uri(), None, path.read_text("utf-8"), self.units)
        except (OSError, ValueError):
            return None

    def project_of(self, document: Document) -> Project:
        """Its workspace; the first document of one starts its engine."""
        return self._project(document.root)

    def _project(self, root: Path) -> Project:
        if root not in self.projects:
            self.projects[root] = Project(root, self.publish, self.told, self.options)
        return self.projects[root]

    def project_at(self, uri: str) -> Project | None:
        """The workspace of an open program, or of any path in one; its engine starts, whether a program is open or not.

        Views of a whole model need no open program.
        """
        known = self.known(uri)
        if known is not None:
            return known[1]
        root = root_at(uri)
        return None if root is None else self._project(root)

    def known(self, uri: str) -> tuple[Document, Project, Annotations] | None:
        """A document that is open and ours, with what is known of it."""
        document = self.snapshot(uri)
        if document is None:
            return None
        project = self.project_of(document)
        return document, project, project.annotations.setdefault(uri, Annotations())

    def configure(self, settings: Any) -> None:  # noqa: ANN401 - JSON
        """Take the client's settings, now or later; what is wrong with them is told once."""
        self.settings = settings
        options, problems = configured(self.given, settings)
        for problem in problems:
            if problem not in self._problems:
                self._problems.add(problem)
                self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Warning, f"Readhead: {problem}"))
        if options != self.options:
            self.options = options
            for project in self.projects.values():
                project.configure(options)

    def reconsider(self) -> None:
        """See anew to which workspaces the open files belong, if to any."""
        for uri in [text.uri for text in self.workspace.text_documents.values()]:
            document = self.snapshot(uri)
            for root, project in self.projects.items():
                if uri in project.documents and (document is None or document.root != root):
                    project.close(uri)
                    self.forget(uri)
            if document is not None and uri not in self.project_of(document).documents:
                self.project_of(document).open(document)

    def within(self, folder: str) -> list[Path]:
        """The roots of the workspaces in a folder."""
        whole = Path(folder).resolve()
        return [root for root in self.projects if root.is_relative_to(whole)]

    async def leave(self, folder: str) -> None:
        """Let go of the workspaces in a folder."""
        for root in self.within(folder):
            project = self.projects.pop(root)
            for uri in list(project.documents):
                project.close(uri)
                self.forget(uri)
            await project.end()

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
        for uri in self.pages.outdated(document, annotations):
            self.refresh(uri)
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
        elif Place.read(what) is not None and workspace.text_document_content:
            self.workspace_text_document_content_refresh(lsp.TextDocumentContentRefreshParams(what))

    def told(self, project: Project, event: str, given: dict[str, Any]) -> None:
        """What a project says: the state of its engine, progress, mistakes."""
        self.protocol.notify(f"readhead/{event}", {"root": str(project.root), **given})
        if event == "progress":
            forward(self, project, given)
        if event == "state" and given.get("state") == "failed":
            error = given.get("error") or {}
            hint = f"\n{error['hint']}" if error.get("hint") else ""
            message = f"Readhead cannot open {project.root}: {error.get('message', '')}{hint}"
            self.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Error, message))
        elif event in {"error", "notice"}:
            self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, str(given.get("message"))))

    def close(self, uri: str) -> None:
        """Let go of a document, if it is ours."""
        for project in self.projects.values():
            project.close(uri)
        self.forget(uri)

    def forget(self, uri: str) -> None:
        """A document is closed, or ours no more: what was told of it is taken back."""
        self._pushed.pop(uri, None)
        self._snapshots.pop(uri, None)
        if self.store.drop(uri):
            if self.pulls:
                self.refresh("diagnostic")
            else:
                self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri=uri, diagnostics=[]))

    async def end(self) -> None:
        """Let go of all engines."""
        await asyncio.gather(*(project.end() for project in self.projects.values()))
        self.projects.clear()


def initialize(ls: ReadheadServer, params: lsp.InitializeParams) -> None:
    """Take the client's options."""
    ls.options, problems = ls.options.updated(params.initialization_options or {})
    ls.given = ls.options
    for problem in problems:
        ls.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, f"Readhead: {problem}"))


async def initialized(ls: ReadheadServer, _: lsp.InitializedParams) -> None:
    """Ask for the client's settings, and to be told of changes."""
    await configuration.begin(ls)


async def did_change_configuration(ls: ReadheadServer, params: lsp.DidChangeConfigurationParams) -> None:
    """Take the client's settings."""
    await configuration.pull(ls, params.settings)


def did_change_trust(ls: ReadheadServer, params: Any) -> None:  # noqa: ANN401 - `{"trusted": true}`
    """Take the client's word."""
    ls.given = replace(ls.given, trusted=getattr(params, "trusted", None) is True)
    ls.configure(ls.settings)


def did_change_watched_files(ls: ReadheadServer, params: lsp.DidChangeWatchedFilesParams) -> None:
    """Start again, measure again or rank again what depends on them."""
    files_changed(ls, params.changes)


async def did_change_folders(ls: ReadheadServer, params: lsp.DidChangeWorkspaceFoldersParams) -> None:
    """Let go of what was taken away; look at what came."""
    for folder in params.event.removed:
        await ls.leave(to_fs_path(folder.uri) or folder.uri)
    if params.event.added:
        ls.reconsider()


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
    else:  # without its metadata, it may be none of ours any more
        ls.close(params.text_document.uri)


def did_save(ls: ReadheadServer, params: lsp.DidSaveTextDocumentParams) -> None:
    """Measure."""
    document = ls.snapshot(params.text_document.uri)
    if document is not None:
        ls.project_of(document).save(document)


def did_close(ls: ReadheadServer, params: lsp.DidCloseTextDocumentParams) -> None:
    """Forget."""
    ls.close(params.text_document.uri)


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


async def heads(ls: ReadheadServer, params: Any) -> views.HeadsResult:  # noqa: ANN401 - see `views`
    """All heads' cards."""
    return await views.heads(_asked(ls, views.read(views.WorkspaceParams, params).uri))


async def pattern(ls: ReadheadServer, params: Any) -> views.PatternResult:  # noqa: ANN401 - as above
    """A head's pattern beside a prediction."""
    wanted = views.read(views.PatternParams, params)
    known = ls.known(wanted.uri)
    return await views.pattern(_asked(ls, wanted.uri), wanted, None if known is None else known[0])


async def worst(ls: ReadheadServer, params: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as above
    """The `dev` texts from the one on that a program fails on most."""
    wanted = views.read(views.WorstParams, params)
    known = ls.known(wanted.uri)
    return await views.worst(_asked(ls, wanted.uri), wanted, None if known is None else known[0])


async def perplexity(ls: ReadheadServer, params: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """What the workspace's switchboard does to the perplexity."""
    return await views.perplexity(_asked(ls, views.read(views.WorkspaceParams, params).uri))


def document(ls: ReadheadServer, params: Any) -> views.DocumentResult | None:  # noqa: ANN401 - as above
    """What is known of an open program; None for a file that is none of ours."""
    known = ls.known(views.read(views.WorkspaceParams, params).uri)
    return None if known is None else views.document(known[0], known[2])


def _asked(ls: ReadheadServer, uri: str) -> Project:
    project = ls.project_at(uri)
    if project is None:
        raise JsonRpcInvalidParams(f"{uri} is in no workspace: no readhead.toml is found upwards from it")
    return project


async def failures(ls: ReadheadServer, params: lsp.TextDocumentContentParams) -> lsp.TextDocumentContentResult:
    """A page of where a program fails."""
    return lsp.TextDocumentContentResult(await ls.pages.content(ls, params.uri))


async def failures_text(ls: ReadheadServer, *given: Any) -> str:  # noqa: ANN401 - `uri, head[, number of the dev text]`
    """The same, for a client without virtual documents."""
    uri, head, *rest = given
    sequence = rest[0] if rest else None
    return await ls.pages.content(ls, Place(Path(to_fs_path(uri) or ""), head, sequence).uri)


async def compare(ls: ReadheadServer, uri: str, head: str) -> str | None:
    """Open the page of a document's worst text; its text where the client cannot."""
    page = Place(Path(to_fs_path(uri) or ""), head).uri
    if not shows_pages(ls.client_capabilities):
        return await ls.pages.content(ls, page)
    await ls.window_show_document_async(lsp.ShowDocumentParams(page, take_focus=True))
    return None


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


async def set_best(ls: ReadheadServer, uri: str, head: str) -> None:
    """Add a head that a document's program explains to its metadata."""
    known = open_program(ls, uri)
    if known is not None and (source := fixes.with_head(known[0], head)) is not None:
        await offer(ls, known[0], source, f"Explain {head} too")


async def flip(ls: ReadheadServer, uri: str, head: str) -> None:
    """Put the document's program into the model, or the head back."""
    known = open_program(ls, uri)
    if known is not None:
        document, project, annotations = known
        source = None if annotations.board.get(head) == document.stamp else document.source
        await work(ls, f"Flip {head}", project, lambda _: project.ask("flip", heads={head: source}))


async def flip_best(ls: ReadheadServer, uri: str, head: str) -> None:
    """Put a head's best program into the model, or the head back; `uri` is anything of the workspace."""
    project = ls.project_at(uri)
    if project is not None:
        await work(ls, f"Flip {head}", project, lambda _: views.flip_best(project, head))


def code_actions(ls: ReadheadServer, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    """What can be done at a place."""
    known = ls.known(params.text_document.uri)
    if known is None:
        return []
    document, _, annotations = known
    quick = fixes.code_actions(document, annotations, ls.options, params.range, params.context.only)
    if not ls.options.trusted:
        return quick
    return [*quick, *long_actions.code_actions(document, params.range, params.context.only)]


async def fit(ls: ReadheadServer, *given: Any) -> long_actions.Outcome | None:  # noqa: ANN401 - `uri[, position]`
    """Fit all constants, or the one at a position."""
    uri, position = (*given, None)[:2]
    return await long_actions.fit(ls, uri, None if position is None else _position(position))


def why(ls: ReadheadServer, uri: str) -> None:
    """Say why a document has no scores."""
    known = open_program(ls, uri)
    if known is not None and trusts(ls):
        document, project, _ = known
        words = str(document.findings[0]) if document.findings else IN_WORDS[project.engine.state]
        tell(ls, f"{document.path.name}: {words}", kind=lsp.MessageType.Info)


def explain_trust(ls: ReadheadServer) -> None:
    """Say why nothing runs."""
    trusts(ls)


def _position(given: Any) -> lsp.Position:  # noqa: ANN401 - `{"line": 0, "character": 0}`
    try:
        return lsp.Position(given["line"], given["character"])
    except (KeyError, TypeError, ValueError) as error:
        raise JsonRpcInvalidParams(f"{given!r} is no position") from error


async def front(ls: ReadheadServer, uri: str, head: str) -> list[dict[str, Any]] | None:
    """The programs for a head by size, as a preview."""
    return await long_actions.front(ls, uri, head)


async def pick(ls: ReadheadServer, *given: Any) -> long_actions.Outcome | None:  # noqa: ANN401 - `uri, head[, terms]`
    """Put one of them into the document."""
    uri, head, terms = (*given, None)[:3]
    return await long_actions.pick(ls, uri, head, terms)


async def refine(ls: ReadheadServer, uri: str, head: str) -> long_actions.Outcome | None:
    """Ask the language model for a closer program."""
    return await long_actions.refine(ls, uri, head)


async def record(ls: ReadheadServer, uri: str) -> long_actions.Outcome | None:
    """Write the scores into the metadata."""
    return await long_actions.record(ls, uri)


async def create(ls: ReadheadServer, uri: str, head: str) -> long_actions.Outcome | None:
    """A new file with the best symbolic program for a head."""
    return await long_actions.create(ls, uri, head)


def score(ls: ReadheadServer, uri: str) -> None:
    """Measure a document now."""
    known = open_program(ls, uri)
    if known is not None and trusts(ls):
        known[1].save(known[0])


def restart(ls: ReadheadServer, uri: str) -> None:
    """Start a workspace's engine again; `uri` is anything of it."""
    project = ls.project_at(uri)
    if project is not None and trusts(ls):
        project.restart()


FEATURES: dict[str, tuple[Callable[..., Any], Any]] = {
    lsp.INITIALIZE: (initialize, None),
    lsp.INITIALIZED: (initialized, None),
    lsp.SHUTDOWN: (shutdown, None),
    lsp.WORKSPACE_DID_CHANGE_CONFIGURATION: (did_change_configuration, None),
    lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES: (did_change_watched_files, None),
    lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: (did_change_folders, None),
    configuration.TRUSTED: (did_change_trust, None),
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
    lsp.WORKSPACE_TEXT_DOCUMENT_CONTENT: (failures, None),
    views.HEADS: (heads, None),
    views.PATTERN: (pattern, None),
    views.WORST: (worst, None),
    views.PERPLEXITY: (perplexity, None),
    views.DOCUMENT: (document, None),
    lsp.TEXT_DOCUMENT_HOVER: (hover, None),
    lsp.TEXT_DOCUMENT_COMPLETION: (complete, lsp.CompletionOptions(trigger_characters=TRIGGERS)),
    lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL: (symbols, None),
    lsp.TEXT_DOCUMENT_FOLDING_RANGE: (folds, None),
    lsp.TEXT_DOCUMENT_CODE_ACTION: (
        code_actions,
        lsp.CodeActionOptions(code_action_kinds=[*fixes.KINDS, long_actions.REWRITE]),
    ),
    lsp.TEXT_DOCUMENT_SIGNATURE_HELP: (
        signatures,
        lsp.SignatureHelpOptions(trigger_characters=SIGNATURE_TRIGGERS),
    ),
}
"""Handlers by method, with what is told of them at the start."""
COMMANDS: dict[str, Callable[..., Any]] = {
    "readhead.explainTrust": explain_trust,
    "readhead.why": why,
    "readhead.flip": flip,
    "readhead.flipBest": flip_best,
    "readhead.score": score,
    "readhead.restart": restart,
    "readhead.compare": compare,
    "readhead.failures": failures_text,
    "readhead.front": front,
    long_actions.FIT: fit,
    long_actions.PICK: pick,
    long_actions.REFINE: refine,
    long_actions.RECORD: record,
    long_actions.CREATE: create,
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


def loopback(address: str) -> tuple[str, int]:
    """`HOST:PORT` on this machine; whoever can reach it can have programs run.

    Raises:
        UsageError: if it is none.
    """
    host, _, port = address.rpartition(":")
    if host not in {"", "localhost", "127.0.0.1", "[::1]"} or not port.isdecimal() or int(port) > _PORTS:
        raise UsageError(f"{address!r} is no port of this machine", hint="write --tcp 127.0.0.1:2087")
    return host.strip("[]") or "127.0.0.1", int(port)


def serve(tcp: str | None = None) -> None:
    """Serve a client over stdio, or over a loopback port for debugging.

    Raises:
        UsageError: for an address that is none, is taken, or is not of this machine alone.
    """
    address = None if tcp is None else loopback(tcp)
    server = create_server()
    if address is not None:
        try:
            server.start_tcp(*address)
        except OSError as error:
            raise UsageError(f"{tcp} cannot be served: {error.strerror}", hint="name another port") from error
        return
    # Nothing but the protocol may reach the client: whatever else writes to stdout goes to stderr.
    wire = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    server.start_io(stdout=wire)

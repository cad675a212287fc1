"""The server's handlers find the document, ask the engine, and answer with what the features make of it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lsprotocol import types as lsp

from readhead_server import server
from readhead_server.annotations import Annotations
from readhead_server.documents import Document
from readhead_server.options import ServerOptions
from readhead_server.server import COMMANDS, FEATURES, ReadheadServer
from server.documents_in_tests import PROGRAM, annotated, applied, card, document, in_head, pointed, scored
from server.engine_in_tests import FakeEngine


@dataclass
class FakeServer:
    """A server with one document, or none of ours."""

    document: Document | None
    annotations: Annotations = field(default_factory=Annotations)
    engine: FakeEngine = field(default_factory=FakeEngine)
    snippets: bool = True
    options: ServerOptions = field(default_factory=ServerOptions)
    applied: list[lsp.ApplyWorkspaceEditParams] = field(default_factory=list)

    @property
    def client_capabilities(self) -> lsp.ClientCapabilities:
        item = lsp.ClientCompletionItemOptions(snippet_support=self.snippets)
        completion = lsp.CompletionClientCapabilities(completion_item=item)
        edits = lsp.WorkspaceEditClientCapabilities(document_changes=True)
        return lsp.ClientCapabilities(
            text_document=lsp.TextDocumentClientCapabilities(completion=completion),
            workspace=lsp.WorkspaceClientCapabilities(apply_edit=True, workspace_edit=edits),
        )

    def snapshot(self, _uri: str) -> Document | None:
        return self.document

    def known(self, _uri: str) -> tuple[Document, Any, Annotations] | None:
        project = SimpleNamespace(engine=self.engine)
        return None if self.document is None else (self.document, project, self.annotations)

    async def workspace_apply_edit_async(self, params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
        self.applied.append(params)
        return lsp.ApplyWorkspaceEditResult(applied=True)


def asked(fake: FakeServer, method: str, **params: Any) -> Any:
    """What the handler of a method answers."""
    handler = FEATURES[method][0]
    wanted = {"text_document": lsp.TextDocumentIdentifier("file:///x.py")} | params
    answer = handler(cast("ReadheadServer", fake), SimpleNamespace(**wanted))
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


def at(marked: str, **changes: Any) -> tuple[FakeServer, lsp.Position]:
    opened, position = pointed(marked)
    return FakeServer(opened, **changes), position


def test_a_hover_on_the_docstring_asks_for_cards() -> None:
    fake, position = at(PROGRAM.replace("last comma", "last‸ comma"), engine=FakeEngine(cards=[asdict(card())]))
    found = asked(fake, lsp.TEXT_DOCUMENT_HOVER, position=position)
    assert "the floor is first token" in found.contents.value
    assert fake.engine.calls == [("cards", {})]


def test_completion_knows_the_models_heads_and_whether_the_client_knows_snippets() -> None:
    fake, position = at(PROGRAM.replace('["L1H3"]', '["‸"]'))
    assert len(asked(fake, lsp.TEXT_DOCUMENT_COMPLETION, position=position)) == 8
    for snippets, text in ((True, "previous(${1:1})"), (False, "previous")):
        fake, position = at(in_head("return s.prev‸"), snippets=snippets)
        items = asked(fake, lsp.TEXT_DOCUMENT_COMPLETION, position=position)
        (edit,) = (item.text_edit for item in items if item.label == "previous(k)")
        assert edit.new_text == text


def test_signatures_symbols_and_folds_answer_for_a_document() -> None:
    fake, position = at(in_head("return s.decay(‸)"))
    assert asked(fake, lsp.TEXT_DOCUMENT_SIGNATURE_HELP, position=position).signatures[0].label.startswith("s.decay")
    assert [each.name for each in asked(fake, lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)] == ["head"]
    assert len(asked(fake, lsp.TEXT_DOCUMENT_FOLDING_RANGE)) == 1


def test_actions_are_those_of_the_range_and_kind() -> None:
    fake = FakeServer(document(in_head("return s.fist")))
    assert fake.document is not None
    for only, count in ((None, 1), (["quickfix"], 1), (["refactor"], 0)):
        context = lsp.CodeActionContext(diagnostics=[], only=only)
        found = asked(fake, lsp.TEXT_DOCUMENT_CODE_ACTION, range=fake.document.lines.whole(), context=context)
        assert len(found) == count


def test_the_best_other_heads_lens_adds_it_to_the_metadata_of_this_version() -> None:
    opened = document()
    fake = FakeServer(opened, annotated(opened, scored(opened)))
    asyncio.run(server.set_best(cast("ReadheadServer", fake), opened.uri, "L0H2"))
    (params,) = fake.applied
    assert params.edit.document_changes is not None
    (change,) = params.edit.document_changes
    assert isinstance(change, lsp.TextDocumentEdit)
    assert (change.text_document.uri, change.text_document.version) == (opened.uri, opened.version)
    edits = [edit for edit in change.edits if isinstance(edit, lsp.TextEdit)]
    assert document(applied(opened.source, edits)).heads == ["L1H3", "L0H2"]
    for head in ("L1H3", "nonsense"):  # nothing to add
        asyncio.run(server.set_best(cast("ReadheadServer", fake), opened.uri, head))
    assert len(fake.applied) == 1


@pytest.mark.parametrize(
    "method",
    [lsp.TEXT_DOCUMENT_HOVER, lsp.TEXT_DOCUMENT_COMPLETION, lsp.TEXT_DOCUMENT_SIGNATURE_HELP,
     lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL, lsp.TEXT_DOCUMENT_FOLDING_RANGE, lsp.TEXT_DOCUMENT_CODE_ACTION],
)  # fmt: skip
def test_a_document_that_is_none_of_ours_gets_nothing(method: str) -> None:
    place = lsp.Position(0, 0)
    context = lsp.CodeActionContext(diagnostics=[])
    answer = asked(FakeServer(None), method, position=place, range=lsp.Range(place, place), context=context)
    assert answer in (None, [])


def test_the_command_of_every_lens_of_ours_is_there() -> None:
    assert {"readhead.setBest", "readhead.flip", "readhead.score", "readhead.restart"} <= set(COMMANDS)

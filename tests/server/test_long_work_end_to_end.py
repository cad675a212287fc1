"""Over stdio, with a real engine and a tiny model: long work, pages and rankings reach the editor."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

import readhead_server
from core.conftest import corpus_file, documents, environment, model_folder, tiny_gpt2
from readhead.program import parse
from server.wire import PROGRAM

__all__ = ["corpus_file", "documents", "model_folder", "tiny_gpt2"]  # fixtures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="the engine listens on a Unix socket"),
]

CAPABILITIES = lsp.ClientCapabilities(
    window=lsp.WindowClientCapabilities(work_done_progress=True),
    workspace=lsp.WorkspaceClientCapabilities(
        apply_edit=True,
        workspace_edit=lsp.WorkspaceEditClientCapabilities(
            document_changes=True, resource_operations=[lsp.ResourceOperationKind.Create]
        ),
    ),
)


def surroundings() -> dict[str, str]:
    """A process's environment in which the server is found, too."""
    found = environment()
    server = str(Path(readhead_server.__file__ or "").parents[1])
    return {**found, "PYTHONPATH": os.pathsep.join([found["PYTHONPATH"], server])}


Heard = list[tuple[str, Any]]


@pytest.fixture
def program(tmp_path: Path, model_folder: Path, corpus_file: Path) -> Path:
    settings = {"model": str(model_folder), "corpus": str(corpus_file), "fit": 4, "dev": 2, "held_out": 2, "length": 16}
    lines = (f"{key} = {json.dumps(value)}" for key, value in settings.items())
    (tmp_path / "readhead.toml").write_text("\n".join(lines), "utf-8")
    (tmp_path / "programs").mkdir()
    path = tmp_path / "programs" / "near.py"
    path.write_text(PROGRAM, "utf-8")
    return path


def served(path: Path, work: Callable[[LanguageClient, str, Heard], Awaitable[None]]) -> Heard:
    """Run `work(client, uri of the open program, what is heard)` with a server in a process of its own."""
    heard: Heard = []

    async def run() -> None:
        client = LanguageClient("tests", "1")
        for method in ("window/showMessage", "window/logMessage", "textDocument/publishDiagnostics", "$/progress",
                       "readhead/state", "readhead/scored", "readhead/progress", "readhead/busy"):  # fmt: skip
            client.feature(method)(lambda params, method=method: heard.append((method, params)))
        client.feature("window/workDoneProgress/create")(lambda params: heard.append(("create", params)))

        @client.feature("workspace/applyEdit")
        def apply(params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
            heard.append(("workspace/applyEdit", params))
            return lsp.ApplyWorkspaceEditResult(applied=True)

        await client.start_io(sys.executable, "-m", "readhead", "lsp", env=surroundings())
        await client.initialize_async(lsp.InitializeParams(CAPABILITIES, root_uri=path.parents[1].as_uri()))
        client.initialized(lsp.InitializedParams())
        item = lsp.TextDocumentItem(path.as_uri(), "python", 1, PROGRAM)
        client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        try:
            await asyncio.wait_for(work(client, path.as_uri(), heard), 90)
        finally:
            await client.shutdown_async(None)
            client.exit(None)
            await client.stop()

    asyncio.run(run())
    return heard


async def command(client: LanguageClient, name: str, *arguments: Any) -> Any:
    params = lsp.ExecuteCommandParams(name, list(arguments))
    return await client.workspace_execute_command_async(params)


def test_pages_patterns_records_and_new_programs_come_from_the_engine(program: Path) -> None:
    async def work(client: LanguageClient, uri: str, heard: Heard) -> None:
        page = await command(client, "readhead.compare", uri, "L0H1")
        assert "near.py on L0H1: dev text" in page
        assert "neural " in page
        shown = await client.protocol.send_request_async(
            "readhead/pattern", {"uri": uri, "head": "L0H1", "text": "Tom saw the dog."}
        )
        assert len(shown.tokens) == len(shown.pattern) == len(shown.prediction)
        cards = await client.protocol.send_request_async("readhead/heads", {"uri": uri})
        assert [card.head for card in cards.cards] == ["L0H0", "L0H1", "L1H0", "L1H1"]
        recorded = await command(client, "readhead.record", uri)
        assert parse(recorded["source"]).metadata.recorded["scores"]["L0H1"]["iou"] > 0
        made = await command(client, "readhead.create", uri, "L1H0")
        assert made["applied"] is True
        assert made["path"].endswith("/programs/L1H0.py")
        assert [str(head) for head in parse(made["source"]).metadata.heads] == ["L1H0"]
        assert await command(client, "readhead.create", uri, "L9H9") is None
        messages = [params.message for method, params in heard if method == "window/showMessage"]
        assert any("no head L9H9" in message for message in messages)

    heard = served(program, work)
    kinds = [params.value["kind"] for method, params in heard if method == "$/progress"]
    assert kinds.count("begin") == kinds.count("end")


def test_a_program_that_comes_on_disk_is_one_more_to_be_ranked_among(program: Path) -> None:
    async def work(client: LanguageClient, uri: str, _: Heard) -> None:
        async def ranked() -> int:
            """How many programs the lens ranks the open one among; 0 while they are not ranked."""
            lenses = await client.text_document_code_lens_async(lsp.CodeLensParams(lsp.TextDocumentIdentifier(uri)))
            titles = " ".join(lens.command.title for lens in lenses or () if lens.command)
            found = re.search(r"rank \d+ of (\d+)", titles)
            return int(found[1]) if found else 0

        async def until(condition: Callable[[int], bool]) -> int:
            while not condition(count := await ranked()):  # noqa: ASYNC110 - nothing tells of a lens
                await asyncio.sleep(0.1)
            return count

        before = await until(bool)
        change = lsp.FileEvent(add_beside(program).as_uri(), lsp.FileChangeType.Created)
        client.workspace_did_change_watched_files(lsp.DidChangeWatchedFilesParams([change]))
        await until(lambda count: count == before + 1)

    served(program, work)


def add_beside(program: Path) -> Path:
    path = program.with_name("everything.py")
    path.write_text('"""Look everywhere."""\n\n\ndef head(s):\n    return softmax(-0.01 * s.distance)\n', "utf-8")
    return path

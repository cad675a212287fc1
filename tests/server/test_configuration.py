"""Settings, trust, watched files and folders: what the client tells is heeded at once."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp

from readhead.engine.results import text_stamp
from readhead_server import project
from readhead_server.configuration import configured, registrations, section_of
from readhead_server.options import ServerOptions
from readhead_server.server import COMMANDS
from server.wire import PROGRAM, Client, FakeEngine, talk

Answers = dict[str, Any]

ASKS = {"workspace": {"configuration": True}}
TELLS = {
    "workspace": {
        "didChangeConfiguration": {"dynamicRegistration": True},
        "didChangeWatchedFiles": {"dynamicRegistration": True},
    }
}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "RANK_PAUSE_S", 0.01)


@pytest.fixture
def scores(answers: Answers) -> Answers:
    answers["score"] = lambda source, **_: [
        {"head": "L0H1", "stamp": {"text": text_stamp(source)}, "iou": 0.5, "iou_without_first": 0.5, "jsd": 0.3,
         "trivial": "uniform", "trivial_iou": 0.48, "inactive": False, "coverage": 1.0, "sequences": 3}
    ]  # fmt: skip
    answers["blame"] = []
    answers["impact"] = lambda source, **_: {
        "stamp": {"text": text_stamp(source)}, "perplexity": 4.0, "neural_perplexity": 3.9, "increase_percent": 1.0,
        "low": 0.5, "high": 1.5, "preliminary": False, "sequences": 2,
    }  # fmt: skip
    answers["other_heads"] = []
    answers["rank"] = []
    return answers


def changed(*paths: Path) -> dict[str, Any]:
    return {"changes": [{"uri": path.as_uri(), "type": 2} for path in paths]}


def write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


def commands_on(uri: str) -> Iterator[tuple[str, list[Any]]]:
    """Every command of the server with arguments that it takes."""
    for name, command in COMMANDS.items():
        parameters = list(inspect.signature(command).parameters.values())[1:]
        is_open = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters)
        opened = [uri] if name == "readhead.fit" else [uri, "L0H1"]
        yield name, opened if is_open else [{"uri": uri, "head": "L0H1"}[each.name] for each in parameters]


def test_settings_lie_over_what_was_given_at_the_start_and_go_when_they_are_unset() -> None:
    given = ServerOptions(pause=0.1)
    assert configured(given, {"pause": 2, "blame": None})[0] == ServerOptions(pause=2)
    assert configured(given, {})[0] == given
    assert configured(given, {"pause": "long"})[1] == ["pause = 'long' is not a number"]


def test_settings_take_trust_away_and_never_give_it() -> None:
    assert configured(ServerOptions(), {"trusted": False})[0].trusted is False
    assert configured(ServerOptions(trusted=False), {"trusted": True})[0].trusted is False


def test_our_section_is_found_whether_the_client_tells_all_or_only_that() -> None:
    assert section_of({"readhead": {"pause": 1}, "python": {}}) == {"pause": 1}
    assert section_of({"pause": 1}) == {"pause": 1}
    assert section_of(None) is None


def test_only_what_the_client_allows_is_registered() -> None:
    assert registrations(lsp.ClientCapabilities()) == []


def test_a_client_is_asked_to_tell_of_settings_and_files(engines: list[FakeEngine]) -> None:
    async def work(client: Client) -> None:
        (params,) = await client.until(lambda: client.messages("client/registerCapability"))
        methods = [each["method"] for each in params["registrations"]]
        assert methods == ["workspace/didChangeConfiguration", "workspace/didChangeWatchedFiles"]
        globs = [each["globPattern"] for each in params["registrations"][1]["registerOptions"]["watchers"]]
        assert globs == ["**/readhead.toml", "**/*.py"]
        assert engines == []

    talk(work, TELLS)


def test_a_client_that_answers_is_asked_at_the_start_and_after_each_change(engines: list[FakeEngine]) -> None:
    pauses = [0.2, 0.3]

    async def work(client: Client) -> None:
        client.handlers["workspace/configuration"] = lambda _: [{"pause": pauses.pop(0)}]
        await client.until(lambda: client.server.options.pause == 0.2)
        client.notify("workspace/didChangeConfiguration", {"settings": None})
        await client.until(lambda: client.server.options.pause == 0.3)
        assert engines == []

    talk(work, ASKS)


@pytest.mark.usefixtures("scores")
def test_a_setting_changes_what_is_told_of_documents_that_are_open(file: Path) -> None:
    async def work(client: Client) -> None:
        uri = client.open(file)
        await client.until(lambda: client.server.store.all(uri))
        client.notify("workspace/didChangeConfiguration", {"settings": {"readhead": {"goodLift": 0.01}}})
        await client.until(lambda: not client.server.store.all(uri))

    talk(work)


def test_a_mistake_in_the_settings_is_logged_once(engines: list[FakeEngine]) -> None:
    async def work(client: Client) -> None:
        for _ in range(2):
            client.notify("workspace/didChangeConfiguration", {"settings": {"readhead": {"puase": 1}}})
        await client.until(lambda: client.messages("window/logMessage"))
        assert [each["message"] for each in client.messages("window/logMessage")] == [
            "Readhead: unknown option 'puase'"
        ]
        assert engines == []

    talk(work)


@pytest.mark.usefixtures("scores")
def test_in_a_workspace_that_is_not_trusted_nothing_runs_and_findings_are_told(
    file: Path, engines: list[FakeEngine]
) -> None:
    async def work(client: Client) -> None:
        uri = client.open(file, PROGRAM.replace("softmax", "import os; softmax"))
        await client.until(lambda: client.server.store.all(uri))
        client.change(uri, PROGRAM, 2)
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        client.notify("workspace/didChangeWatchedFiles", changed(file, file.parents[1] / "readhead.toml"))
        client.notify("workspace/didChangeConfiguration", {"settings": {"readhead": {"trusted": True}}})
        for command, arguments in commands_on(uri):
            await client.command(command, *arguments)
        (lens,) = await client.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
        assert "not trusted" in lens["command"]["title"]
        (engine,) = engines
        assert (engine.state, engine.calls, engine.restarts) == ("closed", [], 0)
        assert all("not trusted" in message for message in client.shown)

    talk(work, trusted=False, pause=0.0)


@pytest.mark.usefixtures("scores")
def test_trust_that_the_client_gives_starts_the_engine_and_trust_that_goes_ends_it(
    file: Path, engines: list[FakeEngine]
) -> None:
    async def work(client: Client) -> None:
        uri = client.open(file)
        client.notify("readhead/trusted", {"trusted": True})
        await client.until(lambda: client.server.known(uri)[2].scores)
        for trusted in (False, True, False):
            client.notify("readhead/trusted", {"trusted": trusted})
        await client.until(lambda: engines[0].state == "closed")
        calls = len(engines[0].calls)
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        await client.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
        assert len(engines[0].calls) == calls

    talk(work, trusted=False)


@pytest.mark.usefixtures("scores")
def test_changed_workspace_settings_start_the_engine_again(file: Path, engines: list[FakeEngine]) -> None:
    async def work(client: Client) -> None:
        client.open(file)
        client.notify("workspace/didChangeWatchedFiles", changed(file.parents[1] / "readhead.toml"))
        assert engines[0].restarts == 1

    talk(work)


@pytest.mark.usefixtures("scores")
def test_a_new_workspace_takes_in_files_that_are_open_already(tmp_path: Path, engines: list[FakeEngine]) -> None:
    path = tmp_path / "programs" / "early.py"

    async def work(client: Client) -> None:
        client.open(path, PROGRAM)
        assert engines == []
        write(tmp_path / "readhead.toml", "")
        client.notify("workspace/didChangeWatchedFiles", changed(tmp_path / "readhead.toml"))
        await client.until(lambda: client.server.known(path.as_uri())[2].scores)

    talk(work)


@pytest.mark.usefixtures("scores")
def test_changed_programs_are_ranked_once_and_an_equal_open_one_is_measured_only_if_it_was_not(
    file: Path, engines: list[FakeEngine]
) -> None:
    async def work(client: Client) -> None:
        uri = client.open(file)
        engine = engines[0]
        await client.until(lambda: not client.server.projects[file.parents[1]].is_measuring)
        measured = len(engine.asked("impact"))
        client.notify("workspace/didChangeWatchedFiles", changed(file))
        client.notify("workspace/didChangeWatchedFiles", changed(file.with_name("other.py")))
        await client.until(lambda: engine.asked("rank"))
        assert len(engine.asked("rank")) == 1
        assert len(engine.asked("impact")) == measured
        client.change(uri, PROGRAM.replace("1.5", "2.5"), 2)
        write(file, PROGRAM.replace("1.5", "2.5"))
        client.notify("workspace/didChangeWatchedFiles", changed(file))
        await client.until(lambda: len(engine.asked("impact")) > measured)

    talk(work, scoreWhileTyping=False)


@pytest.mark.usefixtures("scores")
def test_after_a_ranking_places_are_measured_anew_and_the_perplexity_is_kept(
    file: Path, engines: list[FakeEngine]
) -> None:
    async def work(client: Client) -> None:
        client.open(file)
        engine = engines[0]
        await client.until(lambda: not client.server.projects[file.parents[1]].is_measuring)
        scores, impacts = len(engine.asked("score")), len(engine.asked("impact"))
        engine.tell("ranked", {})
        await client.until(lambda: not client.server.projects[file.parents[1]].is_measuring)
        assert (len(engine.asked("score")), len(engine.asked("impact"))) == (scores + 1, impacts)

    talk(work)


@pytest.mark.usefixtures("scores")
def test_a_folder_that_is_taken_away_takes_its_engine_along(file: Path, engines: list[FakeEngine]) -> None:
    async def work(client: Client) -> None:
        uri = client.open(file)
        await client.until(lambda: client.server.store.all(uri))
        folder = {"uri": file.parents[1].as_uri(), "name": "it"}
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [folder]}})
        await client.until(lambda: engines[0].state == "closed")
        assert client.server.projects == {}
        assert client.server.store.all(uri) == []
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
        await client.until(lambda: len(engines) == 2)

    talk(work)


@pytest.mark.usefixtures("scores")
def test_a_file_that_is_no_program_any_more_is_let_go_of(file: Path) -> None:
    path = file.parents[1] / "elsewhere.py"  # outside the programs folder the metadata make it a program

    async def work(client: Client) -> None:
        uri = client.open(path, PROGRAM.replace("s.first", "s.frist"))
        await client.until(lambda: client.server.store.all(uri))
        client.change(uri, PROGRAM.replace("# [tool.readhead]\n", ""), 2)
        assert client.server.store.all(uri) == []
        assert not any(uri in project.documents for project in client.server.projects.values())
        published = "textDocument/publishDiagnostics"
        await client.until(lambda: [each for each in client.messages(published) if not each["diagnostics"]])
        client.change(uri, PROGRAM, 3)
        await client.until(lambda: client.server.known(uri)[2].scores)

    talk(work)


@pytest.mark.usefixtures("scores")
def test_a_document_whose_address_is_quoted_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "a folder" / "programs"
    folder.mkdir(parents=True)
    (folder.parent / "readhead.toml").write_text("", "utf-8")

    async def work(client: Client) -> None:
        uri = client.open(folder / "ö.py", PROGRAM)
        assert "%20" in uri
        await client.until(lambda: client.server.known(uri)[2].scores)

    talk(work)

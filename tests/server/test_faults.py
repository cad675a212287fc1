"""Whatever goes wrong ends in a clear state that the client is told; the server goes on, or leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lsprotocol import types as lsp

from readhead.engine.results import text_stamp
from readhead.workspace import STATE
from server.conftest import SETTINGS
from server.editor import Editor, editor, server_command, server_environment
from server.processes import descendants, engines_of, gone, is_alive, resident_bytes
from server.programs import BAD, BROKEN, GOOD, METADATA
from server.raw import raw_client

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up in /proc"),
]

LEAVES_WITHIN_S = 2.0
NOISY_SERVER = """
import functools, os, subprocess, sys
from readhead_server import server

def noisy(handler):
    @functools.wraps(handler)
    def make_noise(*given):
        print("printed")
        sys.stdout.flush()
        os.write(1, b"written\\n")
        subprocess.run(["echo", "by a child"])
        return handler(*given)
    return make_noise

for method in ("textDocument/didOpen", "textDocument/codeLens"):
    handler, options = server.FEATURES[method]
    server.FEATURES[method] = noisy(handler), options
server.serve()
"""
CLIENT = """
import json, signal, subprocess, sys
from pathlib import Path
signal.signal(signal.SIGUSR1, lambda *_: server.stdin.close())
root, text = Path(sys.argv[1]), sys.argv[2]
server = subprocess.Popen([sys.executable, "-m", "readhead", "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
def send(message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    server.stdin.write(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
    server.stdin.flush()
send({"id": 1, "method": "initialize", "params": {"capabilities": {}, "processId": None, "rootUri": root.as_uri()}})
send({"method": "initialized", "params": {}})
send({"method": "textDocument/didOpen", "params": {"textDocument": {
    "uri": (root / "programs" / "one.py").as_uri(), "languageId": "python", "version": 1, "text": text}}})
print(server.pid, flush=True)
while b"IoU" not in server.stdout.read1():
    pass
print("measured", flush=True)
while True:
    server.stdout.read1() or signal.pause()
"""


def states(client: Editor) -> list[str]:
    return [str(each.state) for each in client.told("readhead/state")]


async def shown(client: Editor) -> str:
    """The message that pops up when the engine has failed."""
    await client.until(lambda: list(client.told(lsp.WINDOW_SHOW_MESSAGE)), "a message that a user sees")
    return str(list(client.told(lsp.WINDOW_SHOW_MESSAGE))[-1].message)


async def until_state(client: Editor, *wanted: str) -> str:
    """Wait until the engine's state is one of these."""
    await client.until(lambda: states(client)[-1:] and states(client)[-1] in wanted, f"the engine is {wanted}")
    return states(client)[-1]


async def test_only_protocol_reaches_a_strict_client_whatever_prints_inside_the_server(program_file: Path) -> None:
    async with raw_client([sys.executable, "-c", NOISY_SERVER]) as client:
        await client.initialize(program_file.parents[1])
        uri = client.open(program_file, BROKEN)
        await client.until(lambda: client.told("textDocument/publishDiagnostics"), "diagnostics")
        answer = await client.ask("textDocument/codeLens", {"textDocument": {"uri": uri}})
        assert answer["result"][0]["command"]["title"] == "not run: 3 findings"
        assert await client.leave() == 0


async def test_malformed_messages_and_unknown_methods_are_answered_and_the_server_goes_on(program_file: Path) -> None:
    async with raw_client() as client:
        await client.initialize(program_file.parents[1])
        uri = client.open(program_file, BROKEN)
        for body in (b"{", b"[]", b"null", b"\xff\xfe", b'{"jsonrpc": "2.0"}', b'{"jsonrpc": "2.0", "id": 9}', b'"x"'):
            client.send_bytes(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        client.send("textDocument/didChange", {"textDocument": {"uri": uri}})
        client.send("textDocument/didChange", {"textDocument": {"uri": "no uri", "version": 2}, "contentChanges": []})
        client.send("textDocument/didSave", {"textDocument": {"uri": "file:///never/opened.py"}})
        client.send("textDocument/didClose", {"textDocument": {"uri": "file:///never/opened.py"}})
        client.send("textDocument/unheardOf", {})
        client.send("$/setTrace", {"value": "off"})
        unknown = await client.ask("textDocument/unheardOf", {})
        assert unknown["error"]["code"] == -32601
        for method, params in (
            ("textDocument/codeLens", {}),
            ("textDocument/diagnostic", {"textDocument": 3}),
            ("workspace/executeCommand", {"command": "readhead.flip", "arguments": []}),
            ("workspace/executeCommand", {"command": "readhead.unheardOf", "arguments": []}),
        ):
            assert "error" in await client.ask(method, params), method
        answer = await client.ask("textDocument/codeLens", {"textDocument": {"uri": uri}})
        assert answer["result"][0]["command"]["title"] == "not run: 3 findings"
        assert await client.leave() == 0


@pytest.mark.slow
async def test_a_document_that_is_closed_and_reopened_in_the_middle_shows_nothing_of_before(program_file: Path) -> None:
    async with editor(program_file.parents[1], pause=0.01) as client:
        for number in range(20):
            uri = client.open(program_file, BAD if number % 2 else BROKEN)
            client.edit(uri, GOOD)
            client.save(uri)
            if number % 3 == 0:
                await client.lenses(uri)
            client.close(uri)
        since = len(client.heard)
        client.open(program_file, BAD)
        await client.settled(uri)
        assert [each.data["stamp"] for each in client.diagnostics(uri)] == [text_stamp(BAD)] * len(
            client.diagnostics(uri)
        )
        client.close(uri)
        await client.until(lambda: not client.published(uri, since)[-1].diagnostics, "its diagnostics taken back")
        assert await client.lenses(uri) == []
        assert list(client.told("readhead/error")) == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stdin closed", "client killed"])
async def test_a_client_that_has_gone_leaves_no_server_no_engine_and_no_sandbox(own_workspace: Path, how: str) -> None:
    client = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs in this loop
        [sys.executable, "-c", CLIENT, str(own_workspace), BAD], stdout=subprocess.PIPE, env=server_environment()
    )
    assert client.stdout is not None
    with client:
        server = int(client.stdout.readline())
        assert client.stdout.readline() == b"measured\n"
        (engine,) = engines_of(own_workspace)
        processes = [server, engine, *descendants(engine)]
        assert len(processes) > 2, "the engine has a sandbox"
        client.send_signal(signal.SIGKILL if how == "client killed" else signal.SIGUSR1)
        took = await gone(*processes, seconds=10)
        print(f"{how}: all gone after {took:.2f} s")
        assert took < LEAVES_WITHIN_S
        client.kill()
    assert not (own_workspace / STATE / "engine.json").exists()


@pytest.mark.slow
async def test_an_engine_that_is_killed_ten_times_ends_in_a_state_that_is_told_and_comes_back_when_asked(
    own_workspace: Path,
) -> None:
    async with editor(own_workspace) as client:
        uri = client.open(own_workspace / "programs" / "one.py", GOOD)
        failed = 0
        for number in range(10):
            if await until_state(client, "ready", "failed") == "failed":
                failed += 1
                assert f"Readhead cannot open {own_workspace}" in await shown(client)
                since = len(client.heard)
                await client.command("readhead.restart", uri)
                await client.until(lambda since=since: any(client.told("readhead/state", since)), "it tries again")
                await until_state(client, "ready")
            client.edit(uri, GOOD.replace("0.67", f"0.{number + 1}"))
            client.save(uri)
            if number % 2:
                await client.until(lambda: client.busy, "a request in progress")
            (engine,) = engines_of(own_workspace)
            since = len(client.heard)
            os.kill(engine, signal.SIGKILL)
            await client.until(
                lambda since=since: any(each.state != "ready" for each in client.told("readhead/state", since)),
                "the client is told",
            )
        if await until_state(client, "ready", "failed") == "failed":
            failed += 1
            await client.command("readhead.restart", uri)
        await client.settled(uri)
        assert failed >= 2, "three starts within half a minute are enough"
        assert list(client.told("readhead/error")) == []


@pytest.mark.slow
async def test_programs_that_hang_crash_or_eat_memory_fail_alone(program_file: Path) -> None:
    bodies = {
        "time-out": "    while True:\n        pass\n",
        "out of memory": "    x = [np.ones((9000, 9000))]\n    while True:\n        x = x + [x[0] + len(x)]\n",
        "error": "    def deeper(k):\n        return deeper(k + 1)\n    return deeper(0)\n",
    }
    async with editor(program_file.parents[1]) as client:
        (engine,) = engines_of(program_file.parents[1])
        for kind, body in bodies.items():
            uri = client.open(program_file, f"{METADATA}\ndef head(s):\n{body}")
            found = await client.until(lambda uri=uri: client.diagnostics(uri, "readhead-run"), kind)
            assert kind in [each.code for each in found]
            since = len(client.heard)
            client.close(uri)
            await client.until(lambda since=since, uri=uri: client.published(uri, since), "closed")
        client.open(program_file, GOOD)
        await client.settled(uri)
        assert engines_of(program_file.parents[1]) == [engine]


@pytest.mark.slow
async def test_a_sandbox_that_is_killed_is_started_again(own_workspace: Path) -> None:
    async with editor(own_workspace) as client:
        uri = client.open(own_workspace / "programs" / "one.py", GOOD)
        await client.settled(uri)
        (engine,) = engines_of(own_workspace)
        for pid in descendants(engine):
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        for number in range(3):
            client.edit(uri, GOOD.replace("0.67", f"0.{number + 1}"))
            client.save(uri)
        await client.settled(uri)
        assert engines_of(own_workspace) == [engine]


@pytest.mark.slow
async def test_a_model_that_is_deleted_is_told_with_its_path_and_found_again(own_workspace: Path) -> None:
    import readhead  # noqa: PLC0415 - where the bundled model lies

    folder = own_workspace / "model"
    shutil.copytree(next(Path(readhead.__file__ or "").parent.glob("bundled/**/config.json")).parent, folder)
    (own_workspace / "readhead.toml").write_text(SETTINGS.replace('"bundled"', '"./model"', 1), "utf-8")
    async with editor(own_workspace) as client:
        uri = client.open(own_workspace / "programs" / "one.py", GOOD)
        await client.settled(uri)
        folder.rename(own_workspace / "gone")
        client.edit(uri, BAD)
        client.save(uri)
        await client.settled(uri)  # what is loaded goes on
        os.kill(engines_of(own_workspace)[0], signal.SIGKILL)
        await until_state(client, "failed")
        message = await shown(client)
        assert str(folder.name) in message
        assert "Readhead: the engine failed; try again" in await client.lenses(uri)
        (own_workspace / "gone").rename(folder)
        await client.command("readhead.restart", uri)
        await client.settled(uri)


@pytest.mark.slow
async def test_a_disk_that_takes_no_more_is_told(own_workspace: Path) -> None:
    """A limit on the size of files stands in for a full disk: writing fails in the same places."""
    command = ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", *server_command()]
    async with editor(own_workspace, command=command) as client:
        uri = client.open(own_workspace / "programs" / "one.py", GOOD)
        await until_state(client, "failed")
        message = await shown(client)
        assert STATE in message
        assert "disk" in message
        client.edit(uri, BROKEN)
        await client.until(lambda: len(client.diagnostics(uri)) == 3, "findings go on")


@pytest.mark.slow
async def test_a_state_folder_that_cannot_be_used_is_told(own_workspace: Path) -> None:
    (own_workspace / STATE).write_text("in the way", "utf-8")
    async with editor(own_workspace) as client:
        uri = client.open(own_workspace / "programs" / "one.py", GOOD)
        await until_state(client, "failed")
        assert STATE in await shown(client)
        (title,) = await client.lenses(uri)
        assert "failed" in title
        (own_workspace / STATE).unlink()
        await client.command("readhead.restart", uri)
        await client.settled(uri)


@pytest.mark.slow
@pytest.mark.parametrize("saves", [60, 2000])
async def test_the_memory_of_server_and_sandbox_is_flat_over_many_saves(program_file: Path, saves: int) -> None:
    async with editor(program_file.parents[1], perplexity=False, blame=False) as client:
        uri = client.open(program_file, GOOD)
        (engine,) = engines_of(program_file.parents[1])
        sizes, sandboxes = [], []
        for number in range(saves):
            text = GOOD.replace("0.67", f"0.{number:04}1")
            client.edit(uri, text)
            client.save(uri)
            await client.until(
                lambda text=text: text_stamp(text) in {each.stamp for each in client.told("readhead/scored")},
                "a score",
            )
            client.heard[:-8] = []
            client.texts.clear()
            if number % (saves // 20) == 0:
                sizes.append(resident_bytes(client.server_pid) >> 10)
                sandboxes.append(max(resident_bytes(pid) >> 10 for pid in descendants(engine)))
        print("KiB: server", sizes, "sandbox", sandboxes)
        assert max(sizes[-3:]) - max(sizes[3:6]) < 1 << 10, sizes
        assert max(sandboxes[-3:]) - max(sandboxes[3:6]) < 6 << 10, sandboxes

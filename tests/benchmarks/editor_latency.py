"""Prints how fast an editor is answered: bundled model, 64 dev sequences of 64 tokens, one head.

| measured | required |
|---|---|
| save → `readhead-score` diagnostics and lens | median 150 ms, 95th percentile 300 ms, 1.5 × the engine's own time |
| typing → findings | 30 ms |
| start → `initialize` answered | less than 0.5 s more than a bare pygls server |
| one turn of the server's loop | 50 ms |

Two saves are told apart: one in an editor at rest, and one while the save before is still being measured (blame,
perplexity, other heads). The engine's own time is that of `Works.score` in this process, for the same texts.

    PYTHONPATH=core:programs:server:tests python tests/benchmarks/editor_latency.py
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from lsprotocol import types as lsp
from pytest_lsp import ClientServerConfig

from readhead.engine.results import text_stamp
from readhead.engine.works import Works
from server.editor import Editor, capabilities, editor, server_command, server_environment
from server.programs import BAD, BROKEN

SETTINGS = 'model = "bundled"\nfit = 16\ndev = 64\nheld_out = 16\nlength = 64\n'
BARE = """
from pygls.lsp.server import LanguageServer
server = LanguageServer("bare", "1")
server.command("echo")(lambda ls, *given: given)
server.start_io()
"""
WATCHED = """
import asyncio.events, atexit, sys, time
from pathlib import Path
from readhead_server.server import serve

longest = [0.0, 0.0]
run = asyncio.events.Handle._run

def timed(handle):
    begun, used = time.perf_counter(), time.thread_time()
    run(handle)
    longest[0] = max(longest[0], time.perf_counter() - begun)
    longest[1] = max(longest[1], time.thread_time() - used)

asyncio.events.Handle._run = timed
atexit.register(lambda: Path(sys.argv[1]).write_text(f"{longest[0]} {longest[1]}"))
serve()
"""
"""The server, which notes how long its loop did nothing but one thing: on the clock, and in processor time."""


def variant(text: str, number: int) -> str:
    """Another text of the same cost, which nothing has seen before."""
    return text.replace("0.67", f"0.{1000 + number}")


async def until_scored(client: Editor, uri: str, text: str) -> tuple[float, float]:
    """Seconds from a save to its diagnostics, and to its lens."""
    stamp = text_stamp(text)

    def diagnosed() -> list[lsp.Diagnostic]:
        return [each for each in client.diagnostics(uri, "readhead-score") if each.data["stamp"] == stamp]

    started = time.perf_counter()
    client.save(uri)
    await client.until(diagnosed, "diagnostics")
    diagnosed_s = time.perf_counter() - started
    await client.until_lens(uri, lambda title: title.startswith("L0H3 IoU"), "a lens")
    return diagnosed_s, time.perf_counter() - started


async def saves(
    client: Editor, uri: str, count: int, *, rests: bool, own: Callable[[str], float] | None = None
) -> tuple[list[tuple[float, float]], list[float]]:
    """Of `count` saves, each of another text; between them the engine's own time for the same text."""
    found, own_s = [], []
    for number in range(count):
        text = variant(BAD, number + (0 if rests else 500))
        client.edit(uri, text)
        if rests:
            await client.lenses(uri)
        found.append(await until_scored(client, uri, text))
        if rests:
            await at_rest(client, uri)
        if own is not None:
            own_s.append(own(text))
        client.heard[:-20] = []
    return found, own_s


async def at_rest(client: Editor, uri: str) -> None:
    """Wait until the last thing that is measured after a save is there."""
    await client.settled(uri)
    await client.until_lens(uri, lambda title: title.startswith("best other head"), "the other heads")
    await client.until(lambda: not client.busy, "an engine at rest")


async def typing(client: Editor, uri: str, count: int) -> list[float]:
    """Seconds from a change to its findings."""
    found = []
    for _ in range(count):
        started = time.perf_counter()
        version = client.edit(uri, BROKEN)
        await client.until(lambda version=version: client.published(uri)[-1].version == version, "findings")
        found.append(time.perf_counter() - started)
    return found


async def initialized(command: list[str]) -> tuple[float, float]:
    """Seconds to the answer of `initialize`, and the median of an empty command's round trip, if there is one."""
    started = time.perf_counter()
    client = await ClientServerConfig(command, server_env=server_environment()).start()
    await client.initialize_session(lsp.InitializeParams(capabilities=capabilities(pulls=False, encodings=[])))
    took, echoes = time.perf_counter() - started, []
    if command[1] == "-c":
        for number in range(50):
            begun = time.perf_counter()
            await client.workspace_execute_command_async(lsp.ExecuteCommandParams("echo", [number]))
            echoes.append(time.perf_counter() - begun)
    await client.shutdown_session()
    await client.stop()
    return took, median(echoes) if echoes else 0.0


def own_time(works: Works, text: str) -> float:
    """Seconds of `Works.score` in this process."""
    started = time.perf_counter()
    works.on_heads.score(lambda _: None, text, ["L0H3"])
    return time.perf_counter() - started


def row(name: str, values: list[float], *required: str) -> None:
    """One line of the table, in ms."""
    ordered = sorted(values)
    high = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    print(
        f"{name:44} {1000 * median(ordered):8.1f} {1000 * high:8.1f} {1000 * ordered[-1]:8.1f}   {'; '.join(required)}"
    )


async def measure(root: Path, count: int, repetitions: int) -> None:
    note = root / "longest"
    async with editor(root, command=[sys.executable, "-c", WATCHED, str(note)]) as client:
        uri = client.open(root / "programs" / "one.py", BAD)
        await client.until_lens(uri, lambda title: "rank " in title, "all programs are ranked", 180)
        works = Works(root, lambda _event, _given: None)
        own_time(works, BAD)
        await at_rest(client, uri)
        rested, own = await saves(client, uri, count, rests=True, own=lambda text: own_time(works, text))
        works.close()
        hurried, _ = await saves(client, uri, count, rests=False)
        typed = await typing(client, uri, count)
    longest = [float(word) for word in note.read_text().split()]
    started: dict[str, list[tuple[float, float]]] = {"bare": [], "readhead": []}
    for _ in range(repetitions):
        started["bare"].append(await initialized([sys.executable, "-c", BARE]))
        started["readhead"].append(await initialized(server_command()))

    print(f"{'ms':44} {'median':>8} {'95 %':>8} {'longest':>8}   required")
    row("the engine's own time, in process", own)
    row("save at rest → diagnostics", [one for one, _ in rested], "≤ 150, 95 % ≤ 300, ≤ 1.5 × own")
    row("save at rest → lens", [both for _, both in rested], "≤ 150, 95 % ≤ 300, ≤ 1.5 × own")
    row("save in a hurry → diagnostics", [one for one, _ in hurried])
    row("save in a hurry → lens", [both for _, both in hurried])
    row("typing → findings", typed, "≤ 30")
    row("bare pygls: echo of a command", [echo for _, echo in started["bare"]])
    row("bare pygls: initialize", [took for took, _ in started["bare"]])
    row("readhead lsp: initialize", [took for took, _ in started["readhead"]], "≤ 500 more than bare")
    print(f"{'longest turn of the loop':44} {1000 * longest[0]:8.1f}, {1000 * longest[1]:.1f} of processor time   ≤ 50")
    ratios = [both / alone for (_, both), alone in zip(rested, own, strict=True)]
    print(f"save at rest → lens is {median(ratios):.2f} × the engine's own time for the same text (median)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--saves", type=int, default=50)
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "programs").mkdir()
        (root / "readhead.toml").write_text(SETTINGS, "utf-8")
        asyncio.run(measure(root, options.saves, options.repetitions))


if __name__ == "__main__":
    main()

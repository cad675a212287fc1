"""The engine's process: one for all front ends of a workspace, started again when it dies, gone with the last."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from readhead.engine import Engine, EngineGoneError, client
from readhead.engine.address import Address
from readhead.engine.client import EngineError
from readhead.engine.results import Scored, text_stamp
from readhead.surrogates.outcome import Continuation
from readhead.workspace import STATE

NEAR = "def head(s):\n    return softmax(-1.0 * s.distance)\n"
FAILS = "def head(s):\n    raise ValueError\n"
NEARER = "def head(s):\n    return softmax(-2.0 * s.distance + 0.5 * s.first)\n"

pytestmark = [
    pytest.mark.usefixtures("child_environment"),
    pytest.mark.skipif(os.name != "posix", reason="the engine listens on a Unix socket"),
]


@pytest.fixture
def child_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.conftest import environment  # noqa: PLC0415 - the fixture's only need

    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])


@pytest.fixture
def root(tmp_path: Path, model_folder: Path, corpus_file: Path) -> Path:
    settings = {"model": str(model_folder), "corpus": str(corpus_file), "fit": 4, "dev": 2, "held_out": 2, "length": 16}
    lines = (f"{key} = {json.dumps(value)}" for key, value in settings.items())
    (tmp_path / "readhead.toml").write_text("\n".join(lines), "utf-8")
    (tmp_path / "programs").mkdir()
    return tmp_path


def attached(root: Path, work: Callable[..., Awaitable[None]], front_ends: int = 1) -> list[list[tuple[str, Any]]]:
    """Run `work(*engines)`; the events that each heard."""
    events: list[list[tuple[str, Any]]] = [[] for _ in range(front_ends)]

    async def run() -> None:
        engines = [Engine(root, lambda event, given, own=own: own.append((event, given))) for own in events]
        for engine in engines:
            engine.start()
        try:
            await asyncio.wait_for(work(*engines), 60)
        finally:
            for engine in engines:
                await engine.close()

    asyncio.run(run())
    return events


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
def test_two_front_ends_share_a_process_and_a_switchboard_and_it_leaves_with_the_last(root: Path) -> None:
    async def work(one: Engine, other: Engine) -> None:
        await asyncio.gather(one.ready(), other.ready())
        assert one.pid == other.pid
        assert one.facts["heads"] == 2
        (row,) = await one.call("score", source=NEAR, heads=["L0H1"])
        score = Scored.read(row)
        assert score.stamp["text"] == text_stamp(NEAR)
        assert 0 < score.iou <= 1
        flipped = await one.call("flip", heads={"L0H1": NEAR})
        assert await other.call("switches") == {name: flipped[name] for name in ("heads", "fingerprint")}
        found = await other.call("perplexity")
        assert found["stamp"]["board"] == flipped["fingerprint"]
        await other.call("flip", heads={"L0H1": None})
        assert (await one.call("perplexity"))["increase_percent"] == 0
        pids.append(one.pid or 0)

    pids: list[int] = []
    events = attached(root, work, front_ends=2)
    boards = [[given["heads"] for event, given in own if event == "switches"] for own in events]
    assert boards[0] == boards[1] == [{"L0H1": NEAR}, {}]
    deadline = time.monotonic() + 5
    while is_alive(pids[0]):
        assert time.monotonic() < deadline, "the engine stays"
        time.sleep(0.05)
    assert Address.read(root / STATE) is None


@pytest.mark.slow
def test_nothing_of_the_folder_a_front_end_stands_in_is_imported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("filelock", "numpy", "readhead", "torch"):
        (root / f"{module}.py").write_text("raise SystemExit('imported from the workspace')\n", "utf-8")
    monkeypatch.chdir(root)

    async def work(engine: Engine) -> None:
        await engine.ready()

    attached(root, work)


@pytest.mark.slow
def test_an_engine_that_is_killed_is_started_again_and_the_switchboard_is_still_there(root: Path) -> None:
    async def work(engine: Engine) -> None:
        await engine.ready()
        await engine.call("flip", heads={"L0H0": NEAR})
        first = engine.pid
        assert first is not None
        pending = asyncio.create_task(engine.call("front", head="L0H0"))
        await asyncio.sleep(0.1)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(EngineGoneError):
            await pending
        assert (await engine.call("switches"))["heads"] == {"L0H0": NEAR}
        assert engine.pid != first

    (events,) = attached(root, work)
    states = [given["state"] for event, given in events if event == "state"]
    assert states.count("ready") == 2
    assert "restarting" in states


@pytest.mark.slow
def test_an_engine_is_ended_for_its_own_silence_and_not_for_ours(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(engine: Engine) -> None:
        await engine.ready()
        first = engine.pid
        assert first is not None
        time.sleep(4)  # noqa: ASYNC251 - as an editor in the foreground does
        await engine.call("facts")
        await asyncio.sleep(0.5)
        assert is_alive(first)
        assert engine.pid == first
        os.kill(first, signal.SIGSTOP)
        await until(lambda: not is_alive(first))

    monkeypatch.setattr(client, "_PING_S", 0.1)
    monkeypatch.setattr(client, "_SILENT_S", 3.0)
    attached(root, work)


@pytest.mark.slow
def test_what_cannot_be_opened_is_told_with_its_cure_and_tried_again(root: Path) -> None:
    settings = (root / "readhead.toml").read_text("utf-8")
    (root / "readhead.toml").write_text(settings.replace("model = ", 'model = "./nowhere" # '), "utf-8")

    async def work(engine: Engine) -> None:
        with pytest.raises(EngineError, match="nowhere") as caught:
            await engine.call("facts")
        assert caught.value.hint
        (root / "readhead.toml").write_text(settings, "utf-8")
        engine.restart()
        await until(lambda: engine.state == "ready")
        assert (await engine.call("facts"))["layers"] == 2

    attached(root, work)


@pytest.mark.slow
def test_a_mistake_in_a_call_is_an_answer_and_cancelling_really_stops_the_work(root: Path) -> None:
    async def work(engine: Engine) -> None:
        with pytest.raises(EngineError, match="L9H9"):
            await engine.call("score", source=NEAR, heads=["L9H9"])
        with pytest.raises(EngineError, match="does not know"):
            await engine.call("evil")
        with pytest.raises(EngineError, match="unexpected"):
            await engine.call("facts", what=1)
        with pytest.raises(EngineError, match="looks ahead"):
            await engine.call("flip", heads={"L0H0": "def head(s):\n    return softmax(s.n * s.itself)\n"})
        assert (await engine.call("switches"))["heads"] == {}
        with pytest.raises(ZeroDivisionError):  # a mistake of who listens ends no connection
            await engine.call("impact", source=NEAR, head="L0H0", on_part=lambda _: 1 // 0)
        slow = asyncio.create_task(engine.call("fit", source=NEARER, heads=["L0H0"]))
        await asyncio.sleep(0.2)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        started = time.monotonic()
        await engine.call("other_heads", source=NEAR)
        assert time.monotonic() - started < 5

    attached(root, work)


@pytest.mark.slow
def test_blame_front_pattern_and_cards(root: Path) -> None:
    async def work(engine: Engine) -> None:
        blamed = await engine.call("blame", source=NEARER, head="L0H1")
        assert [part["text"] for part in blamed] == ["-2.0 * s.distance", "0.5 * s.first"]
        assert all("return softmax(" in part["without"] for part in blamed)
        view = await engine.call("pattern", head="L0H1", source=NEAR, sequence=1)
        assert len(view["tokens"]) == len(view["pattern"]) == len(view["prediction"]) == 16
        assert view["pattern"][0][0] == 1
        own = await engine.call("pattern", head="L0H1", source=NEAR, text="Tom saw a dog.")
        assert len(own["tokens"]) == len(own["pattern"]) == len(own["prediction"])
        assert (await engine.call("pattern", head="L0H1", text="Tom saw a dog."))["pattern"] == own["pattern"]
        fails = await engine.call("pattern", head="L0H1", source=FAILS, text="Tom saw a dog.")
        assert (fails["pattern"], fails["prediction"]) == (own["pattern"], None)
        worst = await engine.call("worst_texts", head="L0H1", source=NEAR)
        assert [row["iou"] for row in worst] == sorted(row["iou"] for row in worst)
        await engine.call("flip", heads={"L0H1": NEAR})
        modes = {card["head"]: card["mode"] for card in await engine.call("cards")}
        assert modes == {"L0H0": "neural", "L0H1": "program", "L1H0": "neural", "L1H1": "neural"}
        parts: list[Any] = []
        impact = await engine.call("impact", source=NEAR, head="L0H1", on_part=parts.append)
        assert parts[-1] == impact

    attached(root, work)


@pytest.mark.slow
def test_best_programs_are_flipped_measured_and_written_with_over_the_wire(root: Path) -> None:
    async def work(engine: Engine) -> None:
        await engine.ready()
        await engine.call("rank")
        heads = ["L0H0", "L0H1", "L1H0", "L1H1"]
        flipped = await engine.call("flip", best=heads)
        assert {*flipped["heads"], *flipped["refused"]} == set(heads)
        texts: list[Any] = []
        text = await engine.call("generate", on_part=texts.append, prompt="Tom saw", tokens=4)
        assert texts[-1] == text
        assert Continuation.read(text).prompt == "Tom saw"
        points: list[Any] = []
        curve = await engine.call("curve", on_part=points.append, fractions=[0.5, 1.0], of_part="dev")
        assert points == curve["points"]
        rows = await engine.call("candidates", head="L0H1", most=3)
        assert [row["iou"] for row in rows] == sorted((row["iou"] for row in rows), reverse=True)
        alone = await engine.call("impacts")
        assert [row["head"] for row in alone] == heads
        cards = await engine.call("cards")
        assert [row["stamp"]["text"] for row in alone] == [card["text"] for card in cards]
        with pytest.raises(EngineError, match="multiple values for argument 'part'"):
            await engine.call("curve", part="dev")
        plan = await engine.call("plan", budget=1000)
        assert plan["increase_percent"] <= 1000
        await engine.call("save_board", path="board.json")
        assert (await engine.call("load_board", path="board.json"))["heads"] == flipped["heads"]
        kept = await engine.call("keep", source=NEAR, head="L0H0")
        assert Path(kept["path"]) == root / "programs" / "L0H0.py"
        greedy = asyncio.create_task(engine.call("curve", order="greedy"))
        await asyncio.sleep(0)
        greedy.cancel()
        with pytest.raises(asyncio.CancelledError):
            await greedy
        assert (await engine.call("switches"))["heads"] == flipped["heads"]

    attached(root, work)


@pytest.mark.slow
def test_a_stranger_without_the_token_is_told_nothing(root: Path) -> None:
    async def work(engine: Engine) -> None:
        await engine.ready()
        address = Address.read(root / STATE)
        assert address is not None
        assert os.stat(address.path).st_mode & 0o077 == 0  # noqa: PTH116 - a stat blocks nobody here
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(address.path)
            stranger.sendall(b'{"token": "guess"}\n{"id": 1, "call": "facts"}\n')
            await asyncio.sleep(0.3)
            stranger.settimeout(2)
            assert stranger.recv(1000) == b""
        with socket.socket(socket.AF_UNIX) as garbled:
            garbled.connect(address.path)
            garbled.sendall(json.dumps({"token": address.token}).encode() + b"\n[1]\n")
        assert (await engine.call("facts"))["layers"] == 2

    attached(root, work)

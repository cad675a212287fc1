"""A run that is killed or interrupted goes on where it ended: what was answered is not asked for again, nor lost."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.conftest import Ran, finished, own_process
from core.drafts_in_tests import reply, serving
from ollama_stand_in import Reply, Request, StandIn
from readhead.synthesis.ollama.replies import whole_drafts

Run = Callable[..., Ran]

TRIVIAL = [f"def head(s):\n    return {place}\n" for place in ("s.every", "s.first", "s.previous(1)", "s.itself")]
"""One of them is as good as the best trivial program, so that there is one to refine."""
BETTER = [f"def head(s):\n    return s.every + {weight} * s.first\n" for weight in (2, 3, 4)]
LONGEST_S = 2
"""From Ctrl-C to the last words."""
COMMAND = ("synthesize", "--with", "ollama", "--rounds", "1", "--candidates", "4", "--json")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("certificates_are_read_once", "few_programs")]


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


class Model:
    """Answers each prompt at once, but those of one step."""

    def __init__(self, slow: str, how: dict[str, float]) -> None:
        self.slow = slow
        self.how = how

    def __call__(self, request: Request) -> Reply:
        step = self.step(request)
        text = reply(*(TRIVIAL if step == "write" else BETTER))
        return Reply(text=text, **(self.how if step == self.slow else {}))

    @staticmethod
    def step(request: Request) -> str:
        return "refine" if "# A program for it" in request.messages[1]["content"] else "write"


@pytest.fixture
def model(request: pytest.FixtureRequest) -> Model:
    return Model(*request.param)


@pytest.fixture
def server(model: Model, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Serves the workspace's model."""
    with (workspace / "readhead.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[ollama]\nmodel = "coder"\n')
    with serving(model, parallel=4) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        yield server


@pytest.fixture
def answers(workspace: Path) -> Callable[[str], list[tuple[str, str]]]:
    """Reads from the workspace's database how answers ended, and their texts, by the beginning of their step."""

    def answers(step: str) -> list[tuple[str, str]]:
        path = workspace / ".readhead" / "readhead.sqlite"
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as reading:
                rows = reading.execute("SELECT record FROM answers WHERE step LIKE ? ORDER BY asked", (f"{step}%",))
                records = [json.loads(record) for (record,) in rows]
        except sqlite3.Error:  # it is not there yet
            return []
        return [(record["ending"], record["text"]) for record in records]

    return answers


Answers = Callable[[str], list[tuple[str, str]]]


def asked(server: StandIn) -> Counter[tuple[str, str]]:
    """How often each prompt was sent, with its step."""
    return Counter((Model.step(request), request.messages[1]["content"]) for request in server.chats)


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    with process:
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL


def codes(ran: Ran) -> list[str]:
    """The code of all candidates, whatever became of them."""
    return [candidate["source"].partition("\n\n\n")[2] for candidate in ran.document["ollama"]["candidates"]]


@pytest.mark.parametrize("model", [("refine", {"token_s": 0.03})], ids=["refine"], indirect=True)
@pytest.mark.parametrize("whole", [1, 2])
def test_a_run_that_is_killed_while_the_second_answer_streams_goes_on_with_what_had_come(
    run: Run, server: StandIn, answers: Answers, model: Model, workspace: Path, whole: int
) -> None:
    process = own_process(*COMMAND, "L0H0", cwd=workspace)
    until(lambda: any(len(whole_drafts(text)) >= whole for _, text in answers("refine")))
    kill(process)
    ((ending, text),) = answers("refine")
    assert ending == "stopped"
    had = [draft.code for draft in whole_drafts(text)]
    assert whole <= len(had) < len(BETTER)
    model.slow = ""
    ran = run(*COMMAND, "L0H0")
    assert ran.status == 0
    assert codes(ran) == [*TRIVIAL, *had, *BETTER]
    assert sorted(step for step, _ in asked(server).elements()) == ["refine", "refine", "write"]
    assert set(asked(server).values()) == {1}
    assert [exchange["earlier"] for exchange in ran.document["ollama"]["exchanges"]] == [True, True, False]


@pytest.mark.parametrize("model", [("refine", {"first_token_s": 60})], ids=["refine"], indirect=True)
def test_a_run_that_is_killed_right_after_an_answer_goes_on_with_the_next_question(
    run: Run, server: StandIn, answers: Answers, model: Model, workspace: Path
) -> None:
    process = own_process(*COMMAND, "L0H0", cwd=workspace)
    until(lambda: any(ending == "stop" for ending, _ in answers("write")))
    kill(process)
    model.slow = ""
    ran = run(*COMMAND, "L0H0")
    assert ran.status == 0
    assert codes(ran) == [*TRIVIAL, *BETTER, *BETTER]
    assert [number for (step, _), number in asked(server).items() if step == "write"] == [1]
    assert [exchange["earlier"] for exchange in ran.document["ollama"]["exchanges"]] == [True, False, False]


@pytest.mark.parametrize("model", [("write", {"token_s": 0.2})], ids=["write"], indirect=True)
def test_an_answer_without_a_whole_program_is_asked_for_again_after_a_kill(
    run: Run, server: StandIn, answers: Answers, model: Model, workspace: Path
) -> None:
    process = own_process(*COMMAND, "L0H0", cwd=workspace)
    until(lambda: any(text for _, text in answers("write")))
    kill(process)
    assert not any(whole_drafts(text) for _, text in answers("write")), "the first takes six seconds"
    model.slow = ""
    ran = run(*COMMAND, "L0H0")
    assert codes(ran) == [*TRIVIAL, *BETTER, *BETTER]
    assert {step: number for (step, _), number in asked(server).items()} == {"write": 2, "refine": 1}


@pytest.mark.parametrize("model", [("refine", {"token_s": 0.03})], ids=["refine"], indirect=True)
def test_several_heads_that_are_killed_at_once_all_go_on(
    run: Run, server: StandIn, answers: Answers, model: Model, workspace: Path
) -> None:
    with (workspace / "readhead.toml").open("a", encoding="utf-8") as settings:
        settings.write("parallel = 2\n")
    process = own_process(*COMMAND, "L0H0", "L0H1", cwd=workspace)
    until(lambda: len([text for _, text in answers("refine") if whole_drafts(text)]) == 2)
    kill(process)
    assert server.slots.most_at_once == 2
    had = [draft.code for _, text in answers("refine") for draft in whole_drafts(text)]
    model.slow = ""
    ran = run(*COMMAND, "L0H0", "L0H1")
    assert ran.status == 0
    assert sorted(codes(ran)) == sorted([*TRIVIAL, *TRIVIAL, *had, *BETTER, *BETTER])
    assert set(asked(server).values()) == {1}
    assert len(server.chats) == 6


@pytest.mark.parametrize("model", [("refine", {"first_token_s": 60})], ids=["refine"], indirect=True)
def test_ctrl_c_ends_a_run_whose_server_is_silent_and_keeps_what_came(
    run: Run, server: StandIn, model: Model, workspace: Path
) -> None:
    process = own_process(*COMMAND, "L0H0", cwd=workspace)
    until(lambda: len(server.chats) == 2)
    ran, seconds = interrupted(process)
    assert seconds < LONGEST_S
    assert ran.complaint == "interrupted"
    model.slow = ""
    again = run(*COMMAND, "L0H0")
    assert again.status == 0
    assert codes(again) == [*TRIVIAL, *BETTER, *BETTER]
    assert list(asked(server).values()) == [1, 2, 1], "only what was not answered is asked for again"
    assert until_abandoned(server.chats[1])


@pytest.mark.parametrize("model", [("write", {"token_s": 0.03})], ids=["write"], indirect=True)
def test_ctrl_c_keeps_the_whole_programs_of_an_answer(
    run: Run, server: StandIn, answers: Answers, model: Model, workspace: Path
) -> None:
    process = own_process(*COMMAND, "L0H0", cwd=workspace)
    until(lambda: any(whole_drafts(text) for _, text in answers("write")))
    ran, seconds = interrupted(process)
    assert seconds < LONGEST_S
    assert ran.complaint == "interrupted"
    ((ending, text),) = answers("write")
    assert ending == "stopped"
    had = [draft.code for draft in whole_drafts(text)]
    model.slow = ""
    again = run(*COMMAND, "L0H0")
    assert codes(again)[: len(had)] == had == TRIVIAL[: len(had)]
    assert asked(server)["write", server.chats[0].messages[1]["content"]] == 1


def interrupted(process: subprocess.Popen[str]) -> tuple[Ran, float]:
    """What a process did on Ctrl-C, and after how long it said so: unloading torch takes longer, and nobody waits."""
    assert process.stderr is not None
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = process.stderr.readline()
    seconds = time.monotonic() - started
    said += process.stderr.read()
    ran = finished(process)
    return Ran(ran.status, ran.out, said), seconds


def until_abandoned(request: Request) -> bool:
    until(lambda: request.abandoned, 5)
    return True

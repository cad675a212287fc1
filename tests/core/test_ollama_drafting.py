"""Asking a language model for programs: what is sent, what goes wrong, and what is kept of it."""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.drafts_in_tests import (
    HEADS,
    HOPELESS,
    MODELS,
    SPOILT,
    THREE,
    code,
    desk_for,
    pieces_before,
    reply,
    serving,
    slowly,
)
from core.planted_patterns import plant_patterns, stories
from ollama_stand_in import Fault, Reply, Request, StandIn
from readhead.corpus import Sizes
from readhead.errors import OllamaError, UsageError
from readhead.heads import HeadId
from readhead.library import Target
from readhead.program import parse
from readhead.sandbox import Sandbox
from readhead.settings import read_settings
from readhead.synthesis.ollama import schedule
from readhead.synthesis.ollama.candidates import Candidate
from readhead.synthesis.ollama.client import Client
from readhead.synthesis.ollama.judge import Judge
from readhead.synthesis.ollama.prompts import Prompts
from readhead.synthesis.ollama.replies import SCHEMA
from readhead.synthesis.ollama.revise import rename_programs
from readhead.synthesis.ollama.run import Drafted, Drafting, Row, Run
from readhead.synthesis.ollama.schedule import draft_programs

HERE, THERE = HeadId(0, 0), HeadId(0, 1)
"""The planted heads: one looks at the token before, one at the first."""
ONCE = Drafting(count=3, rounds=0)
ONE = reply(code(9))
THIRD = pieces_before(THREE, "Idea 3")
PYTHON = f"Here you are:\n```python\n{code(9)}```\n"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    path = tmp_path_factory.mktemp("planted") / "patterns.f16"
    return plant_patterns(path, stories(Sizes(fit=4, dev=2, held_out=2, length=20)), HEADS)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("certificates_are_read_once")]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_PAUSE_S", 0.0)


@pytest.fixture
def ask(target: Target, sandbox: Sandbox) -> Callable[..., Drafted]:
    """Programs for the heads from a stand-in; in the workspace `root`, or in one that is forgotten."""

    def ask(
        server: StandIn,
        wanted: Drafting = ONCE,
        heads: tuple[HeadId, ...] = (HERE,),
        *,
        root: Path | None = None,
        starts: dict[HeadId, str] | None = None,
        **settings: Any,
    ) -> Drafted:
        programs = {head: parse(source, name=str(head)) for head, source in (starts or {}).items()}
        with desk_for(server, target, sandbox, root, **settings) as desk:
            return draft_programs(desk, heads, wanted, starts=programs)

    return ask


def prompt_of(request: Request) -> str:
    return request.messages[1]["content"]


def step_of(request: Request) -> str:
    """Which step asks it, by its words."""
    prompt = prompt_of(request)
    return "again" if "# Your last answer" in prompt else "refine" if "# A program for it" in prompt else "write"


def head_of(request: Request) -> HeadId:
    """The planted head that a prompt shows, without naming it."""
    return HERE if "rule, 'previous token'" in prompt_of(request) else THERE


def codes(drafted: Drafted) -> list[str]:
    """The code of each candidate, in order."""
    return [candidate.source.partition("\n\n\n")[2] for candidate in drafted.candidates]


# ---- what is sent ----------------------------------------------------------------------------------------------------


def test_a_request_says_all_that_the_server_has_to_know(ask: Callable[..., Drafted]) -> None:
    settings = {"temperature": 0.25, "reply_tokens": 700, "keep_alive": "3m"}
    with serving(ONE) as server:
        ask(server, Drafting(count=3, rounds=0, seed=17, terms=5), **settings)
        (request,) = server.chats
    system, prompt = request.messages
    assert (system["role"], prompt["role"]) == ("system", "user")
    assert system["content"] == Prompts.load().system
    assert "Write 3 programs" in prompt["content"]
    assert "at most 5 added terms" in prompt["content"]
    assert request.body["model"] == "coder"
    assert request.body["format"] == SCHEMA
    assert request.body["keep_alive"] == "3m"
    assert request.body["stream"] is True
    assert request.options == {"num_ctx": 4096, "num_keep": 4, "num_predict": 700, "temperature": 0.25, "seed": 17}


def test_the_best_go_back_with_the_rows_that_they_predict_worst(ask: Callable[..., Drafted], target: Target) -> None:
    poor, good = code(3, "s.previous(2)"), code(5)
    with serving(reply(poor, good), reply(code(60)), reply(code(90)), repeat=True) as server:
        drafted = ask(server, Drafting(count=2, rounds=1, width=1))
        write, refine = server.chats
    assert (step_of(write), step_of(refine)) == ("write", "refine")
    assert "5 * s.previous(1) + s.first" in prompt_of(refine)
    assert "s.previous(2) + s.first" not in prompt_of(refine)
    assert f"IoU {drafted.candidates[1].iou:.2f} on the texts above (the best trivial rule has" in prompt_of(refine)
    strips = prompt_of(refine).partition("what the program says.\n\n")[2].partition("\n\n# Your task")[0].split("\n\n")
    assert len(strips) == len(target.corpus["fit"]) == 4
    assert all(re.fullmatch(r"real:    .*>.*<.*\nprogram: .*>.*<.*", strip) for strip in strips)
    assert "///" not in prompt_of(refine)


def test_a_reply_that_is_no_json_is_shown_to_the_model_with_what_is_wrong(ask: Callable[..., Drafted]) -> None:
    with serving("Sorry, I cannot.", ONE) as server:
        drafted = ask(server)
        write, again = server.chats
    assert step_of(again) == "again"
    summary = prompt_of(write).partition("Text 1:")[0]
    assert prompt_of(again).startswith(summary)
    assert '"Sorry, I cannot."' in prompt_of(again)
    assert "cannot be used: Invalid JSON" in prompt_of(again)
    assert len(drafted.kept) == 1
    assert "asked for once more" in "".join(drafted.notes)
    assert [exchange.step for exchange in drafted.exchanges] == ["write", "write, again"]


# ---- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", slowly(SPOILT, but={"cut", "503"}))
def test_what_breaks_off_is_asked_once_more_and_noted(ask: Callable[..., Drafted], name: str) -> None:
    with serving(SPOILT[name], ONE) as server:
        drafted = ask(server)
        assert prompt_of(server.chats[0]) == prompt_of(server.chats[1])
    assert drafted.error is None
    assert len(drafted.kept) == 1
    (note,) = drafted.notes
    assert note.startswith("L0H0, write: ")


ENDED = {
    "cut": (2, "the connection to {host} broke off", "log at {host}, then run the command again: what came is kept"),
    "unfinished": (2, "the answer of coder ended in the middle", "log at {host}"),
    "malformed": (2, "{host} answers what is not Ollama's", "OLLAMA_HOST"),
    "error line": (2, "Ollama refuses: llama runner process has terminated", "log at {host}"),
    "500": (2, "Ollama refuses: llama runner process has terminated", "log at {host}"),
    "503": (2, "Ollama is busy: server busy", "[ollama] parallel"),
    "404": (1, "Ollama has no model coder: model 'coder' not found", "ollama pull coder"),
    "400": (1, "Ollama refuses: time: invalid duration", "log at {host}"),
    "silence": (1, "{host} does not answer within 0.3 s", "[ollama] patience"),
}
"""How often it is asked, what is told in the end, and the cure."""


@pytest.mark.parametrize("name", ENDED)
def test_what_ends_a_run_is_one_line_with_its_cure(ask: Callable[..., Drafted], name: str) -> None:
    tries, told, cure = ENDED[name]
    with serving((SPOILT | HOPELESS)[name], repeat=True) as server:
        drafted = ask(server, patience=0.3)
        assert len(server.chats) == tries
        assert drafted.error is not None
        assert told.format(host=server.url) in str(drafted.error)
        assert cure.format(host=server.url) in drafted.error.hint
    assert str(drafted.error).isprintable()
    assert drafted.candidates == []
    assert drafted.notes == [f"L0H0, write: {drafted.error}"] * tries
    assert drafted.unreached == [], "it was asked"


@pytest.mark.parametrize("name", slowly(list(SPOILT)[:4], but={"cut", "malformed"}))
def test_whole_programs_of_a_stream_that_breaks_off_are_used(
    ask: Callable[..., Drafted], name: str, tmp_path: Path
) -> None:
    def answer(request: Request) -> Reply | str:
        return (
            Reply(text=THREE, fault=SPOILT[name].fault, fault_after=THIRD)
            if step_of(request) == "write"
            else reply(code(70))
        )

    with serving(answer) as server:
        drafted = ask(server, Drafting(count=3, rounds=1, width=1), root=tmp_path)
        asked = len(server.chats)
        again = ask(server, Drafting(count=3, rounds=1, width=1), root=tmp_path)
        assert [step_of(request) for request in server.chats[:asked]] == ["write", "refine"]
        assert len(server.chats) == asked, "what broke off counts, and is not asked for again"
    write = drafted.exchanges[0]
    assert (write.answer.ending, write.problem, write.drafts) == ("broken", "", 2)
    assert codes(drafted)[:2] == [code(9), code(20)]
    assert drafted.error is None
    assert len(drafted.notes) == 1
    assert codes(again) == codes(drafted)


def test_a_stream_without_one_whole_program_is_none(ask: Callable[..., Drafted]) -> None:
    early = Reply(text=THREE, fault=Fault.CUT, fault_after=40)
    with serving(early, early) as server:
        assert ask(server).candidates == []


def test_programs_in_fences_are_taken_where_json_does_not_come(ask: Callable[..., Drafted]) -> None:
    with serving(PYTHON, "Like that.") as server:
        first = ask(server)
    with serving("No.", PYTHON) as server:
        second = ask(server)
    assert codes(first) == codes(second) == [code(9)]


@pytest.mark.parametrize(
    "said",
    slowly(["", "No.", "<think>Hm.</think>", '{"programs": []}', '{"programs": [{"code": "x"}]}'], but={"", "No."}),
)
def test_a_model_that_never_gives_a_program_is_told_and_the_run_ends_well(
    ask: Callable[..., Drafted], said: str
) -> None:
    with serving(said, repeat=True) as server:
        drafted = ask(server, Drafting(count=3, rounds=2))
        assert len(server.chats) == 2
    assert drafted.error is None
    assert drafted.candidates == []
    assert "asked for once more" in drafted.notes[0]
    assert "[ollama] model" in drafted.notes[1]
    assert all(note.isprintable() for note in drafted.notes)


def test_replies_that_are_too_long_are_told_with_what_allows_longer_ones(ask: Callable[..., Drafted]) -> None:
    with serving(Reply(thinking="Well. " * 500, text=THREE), repeat=True) as server:
        drafted = ask(server, reply_tokens=64)
    assert [exchange.answer.ending for exchange in drafted.exchanges] == ["length", "length"]
    assert "[ollama] reply_tokens" in drafted.notes[-1]


def test_programs_that_came_are_judged_though_the_next_question_fails(ask: Callable[..., Drafted]) -> None:
    with serving(PYTHON, Reply(status=500), Reply(status=500)) as server:
        drafted = ask(server)
    assert codes(drafted) == [code(9)]
    assert drafted.candidates[0].is_kept
    assert drafted.error is not None


def test_an_error_of_many_lines_is_told_in_one_that_changes_no_terminal(ask: Callable[..., Drafted]) -> None:
    page = "<html>\n  <b>502</b>\r\n\x1b[31mBad gateway\x07" + "x" * 5000
    with serving(Reply(status=502, error=page), repeat=True) as server:
        drafted = ask(server)
    told = str(drafted.error)
    assert told.startswith("Ollama refuses: <html> <b>502</b>")
    assert told.isprintable()
    assert len(told) < 400


@contextmanager
def talking(bodies: dict[str, bytes], *, closes_after: int = 100) -> Iterator[str]:
    """A server that answers each path with these bytes, and is gone after so many answers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = bodies[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name is given

        def log_message(self, *_: Any) -> None:
            """Silent."""

    def serve() -> None:
        with listening:
            for _ in range(closes_after):
                listening.handle_request()
                if closed.is_set():
                    return

    closed = threading.Event()
    listening = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    listening.timeout = 0.05
    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    closed.set()
    thread.join()


GOOD = {
    "/api/version": b'{"version": "1"}',
    "/api/tags": b'{"models": [{"model": "coder:latest"}]}',
    "/api/show": b'{"model_info": {"llama.context_length": 32768}}',
}


@pytest.mark.parametrize(
    "lines",
    slowly(
        [
            b"[]\n",
            b"3\n",
            b"null\n",
            b'{"message": 3, "done": false}\n',
            b'{"done": true}\n',
            b"\xff\xfe\n",
            b"<html></html>",
            b"",
        ],
        but={b"[]\n", b"\xff\xfe\n", b""},
    ),
)
def test_lines_that_are_not_ollama_s_end_a_run_as_other_faults_do(
    target: Target, sandbox: Sandbox, lines: bytes
) -> None:
    with (
        talking(GOOD | {"/api/chat": lines}) as url,
        StandIn() as unused,
        desk_for(unused, target, sandbox, host=url) as desk,
    ):
        drafted = draft_programs(desk, [HERE], ONCE)
    assert drafted.error is not None
    assert drafted.error.hint
    assert len(drafted.notes) == 2


@pytest.mark.parametrize("path", GOOD)
def test_answers_of_another_form_are_told_before_a_model_is_asked(target: Target, sandbox: Sandbox, path: str) -> None:
    with (
        talking(GOOD | {path: b'["version"]'}) as url,
        StandIn() as unused,
        desk_for(unused, target, sandbox, host=url) as desk,
        pytest.raises(OllamaError, match="is not Ollama's"),
    ):
        draft_programs(desk, [HERE], ONCE)


def test_halves_of_characters_in_an_answer_do_no_harm(target: Target, sandbox: Sandbox) -> None:
    said = json.dumps(f"\ud83d\n{PYTHON}\udc00")
    line = f'{{"message": {{"role": "assistant", "content": {said}}}, "done": true}}\n'.encode()
    with (
        talking(GOOD | {"/api/chat": line}) as url,
        StandIn() as unused,
        desk_for(unused, target, sandbox, host=url) as desk,
    ):
        drafted = draft_programs(desk, [HERE], ONCE)
    assert codes(drafted) == [code(9)]


def test_a_server_that_goes_away_between_two_questions_is_told(target: Target, sandbox: Sandbox) -> None:
    with (
        talking(GOOD, closes_after=1) as url,
        StandIn() as unused,
        desk_for(unused, target, sandbox, host=url) as desk,
        pytest.raises(OllamaError, match=r"nothing answers at|broke off") as caught,
    ):
        draft_programs(desk, [HERE], ONCE)
    assert caught.value.hint


def test_a_thread_that_fails_ends_the_run_and_nobody_waits(
    ask: Callable[..., Drafted], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Client, "chat", fail)
    with serving(THREE) as server, pytest.raises(ZeroDivisionError):
        ask(server)


@pytest.mark.parametrize("context", [8192, 8500])
def test_a_prompt_that_does_not_fit_the_model_is_told_with_both_lengths(
    ask: Callable[..., Drafted], context: int
) -> None:
    with serving(THREE, models={"coder": {"context_length": context}}) as server:
        drafted = ask(server, heads=(HERE, THERE), reply_tokens=8000)
        assert server.chats == []
    assert f"coder reads {context} tokens" in str(drafted.error)
    assert "up to 8000" in str(drafted.error)
    assert drafted.error is not None
    assert "[ollama] reply_tokens" in drafted.error.hint
    assert drafted.unreached == [HERE, THERE]


def test_a_program_too_long_to_go_back_ends_its_own_head_s_work_only(ask: Callable[..., Drafted]) -> None:
    long = f"def head(s):\n    # {'a long remark ' * 1500}\n    return 9 * s.previous(1) + s.first\n"

    def answer(request: Request) -> str:
        if step_of(request) == "refine":
            return reply(code(60, "s.itself"))
        return reply(long if head_of(request) == HERE else code(1, "s.itself"))

    with serving(answer, models={"coder": {"context_length": 16384}}) as server:
        drafted = ask(server, Drafting(count=1, rounds=1), heads=(HERE, THERE), reply_tokens=8000)
        assert [(head_of(request), step_of(request)) for request in server.chats][:2] == [
            (HERE, "write"),
            (THERE, "write"),
        ]
    assert drafted.error is None
    (note,) = drafted.notes
    assert note.startswith("L0H0, refine 1.1: coder reads 16384 tokens")
    assert "[ollama] reply_tokens" in note
    assert {candidate.head for candidate in drafted.kept} >= {HERE}


# ---- budgets ---------------------------------------------------------------------------------------------------------


def test_after_the_tokens_are_spent_nothing_more_is_asked(ask: Callable[..., Drafted], tmp_path: Path) -> None:
    wanted = Drafting(count=3, rounds=1, token_limit=100)
    with serving(ONE, repeat=True) as server:
        drafted = ask(server, wanted, heads=(HERE, THERE), root=tmp_path)
        assert len(server.chats) == 1
        assert drafted.spent
        assert drafted.error is None
        assert len(drafted.kept) == 1
        assert drafted.unreached == [THERE]
        assert drafted.tokens > 100
        more = ask(server, Drafting(count=3, rounds=1), heads=(HERE, THERE), root=tmp_path)
    assert not more.spent
    assert more.unreached == []
    assert more.candidates[:1] == drafted.candidates
    assert more.exchanges[0].earlier
    assert more.tokens == sum(
        exchange.answer.prompt_tokens + exchange.answer.reply_tokens for exchange in more.exchanges[1:]
    )


def test_at_the_end_of_its_time_a_run_stops_in_the_middle_of_an_answer_and_keeps_what_came(
    ask: Callable[..., Drafted], tmp_path: Path
) -> None:
    slow = Reply(text=THREE, token_s=0.005)  # 0.7 s in all
    with serving(slow, THREE) as server:
        started = time.monotonic()
        drafted = ask(server, Drafting(count=3, rounds=0, time_limit=0.6), heads=(HERE, THERE), root=tmp_path)
        assert time.monotonic() - started < 2.5
        assert drafted.spent
        assert drafted.error is None
        assert drafted.unreached == [THERE]
        more = ask(server, ONCE, root=tmp_path)
        assert len(server.chats) == 1
        assert server.chats[0].abandoned
    assert codes(more) in ([code(9)], [code(9), code(20)])
    assert more.exchanges[0].earlier
    assert more.exchanges[0].answer.ending == "stopped"


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if "_talk" in thread.name}


@pytest.mark.parametrize("limit", [0.001, 0.1])
def test_no_request_is_sent_after_the_end_of_a_run(
    ask: Callable[..., Drafted], limit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_PAUSE_S", 0.3)  # during which the time is up
    with serving(Reply(status=500), repeat=True) as server:
        drafted = ask(server, Drafting(time_limit=limit), heads=(HERE, THERE))
        asked = len(server.chats)
        until = time.monotonic() + 5
        while threads() and time.monotonic() < until:
            time.sleep(0.01)
        assert threads() == set()
        assert len(server.chats) == asked <= 1
    assert drafted.spent
    assert drafted.unreached == [HERE, THERE][asked:]


@pytest.mark.parametrize("limits", [{"time_limit": 0}, {"time_limit": -1}, {"token_limit": 0}])
def test_a_budget_of_nothing_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="not above zero"):
        Drafting(**limits)


@pytest.mark.parametrize("line", ["patience = 0", "patience = inf", "temperature = nan", "patience = -3"])
def test_numbers_that_no_server_can_be_asked_with_are_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "readhead.toml").write_text(f"[ollama]\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(f"ollama.{line}")) as caught:
        read_settings(tmp_path / "readhead.toml")
    assert caught.value.hint


def test_the_longest_patience_is_no_mistake(ask: Callable[..., Drafted]) -> None:
    with serving(ONE) as server:
        assert len(ask(server, patience=1e30).kept) == 1


# ---- several heads ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parallel", [1, 2])
def test_heads_are_asked_about_at_once_where_the_server_allows_it(ask: Callable[..., Drafted], parallel: int) -> None:
    def answer(request: Request) -> Reply:
        own = code(9) if head_of(request) == HERE else code(0)
        return Reply(text=reply(own), first_token_s=0.05)

    with serving(answer, parallel=2) as server:
        drafted = ask(server, heads=(HERE, THERE), parallel=parallel)
        assert server.slots.most_at_once == parallel
    assert {
        (each.head, each.number): source for each, source in zip(drafted.candidates, codes(drafted), strict=True)
    } == {
        (HERE, 1): code(9),
        (THERE, 1): code(0),
    }


@pytest.mark.slow
def test_what_ends_one_of_two_requests_ends_the_other_and_keeps_what_it_had(
    ask: Callable[..., Drafted], tmp_path: Path
) -> None:
    writing = threading.Event()

    def answer(request: Request) -> Reply:
        if head_of(request) == HERE:
            return Reply(text=THREE, token_s=0.005)
        writing.wait(5)
        return Reply(status=400, error="no")

    with serving(answer, parallel=2) as server:
        threading.Timer(0.7, writing.set).start()
        drafted = ask(server, heads=(HERE, THERE), root=tmp_path, parallel=2)
        assert str(drafted.error) == "Ollama refuses: no"
        more = ask(server, root=tmp_path)
        asked = [head_of(request) for request in server.chats]
    assert sorted(asked) == [HERE, THERE], "programs that were whole by then count"
    assert codes(more)[0] == code(9)


# ---- the notebook ----------------------------------------------------------------------------------------------------

TWICE = Drafting(count=3, rounds=1, width=1)


def test_what_was_answered_is_never_asked_for_again(ask: Callable[..., Drafted], tmp_path: Path) -> None:
    with serving(ONE, reply(code(80)), "No.", ONE) as server:
        first = ask(server, TWICE, heads=(HERE, THERE), root=tmp_path)
        asked = len(server.chats)
        again = ask(server, TWICE, heads=(THERE, HERE), root=tmp_path)
        assert asked == 4
        assert len(server.chats) == asked
    key = lambda candidate: (candidate.head, candidate.number)  # noqa: E731 - used twice, in a line
    assert sorted(again.candidates, key=key) == sorted(first.candidates, key=key)
    assert all(exchange.earlier for exchange in again.exchanges)
    assert not any(exchange.earlier for exchange in first.exchanges)
    assert again.tokens == 0 < first.tokens


@pytest.mark.parametrize(
    ("wanted", "settings"),
    [
        (Drafting(count=3, rounds=1, width=1, seed=1), {}),
        pytest.param(Drafting(count=4, rounds=1, width=1), {}, marks=pytest.mark.slow),
        pytest.param(Drafting(count=3, rounds=1, width=1, terms=4), {}, marks=pytest.mark.slow),
        pytest.param(TWICE, {"model": "other"}, marks=pytest.mark.slow),
        pytest.param(TWICE, {"temperature": 0.1}, marks=pytest.mark.slow),
        (TWICE, {"starts": {HERE: code(2, "s.itself")}}),
    ],
    ids=["seed", "count", "terms", "model", "temperature", "start"],
)
def test_what_is_asked_otherwise_is_another_run(
    ask: Callable[..., Drafted], wanted: Drafting, settings: dict[str, Any], tmp_path: Path
) -> None:
    with serving(ONE, repeat=True, models=MODELS | {"other": MODELS["coder"]}) as server:
        ask(server, TWICE, root=tmp_path)
        asked = len(server.chats)
        other = ask(server, wanted, root=tmp_path, **settings)
        assert len(server.chats) == asked + len(other.exchanges)
        assert len(other.exchanges) >= 2


def test_another_template_is_another_run_and_the_budget_and_patience_are_not(
    ask: Callable[..., Drafted], tmp_path: Path
) -> None:
    with serving(ONE, repeat=True) as server:
        ask(server, root=tmp_path)
        ask(server, Drafting(count=3, rounds=0, time_limit=60, token_limit=10**6), root=tmp_path, patience=9)
        assert len(server.chats) == 1
        (tmp_path / "prompts").mkdir()
        (tmp_path / "prompts" / "write.md").write_text("Only this: $summary $language $schema", encoding="utf-8")
        ask(server, root=tmp_path)
        assert len(server.chats) == 2
        assert prompt_of(server.chats[1]).startswith("Only this: 4 texts of 20 tokens")


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


@pytest.mark.parametrize("gracefully", [True, False], ids=["interrupted", "killed"])
@pytest.mark.parametrize("place", slowly(range(14), but={1, 5}))
def test_a_run_that_ends_anywhere_goes_on_as_if_it_had_not(
    place: int,
    target: Target,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    gracefully: bool,
) -> None:
    def answer(request: Request) -> str:
        return reply(code(9), code(20, "s.itself")) if step_of(request) == "write" else reply(code(70), "no Python")

    rows = 0

    def show(row: Row) -> None:
        nonlocal rows
        if row.stage in {"reads", "writes"}:
            return  # as often as the machine is slow
        rows += 1
        if rows == place + 1:
            raise Killed

    with serving(answer) as server:
        with desk_for(server, target, sandbox) as desk:
            whole = draft_programs(desk, [HERE], TWICE)
        sent = [prompt_of(request) for request in server.chats]
        with monkeypatch.context() as patch, desk_for(server, target, sandbox, tmp_path) as desk:
            if not gracefully:
                patch.setattr(schedule._Schedule, "_abandon", lambda _: None)
            with pytest.raises(Killed):
                draft_programs(replace(desk, show=show), [HERE], TWICE)
        with desk_for(server, target, sandbox, tmp_path) as desk:
            again = draft_programs(desk, [HERE], TWICE)
        assert [prompt_of(request) for request in server.chats] == sent * 2
    assert [(each.source, each.reason, each.iou) for each in again.candidates] == [
        (each.source, each.reason, each.iou) for each in whole.candidates
    ]


# ---- candidates ------------------------------------------------------------------------------------------------------


def test_every_candidate_is_counted_once_with_what_became_of_it(ask: Callable[..., Drafted]) -> None:
    written = {
        "kept": code(9),
        "refused": "import os\n\ndef head(s):\n    return s.first\n",
        "failed": "def head(s):\n    return s.first / (1 - s.first.max()) + undefined\n",
        "too large": "def head(s):\n    return " + " + ".join(["s.previous(1)"] * 40) + "\n",
        "duplicate": "def head(s):\n    return 18 * s.previous(1) + 2 * s.first\n",
        "far off": "def head(s):\n    return s.previous(3)\n",
    }
    with serving(reply(*written.values(), *(code(20 + number) for number in range(6)))) as server:
        drafted = ask(server, Drafting(count=2, rounds=0), heads=(HERE,))
    document = drafted.as_dict()
    reasons = [candidate["reason"] for candidate in document["candidates"]]
    assert reasons[:6] == ["kept", "refused", "refused", *reasons[3:6]]
    assert reasons[3:6] == ["too large", "duplicate", "far off"]
    assert reasons[6:] == ["surplus"] * 6
    assert document["found"] == len(reasons) == document["kept"] + sum(document["dropped"].values())
    assert document["kept"] == reasons.count("kept")
    assert document["dropped"] == {reason: reasons.count(reason) for reason in document["dropped"]}
    assert [candidate["number"] for candidate in document["candidates"]] == list(range(1, len(reasons) + 1))
    assert all(candidate["detail"] for candidate in document["candidates"] if candidate["reason"] != "kept")
    json.dumps(document, allow_nan=False)


@pytest.mark.slow
def test_a_program_that_looks_ahead_is_kept_and_never_chosen(ask: Callable[..., Drafted]) -> None:
    ahead = "def head(s):\n    return 9 * s.previous(1) + s.first * (s.n > 16)\n"
    with serving(reply(ahead, code(5))) as server:
        drafted = ask(server)
    assert [(each.is_kept, each.is_eligible) for each in drafted.candidates] == [(True, False), (True, True)]
    assert drafted.eligible(HERE) == [drafted.candidates[1]]
    assert "moves by" in drafted.candidates[0].look_ahead


def test_what_the_work_starts_from_stands_in_the_prompt_and_its_copies_are_duplicates(
    ask: Callable[..., Drafted],
) -> None:
    with serving(reply(code(9), code(20))) as server:
        drafted = ask(server, Drafting(count=2, rounds=0), starts={HERE: code(9)})
        assert "beat it" in prompt_of(server.chats[0])
        assert "9 * s.previous(1) + s.first" in prompt_of(server.chats[0])
    copy, other = drafted.candidates
    assert (copy.reason, other.reason) == ("duplicate", "kept")
    assert "the program it started from" in copy.detail


@pytest.mark.slow
def test_the_constants_of_the_best_are_fitted_once(ask: Callable[..., Drafted], tmp_path: Path) -> None:
    rough = "def head(s):\n    return softmax(4.0 * s.previous(1))\n"
    with serving(reply(rough)) as server:
        drafted = ask(server, root=tmp_path)
        again = ask(server, root=tmp_path)
    (candidate,) = drafted.candidates
    assert candidate.fitted
    assert candidate.iou is not None
    assert candidate.iou > 0.99
    assert "softmax(5" in candidate.source
    assert again.candidates == drafted.candidates


def test_a_rename_that_the_server_ends_is_told(target: Target, sandbox: Sandbox) -> None:
    with (
        serving(Reply(status=400, error="no")) as server,
        desk_for(server, target, sandbox) as desk,
        pytest.raises(OllamaError, match="Ollama refuses: no"),
    ):
        rename_programs(desk, [parse(code(9), name="x")])


# ---- going on --------------------------------------------------------------------------------------------------------


def test_programs_that_come_in_a_later_run_are_judged_whatever_the_first_run_made_of_the_reply_before(
    ask: Callable[..., Drafted], tmp_path: Path
) -> None:
    with serving(PYTHON, Reply(status=500), Reply(status=500)) as server:
        first = ask(server, root=tmp_path)
    assert first.error is not None
    assert codes(first) == [code(9)]
    with serving(reply(code(20), code(60))) as server:
        second = ask(server, root=tmp_path)
    assert codes(second) == [code(20), code(60)]
    assert all(candidate.iou is not None for candidate in second.candidates)


def test_more_rounds_ask_only_for_what_is_new_though_constants_were_fitted_meanwhile(
    ask: Callable[..., Drafted], tmp_path: Path
) -> None:
    free = ["def head(s):\n    return 9.0 * s.previous(1) + 3.0 * s.first\n", code(20)]
    asked: list[str] = []

    def answer(request: Request) -> str:
        asked.append(step_of(request))
        return reply(*free) if asked == ["write"] else reply(code(100 + len(asked)))

    with serving(answer) as server:
        first = ask(server, Drafting(count=3, rounds=0), root=tmp_path)
        assert any(candidate.first_source for candidate in first.candidates)
        ask(server, Drafting(count=3, rounds=1, width=1), root=tmp_path)
        last = ask(server, Drafting(count=3, rounds=1, width=2), root=tmp_path)
    assert asked == ["write", "refine", "refine"]
    assert [exchange.earlier for exchange in last.exchanges] == [True, True, False]
    refined = [prompt_of(request).partition("# A program for it")[2] for request in server.chats[1:]]
    assert "20 * s.previous(1)" in refined[0]
    assert "9.0 * s.previous(1)" in refined[1]  # as it was judged, not as it was fitted


def test_programs_for_which_there_is_no_time_are_counted(
    ask: Callable[..., Drafted], monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []
    judge = Judge.judge

    def judging(self: Judge, candidate: Candidate, watch: Any) -> Candidate:
        judged.append(candidate.source)
        return judge(self, candidate, watch)

    monkeypatch.setattr(Judge, "judge", judging)
    monkeypatch.setattr(Run, "is_late", property(lambda _: bool(judged)))
    with serving(THREE) as server:
        drafted = ask(server)
    assert (len(drafted.candidates), drafted.unjudged) == (1, 2)
    assert drafted.spent
    assert any("before 2 programs were judged" in note for note in drafted.notes)


def test_tokens_of_answers_that_broke_off_count_too(ask: Callable[..., Drafted]) -> None:
    with serving(Reply(text=THREE, fault=Fault.CUT, fault_after=5), THREE) as server:
        drafted = ask(server)
        whole = next(exchange.answer for exchange in drafted.exchanges if exchange.drafts)
    assert drafted.tokens > whole.prompt_tokens + whole.reply_tokens
    assert [exchange.drafts for exchange in drafted.exchanges] == [0, 3]

"""Forty replies of a language model, good, bad and hostile, served to a run: what becomes of every program in them."""

from __future__ import annotations

import http.server
import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import types
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from core.planted_patterns import plant_patterns, stories
from core.sandbox_processes import children_of
from core.written_replies import HEADS, REPLIES, WANTED, Written, WrittenReply
from ollama_stand_in import Model, StandIn
from readhead import language
from readhead.corpus import Sizes
from readhead.display import as_html, synthesis_view
from readhead.heads import HeadId
from readhead.library import Target, score_pairs
from readhead.sandbox import Limits, Sandbox
from readhead.scores import HeadScore
from readhead.settings import OllamaSettings, Settings
from readhead.synthesis.ollama.candidates import Candidate
from readhead.synthesis.ollama.client import Client, Question
from readhead.synthesis.ollama.notebook import is_settled
from readhead.synthesis.ollama.prompts import Prompts
from readhead.synthesis.ollama.ranked import Ranked
from readhead.synthesis.ollama.run import Desk, Drafted, Row
from readhead.synthesis.ollama.schedule import draft_programs
from readhead.synthesis.ollama.views import drafted_view
from readhead.synthesis.outcome import Synthesis
from readhead.workspace import Workspace

SECRET = "the canary sings"
GOOD = 0.95
WIDTH = 110


class Canaries:
    """What hostile code goes for: a folder with a secret, the environment, a port, modules, this process's children."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        secret = folder / "secret"
        secret.write_text(SECRET)
        os.utime(secret, (1e9, 2e9))  # read before it was written: file systems note the next reading
        os.environ["READHEAD_CANARY"] = "untouched"
        self.module = types.ModuleType("canary_module")
        vars(self.module)["state"] = "untouched"
        sys.modules["canary_module"] = self.module
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0)
        self._names = [(owner, name) for owner in (np, language) for name in vars(owner)]
        self._children = _children()
        self._before = self._state()

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    def touched(self) -> list[str]:
        """What is no longer as it was."""
        now = self._state()
        return [name for name, state in self._before.items() if now[name] != state]

    def close(self) -> None:
        self._listening.close()
        del sys.modules["canary_module"]
        os.environ.pop("READHEAD_CANARY", None)

    def _state(self) -> dict[str, object]:
        facts = ((path, path.lstat()) for path in sorted(self.folder.rglob("*")))
        return {
            "files": [(path, fact.st_size, fact.st_mtime_ns, fact.st_atime_ns) for path, fact in facts],
            "environment": {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
            "connections": self._connections(),
            "module": dict(vars(self.module)),
            "functions": [id(vars(owner).get(name)) for owner, name in self._names],
            "children": sorted(_children() - self._children),
        }

    def _connections(self) -> int:
        try:
            self._listening.accept()[0].close()
        except BlockingIOError:
            return 0
        return 1


def _children() -> set[int]:
    """Of this process; nothing is known of them but on Linux."""
    return set(children_of(os.getpid())) if sys.platform == "linux" else set()


@dataclass(frozen=True)
class Answered:
    """What came of a run."""

    target: Target
    replies: dict[HeadId, tuple[WrittenReply, ...]]
    drafted: Drafted
    again: Drafted
    """The same run in the same workspace, opened anew."""
    prompts: list[str]
    """Of all requests, in their order."""
    asked_again: int
    left: int
    """Replies that nobody asked for."""
    rows: list[Row]
    held_out: dict[tuple[HeadId, int], HeadScore]
    """Of the kept candidates, by head and number."""
    touched: list[str]
    database: bytes

    def of_step(self, head: HeadId, step: str) -> list[Candidate]:
        return [each for each in self.drafted.candidates if (each.head, each.step) == (head, step)]

    def pairs(self) -> Iterator[tuple[WrittenReply, Written, Candidate]]:
        """Each program that was written with the candidate that it became."""
        for head, replies in self.replies.items():
            steps: dict[str, list[tuple[WrittenReply, Written]]] = defaultdict(list)
            for reply in replies:
                steps[reply.step.removesuffix(", again")] += [(reply, program) for program in reply.programs]
            for step, written in steps.items():
                found = self.of_step(head, step)
                assert len(found) == len(written), (head, step)
                yield from ((reply, program, one) for (reply, program), one in zip(written, found, strict=True))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    corpus = stories(Sizes(fit=8, dev=4, held_out=4, length=32))
    return plant_patterns(tmp_path_factory.mktemp("planted") / "patterns.f16", corpus, HEADS)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that takes a word for a token, however long: 200 KB come in a moment."""
    words = Tokenizer(WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = Whitespace()
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    words.save(str(path))
    return path


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("the last comma", "content words"), id="two heads", marks=pytest.mark.slow),
        pytest.param(tuple(HEADS), id="four heads", marks=pytest.mark.slow),
    ],
)
def answered(
    request: pytest.FixtureRequest, target: Target, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory
) -> Answered:
    with closing(Canaries(tmp_path_factory.mktemp("answered") / "canaries")) as canaries:
        return answer(canaries, target, tokenizer, request.param)


def answer(canaries: Canaries, target: Target, tokenizer: Path, names: tuple[str, ...]) -> Answered:
    """Serve the replies for some of the heads to a run, then the same run again."""
    ids = dict(zip(HEADS, target.geometry.head_ids(), strict=True))
    replies = {ids[name]: REPLIES[name] for name in names}
    served = [reply.served(str(canaries.folder), canaries.port) for own in replies.values() for reply in own]
    model = Model(context_length=65536, capabilities=("completion", "thinking"), tokenizer=tokenizer)
    root = canaries.folder.parent / "workspace"
    rows: list[Row] = []
    with StandIn(served, {"coder": model}) as server:
        settings = OllamaSettings("coder", server.url, reply_tokens=8192)

        def drafted() -> Drafted:
            with Workspace(root, Settings()) as workspace:
                desk = Desk(target, settings, workspace, sandbox, Prompts.load(), rows.append)
                return draft_programs(desk, list(replies), WANTED)

        with Sandbox(limits=Limits(seconds=0.5), allow_reduced=sys.platform != "linux") as sandbox:
            first = drafted()
            asked = len(server.chats)
            again = drafted()
            scores = score_pairs([(each.program, each.head) for each in first.kept], target, sandbox)
        return Answered(
            target=target,
            replies=replies,
            drafted=first,
            again=again,
            prompts=[chat.messages[1]["content"] for chat in server.chats],
            asked_again=len(server.chats) - asked,
            left=server.left,
            rows=rows,
            held_out={(each.head, each.number): score for each, score in zip(first.kept, scores, strict=True)},
            touched=canaries.touched(),
            database=b"".join(path.read_bytes() for path in (root / ".readhead").glob("*sqlite*")),
        )


def test_there_are_forty_replies_each_with_a_name_of_its_own() -> None:
    names = [reply.name for replies in REPLIES.values() for reply in replies]
    assert len(set(names)) == len(names) == 40
    assert list(REPLIES) == list(HEADS)


def test_every_reply_is_served_for_the_question_that_it_answers(answered: Answered) -> None:
    asked = [(head, reply.step) for head, replies in answered.replies.items() for reply in replies]
    assert [(exchange.about, exchange.step) for exchange in answered.drafted.exchanges] == asked
    assert len(answered.prompts) == len(asked)
    assert answered.left == 0
    assert answered.drafted.error is None


def test_what_is_wrong_with_a_reply_is_told_and_the_next_prompt_says_it(answered: Answered) -> None:
    replies = [reply for own in answered.replies.values() for reply in own]
    notes = " ".join(answered.drafted.notes)
    for place, (reply, exchange) in enumerate(zip(replies, answered.drafted.exchanges, strict=True)):
        assert reply.problem in exchange.problem, reply.name
        assert bool(reply.problem) == bool(exchange.problem), reply.name
        if exchange.problem and not reply.step.endswith("again"):
            assert f"and cannot be used: {exchange.problem}" in answered.prompts[place + 1], reply.name
            assert exchange.problem in notes


def test_every_program_becomes_what_it_must(answered: Answered) -> None:
    for reply, written, found in answered.pairs():
        assert (reply.name, found.reason, found.detail) == (reply.name, written.reason, found.detail)
        assert written.why in found.detail, reply.name
        assert bool(found.look_ahead) == written.looks_ahead, (reply.name, written.code)
        assert found.failed == written.failed, (reply.name, written.code)


def test_what_is_dropped_tells_why_in_a_line(answered: Answered) -> None:
    for candidate in answered.drafted.candidates:
        assert candidate.detail.isprintable()
        assert bool(candidate.detail) == (not candidate.is_kept), candidate
    seen = {candidate.reason for candidate in answered.drafted.candidates}
    assert seen >= {"kept", "refused", "failed", "far off", "surplus"}


def test_the_numbers_add_up(answered: Answered) -> None:
    document = json.loads(json.dumps(answered.drafted.as_dict(), allow_nan=False))
    assert document["found"] == len(document["candidates"]) == document["kept"] + sum(document["dropped"].values())
    assert document["found"] == sum(len(reply.programs) for own in answered.replies.values() for reply in own)
    assert document["kept"] == sum(each["reason"] == "kept" for each in document["candidates"])
    for head in answered.replies:
        numbers = [each["number"] for each in document["candidates"] if each["head"] == str(head)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_planted_heads_are_found_after_refinement_and_fitting(answered: Answered) -> None:
    for head in answered.replies:
        best, *others = answered.drafted.eligible(head)
        assert best.fitted
        assert best.step.startswith("refine")
        assert best.iou is not None
        assert best.iou >= GOOD
        assert answered.held_out[head, best.number].iou >= GOOD
        assert all(best.jsd <= (other.jsd or 0.0) for other in others if best.jsd is not None)


def test_some_are_good_only_once_their_constants_are_fitted(answered: Answered) -> None:
    reached: dict[tuple[object, str], list[float]] = defaultdict(list)
    for row in answered.rows:
        if row.iou is not None:
            reached[row.about, row.name].append(row.iou)
    assert any(values[0] < GOOD <= values[-1] for values in reached.values())


def test_what_looks_ahead_is_kept_marked_and_never_chosen(answered: Answered) -> None:
    ahead = [candidate for candidate in answered.drafted.kept if candidate.look_ahead]
    assert len(ahead) == 3
    for candidate in ahead:
        assert not candidate.is_eligible
        assert candidate not in answered.drafted.eligible(candidate.head)
        assert re.fullmatch(r"row \d+ \(.+\) moves by .+ when the tokens after it are .+", candidate.look_ahead)


def test_nothing_that_a_model_claims_is_taken_over(answered: Answered) -> None:
    forged = [each for each in answered.drafted.candidates if re.search("(?m)^# .*recorded", each.source)]
    assert [each.reason for each in forged] == ["refused"], "of two blocks of metadata one is left, and counts for none"
    for candidate in answered.drafted.candidates:
        metadata = candidate.program.metadata
        assert metadata.recorded is None
        if metadata.heads:
            assert (metadata.heads, metadata.category) == ((candidate.head,), "mixed")


def test_explanations_are_one_line_that_says_what_the_model_said(answered: Answered) -> None:
    for _, written, found in answered.pairs():
        docstring, _, rest = found.source.partition('"""\n\n# /// script\n')
        explanation = found.program.explanation
        assert docstring == f'"""{explanation}'
        assert explanation.isprintable()
        assert rest
        assert 0 < len(explanation) <= 300
        if written.says.isprintable() and not set(written.says) & set('"\\') and len(written.says) <= 300:
            assert explanation == (written.says or explanation)


def test_no_canary_was_touched(answered: Answered) -> None:
    assert answered.touched == []
    assert not any(SECRET in text for text in answered.prompts)
    assert b"softmax(3.0 * s.first)" in answered.database
    assert SECRET.encode() not in answered.database


def test_a_second_run_asks_nothing_and_brings_the_same(answered: Answered) -> None:
    assert answered.asked_again == 0
    assert answered.again.candidates == answered.drafted.candidates
    assert all(exchange.earlier for exchange in answered.again.exchanges)
    assert (answered.again.tokens, answered.again.error) == (0, None)


@pytest.mark.slow
def test_a_second_run_loses_nothing_where_fitting_has_made_two_programs_one(target: Target, tmp_path: Path) -> None:
    scores = (
        ("4.0 * s.previous(1) + 1.5 * s.same_word", "6.0 * s.previous(1)"),
        ("4.5 * s.previous(1) + 2.0 * s.same_word",),  # fitted, it is the first
        ("5.0 * s.previous(1) + 1.0 * s.first",),
        ("4.0 * s.previous(1) + 0.7 * s.itself",),
        ("4.0 * s.previous(1) + 0.5 * s.key.is_short",),
    )
    replies = [
        json.dumps(
            {"programs": [{"explanation": "", "code": f"def head(s):\n    return softmax({x})\n"} for x in each]}
        )
        for each in scores
    ]
    with (
        StandIn(replies, {"coder": Model(context_length=65536)}) as server,
        Workspace(tmp_path, Settings()) as workspace,
        Sandbox(allow_reduced=sys.platform != "linux") as sandbox,
    ):
        desk = Desk(target, OllamaSettings("coder", server.url), workspace, sandbox, Prompts.load())
        wanted = replace(WANTED, count=2, rounds=2)
        first, again = (draft_programs(desk, [HeadId(0, 0)], wanted) for _ in range(2))
    sources = [candidate.source for candidate in first.candidates]
    assert sources[0] == sources[2]
    assert len(sources) == 6
    assert again.candidates == first.candidates


def drawn(view: Any) -> str:
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None)
    console.print(view)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_nothing_that_a_model_says_breaks_a_table(answered: Answered) -> None:
    candidates = answered.drafted.candidates
    ranked = [Ranked(each, each.iou or 0.0, 2, 3, each.program, 1.0) for each in answered.drafted.kept]
    shown = drawn(drafted_view(answered.drafted, ranked))
    assert len(re.findall(r"(?m)^L0H\d +\d+ ", shown)) == len(candidates)
    assert "[bold red]Looks[/bold red]" in " ".join(shown.split())
    corpus, scores = answered.target.corpus, tuple(answered.held_out.values())
    synthesis = Synthesis(
        "planted", corpus, "locked", scores, (), (), (), 1, (), {}, answered.drafted, tuple(ranked)
    )  # fmt: skip
    whole = drawn(synthesis_view(synthesis))
    for text in (shown, whole):
        assert all(line.isprintable() for line in text.split("\n"))
        assert max(len(line) for line in text.split("\n")) <= WIDTH
    assert "<script>" not in as_html(synthesis)
    assert all(row.stage.isprintable() and row.name.isprintable() for row in answered.rows)


def steal(canaries: Canaries, _: pytest.MonkeyPatch) -> None:
    (canaries.folder / "stolen").touch()


def connect(canaries: Canaries, _: pytest.MonkeyPatch) -> None:
    socket.create_connection(("127.0.0.1", canaries.port)).close()


def set_environment(_: Canaries, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("READHEAD_CANARY", "touched")


def set_module(canaries: Canaries, _: pytest.MonkeyPatch) -> None:
    vars(canaries.module)["state"] = "touched"


def set_function(_: Canaries, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(np, "where", np.ones)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (steal, "files"),
        (connect, "connections"),
        (set_environment, "environment"),
        (set_module, "module"),
        (set_function, "functions"),
    ],
)
def test_the_canaries_notice_what_is_done_to_them(
    harm: Callable[[Canaries, pytest.MonkeyPatch], None], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Canaries(tmp_path / "canaries")) as canaries:
        assert canaries.touched() == []
        harm(canaries, monkeypatch)
        assert canaries.touched() == [told]


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process tells of its children")
def test_the_canaries_notice_a_child(tmp_path: Path) -> None:
    with closing(Canaries(tmp_path / "canaries")) as canaries:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            assert canaries.touched() == ["children"]
            child.communicate(b"\n")
        assert canaries.touched() == []


# ---- what Ollama itself never sends ----------------------------------------------------------------------------------


@pytest.fixture
def other_server() -> Iterator[Callable[[int, bytes], str]]:
    """Starts something that answers every POST with one status and body; its address."""
    started: list[http.server.HTTPServer] = []

    def serve(status: int, body: bytes) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silent."""

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in started:
        server.shutdown()
        server.server_close()


def ask(url: str) -> Any:
    with Client(OllamaSettings("coder", url)) as client:
        return client.chat(Question("system", "prompt", {}), window=4096, listen=lambda *_: True)


def test_a_character_in_two_halves_is_put_together_and_a_half_alone_replaced(
    other_server: Callable[[int, bytes], str],
) -> None:
    pieces = ('{"programs": [', "\ud83d", "\ude00", "\ud83d")
    lines = [{"message": {"role": "assistant", "content": piece}, "done": False} for piece in pieces]
    answer = ask(other_server(200, b"".join(json.dumps(line).encode() + b"\n" for line in lines)))
    assert answer.text == '{"programs": [\N{GRINNING FACE}\N{REPLACEMENT CHARACTER}'
    assert answer.ending == "broken"
    assert not is_settled(answer)


def test_an_error_is_told_in_a_line_whatever_the_server_says(other_server: Callable[[int, bytes], str]) -> None:
    answer = ask(
        other_server(502, b"<html>\r\n<h1>Bad Gateway\x1b[2J</h1>\r\n" + b"<p>nginx</p>" * 100 + b"</html>\r\n")
    )
    assert "<h1>Bad Gateway" in str(answer.error)
    assert str(answer.error).isprintable()
    assert len(str(answer.error)) < 400

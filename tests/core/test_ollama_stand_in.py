from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest

from core.tokenizers_in_tests import sentencepiece
from ollama_stand_in import Fault, Model, Reply, Request, ScriptError, StandIn, Truncation
from ollama_stand_in.prompt import count, fit, pieces, render

ANSWER = "def head(s):\n    return softmax(-1.0 * s.distance)  # né 🙂\n"
STORIES = Path(__file__).parents[3] / "shared" / "models" / "stories260K" / "tokenizer.json"
TOKENIZERS = {
    "bundled": Model().counter,
    "llama": sentencepiece().backend_tokenizer,
    **({"stories": Model(tokenizer=STORIES).counter} if STORIES.is_file() else {}),
}
USER = [{"role": "user", "content": "Which tokens does this head look at?"}]


clients: dict[str, ollama.Client] = {}


@pytest.fixture(autouse=True)
def clients_are_closed() -> Iterator[None]:
    yield
    while clients:
        clients.popitem()[1].close()


def client(server: StandIn, timeout: float = 5.0) -> ollama.Client:
    """The server's only one: each reads the machine's certificates, which takes a while."""
    if server.url not in clients:
        clients[server.url] = ollama.Client(host=server.url, timeout=timeout)
    return clients[server.url]


def plain(server: StandIn) -> httpx.Client:
    return client(server)._client


def text_of(chunks: Any) -> str:
    return "".join(chunk.message.content or "" for chunk in chunks)


def asked(server: StandIn, body: bytes | dict[str, Any], path: str = "/api/chat") -> tuple[int, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = plain(server).post(path, content=content)
    return answer.status_code, answer.json()["error"]


def refused(call: Callable[[], Any]) -> ollama.ResponseError:
    with pytest.raises(ollama.ResponseError) as error:
        call()
    return error.value


def test_root_and_version_are_as_documented() -> None:
    with StandIn(version="0.5.1") as server:
        assert plain(server).get("/").text == "Ollama is running"
        assert plain(server).head("/").status_code == 200
        assert plain(server).get("/api/version").json() == {"version": "0.5.1"}
        assert plain(server).get("/api/none").status_code == 404
        assert plain(server).get("/api/chat").status_code == 405


def test_models_are_listed_and_shown_under_their_full_names() -> None:
    thinker = Model(context_length=2048, capabilities=("completion", "thinking"), parameters={"num_ctx": 1024})
    with StandIn(models={"tiny": {}, "qwen3:4b": thinker}) as server:
        listed = client(server).list().models
        assert [model.model for model in listed] == ["tiny:latest", "qwen3:4b"]
        assert listed[0].details is not None
        assert listed[0].details.family == "llama"
        for name in ("tiny", "tiny:latest", "TINY"):
            shown = client(server).show(name)
            assert shown.modelinfo is not None
            assert shown.modelinfo["llama.context_length"] == 8192
            assert shown.capabilities == ["completion"]
        assert client(server).show("qwen3:4b").parameters == f"{'num_ctx':<30} 1024"
        assert client(server).show("qwen3:4b").capabilities == ["completion", "thinking"]


def test_a_stream_joined_is_the_reply_and_its_last_line_counts() -> None:
    with StandIn([ANSWER]) as server:
        chunks = list(client(server).chat("tiny", USER, stream=True))
        assert text_of(chunks) == ANSWER
        assert [chunk.done for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        last = chunks[-1]
        assert last.done_reason == "stop"
        assert last.eval_count == len(chunks) - 1
        assert last.prompt_eval_count == count(Model().counter, render(USER))
        for duration in (last.total_duration, last.prompt_eval_duration, last.eval_duration):
            assert duration is not None
            assert duration > 0


def test_an_answer_in_one_piece_is_the_stream_joined() -> None:
    with StandIn([ANSWER, ANSWER]) as server:
        whole = client(server).chat("tiny:latest", USER)
        *_, last = client(server).chat("tiny", USER, stream=True)
        assert whole.message.content == ANSWER
        assert (whole.eval_count, whole.prompt_eval_count) == (last.eval_count, last.prompt_eval_count)


def test_the_record_holds_all_requests_with_their_bodies() -> None:
    with StandIn([ANSWER]) as server:
        client(server).list()
        options = {"num_ctx": 2048, "temperature": 0, "seed": 1, "num_predict": 900}
        schema = {"type": "object"}
        client(server).chat("tiny", USER, options=options, format=schema, keep_alive="10m")
        assert [(request.method, request.path) for request in server.requests] == [
            ("GET", "/api/tags"),
            ("POST", "/api/chat"),
        ]
        (chat,) = server.chats
        assert chat.options == options
        assert chat.messages == USER
        assert chat.body["format"] == schema
        assert server.left == 0


def test_num_predict_cuts_the_answer_and_says_length() -> None:
    with StandIn([ANSWER, ANSWER]) as server:
        answer = client(server).chat("tiny", USER, options={"num_predict": 3})
        assert (answer.eval_count, answer.done_reason) == (3, "length")
        assert answer.message.content
        assert ANSWER.startswith(answer.message.content)
        assert client(server).chat("tiny", USER, options={"num_predict": -1}).message.content == ANSWER


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)
def test_pieces_joined_are_the_text(tokenizer: Any) -> None:
    for text in (ANSWER, "", "🙂🙂 né", "\n\n  x"):
        assert "".join(pieces(tokenizer, text)) == text


def test_a_prompt_beyond_the_window_is_cut_to_half_of_it_without_an_error() -> None:
    long = [{"role": "system", "content": "First."}, {"role": "user", "content": "the dog ran home " * 1500}]
    sent = count(Model().counter, render(long))
    assert sent > 4096
    with StandIn([ANSWER] * 3) as server:
        assert client(server).chat("tiny", long).prompt_eval_count in (2050, 2051)
        assert client(server).chat("tiny", long, options={"num_ctx": 8192}).prompt_eval_count == sent
        assert client(server).chat("tiny", long, options={"num_ctx": 512}).prompt_eval_count in (258, 259)
        first, second, _ = server.chats
        assert first.read is not None
        assert second.read is not None
        assert first.read.sent == sent
        assert "First." not in first.read.text
        assert first.read.text.endswith("the dog ran home \n<|assistant|>\n")
        assert second.read.text == render(long)


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)
def test_what_is_read_of_one_long_message_is_its_beginning_and_its_end(tokenizer: Any) -> None:
    words = " ".join(str(number) for number in range(400))
    prompt = render([{"role": "user", "content": words}])
    read = fit([{"role": "user", "content": words}], tokenizer, 256, 20, Truncation.HALF)
    assert read.tokens in (138, 139), "the tokens that are kept, and half of the others; one more of a beginning"
    assert prompt.startswith(read.text[:12])
    assert prompt.endswith(read.text[-60:])
    assert abs(count(tokenizer, read.text) - read.tokens) <= 3, "the seam is tokenized anew"


def test_servers_before_0_30_cut_a_prompt_to_all_of_the_window() -> None:
    long = [{"role": "user", "content": "the dog ran home " * 500}]
    with StandIn([ANSWER], truncation=Truncation.WINDOW) as server:
        assert client(server).chat("tiny", long, options={"num_ctx": 512}).prompt_eval_count == 512


def test_old_messages_go_before_tokens_do_and_system_messages_stay() -> None:
    old = {"role": "user", "content": "the dog ran home " * 100}
    system = {"role": "system", "content": "Be short."}
    read = fit([system, old, *USER], Model().counter, 200, 4, Truncation.HALF)
    assert read.text == render([system, *USER])
    assert read.tokens == count(Model().counter, read.text) < read.sent


def test_a_window_beyond_the_model_s_context_is_lowered_to_it() -> None:
    with StandIn([ANSWER], models={"tiny": {"context_length": 64}}) as server:
        many = [{"role": "user", "content": "a dog " * 200}]
        answer = client(server).chat("tiny", many, options={"num_ctx": 8192})
        assert answer.prompt_eval_count is not None
        assert answer.prompt_eval_count < 64


def test_a_request_that_forbids_truncation_is_refused() -> None:
    with StandIn([ANSWER]) as server:
        long = [{"role": "user", "content": "a dog " * 500}]
        body = {"model": "tiny", "messages": long, "truncate": False, "options": {"num_ctx": 128}}
        status, error = asked(server, body)
        assert status == 400
        assert json.loads(error)["error"]["n_ctx"] == 128


def test_thinking_is_a_field_of_models_that_can_and_tags_of_others() -> None:
    reply = Reply(text=ANSWER, thinking="The previous token.")
    tagged = f"<think>\nThe previous token.\n</think>\n\n{ANSWER}"
    models = {"plain": {}, "thinker": {"capabilities": ("completion", "thinking")}}
    with StandIn([reply] * 5 + [Reply(text=ANSWER, thinking="The previous token.", tagged=True)], models) as server:
        message = client(server).chat("thinker", USER).message
        assert (message.thinking, message.content) == ("The previous token.", ANSWER)
        chunks = list(client(server).chat("thinker", USER, think=True, stream=True))
        assert "".join(chunk.message.thinking or "" for chunk in chunks) == "The previous token."
        assert text_of(chunks) == ANSWER
        message = client(server).chat("thinker", USER, think=False).message
        assert (message.thinking, message.content) == (None, ANSWER)
        assert client(server).chat("plain", USER).message.content == tagged
        assert client(server).chat("plain", USER, think=False).message.content == tagged
        assert client(server).chat("thinker", USER).message.content == tagged
        error = refused(lambda: client(server).chat("plain", USER, think=True))
        assert (error.status_code, error.error) == (400, '"plain" does not support thinking')


def test_fenced_and_empty_replies() -> None:
    with StandIn([Reply(text=ANSWER, fence="python"), "", ""]) as server:
        assert client(server).chat("tiny", USER).message.content == f"```python\n{ANSWER}```"
        empty = client(server).chat("tiny", USER)
        assert (empty.message.content, empty.eval_count, empty.done) == ("", None, True)
        assert [chunk.done for chunk in client(server).chat("tiny", USER, stream=True)] == [True]


def test_a_cut_stream_breaks_off_after_its_chunks() -> None:
    with StandIn([Reply(text=ANSWER, fault=Fault.CUT, fault_after=3)] * 2) as server:
        got: list[Any] = []
        with pytest.raises(httpx.RemoteProtocolError):
            deque(map(got.append, client(server).chat("tiny", USER, stream=True)))
        assert len(got) == 3
        with pytest.raises(httpx.RemoteProtocolError):
            client(server).chat("tiny", USER)


def test_an_unfinished_stream_ends_without_done() -> None:
    with StandIn([Reply(text=ANSWER, fault=Fault.UNFINISHED, fault_after=2)]) as server:
        assert [chunk.done for chunk in client(server).chat("tiny", USER, stream=True)] == [False, False]


@pytest.mark.parametrize("stream", [True, False])
def test_a_malformed_line_is_no_json(stream: bool) -> None:  # noqa: FBT001 - pytest passes by name
    with StandIn([Reply(text=ANSWER, fault=Fault.MALFORMED)]) as server, pytest.raises(json.JSONDecodeError):
        list(client(server).chat("tiny", USER, stream=stream))


def test_an_error_in_the_stream_has_no_status_and_one_before_it_has() -> None:
    killed = Reply(text=ANSWER, fault=Fault.ERROR, error="an error was encountered while running the model")
    at_once = Reply(text=ANSWER, fault=Fault.ERROR, fault_after=0)
    with StandIn([killed, killed, at_once]) as server:
        error = refused(lambda: list(client(server).chat("tiny", USER, stream=True)))
        assert (error.status_code, error.error) == (-1, "an error was encountered while running the model")
        assert refused(lambda: client(server).chat("tiny", USER)).status_code == 500
        assert refused(lambda: list(client(server).chat("tiny", USER, stream=True))).status_code == 500


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, "llama runner process has terminated: signal: killed"),
        (503, "server busy, please try again.  maximum pending requests exceeded"),
    ],
)
def test_http_errors_of_a_reply_come_before_any_line(status: int, message: str) -> None:
    with StandIn([Reply(status=status), Reply(status=status)]) as server:
        for stream in (False, True):
            error = refused(lambda stream=stream: list(client(server).chat("tiny", USER, stream=stream)))
            assert (error.status_code, error.error) == (status, message)


def test_nothing_arrives_before_the_first_token() -> None:
    with StandIn([Reply(text=ANSWER, first_token_s=30.0)]) as server:
        begun = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            client(server, timeout=0.05).chat("tiny", USER)
        while not server.chats[0].abandoned:
            assert time.monotonic() < begun + 5
            time.sleep(0.005)


def test_loading_takes_its_time_once_for_each_window() -> None:
    with StandIn([ANSWER] * 3, models={"tiny": {"load_s": 0.06}}) as server:
        durations = [
            client(server).chat("tiny", USER, options={"num_ctx": num_ctx}).load_duration for num_ctx in (512, 512, 256)
        ]
        first, again, other = durations
        assert first is not None
        assert again is not None
        assert other is not None
        assert min(first, other) >= 60_000_000 > again


def test_ps_shows_what_keep_alive_keeps() -> None:
    with StandIn([ANSWER] * 3) as server:
        assert client(server).ps().models == []
        client(server).chat("tiny", USER, keep_alive=-1, options={"num_ctx": 1024})
        (loaded,) = client(server).ps().models
        assert (loaded.name, loaded.context_length) == ("tiny:latest", 1024)
        client(server).chat("tiny", USER, keep_alive=0)
        assert client(server).ps().models == []
        assert client(server).chat("tiny", []).done_reason == "load"
        assert len(client(server).ps().models) == 1
        assert client(server).chat("tiny", [], keep_alive=0).done_reason == "unload"
        assert client(server).ps().models == []
        assert server.left == 1


def test_pulling_shows_progress_and_brings_the_model() -> None:
    with StandIn([ANSWER], models={}, pullable={"tiny": {}}) as server:
        lines = list(client(server).pull("tiny", stream=True))
        assert [lines[0].status, lines[-1].status] == ["pulling manifest", "success"]
        layers = {line.digest for line in lines if line.digest}
        assert len(layers) == 2
        for digest in layers:
            done = [line.completed or 0 for line in lines if line.digest == digest]
            total = next(line.total for line in lines if line.digest == digest)
            assert done == sorted(done)
            assert done[-1] == total
        assert client(server).chat("tiny", USER).message.content == ANSWER
        assert client(server).pull("tiny").status == "success"


def test_pulling_what_nobody_has_is_an_error() -> None:
    with StandIn() as server:
        message = "pull model manifest: file does not exist"
        error = refused(lambda: client(server).pull("none"))
        assert (error.status_code, error.error) == (500, message)
        assert refused(lambda: list(client(server).pull("none", stream=True))).error == message


def test_a_model_that_is_not_there_is_named_as_it_was_asked_for() -> None:
    with StandIn() as server:
        for call in (client(server).show, lambda name: client(server).chat(name, USER)):
            error = refused(lambda call=call: call("none:7b"))
            assert (error.status_code, error.error) == (404, "model 'none:7b' not found")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "missing request body"),
        (b'{"model": "tiny"', 400, "unexpected EOF"),
        (b"hello", 400, "invalid character 'h' looking for beginning of value"),
        ({"messages": USER}, 400, "model is required"),
        ({"model": "not a name", "messages": USER}, 400, "invalid model name"),
        ({"model": 3}, 400, "json: cannot unmarshal number into Go struct field ChatRequest.model of type string"),
        (
            {"model": "tiny", "messages": "Hi"},
            400,
            "json: cannot unmarshal string into Go struct field ChatRequest.messages of type []api.Message",
        ),
        ({"model": "tiny", "messages": USER, "keep_alive": "5 days"}, 400, 'time: invalid duration "5 days"'),
        ({"model": "tiny", "messages": USER, "keep_alive": "5"}, 400, 'time: missing unit in duration "5"'),
        (
            {"model": "tiny", "messages": USER, "think": "a lot"},
            400,
            'invalid think value: "a lot" (must be "high", "medium", "low", "max", true, or false)',
        ),
        (
            {"model": "tiny", "messages": USER, "options": {"num_ctx": "8k"}},
            500,
            'option "num_ctx" must be of type integer',
        ),
        (
            {"model": "tiny", "messages": USER, "format": "yaml"},
            500,
            'invalid format: "\\"yaml\\""; expected "json" or a valid JSON Schema object',
        ),
    ],
)
def test_bad_requests_are_refused_in_ollama_s_words(body: Any, status: int, message: str) -> None:
    with StandIn() as server:
        assert asked(server, body) == (status, message)


def test_replies_may_be_a_function_of_what_the_model_read() -> None:
    def answer(request: Request) -> str:
        assert request.read is not None
        return request.read.text.upper()

    with StandIn(answer) as server:
        assert client(server).chat("tiny", USER).message.content == render(USER).upper()


def test_a_script_that_ends_too_soon_or_fails_says_so() -> None:
    with StandIn([ANSWER]) as server:
        client(server).chat("tiny", USER)
        assert "no reply left" in refused(lambda: client(server).chat("tiny", USER)).error
        server.say("More.")
        assert client(server).chat("tiny", USER).message.content == "More."
    with pytest.raises(ZeroDivisionError), StandIn(lambda _: str(1 // 0)) as server:
        assert refused(lambda: client(server).chat("tiny", USER)).status_code == 500
    with StandIn(["a", "b"], repeat=True) as server:
        assert [client(server).chat("tiny", USER).message.content for _ in range(3)] == ["a", "b", "a"]
    for wrong in ({"txt": "a"}, {"fault": "fire"}, 3):
        with pytest.raises(ScriptError):
            Reply.read(wrong)


def test_no_more_than_parallel_run_at_once() -> None:
    reply = Reply(text="Hi", first_token_s=0.03)
    with StandIn([reply] * 6, parallel=2) as server, ThreadPoolExecutor(6) as threads:
        chat = client(server).chat
        list(threads.map(lambda _: chat("tiny", USER), range(6)))
        assert server.slots.most_at_once == 2


def test_one_more_than_the_queue_takes_is_turned_away() -> None:
    gate = threading.Event()

    def answer(_: Request) -> str:
        gate.wait(5)
        return "Hi"

    with StandIn(answer, max_queue=0) as server, ThreadPoolExecutor(1) as threads:
        first = threads.submit(client(server).chat, "tiny", USER)
        while not server.chats or server.chats[0].read is None:
            time.sleep(0.001)
        error = refused(lambda: client(server).chat("tiny", USER))
        gate.set()
        assert (error.status_code, first.result().message.content) == (503, "Hi")
        assert error.error == "server busy, please try again.  maximum pending requests exceeded"


def test_stopping_hangs_up_on_everybody() -> None:
    with ThreadPoolExecutor(1) as threads:
        with StandIn([Reply(text="Hi", first_token_s=30.0)]) as server:
            plain(server).get("/")  # stays connected
            waiting = threads.submit(client(server).chat, "tiny", USER)
            while not server.chats:
                time.sleep(0.001)
        assert isinstance(waiting.exception(), httpx.RemoteProtocolError | httpx.ReadError)
        with pytest.raises(httpx.TransportError):
            plain(server).get("/")


def test_by_hand_it_serves_a_script(tmp_path: Path) -> None:
    script = tmp_path / "replies.json"
    script.write_text(json.dumps({"replies": [{"text": "Hi", "fence": ""}], "models": {"tiny": {}}}), encoding="utf-8")
    command = [sys.executable, "-m", "ollama_stand_in", "--port", "0", "--script", str(script)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]
        clients[url] = ollama.Client(host=url, timeout=5)
        answer = clients[url].chat("tiny", USER)
        process.terminate()
        assert answer.message.content == "```\nHi\n```"

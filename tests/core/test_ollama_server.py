"""The states of an Ollama server are told apart, each with its cure, in one clear line."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.conftest import Ran
from ollama_stand_in import StandIn
from readhead.errors import OllamaError, UsageError
from readhead.settings import OllamaSettings, Settings, read_settings
from readhead.synthesis.ollama.server import inspect_server

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(models={"coder": {"context_length": 16384}, "small:1b": {"context_length": 2048}}) as stand_in:
        yield stand_in


def settings_of(server: StandIn, model: str = "coder") -> OllamaSettings:
    return OllamaSettings(model=model, host=server.url)


@pytest.mark.parametrize("name", ["coder", "coder:latest"])
def test_a_model_that_is_there_is_ready(server: StandIn, name: str) -> None:
    status = inspect_server(settings_of(server, name))
    assert (status.state, status.cure, status.context) == ("ready", "", 16384)
    assert status.installed == ("coder:latest", "small:1b")
    assert status.version == server.version
    assert name in status.message


def test_an_absent_model_is_told_with_how_to_get_it_and_what_is_there(server: StandIn) -> None:
    status = inspect_server(settings_of(server, "other:7b"))
    assert status.state == "model absent"
    assert "coder:latest, small:1b" in status.message
    assert "ollama pull other:7b" in status.cure


def test_a_context_that_is_too_small_is_told_with_both_sizes(server: StandIn) -> None:
    status = inspect_server(settings_of(server, "small:1b"))
    assert status.state == "context too small"
    assert "2048" in status.message
    assert "8192" in status.message
    assert inspect_server(settings_of(server, "small:1b"), needed=2048).state == "ready"


@pytest.mark.parametrize(("found", "state"), [(None, "not installed"), ("/usr/bin/ollama", "not running")])
def test_nothing_that_answers_means_not_installed_or_not_running(
    found: str | None, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: found)
    status = inspect_server(OllamaSettings(host=NOWHERE))
    assert status.state == state
    assert NOWHERE in status.message
    assert "ollama serve" in status.cure


def test_a_server_elsewhere_cannot_be_installed_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    monkeypatch.setattr("readhead.synthesis.ollama.server._LOCAL", frozenset[str]())
    assert inspect_server(OllamaSettings(host=NOWHERE)).state == "not running"


@pytest.fixture
def other_server() -> Iterator[str]:
    """Something that speaks HTTP and is not Ollama."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>It works!</html>")

        def log_message(self, *_: Any) -> None:
            """Silent."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_something_else_that_answers_is_told(other_server: str) -> None:
    with pytest.raises(OllamaError, match="is not Ollama") as caught:
        inspect_server(OllamaSettings(host=other_server))
    assert "OLLAMA_HOST" in caught.value.hint


def test_a_host_that_is_no_address_is_refused() -> None:
    with pytest.raises(UsageError, match="no address"):
        inspect_server(OllamaSettings(host="http://[::1"))


def test_the_command_prints_the_state_and_exits_1_unless_it_is_ready(
    run: Callable[..., Ran], server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OLLAMA_HOST", server.url)
    ready = run("ollama", "--model", "coder", "--json")
    assert (ready.status, ready.document["state"]) == (0, "ready")
    (tmp_path / "readhead.toml").write_text('[ollama]\nmodel = "absent"\n')
    absent = run("ollama")
    assert absent.status == 1
    assert "ollama pull absent" in absent.out
    assert run("ollama", "--json").document["installed"] == ["coder:latest", "small:1b"]


def test_the_table_of_readhead_toml_is_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "readhead.toml"
    path.write_text('seed = 3\n\n[ollama]\nmodel = "coder"\nhost = "http://box:11434"\n')
    assert read_settings(path) == Settings(seed=3, ollama=OllamaSettings("coder", "http://box:11434"))
    for text, problem in (
        ('[ollama]\nmodle = "x"\n', "unknown key 'ollama.modle'"),
        ("[ollama]\nmodel = 3\n", "ollama.model is not a string"),
        ("ollama = 3\n", "ollama is not a table"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=problem):
            read_settings(path)

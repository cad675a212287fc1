"""Where the language server listens: stdin and stdout, or a port of this machine alone."""

from __future__ import annotations

import socket

import pytest

from readhead.cli import main
from readhead_server.server import create_server, loopback


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("127.0.0.1:2087", ("127.0.0.1", 2087)),
        (":2087", ("127.0.0.1", 2087)),
        ("2087", ("127.0.0.1", 2087)),
        ("localhost:1", ("localhost", 1)),
        ("[::1]:2087", ("::1", 2087)),
    ],
)
def test_a_port_of_this_machine_is_served(address: str, meant: tuple[str, int]) -> None:
    assert loopback(address) == meant


@pytest.mark.parametrize("address", ["0.0.0.0:2087", "example.org:80", "127.0.0.1", "127.0.0.1:x", ":70000", ""])
def test_any_other_is_refused_with_the_cure(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lsp", "--tcp", address]) == 2
    told = capsys.readouterr().err.splitlines()
    assert "is no port of this machine" in told[0]
    assert "--tcp 127.0.0.1:2087" in told[1]


def test_stdio_and_a_port_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lsp", "--stdio", "--tcp", "127.0.0.1:2087"]) == 2
    assert "leave one of them out" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["lsp", "--tcp", f"127.0.0.1:{taken.getsockname()[1]}"]) == 2
    assert "cannot be served" in capsys.readouterr().err


def test_a_request_that_is_cancelled_after_its_answer_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    create_server().protocol._handle_cancel_notification(28)
    assert not caplog.records

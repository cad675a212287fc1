"""`readhead synthesize --with ollama`: what it prints, what it saves and how it ends, whatever the server does."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from core.conftest import Ran, finished, own_process
from core.drafts_in_tests import HOPELESS, SPOILT, reply, serving, slowly
from ollama_stand_in import StandIn
from readhead import session
from readhead.heads import HeadId
from readhead.program import parse, read_program
from readhead.synthesis.front import Wanted, Written
from readhead.synthesis.ollama import schedule

Run = Callable[..., Ran]

NOWHERE = "http://127.0.0.1:9"
SPREAD, FIRST = "def head(s):\n    return s.every\n", "def head(s):\n    return s.every + s.first\n"
BOTH = reply(SPREAD, FIRST)
EVERY = reply(*(f"def head(s):\n    return {place}\n" for place in ("s.every", "s.first", "s.previous(1)", "s.itself")))
"""Trivial programs; for each head one is as good as the best of them."""


pytestmark = pytest.mark.usefixtures("certificates_are_read_once")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_PAUSE_S", 0.0)


@pytest.fixture
def home(workspace: Path, few_programs: int, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001 - ranks fewer
    """A workspace that names the model; where its server is, OLLAMA_HOST says."""
    with (workspace / "readhead.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[ollama]\nmodel = "coder"\npatience = 1.0\n')
    monkeypatch.setenv("OLLAMA_HOST", NOWHERE)
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/ollama")
    return workspace


def saved(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "programs").glob("*.py"))


STATES = {
    "not installed": ("there is no `ollama` on this machine", "ollama serve"),
    "not running": ("nothing answers at", "ollama serve"),
    "model absent": ("the model coder is not there; installed: other:latest", "ollama pull coder"),
    "context too small": ("coder reads 4096 tokens, and 8192 are needed", "[ollama] model"),
}


@contextmanager
def server_in(state: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    models: dict[str, Any] = {"other": {}} if state == "model absent" else {"coder": {"context_length": 4096}}
    with StandIn([], models) as server:
        if state == "not installed":
            monkeypatch.setattr("shutil.which", lambda _name: None)
        elif state != "not running":
            monkeypatch.setenv("OLLAMA_HOST", server.url)
        yield server
        assert server.chats == []


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("state", slowly(STATES, but={"not installed", "model absent"}))
def test_a_server_that_cannot_be_asked_is_one_line_with_its_cure(
    run: Run, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, cure = STATES[state]
    with server_in(state, monkeypatch):
        ran = run("synthesize", "L0H0", "--with", "ollama")
    assert told in ran.complaint
    assert cure in ran.err


@pytest.mark.parametrize("state", slowly(STATES, but={"not running"}))
def test_the_search_s_program_is_delivered_though_the_model_cannot_be_asked(
    run: Run, home: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, cure = STATES[state]
    with server_in(state, monkeypatch):
        ran = run("synthesize", "L0H0", "--with", "symbolic,ollama", "--terms", "1", "--json")
    assert ran.status == 2
    (row,) = ran.document["heads"]
    assert row["head"] == "L0H0"
    assert told in ran.document["ollama"]["error"]["message"]
    assert ran.document["ollama"]["unreached"] == ["L0H0"]
    assert saved(home) == ["L0H0.py"]
    assert f"readhead: {ran.document['ollama']['error']['message']}\n  " in ran.err
    assert cure in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err


def test_programs_of_the_model_are_ranked_with_all_others_and_saved(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(BOTH) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        ran = run("synthesize", "L0H0", "--with", "ollama", "--rounds", "0", "--candidates", "2", "--json")
    assert ran.status == 0
    document = ran.document["ollama"]
    assert document["error"] is None
    assert document["found"] == 2 == document["kept"] + sum(document["dropped"].values())
    kept = [candidate for candidate in document["candidates"] if candidate["reason"] == "kept"]
    assert kept
    assert all(1 <= candidate["rank"] <= candidate["of"] == 5 + len(kept) for candidate in kept)
    (row,) = ran.document["heads"]
    best = max(kept, key=lambda candidate: candidate["iou_dev"])
    assert read_program(home / "programs" / "L0H0.py").source == best["source"]
    assert row["explanation"] == parse(best["source"]).explanation
    assert row["front"] == [], "nothing was searched for"
    assert saved(home) == ["L0H0.py"]


def test_a_fault_that_heals_is_a_note_and_no_failure(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(SPOILT["cut"], BOTH) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        ran = run("synthesize", "L0H0", "--with", "ollama", "--rounds", "0")
    assert ran.status == 0
    assert f"L0H0, write: the connection to {server.url} broke off" in " ".join(ran.out.split())
    assert saved(home) == ["L0H0.py"]
    assert "readhead:" not in ran.err


@pytest.mark.slow
def test_a_connection_that_breaks_between_two_heads_leaves_the_first_one_s_programs(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(EVERY, SPOILT["cut"], SPOILT["cut"]) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        ran = run("synthesize", "L0H0", "L0H1", "L1H0", "--with", "ollama", "--rounds", "0", "--json")
    assert ran.status == 2
    assert [row["head"] for row in ran.document["heads"]] == ["L0H0"]
    assert ran.document["ollama"]["unreached"] == ["L1H0"]
    assert saved(home) == ["L0H0.py"]
    assert ran.err.splitlines()[-2].startswith("readhead: the connection to")
    with serving(EVERY, repeat=True) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        ran = run("synthesize", "L0H0", "L0H1", "--with", "ollama", "--rounds", "0", "--json")
        assert ran.status == 0
        assert len(server.chats) == 1, "the first head's answer is in the notebook"
    assert [row["head"] for row in ran.document["heads"]] == ["L0H0", "L0H1"]
    assert set(saved(home)) == {f"{row['program']}.py" for row in ran.document["heads"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPOILT | HOPELESS)
def test_the_search_s_program_is_delivered_whatever_ends_the_model_s_run(
    run: Run, home: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving((SPOILT | HOPELESS)[name], repeat=True) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        ran = run("synthesize", "L0H0", "--with", "symbolic,ollama", "--terms", "1", "--json")
        assert ran.status == 2
        assert [row["head"] for row in ran.document["heads"]] == ["L0H0"]
        assert saved(home) == ["L0H0.py"]
        saying, cure = ran.err.splitlines()[-2:]
        assert saying == f"readhead: {ran.document['ollama']['error']['message']}"
        assert cure == f"  {ran.document['ollama']['error']['hint']}"
        told = run("synthesize", "L0H0", "--with", "symbolic,ollama", "--terms", "1")
    assert told.status == 2
    assert "L0H0" in told.out
    assert "Traceback" not in told.err


@pytest.mark.slow
def test_a_run_without_one_program_is_told_and_leaves_no_file(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving("No.", repeat=True) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        ran = run("synthesize", "L0H0", "--with", "ollama")
    assert ran.status == 0
    assert "0 candidates = 0 kept + 0 dropped" in ran.out
    assert "the second reply cannot be used either" in " ".join(ran.out.split())
    assert saved(home) == []


@pytest.mark.parametrize("writers", slowly(["ollama", "symbolic,ollama"], but={"ollama"}))
def test_a_dry_run_prints_what_would_be_asked_first_and_asks_nothing(
    run: Run, home: Path, writers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(BOTH, repeat=True) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        dry = run("synthesize", "L0H0", "--terms", "1", "--with", writers, "--dry-run", "--json")
        shown = run("synthesize", "L0H0", "--terms", "1", "--with", writers, "--dry-run")
        assert (dry.status, shown.status) == (0, 0)
        assert server.requests == []
        assert saved(home) == []
        run("synthesize", "L0H0", "--terms", "1", "--with", writers, "--rounds", "0")
        (request,) = server.chats
    (prompt,) = dry.document["prompts"]
    assert [prompt["system"], prompt["prompt"]] == [message["content"] for message in request.messages]
    assert prompt["prompt"] in shown.out
    assert prompt["head"] == "L0H0"
    assert ("beat it" in prompt["prompt"]) == ("symbolic" in writers)


def test_templates_of_the_workspace_are_what_the_server_receives(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("ollama", "--templates", "--json").document["written"]
    (home / "prompts" / "write.md").write_text("Mine: $count $$ $summary $language $schema", encoding="utf-8")
    (home / "prompts" / "system.md").write_text("Be brief.", encoding="utf-8")
    with serving(BOTH) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        ran = run("synthesize", "L0H0", "--with", "ollama", "--rounds", "0", "--candidates", "2")
        assert ran.status == 0
        assert "own templates were used: prompts/system.md, prompts/write.md." in " ".join(ran.out.split())
        system, prompt = server.chats[0].messages
    assert system["content"] == "Be brief."
    assert prompt["content"].startswith("Mine: 2 $ 4 texts of 16 tokens were read.")


def test_templates_go_into_a_workspace_and_nowhere_else(run: Run, tmp_path: Path) -> None:
    ran = run("ollama", "--templates", "--workspace", tmp_path / "typo")
    assert "has no readhead.toml" in ran.complaint
    assert f"readhead init {tmp_path / 'typo'}" in ran.err
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [("prompts/write.md", "$sumary", "speaks of $sumary"), ("readhead.toml", "", "is no address of a server")],
)
def test_what_can_be_told_before_the_search_is(
    run: Run, home: Path, file: str, text: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "prompts").mkdir()
    if text:
        (home / file).write_text(text, encoding="utf-8")
    else:
        monkeypatch.setenv("OLLAMA_HOST", "http://[::1")
    monkeypatch.setattr(session.Session, "write_programs", lambda *_, **__: pytest.fail("it searches"))
    ran = run("synthesize", "L0H0", "--with", "symbolic,ollama")
    assert told in ran.complaint


def test_a_search_leaves_half_of_the_time_to_the_language_model(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float | None] = []

    def search(_: object, wanted: Wanted, heads: object) -> Written:  # noqa: ARG001 - as the real one
        limits.append(wanted.time_limit)
        return Written((), (HeadId(0, 0),))

    monkeypatch.setattr(session.Session, "write_programs", search)
    with serving(BOTH) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        both = ("--with", "symbolic,ollama", "--rounds", "0", "--time-limit", "600")
        ran = run("synthesize", "L0H0", *both)
    assert run("synthesize", "L0H0", "--time-limit", "600").complaint == "no head was done within the time limit"
    assert limits == [300, 600]
    assert ran.status == 0
    assert saved(home) == ["L0H0.py"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--with", "magic"), "there is no writer 'magic'"),
        (("--with", ""), "there is no writer"),
        (("--dry-run",), "only a language model is prompted"),
        (("--with", "ollama", "--token-limit", "0"), "the token limit is not above zero"),
        (("--with", "ollama", "--time-limit", "0"), "the time limit is not above zero"),
        (("--with", "ollama", "--candidates", "0"), "candidates"),
        (("L9H9", "--with", "ollama"), "no head L9H9"),
    ],
)
def test_flags_that_cannot_be_meant_are_told(run: Run, flags: tuple[str, ...], told: str) -> None:
    assert told in run("synthesize", *flags).complaint


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_in_a_terminal_a_table_grows_below_the_progress_and_is_gone_at_the_end(home: Path) -> None:
    import pty  # noqa: PLC0415 - not everywhere

    with serving(EVERY) as server:
        ours, theirs = pty.openpty()
        process = own_process(
            *("synthesize", "L0H0", "--with", "ollama", "--rounds", "0", "--json"),
            cwd=home,
            stderr=theirs,
            env={"OLLAMA_HOST": server.url, "TERM": "xterm", "COLUMNS": "100"},
        )
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # which is how a terminal ends
            while piece := os.read(ours, 65536):
                shown += piece
        os.close(ours)
        ran = finished(process)
    assert ran.status == 0
    assert ran.document["ollama"]["found"] == 4
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert re.search(r"Candidate +Stage +IoU \(fit\) +Tokens +Seconds", drawn)
    assert re.search(r"L0H0 +write +(reads|writes|answered)", drawn)
    assert re.search(r"L0H0 +#\d +kept", drawn)
    last = re.split(r"\x1b\[\?25h", shown.decode())[-1]
    assert "Candidate" not in last
    assert "programs in " in last

"""The engine's long work: constants one at a time, held-out records as text, fronts, drafts, and what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.conftest import PROGRAM
from core.drafts_in_tests import reply, serving
from readhead.engine import Engine, EngineGoneError
from readhead.engine.jobs import CancelledJob, Job
from readhead.engine.works import Works
from readhead.errors import OllamaError, ProgramError, UsageError
from readhead.program import parse, read_program
from readhead.synthesis.literals import free_constants
from readhead.synthesis.ollama.summary import unnamed

pytestmark = pytest.mark.usefixtures("few_programs")


@pytest.fixture
def works(workspace: Path) -> Iterator[Works]:
    opened = Works(workspace, lambda _event, _given: None)
    yield opened
    opened.close()


def call(works: Works, method: str, part: Callable[[Any], None] = lambda _: None, **given: object) -> Any:
    return works.call(method, Job(lambda _: None, lambda _result, _error: None), part, given)


def test_a_record_comes_as_text_and_no_file_is_written(works: Works, workspace: Path) -> None:
    before = sorted(workspace.rglob("*.py"))
    found = call(works, "record", source=PROGRAM, name="near")
    recorded = parse(found["source"]).metadata.recorded
    assert recorded["scores"]["L0H1"]["iou"] == pytest.approx(found["scores"][0]["iou"], abs=1e-4)
    assert recorded["sequences"] == 2
    assert sorted(workspace.rglob("*.py")) == before


def test_a_program_without_heads_is_not_recorded_and_its_name_is_told(works: Works) -> None:
    with pytest.raises(ProgramError, match="near names no heads"):
        call(works, "record", source="def head(s):\n    return s.first\n", name="near")


def test_one_constant_can_be_fitted_alone(works: Works) -> None:
    (slope,) = free_constants(PROGRAM)
    fitted = call(works, "fit", source=PROGRAM, heads=["L0H1"], only=[slope.start])
    assert fitted["constants"] == 1


def test_a_front_says_which_program_is_worth_its_terms(works: Works) -> None:
    rows = call(works, "front", head="L0H1", terms=2)
    assert sum(row["chosen"] for row in rows) == 1
    assert all(0 <= row["iou"] <= 1 for row in rows)


def test_a_front_s_rows_are_candidates(works: Works) -> None:
    call(works, "rank")
    rows = call(works, "front", head="L0H1", terms=2)
    listed = {row["source"]: row for row in call(works, "candidates", head="L0H1", most=99)}
    assert {row["origin"] for row in rows} == {"symbolic"}
    for row in rows:
        assert listed[row["source"]].items() <= row.items()
        assert row["head"] == "L0H1"


# ---- what is kept ----------------------------------------------------------------------------------------------------


def test_a_program_is_kept_for_a_head_that_it_then_names(works: Works, workspace: Path) -> None:
    kept = call(works, "keep", source="def head(s):\n    return s.first\n", head="L1H1")
    assert kept == {"path": str(workspace / "programs" / "L1H1.py"), "note": ""}
    program = read_program(kept["path"])
    assert [str(head) for head in program.metadata.heads] == ["L1H1"]
    assert not program.findings
    call(works, "rank")
    (row,) = [row for row in call(works, "candidates", head="L1H1") if row["path"] == kept["path"]]
    assert row["origin"] == "workspace"


def test_what_names_the_head_is_kept_as_it_is_and_a_person_s_file_stays(works: Works, workspace: Path) -> None:
    own = workspace / "programs" / "L0H1.py"
    own.write_text("def head(s):\n    return s.itself\n", "utf-8")
    kept = call(works, "keep", source=PROGRAM, head="L0H1")
    assert kept["path"] == str(own.with_name("L0H1_2.py"))
    assert "is yours" in kept["note"]
    assert Path(kept["path"]).read_text("utf-8") == PROGRAM
    assert "s.itself" in own.read_text("utf-8")


def test_a_program_with_another_head_s_scores_loses_them_when_it_is_kept(works: Works) -> None:
    recorded = call(works, "record", source=PROGRAM, name="near")["source"]
    kept = read_program(call(works, "keep", source=recorded, head="L1H1")["path"])
    assert [str(head) for head in kept.metadata.heads] == ["L1H1"]
    assert kept.metadata.recorded is None


def test_what_cannot_be_kept_is_told_and_not_written(works: Works, workspace: Path) -> None:
    with pytest.raises(ProgramError, match="RH202"):
        call(works, "keep", source="x = 1\n", head="L0H0")
    with pytest.raises(UsageError, match="L5H0"):
        call(works, "keep", source=PROGRAM, head="L5H0")
    with pytest.raises(UsageError, match="source cannot be None"):
        call(works, "keep", source=None, head="L0H0")
    assert list((workspace / "programs").iterdir()) == []


# ---- a language model ------------------------------------------------------------------------------------------------

DRAFTS = reply("def head(s):\n    return s.every\n", "def head(s):\n    return s.every + s.first\n")


@pytest.fixture
def asking(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace that names the model; where its server is, OLLAMA_HOST says."""
    with (workspace / "readhead.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[ollama]\nmodel = "coder"\npatience = 1.0\n')
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    return workspace


@pytest.mark.usefixtures("certificates_are_read_once", "asking")
def test_drafts_start_from_the_search_s_program_and_are_candidates_afterwards(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = call(works, "front", head="L0H1", terms=2)
    (start,) = [row for row in front if row["chosen"]]
    parts: list[dict[str, object]] = []
    with serving(DRAFTS) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        drafted = call(works, "draft", part=parts.append, head="L0H1", rounds=0, candidates=2, terms=2)
        (asked,) = server.chats
    assert unnamed(start["source"]).strip() in asked.messages[-1]["content"]
    assert drafted["error"] is None
    assert {row["origin"] for row in drafted["programs"]} == {"ollama"}
    assert [row["iou"] for row in drafted["programs"]] == sorted((r["iou"] for r in drafted["programs"]), reverse=True)
    assert all({"about": "L0H1"}.items() <= part.items() for part in parts)
    assert parts
    listed = [row for row in call(works, "candidates", head="L0H1", most=99) if row["origin"] == "ollama"]
    assert {row["source"] for row in drafted["programs"]} == {row["source"] for row in listed}


@pytest.mark.usefixtures("certificates_are_read_once", "asking")
def test_a_server_that_does_not_answer_is_part_of_the_result(works: Works) -> None:
    drafted = call(works, "draft", head="L0H1")
    assert drafted["programs"] == []
    assert drafted["error"]["code"] == OllamaError.code
    assert drafted["error"]["hint"]


@pytest.mark.usefixtures("certificates_are_read_once", "asking")
def test_drafting_ends_when_nobody_wants_it(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(lambda _: None, lambda _result, _error: None)
    with serving(DRAFTS, repeat=True) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        with pytest.raises(CancelledJob):
            works.call("draft", job, lambda _: job.cancel(), {"head": "L0H1"})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"head": "L0H1", "rounds": -1}, "rounds cannot be -1"),
        ({"head": "L0H1", "candidates": 0}, "candidates cannot be 0"),
        ({"head": "L0H1", "terms": 33}, "terms cannot be 33"),
        ({"head": "L0H7"}, "L0H7"),
    ],
)
def test_what_cannot_be_drafted_is_told(works: Works, given: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        call(works, "draft", **given)


def test_an_engine_that_was_not_started_says_so_instead_of_letting_one_wait(tmp_path: Path) -> None:
    async def work() -> None:
        await asyncio.wait_for(Engine(tmp_path).call("facts"), 5)

    with pytest.raises(EngineGoneError, match="closed"):
        asyncio.run(work())

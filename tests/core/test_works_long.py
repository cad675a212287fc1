"""The engine's long work: constants one at a time, held-out records as text, a front with its choice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.conftest import PROGRAM
from readhead.engine.jobs import Job
from readhead.engine.works import Works
from readhead.errors import ProgramError
from readhead.program import parse
from readhead.synthesis.literals import free_constants

pytestmark = pytest.mark.usefixtures("few_programs")


@pytest.fixture
def works(workspace: Path) -> Iterator[Works]:
    opened = Works(workspace, lambda _event, _given: None)
    yield opened
    opened.close()


def call(works: Works, method: str, **given: object) -> object:
    return works.call(method, Job(lambda _: None, lambda _result, _error: None), lambda _: None, given)


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

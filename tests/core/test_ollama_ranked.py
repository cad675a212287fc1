"""A language model's programs among all others: what looks ahead takes no place, and the best has an owner."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from rich.console import Console

from readhead.heads import Geometry, HeadId
from readhead.library import Ranking
from readhead.program import Program, parse
from readhead.synthesis.ollama.candidates import Candidate
from readhead.synthesis.ollama.ranked import Ranked, ranked_drafts
from readhead.synthesis.ollama.run import Drafted
from readhead.synthesis.ollama.views import drafted_view

HEAD = HeadId(0, 0)
FOLDER = Path("/home/programs")
LIBRARY = "def head(s):\n    return s.every\n"
MINE = "def head(s):\n    return 3 * s.every\n"
FOUND = "def head(s):\n    return 4 * s.every\n"
DRAFT = "def head(s):\n    return s.first\n"
LEAK = "def head(s):\n    return s.n * s.first\n"


def ranked(*worths: tuple[Program, float]) -> tuple[Ranked, ...]:
    """A draft of 0.5 and a leak of 0.9 among these programs."""
    drafts = [
        Candidate(HEAD, 1, "write", DRAFT, jsd=0.1, iou=0.5),
        Candidate(HEAD, 2, "write", LEAK, jsd=0.1, iou=0.9, look_ahead="row 3"),
    ]
    every = [*worths, (drafts[0].program, 0.5), (drafts[1].program, 0.9)]
    ranking = Ranking(
        tuple(program for program, _ in every),
        "dev",
        np.array([[worth] for _, worth in every], np.float32),
        (0,) * len(every),
        ((),) * len(every),
    )
    return ranked_drafts(drafts, ranking, Geometry(1, 1), searched=[parse(FOUND)], programs=FOLDER)


def told(*worths: tuple[Program, float]) -> str:
    found = ranked(*worths)
    drafted = Drafted("coder", [each.candidate for each in found])
    console = Console(file=io.StringIO(), width=150, color_system=None)
    console.print(drafted_view(drafted, found))
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def test_what_looks_ahead_keeps_its_figure_and_takes_no_place() -> None:
    draft, leak = ranked((parse(LIBRARY, name="uniform"), 0.4))
    assert (draft.rank, draft.of, draft.owner) == (1, 2, "")
    assert (leak.rank, leak.as_dict()["rank"], round(leak.iou, 3)) == (None, None, 0.9)
    shown = told((parse(LIBRARY, name="uniform"), 0.4))
    assert "1 of 2" in shown
    assert "0.900 –" in shown
    assert "the best of all" not in shown


def test_a_better_program_is_told_with_whose_it_is() -> None:
    for program, whose in (
        (parse(LIBRARY, name="uniform"), "the library's uniform, with 0.700"),
        (parse(MINE, name="L0H0", path=FOLDER / "L0H0.py"), "yours: programs/L0H0.py, with 0.700"),
        (parse(FOUND, name="L0H0"), "the search's program, with 0.700"),
        (parse(FOUND, name="L0H0", path=FOLDER / "L0H0.py"), "the search's program, with 0.700"),
    ):
        shown = told((program, 0.7))
        assert f"the best of all 2 programs on dev is {whose}; the language model's best has 0.500" in shown


def test_a_saved_copy_of_the_model_s_own_program_is_nobody_else_s() -> None:
    copy = parse(f"# saved\n{DRAFT}", name="L0H0", path=FOLDER / "L0H0.py")
    assert "the best of all" not in told((copy, 0.5001))

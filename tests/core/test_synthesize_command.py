"""`readhead synthesize` and what it leaves in the programs folder; `readhead explain` with written programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.conftest import PROGRAM, Ran
from readhead.heads import HeadId
from readhead.program import parse, read_program
from readhead.synthesis.cover import fewest, merges

Run = Callable[..., Ran]

HEADS = ["L0H0", "L0H1", "L1H0", "L1H1"]
FEW = ("--terms", "2")

pytestmark = pytest.mark.usefixtures("few_programs", "workspace")


def files(workspace: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted((workspace / "programs").glob("*.py"))}


def test_every_head_gets_a_program_and_a_file(run: Run, workspace: Path) -> None:
    ran = run("synthesize", *FEW, "--json")
    assert ran.status == 0
    document = ran.document
    assert [row["head"] for row in document["heads"]] == HEADS
    assert document["isolation"]
    assert document["unreached"] == []
    assert 1 <= document["fewest_within_0.01"] <= document["programs"] <= 4
    written = files(workspace)
    assert [Path(file["file"]).name for file in document["files"]] == list(written)
    for row in document["heads"]:
        assert row["terms"] <= 2
        sources = [program["source"] for program in row["front"]]
        chosen = read_program(workspace / "programs" / f"{row['program']}.py")
        assert chosen.source in sources
        assert [str(head) for head in chosen.metadata.heads] == [row["head"]]
        assert chosen.explanation == row["explanation"] != ""


@pytest.mark.slow
def test_the_score_told_is_that_of_the_file(run: Run) -> None:
    rows = run("synthesize", *FEW, "--json").document["heads"]
    again = run("score", *(f"programs/{row['program']}.py" for row in rows), "--json").document["programs"]
    assert [row["iou"] for row in again] == pytest.approx([row["iou"] for row in rows], abs=1e-9)
    assert all(row["coverage"] == 1 and row["look_ahead"] is None for row in again)


def test_heads_may_be_named_in_both_ways(run: Run, workspace: Path) -> None:
    document = run("synthesize", "L1H1", "--heads", "L0H0,L1H1", *FEW, "--json").document
    assert [row["head"] for row in document["heads"]] == ["L0H0", "L1H1"]
    assert list(files(workspace)) == ["L0H0.py", "L1H1.py"]


@pytest.mark.slow
def test_a_second_run_changes_no_byte(run: Run, workspace: Path) -> None:
    first = run("synthesize", *FEW, "--json")
    before = files(workspace)
    again = run("synthesize", *FEW, "--json")
    assert files(workspace) == before
    assert again.document["heads"] == first.document["heads"]


def test_a_file_that_readhead_wrote_gives_way_to_a_newer_one(run: Run, workspace: Path) -> None:
    run("synthesize", "L0H0", "--terms", "1")
    before = files(workspace)
    run("synthesize", "L0H0", "--terms", "6")
    after = files(workspace)
    assert list(after) == list(before) == ["L0H0.py"]
    assert parse(after["L0H0.py"]).terms > 1


@pytest.mark.slow
@pytest.mark.parametrize("change", ["code", "comment"])
def test_a_file_of_a_person_is_never_overwritten(run: Run, workspace: Path, change: str) -> None:
    path = workspace / "programs" / "L0H0.py"
    run("synthesize", "L0H0", "--terms", "1")
    path.write_text(PROGRAM if change == "code" else path.read_text("utf-8") + "# mine\n", encoding="utf-8")
    mine = path.read_text("utf-8")
    ran = run("synthesize", "L0H0", "--terms", "6")
    assert ran.status == 0
    assert path.read_text("utf-8") == mine
    assert list(files(workspace)) == ["L0H0.py", "L0H0_2.py"]
    assert "is yours and was left alone: the new program is L0H0_2.py" in ran.err
    run("synthesize", "L0H0", "--terms", "6")
    assert list(files(workspace)) == ["L0H0.py", "L0H0_2.py"]


def test_a_file_with_the_same_code_keeps_its_comments_and_records(run: Run, workspace: Path) -> None:
    path = workspace / "programs" / "L0H0.py"
    run("synthesize", "L0H0", *FEW)
    path.write_text(path.read_text("utf-8") + "# mine\n", encoding="utf-8")
    ran = run("synthesize", "L0H0", *FEW)
    assert list(files(workspace)) == ["L0H0.py"]
    assert path.read_text("utf-8").endswith("# mine\n")
    assert "yours" not in ran.err


def test_a_programs_folder_that_cannot_be_written_is_told_before_any_search(
    run: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "programs").rmdir()
    (workspace / "programs").write_text("a file", encoding="utf-8")
    ran = run("synthesize", *FEW)
    assert ran.status == 2
    assert "programs cannot be made" in ran.err
    (workspace / "programs").unlink()
    (workspace / "programs").mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)  # what a read-only folder says to anybody but root
    ran = run("synthesize", *FEW)
    assert ran.status == 2
    assert "is read-only" in ran.err
    assert "chmod u+w" in ran.err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--terms", "0"), "--terms"),
        (("--terms", "33"), "--terms"),
        (("--time-limit", "0"), "time limit is not above zero"),
        (("L9H0",), "no head L9H0"),
        (("--heads", "L0H0,x"), "not a head"),
        (("--time-limit", "1e-9"), "no head was done within the time limit"),
    ],
)
def test_bad_input_is_told_with_its_cure(run: Run, flags: tuple[str, ...], told: str) -> None:
    ran = run("synthesize", *flags)
    assert ran.status == 2
    assert told in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.slow
def test_sets_are_as_large_as_they_may_be(run: Run) -> None:
    def largest(*flags: Any) -> int:
        rows = run("synthesize", "L0H0", "L1H1", "--terms", 3, "--json", *flags).document["heads"]
        return max(program["set_tokens"] for row in rows for program in row["front"])

    assert largest("--no-token-sets") == largest("--set-size", 0) == 0
    assert 0 < largest("--set-size", 2) <= 3 * 2 * 2


def test_the_front_lists_every_size(run: Run) -> None:
    ran = run("synthesize", "L0H1", "--terms", "3", "--front")
    document = run("synthesize", "L0H1", "--terms", "3", "--json").document
    (row,) = document["heads"]
    assert "Symbols" in ran.out
    assert "chosen" in ran.out
    for program in row["front"]:
        assert f"{program['iou_dev']:.3f}" in ran.out
    terms = [program["terms"] for program in row["front"]]
    assert terms == sorted(terms)
    assert all(1 <= count <= 3 for count in terms)


@pytest.mark.slow
def test_merged_programs_name_all_their_heads(run: Run, workspace: Path) -> None:
    document = run("synthesize", "--terms", "1", "--merge", "1", "--json").document
    assert document["merges"]
    assert document["programs"] < 4
    for row in document["heads"]:
        assert row["head"] in map(str, read_program(workspace / "programs" / f"{row['program']}.py").metadata.heads)


def test_without_a_workspace_nothing_is_saved_and_that_is_said(
    run: Run, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (workspace / "readhead.toml").read_text("utf-8")
    model, corpus = (line.partition(" = ")[2].strip('"') for line in settings.splitlines()[:2])
    monkeypatch.chdir(tmp_path)
    flags = ("--model", model, "--corpus", corpus, "--sequences", 8, "--length", 16)
    for command in (["synthesize", "L0H0"], ["explain"]):
        ran = run(*command, "--terms", 1, *flags)
        assert ran.status == 0
        assert "the programs were not saved" in ran.err


@pytest.mark.slow
def test_explain_ranks_written_programs_beside_the_library_within_the_limit(run: Run, workspace: Path) -> None:
    ran = run("explain", "--terms", "2", "--json")
    document = ran.document
    assert document["programs"]["synthesized"] >= 1
    assert all(row["terms"] <= 2 for row in document["heads"])
    written = {row["program"] for row in document["heads"]} & set(HEADS)
    assert {path.removesuffix(".py") for path in files(workspace)} == written
    alone = run("explain", "--library-only", "--json").document
    assert alone["programs"]["synthesized"] == 0
    assert "synthesize" not in alone["seconds"]


@pytest.mark.slow
def test_explain_again_with_the_files_there_tells_the_same(run: Run, workspace: Path) -> None:
    first = run("explain", "--terms", "2", "--json").document
    before = files(workspace)
    again = run("explain", "--terms", "2", "--json").document
    assert [row["iou"] for row in again["heads"]] == [row["iou"] for row in first["heads"]]
    assert files(workspace) == before


@pytest.mark.slow
def test_explain_tells_which_heads_the_time_limit_left(run: Run) -> None:
    ran = run("explain", "--time-limit", "1e-9", "--json")
    assert ran.status == 0
    assert ran.document["programs"]["unreached"] == HEADS
    assert "4 heads were not searched within the time limit" in run("explain", "--time-limit", "1e-9").out.replace(
        "\n", " "
    )


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "readhead", "synthesize", "--workspace", str(tmp_path / "kept")]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    database = tmp_path / "kept" / ".readhead" / "readhead.sqlite"
    until = time.monotonic() + 120
    while time.monotonic() < until and _written(database) == 0:
        time.sleep(0.2)
    known = _written(database)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert known >= 1
    assert process.returncode == 2
    assert "interrupted" in err
    assert "Traceback" not in out + err
    assert _written(database) >= known


def _written(database: Path) -> int:
    import sqlite3  # noqa: PLC0415 - only here

    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as reading:
            return int(reading.execute("SELECT COUNT(*) FROM written").fetchone()[0])
    except sqlite3.Error:
        return 0


# ---- the library pass ------------------------------------------------------------------------------------------------


def programs(count: int) -> list[Any]:
    return [
        (parse(f"def head(s):\n    return {number}.0 * s.first\n", name=f"p{number}"), HeadId(0, number))
        for number in range(count)
    ]


def test_fewest_lets_the_cheapest_programs_go_first() -> None:
    iou = np.array([[0.9, 0.5, 0.5], [0.1, 0.51, 0.2], [0.1, 0.1, 0.8]], np.float32)
    assert fewest(iou, 0.0) == [0, 1, 2]
    assert fewest(iou, 0.01) == [0, 2]
    assert fewest(iou, 1.0) != []
    assert fewest(np.zeros((0, 0), np.float32)) == []


def test_fewest_leaves_out_what_is_best_nowhere() -> None:
    iou = np.array([[0.9, 0.9], [0.8, 0.8]], np.float32)
    assert fewest(iou, 0.0) == [0]


def test_a_program_that_is_taken_over_does_not_go_itself() -> None:
    iou = np.array([[0.90, 0.80, 0.10], [0.899, 0.80, 0.70], [0.10, 0.10, 0.701]], np.float32)
    found = merges(programs(3), iou, 0.005)
    assert [(str(merge.head), merge.other.name, round(merge.cost, 3)) for merge in found] == [("L0H1", "p0", 0.0)]
    assert merges(programs(3), iou, -1.0) == []


def test_equal_programs_are_no_merge() -> None:
    same = parse("def head(s):\n    return s.first\n", name="same")
    assert merges([(same, HeadId(0, 0)), (same, HeadId(0, 1))], np.ones((2, 2), np.float32), 1.0) == []

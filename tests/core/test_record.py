"""Recorded scores are written into the metadata and nowhere else, and `check` tells when they hold no longer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from core.conftest import PROGRAM, Ran
from readhead import record as recording
from readhead.program import parse, read_program
from readhead.record import with_record

Run = Callable[..., Ran]

UNUSUAL = '''# coding: utf-8
"""Schau aufs Nächste 🙂: \u2028 the last few tokens."""

# /// script
# dependencies = ["numpy"]   # of the reader
#
# [tool.readhead]
# # the heads that this was written for
# heads = [
#     "L0H1",  # the first
# ]
# category   =   "boundaries"
#
# [tool.ruff]
# line-length = 99
# ///


from readhead.language import Sentence, softmax   # two words


def head(s: Sentence):

    return softmax( -1.0*s.distance )
#end'''

pytestmark = pytest.mark.usefixtures("few_programs")


@pytest.fixture
def program(workspace: Path) -> Path:
    """A program file among the workspace's own."""
    path = workspace / "programs" / "near.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def outside_the_block(source: str) -> tuple[str, str]:
    before, _, rest = source.partition("# /// script")
    return before, rest.partition("# ///")[2]


def change(path: Path, old: str, new: str) -> None:
    source = path.read_bytes().decode()
    assert old in source
    path.write_bytes(source.replace(old, new).encode())


# ---- record ----------------------------------------------------------------------------------------------------------


def test_record_writes_held_out_scores_and_what_they_depend_on(run: Run, program: Path) -> None:
    rows = run("record", program, "--json").document["programs"]
    recorded = read_program(program).metadata.recorded
    assert recorded is not None
    assert (recorded["sequences"], recorded["length"]) == (2, 16)
    assert {"model", "model_fingerprint", "corpus", "corpus_fingerprint"} <= set(recorded)
    scored = run("score", program, "--json").document["programs"]
    assert [row["head"] for row in rows] == list(recorded["scores"]) == ["L0H1", "L1H0"]
    for row, own in zip(scored, recorded["scores"].values(), strict=True):
        assert own["iou"] == pytest.approx(row["iou"], abs=1e-4)
        assert own["trivial_iou"] == pytest.approx(row["trivial_iou"], abs=1e-4)


@pytest.mark.parametrize(
    ("source", "ending", "mark"),
    [(PROGRAM, "\n", ""), (UNUSUAL, "\r\n", "\ufeff"), (UNUSUAL, "\n", "")],
    ids=["plain", "windows", "unusual"],
)
def test_record_changes_the_metadata_block_and_nothing_else(
    run: Run, program: Path, source: str, ending: str, mark: str
) -> None:
    program.write_bytes((mark + source.replace("\n", ending)).encode())
    program.chmod(0o640)
    assert run("record", program).status == 0
    once = program.read_bytes().decode()
    assert outside_the_block(once) == outside_the_block(mark + source.replace("\n", ending))
    assert once.count("\r") == (once.count("\n") if ending == "\r\n" else 0)
    assert program.stat().st_mode & 0o777 == 0o640
    assert read_program(program).findings == ()
    run("record", program)
    assert program.read_bytes().decode() == once


def test_record_keeps_the_block_s_other_keys_comments_and_layout(run: Run, program: Path) -> None:
    program.write_text(UNUSUAL, encoding="utf-8")
    run("record", program)
    kept = [line for line in UNUSUAL.splitlines() if line.startswith("#") and line != "#"]
    now = program.read_text(encoding="utf-8").splitlines()
    assert [line for line in now if line in kept] == kept


def test_a_file_without_a_block_gets_one_after_its_docstring() -> None:
    for source in ('"""Look\x0c\u2028 back.\n\nFar."""\nimport math\n', "import math\n", "# a comment\nx = 1\n"):
        once = with_record(source, {"model": "m"}, [])
        assert parse(once).metadata.recorded == {"model": "m", "scores": {}}
        assert "".join(outside_the_block(once)).split() == source.split()
        assert once.index("///") > once.rfind('"""')
        assert with_record(once, {"model": "m"}, []) == once


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('heads = ["L0H1", "L1H0"]', "heads = []", "names no heads"),
        ("def head", "def tail", "RH202"),
        ("-1.0 * s.distance", "np.ones((3, 4))", "gave nothing"),
        ('"L0H1"', '"L9H9"', "no head L9H9"),
    ],
)
def test_what_cannot_be_recorded_is_told_and_no_file_is_touched(
    run: Run, program: Path, old: str, new: str, what: str
) -> None:
    other = program.with_name("other.py")
    other.write_text(PROGRAM, encoding="utf-8")
    change(program, old, new)
    before = program.read_bytes()
    complaint = run("record", other, program).complaint
    assert what in complaint
    assert str(program) in complaint
    assert program.read_bytes() == before
    assert other.read_text(encoding="utf-8") == PROGRAM


def test_a_file_that_changes_while_it_is_measured_is_left_alone(
    run: Run, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = recording.stamp
    edited = PROGRAM.replace("-1.0", "-2.0")

    def edit(session: object) -> object:
        program.write_text(edited, encoding="utf-8")
        return stamp(session)  # type: ignore[arg-type]

    monkeypatch.setattr(recording, "stamp", edit)
    assert "was changed" in run("record", program).complaint
    assert program.read_text(encoding="utf-8") == edited


# ---- check -----------------------------------------------------------------------------------------------------------


def test_check_holds_after_record(run: Run, program: Path) -> None:
    run("record", program)
    ran = run("check", "--json")
    assert ran.status == 0
    assert ran.document["ok"]
    assert [(row["file"], row["head"], row["reason"]) for row in ran.document["checks"]] == [
        (str(program), "L0H1", ""),
        (str(program), "L1H0", ""),
    ]
    assert "holds" in run("check", program).out


def test_check_fails_where_the_program_drifted_and_holds_within_the_tolerance(run: Run, program: Path) -> None:
    run("record", program)
    change(program, "-1.0 *", "-3.0 *")
    ran = run("check", "--json")
    assert ran.status == 1
    assert not ran.document["ok"]
    for row in ran.document["checks"]:
        assert row["measured"] != pytest.approx(row["recorded"], abs=0.005)
        assert row["reason"] == f"the IoU moved from {row['recorded']:.4f} to {row['measured']:.4f}"
    assert run("check", "--tolerance", "1").status == 0


@pytest.mark.parametrize(
    ("flags", "what"),
    [(["--model", "bundled"], "model"), (["--corpus", "bundled"], "corpus"), (["--length", "12"], "corpus")],
    ids=["model", "corpus", "length"],
)
def test_check_fails_with_another_model_or_corpus_and_says_which(
    run: Run, program: Path, flags: list[str], what: str
) -> None:
    run("record", program)
    ran = run("check", "--json", *flags)
    assert ran.status == 1
    for row in ran.document["checks"]:
        assert what in row["reason"]
        assert row["recorded"] is not None
        assert row["measured"] is None


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("def head", "def tail", "RH202"),
        ("# heads = [", "# heads = ][", "RH211"),
        ("-1.0 * s.distance", "s.colour", "refused"),
        ('"L0H1", "L1H0"]', '"L0H1", "L1H0", "L1H1"]', "no score is recorded"),
        ("# [tool.readhead.recorded.scores]", "# [tool.readhead.recorded.marks]", "no score is recorded"),
        ("L0H1 = {iou = ", "L0H1 = {ious = ", "no score is recorded"),
    ],
)
def test_check_fails_for_a_recorded_file_that_was_broken_since(
    run: Run, program: Path, old: str, new: str, what: str
) -> None:
    run("record", program)
    change(program, old, new)
    ran = run("check", "--json")
    assert ran.status == 1
    assert any(what in row["reason"] for row in ran.document["checks"])


@pytest.mark.parametrize("scores", ["scores = 3", "scores.L0H1 = 0.5", 'scores = {L0H1 = {iou = "high"}}'])
def test_scores_that_make_no_sense_count_as_none(run: Run, program: Path, scores: str) -> None:
    run("record", program)
    source = program.read_text(encoding="utf-8")
    start, end = source.index("# [tool.readhead.recorded.scores]"), source.rindex("# ///")
    program.write_text(f"{source[:start]}# {scores}\n{source[end:]}", encoding="utf-8")
    ran = run("check", "--json")
    assert ran.status == 1
    assert ran.document["checks"][0]["recorded"] is None


def test_check_with_nothing_recorded_is_bad_input(run: Run, program: Path) -> None:
    assert run("check").complaint == "no recorded scores to check"
    assert run("check", program).complaint == "no recorded scores to check"


def test_check_writes_well_formed_junit_xml(run: Run, program: Path, tmp_path: Path) -> None:
    run("record", program)
    report = tmp_path / "report.xml"
    assert run("check", "--junit", report).status == 0
    change(program, "-1.0 *", "-3.0 *")
    odd = program.with_name('<odd> & "so".py')
    odd.write_text('"""\x07"""\n' + PROGRAM.replace("def head", "def \x01"), encoding="utf-8")
    suites = [ET.parse(report).getroot()]
    assert run("check", "--junit", report).status == 1
    suites.append(ET.parse(report).getroot())
    for suite, failures in zip(suites, ("0", "4"), strict=True):
        assert suite.tag == "testsuite"
        assert suite.get("failures") == failures == str(len(suite.findall("testcase/failure")))
        assert suite.get("tests") == str(len(suite.findall("testcase")))
    assert {case.get("classname") for case in suites[1]} == {str(program), str(odd)}


def test_a_report_that_cannot_be_written_is_told(run: Run, program: Path, tmp_path: Path) -> None:
    run("record", program)
    assert "cannot be written" in run("check", "--junit", tmp_path / "none" / "report.xml").complaint


def test_check_of_some_files_looks_at_these_only(run: Run, program: Path) -> None:
    other = program.with_name("other.py")
    other.write_text(PROGRAM, encoding="utf-8")
    run("record", program, other)
    rows = run("check", other, "--json").document["checks"]
    assert {row["file"] for row in rows} == {str(other)}
    assert json.dumps(rows)

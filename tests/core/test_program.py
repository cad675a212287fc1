"""Parsing a program file tells what it is and what is wrong with it, and never raises."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from core.conftest import PROGRAM
from readhead.errors import ProgramError
from readhead.heads import HeadId
from readhead.program import parse, read_program

HEAD = "def head(s):\n    return 1\n"


def block(*lines: str) -> str:
    return "\n".join(["# /// script", *(f"# {line}" for line in lines), "# ///", "", HEAD])


def test_a_program_tells_its_explanation_metadata_and_size() -> None:
    program = parse(PROGRAM, name="near")
    assert program.findings == ()
    assert program.name == "near"
    assert program.explanation == "Look at the last few tokens."
    assert program.metadata.heads == (HeadId(0, 1), HeadId(1, 0))
    assert program.metadata.category == "boundaries"
    assert program.metadata.recorded is None
    assert (program.lines, program.terms, program.set_tokens) == (2, 1, 0)


@pytest.mark.parametrize(
    ("body", "terms"),
    [
        ("return softmax(6.0 * s.previous(1) + 3.0 * s.key.is_comma - s.distance)", 3),
        ("return softmax((s.previous(1) + (s.key.is_comma)) + s.distance)", 3),
        ("x = 0\n    x += s.distance\n    x -= s.previous(1)\n    return x", 3),
        ("if s.n > 3:\n        return 1\n    return 2", 3),
        ("return s.distance", 1),
    ],
)
def test_terms_count_the_largest_sum_or_else_branches_and_returns(body: str, terms: int) -> None:
    assert parse(f"def head(s):\n    {body}\n").terms == terms


def test_lines_leave_out_docstring_imports_comments_and_metadata() -> None:
    source = '"""One.\n\nMore\x0c of it, and \u2028 more.\n"""\nimport math\n\n' + block("[tool.readhead]")
    assert parse(source).lines == 2


def test_set_tokens_count_what_the_sets_list() -> None:
    assert parse('WORDS = {"a", "b"}\nMORE = ["c"]\n' + HEAD).set_tokens == 3


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ("def head(s):\n    return (1\n", "RH201", 2),
        ("def head(s):\n    return 'é" + "\n", "RH201", 2),
        ("x = \x00\n", "RH201", 1),
        ("(" * 10_000, "RH201", 1),
        ("", "RH202", 1),
        ("def heads(s):\n    return 1\n", "RH202", 1),
        ("class A:\n    def head(self):\n        return 1\n", "RH202", 1),
        ("x = 1\n\n\ndef head(s, t):\n    return 1\n", "RH203", 4),
        ("def head():\n    return 1\n", "RH203", 1),
        (block("[tool.readhead]") * 2, "RH210", 1),
        ("\n" + block("[tool.readhead"), "RH211", 2),
        (block("tool = 3"), "RH212", 1),
        (block("[tool]", "readhead = 3"), "RH212", 1),
        (block("[tool.readhead]", "colour = 3"), "RH213", 1),
        (block("[tool.readhead]", 'category = "mine"'), "RH214", 1),
        (block("[tool.readhead]", "category = [1]"), "RH214", 1),
        (block("[tool.readhead]", 'heads = ["L0H0", "H1"]'), "RH215", 1),
        (block("[tool.readhead]", "heads = 7"), "RH215", 1),
        (block("[tool.readhead]", "recorded = 1"), "RH216", 1),
    ],
)
def test_what_is_wrong_becomes_a_finding_with_its_place_and_a_cure(source: str, code: str, line: int) -> None:
    (finding,) = parse(source).findings
    assert (finding.code, finding.line) == (code, line)
    assert finding.column >= 1
    assert finding.message
    assert finding.hint
    assert "\n" not in str(finding)


@pytest.mark.parametrize(
    ("expression", "terms"),
    [
        (" + ".join(["s.first"] * 5000), 5000),
        ("(s.first + " * 3000 + "s.every" + ")" * 3000, 3001),
        ("-" * 20_000 + "s.first", 1),
        ("'\ud800' + s.first", 2),
    ],
    ids=["long sum", "deep sum", "many signs", "half a character"],
)
def test_a_text_that_overtaxes_a_reader_is_read_all_the_same(expression: str, terms: int) -> None:
    began = time.process_time()
    program = parse(f"def head(s):\n    return {expression}\n")
    assert time.process_time() - began < 2
    assert program.terms == terms
    assert program.fingerprint


def test_what_python_only_warns_of_is_no_finding_and_not_told(recwarn: pytest.WarningsRecorder) -> None:
    assert parse('def head(s):\n    return s.first * bool(re.match("\\d", s.tokens[0]))\n').findings == ()
    assert not recwarn.list


def test_findings_come_all_at_once_in_reading_order() -> None:
    source = block("[tool.readhead]", "colour = 1", 'heads = ["x", "y"]').replace("(s)", "(s, t)")
    assert [finding.code for finding in parse(source).findings] == ["RH213", "RH215", "RH215", "RH203"]


def test_other_tables_of_the_block_are_nobody_s_business() -> None:
    assert parse(block('dependencies = ["numpy"]', "[tool.ruff]", "line-length = 9")).findings == ()


def test_the_fingerprint_is_of_the_code_and_not_of_comments_metadata_or_layout() -> None:
    own = parse(PROGRAM).fingerprint
    same = PROGRAM.replace("L0H1", "L1H1").replace("  # the nearer the more", "").replace("-1.0 * s", "-1.0*s")
    assert parse(same).fingerprint == own
    assert parse(PROGRAM.replace("-1.0", "-1.5")).fingerprint != own
    assert parse("def head(s:").fingerprint != parse("def head(t:").fingerprint


@pytest.mark.parametrize(
    "raw", [PROGRAM.encode(), b"\xef\xbb\xbf" + PROGRAM.encode(), PROGRAM.replace("\n", "\r\n").encode()]
)
def test_a_file_may_have_a_byte_order_mark_and_windows_line_endings(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "near.py"
    path.write_bytes(raw)
    program = read_program(path)
    assert (program.name, program.source, program.findings) == ("near", PROGRAM, ())


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    latin, large = tmp_path / "latin.py", tmp_path / "large.py"
    latin.write_bytes("# né\n".encode("latin-1"))
    large.write_bytes(b"#" * 70_000)
    for path, why in (
        (latin, "UTF-8"),
        (large, "70000 bytes"),
        (tmp_path / "none.py", "No such"),
        (tmp_path, "directory"),
    ):
        with pytest.raises(ProgramError, match=why) as caught:
            read_program(path)
        assert str(path) in str(caught.value)
        assert caught.value.hint

"""Every command prints one document or one table, and exits 0, 1 or 2."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.conftest import PROGRAM, Ran, finished, own_process
from readhead import __version__, library, session
from readhead.options import Options
from readhead.sandbox import Sandbox
from readhead.settings import Settings
from readhead.workspace import Workspace

Run = Callable[..., Ran]

HEADS = ["L0H0", "L0H1", "L1H0", "L1H1"]
ROW = {
    "head": str,
    "program": str,
    "explanation": str,
    "category": str,
    "iou": float,
    "lift": float,
    "iou_without_first": float,
    "jsd": float,
    "inactive": bool,
    "trivial": str,
    "trivial_iou": float,
    "terms": int,
    "set_tokens": int,
    "symbols": int,
    "lines": int,
    "coverage": float,
    "look_ahead": type(None),
}
"""The heads list of `explain --json`."""

pytestmark = pytest.mark.usefixtures("few_programs", "workspace")


@pytest.fixture
def program(workspace: Path) -> Path:
    path = workspace / "near.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


# ---- help and flags --------------------------------------------------------------------------------------------------


def test_help_loads_neither_numpy_nor_torch() -> None:
    code = (
        "import sys; from readhead.cli import main; main(['--help']); main(['explain', '--help']); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded.isdisjoint({"numpy", "torch", "transformers", "rich.table", "tree_sitter"})
    assert "readhead.cli" in loaded


def test_without_a_command_the_help_is_printed(run: Run) -> None:
    assert run() == run("--help")
    assert run().status == 0
    assert "explain" in run().out


def test_the_version_is_told(run: Run) -> None:
    told = run("--version")
    assert (told.status, told.out) == (0, f"readhead {__version__}\n")


def test_every_command_of_the_issue_exists_and_takes_json(run: Run) -> None:
    for command in (
        "init",
        "explain",
        "extract",
        "synthesize",
        "score",
        "fit",
        "rank",
        "find",
        "show",
        "record",
        "check",
    ):
        ran = run(command, "--help")
        assert ran.status == 0
        assert "--json" in ran.out
        if command != "init":
            for flag in ("--model", "--corpus", "--sequences", "--length", "--seed", "--device", "--workspace"):
                assert flag in ran.out, (command, flag)
            assert "--allow-reduced-isolation" in ran.out.replace("\n", "")


def test_the_list_of_commands_is_not_cut_off_at_80_columns(run: Run) -> None:
    assert "..." not in run("--help").out.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["polish"], "polish"),
        (["rank", "--polish"], "--polish"),
        (["rank", "--sequences", "3"], "--sequences"),
        (["rank", "--length", "1"], "--length"),
        (["rank", "--length", "long"], "--length"),
        (["find"], "FILE"),
        (["show", "L0H0", "--part", "dev"], "--part"),
    ],
)
def test_a_wrong_flag_is_named_with_where_to_look(run: Run, arguments: list[str], what: str) -> None:
    ran = run(*arguments)
    assert what.lower() in ran.complaint.lower()
    assert "--help`" in ran.err


def test_flags_go_before_the_settings_and_these_before_the_defaults(tmp_path: Path) -> None:
    with Workspace(tmp_path, Settings(model="theirs", length=20, seed=3)) as opened:
        settings = Options(length=32, sequences=8, device="cpu").settings(opened)
    assert settings == Settings("theirs", "bundled", "programs", "cpu", seed=3, fit=4, dev=2, held_out=2, length=32)


@pytest.mark.parametrize(
    ("flags", "setting", "allowed"),
    [
        ([], "", False),
        (["--allow-reduced-isolation"], "", True),
        ([], "allow_reduced_isolation = true", True),
        (["--allow-reduced-isolation"], "allow_reduced_isolation = false", True),
        ([], "allow_reduced_isolation = false", False),
    ],
)
def test_only_an_explicit_yes_to_reduced_isolation_reaches_the_sandbox(
    workspace: Path, run: Run, monkeypatch: pytest.MonkeyPatch, flags: list[str], setting: str, *, allowed: bool
) -> None:
    made = []

    class Recorded(Sandbox):
        def __init__(self, **how: Any) -> None:
            super().__init__(**how)
            made.append(self)

    monkeypatch.setattr("readhead.session.Sandbox", Recorded)
    settings = workspace / "readhead.toml"
    settings.write_text(f"{settings.read_text()}\n{setting}\n")
    assert run("rank", "--json", *flags).status == 0
    assert [sandbox.allow_reduced for sandbox in made] == [allowed]


def test_paths_in_the_settings_are_meant_from_the_root_and_those_of_flags_from_here(
    workspace: Path, run: Run, corpus_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = workspace / "texts.txt"
    inside.write_bytes(corpus_file.read_bytes())
    settings = workspace / "readhead.toml"
    settings.write_text(settings.read_text().replace(json.dumps(str(corpus_file)), '"texts.txt"'))
    monkeypatch.chdir(workspace / "programs")
    assert run("rank", "--json").document["corpus"]["name"] == str(inside)
    (workspace / "programs" / "here.txt").write_bytes(corpus_file.read_bytes())
    assert run("rank", "--json", "--corpus", "here.txt", "--length", "12").document["corpus"]["length"] == 12


def test_the_model_is_a_flag_or_an_argument_of_explain(run: Run, workspace: Path, model_folder: Path) -> None:
    (workspace / "readhead.toml").unlink()
    for arguments in (["explain", model_folder], ["explain", "--model", model_folder]):
        document = run(*arguments, "--terms", 1, "--json", "--sequences", "8", "--length", "16").document
        assert document["model"]["name"] == str(model_folder)
        assert document["corpus"]["name"] == "bundled"


# ---- documents -------------------------------------------------------------------------------------------------------


def test_explain_prints_the_contract_s_document_and_nothing_else(run: Run, few_programs: int) -> None:
    ran = run("explain", "--json")
    assert ran.status == 0
    assert re.fullmatch(r"programs in \S+/programs: [1-4]\n", ran.err)
    document = ran.document
    assert document["model"]["layers"] == 2
    assert document["model"]["heads"] == 4
    assert isinstance(document["isolation"], str)
    corpus = {key: document["corpus"][key] for key in ("fit", "dev", "held_out", "length")}
    assert corpus == {"fit": 4, "dev": 2, "held_out": 2, "length": 16}
    assert document["programs"]["library"] == few_programs
    assert document["programs"]["distinct_best"] == len({row["program"] for row in document["heads"]})
    assert document["programs"]["broken"] == []
    assert document["part"] == "held-out"
    assert [row["head"] for row in document["heads"]] == HEADS
    for row in document["heads"]:
        assert {key: type(value) for key, value in row.items()} == ROW
        assert row["lift"] == pytest.approx(row["iou"] - row["trivial_iou"])
    ious = sorted(row["iou"] for row in document["heads"])
    assert document["mean_iou"] == pytest.approx(sum(ious) / 4)
    assert document["median_iou"] == pytest.approx((ious[1] + ious[2]) / 2)
    assert document["mean_trivial_iou"] == pytest.approx(sum(row["trivial_iou"] for row in document["heads"]) / 4)
    assert document["programs"]["synthesized"] == 4
    assert document["programs"]["unreached"] == []
    assert set(document["seconds"]) == {"extract", "synthesize", "rank", "order", "replace", "score"}


def test_rank_prints_the_same_heads_list_as_explain_on_dev(run: Run) -> None:
    explained, ranked = run("explain", "--library-only", "--json").document, run("rank", "--json").document
    assert ranked["part"] == "dev"
    assert [list(row) for row in ranked["heads"]] == [list(row) for row in explained["heads"]]
    for name in ("head", "program", "explanation", "category", "terms", "set_tokens", "lines"):
        assert [row[name] for row in ranked["heads"]] == [row[name] for row in explained["heads"]]


@pytest.mark.slow
def test_explain_again_extracts_and_scores_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run("explain", "--json").document

    def fail(*_: object, **__: object) -> None:
        pytest.fail("computed again")

    monkeypatch.setattr(library, "predict", fail)
    monkeypatch.setattr("readhead.patterns.read_packed", fail)
    again = run("explain", "--json").document
    assert {**again, "seconds": None} == {**first, "seconds": None}


def test_a_changed_program_is_run_again_and_changed_comments_are_not(
    run: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = workspace / "programs" / "own.py"
    own.write_text(PROGRAM, encoding="utf-8")
    ran: list[str] = []
    predict = library.predict

    def counted(programs: Any, *others: Any) -> Any:
        ran.extend(program.name for program in programs)
        return predict(programs, *others)

    monkeypatch.setattr(library, "predict", counted)
    run("rank")
    assert "own" in ran
    ran.clear()
    own.write_text(PROGRAM.replace("# the nearer the more", "# as one would think").replace("boundaries", "syntax"))
    run("rank")
    assert ran == []
    own.write_text(PROGRAM.replace("-1.0", "-2.0"))
    run("rank")
    assert "own" in ran
    assert "decay_4" not in ran[: ran.index("own")]


def test_extract_builds_the_store_once_and_tells_where(run: Run, workspace: Path) -> None:
    facts = run("extract", "--json").document
    assert (facts["sequences"], facts["heads"], facts["length"]) == (8, 4, 16)
    assert Path(facts["path"]).is_relative_to(workspace)
    assert facts["bytes"] == Path(facts["path"]).stat().st_size == 8 * 4 * 136 * 2
    written = Path(facts["path"]).stat().st_mtime_ns
    assert facts["path"] in run("extract").out
    assert Path(facts["path"]).stat().st_mtime_ns == written


def test_extract_without_a_workspace_is_refused(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no workspace" in run("extract", "--sequences", 8, "--length", 16).complaint


def test_a_folder_without_settings_serves_as_a_workspace(run: Run, tmp_path: Path, model_folder: Path) -> None:
    flags = ("--model", model_folder, "--sequences", 8, "--length", 16, "--workspace", tmp_path / "new")
    assert Path(run("extract", "--json", *flags).document["path"]).is_relative_to(tmp_path / "new")


def test_score_prints_a_row_a_file_and_head_in_the_order_given(run: Run, program: Path) -> None:
    copy = program.with_name("copy.py")
    copy.write_bytes(program.read_bytes())
    document = run("score", copy, program, "L1H1", "l0h0", "--json").document
    rows = document["programs"]
    wanted = [(str(file), head) for file in (copy, program) for head in ("L1H1", "L0H0")]
    assert [(row["file"], row["head"]) for row in rows] == wanted
    for row in rows:
        assert {key: type(row[key]) for key in ROW} == ROW
        assert row["error"] is None
        assert (row["part"], row["sequences"], row["length"]) == ("held-out", 2, 16)
        assert len(row["mistakes"]) == 2, "one a text"
    assert {**rows[0], "file": "", "program": ""} == {**rows[2], "file": "", "program": ""}


def test_score_without_heads_takes_those_of_the_metadata(run: Run, program: Path) -> None:
    rows = run("score", program, "--json", "--part", "dev", "--failures", 0).document["programs"]
    assert [row["head"] for row in rows] == ["L0H1", "L1H0"]
    assert all(row["part"] == "dev" and row["mistakes"] == [] for row in rows)


def test_score_and_rank_agree(run: Run, small_library: Path) -> None:
    for row in run("rank", "--json").document["heads"]:
        file = small_library / f"{row['program']}.py"
        scored = run("score", file, row["head"], "--part", "dev", "--json").document["programs"][0]
        assert scored["iou"] == pytest.approx(row["iou"], abs=1e-6)


def test_find_lists_all_heads_by_iou_with_the_rank_among_the_library(
    run: Run, program: Path, few_programs: int
) -> None:
    found = run("find", program, "--json").document
    assert (found["file"], found["part"]) == (str(program), "dev")
    rows = found["heads"]
    assert sorted(row["head"] for row in rows) == HEADS
    assert [row["iou"] for row in rows] == sorted((row["iou"] for row in rows), reverse=True)
    assert all(1 <= row["rank"] <= row["of"] == few_programs + 1 for row in rows)
    assert len(run("find", program, "--top", "1", "--json").document["heads"]) == 1


def test_find_gives_a_library_s_program_its_own_rank(run: Run, small_library: Path) -> None:
    best = {row["head"]: row["program"] for row in run("rank", "--json").document["heads"]}
    name = next(iter(best.values()))
    found = run("find", small_library / f"{name}.py", "--json").document["heads"]
    assert {row["head"] for row in found if row["rank"] == 1} == {head for head, own in best.items() if own == name}


def test_show_prints_pattern_and_prediction_of_a_text(run: Run, program: Path) -> None:
    text = "The dog ran home. It was wet."
    document = run("show", "L1H1", "--text", text, "--program", program, "--json").document
    tokens = document["tokens"]
    assert "".join(tokens[1:]) == text
    assert (document["head"], document["program"]) == ("L1H1", "near")
    for name in ("pattern", "prediction"):
        assert len(document[name]) == len(tokens)
        for row, weights in enumerate(document[name]):
            assert len(weights) == len(tokens)
            assert sum(weights) == pytest.approx(1, abs=1e-2)
            assert not any(weights[row + 1 :])
            assert all(round(weight, 4) == weight for weight in weights)
    assert 0 < document["iou"] < 1


def test_show_takes_the_best_program_and_the_first_dev_text_by_default(run: Run) -> None:
    best = run("rank", "--json").document["heads"][3]["program"]
    document = run("show", "L1H1", "--json").document
    assert document["program"] == best
    assert len(document["tokens"]) == 16


@pytest.mark.parametrize("columns", [80, 40])
def test_show_is_readable_without_colour(
    run: Run, program: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    ran = run("show", "L0H0", "--program", program, "--text", "The dog [b]ran[/b] :key: home. It was cold and wet.")
    assert "\x1b" not in ran.out
    lines = ran.out.splitlines()
    assert all(len(line.rstrip()) <= columns for line in lines)
    drawn = [
        line[11:]
        for line in lines
        if line[10:11] == " " and line[:10].strip() and set(line[11:]) <= set("0123456789· ")
    ]
    assert drawn[0][0] == "9", "the first token can look at nothing but itself"
    assert any("·" in line for line in drawn)


def test_tables_fit_into_80_columns(run: Run, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(program.parent)
    for arguments in (
        ["explain", "--terms", "2"],
        ["synthesize", "--front"],
        ["rank"],
        ["score", program.name],
        ["find", program.name],
    ):
        ran = run(*arguments)
        assert ran.status == 0
        assert "L1H0" in ran.out
        assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_square_brackets_and_colons_in_names_and_texts_are_shown_as_they_are(
    run: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    odd = workspace / "[b]odd.py"
    odd.write_text(PROGRAM.replace("the last few tokens", "[red]everything[/] :key:"), encoding="utf-8")
    for arguments in (["score", odd], ["find", odd], ["show", "L0H0", "--program", odd]):
        out = run(*arguments).out
        assert "[b]odd" in out
        assert "[red]everything[/] :key:" in out


# ---- exit status and streams -----------------------------------------------------------------------------------------


def test_as_a_process_it_complains_in_two_lines(workspace: Path) -> None:
    ran = finished(own_process("score", workspace / "nothing.py", "L0H0"))
    assert ran.complaint == f"{workspace}/nothing.py cannot be read: No such file or directory"


def test_a_result_that_cannot_be_printed_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        ran = finished(own_process("init", "--json", stdout=full))
    assert ran.complaint == "the result cannot be printed: No space left on device"


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = finished(own_process("init", stdout=writing))
    os.close(writing)
    assert (ran.status, ran.err) == (0, "")


def test_a_terminal_without_utf_8_shows_what_it_can(workspace: Path) -> None:
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    ran = finished(own_process("init", workspace / "ünï", env=ascii_only))
    assert ran.status == 0
    assert "\\xfcn\\xef" in ran.out
    ran = finished(own_process("init", workspace / "ünï", "--json", env=ascii_only))
    assert ran.document == {"folder": str(workspace / "ünï"), "written": []}


def test_an_interrupt_ends_with_one_line_and_status_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(session, "rank", interrupt)
    ran = run("explain")
    assert ran.complaint == "interrupted"


# ---- init ------------------------------------------------------------------------------------------------------------


def test_init_writes_a_workspace_whose_settings_are_the_defaults(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "new" / "one"
    ran = run("init", root, "--json")
    assert ran.document["written"] == [str(root / "readhead.toml"), str(root / ".gitignore")]
    assert (root / "programs").is_dir()
    assert (root / "readhead.toml").stat().st_mode & 0o444 == 0o444 & ~_umask()
    with Workspace.open(root) as opened:
        assert opened.settings == Settings()


def test_init_again_keeps_what_is_there(run: Run, tmp_path: Path) -> None:
    run("init", tmp_path)
    settings, program = tmp_path / "readhead.toml", tmp_path / "programs" / "mine.py"
    settings.write_text("length = 20\n")
    program.write_text(PROGRAM)
    (tmp_path / ".gitignore").unlink()
    ran = run("init", tmp_path)
    assert ran.out == f"wrote {tmp_path / '.gitignore'}\n"
    assert settings.read_text() == "length = 20\n"
    assert program.read_text() == PROGRAM
    assert run("init", tmp_path).out == f"{tmp_path} is a workspace already\n"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

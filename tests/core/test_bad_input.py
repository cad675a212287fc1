"""Whatever goes wrong from outside is told in two lines, with status 2: what is wrong and where, and what to do."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from core.conftest import POSITIONS, PROGRAM, Ran, environment, finished
from readhead import models, patterns

Run = Callable[..., Ran]

pytestmark = pytest.mark.usefixtures("few_programs", "workspace")

PROGRAMS = {
    "unparsable": ("def head(s:\n    return 1\n", "refused", "RH201"),
    "headless": ("def tail(s):\n    return 1\n", "refused", "RH202"),
    "metadata": (PROGRAM.replace("[tool.readhead]", "[tool.readhead"), "refused", "RH211"),
    "forbidden": ("import os\n\ndef head(s):\n    return os.getpid()\n", "refused", "RH2"),
    "shape": ("def head(s):\n    return np.ones((3, 4))\n", "bad result", ""),
    "nothing": ("def head(s):\n    return None\n", "bad result", ""),
    "words": ("def head(s):\n    return 'all of them'\n", "bad result", ""),
    "raises": ("def head(s):\n    x = 1\n    return s.distance + [][x]\n", "error", ""),
    "endless": ("def head(s):\n    while True:\n        pass\n", "time-out", ""),
}
CLEANED = {
    "nan": "def head(s):\n    return np.full((s.n, s.n), np.nan)\n",
    "negative": "def head(s):\n    return -1.0 - s.distance\n",
    "infinite": "def head(s):\n    return np.full((s.n, s.n), np.inf)\n",
}


def write(folder: Path, sources: dict[str, str]) -> list[Path]:
    paths = [folder / f"{name}.py" for name in sources]
    for path, source in zip(paths, sources.values(), strict=True):
        path.write_text(source, encoding="utf-8")
    return paths


def untouched(workspace: Path) -> bool:
    """Whether no long work was begun."""
    return not (workspace / ".readhead" / "patterns").exists()


# ---- models ----------------------------------------------------------------------------------------------------------


def test_an_unknown_model_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_hub_knows", lambda _: False)
    assert "no/such-model" in run("explain", "no/such-model").complaint
    assert "no model folder ./nowhere" in run("explain", "./nowhere").complaint


@pytest.mark.parametrize("architecture", ["mamba", "falcon", "bert", "t5", "gpt_oss", "of_tomorrow"])
def test_a_model_whose_patterns_cannot_be_read_is_refused_with_its_architecture(
    run: Run, tmp_path: Path, architecture: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": architecture}))
    assert architecture in run("rank", "--model", tmp_path).complaint


@pytest.mark.parametrize(
    ("lacking", "what"),
    [("tokenizer*", "tokenizer"), ("*.safetensors", "weights"), ("config.json", "config.json"), ("*", "config.json")],
)
def test_a_model_folder_without_a_part_is_told(
    run: Run, model_folder: Path, tmp_path: Path, lacking: str, what: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder, ignore=shutil.ignore_patterns(lacking))
    complaint = run("rank", "--model", folder).complaint
    assert str(folder) in complaint
    assert what in complaint


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_told_with_those_that_are(run: Run) -> None:
    ran = run("rank", "--device", "cuda")
    assert "cuda" in ran.complaint
    assert "cpu" in ran.err
    assert "abacus" in run("rank", "--device", "abacus").complaint


def test_more_tokens_than_the_model_has_positions_are_told(run: Run, workspace: Path, corpus_file: Path) -> None:
    long = workspace / "long.txt"
    long.write_text("\n".join(f"{number}: {corpus_file.read_text()}"[:9000].replace("\n", " ") for number in range(8)))
    complaint = run("rank", "--length", POSITIONS + 1, "--corpus", long).complaint
    assert f"{POSITIONS + 1} tokens are more than the {POSITIONS} positions" in complaint
    assert untouched(workspace)
    near = write(workspace, {"near": PROGRAM})[0]
    complaint = run("show", "L0H0", "--program", near, "--text", "the dog " * POSITIONS).complaint
    assert f"more than the {POSITIONS} positions" in complaint


# ---- corpora ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("empty.txt", b"", "is empty"),
        ("blank.txt", b"\n \n\n", "is empty"),
        ("short.txt", b"one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n", "fewer than 16 tokens"),
        ("few.txt", b"The little dog ran home in the rain, and it was cold and wet and sad.\n" * 9, "leaves the"),
        ("latin.txt", "Fine.\nUne journée à la mer.\n".encode("latin-1") * 9, "not UTF-8 (line 2)"),
        ("broken.jsonl", b'{"text": "one"}\n{"text": \n', "line 2 is not JSON"),
        ("other.jsonl", b'{"title": "one"}\n', "line 1 has no text field"),
    ],
)
def test_a_corpus_that_gives_no_texts_is_told(run: Run, workspace: Path, name: str, content: bytes, what: str) -> None:
    (workspace / name).write_bytes(content)
    complaint = run("rank", "--corpus", name).complaint
    assert what in complaint
    assert name in complaint
    assert untouched(workspace)


def test_a_corpus_that_is_not_there_is_told(run: Run, workspace: Path) -> None:
    assert "there is no corpus ./texts.txt" in run("rank", "--corpus", "./texts.txt").complaint
    assert "holds no .txt file" in run("rank", "--corpus", workspace / "programs").complaint


# ---- workspace -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["lenght = 20", 'length = "20"', "length = ", "fit = 0"])
def test_broken_settings_are_told(run: Run, workspace: Path, text: str) -> None:
    (workspace / "readhead.toml").write_text(text)
    assert "readhead.toml" in run("rank").complaint


def test_a_file_is_no_workspace(run: Run, workspace: Path) -> None:
    file = workspace / "readhead.toml"
    assert run("rank", "--workspace", file).complaint == f"{file} is not a folder"
    assert str(file) in run("init", file).complaint


# ---- heads and parts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["show", "L9H9"], "no head L9H9"),
        (["show", "third"], "'third' is not a head"),
        (["score", "near.py", "L9H9"], "no head L9H9"),
        (["score", "near.py", "L0H0", "--part", "all"], "no part 'all'"),
        (["score", "L0H0"], "no program file"),
        (["score", "bare.py"], "bare.py names no heads"),
        (["score", "near.py", "bare.py"], "bare.py names no heads"),
        (["score", "unparsable.py"], "unparsable.py:1:"),
    ],
)
def test_a_wrong_head_or_part_is_told_before_any_long_work(
    run: Run, workspace: Path, arguments: list[str], what: str
) -> None:
    write(workspace, {"near": PROGRAM, "bare": "def head(s):\n    return 1\n", "unparsable": PROGRAMS["unparsable"][0]})
    assert what in run(*arguments).complaint
    assert untouched(workspace)


# ---- programs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [["score", "{}", "L0H0"], ["find", "{}"], ["show", "L0H0", "--program", "{}"], ["record", "{}"], ["check", "{}"]],
)
def test_a_program_file_that_cannot_be_read_is_told(run: Run, workspace: Path, arguments: list[str]) -> None:
    latin = workspace / "latin.py"
    latin.write_bytes("# né\n".encode("latin-1"))
    for path, why in (("nowhere.py", "No such file"), ("programs", "directory"), ("latin.py", "not UTF-8")):
        complaint = run(*(argument.format(path) for argument in arguments)).complaint
        assert complaint.startswith(path)
        assert why in complaint


@pytest.mark.slow
def test_score_tells_of_each_broken_program_what_is_wrong_where_and_goes_on(run: Run, workspace: Path) -> None:
    files = write(workspace, {name: source for name, (source, _, _) in PROGRAMS.items()} | CLEANED)
    ran = run("score", *files, "L1H1", "--json")
    assert (ran.status, ran.err) == (0, "")
    rows = {Path(row["file"]).stem: row for row in ran.document["programs"]}
    for name, (_, kind, code) in PROGRAMS.items():
        row = rows[name]
        for figure in ("iou", "lift", "iou_without_first", "jsd"):
            assert row[figure] is None, name
        assert row["coverage"] == 0
        error = row["error"]
        assert {"kind", "code", "line", "column", "message", "hint"} <= set(error)
        assert error["kind"] == kind, name
        assert error["code"].startswith(code)
        assert error["message"]
        assert "\n" not in error["message"]
        assert error["line"] is not None or kind == "time-out", name
    assert rows["raises"]["error"]["line"] == 3
    for name in CLEANED:
        assert rows[name]["coverage"] == 1
        assert rows[name]["error"] is None
        assert 0 <= rows[name]["iou"] <= 1


def test_score_shows_what_is_wrong_in_its_table(run: Run, workspace: Path) -> None:
    raises, near = write(workspace, {"raises": PROGRAMS["raises"][0], "near": PROGRAM})
    out = " ".join(run("score", raises, near, "L1H1").out.split())
    assert "error in line 3" in out
    assert "near on L1H1" in out


def test_explain_and_rank_list_broken_programs_with_error_and_coverage(run: Run, workspace: Path) -> None:
    sources = {name: PROGRAMS[name][0] for name in ("unparsable", "metadata", "raises", "shape")}
    files = write(workspace / "programs", sources)
    for command in (("explain", "--library-only"), ("rank",)):
        ran = run(*command, "--json")
        assert ran.status == 0
        listed = {row["file"]: row for row in ran.document["programs"]["broken"]}
        assert set(listed) == set(map(str, files))
        for row in listed.values():
            assert row["coverage"] == 0
            assert row["error"]["message"]
        assert not {row["program"] for row in ran.document["heads"]} & set(sources)
        shown = "".join(run(*command).out.split())
        assert all(str(file) in shown for file in files)


def test_a_program_that_fails_on_some_texts_keeps_its_score_and_shows_its_coverage(run: Run, workspace: Path) -> None:
    sometimes = PROGRAM.replace("return", "if s.tokens[1].startswith('T'):\n        return [][0]\n    return")
    file = write(workspace / "programs", {"sometimes": sometimes})[0]
    flags = ("--sequences", "16")
    row = run("score", file, "L1H1", "--json", *flags).document["programs"][0]
    assert 0 < row["coverage"] < 1
    assert row["iou"] > 0
    assert row["error"] is None
    assert f"coverage {row['coverage']:.0%}" in run("score", file, "L1H1", *flags).out
    (broken,) = run("rank", "--json", *flags).document["programs"]["broken"]
    assert broken["file"] == str(file)
    assert broken["coverage"] < 1


def test_find_show_and_record_of_a_broken_program_are_refused(run: Run, workspace: Path) -> None:
    for file in write(workspace, {name: PROGRAMS[name][0] for name in ("unparsable", "shape", "raises")}):
        for arguments in (["find", file], ["show", "L0H0", "--program", file], ["record", file]):
            assert run(*arguments).complaint.startswith(str(file))


# ---- full disks, kills and company -----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 320 kB, with a workspace's settings on it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=320k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_fills_up_during_extraction_is_told_and_what_is_there_is_kept(
    run: Run, workspace: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--corpus", "bundled", "--sequences", 40, "--length", POSITIONS, "--json")
    shutil.copy(workspace / "readhead.toml", small_disk)
    ran = run("explain", "--library-only", *flags, "--workspace", small_disk)
    assert "No space left on device" in ran.complaint
    assert str(small_disk) in ran.complaint
    assert list(small_disk.rglob("*.f16")) == []
    (begun,) = small_disk.rglob("*.part")
    assert begun.stat().st_size > 0
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    rest: list[int] = []
    read_packed = patterns.read_packed
    monkeypatch.setattr(patterns, "read_packed", lambda m, s: (rest.append(len(s)), read_packed(m, s))[1])
    resumed = run("explain", "--library-only", *flags, "--workspace", small_disk).document
    assert 0 < sum(rest) < 40, "the rest only"
    assert resumed["heads"] == run("explain", "--library-only", *flags).document["heads"]


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"." * 4096)


def test_a_disk_that_is_full_from_the_beginning_is_told(run: Run, workspace: Path, small_disk: Path) -> None:
    shutil.copy(workspace / "readhead.toml", small_disk)
    filler = small_disk / "filler"
    fill(filler)
    assert str(small_disk) in run("rank", "--workspace", small_disk).complaint
    assert "cannot be written" in run("init", small_disk / "programs").complaint or (small_disk / "programs").exists()
    filler.unlink()
    assert run("rank", "--workspace", small_disk).status == 0


HALTING = """
import sys
from readhead import patterns
from readhead.cli import main
patterns.BATCH_TOKENS = 100  # two sequences
read_packed, batches = patterns.read_packed, []
def halting(*arguments):
    batches.append(arguments)
    if len(batches) == 3:
        print("halted", flush=True)
        sys.stdin.read()
    return read_packed(*arguments)
patterns.read_packed = halting
sys.exit(main())
"""
EXPLAIN = ("explain", "--library-only", "--corpus", "bundled", "--sequences", 16, "--length", POSITIONS, "--json")


def halted(workspace: Path) -> subprocess.Popen[str]:
    """A process of its own that has extracted 4 of 16 texts and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", HALTING, *map(str, EXPLAIN)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=workspace,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "halted\n"
    return process


@pytest.mark.slow
def test_a_killed_run_shows_nothing_half_and_is_resumed(run: Run, workspace: Path, tmp_path: Path) -> None:
    process = halted(workspace)
    process.send_signal(signal.SIGKILL)
    assert finished(process).out == ""
    assert list(workspace.rglob("*.f16")) == []
    (begun,) = workspace.rglob("*.part")
    record = 4 * patterns.packed_size(POSITIONS) * 2
    assert 0 < begun.stat().st_size < 16 * record
    with begun.open("ab") as file:
        file.write(b"\x00" * (record // 3))  # as if the kill had come in the midst of a record
    resumed = run(*EXPLAIN).document
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    shutil.copy(workspace / "readhead.toml", undisturbed)
    fresh = run(*EXPLAIN, "--workspace", undisturbed).document
    assert {**resumed, "seconds": None} == {**fresh, "seconds": None}
    stores = [next(root.rglob("*.f16")).read_bytes() for root in (workspace / ".readhead", undisturbed)]
    assert stores[0] == stores[1]


@pytest.mark.slow
def test_an_interrupted_run_says_so(workspace: Path) -> None:
    process = halted(workspace)
    process.send_signal(signal.SIGINT)
    assert finished(process).complaint == "interrupted"


@pytest.mark.slow
def test_two_runs_at_once_in_one_workspace_both_succeed(run: Run, workspace: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "readhead", *map(str, EXPLAIN)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=workspace,
            env=environment(),
        )
        for _ in range(2)
    ]
    first, second = (finished(process) for process in processes)
    assert (first.status, first.err) == (second.status, second.err) == (0, "")
    assert first.document["heads"] == second.document["heads"]
    database = sqlite3.connect(workspace / ".readhead" / "readhead.sqlite")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    assert sorted(path.suffix for path in workspace.rglob("patterns.*")) == [".f16", ".lock"]
    assert run("check").status == 2


def test_a_machine_without_memory_for_the_model_s_batch_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory\nmore")

    monkeypatch.setattr("readhead.attention.read_patterns", full)
    assert "can't allocate memory" in run("rank").complaint

"""Constants are found by the rule, moved to where the IoU is best, and nothing else in the text changes."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.conftest import PROGRAM, Ran
from readhead.corpus import PARTS, Corpus, Part, TokenSequence
from readhead.errors import ProgramError, StoreError, UsageError
from readhead.heads import Geometry, HeadId
from readhead.library import Target, predict, score_pairs
from readhead.patterns import PatternStore
from readhead.program import parse, read_program
from readhead.record import rewrite, without_record
from readhead.sandbox import Sandbox
from readhead.synthesis import constants as fitting
from readhead.synthesis.constants import Fitted, fit_constants, free_constants, with_values
from readhead.tokens import Text

Run = Callable[..., Ran]
Plant = Callable[..., Target]

LENGTH = 24
SIZES: dict[Part, int] = {"fit": 20, "dev": 6, "held-out": 2}
WORDS = ["the", "dog", "ran", "home", "Mia", "said", "and", "red", "ball", "she"]
MARKS = [",", ".", '"']


def program(score: str) -> str:
    return f'"""A program."""\n\n\ndef head(s):\n    return softmax(\n{score}\n    )\n'


def text_of(seed: int) -> Text:
    chance = random.Random(seed)
    return Text(tuple(f" {chance.choice(WORDS)}" if chance.random() < 0.8 else chance.choice(MARKS) for _ in "x" * 24))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


@pytest.fixture
def plant(tmp_path: Path, sandbox: Sandbox) -> Plant:
    """A target whose heads are programs; on `dev` they may be others."""
    numbers = iter(range(100))
    parts = {
        part: tuple(TokenSequence(tuple(range(LENGTH)), text_of(next(numbers))) for _ in range(SIZES[part]))
        for part in PARTS
    }
    corpus = Corpus("made up", LENGTH, parts, 0, 0)

    def planted(*sources: str, dev: str | None = None) -> Target:
        stored = []
        for part in PARTS:
            heads = [dev or source if part == "dev" else source for source in sources]
            runs = [given for given, _ in predict([parse(source) for source in heads], corpus[part], sandbox)]
            stored.append(np.array(runs, np.float16).swapaxes(0, 1))
        path = tmp_path / "patterns.f16"
        np.concatenate(stored).tofile(path)
        store = PatternStore(path, sum(SIZES.values()), len(sources), LENGTH)
        return Target("planted", Geometry(1, len(sources)), corpus, store)

    return planted


def fit(source: str, target: Target, sandbox: Sandbox, *heads: int) -> Fitted:
    named = [HeadId(0, head) for head in heads or (0,)]
    return fit_constants(parse(source), named, target, sandbox)


def values(source: str) -> list[float]:
    return [constant.value for constant in free_constants(source)]


# ---- which literals are free -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "free"),
    [
        ("3.0 * s.first", [3.0]),
        ("3. * s.first + .5 + 1e2", [3.0, 0.5, 100.0]),
        ("-1.5 * s.first - 2.5", [-1.5, 2.5]),
        ("3 * s.first", []),
        ("2.5 * s.decay(4.5)", [2.5, 4.5]),
        ("s.previous(1.0) + s.within(2.0) + s.words_back(k=3.0) + s.within(int(2.0 * 1.5))", []),
        ("sum(x for k in range(int(3.0)))", []),
        ("x[1.0] + x[1.0:2.0] + (1.5 * x)[:, 2.0]", [1.5]),
        ("np.clip(x, 0.25, a_max=0.75)", [0.25]),
        ("x ** 2 + x ** -2 + x ** 0.5", [0.5]),
        ("'2.0' + f'{2.0}'", []),
        ("x / (y + 1e-9) + np.where(m, 0.0, -1e9)", [0.0]),
        ("1e999 + 2.0j", []),
        ("(lambda x, k=2.0: 1.5 * x)(s.first)", [1.5]),
    ],
)
def test_without_a_mark_floats_are_free_and_structure_is_not(line: str, free: list[float]) -> None:
    assert values(f"W = 7.5\ndef head(s, k=6.5):\n    return softmax({line})\n") == free


@pytest.mark.parametrize(
    ("line", "free"),
    [
        ("3 * s.first - s.distance / 16", [3, 16]),
        ("-3 * s.first", [-3]),
        ("(2) * s.first", [2]),
        ("s.decay(4) + s.previous(1) + s.within(2)", [4]),
        ("s.position > 3", [3]),
        ("np.eye(3) + x[1] + x ** 2 + x // 4 + x % 5", []),
        ("np.where(m, 3, 4)", []),
        ("x ** (2 * 3)", []),
        ("1e9 * s.first", [1e9]),
    ],
)
def test_on_a_marked_line_integers_that_are_operands_are_free_too(line: str, free: list[float]) -> None:
    assert values(f"def head(s):\n    x = 9.5  # freely\n    y = {line}  # free: a weight\n") == free


def test_a_mark_frees_its_own_line_alone_wherever_it_stands() -> None:
    assert values("# free\nW = 2.0  # so free\ndef head(s):\n    # 3.0 is free\n    return 4.0 * s.first\n") == [2.0]
    assert values("def head(s):\n    x = '# free'\n    return 4.0 * s.first  # freedom\n") == [4.0]
    assert values("def head(s):\n    # all is free\n    return 4.0 * s.first\n") == [4.0]


def test_a_constant_knows_its_place_in_bytes() -> None:
    source = 'def head(s):\n    x = "é🙂" or - 2.5\n    return 1.5\n'
    first, second = free_constants(source)
    assert (first.line, second.line) == (2, 3)
    assert source.encode()[first.start : first.end] == b"- 2.5"
    assert source.encode()[second.start : second.end] == b"1.5"


# ---- writing values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a + 3.0 * b", "a + -2.0 * b"),
        ("a - 3.0 * b", "a - -2.0 * b"),
        ("a-3.0*b", "a--2.0*b"),
        ("3.0 ** a", "(-2.0) ** a"),
        ("a ** 3.0", "a ** -2.0"),
        ("a if.5 else b", "a if-2.0 else b"),
    ],
)
def test_a_flipped_sign_leaves_valid_python(old: str, new: str) -> None:
    source = f"def head(s):\n    return {old}\n"
    written = with_values(source, free_constants(source), [-2.0])
    assert written == source.replace(old, new)
    assert values(written) == [-2.0]


def test_a_minus_right_before_a_literal_goes_with_its_sign() -> None:
    source = "def head(s):\n    return-1.5 * a + (- 2.5) ** 2 + -3.5 ** 2\n"
    written = with_values(source, free_constants(source), [4.0, 0.5, 3.0])
    assert written == "def head(s):\n    return 4.0 * a + (0.5) ** 2 + -3.0 ** 2\n"


SEPARATORS = st.sampled_from([" + ", "-", "\n  *  ", " - (\n", "  # é: a comment of 1.5\n / ", " ** "])
NUMBERS = st.floats(-1e4, 1e4).map(lambda value: round(float(f"{value:.3g}"), 4))
DIGITS = st.floats(1e-4, 1e4).map(lambda value: repr(float(f"{value:.4g}")))


@given(st.lists(st.tuples(SEPARATORS, DIGITS, st.booleans(), NUMBERS), min_size=1, max_size=8))
def test_nothing_but_the_digits_of_literals_changes(parts: list[tuple[str, str, bool, float]]) -> None:
    score = "s.é" + "".join(f"{sep}{'-' * minus}{digits}" for sep, digits, minus, _ in parts)
    source = f"def head(s):\n    return softmax(({score}{')' * score.count('(')}))  # 2.0 \t\n"
    found = free_constants(source)
    assert len(found) == len(parts)
    assert with_values(source, found, [constant.value for constant in found]) == source
    new = [value + 0.0 for *_, value in parts]
    written = with_values(source, found, new)
    ast.parse(written)
    again = free_constants(written)
    assert [constant.value for constant in again] == new
    assert gaps(written, again, bases=True) == gaps(source, found, bases=False)


def gaps(source: str, found: list[Any], *, bases: bool) -> list[bytes]:
    """What stands between the constants, without the parentheses that a negative base was given."""
    text, end, result = source.encode(), 0, []
    for constant in found:
        result.append(text[end : constant.start])
        end = constant.end
        if bases and text[end : end + 1] == b")" and result[-1].endswith(b"(") and constant.value < 0:
            result[-1] = result[-1][:-1]
            end += 1
    return [*result, text[end:]]


# ---- fitting ---------------------------------------------------------------------------------------------------------

LAYOUT = """        2.0*s.previous( 1 )   # the token before  (2.0)
        +   {a} * s.key.is_comma\t# é

        - {b} * s.distance"""


@pytest.mark.slow
def test_planted_weights_are_recovered_to_within_rounding(plant: Plant, sandbox: Sandbox) -> None:
    truth = program(LAYOUT.replace("2.0*", "3.4*").format(a="-1.7", b="0.21"))
    source = program(LAYOUT.format(a="1.0", b="0.05"))
    fitted = fit(source, plant(truth), sandbox)
    assert values(fitted.source) == pytest.approx([3.4, -1.7, 0.21], rel=0.03)
    assert fitted.fit_before < 0.7
    assert fitted.fit_after > 0.99
    assert fitted.dev_after > 0.99
    assert (fitted.kept, fitted.constants) == ("", 3)
    assert [change.line for change in fitted.changes] == [6, 7, 9]
    new = [change.new for change in fitted.changes]
    assert fitted.source == with_values(source, free_constants(source), new)
    assert all(value == float(f"{value:.3g}") for value in new)


@pytest.mark.slow
def test_told_scores_are_those_of_the_text_that_is_told(plant: Plant, sandbox: Sandbox) -> None:
    target = plant(program("3.4 * s.itself - 0.3 * s.distance"))
    fitted = fit(program("1.0 * s.itself - 0.1 * s.log_distance"), target, sandbox)
    for part, iou in (("fit", fitted.fit_after), ("dev", fitted.dev_after)):
        (score,) = score_pairs([(parse(fitted.source), HeadId(0, 0))], target, sandbox, part=part)  # type: ignore[arg-type]
        assert score.iou == pytest.approx(iou, abs=1e-6)
    assert fitted.fit_after > fitted.fit_before


@pytest.mark.slow
def test_thresholds_move_although_they_have_no_slope(plant: Plant, sandbox: Sandbox) -> None:
    line = "        3.0 * (s.distance < {}) * (s.key.position >= {})  # free"
    target = plant(program(line.format(7, 3)))
    fitted = fit(program(line.format(3, 1)), target, sandbox)
    assert fitted.fit_after > 0.99
    weight, near, late = values(fitted.source)
    assert (weight, near, late) == (
        pytest.approx(3, rel=0.05),
        pytest.approx(6.5, abs=0.5),
        pytest.approx(2.5, abs=0.5),
    )


def test_only_marked_literals_move_and_integers_become_floats(plant: Plant, sandbox: Sandbox) -> None:
    target = plant(program("3.0 * s.itself - s.distance / 2.5"))
    source = program("        3.0 * s.itself\n        - s.distance / 9  # free: how far")
    fitted = fit(source, target, sandbox)
    (change,) = fitted.changes
    assert (change.line, change.old) == (7, 9)
    assert change.new == pytest.approx(2.5, abs=0.5)
    assert fitted.source == source.replace("/ 9 ", f"/ {change.new!r} ")


@pytest.mark.slow
def test_several_heads_are_fitted_by_the_mean_of_their_ious(plant: Plant, sandbox: Sandbox) -> None:
    target = plant(program("-0.1 * s.distance"), program("-0.6 * s.distance"))
    source = program("-3.0 * s.distance")
    steepness = [-values(fit(source, target, sandbox, *heads).source)[0] for heads in ((0,), (0, 1), (1,))]
    assert steepness[0] == pytest.approx(0.1, rel=0.05)
    assert steepness[2] == pytest.approx(0.6, rel=0.05)
    both = fit(source, target, sandbox, 0, 1)
    scores = score_pairs([(parse(both.source), HeadId(0, head)) for head in (0, 1)], target, sandbox, part="fit")
    assert both.fit_after == pytest.approx(np.mean([score.iou for score in scores]), abs=1e-6)


@pytest.mark.slow
def test_the_same_question_has_the_same_answer(plant: Plant, sandbox: Sandbox) -> None:
    target = plant(program("1.3 * s.same_word - 0.2 * s.distance"))
    source = program("0.5 * s.itself - 0.1 * s.distance")
    assert fit(source, target, sandbox) == fit(source, target, sandbox)


def test_only_the_constants_that_were_chosen_move(plant: Plant, sandbox: Sandbox) -> None:
    target = plant(program("        -0.5 * s.distance + 2.0 * s.previous(1)"))
    near = program("        -1.5 * s.distance + 1.0 * s.previous(1)")
    slope = free_constants(near)[0]
    fitted = fit_constants(parse(near), [HeadId(0, 0)], target, sandbox, only={slope.start})
    assert fitted.constants == 1
    assert [change.old for change in fitted.changes] == [-1.5]
    assert "+ 1.0 * s.previous(1)" in fitted.source


def test_a_place_without_a_free_constant_is_told_with_the_lines_that_have_some(plant: Plant, sandbox: Sandbox) -> None:
    source = program("        -1.5 * s.distance + 1.0 * s.previous(1)")
    with pytest.raises(UsageError, match="free to move") as raised:
        fit_constants(parse(source), [HeadId(0, 0)], plant(source), sandbox, only={1})
    assert "6" in raised.value.hint


def test_constants_that_fit_already_stay_to_the_digit(plant: Plant, sandbox: Sandbox) -> None:
    source = program("3.00 * s.itself - 2.0e-1 * s.distance")
    fitted = fit(source, plant(source), sandbox)
    assert fitted.source == source
    assert fitted.changes == ()
    assert fitted.kept == "nothing better was found"
    assert fitted.fit_after == fitted.fit_before


def test_a_fit_that_dev_does_not_bear_out_is_told_and_not_kept(plant: Plant, sandbox: Sandbox) -> None:
    source = program("-0.5 * s.distance")
    fitted = fit(source, plant(program("-0.1 * s.distance"), dev=source), sandbox)
    assert fitted.source == source
    assert "worse on dev" in fitted.kept
    assert (fitted.fit_after, fitted.dev_after) == (fitted.fit_before, fitted.dev_before)


@pytest.mark.slow
def test_values_with_which_the_program_fails_are_never_chosen(plant: Plant, sandbox: Sandbox) -> None:
    bounded = "def head(s):\n    w = {}  # free\n    return softmax(-w * s.distance) if w < 0.4 else None\n"
    fitted = fit(bounded.format(0.1), plant(program("-0.6 * s.distance")), sandbox)
    (value,) = values(fitted.source)
    assert 0.1 < value < 0.4
    assert fitted.fit_after > fitted.fit_before


@pytest.mark.slow
def test_rounds_are_bounded_and_told(plant: Plant, sandbox: Sandbox) -> None:
    told: list[tuple[str, int, int]] = []
    target = plant(program("-0.6 * s.distance"))
    start = parse(program("-3.0 * s.distance + 0.5 * s.itself"))
    fitted = fit_constants(start, [HeadId(0, 0)], target, sandbox, rounds=2, report=lambda *facts: told.append(facts))
    assert fitted.rounds <= 2
    assert told == [("fit", number + 1, 2) for number in range(fitted.rounds)]


@pytest.mark.parametrize(
    ("source", "error", "what"),
    [
        (program("-3 * s.distance"), UsageError, "no constant to fit"),
        ("def head(s):\n    return 2.5 * s.previous(3 - 0)[0]  # free\n", None, ""),
        (
            "def head(s):\n    return s.previous(3) + 2.5 * s.first[0]\n# free\ny = [1]  # free",
            UsageError,
            "no constant",
        ),
        (program("2.5 * s.colour"), ProgramError, "line 6: "),
        ("def head(s):\n    return 1.5 * np.ones((3, 4))\n", ProgramError, "program"),
        ("def head(s):\n    return [1.5][3]\n", ProgramError, "line 2: "),
        ("def tail(s):\n    return 1.5\n", ProgramError, "RH202"),
        ("def head(s):\n    return 1.5 *\n", ProgramError, "RH201"),
    ],
)
def test_what_cannot_be_fitted_is_told_with_a_cure(
    plant: Plant, sandbox: Sandbox, source: str, error: type[Exception] | None, what: str
) -> None:
    target = plant(program("-0.6 * s.distance"))
    if error is None:
        fit(source, target, sandbox)
        return
    with pytest.raises(error, match=what) as caught:
        fit(source, target, sandbox)
    assert caught.value.hint  # type: ignore[attr-defined]


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def file(few_programs: int, workspace: Path) -> Path:
    """A program file among the workspace's own."""
    assert few_programs
    path = workspace / "programs" / "near.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def test_fit_writes_the_digits_and_nothing_else(run: Run, file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + PROGRAM.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    ran = run("fit", file, "--json")
    assert (ran.status, ran.err) == (0, "")
    (row,) = ran.document["programs"]
    assert (row["file"], row["heads"], row["constants"]) == (str(file), ["L0H1", "L1H0"], 1)
    assert (row["written"], row["kept"]) == (True, None)
    (change,) = row["changes"]
    assert (change["line"], change["old"]) == (13, -1.0)
    assert row["fit"]["after"] > row["fit"]["before"]
    new = PROGRAM.replace("-1.0 *", f"{change['new']!r} *")
    assert row["source"] == new != PROGRAM
    assert file.read_bytes() == b"\xef\xbb\xbf" + new.replace("\n", "\r\n").encode()
    assert file.stat().st_mode & 0o777 == 0o640
    scored = run("score", file, "--part", "dev", "--json").document["programs"]
    assert row["dev"]["after"] == pytest.approx(np.mean([score["iou"] for score in scored]), abs=1e-6)
    assert "kept as it was: nothing better" in " ".join(run("fit", file).out.split())


@pytest.mark.slow
def test_fit_takes_the_heads_that_are_named(run: Run, file: Path) -> None:
    other = file.with_name("other.py")
    other.write_text(PROGRAM, encoding="utf-8")
    rows = run("fit", file, other, "l1h1", "--json", "--dry-run").document["programs"]
    assert [(row["file"], row["heads"]) for row in rows] == [(str(file), ["L1H1"]), (str(other), ["L1H1"])]


@pytest.mark.slow
def test_a_dry_run_shows_the_differences_and_writes_nothing(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    file.chmod(0o440)
    ran = run("fit", file, "--dry-run")
    assert ran.status == 0
    lines = [line.rstrip() for line in ran.out.splitlines()]
    assert "-    return softmax(-1.0 * s.distance)  # the nearer the more" in lines
    assert any(line.startswith("+    return softmax(") and line.endswith("# the nearer the more") for line in lines)
    assert file.read_text(encoding="utf-8") == PROGRAM
    (row,) = run("fit", file, "--dry-run", "--json").document["programs"]
    assert row["changes"]
    assert not row["written"]


@pytest.mark.slow
def test_recorded_scores_go_with_the_code_that_they_were_measured_on(run: Run, file: Path) -> None:
    run("record", file)
    recorded = file.read_text(encoding="utf-8")
    assert without_record(recorded) == PROGRAM
    ran = run("fit", file)
    assert "record it again" in " ".join(ran.out.split())
    assert read_program(file).metadata.recorded is None
    assert run("check").complaint == "no recorded scores to check"
    run("record", file)
    recorded = file.read_text(encoding="utf-8")
    run("fit", file)
    assert file.read_text(encoding="utf-8") == recorded, "nothing better: the record is still true"
    assert run("check").status == 0


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["near.py", "L9H9"], "no head L9H9"),
        (["L0H0"], "no program file to fit"),
        (["none.py"], "none.py cannot be read"),
        (["whole.py"], "whole.py has no constant to fit"),
        (["near.py", "homeless.py"], "homeless.py names no heads"),
        (["near.py", "broken.py", "L0H0"], "RH202"),
    ],
)
def test_bad_input_is_told_before_anything_is_written(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], what: str
) -> None:
    monkeypatch.chdir(file.parent)
    for name, old, new in (
        ("whole", "-1.0 *", "-1 *"),
        ("homeless", '["L0H1", "L1H0"]', "[]"),
        ("broken", "def head", "def tail"),
    ):
        file.with_name(f"{name}.py").write_text(PROGRAM.replace(old, new), encoding="utf-8")
    assert what in run("fit", *arguments).complaint
    assert file.read_text(encoding="utf-8") == PROGRAM


def test_a_read_only_file_is_told_before_any_work(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.chmod(0o440)
    monkeypatch.setattr("readhead.session.Session.fit", lambda *_: pytest.fail("fitted"))
    assert run("fit", file).complaint == f"{file} cannot be written: it is read-only"
    assert file.read_text(encoding="utf-8") == PROGRAM


@pytest.mark.slow
def test_a_file_that_changes_while_it_is_fitted_is_left_alone(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = PROGRAM.replace("-1.0", "-7.0")
    search = fitting._search

    def edit(*others: Any) -> Any:
        file.write_text(edited, encoding="utf-8")
        return search(*others)

    monkeypatch.setattr(fitting, "_search", edit)
    assert "was changed" in run("fit", file).complaint
    assert file.read_text(encoding="utf-8") == edited


def test_a_file_that_is_gone_is_told(file: Path) -> None:
    known = read_program(file)
    file.unlink()
    with pytest.raises(StoreError, match="No such file"):
        rewrite(known, PROGRAM)

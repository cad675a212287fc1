"""Questions are asked of the model as it is, by the real harness, and what is told of the answers is what they say."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor
from transformers import AutoTokenizer

import readhead
from readhead import evaluation
from readhead.attention import hooked
from readhead.corpus import Sizes, build_corpus, encode, read_documents
from readhead.errors import ModelError, ReadheadError, TaskError, UsageError
from readhead.evaluation import Answers, Questions, State, TaskScore, compare
from readhead.heads import HeadId
from readhead.library import load_programs, shipped_library
from readhead.models import LoadedModel, load_model
from readhead.surrogates.hybrid import replaced

BUNDLED = Path(readhead.__file__).parent / "bundled"
PIQA = Path(__file__).parents[3] / "shared" / "data" / "piqa-val-200.jsonl"

real = pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="the extra `eval` is not installed")


def score(correct: str, *, candidates: int = 2, task: str = "t") -> TaskScore:
    """Answers to questions: `+` a right one, `-` a wrong one."""
    return TaskScore(task, "acc", tuple(sign == "+" for sign in correct), ((-1.0,) * candidates,) * len(correct))


# ---- what is told ----------------------------------------------------------------------------------------------------


def test_an_accuracy_has_the_standard_error_that_the_harness_tells() -> None:
    told = score("+++-" * 25)
    assert told.accuracy == 0.75
    assert told.standard_error == pytest.approx(math.sqrt(0.75 * 0.25 / 99))


def test_chance_is_the_mean_over_questions_of_one_in_so_many_candidates() -> None:
    mixed = TaskScore("t", "acc", (True, False), ((-1.0, -2.0), (-1.0, -2.0, -3.0, -4.0)))
    assert mixed.chance == pytest.approx((1 / 2 + 1 / 4) / 2)


@pytest.mark.parametrize(
    ("answers", "is_signal"),
    [
        ("+-" * 50, False),
        ("+" * 57 + "-" * 43, False),
        ("+" * 65 + "-" * 35, True),
        ("+++", False),  # guessing would do that once in eight times
        ("+" * 20, True),
        ("-" * 20, False),
    ],
)
def test_a_signal_lies_two_standard_errors_above_chance(answers: str, is_signal: bool) -> None:  # noqa: FBT001 - as parametrized
    assert score(answers).has_signal is is_signal


def test_a_state_that_answers_alike_has_not_changed_at_all() -> None:
    change = compare(score("+-+-"), score("+-+-"))
    assert (change.difference, change.standard_error, change.gained, change.lost) == (0, 0, 0, 0)


def test_a_change_is_measured_question_by_question() -> None:
    before, after = score("+" * 60 + "-" * 40), score("+" * 55 + "-" * 43 + "++")
    change = compare(before, after)
    assert change.difference == pytest.approx(after.accuracy - before.accuracy) == pytest.approx(-0.03)
    assert (change.gained, change.lost) == (2, 5)
    assert change.standard_error == pytest.approx(math.sqrt((7 - 100 * 0.03**2) / 99 / 100))
    assert change.standard_error < math.hypot(before.standard_error, after.standard_error) / 2, "paired"


@pytest.mark.parametrize("other", [score("++"), score("+++", candidates=3), score("+++", task="u")])
def test_answers_to_other_questions_are_not_compared(other: TaskScore) -> None:
    with pytest.raises(ValueError, match="not asked the same"):
        compare(score("+++"), other)


def test_a_score_is_a_row_of_json() -> None:
    row = json.loads(json.dumps(score("+++-").as_dict(), allow_nan=False))
    assert row["accuracy"] == 0.75
    assert row["questions"] == 4
    assert row["correct"] == [True, True, True, False]
    assert json.loads(json.dumps(compare(score("+-"), score("--")).as_dict(), allow_nan=False))["lost"] == 1


def shown(neural: list[TaskScore], states: list[tuple[str, list[TaskScore]]]) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    heads = tuple(HeadId(0, index) for index in range(8))
    told = tuple(State(name, heads, tuple(scores), {HeadId(0, 3): 2}) for name, scores in states)
    console.print(Answers("tiny", "locked", tuple(neural), told, {HeadId(1, 0): "it looks ahead"}, 1.0))
    return console.export_text()


def test_the_table_sets_states_beside_the_neural_model() -> None:
    neural, after = score("+" * 90 + "-" * 10, task="easy"), score("+" * 80 + "-" * 20, task="easy")
    text = shown([neural], [("25 %", [after])])
    assert re.search(r"easy +100 +0\.500 +none +0\.900 ± 0\.030", text)
    assert "L0H3 was neural for 2 texts" in text
    assert "L1H0 stays neural: it looks ahead" in text
    assert re.search(r"25 % \(8\) +0\.800 ± 0\.040 +-0\.100 ± 0\.030", text)


def test_the_table_says_where_there_is_no_signal() -> None:
    guessed = replace(score("+-" * 20, task="hard"), cut=3, left_out=1)
    text = shown([guessed], [("25 %", [guessed]), ("50 %", [guessed])])
    assert text.count("no signal") == 3
    assert "No signal: hard." in text
    assert "3 of 40 questions lost their beginning" in text
    assert "1 question was left out" in text


# ---- what cannot be meant --------------------------------------------------------------------------------------------


def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lm_eval", "datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "readhead.lm_harness", raising=False)
    monkeypatch.delattr(readhead, "lm_harness", raising=False)
    with pytest.raises(UsageError, match="extra `eval`") as caught:
        Questions.load(["stories"])
    assert caught.value.hint == "pip install 'readhead[eval]'"


@pytest.mark.parametrize(
    ("tasks", "limit", "complaint"),
    [([], None, "no task"), ([" "], 5, "no task"), (["stories"], 0, "limit of 0"), (["stories"], -3, "limit of -3")],
)
def test_what_asks_nothing_is_refused_before_the_harness_is_loaded(
    tasks: list[str], limit: int | None, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "_harness", lambda: pytest.fail("loaded"))
    with pytest.raises(UsageError, match=complaint):
        Questions.load(tasks, limit=limit)


def test_a_batch_of_no_texts_is_refused(loaded: LoadedModel) -> None:
    with pytest.raises(UsageError, match="batch of 0"):
        Questions({}).ask(loaded, batch_size=0)


# ---- the questions that ship -----------------------------------------------------------------------------------------

ROWS = [json.loads(line) for line in (BUNDLED / "tasks" / "stories.jsonl").read_text("utf-8").splitlines()]
DOCUMENTS = [document.strip() for document in read_documents("bundled") if document.strip()]
STORIES = [" ".join(document.split()) for document in DOCUMENTS]


def test_every_question_has_four_candidates_and_one_answer() -> None:
    for row in ROWS:
        assert len({choice.lower() for choice in row["choices"]}) == 4, row
        assert row["answer"] in range(4)


def test_the_answer_is_what_the_story_says_and_no_other_candidate_is() -> None:
    for row in ROWS:
        passage, story = row["context"], STORIES[row["story"]]
        if row["kind"] == "again":
            answer, breaks = row["choices"][row["answer"]], (gap.end() for gap in re.finditer(" ", passage))
            again = [at for at in breaks if passage[: at - 1].startswith(f"{passage[at:]} {answer}")]
            assert passage[: again[0] - 1] in story
            passage = passage[again[0] :]
        for number, choice in enumerate(row["choices"]):
            continues = re.search(re.escape(f"{passage} {choice}") + r"(?!\w)", story) is not None
            assert continues is (number == row["answer"]), row


def test_the_right_answer_stands_in_every_place_equally_often() -> None:
    assert set(Counter(row["answer"] for row in ROWS).values()) == {len(ROWS) // 4}


def test_no_question_is_asked_twice() -> None:
    assert len({row["context"] for row in ROWS}) == len(ROWS)
    assert set(Counter(row["kind"] for row in ROWS)) == {"word", "again", "order"}


def test_questions_are_short_and_about_stories_that_the_default_split_holds_out() -> None:
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED / "model")
    most = max(len(encode(tokenizer, f"{row['context']} {choice}")) for row in ROWS for choice in row["choices"])
    assert most <= 128
    beginnings = build_corpus(DOCUMENTS, tokenizer, Sizes(999, 999, 999, length=24))["held-out"]
    held_out = {sequence.ids for sequence in beginnings}
    assert {tuple(encode(tokenizer, DOCUMENTS[row["story"]], 24)) for row in ROWS} <= held_out


# ---- through the real harness ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundled() -> LoadedModel:
    return load_model("bundled", device="cpu")


@pytest.fixture(scope="module")
def stories() -> Questions:
    return Questions.load(["stories"], limit=40)


def write_task(folder: Path, name: str, rows: str | list[dict[str, Any]] = "", **changes: Any) -> Path:
    """A task file as a user would write it, with the rows beside it; the folder."""
    folder.mkdir(exist_ok=True)
    text = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
    (folder / f"{name}.jsonl").write_text(text, "utf-8")
    task = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"validation": f"{name}.jsonl"}},
        "validation_split": "validation",
        "output_type": "multiple_choice",
        "doc_to_text": "Question: {{goal}}\nAnswer:",
        "doc_to_choice": "{{[sol1, sol2]}}",
        "doc_to_target": "label",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
        **changes,
    }
    (folder / f"{name}.yaml").write_text(json.dumps(task), "utf-8")
    return folder


def row(goal: str = "Who is it?", sol1: str = "Tom", sol2: str = "Mia", label: int = 0) -> dict[str, Any]:
    return {"goal": goal, "sol1": sol1, "sol2": sol2, "label": label}


def own_patterns(_layer: int, pattern: Any) -> dict[int, Tensor]:
    return dict(enumerate(pattern().unbind(1)))


def uniform(_layer: int, pattern: Any) -> dict[int, Tensor]:
    own = pattern()
    rows = torch.ones(own.shape[-2:]).tril()
    return dict.fromkeys(range(own.shape[1]), (rows / rows.sum(-1, keepdim=True)).expand(own.shape[0], -1, -1))


def furthest(one: TaskScore, other: TaskScore) -> float:
    """How far apart two runs' log-likelihoods are."""
    pairs = zip(one.log_likelihoods, other.log_likelihoods, strict=True)
    return max(abs(a - b) for left, right in pairs for a, b in zip(left, right, strict=True))


@real
@pytest.mark.slow
def test_the_bundled_model_knows_something_of_the_stories_and_not_all(
    bundled: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    reported: list[tuple[str, int, int]] = []
    (told,) = Questions.load(["stories"]).ask(bundled, report=lambda *done: reported.append(done))
    assert (told.task, told.metric, told.questions, told.chance, told.cut) == ("stories", "acc_norm", 124, 0.25, 0)
    assert told.has_signal
    assert 0.5 < told.accuracy < 0.8
    assert reported[0] == ("answers", 0, 496)
    assert reported[-1] == ("answers", 496, 496)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@real
@pytest.mark.slow
def test_a_hook_that_replaces_nothing_changes_no_bit_and_own_patterns_hardly_one(
    bundled: LoadedModel, stories: Questions
) -> None:
    (neural,) = stories.ask(bundled)
    with hooked(bundled.model, lambda _layer, _pattern: None):
        (untouched,) = stories.ask(bundled)
    assert untouched == neural
    with hooked(bundled.model, own_patterns):
        (routed,) = stories.ask(bundled)
    assert furthest(routed, neural) < 1e-3
    assert routed.correct == neural.correct
    with hooked(bundled.model, uniform):
        (blurred,) = stories.ask(bundled)
    assert furthest(blurred, neural) > 1
    assert compare(neural, blurred).difference < 0


@real
@pytest.mark.slow
def test_a_hybrid_answers_alike_in_batches_of_one_and_of_sixteen(bundled: LoadedModel) -> None:
    """Batches come padded on the right, without a mask."""
    questions = Questions.load(["stories"], limit=12)
    (neural,) = questions.ask(bundled)
    with replaced(bundled, {}):
        assert questions.ask(bundled) == [neural]
    programs = [program for program in load_programs(shipped_library()) if program.terms > 1]
    board = dict(zip(bundled.geometry.head_ids(), programs, strict=False))
    with replaced(bundled, board) as hybrid:
        ((alone,), (together,)) = (questions.ask(bundled, batch_size=size) for size in (1, 16))
        assert not hybrid.failed
    assert furthest(alone, together) < 1e-4
    assert furthest(alone, neural) > 0.1


@real
@pytest.mark.slow
@pytest.mark.skipif(not PIQA.is_file(), reason="the PIQA rows beside the project are absent")
def test_batches_of_one_and_of_sixteen_agree(bundled: LoadedModel, tmp_path: Path) -> None:
    files = {"validation": str(PIQA)}
    include = write_task(tmp_path / "tasks", "piqa_rows", dataset_kwargs={"data_files": files})
    questions = Questions.load(["stories", "piqa_rows"], include=include, limit=40)
    alone, together = (questions.ask(bundled, batch_size=size) for size in (1, 16))
    assert [(each.task, each.questions, each.metric) for each in alone] == [
        ("stories", 40, "acc_norm"),
        ("piqa_rows", 40, "acc_norm"),
    ]
    assert [each.chance for each in alone] == [0.25, 0.5]
    for one, other in zip(alone, together, strict=True):
        assert furthest(one, other) < 1e-4


@real
@pytest.mark.slow
def test_the_model_and_its_tokenizer_are_what_they_were(
    loaded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded.tokenizer, "_pad_token", None, raising=False)
    tokens = dict(loaded.tokenizer.special_tokens_map)
    questions = Questions.load(["own"], include=write_task(tmp_path, "own", [row(), row(label=1)]))
    loaded.model.train()
    try:
        (first,) = questions.ask(loaded)
        assert loaded.model.training
    finally:
        loaded.model.eval()
    (second,) = questions.ask(loaded)
    assert first == second, "dropout is off meanwhile"
    assert dict(loaded.tokenizer.special_tokens_map) == tokens
    assert sum(first.correct) == 1, "one question with both answers"


@real
@pytest.mark.slow
def test_questions_that_are_too_long_are_counted(loaded: LoadedModel, tmp_path: Path) -> None:
    long = row(goal="Is it cold in the rain? " * 40)
    questions = Questions.load(["own"], include=write_task(tmp_path, "own", [row(goal="Is it?"), long, long]))
    (told,) = questions.ask(loaded)
    assert (told.questions, told.cut) == (3, 2)


@real
@pytest.mark.slow
def test_questions_with_an_answer_that_is_too_long_are_left_out_and_counted(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    include = write_task(tmp_path, "own", [row(), row(sol2="in the rain " * 200), row(sol1="Ben")])
    (short,) = Questions.load(["own"], include=include, limit=1).ask(loaded)
    (told,) = Questions.load(["own"], include=include).ask(loaded)
    assert (short.questions, short.left_out) == (1, 0)
    assert (told.questions, told.left_out, told.cut) == (2, 1, 0)
    assert told.correct[0] == short.correct[0]
    with pytest.raises(TaskError, match=r"none of the 1 questions of 'long'"):
        Questions.load(["long"], include=write_task(tmp_path, "long", [row(sol1="so " * 200)])).ask(loaded)


@real
@pytest.mark.slow
def test_too_little_memory_leads_to_smaller_batches(loaded: LoadedModel, tmp_path: Path) -> None:
    questions = Questions.load(["own"], include=write_task(tmp_path, "own", [row()]))

    def exhausted(_layer: int, _pattern: Any) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    with hooked(loaded.model, exhausted), pytest.raises(ModelError, match="16 texts") as caught:
        questions.ask(loaded)
    assert caught.value.hint == "use --batch-size 8"


@real
@pytest.mark.slow
def test_what_a_hook_raises_comes_through_as_it_is(loaded: LoadedModel, tmp_path: Path) -> None:
    questions = Questions.load(["own"], include=write_task(tmp_path, "own", [row()]))

    def broken(_layer: int, _pattern: Any) -> None:
        raise ValueError("mine")

    with hooked(loaded.model, broken), pytest.raises(ValueError, match=r"^mine$"):
        questions.ask(loaded)


@real
@pytest.mark.slow
def test_every_state_is_shown_the_same_examples(loaded: LoadedModel, tmp_path: Path) -> None:
    rows = [row(goal=goal, label=number % 2) for number, goal in enumerate(("Is it?", "It is?", "Who?", "Why?", "No?"))]
    shots = {"num_fewshot": 1, "fewshot_split": "validation", "doc_to_text": "{{goal}}"}
    plain = Questions.load(["own"], include=write_task(tmp_path / "plain", "own", rows, **{**shots, "num_fewshot": 0}))
    questions = Questions.load(["own"], include=write_task(tmp_path / "shots", "own", rows, **shots))
    first, second = (questions.ask(loaded)[0] for _ in range(2))
    assert first == second
    assert furthest(first, plain.ask(loaded)[0]) > 0.01, "examples were shown"


@real
@pytest.mark.slow
def test_task_files_may_call_functions_beside_them_and_stand_in_groups(loaded: LoadedModel, tmp_path: Path) -> None:
    write_task(tmp_path, "plain", [row(), row()])
    write_task(tmp_path, "called", [row(), row()])
    (tmp_path / "called.yaml").write_text(
        (tmp_path / "plain.yaml").read_text("utf-8").replace("plain", "called")[:-1] + ', "doc_to_target": !function '
        "answers.second}",
        "utf-8",
    )
    (tmp_path / "answers.py").write_text("def second(doc):\n    return 1\n", "utf-8")
    (tmp_path / "both.yaml").write_text("group: both\ntask: [plain, called]\n", "utf-8")
    plain, called = Questions.load(["both", "plain"], include=tmp_path, limit=1).ask(loaded)
    assert (plain.task, called.task) == ("plain", "called")
    assert plain.log_likelihoods == called.log_likelihoods
    assert plain.correct != called.correct


BROKEN: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a text to write": ([row()], {"output_type": "generate_until"}, "asks for 'generate_until' and not for a choice"),
    "another metric": ([row()], {"metric_list": [{"metric": "f1"}]}, "has no accuracy"),
    "no data": ([row()], {"dataset_kwargs": {"data_files": {"validation": "gone.jsonl"}}}, "cannot be read: .*gone"),
    "no rows": ("", {}, "cannot be read: there is no question in it"),
    "no JSON": ('{"goal": 1', {}, "the data of the task 'own' cannot be read: "),
    "no such split": ([row()], {"validation_split": "other"}, "cannot be read: KeyError 'other'"),
    "no such column": ([row()], {"doc_to_text": "{{gaol}}"}, "cannot be read: 'gaol' is undefined"),
}


@real
@pytest.mark.slow
@pytest.mark.parametrize(("rows", "changes", "complaint"), BROKEN.values(), ids=BROKEN)
def test_a_task_that_cannot_be_asked_says_why(
    rows: Any, changes: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(TaskError, match=complaint) as caught:
        Questions.load(["own"], include=write_task(tmp_path, "own", rows, **changes))
    assert caught.value.hint


@real
@pytest.mark.slow
def test_a_later_row_that_makes_no_question_is_told(loaded: LoadedModel, tmp_path: Path) -> None:
    include = write_task(tmp_path, "own", [row(), row(goal="")], doc_to_text="{{goal[0]}}")
    with pytest.raises(TaskError, match=r"own cannot be asked: .*no element 0"):
        Questions.load(["own"], include=include).ask(loaded)


@real
@pytest.mark.slow
def test_a_task_that_nobody_knows_is_told_with_its_neighbours(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no task 'storys'") as caught:
        Questions.load(["storys"])
    assert "did you mean stories" in caught.value.hint
    assert "lm-eval ls tasks" in caught.value.hint
    with pytest.raises(TaskError, match="no folder"):
        Questions.load(["own"], include=tmp_path / "none")
    (tmp_path / "own.yaml").write_text("task: [own", "utf-8")
    with pytest.raises(TaskError, match=r"own\.yaml cannot be read: .*line 1"):
        Questions.load(["own"], include=tmp_path)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hub that does not answer, and nothing that was fetched before."""
    import datasets  # noqa: PLC0415 - an extra
    from huggingface_hub import HfApi  # noqa: PLC0415 - beside it

    def silent(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(HfApi, "dataset_info", silent)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@real
@pytest.mark.slow
@pytest.mark.usefixtures("no_network")
def test_data_that_cannot_be_fetched_lead_to_tasks_without_a_network() -> None:
    with pytest.raises(ReadheadError, match=r"'piqa' cannot be asked: baber/piqa cannot be fetched") as caught:
        Questions.load(["piqa"])
    assert "--tasks stories" in caught.value.hint
    assert "--include" in caught.value.hint

"""The Python door: an already loaded model goes in, frozen results come out, and the model is as it was."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

import readhead
from core.conftest import PROGRAM, Ran
from core.tokenizers_in_tests import byte_level_bpe
from readhead.errors import UsageError

SIZES = readhead.Sizes(fit=4, dev=2, held_out=2, length=16)
FAILING = PROGRAM.replace("-1.0 * s.distance", "s.distance / [][0]")

pytestmark = pytest.mark.usefixtures("few_programs")


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return byte_level_bpe()


@pytest.fixture(scope="module")
def explanation(
    tiny_gpt2: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, documents: list[str], small_library: Path
) -> Iterator[readhead.Explanation]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("readhead.session.shipped_library", lambda: small_library)
        yield readhead.explain(tiny_gpt2, tokenizer, documents, sizes=SIZES)


class Tags(HTMLParser):
    """Tags that are open, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the base class's signature
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_public_name_is_there_and_listed() -> None:
    assert readhead.__all__ == sorted(readhead.__all__)
    assert set(readhead.__all__) == {
        "Explanation",
        "HeadId",
        "HeadScore",
        "Plan",
        "ReadheadError",
        "Sizes",
        "Switchboard",
        "explain",
        "replaced",
        "score",
    }
    for name in readhead.__all__:
        assert getattr(readhead, name).__name__ == name
        assert getattr(readhead, name).__doc__
    with pytest.raises(AttributeError, match="nothing"):
        readhead.nothing  # noqa: B018 - asking is the test


@pytest.mark.slow
def test_explain_gives_what_the_command_prints(explanation: readhead.Explanation, run: Any, workspace: Path) -> None:
    assert (workspace / "readhead.toml").exists()
    ran: Ran = run("explain", "--json")
    printed, own = ran.document, json.loads(json.dumps(explanation.as_dict()))
    for ours, theirs in zip(own["heads"], printed["heads"], strict=True):
        assert list(ours) == list(theirs)
        assert ours["program"] == theirs["program"]
        assert ours["iou"] == pytest.approx(theirs["iou"], abs=1e-4)
    assert list(own) == list(printed)
    assert {key: list(own[key]) for key in ("model", "corpus", "programs")} == {
        key: list(printed[key]) for key in ("model", "corpus", "programs")
    }
    assert own["mean_iou"] == pytest.approx(printed["mean_iou"], abs=1e-4)


def test_results_are_frozen(explanation: readhead.Explanation) -> None:
    for result in (explanation, explanation.heads[0], explanation.heads[0].program):
        with pytest.raises(dataclasses.FrozenInstanceError):
            result.heads = ()  # type: ignore[misc,union-attr]


def test_results_have_html_for_notebooks(explanation: readhead.Explanation) -> None:
    page = Tags(explanation._repr_html_())
    assert page.open == []
    for head in explanation.heads:
        assert f"{head.iou:.3f}" in page.text
        assert head.program.name in page.text
    one = Tags(explanation.heads[0]._repr_html_())
    assert one.open == []
    assert str(explanation.heads[0].head) in one.text


def test_texts_are_escaped_in_html(
    tiny_gpt2: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, documents: list[str]
) -> None:
    odd = PROGRAM.replace("the last few tokens", "<script>alert(1)</script> [b]")
    (score,) = readhead.score([odd], ["L0H0"], tiny_gpt2, tokenizer, documents, sizes=SIZES)
    assert "<script>" not in score._repr_html_()
    assert "<script>alert(1)</script> [b]" in Tags(score._repr_html_()).text


def test_nothing_is_reloaded_and_the_model_is_as_it_was(
    tiny_gpt2: GPT2LMHeadModel,
    tokenizer: PreTrainedTokenizerFast,
    documents: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        pytest.fail("loaded again")

    for kind in (transformers.PreTrainedModel, transformers.AutoModelForCausalLM, transformers.AutoTokenizer):
        monkeypatch.setattr(kind, "from_pretrained", fail)
    ids = torch.tensor([[0, 5, 9, 200]])
    before = tiny_gpt2(ids).logits
    for implementation in ("eager", "sdpa"):
        tiny_gpt2.set_attn_implementation(implementation)
        tiny_gpt2.train()
        readhead.score([PROGRAM], ["L1H1"], tiny_gpt2, tokenizer, iter(documents), sizes=SIZES)
        assert tiny_gpt2.config._attn_implementation == implementation
        assert tiny_gpt2.training
        tiny_gpt2.eval()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in tiny_gpt2.modules())
    assert torch.equal(tiny_gpt2(ids).logits, before)


def test_score_takes_files_and_texts_and_keeps_the_order(
    tiny_gpt2: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, documents: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "near.py"
    file.write_text(PROGRAM, encoding="utf-8")
    scores = readhead.score(
        [file, str(file), FAILING], ["L1H0", "L0H0"], tiny_gpt2, tokenizer, documents, sizes=SIZES, mistakes=1
    )
    assert [(score.program.name, str(score.head)) for score in scores] == [
        (name, head) for name in ("near", "near", "program") for head in ("L1H0", "L0H0")
    ]
    assert scores[0].as_dict() == scores[2].as_dict()
    assert [len(score.mistakes) for score in scores] == [1, 1, 1, 1, 0, 0]
    assert all(score.part == "held-out" and len(score.by_sequence) == 2 for score in scores)
    failed = scores[4]
    assert (failed.iou, failed.coverage) == (0, 0)
    assert failed.error is not None
    assert failed.as_score_row()["iou"] is None
    assert failed.as_score_row()["error"] == failed.error


@pytest.mark.slow
def test_own_programs_are_ranked_beside_the_library_and_failing_ones_are_listed(
    tiny_gpt2: GPT2LMHeadModel,
    tokenizer: PreTrainedTokenizerFast,
    documents: list[str],
    tmp_path: Path,
    few_programs: int,
) -> None:
    for name, source in (("good", PROGRAM), ("failing", FAILING), ("broken", "def head(s:\n")):
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    told = readhead.explain(tiny_gpt2, tokenizer, documents, sizes=SIZES, programs=sorted(tmp_path.iterdir()))
    assert told.library == few_programs + 2
    assert [(broken.program.name, broken.coverage, broken.error["kind"]) for broken in told.broken] == [
        ("broken", 0, "refused"),
        ("failing", 0, "error"),
    ]


@pytest.mark.slow
def test_a_workspace_is_kept_where_one_is_named(
    tiny_gpt2: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, documents: list[str], tmp_path: Path
) -> None:
    stages: list[str] = []

    def report(stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        stages.append(stage)

    options = {"sizes": SIZES, "workspace": tmp_path, "report": report}
    first = readhead.explain(tiny_gpt2, tokenizer, documents, **options)
    assert list(dict.fromkeys(stages)) == ["extract", "synthesize", "rank", "score"]
    stages.clear()
    again = readhead.explain(tiny_gpt2, tokenizer, documents, **options)
    assert stages == []
    assert again.heads == first.heads


@pytest.mark.parametrize(
    ("heads", "sizes", "what"),
    [
        (["L2H0"], SIZES, "no head L2H0"),
        (["2.0"], SIZES, "not a head"),
        (["L0H0"], readhead.Sizes(2, 1, 1, 64), "64 tokens are more than the 48 positions"),
    ],
)
def test_what_cannot_be_meant_is_told(
    tiny_gpt2: GPT2LMHeadModel,
    tokenizer: PreTrainedTokenizerFast,
    documents: list[str],
    heads: list[str],
    sizes: readhead.Sizes,
    what: str,
) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        readhead.score([PROGRAM], heads, tiny_gpt2, tokenizer, documents, sizes=sizes)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("weights", "looks_ahead"), [("softmax(s.n * s.previous(1))", True), ("softmax(3.0 * s.previous(1))", False)]
)
def test_score_tells_of_a_program_that_looks_ahead(
    tiny_gpt2: GPT2LMHeadModel,
    tokenizer: PreTrainedTokenizerFast,
    documents: list[str],
    weights: str,
    *,
    looks_ahead: bool,
) -> None:
    program = f"def head(s):\n    return {weights}\n"
    (score,) = readhead.score([program], ["L0H0"], tiny_gpt2, tokenizer, documents, sizes=SIZES)
    assert ("moves by" in score.look_ahead) == looks_ahead
    assert ("looks ahead" in score._repr_html_()) == looks_ahead

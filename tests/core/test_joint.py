"""Constants of several heads are fitted to the model's output together, and kept only where that is better on dev."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel

from core.conftest import PROGRAM
from core.tokenizers_in_tests import byte_level_bpe
from readhead.attention import hooked
from readhead.corpus import Corpus, Part, Sizes, TokenSequence, build_corpus, read_documents
from readhead.errors import ProgramError, UsageError
from readhead.heads import HeadId
from readhead.language import Sentence, softmax
from readhead.library import Target, load_programs, predict, shipped_library
from readhead.models import LoadedModel, load_model
from readhead.patterns import PatternStore, extract_patterns, pack
from readhead.program import Program, parse
from readhead.sandbox import Sandbox
from readhead.scoring import iou
from readhead.surrogates import joint
from readhead.surrogates.joint import JointFit, fit_jointly, measure
from readhead.surrogates.predictions import Predictions
from readhead.tokens import TokenReader

SHARED = Path(__file__).parents[3] / "shared"
LENGTH = 16
FIRST, SECOND, OTHER = HeadId(0, 1), HeadId(1, 0), HeadId(1, 1)


@pytest.fixture(scope="module")
def predictions() -> Iterator[Predictions]:
    with Sandbox() as sandbox:
        yield Predictions(byte_level_bpe(), sandbox)


@pytest.fixture(scope="module")
def corpus(documents: list[str]) -> Corpus:
    return build_corpus(documents, byte_level_bpe(), Sizes(8, 4, 4, LENGTH))


@pytest.fixture(scope="module")
def target(loaded: LoadedModel, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Target:
    store = extract_patterns(loaded, corpus.all(), tmp_path_factory.mktemp("patterns"))
    return Target(loaded.fingerprint, loaded.geometry, corpus, store)


def program(score: str, heads: str = "") -> Program:
    block = f"# /// script\n# [tool.readhead]\n{heads}# category = 'mixed'\n# ///\n\n"
    return parse(f'"""A program."""\n\n{block}def head(s):\n    return softmax({score})\n')


# Both look at positions alone, so that a hook that sees no tokens can plant them.
PLANTED = {FIRST: program("3.0 * s.itself + 1.0 * s.previous(1)"), SECOND: program("-0.5 * s.distance")}
WRONG = {FIRST: program("1.5 * s.itself + 2.0 * s.previous(1)"), SECOND: program("-1.5 * s.distance")}
ANY = Sentence(("x",) * LENGTH, frozenset())
MATRICES = {
    FIRST: torch.from_numpy(softmax(3.0 * ANY.itself + 1.0 * ANY.previous(1))),
    SECOND: torch.from_numpy(softmax(-0.5 * ANY.distance)),
}
LOOP = parse(
    "def head(s):\n    w = np.zeros((s.n, s.n))\n    for i in range(s.n):\n        w[i, i] = 1\n    return w\n"
)


@pytest.fixture(scope="module")
def planted_target(loaded: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> Target:
    """Texts that the model with the planted heads wrote: a change of its perplexity there is a change of its output."""
    reader = TokenReader(loaded.tokenizer)
    torch.manual_seed(0)
    ids = torch.zeros(40, LENGTH, dtype=torch.long)
    with torch.no_grad(), hooked(loaded.model, plant):
        for place in range(1, LENGTH):
            ids[:, place] = loaded.model(ids).logits[:, place - 1].softmax(-1).multinomial(1)[:, 0]
    texts = tuple(TokenSequence(tuple(row), reader.read(row)) for row in ids.tolist())
    parts: dict[Part, tuple[TokenSequence, ...]] = {"fit": texts[:24], "dev": texts[24:36], "held-out": texts[36:]}
    corpus = Corpus("planted", LENGTH, parts, 0, 0)
    packed = pack(np.stack([matrix.numpy() for matrix in (MATRICES[FIRST],) * 2 + (MATRICES[SECOND],) * 2]))
    path = tmp_path_factory.mktemp("planted") / "patterns.f16"
    np.broadcast_to(packed, (40, *packed.shape)).astype(np.float16).tofile(path)
    return Target(loaded.fingerprint, loaded.geometry, corpus, PatternStore(path, 40, 4, LENGTH))


def plant(layer: int, pattern: Callable[[], torch.Tensor]) -> dict[int, torch.Tensor]:
    texts = len(pattern())
    return {head.index: matrix.expand(texts, -1, -1) for head, matrix in MATRICES.items() if head.layer == layer}


@pytest.fixture
def planted(loaded: LoadedModel, planted_target: Target) -> Iterator[Target]:
    """The tiny model with the planted programs' patterns in two of its heads, as if they were its own."""
    with hooked(loaded.model, plant):
        yield planted_target


def weights_of(fit: JointFit) -> list[float]:
    forms = [joint.additive_form(fit.programs[head]) for head in sorted(fit.programs)]
    return [summand.weight for form in forms for summand in form.terms]


@pytest.mark.parametrize("worth", [0.0, 1.0])
def test_planted_constants_are_found(
    worth: float, loaded: LoadedModel, planted: Target, predictions: Predictions
) -> None:
    fit = fit_jointly(loaded, WRONG, planted, predictions, worth=worth, steps=60)
    assert fit.fit_after.kl < fit.fit_before.kl / 10
    assert fit.dev_after.kl < fit.dev_before.kl / 10
    assert weights_of(fit) == pytest.approx([3.0, 1.0, -0.5], abs=0.5)
    assert fit.dev_after == measure(loaded, fit.programs, planted, "dev", predictions)
    assert fit.kept == ""
    assert fit.constants == 3
    assert 0 < fit.steps <= 60
    assert json.loads(json.dumps(fit.as_dict()))["dev"]["after"]["kl"] == fit.dev_after.kl


def test_constants_that_are_right_are_kept_to_the_byte(
    loaded: LoadedModel, planted: Target, predictions: Predictions
) -> None:
    fit = fit_jointly(loaded, PLANTED, planted, predictions, worth=0, steps=10)
    assert fit.kept
    assert fit.steps == 0
    assert all(fit.programs[head] is program for head, program in PLANTED.items())
    assert fit.dev_after == fit.dev_before


def test_two_runs_with_one_seed_are_equal(loaded: LoadedModel, planted: Target, predictions: Predictions) -> None:
    first, second = (fit_jointly(loaded, WRONG, planted, predictions, steps=12, seed=3) for _ in range(2))
    assert replace(first, seconds=0) == replace(second, seconds=0)


def test_programs_of_other_forms_are_left_alone_with_the_reason(
    loaded: LoadedModel, planted: Target, predictions: Predictions
) -> None:
    fit = fit_jointly(loaded, {**WRONG, OTHER: LOOP}, planted, predictions, worth=0, steps=20)
    assert list(fit.left_alone) == [OTHER]
    assert "softmax" in fit.left_alone[OTHER]
    assert fit.programs[OTHER] is LOOP
    assert fit.fit_after.kl < fit.fit_before.kl


def test_without_any_constants_nothing_is_fitted(loaded: LoadedModel, target: Target, predictions: Predictions) -> None:
    fit = fit_jointly(loaded, {OTHER: LOOP, FIRST: program("s.itself")}, target, predictions)
    assert fit.kept == "no program has constants to fit"
    assert set(fit.left_alone) == {FIRST, OTHER}
    assert fit.constants == 0


TRIPLE = "def triple(x):\n    x *= 3\n    return x\n\n\ndef head(s):\n    x = s.first + 0\n    "


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (program("2.0 * np.where(s.first > 0, 1e6, 0)"), "too large"),
        (program("2.0 * np.where(s.first > 0, -np.inf, 0)"), "not finite"),
        (parse(f"{TRIPLE}return softmax(0.5 * triple(x) + 0.5 * x)"), "do not add up"),
        (program("2.0 * (x := s.first) + 1.0 * x"), "fails on its own"),
    ],
)
def test_summands_that_cannot_be_reckoned_with_are_left_alone(
    odd: Program, reason: str, loaded: LoadedModel, target: Target, predictions: Predictions
) -> None:
    fit = fit_jointly(loaded, {FIRST: odd, SECOND: WRONG[SECOND]}, target, predictions, steps=1)
    assert reason in fit.left_alone[FIRST]
    assert fit.programs[FIRST] is odd
    assert fit.constants == 1


def test_the_model_is_as_it_was(loaded: LoadedModel, target: Target, predictions: Predictions) -> None:
    model = loaded.model
    assert isinstance(model, GPT2LMHeadModel)
    bias = model.transformer.h[0].ln_1.bias
    assert bias is not None
    bias.requires_grad_(False)  # noqa: FBT003 - torch has no other name for it
    model.train()
    try:
        before = {name: (p.requires_grad, p.clone()) for name, p in model.named_parameters()}
        config, implementation = model.config, model.config._attn_implementation
        fit_jointly(loaded, WRONG, target, predictions, steps=2)
        assert model.training
        assert model.config is config
        assert model.config._attn_implementation == implementation
        assert not any("_readhead" in module.__dict__ for module in model.modules())
        for name, parameter in model.named_parameters():
            flag, values = before[name]
            assert parameter.requires_grad == flag
            assert parameter.grad is None
            assert torch.equal(parameter, values)
    finally:
        model.eval()
        bias.requires_grad_(True)  # noqa: FBT003 - as above


def test_heads_that_share_a_program_get_one_each(
    loaded: LoadedModel, planted: Target, predictions: Predictions
) -> None:
    shared = program("2.0 * s.itself + 2.0 * s.previous(1) - 0.5 * s.distance", '# heads = ["L0H1", "L1H0"]\n')
    recorded = shared.source.replace("# ///\n\n", "# [tool.readhead.recorded]\n# model = 'tiny'\n# ///\n\n")
    both = parse(recorded)
    assert both.metadata.recorded is not None
    fit = fit_jointly(loaded, {FIRST: both, SECOND: both}, planted, predictions, worth=0, steps=40)
    first, second = fit.programs[FIRST], fit.programs[SECOND]
    assert first.source != second.source
    assert (first.metadata.heads, second.metadata.heads) == ((FIRST,), (SECOND,))
    assert first.metadata.recorded is None
    assert first.findings == ()
    assert first.name == "L0H1"


def test_a_program_without_heads_is_given_its_own(
    loaded: LoadedModel, planted: Target, predictions: Predictions
) -> None:
    fit = fit_jointly(loaded, WRONG, planted, predictions, worth=0, steps=20)
    assert fit.programs[FIRST].metadata.heads == (FIRST,)
    assert fit.programs[FIRST].metadata.category == "mixed"


def test_a_weight_keeps_its_sign(loaded: LoadedModel, planted: Target, predictions: Predictions) -> None:
    programs = {**PLANTED, FIRST: program("-0.5 * s.itself + 1.0 * s.previous(1)")}
    fit = fit_jointly(loaded, programs, planted, predictions, worth=0, steps=30)
    assert -0.5 < weights_of(fit)[0] < 0


def test_fewer_texts_are_used_where_memory_is_short(
    loaded: LoadedModel, planted: Target, predictions: Predictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit_jointly(loaded, WRONG, planted, predictions, steps=1)
    assert whole.texts == 24
    monkeypatch.setattr(joint, "_VALUE_BYTES", 3 * 2 * 136 * 7)  # 3 summands, and pattern and prediction of 2 heads
    assert fit_jointly(loaded, WRONG, planted, predictions, steps=1).texts == 3


def test_progress_is_told(loaded: LoadedModel, target: Target, predictions: Predictions) -> None:
    told: list[tuple[str, int, int]] = []
    fit_jointly(loaded, WRONG, target, predictions, steps=3, report=lambda *step: told.append(step))
    assert told == [("joint", 1, 3), ("joint", 2, 3), ("joint", 3, 3)]


@pytest.mark.parametrize(
    ("programs", "problem"),
    [
        ({}, "no program"),
        ({HeadId(7, 0): WRONG[FIRST]}, "no head L7H0"),
        ({FIRST: parse("def head(:")}, "not Python"),
        ({FIRST: parse("def head(s):\n    return softmax(2.0 * s.nothing)")}, "nothing"),
        ({FIRST: parse("def head(s):\n    return softmax(2.0 * s.distance / s.n)")}, "looks ahead"),
    ],
)
def test_mistakes_are_told_with_a_cure(
    programs: dict[HeadId, Program], problem: str, loaded: LoadedModel, target: Target, predictions: Predictions
) -> None:
    with pytest.raises((UsageError, ProgramError), match=problem) as caught:
        fit_jointly(loaded, programs, target, predictions)
    assert caught.value.hint


def test_settings_are_checked(loaded: LoadedModel, target: Target, predictions: Predictions) -> None:
    for options in ({"worth": -1.0}, {"worth": float("nan")}, {"steps": 0}):
        with pytest.raises(UsageError) as caught:
            fit_jointly(loaded, WRONG, target, predictions, **options)  # type: ignore[arg-type]  # floats and integers
        assert caught.value.hint
    with pytest.raises(UsageError, match="another model's"):
        fit_jointly(loaded, WRONG, replace(target, model="other"), predictions)


def test_figures_are_those_of_the_library_and_of_plain_torch(
    loaded: LoadedModel, target: Target, predictions: Predictions
) -> None:
    both = {FIRST: WRONG[FIRST], SECOND: parse(PROGRAM)}
    figures = measure(loaded, both, target, "dev", predictions)
    sequences, places = target.corpus["dev"], target.places("dev")
    by_head = dict(zip(both, predict(list(both.values()), sequences, predictions.sandbox), strict=True))
    expected = [
        iou(packed, target.store.read(place, target.geometry.index_of(head)))
        for head, (given, _) in by_head.items()
        for packed, place in zip(given, places, strict=True)
        if packed is not None
    ]
    assert figures.iou == pytest.approx(np.mean(expected), abs=1e-6)


@pytest.mark.slow
def test_a_real_models_heads_do_better_together_on_dev(predictions: Predictions, tmp_path: Path) -> None:
    if not (SHARED / "models" / "stories260K").is_dir():
        pytest.skip("the model stories260K is not beside the repository")
    model = load_model(str(SHARED / "models" / "stories260K"), device="cpu")
    documents = read_documents(str(SHARED / "data" / "tinystories-dev.txt"))
    corpus = build_corpus(documents, model.tokenizer, Sizes(32, 16, 16, 48))
    store = extract_patterns(model, corpus.all(), tmp_path)
    target = Target(model.fingerprint, model.geometry, corpus, store)
    library = {program.name: program for program in load_programs(shipped_library())}
    programs = dict.fromkeys(model.geometry.head_ids(), library["last_two_and_wide"])
    predictions = Predictions(model.tokenizer, predictions.sandbox)
    fit = fit_jointly(model, programs, target, predictions, steps=20)
    assert fit.kept == ""
    assert fit.dev_after.increase_percent < fit.dev_before.increase_percent
    assert len({program.source for program in fit.programs.values()}) == len(programs)
    assert not fit.left_alone

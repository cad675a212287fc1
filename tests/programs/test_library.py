"""The library that ships is readable, strictly causal, sensible on any text, and holds no program twice."""

from __future__ import annotations

import ast
import itertools
import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from transformers import AutoTokenizer

import readhead
import readhead_programs
from readhead.corpus import Sizes, build_corpus, encode, read_documents
from readhead.patterns import unpack
from readhead.program import CATEGORIES, Program, read_program
from readhead.sandbox import Run, Sandbox
from readhead.scoring import as_pattern, iou_of_overlap, overlaps
from readhead.tokens import Text, TokenReader

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARY = Path(readhead_programs.__file__).parent
PROGRAMS = [read_program(path) for path in sorted(LIBRARY.rglob("*.py")) if path.name != "__init__.py"]
TOKENIZER = Path(readhead.__file__).parent / "bundled" / "model"
LENGTH = 64
TRIVIAL = ("first_token/first_token", "previous/previous_token", "itself/itself", "uniform/uniform")

PROSE = """Tom and his sister Mia went to the park. "Look!" said Tom, and he ran, jumped and fell.

Mia didn't laugh; she helped him up. "Thank you, Mia," he said."""
LISTS = "And, but and or: red apples, green apples, one big plum and two small plums. And Anna's apples? No apples"
BROKEN = Text(  # odd bytes, no beginning-of-sequence mark, a special token inside, a lone space before its word
    (" ", "F", "O", "X", "<0xF0>", "<0x9F>", ",", ' "', " and", " and", "\n", "</s>", " the", " fox", "es", ".", "\n\n")
)
WITH_SPECIAL = Text(BROKEN.surfaces, frozenset({11}))
MARK_FIRST = Text((",", " zebra", "s", " ran", " and", " ran"))  # a column moved left comes round at the end
OTHERS = (" zebra", ",", '"', ".", "\n", "Tom", " ran", "ing", " and", " the", "!", " she")
"""What stands after a cut instead of the text."""


def _name(program: Program) -> str:
    assert program.path is not None
    return program.path.relative_to(LIBRARY).with_suffix("").as_posix()


NAMES = [_name(program) for program in PROGRAMS]


@pytest.fixture(scope="module")
def reader() -> tuple[object, TokenReader]:
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    return tokenizer, TokenReader(tokenizer)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


def _run_all(sandbox: Sandbox, texts: list[Text]) -> list[Run]:
    sandbox.load(texts)
    return list(sandbox.run_many([program.source for program in PROGRAMS]))


def _predictions(run: Run) -> list[npt.NDArray[np.float32]]:
    """Packed; every text has one."""
    assert run.failures == ()
    weights = [square for square in run.weights if square is not None]
    assert len(weights) == len(run.weights)
    return [as_pattern(square) for square in weights]


# Form


def test_the_library_has_at_least_sixty_programs_and_three_a_family() -> None:
    families = Counter(name.split("/")[0] for name in NAMES)
    assert len(PROGRAMS) >= 60
    assert len(families) >= 14
    assert min(families.values()) >= 3, families


def test_the_library_holds_the_trivial_programs() -> None:
    assert set(TRIVIAL) <= set(NAMES)


def test_every_category_has_a_program() -> None:
    assert {program.metadata.category for program in PROGRAMS} == set(CATEGORIES)


@pytest.mark.parametrize("program", PROGRAMS, ids=NAMES)
def test_program_has_the_form_of_a_program_file(program: Program) -> None:
    assert program.findings == ()
    assert program.explanation.endswith(".")
    assert len(program.explanation) <= 100
    assert '# category = "' in program.source
    assert program.metadata.category in CATEGORIES
    assert program.metadata.recorded is None
    heads = [node for node in ast.parse(program.source).body if isinstance(node, ast.FunctionDef)]
    assert [(head.name, [a.arg for a in head.args.args]) for head in heads] == [("head", ["s"])]


def test_no_two_programs_explain_themselves_alike() -> None:
    explanations = Counter(program.explanation for program in PROGRAMS)
    assert max(explanations.values()) == 1, explanations.most_common(1)
    assert len({program.name for program in PROGRAMS}) == len(PROGRAMS)


def test_programs_are_short() -> None:
    assert statistics.median(program.lines for program in PROGRAMS) <= 12
    assert statistics.median(program.terms for program in PROGRAMS) <= 4
    assert all(program.set_tokens == 0 for program in PROGRAMS)  # ideas, not lists of tokens


def test_every_family_says_what_it_is() -> None:
    for folder in {LIBRARY / name.split("/")[0] for name in NAMES}:
        docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8")))
        assert docstring is not None
        assert "\n" not in docstring


def test_the_library_says_how_its_constants_were_chosen() -> None:
    assert "constants" in (readhead_programs.__doc__ or "")
    assert readhead_programs.__all__ == []


# Predictions


@dataclass(frozen=True)
class Cut:
    """A text, and the same text with another end after `kept` tokens, or none."""

    full: Text
    other: Text
    kept: int


def _cuts(text: Text, step: int) -> Iterator[Cut]:
    for kept in range(1, len(text), step):
        start = text.cut(kept)
        tail = itertools.islice(itertools.cycle(OTHERS), kept, kept + len(text) - kept)
        yield Cut(text, start, kept)
        yield Cut(text, Text((*start.surfaces, *tail), start.special), kept)


def test_no_program_looks_ahead(sandbox: Sandbox, reader: tuple[object, TokenReader]) -> None:
    """Row i stays where it is, whatever stands after token i, and if nothing does."""
    tokenizer, texts = reader
    prose = texts.read(encode(tokenizer, PROSE, 48))  # type: ignore[arg-type]
    lists = texts.read(encode(tokenizer, LISTS, 40)[1:])  # type: ignore[arg-type] # no first mark
    cuts = [*_cuts(prose, 5), *_cuts(lists, 3), *_cuts(BROKEN, 2), *_cuts(WITH_SPECIAL, 3), *_cuts(MARK_FIRST, 1)]
    originals = [prose, lists, BROKEN, WITH_SPECIAL, MARK_FIRST]
    moved = []
    for name, run in zip(NAMES, _run_all(sandbox, originals + [cut.other for cut in cuts]), strict=True):
        predictions = _predictions(run)
        for cut, other in zip(cuts, predictions[len(originals) :], strict=True):
            rows = cut.kept * (cut.kept + 1) // 2
            full = predictions[next(k for k, text in enumerate(originals) if text is cut.full)]
            if np.abs(full[:rows] - other[:rows]).max() > 1e-5:
                moved.append((name, cut.kept, cut.full.surfaces[:4]))
    assert moved == []


def test_every_program_gives_a_distribution_on_any_text(sandbox: Sandbox, reader: tuple[object, TokenReader]) -> None:
    tokenizer, texts = reader
    odd = ["a", ".", "Tom", "😀", "\n", "!?", ',,, ... !!! "" () -- ;:', "😀é😀 ﷺ 漢字", "\n\n\n\n", "the the the the"]
    encoded = [encode(tokenizer, text) for text in odd]  # type: ignore[arg-type]
    cases = [texts.read(ids) for ids in encoded] + [texts.read(ids[1:]) for ids in encoded]
    cases += [Text(("<s>",), frozenset({0})), Text(("<0xE2>", "<0x80>")), BROKEN, WITH_SPECIAL]
    assert {1, 2} <= {len(case) for case in cases}
    for name, run in zip(NAMES, _run_all(sandbox, cases), strict=True):
        for weights, packed, case in zip(run.weights, _predictions(run), cases, strict=True):
            assert weights is not None
            assert weights.shape == (len(case), len(case)), name
            prediction = unpack(packed, len(case))
            assert (prediction >= 0).all(), name
            np.testing.assert_allclose(prediction.sum(axis=1), 1, atol=1e-5, err_msg=name)


def test_no_two_programs_predict_nearly_the_same(sandbox: Sandbox, reader: tuple[object, TokenReader]) -> None:
    tokenizer, _ = reader
    corpus = build_corpus(read_documents("bundled"), tokenizer, Sizes(8, 4, 4, LENGTH))  # type: ignore[arg-type]
    runs = _run_all(sandbox, [sequence.text for sequence in corpus.all()])
    predictions = np.stack([_predictions(run) for run in runs], axis=1)
    mutual = np.mean([iou_of_overlap(overlaps(one, one), LENGTH) for one in predictions], axis=0)
    rows, columns = np.tril_indices(len(NAMES), k=-1)
    pairs = zip(mutual[rows, columns], rows, columns, strict=True)
    alike = [(round(float(value), 3), NAMES[i], NAMES[j]) for value, i, j in pairs if value > 0.9]
    assert alike == []

"""What a language model is shown: the whole language, a head in numbers and examples, and no name of either."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Template

import numpy as np
import pytest

from core.planted_patterns import Score, plant_patterns, stories
from readhead.corpus import Sizes
from readhead.errors import StoreError, UsageError
from readhead.heads import HeadId
from readhead.language import VOCABULARY
from readhead.library import Target, measure_floor
from readhead.lookahead import find_look_ahead
from readhead.program import without_metadata
from readhead.sandbox import Sandbox, check
from readhead.strips import quoted, strip, targets
from readhead.synthesis.ollama.prompts import PARTS, REQUIRED, Prompts, copy_templates
from readhead.synthesis.ollama.replies import SCHEMA
from readhead.synthesis.ollama.schedule import FirstPrompt
from readhead.synthesis.ollama.summary import STRATA, Rival, summarise, unnamed
from readhead.synthesis.ollama.views import prompts_view

HEADS: dict[str, Score] = {
    "previous": lambda s: 5 * s.previous(1),
    "first": lambda s: 5 * s.first,
    "commas": lambda s: 4 * s.key.is_comma + s.previous(2),
    "uniform": lambda s: 0 * s.every,
}
PREVIOUS, FIRST, COMMAS, UNIFORM = (HeadId(0, number) for number in range(len(HEADS)))

NAMING = '''"""What L2H11 does, as layer 2, head 11 and (L0h3) do."""

# /// script
# [tool.readhead]
# heads = ["L2H11", "L0H3"]
# ///

from readhead.language import Sentence, softmax

L2H11 = 5.0  # as in L4 H2


def head(s: Sentence):
    return softmax(L2H11 * s.previous(1))  # layer 7
'''
NAMED = re.compile(r"[Ll]\d+[ .]?[Hh]\d+|layer ?\d|head ?\d", re.IGNORECASE)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    path = tmp_path_factory.mktemp("planted") / "patterns.f16"
    return plant_patterns(path, stories(Sizes(fit=16, dev=2, held_out=2, length=32)), HEADS)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def shipped() -> Prompts:
    return Prompts.load()


def summary_of(target: Target, head: HeadId, room: float = float("inf"), rival: Rival | None = None) -> str:
    return summarise(target, head, lambda text: len(text) <= room, rival=rival)


# ---- templates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PARTS)
def test_the_templates_that_ship_use_every_part_they_have(name: str, shipped: Prompts) -> None:
    assert set(Template(shipped.texts[name]).get_identifiers()) == PARTS[name]


def test_every_part_stands_in_the_prompt(shipped: Prompts) -> None:
    write = shipped.write("<summary>", count=17, terms=23)
    numbers = {"iou": 0.125, "floor": 0.5, "count": 17, "terms": 23}
    refine = shipped.refine("<summary>", "<program>", "<failures>", **numbers)
    rename = shipped.rename("<program>")
    for prompt in (write, refine, rename):
        assert shipped.language in prompt
        assert json.dumps(SCHEMA) in prompt
    for prompt, parts in (
        (write, ("<summary>", "17 programs", "23 added terms")),
        (refine, ("<summary>", "<program>", "<failures>", "0.12 ", "0.50", "17 better", "23 added terms")),
        (rename, ("<program>",)),
    ):
        for part in parts:
            assert part in prompt
    again = shipped.again("<prompt>", '"{\\"pro"', "<problem>")
    assert again.startswith("<prompt>")
    assert '"{\\"pro"' in again
    assert "<problem>" in again


def test_what_is_put_into_a_template_is_not_read_as_one(shipped: Prompts) -> None:
    assert "$count ${terms} $$ $" in shipped.write("$count ${terms} $$ $", count=1, terms=1)
    assert "$problem" in shipped.again("$problem", "$reply", "none")


def test_templates_of_a_workspace_go_before_those_that_ship(shipped: Prompts, tmp_path: Path) -> None:
    (tmp_path / "write.md").write_text("\ufeffCost: $$5. ${summary} $count\n$language $schema", encoding="utf-8")
    own = Prompts.load(tmp_path)
    assert own.write("<summary>", count=3, terms=8).startswith("Cost: $5. <summary> 3\n")
    assert own.own == ("write",)
    assert own.rename("x") == shipped.rename("x")
    assert own.fingerprint != shipped.fingerprint
    (tmp_path / "language.md").write_text("Say $features $relations.", encoding="utf-8")
    assert Prompts.load(tmp_path).rename("x").startswith("Say - is_one_of(tokens): ")


def test_without_templates_of_its_own_a_workspace_has_those_that_ship(shipped: Prompts, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none", None):
        assert Prompts.load(folder) == shipped
        assert Prompts.load(folder).fingerprint == shipped.fingerprint


@pytest.mark.parametrize(
    ("name", "text", "told", "cure"),
    [
        ("write", "$sumary", "speaks of $sumary", "$count, $language, $schema, $summary, $terms"),
        ("write", "$failures", "speaks of $failures", "$summary"),
        ("language", "${summary}", "speaks of $summary", "$features, $relations"),
        ("system", "Be $terms", "speaks of $terms", "none"),
        ("refine", "costs 5 $", "has a $ that begins no name", "write $$"),
        ("again", "$5 $prompt", "has a $ that begins no name", "write $$"),
        ("again", "${prompt", "has a $ that begins no name", "write $$"),
    ],
)
def test_a_template_that_cannot_be_meant_is_told_with_its_cure(
    name: str, text: str, told: str, cure: str, tmp_path: Path
) -> None:
    path = tmp_path / f"{name}.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(told)) as caught:
        Prompts.load(tmp_path)
    assert str(path) in str(caught.value)
    assert cure in caught.value.hint


@pytest.mark.parametrize(("name", "part"), [(name, part) for name, parts in REQUIRED.items() for part in sorted(parts)])
def test_a_template_that_lost_a_part_it_needs_is_told_with_its_cure(name: str, part: str, tmp_path: Path) -> None:
    (path,) = (each for each in copy_templates(tmp_path) if each.stem == name)
    path.write_text(path.read_text("utf-8").replace(f"${part}", ""), encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(f"{path} has lost ${part}")) as caught:
        Prompts.load(tmp_path)
    assert f"delete {name}.md" in caught.value.hint


def test_a_template_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "write.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"write\.md cannot be read"):
        Prompts.load(tmp_path)
    (tmp_path / "write.md").unlink()
    (tmp_path / "write.md").mkdir()
    with pytest.raises(UsageError, match=r"write\.md cannot be read"):
        Prompts.load(tmp_path)


def test_templates_are_copied_to_be_changed_and_changed_ones_stay(shipped: Prompts, tmp_path: Path) -> None:
    folder = tmp_path / "some" / "prompts"
    assert copy_templates(folder) == [folder / f"{name}.md" for name in PARTS]
    assert Prompts.load(folder) == shipped
    (folder / "write.md").write_text("Mine: $summary $language $schema", encoding="utf-8")
    (folder / "again.md").unlink()
    assert copy_templates(folder) == [folder / "again.md"]
    assert copy_templates(folder) == []
    assert Prompts.load(folder).texts["write"] == "Mine: $summary $language $schema"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "prompts").write_text("a file", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be made"):
        copy_templates(tmp_path / "prompts")


# ---- the language ----------------------------------------------------------------------------------------------------


def test_the_vocabulary_is_whole_and_each_word_has_its_meaning(shipped: Prompts) -> None:
    lines = shipped.language.split("\n")
    for term in VOCABULARY:
        if term.kind == "feature":
            assert f"- {term.name.removeprefix('s.')}: {term.meaning}" in lines
        elif term.kind in {"relation", "value"}:
            assert f"- {term.name}: {term.meaning}" in lines
        elif term.kind == "side":
            assert f"`{term.name}.x`" in shipped.language
        else:
            assert f"`{term.name}`" in shipped.language
    assert {term.kind for term in VOCABULARY} == {"feature", "relation", "value", "side", "function"}


def examples(prompts: Prompts) -> list[str]:
    return re.findall(r"```python\n(.*?)```", prompts.language, re.DOTALL)


def test_the_examples_run_and_do_not_look_ahead(shipped: Prompts, target: Target, sandbox: Sandbox) -> None:
    sources = examples(shipped)
    assert len(sources) == 3
    texts = [sequence.text for sequence in target.corpus["fit"][:4]]
    for source in sources:
        sandbox.load(texts)
        run = sandbox.run(source, generated=True)
        assert run.failures == ()
        for weights in run.weights:
            assert weights is not None
            assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)
    assert find_look_ahead(sources, texts, sandbox) == [None] * 3


def test_the_examples_look_where_they_say(shipped: Prompts, target: Target, sandbox: Sandbox) -> None:
    sandbox.load([target.corpus["fit"][0].text])
    first = sandbox.run(examples(shipped)[0], generated=True).weights[0]
    assert first is not None
    rows = np.arange(len(first))
    assert (first.argmax(axis=1) == rows).all()
    assert (first[2:].argsort(axis=1)[:, -2] == rows[1:-1]).all()


def test_what_the_prompt_promises_is_there_and_what_it_forbids_is_refused(
    shipped: Prompts, target: Target, sandbox: Sandbox
) -> None:
    promised = (
        "def head(s):\n    assert math.pi and re.match('a', 'a')\n    return softmax(np.log(normalize(s.every)))\n"
    )
    assert "`np`, `math`, `re`, `softmax` and `normalize` are there" in shipped.language
    sandbox.load([target.corpus["fit"][0].text])
    assert sandbox.run(promised, generated=True).failures == ()
    for forbidden in ("import os", "open('x')", "class A: pass", "s.__class__"):
        assert check(f"def head(s):\n    {forbidden}\n    return s.first\n"), forbidden


# ---- the summary -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rival", [None, Rival(NAMING, 0.5)], ids=["alone", "with a rival"])
@pytest.mark.parametrize("head", [COMMAS, UNIFORM], ids=["commas", "uniform"])
def test_a_summary_never_outgrows_its_room(target: Target, head: HeadId, rival: Rival | None) -> None:
    shortest, longest = (len(summary_of(target, head, room, rival)) for room in (0, 1e9))
    assert shortest < longest / 3
    rooms = [int(room) for room in np.linspace(shortest, longest, 20)]
    lengths = [len(summary_of(target, head, room, rival)) for room in rooms]
    assert (lengths[0], lengths[-1]) == (shortest, longest)
    for room, length in zip(rooms, lengths, strict=True):
        assert room - longest / 8 < length <= room, "and hardly any of it is left empty"


@pytest.mark.parametrize("head", [PREVIOUS, FIRST, COMMAS, UNIFORM], ids=HEADS)
def test_a_summary_tells_all_strata_from_high_to_low(target: Target, head: HeadId) -> None:
    told = summary_of(target, head)
    weights = []
    for name in STRATA:
        (section,) = re.findall(rf"Salient weights, {name}: query → key\n(.*?)(?:\n\n|\Z)", told, re.DOTALL)
        weights.append([float(found) for found in re.findall(r" ([\d.]+) \(\d+ back\)", section)])
        assert weights[-1]
    for higher, lower in itertools.pairwise(weights):
        assert min(higher) >= max(lower)


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_where_room_is_scarce_each_section_has_its_share(target: Target, share: float) -> None:
    shortest, longest = (len(summary_of(target, COMMAS, room)) for room in (0, 1e9))
    told = summary_of(target, COMMAS, shortest + share * (longest - shortest))
    for title in ("Keys with more weight", *(f"Salient weights, {name}" for name in STRATA), "Text 1", "Text 3"):
        assert title in told


@pytest.mark.parametrize("head", [PREVIOUS, FIRST, COMMAS, UNIFORM], ids=HEADS)
def test_the_numbers_of_a_summary_are_those_of_the_patterns(target: Target, head: HeadId) -> None:
    told = summary_of(target, head)
    length = target.store.length
    patterns = np.zeros((16, length, length))
    for place in range(16):
        patterns[place][np.tril_indices(length)] = target.store.read(place, target.geometry.index_of(head))
    first = patterns[:, 1:, 0].mean()
    before = np.diagonal(patterns, -1, axis1=1, axis2=2).mean()
    assert f"first token {first:.2f}, " in told
    assert f"the token before {before:.2f}." in told
    assert [int(far) for far in re.findall(r"(\d+): ", told.split("\n")[2])][-1] == length - 1
    shares = [float(share) for share in re.findall(r"\d: ([\d.]+)[;.]", told.split("\n")[2])]
    assert sum(shares) == pytest.approx(1 - first, abs=0.006 * len(shares))
    trivial, floor = measure_floor(target, "fit").best(target.geometry.index_of(head))
    assert f"'{trivial}', has IoU {floor:.2f}" in told


def test_a_head_for_commas_is_told_by_its_commas(target: Target) -> None:
    told = summary_of(target, COMMAS)
    keys = told.split("(times as much):\n")[1].split("\n\n")[0].split("\n")
    assert '","' in [line.rpartition(" ")[0] for line in keys[:2]]
    assert float(keys[0].rpartition(" ")[2]) > 2
    uniform = summary_of(target, UNIFORM).split("(times as much):\n")[1].split("\n\n")[0].split("\n")
    assert all(float(line.rpartition(" ")[2]) == pytest.approx(1, abs=0.35) for line in uniform[:10])


def test_rows_of_whole_texts_name_the_keys_with_their_places(target: Target) -> None:
    told = summary_of(target, PREVIOUS)
    tokens = target.corpus["fit"][0].text.surfaces
    assert f"7 {quoted(tokens[7])}: 6 {quoted(tokens[6])} 0." in told
    assert f"Text 1: {''.join(tokens).strip()!r}" in told
    assert "Text 4" not in told


@pytest.mark.parametrize("head", [PREVIOUS, FIRST, COMMAS, UNIFORM], ids=HEADS)
def test_no_prompt_names_the_model_a_layer_or_a_head(target: Target, shipped: Prompts, head: HeadId) -> None:
    summary = summary_of(target, head, rival=Rival(NAMING, 0.25))
    assert "has IoU 0.25; beat it" in summary
    assert "* s.previous(1))" in summary
    for said in (summary, shipped.system, shipped.write(summary, count=5, terms=8)):
        assert NAMED.findall(said) == []
        assert target.model not in said


def test_metadata_of_a_rival_is_not_shown_and_what_it_computes_is(target: Target) -> None:
    source = NAMING.replace("L2H11", "WEIGHT")
    assert "///" not in summary_of(target, FIRST, 0, Rival(source, 0.5))
    shown = without_metadata(source).partition("\n\n")[2].partition("  #")[0]
    assert shown in summary_of(target, FIRST, 0, Rival(source, 0.5))


def test_no_program_names_the_model_in_a_prompt() -> None:
    source = "def head(s):  # of STORIES260K, in Org/stories260k\n    return softmax(s.first)  # storybook\n"
    shown = unnamed(source, "org/stories260K")
    assert shown.split("\n")[0] == "def head(s):  # of it, in it"
    assert shown.endswith("softmax(s.first)  # storybook")
    assert "s.first" in unnamed(source, "first"), "a word of the language is no name"


def test_the_rival_is_in_the_shortest_summary_too(target: Target) -> None:
    assert "has IoU 0.25" in summary_of(target, FIRST, 0, Rival(NAMING, 0.25))


@pytest.mark.parametrize(("fit", "length"), [(1, 2), (1, 3), (2, 5)])
def test_the_smallest_texts_have_a_summary(fit: int, length: int, tmp_path: Path) -> None:
    small = plant_patterns(tmp_path / "p.f16", stories(Sizes(fit=fit, dev=1, held_out=1, length=length)), HEADS)
    for head in (PREVIOUS, FIRST, COMMAS, UNIFORM):
        assert f"texts of {length} tokens" in summary_of(small, head)
        assert "nan" not in summary_of(small, head)


# ---- strips ----------------------------------------------------------------------------------------------------------


def test_a_strip_is_the_text_up_to_the_query_with_tenths_behind_the_keys() -> None:
    tokens = ["<s>", "Once", " upon", " a", " time", ","]
    row = np.array([0.04, 0.3, 0.05, 0.0, 0.61, 0.0], np.float32)
    assert strip(tokens, row, 4) == "<s>Once[3] upon[1] a >time<[6]"
    assert strip(tokens, row, 0) == "><s><"
    assert strip(tokens, np.array([1.0], np.float32), 0) == "><s><[9]"


def test_a_strip_stays_on_its_line_whatever_the_tokens_are() -> None:
    tokens = ["\n", " \t", "\x1b[31m", "é", " ", "\u2028"]
    row = np.full(6, 1 / 6, np.float32)
    shown = strip(tokens, row, 5)
    assert shown.isprintable()
    assert "\\n[2]" in shown
    assert "é[2]" in shown
    for token in tokens:
        assert quoted(token).isprintable()


def test_prompts_of_texts_that_would_change_a_terminal_do_not() -> None:
    (line,) = prompts_view([FirstPrompt(HeadId(0, 0), "", "a\x1b[31m b\tc\u202e", 3)]).split("\n")[-1:]
    assert line == "a\\x1b[31m b\tc\\u202e"


def test_quotation_marks_in_tokens_can_be_told_from_those_around_them() -> None:
    assert [quoted(token) for token in (" a", '"', "'", '."')] == ['" a"', "'\"'", '"\'"', "'.\"'"]


def test_targets_are_the_few_keys_with_most_weight_first_of_those_that_the_query_sees() -> None:
    tokens = ["<s>", " Lily", ",", " and", " Tom"]
    row = np.array([0.1, 0.45, 0.25, 0.04, 0.9], np.float32)
    assert targets(tokens, row, 3) == '1 " Lily" 0.45, 2 "," 0.25, 0 "<s>" 0.10'
    assert targets(tokens, row, 3, most=1) == '1 " Lily" 0.45'
    assert targets(tokens, np.zeros(5, np.float32), 3) == ""

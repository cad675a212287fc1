"""A prompt that the server cut, silently, is noticed by its length alone; one that was read whole is not suspected."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.drafts_in_tests import HEADS, code, desk_for, reply, slowly
from core.planted_patterns import plant_patterns, stories
from core.tokenizers_in_tests import sentencepiece
from ollama_stand_in import Model, StandIn, Truncation
from ollama_stand_in.prompt import fit, render
from readhead.corpus import Sizes
from readhead.library import Target
from readhead.sandbox import Sandbox
from readhead.synthesis.ollama import ruler as rulers
from readhead.synthesis.ollama.client import KEPT, Answer
from readhead.synthesis.ollama.prompts import Prompts
from readhead.synthesis.ollama.ruler import LEAST_WINDOW, Ruler
from readhead.synthesis.ollama.run import Drafting
from readhead.synthesis.ollama.schedule import draft_programs
from readhead.synthesis.ollama.summary import summarise

STORIES = Path(__file__).parents[3] / "shared" / "models" / "stories260K" / "tokenizer.json"
MODELS = {"bundled": Model(), **({"stories": Model(tokenizer=STORIES)} if STORIES.is_file() else {})}
TOKENIZERS: dict[str, Any] = {
    **{name: model.counter for name, model in MODELS.items()},
    "llama": sentencepiece().backend_tokenizer,
}
REPLY = 3072
MOST = 32768

pytestmark = pytest.mark.usefixtures("certificates_are_read_once")

every_tokenizer = pytest.mark.parametrize("name", TOKENIZERS)
every_truncation = pytest.mark.parametrize("truncation", Truncation)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    path = tmp_path_factory.mktemp("planted") / "patterns.f16"
    return plant_patterns(path, stories(Sizes(fit=8, dev=2, held_out=2, length=48)), HEADS)


@pytest.fixture(scope="module")
def prompts(target: Target) -> list[str]:
    """Prompts for two heads, with as much of a summary as ever fits."""
    shipped = Prompts.load()
    return [
        shipped.write(summarise(target, head, lambda text, room=room: len(text) <= room), count=5, terms=8)
        for head in target.geometry.head_ids()
        for room in range(1000, 6500, 500)
    ]


@dataclass(frozen=True)
class Sent:
    """A prompt, and how many tokens a server that read all of it would count."""

    messages: list[dict[str, str]]
    characters: int
    tokens: int


@functools.cache
def sent(text: str, name: str) -> Sent:
    """With the tokenizer of that name."""
    system = Prompts.load().system
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return Sent(messages, len(system) + len(text), len(TOKENIZERS[name].encode(render(messages)).ids))


def whole(text: str, tokenizer: Any, step: int) -> list[tuple[int, int]]:
    """Characters and tokens of ever longer beginnings of a text, in an order by chance."""
    ends = np.array([end for _, end in tokenizer.encode(text).offsets])
    lengths = np.random.default_rng(0).permutation(np.arange(2000, len(text), step))
    return [(int(length), int((ends <= length).sum())) for length in lengths]


def signatures(window: int) -> set[int]:
    """What a prompt has that was cut to the window, or to about half of it."""
    half = window - (window - KEPT) // 2
    return {window - 1, window, half, half + 1}


# ---- whole prompts ---------------------------------------------------------------------------------------------------


@every_tokenizer
def test_prompts_that_were_read_whole_are_not_suspected(name: str, prompts: list[str]) -> None:
    ruler = Ruler()
    for text in prompts:
        one = sent(text, name)
        window = max(ruler.window(one.characters, REPLY, MOST), 2 * LEAST_WINDOW)
        if one.tokens < window - 1:
            assert not ruler.measure(Answer(characters=one.characters, prompt_tokens=one.tokens, window=window)).cut


@every_tokenizer
def test_of_thousands_of_lengths_those_alone_are_suspected_that_are_a_cut_prompt_s(
    name: str, prompts: list[str]
) -> None:
    ruler, suspected, seen = Ruler(), [], 0
    for characters, tokens in whole("\n".join(prompts[-2:]), TOKENIZERS[name], 5):
        window = ruler.window(characters, REPLY, MOST)
        if tokens >= window - 1:
            continue  # before the tokenizer is known
        seen += 1
        if ruler.measure(Answer(characters=characters, prompt_tokens=tokens, window=window)).cut:
            suspected.append((tokens, window))
    assert seen > 3000
    assert all(tokens in signatures(window) for tokens, window in suspected)
    assert len(suspected) <= 4, "2 in 4000 by chance"


@every_tokenizer
def test_a_suspicion_does_not_outlast_the_next_whole_prompt(name: str, prompts: list[str]) -> None:
    one = sent(prompts[0], name)
    asked = Answer(characters=one.characters, prompt_tokens=one.tokens, window=MOST)
    cut = Answer(characters=one.characters, prompt_tokens=4096, window=4096)
    ruler = Ruler()
    for answer, is_cut in ((asked, False), (cut, True), (asked, False), (cut, True), (cut, True), (asked, False)):
        assert ruler.measure(answer).cut == is_cut
    assert ruler.per_token == pytest.approx(one.characters / one.tokens)


def test_a_server_that_does_not_count_is_not_suspected_and_teaches_nothing() -> None:
    ruler = Ruler()
    answer = Answer(characters=9000, prompt_tokens=0, window=4096)
    assert ruler.measure(answer) is answer
    assert ruler.per_token == Ruler().per_token


# ---- cut prompts -----------------------------------------------------------------------------------------------------


@every_truncation
@every_tokenizer
def test_every_truncation_is_noticed(name: str, truncation: Truncation, prompts: list[str]) -> None:
    for text, window in zip(prompts[::4], (1024, 3000, 4096, 4097, 4300), strict=False):
        one = sent(text, name)
        read = fit(one.messages, TOKENIZERS[name], window, KEPT, truncation)
        assert read.tokens < read.sent == one.tokens
        for taught in (False, True):
            ruler = Ruler()
            if taught:
                ruler.measure(Answer(characters=one.characters, prompt_tokens=one.tokens, window=MOST))
            before = ruler.per_token
            assert ruler.measure(Answer(characters=one.characters, prompt_tokens=read.tokens, window=window)).cut
            assert ruler.per_token < before


@every_truncation
@every_tokenizer
def test_prompts_that_just_fit_or_just_do_not_are_told_apart(
    name: str, truncation: Truncation, prompts: list[str]
) -> None:
    one = sent(prompts[3], name)
    for window in range(one.tokens - 1, one.tokens + 3):
        read = fit(one.messages, TOKENIZERS[name], window, KEPT, truncation)
        told = Ruler().measure(Answer(characters=one.characters, prompt_tokens=read.tokens, window=window))
        if read.tokens < one.tokens:
            assert told.cut
        elif window > one.tokens + 1:
            assert not told.cut


@every_tokenizer
def test_a_window_below_the_one_that_was_asked_for_is_noticed_once_the_tokenizer_is_known(
    name: str, prompts: list[str]
) -> None:
    ruler = Ruler()
    one = sent(prompts[0], name)
    ruler.measure(Answer(characters=one.characters, prompt_tokens=one.tokens, window=MOST))
    assert ruler.measure(Answer(characters=one.characters, prompt_tokens=int(one.tokens * 0.7), window=MOST)).cut


def test_far_too_few_tokens_are_noticed_at_first_sight() -> None:
    assert Ruler().measure(Answer(characters=14000, prompt_tokens=2051, window=8192)).cut


# ---- windows ---------------------------------------------------------------------------------------------------------


def test_a_window_holds_prompt_and_reply_and_is_a_power_of_two_up_to_what_the_model_can() -> None:
    ruler = Ruler()
    for characters in range(0, 200_000, 1777):
        window = ruler.window(characters, REPLY, 1 << 20)
        assert window >= max(ruler.tokens(characters) + REPLY, LEAST_WINDOW)
        assert window & (window - 1) == 0
        assert window == LEAST_WINDOW or window // 2 < ruler.tokens(characters) + REPLY
        assert ruler.window(characters, REPLY, 10_000) == min(window, 10_000)


@every_tokenizer
def test_a_prompt_s_length_is_known_well_from_the_one_before(name: str, prompts: list[str]) -> None:
    ruler = Ruler()
    for number, text in enumerate(prompts):
        one = sent(text, name)
        assert number == 0 or one.tokens <= ruler.tokens(one.characters) <= 1.35 * one.tokens
        ruler.measure(Answer(characters=one.characters, prompt_tokens=one.tokens, window=MOST))


# ---- from end to end -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("name", "truncation"),
    slowly(itertools.product(MODELS, Truncation), but={("bundled", Truncation.HALF), ("stories", Truncation.WINDOW)}),
)
def test_a_prompt_that_was_cut_is_asked_again_until_it_is_read_whole_and_that_is_said(
    name: str,
    truncation: Truncation,
    target: Target,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rulers, "_FIRST_GUESS", 20.0)
    monkeypatch.setattr(rulers, "LEAST_WINDOW", 256)
    head = target.geometry.head_ids()[0]
    model = Model(context_length=65536, tokenizer=MODELS[name].tokenizer)
    with (
        StandIn(lambda _: reply(code(9)), {"coder": model}, truncation=truncation) as server,
        desk_for(server, target, sandbox, whole=True, reply_tokens=512) as desk,
    ):
        drafted = draft_programs(desk, [head], Drafting(rounds=0))
        again = draft_programs(desk, [head], Drafting(rounds=0))
        reads = [request.read for request in server.chats]
    cut = [read.tokens < read.sent for read in reads if read]
    assert cut == [True] * (len(cut) - 1) + [False]
    assert len(cut) in {3, 4}
    assert [exchange.answer.cut for exchange in drafted.exchanges] == cut
    notes = [note for note in drafted.notes if "read only" in note]
    assert len(notes) == len(cut) - 1
    for note, read, request in zip(notes, reads, server.chats, strict=False):
        assert read is not None
        assert f"{head}, write: the server read only {read.tokens} tokens" in note
        assert f"window of {request.options['num_ctx']}" in note
    assert len(server.chats) == len(cut), "what was asked again is in the notebook too"
    assert again.candidates == drafted.candidates


def test_a_prompt_that_no_window_holds_is_told_and_its_programs_count(
    target: Target, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ruler, "window", lambda *_: 1024)
    with (
        StandIn(lambda _: reply(code(9)), {"coder": {"context_length": 65536}}) as server,
        desk_for(server, target, sandbox, whole=True) as desk,
    ):
        drafted = draft_programs(desk, target.geometry.head_ids()[:1], Drafting(rounds=0))
        assert len(server.chats) == 4
    assert drafted.notes[-1].endswith("the prompt was never read whole")
    assert [candidate.reason for candidate in drafted.candidates] == ["kept", "duplicate", "duplicate", "duplicate"]


def test_with_the_ruler_s_own_guess_no_prompt_is_cut(target: Target, sandbox: Sandbox) -> None:
    with (
        StandIn(lambda _: reply(code(9), code(20)), {"coder": {"context_length": 65536}}) as server,
        desk_for(server, target, sandbox, whole=True) as desk,
    ):
        drafted = draft_programs(desk, target.geometry.head_ids(), Drafting(rounds=1))
        assert len(server.chats) == 4
        assert all(request.read and request.read.tokens == request.read.sent for request in server.chats)
    assert drafted.notes == []

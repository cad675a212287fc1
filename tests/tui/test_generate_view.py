"""Texts side by side: while they are written, stopped, stale, and what is needed before."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from readhead.engine.client import EngineError
from readhead_tui.question import Question
from readhead_tui.remembered import Remembered
from tui.covered import covers
from tui.scripted_engine import FACTS, ScriptedEngine, Shown, shown

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

BOARD = {"L0H1": "# mine", "L2H3": "# mine"}


def engine(**script: object) -> ScriptedEngine:
    """With two heads in program mode."""
    return ScriptedEngine(board=dict(BOARD), **script)  # type: ignore[arg-type]  # its fields


async def wrote(here: Shown) -> None:
    """Write both texts."""
    await here.press("enter")
    await here.until(lambda: "little girl" in here.words("#written") and not here.app.generate_view.writing)


async def test_without_a_head_in_program_mode_the_next_step_is_told(tmp_path: Path) -> None:
    async with shown(tmp_path, view="generate") as here:
        assert "No head is in program mode" in here.screen
        assert "space on the map (1)" in here.screen
        await here.press("enter")
        assert "no head is in program mode: flip one" in here.told
        assert not here.engine.given_to("generate")


@covers("write_texts")
async def test_both_texts_are_drawn_while_they_are_written(tmp_path: Path) -> None:
    async with shown(tmp_path, engine(holds={"generate": 2}), view="generate") as here:
        await here.press("enter")
        await here.until(lambda: "writing 2 of 60" in here.words("#generate-facts"))
        assert here.words("#written").count("there was") == 2
        assert "Both are the same" in here.words("#written")
        await here.press("enter")
        assert "texts are being written: esc stops them" in here.told
        here.engine.let_go.set()
        await here.until(lambda: not here.app.generate_view.writing)
        assert here.engine.given_to("generate") == [{"prompt": "Once upon a time", "tokens": 60, "temperature": 0.0}]


async def test_where_they_part_speed_and_failed_heads_are_told(tmp_path: Path) -> None:
    async with shown(tmp_path, engine(), view="generate") as here:
        await wrote(here)
        told = here.words("#written")
        assert "▏little girl" in told
        assert "▏big dog" in told
        assert "tokens that are the same: 3" in told
        assert "neural 50 tokens a second, hybrid 10 tokens a second" in told
        assert "L0H1 was neural for 2 tokens, because its program failed" in told
        facts = here.words("#generate-facts")
        assert f"small, switchboard {here.app.known.board_stamp}, 2 heads, 60 tokens, temperature 0" in facts
        assert "▏big dog" in here.screen


@covers("stop_texts")
async def test_esc_stops_and_the_text_so_far_stays(tmp_path: Path) -> None:
    async with shown(tmp_path, engine(holds={"generate": 3}), view="generate") as here:
        await here.press("escape")
        assert "nothing is being written" in here.told
        await here.press("enter")
        await here.until(lambda: "writing 3 of 60" in here.words("#generate-facts"))
        await here.press("escape")
        await here.until(lambda: here.engine.cancelled == ["generate"])
        await here.until(lambda: "stopped before the end" in here.words("#generate-facts"))
        assert "there was" in here.words("#written")


async def test_texts_of_another_switchboard_are_stale_until_it_is_back(tmp_path: Path) -> None:
    async with shown(tmp_path, engine(), view="generate") as here:
        await wrote(here)
        await here.press("ctrl+n")
        await here.until(lambda: "~ stale" in here.words("#generate-facts"))
        assert "little girl" in here.words("#written")
        assert "No head is in program mode" in here.words("#written")
        await here.press("u")
        await here.until(lambda: "stale" not in here.words("#generate-facts"))


async def test_texts_of_another_model_are_stale(tmp_path: Path) -> None:
    async with shown(tmp_path, engine(), view="generate") as here:
        await wrote(here)
        here.engine.facts = FACTS | {"model": "large"}
        here.engine.restart()
        await here.until(lambda: "~ stale" in here.words("#generate-facts"))
        assert "small, switchboard" in here.words("#generate-facts")


@covers("prompt")
async def test_in_the_prompt_keys_are_typed_and_esc_leaves_it(tmp_path: Path) -> None:
    async with shown(tmp_path, engine(), view="generate", prompt="A") as here:
        await here.press("i", "q", "1", "question_mark", "n", "space", "u", "L")
        assert here.app.query_one("#prompt", Input).value == "Aq1?n uL"
        assert here.app.view == "generate"
        assert here.app.screen is here.app.screen_stack[0]
        await here.press("escape", "n")
        assert isinstance(here.app.screen, Question)
    assert Remembered.read(tmp_path).prompt == "Aq1?n uL"


async def test_enter_in_the_prompt_writes_and_leaves_it(tmp_path: Path) -> None:
    async with shown(tmp_path, engine(), view="generate", prompt="") as here:
        await here.press("enter")
        assert "the prompt is empty: i types one" in here.told
        await here.press("i", *"Once", "enter")
        await here.until(lambda: "little girl" in here.words("#written"))
        assert not here.app.query_one("#prompt", Input).has_focus
        assert here.engine.given_to("generate")[0]["prompt"] == "Once"


@covers("tokens", "temperature")
async def test_tokens_and_temperature_are_asked_for_and_kept(tmp_path: Path) -> None:
    async with shown(tmp_path, engine(), view="generate") as here:
        await here.press("n", "backspace", "backspace", "0", "enter")
        assert isinstance(here.app.screen, Question)
        await here.press("backspace", "7", "enter", "t", "backspace", *"nan", "enter")
        assert isinstance(here.app.screen, Question)
        await here.press("backspace", "backspace", "backspace", *"0.5", "enter")
        assert "7 tokens, temperature 0.5" in here.words("#generate-facts")
        await wrote(here)
        assert here.engine.given_to("generate") == [{"prompt": "Once upon a time", "tokens": 7, "temperature": 0.5}]
    kept = Remembered.read(tmp_path)
    assert (kept.tokens, kept.temperature) == (7, 0.5)


async def test_a_failure_reaches_the_screen_and_the_text_stays(tmp_path: Path) -> None:
    async with shown(tmp_path, engine(), view="generate") as here:
        await wrote(here)
        here.engine.fails["generate"] = EngineError("RH1", "the prompt is too long", "use a shorter one")
        await here.press("enter")
        await here.until(lambda: "the prompt is too long\nuse a shorter one" in here.told)
        assert "little girl" in here.words("#written")
        assert not here.app.generate_view.writing


@pytest.mark.parametrize("size", [(200, 50), (40, 12)])
async def test_other_sizes_show_the_texts_too(tmp_path: Path, size: tuple[int, int]) -> None:
    async with shown(tmp_path, engine(), view="generate", size=size, palette="none") as here:
        await wrote(here)
        assert "there was" in here.screen

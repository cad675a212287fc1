"""Where a program fails: pages of the worst texts and rows, for clients with and without virtual documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from readhead.engine.client import EngineError
from readhead.engine.results import text_stamp
from readhead_server.failures import Failing, Place, looks_at, named
from server.wire import PROGRAM, Client, FakeEngine, talk

TOKENS = ["<bos>", " Once", " Lily", ",", " she"]
PATTERN = [[1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0], [0, 0, 1, 0, 0], [0.1, 0.1, 0.62, 0.1, 0.08]]
PREDICTION = [[1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0], [0, 0, 0.9, 0.1, 0], [0.2, 0.1, 0.1, 0.55, 0.05]]
PAGES = {"window": {"showDocument": {"support": True}}, "workspace": {"textDocumentContent": {}}}

Answers = dict[str, Any]


@pytest.fixture
def measured(answers: Answers) -> Answers:
    """An engine to which text 1 is the worst of three."""
    texts = [{"sequence": number, "iou": iou, "failed": False} for number, iou in ((1, 0.2), (0, 0.4), (2, 0.9))]
    answers["worst_texts"] = texts
    answers["pattern"] = lambda **_: {"tokens": TOKENS, "pattern": PATTERN, "prediction": PREDICTION}
    return answers


def scored(source: str) -> list[dict[str, Any]]:
    return [{"head": "L0H1", "stamp": {"text": text_stamp(source)}, "iou": 0.5, "iou_without_first": 0.5, "jsd": 0.3,
             "trivial": "uniform", "trivial_iou": 0.2, "inactive": False, "coverage": 1.0, "sequences": 3}]  # fmt: skip


def failing(sequence: int | None = None) -> Failing:
    texts = [{"sequence": number, "iou": 0.1 * number, "failed": False} for number in (3, 5)]
    place = Place(Path("/w/programs/near.py"), "L0H1", sequence)
    return Failing(place, "abc", texts, TOKENS, np.array(PATTERN), np.array(PREDICTION))


@pytest.mark.parametrize("path", ["/w/near.py", "/a folder/ö 100%/L0H1/near.py", "/w/3/near.py"])
@pytest.mark.parametrize("sequence", [None, 0, 12])
def test_an_address_names_program_head_and_text_whatever_the_path_is(path: str, sequence: int | None) -> None:
    place = Place(Path(path), "L3H7", sequence)
    assert Place.read(place.uri) == place
    assert Place.read("file:///w/near.py") is None


def test_the_worst_row_comes_first_in_words_with_the_head_above_the_program() -> None:
    text = failing().as_text(stale=False)
    first = text.partition("## The worst rows")[2].strip()
    assert first.startswith("At `she` (token 4) the head looks at `Lily` (0.62); the program at the comma (0.55).")
    strips = [line for line in first.split("\n") if line.startswith(("neural", "program"))]
    assert "Lily[6]" in strips[0]
    assert ",[5]" in strips[1] or ",[6]" in strips[1]


def test_a_page_links_to_the_next_worst_text_and_back() -> None:
    first, second = failing(), failing(5)
    assert first.sequence == 3
    assert first.beside(1) == Place(Path("/w/programs/near.py"), "L0H1", 5)
    assert first.beside(-1) is None
    assert second.beside(-1) == Place(Path("/w/programs/near.py"), "L0H1", 3)
    assert "[next](" in first.as_text(stale=False)
    assert "[next](" not in second.as_text(stale=False)


def test_marks_are_called_by_name_and_a_token_that_looks_at_itself_says_so() -> None:
    assert named(" ,") == "the comma"
    assert named(" ") == "the space"
    assert named("a`b") == "``a`b``"
    assert looks_at(["a", "b"], np.array([0.2, 0.8]), 1) == "itself (0.80)"


def test_a_text_on_which_the_program_gives_nothing_is_shown_without_rows() -> None:
    texts = [{"sequence": 0, "iou": 0.0, "failed": True}]
    page = Failing(Place(Path("/w/a.py"), "L0H1"), "abc", texts, TOKENS, np.array(PATTERN), None, "timeout: too slow")
    text = page.as_text(stale=False)
    assert "gives nothing on this text: timeout: too slow" in text
    assert "Once Lily, she" in text


@pytest.mark.usefixtures("measured")
def test_the_page_says_of_which_text_part_and_length_it_is(file: Path) -> None:
    async def work(client: Client) -> None:
        client.open(file)
        found = await client.request("workspace/textDocumentContent", {"uri": Place(file, "L0H1").uri})
        assert f"of text {text_stamp(PROGRAM)}: the program's current text" in found["text"]
        assert "measured on dev, 5 tokens" in found["text"]
        assert "# near.py on L0H1: dev text 1" in found["text"]

    talk(work)


@pytest.mark.usefixtures("measured")
def test_a_program_that_is_not_open_is_read_from_disk(file: Path, engines: list[FakeEngine]) -> None:
    async def work(client: Client) -> None:
        found = await client.request("workspace/textDocumentContent", {"uri": Place(file, "L0H1", 2).uri})
        assert "dev text 2" in found["text"]
        assert engines[0].asked("pattern")[0]["sequence"] == 2

    talk(work)


@pytest.mark.usefixtures("measured")
def test_a_client_without_pages_gets_the_text_from_the_command(file: Path) -> None:
    async def work(client: Client) -> None:
        uri = client.open(file)
        assert "dev text 1" in await client.command("readhead.compare", uri, "L0H1")
        assert "dev text 0" in await client.command("readhead.failures", uri, "L0H1", 0)
        assert "dev text 1" in await client.command("readhead.failures", uri, "L0H1")

    talk(work)


@pytest.mark.usefixtures("measured")
def test_a_client_with_pages_is_told_to_open_one(file: Path) -> None:
    async def work(client: Client) -> None:
        client.handlers["window/showDocument"] = lambda _: {"success": True}
        assert await client.command("readhead.compare", client.open(file), "L0H1") is None
        (shown,) = client.messages("window/showDocument")
        assert shown["uri"] == Place(file, "L0H1").uri

    talk(work, PAGES)


def test_a_page_is_stale_after_a_change_and_asked_for_again_once_the_new_text_is_measured(
    file: Path, measured: Answers
) -> None:
    hold: list[bool] = []
    measured["score"] = lambda source, **_: EngineError("x", "not yet", "") if hold else scored(source)

    async def work(client: Client) -> None:
        client.handlers["workspace/textDocumentContent/refresh"] = lambda _: None
        refreshed: Callable[[], list[Any]] = lambda: client.messages("workspace/textDocumentContent/refresh")  # noqa: E731 - short
        uri, page = client.open(file), Place(file, "L0H1").uri
        await client.until(lambda: client.server.known(uri)[2].scores)
        assert "current text" in (await client.request("workspace/textDocumentContent", {"uri": page}))["text"]
        hold.append(True)
        client.change(uri, PROGRAM.replace("1.5", "2.5"), 2)
        await client.until(lambda: [each for each in refreshed() if each["uri"] == page])
        stale = (await client.request("workspace/textDocumentContent", {"uri": page}))["text"]
        assert f"of text {text_stamp(PROGRAM)}: **stale" in stale
        hold.clear()
        before = len(refreshed())
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        await client.until(lambda: len(refreshed()) > before)
        fresh = (await client.request("workspace/textDocumentContent", {"uri": page}))["text"]
        assert f"of text {text_stamp(PROGRAM.replace('1.5', '2.5'))}: the program's current text" in fresh

    talk(work, PAGES, pause=0.01)


def test_what_the_engine_says_is_wrong_stands_on_the_page(file: Path, answers: Answers) -> None:
    answers["worst_texts"] = EngineError("RH100", "the model has no head L9H9", "its heads are L0H0 to L1H1")

    async def work(client: Client) -> None:
        client.open(file)
        text = (await client.request("workspace/textDocumentContent", {"uri": Place(file, "L9H9").uri}))["text"]
        assert text == "the model has no head L9H9\n\nits heads are L0H0 to L1H1\n"

    talk(work)


@pytest.mark.usefixtures("engines")
def test_an_address_that_is_no_programs_says_so(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        for uri in ("readhead://failures/", Place(tmp_path / "gone.py", "L0H1").uri):
            text = (await client.request("workspace/textDocumentContent", {"uri": uri}))["text"]
            assert "no page of a program" in text

    talk(work)

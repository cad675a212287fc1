"""Requests beyond the protocol: their parameters are checked, their results are plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pygls.exceptions import JsonRpcInvalidParams

from readhead.engine.client import EngineError
from readhead.engine.results import text_stamp
from readhead_server.views import PatternParams, WorkspaceParams, read
from server.wire import PROGRAM, Client, FakeEngine, Refused, talk

Answers = dict[str, Any]

CARD = {"head": "L0H0", "trivial": "uniform", "trivial_iou": 0.3, "inactive": False, "best": "near", "best_iou": 0.6}

SCORE = {"head": "L0H1", "stamp": {}, "iou": 0.6, "iou_without_first": 0.5, "jsd": 0.1, "trivial": "uniform",
         "trivial_iou": 0.3, "inactive": False, "coverage": 1.0, "sequences": 2}  # fmt: skip


@pytest.fixture
def shown(answers: Answers) -> Answers:
    answers["cards"] = [CARD]
    answers["facts"] = {"model": "tiny", "layers": 2, "heads": 2, "isolation": "locked", "programs": "programs",
                        "corpus": {"name": "bundled", "dev": 2, "length": 16}}  # fmt: skip
    answers["switches"] = {"heads": {"L0H1": PROGRAM}, "fingerprint": "f"}
    answers["pattern"] = lambda head, **given: {
        "head": head, "tokens": ["a"], "pattern": [[1.0]], "prediction": [[1.0]],
        **({} if given.get("text") else {"sequence": given["sequence"], "of": 2}),
    }  # fmt: skip
    return answers


def test_parameters_are_read_whether_pygls_made_a_tuple_of_them_or_not() -> None:
    class Sent(tuple[str, ...]):
        __slots__ = ()

        def _asdict(self) -> dict[str, Any]:
            return {"uri": "file:///a.py", "head": "L0H0", "sequence": 3, "of_later_clients": True}

    assert read(PatternParams, Sent()) == PatternParams("file:///a.py", "L0H0", sequence=3)
    assert read(WorkspaceParams, {"uri": "file:///a.py"}) == WorkspaceParams("file:///a.py")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "'uri' is missing: a string"),
        (None, "'uri' is missing: a string"),
        ({"uri": "file:///a.py", "head": 3}, "'head' is 3: a string"),
        ({"uri": "file:///a.py", "head": "L0H0", "sequence": "first"}, "'sequence' is 'first': a whole number"),
        ({"uri": "file:///a.py", "head": "L0H0", "sequence": True}, "'sequence' is True: a whole number"),
    ],
)
def test_wrong_parameters_are_refused_with_the_fields_name(given: Any, told: str) -> None:
    with pytest.raises(JsonRpcInvalidParams, match=told):
        read(PatternParams, given)


@pytest.mark.usefixtures("shown")
def test_all_heads_come_with_geometry_floor_best_program_mode_and_board(file: Path) -> None:
    async def work(client: Client) -> None:
        found = await client.request("readhead/heads", {"uri": client.open(file)})
        assert (found["layers"], found["heads"]) == (2, 2)
        (card,) = found["cards"]
        assert {name: card[name] for name in CARD} == CARD
        assert card["mode"] == "neural"
        assert found["board"] == {"L0H1": text_stamp(PROGRAM)}

    talk(work)


@pytest.mark.usefixtures("shown")
def test_a_pattern_is_predicted_by_the_open_text_another_one_or_none(file: Path, engines: list[FakeEngine]) -> None:
    async def work(client: Client) -> None:
        uri = client.open(file)
        own = await client.request("readhead/pattern", {"uri": uri, "head": "L0H1", "sequence": 1})
        assert (own["sequence"], own["of"], own["stamp"]) == (1, 2, text_stamp(PROGRAM))
        other = await client.request("readhead/pattern", {"uri": uri, "head": "L0H1", "source": "x", "text": "Once"})
        assert (other["sequence"], other["stamp"]) == (None, text_stamp("x"))
        none = await client.request("readhead/pattern", {"uri": uri, "head": "L0H1", "source": ""})
        assert none["stamp"] == ""
        assert [given["source"] for given in engines[0].asked("pattern")] == [PROGRAM, "x", ""]

    talk(work)


def test_a_head_that_the_model_has_not_is_an_error_with_its_cure(file: Path, answers: Answers) -> None:
    answers["pattern"] = EngineError("RH100", "the model has no head L9H9", "its heads are L0H0 to L1H1")

    async def work(client: Client) -> None:
        uri = client.open(file)
        with pytest.raises(Refused, match="no head L9H9; its heads are L0H0 to L1H1") as refused:
            await client.request("readhead/pattern", {"uri": uri, "head": "L9H9"})
        assert refused.value.code == -32803

    client = talk(work)
    assert client.shown == []


def test_a_file_outside_of_all_workspaces_is_refused(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        with pytest.raises(Refused, match="in no workspace") as refused:
            await client.request("readhead/heads", {"uri": (tmp_path / "alone.py").as_uri()})
        assert refused.value.code == -32602
        assert await client.request("readhead/document", {"uri": (tmp_path / "alone.py").as_uri()}) is None

    talk(work)


@pytest.mark.usefixtures("shown")
def test_a_folder_of_a_workspace_will_do_where_no_program_is_open(file: Path, answers: Answers) -> None:
    answers["candidates"] = [{"name": "near", "source": PROGRAM}]

    async def work(client: Client) -> None:
        folder = file.parents[1].as_uri()
        assert (await client.request("readhead/heads", {"uri": folder}))["model"] == "tiny"
        shown = await client.request("readhead/pattern", {"uri": folder, "head": "L0H0"})
        assert (shown["name"], shown["stamp"]) == ("near", text_stamp(PROGRAM))
        answers["candidates"] = []
        assert (await client.request("readhead/pattern", {"uri": folder, "head": "L0H0"}))["stamp"] == ""

    talk(work)


def test_the_switchboards_perplexity_is_answered_and_changes_of_it_are_told(
    file: Path, answers: Answers, engines: list[FakeEngine]
) -> None:
    answers["perplexity"] = {"perplexity": 9.5, "neural_perplexity": 9.0, "replaced": ["L0H1"]}

    async def work(client: Client) -> None:
        found = await client.request("readhead/perplexity", {"uri": file.parent.as_uri()})
        assert found == answers["perplexity"]
        engines[0].tell("switches", {"heads": {"L0H1": PROGRAM}, "fingerprint": "f"})
        engines[0].tell("ranked", {})
        await client.until(lambda: client.messages("readhead/ranked"))
        root = str(file.parents[1])
        told = {"root": root, "heads": {"L0H1": text_stamp(PROGRAM)}, "fingerprint": "f"}
        assert client.messages("readhead/switches") == [told]
        assert client.messages("readhead/ranked") == [{"root": root}]

    talk(work)


def test_a_head_is_flipped_to_its_best_program_and_back(
    file: Path, answers: Answers, engines: list[FakeEngine]
) -> None:
    answers["flip"] = {"heads": {}, "fingerprint": "", "refused": {}}

    async def work(client: Client) -> None:
        await client.command("readhead.flipBest", file.parent.as_uri(), "L0H0")
        answers["switches"] = {"heads": {"L0H0": PROGRAM}, "fingerprint": "f"}
        await client.command("readhead.flipBest", file.parent.as_uri(), "L0H0")
        assert engines[0].asked("flip") == [{"best": ["L0H0"]}, {"heads": {"L0H0": None}}]
        answers["switches"] = {"heads": {}, "fingerprint": ""}
        answers["flip"] = {"refused": {"L0H0": "it looks ahead"}}
        await client.command("readhead.flipBest", file.parent.as_uri(), "L0H0")
        assert client.shown == ["Flip L0H0: it looks ahead\npick another program for the head"]

    talk(work)


def test_texts_come_from_the_worst_on(file: Path, answers: Answers, engines: list[FakeEngine]) -> None:
    answers["worst_texts"] = [{"sequence": 1, "iou": 0.2, "failed": False}]
    answers["candidates"] = []

    async def work(client: Client) -> None:
        asked = {"uri": client.open(file), "head": "L0H1"}
        assert await client.request("readhead/worst", asked) == answers["worst_texts"]
        assert engines[0].asked("worst_texts")[0]["source"] == PROGRAM
        assert await client.request("readhead/worst", asked | {"uri": file.parent.as_uri()}) == []

    talk(work)


def test_what_is_known_of_an_open_program_is_answered(file: Path, answers: Answers) -> None:
    answers["score"] = [SCORE]
    answers["switches"] = {"heads": {"L0H1": PROGRAM}, "fingerprint": "f"}

    async def work(client: Client) -> None:
        uri = client.open(file)
        await client.until(lambda: [told for told in client.messages("readhead/scored") if told["stamp"]])
        assert await client.request("readhead/document", {"uri": uri}) == {
            "name": "near", "version": 1, "line": 8, "heads": ["L0H1"], "findings": 0, "current": True,
            "scores": [{"head": "L0H1", "iou": 0.6, "trivial": "uniform", "trivial_iou": 0.3, "mode": "program"}],
        }  # fmt: skip

    talk(work)

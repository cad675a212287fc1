"""Requests beyond the protocol: their parameters are checked, their results are plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pygls.exceptions import JsonRpcInvalidParams

from readhead.engine.client import EngineError
from readhead.engine.results import text_stamp
from readhead_server.views import HeadsParams, PatternParams, read
from server.wire import PROGRAM, Client, FakeEngine, Refused, talk

Answers = dict[str, Any]

CARD = {"head": "L0H0", "trivial": "uniform", "trivial_iou": 0.3, "inactive": False, "best": "near", "best_iou": 0.6}


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
    assert read(HeadsParams, {"uri": "file:///a.py"}) == HeadsParams("file:///a.py")


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


@pytest.mark.usefixtures("shown")
def test_a_file_that_is_not_open_is_refused(file: Path) -> None:
    async def work(client: Client) -> None:
        with pytest.raises(Refused, match="no open program") as refused:
            await client.request("readhead/heads", {"uri": file.as_uri()})
        assert refused.value.code == -32602

    talk(work)

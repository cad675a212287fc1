"""The engine of these tests answers as the real one does: the same calls, the same shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from readhead.engine.jobs import Job
from readhead.engine.works import METHODS, Works
from readhead.heads import HeadId
from readhead.program import parse
from readhead.synthesis.ollama.revise import Revision
from server.conftest import make_workspace
from tui.fake_engine import FakeEngine, through_json

HEAD = "L0H1"
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("facts", {}),
    ("rank", {}),
    ("cards", {}),
    ("candidates", {"head": HEAD}),
    ("pattern", {"head": HEAD, "sequence": 1}),
    ("pattern", {"head": HEAD, "source": "SOURCE", "text": "Once upon a time"}),
    ("worst_texts", {"head": HEAD, "source": "SOURCE"}),
    ("score", {"heads": [HEAD], "source": "SOURCE"}),
    ("switches", {}),
    ("flip", {"heads": {HEAD: "SOURCE"}, "best": ["L0H2"]}),
    ("perplexity", {"details": True, "controls": ["zero"]}),
    ("impacts", {"heads": [HEAD]}),
    ("curve", {"fractions": [0.1, 0.2]}),
    ("plan", {"budget": 400.0, "order": "iou"}),
    ("generate", {"prompt": "Once", "tokens": 3}),
    ("save_board", {"path": "board.json"}),
    ("load_board", {"path": "board.json"}),
    ("front", {"head": HEAD, "terms": 2}),
    ("keep", {"head": HEAD, "source": "SOURCE"}),
]
MAPS = {"heads", "neural", "refused", "failed", "left_neural", "controls"}
"""Members that name heads or controls: what they are is compared, not which."""
EITHER = {"kl", "top1_agreement", "low", "high", "increase_percent", "iou_without_first", "prediction", "path"}
"""Figures that may be missing."""


def shape(value: Any, name: str = "") -> Any:
    """What a value is made of: the names of its members, and the kinds of its leaves."""
    if isinstance(value, dict):
        if name in MAPS:
            return {"map of": shape(next(iter(value.values()), None)) if value else "anything"}
        return {each: shape(member, each) for each, member in value.items()}
    if isinstance(value, list):
        return [shape(value[0], name)] if value else []
    if name in EITHER:
        return "anything"
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two shapes are not the same; empty lists and maps are like any."""
    if "anything" in (one, other) or [] in (one, other) or {"map of": "anything"} in (one, other):
        return []
    if isinstance(one, dict) and isinstance(other, dict):
        found = [f"{where}.{name}: only in one" for name in one.keys() ^ other.keys()]
        for name in one.keys() & other.keys():
            found += differences(one[name], other[name], f"{where}.{name}")
        return found
    if isinstance(one, list) and isinstance(other, list):
        return differences(one[0], other[0], f"{where}[]")
    return [] if one == other else [f"{where}: {one} and {other}"]


def test_it_answers_every_call_that_the_app_makes() -> None:
    package = Path(__file__).parents[2] / "tui" / "readhead_tui"
    sources = "\n".join(path.read_text("utf-8") for path in package.glob("*.py"))
    asked = {method for method in METHODS if f'call("{method}"' in sources}
    assert asked
    assert {method for method in asked if not hasattr(FakeEngine, f"_{method}")} == set()


@pytest.mark.slow
@pytest.mark.asyncio
async def test_its_answers_have_the_shapes_of_the_real_ones(tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "real")
    works, fake = Works(root, lambda _event, _given: None), FakeEngine()
    fake.attach(tmp_path, lambda _event, _given: None).start()
    source = ""
    try:
        for method, given in CALLS:
            real, parts = answered(works, method, filled(given, source))
            fake_parts: list[Any] = []
            told = await fake.call(method, on_part=fake_parts.append, **filled(given, source, tmp_path))
            assert differences(shape(real), shape(told), method) == []
            assert bool(parts) == bool(fake_parts), method
            assert differences(shape(parts), shape(fake_parts), f"{method}, part") == []
            if method == "candidates":
                source = real[0]["source"]
    finally:
        works.close()


def filled(given: dict[str, Any], source: str, folder: Path | None = None) -> dict[str, Any]:
    """What is given, with a program; a path is meant from the workspace, or from a folder."""
    found: dict[str, Any] = json.loads(json.dumps(given).replace('"SOURCE"', json.dumps(source)))
    return found | {"path": str(folder / found["path"])} if folder and "path" in found else found


def answered(works: Works, method: str, given: dict[str, Any]) -> tuple[Any, list[Any]]:
    """The real answer and its parts, as they come out of a socket."""
    parts: list[Any] = []
    answer = works.call(method, Job(lambda _: None, lambda _result, _error: None), parts.append, given)
    return through_json(answer), through_json(parts)


def test_a_revision_has_the_shape_of_the_real_one() -> None:
    program = parse("def head(s):\n    return s.first\n", name="program")
    revision = Revision(program, "another text", head=HeadId.parse(HEAD), iou=((0.1, 0.2), (0.1, 0.2)))
    _, told = FakeEngine()._refine(program.source, HEAD)
    assert shape(told) == shape(revision.as_dict())

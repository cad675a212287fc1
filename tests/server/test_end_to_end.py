"""The language server over stdio with the real engine, for a client that pulls diagnostics and one that gets pushes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp

from readhead.engine.results import text_stamp
from readhead.workspace import STATE
from server.conftest import SETTINGS
from server.editor import Editor, editor
from server.processes import engines_of
from server.programs import BAD, BROKEN, GOOD, METADATA

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio,
    pytest.mark.skipif(os.name != "posix", reason="the engine listens on a Unix socket"),
]

SCORE, RUN, SYNTAX = "readhead-score", "readhead-run", "readhead-syntax"
IOU_LENS = re.compile(
    r"L0H3 IoU 0\.\d{3} \([+-]0\.\d\d over (first-token|previous-token|self|uniform)\)"
    r" · rank \d+ of \d+ · perplexity [+-]\d+\.\d % \[-?\d+\.\d, -?\d+\.\d\]"
)


def codes(diagnostics: list[lsp.Diagnostic]) -> list[Any]:
    return [each.code for each in diagnostics]


async def test_findings_come_as_you_type_all_of_them_with_codes_and_the_version(program_file: Path) -> None:
    async with editor(program_file.parents[1]) as client:
        uri = client.open(program_file, GOOD)
        version = client.edit(uri, BROKEN)
        pushed = await client.until(
            lambda: [each for each in client.published(uri) if each.version == version],
            "findings of the second version",
        )
        found = pushed[0].diagnostics
        assert codes(list(found)) == ["RH222", "RH221", "RH221"]
        assert {each.source for each in found} == {SYNTAX}
        assert [(each.range.start.line, each.range.start.character) for each in found] == [(8, 10), (8, 16), (9, 19)]
        assert (await client.lenses(uri)) == ["not run: 3 findings"]
        version = client.edit(uri, GOOD)
        await client.until(lambda: client.published(uri)[-1].version == version, "the third version")
        assert client.diagnostics(uri, SYNTAX) == []


async def test_a_client_that_pulls_is_told_to_ask_again_and_gets_no_pushes(program_file: Path) -> None:
    async with editor(program_file.parents[1], pulls=True) as client:
        uri = client.open(program_file, BROKEN)
        report = await client.pull(uri)
        assert codes(report.items) == ["RH222", "RH221", "RH221"]
        again = await client.pull(uri, report.result_id)
        assert again.kind == "unchanged"
        assert again.result_id == report.result_id
        client.edit(uri, BAD)
        report = await client.pull(uri, report.result_id)
        assert [each for each in report.items if each.source == SYNTAX] == []
        client.save(uri)
        await client.settled(uri)
        assert list(client.told(lsp.WORKSPACE_DIAGNOSTIC_REFRESH))
        report = await client.pull(uri, report.result_id)
        assert SCORE in {each.source for each in report.items}
        assert client.published(uri) == []


@pytest.mark.parametrize(
    ("body", "line", "code", "message"),
    [
        ("    x = np.zeros(3)\n    return x[s.n + 7]\n", 8, "error", "IndexError"),
        ("    return np.ones((2, 2))\n", 7, "bad result", "shape"),
        pytest.param("    while True:\n        pass\n", 7, "time-out", "", marks=pytest.mark.slow),
    ],
    ids=["exception", "wrong shape", "time-out"],
)
async def test_what_goes_wrong_in_a_run_stands_on_its_line_with_the_text_that_did_it(
    program_file: Path, body: str, line: int, code: str, message: str
) -> None:
    async with editor(program_file.parents[1]) as client:
        uri = client.open(program_file, f"{METADATA}\ndef head(s):\n{body}")
        (found,) = await client.until(lambda: client.diagnostics(uri, RUN), "a failure")
        assert found.code == code
        assert message in found.message
        assert "16 of 16 texts" in found.message
        assert abs(found.range.start.line - line) <= (code == "time-out")
        assert found.related_information
        assert "dev text 0" in found.related_information[0].message
        assert found.related_information[0].location.uri.startswith("readhead://failures/")
        assert client.diagnostics(uri, SCORE) == []


async def test_a_program_below_the_floor_is_a_warning_on_its_head_with_its_worst_rows(program_file: Path) -> None:
    async with editor(program_file.parents[1]) as client:
        uri = client.open(program_file, BAD)
        (found,) = await client.until(
            lambda: [each for each in client.diagnostics(uri, SCORE) if "floor" in each.message], "a score"
        )
        assert "below the floor" in found.message
        assert found.severity == lsp.DiagnosticSeverity.Warning
        assert found.range.start.line == 7
        assert len(found.related_information or []) == 3
        assert found.data["stamp"] == text_stamp(BAD)


async def test_each_source_replaces_only_its_own_and_what_is_of_an_older_text_says_so(program_file: Path) -> None:
    async with editor(program_file.parents[1], scoreWhileTyping=False) as client:
        uri = client.open(program_file, BAD)
        await client.until(lambda: client.diagnostics(uri, SCORE), "a score")
        await client.settled(uri)
        # three lines more above, and a finding of its own: the old score would be on another line
        version = client.edit(uri, BAD.replace("def head", "# one\n# two\nNEAR = 3\ndef head"))
        await client.until(lambda: client.published(uri)[-1].version == version, "the second version")
        (score,) = client.diagnostics(uri, SCORE)
        assert score.message.startswith("stale: L0H3: IoU")
        assert score.range.start.line == 7 + 3
        assert score.data["stamp"] == text_stamp(BAD)
        client.save(uri)
        await client.until(lambda: "stale" not in client.diagnostics(uri, SCORE)[0].message, "a new score")
        assert client.diagnostics(uri, SYNTAX) == []
        version = client.edit(uri, BROKEN)
        await client.until(lambda: client.published(uri)[-1].version == version, "the third version")
        assert {each.source for each in client.diagnostics(uri)} == {SYNTAX}, "a program that cannot run has no score"


async def test_the_lens_tells_iou_lift_rank_and_perplexity_with_its_interval_and_when_it_is_stale(
    program_file: Path,
) -> None:
    async with editor(program_file.parents[1], scoreWhileTyping=False) as client:
        uri = client.open(program_file, GOOD)
        title = await client.settled(uri)
        assert IOU_LENS.fullmatch(title), title
        titles = await client.lenses(uri)
        assert "L0H3 is neural: flip" in titles
        client.edit(uri, BAD)
        assert f"stale: {title}" in await client.lenses(uri)
        client.edit(uri, GOOD)
        assert title in await client.lenses(uri), "the text that was measured is there again"


@pytest.mark.parametrize(("encodings", "width"), [([], 2), (["utf-8", "utf-16"], 4)], ids=["utf-16", "utf-8"])
async def test_columns_are_right_behind_an_emoji_in_the_units_agreed_on(
    program_file: Path, encodings: list[str], width: int
) -> None:
    finding = f'{METADATA}\ndef head(s):\n    return softmax(s.key.is_one_of({{"😀"}}) + bar)\n'
    hint = f'{METADATA}\ndef head(s):\n    return softmax(0.5 * s.key.is_one_of({{"😀"}}) + 6.7 * s.decay(12))\n'
    async with editor(program_file.parents[1], encodings=encodings) as client:
        uri = client.open(program_file, finding)
        (found,) = await client.until(lambda: client.diagnostics(uri, SYNTAX), "a finding")
        line = finding.splitlines()[8 - 1]
        place = line.index("bar") - 1 + width
        assert found.range == lsp.Range(lsp.Position(7, place), lsp.Position(7, place + 3))
        client.edit(uri, hint)
        client.save(uri)
        await client.settled(uri)
        hints = await client.hints(uri)
        line = hint.splitlines()[7]
        wanted = [line.index(" + 6.7") - 1 + width, line.index("s.decay(12)") + len("s.decay(12)") - 1 + width]
        assert [each.position.character for each in hints] == wanted
        assert re.fullmatch(r"−0\.\d\d", str(hints[1].label))
        client.edit(uri, hint.replace("6.7", "6.8"))
        assert await client.hints(uri) == [], "places in another text mean nothing"


async def test_a_python_file_that_is_none_of_ours_is_left_alone(shared_workspace: Path, tmp_path: Path) -> None:
    foreign = [shared_workspace / "setup.py", tmp_path / "elsewhere.py", shared_workspace / "programs" / "notes.txt"]
    async with editor(shared_workspace) as client:
        for path in foreign:
            uri = client.open(path, BROKEN.replace("tool.readhead", "tool.other"))
            client.edit(uri, "import os\n")
            client.save(uri)
            assert await client.lenses(uri) == []
            assert await client.hints(uri) == []
            client.close(uri)
        mine = client.open(shared_workspace / "marked.py", BROKEN)  # metadata make it ours wherever it lies
        await client.until(lambda: client.diagnostics(mine), "findings of a file with metadata")
        for path in foreign:
            assert client.published(path.as_uri()) == []


@pytest.mark.slow
async def test_an_untrusted_workspace_gets_findings_and_no_engine(own_workspace: Path) -> None:
    async with editor(own_workspace, trusted=False) as client:
        uri = client.open(own_workspace / "programs" / "one.py", BROKEN)
        await client.until(lambda: len(client.diagnostics(uri, SYNTAX)) == 3, "findings")
        version = client.edit(uri, GOOD)
        client.save(uri)
        await client.until(lambda: client.published(uri)[-1].version == version, "the second version")
        (title,) = await client.lenses(uri)
        assert "not trusted" in title
        assert engines_of(own_workspace) == []
    assert not (own_workspace / STATE).exists(), "nothing was written either"


@pytest.mark.slow
async def test_several_workspaces_are_served_at_once_each_by_its_own_engine(
    program_file: Path, own_workspace: Path
) -> None:
    (own_workspace / "readhead.toml").write_text(SETTINGS.replace("length = 24", "length = 16"), "utf-8")
    async with editor(program_file.parents[1]) as client:
        one = client.open(program_file, GOOD)
        other = client.open(own_workspace / "programs" / "one.py", GOOD)
        first = await client.settled(one)
        second = await client.settled(other)
        assert first.split(" (")[0] != second.split(" (")[0], "another length, another IoU"
        assert len(engines_of(program_file.parents[1])) == len(engines_of(own_workspace)) == 1
        client.close(other)
        await client.until(lambda: client.diagnostics(other) == [], "its diagnostics taken back")


@pytest.mark.parametrize("edits", [200])
async def test_no_message_is_about_an_older_text_than_its_version_and_nothing_stays_in_progress(
    program_file: Path, edits: int
) -> None:
    """Fast edits with saves between them; every second text has a finding or is measured."""
    async with editor(program_file.parents[1], pause=0.01) as client:
        uri = client.open(program_file, GOOD)
        for number in range(edits):
            client.edit(uri, BROKEN if number % 5 == 4 else GOOD.replace("0.67", f"0.{number:03}"))
            if number % 3 == 0:
                client.save(uri)
            if number % 7 == 0:
                await client.lenses(uri)  # and the loop of this client gets to hear what was told
        client.edit(uri, BAD)
        client.save(uri)
        await client.settled(uri)
        await client.until(lambda: not client.busy, "an engine without work for us")
        assert_every_message_is_of_its_version(client, uri)
        assert [each.message.split(":")[0] for each in client.diagnostics(uri, SCORE) if not each.tags] == ["L0H3"]
        versions = [each.version or 0 for each in client.published(uri)]
        assert versions == sorted(versions)
        assert versions[-1] == edits + 2
        told = [each for each in client.told("readhead/scored") if each.uri == uri]
        assert told[-1].stamp == text_stamp(BAD)
        assert list(client.told("readhead/error")) == []


def assert_every_message_is_of_its_version(client: Editor, uri: str) -> None:
    """Findings are those of the version's text; a figure is of that text, or says that it is stale."""
    for params in client.published(uri):
        text = client.texts[uri, params.version or 0]
        syntax = [each.code for each in params.diagnostics if each.source == SYNTAX]
        assert syntax == (["RH222", "RH221", "RH221"] if text == BROKEN else []), params.version
        for each in params.diagnostics:
            if each.source != SYNTAX:
                is_current = each.data["stamp"] == text_stamp(text)
                assert is_current != each.message.startswith("stale: "), (params.version, each.message)
                assert text != BROKEN

"""Fit, pick, refine, record and create: in the client's sight, stopped on demand, applied to the right text only."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp

from readhead.engine.client import EngineError
from readhead_server import working
from readhead_server.convert import Units
from readhead_server.documents import Document
from readhead_server.long_actions import code_actions, constant_at, free_path, in_place_of
from server.wire import PROGRAM, Client, FakeEngine, Refused, talk

Answers = dict[str, Any]

NEW = PROGRAM.replace("-1.5 *", "-2.5 *")
FITTED = {
    "source": NEW, "kept": None, "changes": [{"line": 11, "old": -1.5, "new": -2.5}],
    "fit": {"before": 0.5, "after": 0.6}, "dev": {"before": 0.5, "after": 0.61},
}  # fmt: skip
FRONT = [
    {"source": PROGRAM.replace("L0H1", "L1H0"), "terms": 1, "lines": 1, "iou": 0.3, "chosen": False},
    {"source": NEW.replace("L0H1", "L1H0"), "terms": 2, "lines": 2, "iou": 0.6, "chosen": True},
]
REFINED = {"source": NEW, "changed": True, "kept": None, "notes": [], "fit": {"before": 0.5, "after": 0.7},
           "dev": {"before": 0.5, "after": 0.65}}  # fmt: skip

EDITS = {"workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True, "resourceOperations": ["create"]}}}
CONFIRMS = {"workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True, "changeAnnotationSupport": {}}}}
PROGRESS = {**EDITS, "window": {"workDoneProgress": True}}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "_QUIET_S", 0.0)


def document(source: str = PROGRAM) -> Document:
    return Document("file:///w/near.py", 1, source, Path("/w/near.py"), Path("/w"), Units())


def at(source: str, text: str) -> lsp.Range:
    before = source[: source.index(text)]
    place = lsp.Position(before.count("\n"), len(before) - before.rfind("\n") - 1)
    return lsp.Range(place, place)


def accepts(client: Client) -> None:
    client.handlers["workspace/applyEdit"] = lambda _: {"applied": True}


def edits_of(client: Client) -> list[Any]:
    return [params["edit"] for params in client.messages("workspace/applyEdit")]


# ---- what is offered -------------------------------------------------------------------------------------------------


def test_actions_name_all_heads_and_the_number_under_the_cursor() -> None:
    titles = [action.title for action in code_actions(document(), at(PROGRAM, "0.5 *"), None)]
    assert titles == [
        "Fit all 2 constants to L0H1",
        "Fit only 0.5 to L0H1",
        "Pick a program for L0H1 by size and IoU",
        "Refine for L0H1 with Ollama",
        "Record the scores in the metadata",
    ]


def test_a_place_without_a_number_offers_all_constants_only() -> None:
    titles = [action.title for action in code_actions(document(), at(PROGRAM, "softmax"), None)]
    assert not any("Fit only" in title for title in titles)


def test_nothing_is_offered_for_a_text_with_findings_or_where_other_kinds_are_asked_for() -> None:
    nowhere = at(PROGRAM, "def")
    assert code_actions(document("import os\n" + PROGRAM), nowhere, None) == []
    assert code_actions(document(), nowhere, ["quickfix"]) == []
    assert code_actions(document(), nowhere, ["refactor"]) != []


def test_a_constant_is_found_behind_an_emoji_and_right_after_its_last_digit() -> None:
    source = PROGRAM.replace("-1.5 * s.distance", '-1.5 * s.key.is_one_of({"🙂"})')
    line = next(row for row, text in enumerate(source.split("\n")) if "🙂" in text)
    text = source.split("\n")[line]
    units = len(text[: text.index("0.5")].encode("utf-16-le")) // 2
    found = constant_at(document(source), lsp.Position(line, units + 3))
    assert found is not None
    assert found.value == 0.5


def test_another_program_takes_over_the_metadata_without_its_scores() -> None:
    recorded = PROGRAM.replace("# ///\n\n\ndef", "#\n# [tool.readhead.recorded]\n# model = 'm'\n# ///\n\n\ndef")
    assert "recorded" in recorded
    assert in_place_of(document(recorded), FRONT[1]["source"]) == NEW


def test_a_new_file_takes_the_first_name_that_is_free(tmp_path: Path) -> None:
    assert free_path(tmp_path, "L0H1").name == "L0H1.py"
    (tmp_path / "L0H1.py").touch()
    (tmp_path / "L0H1_2.py").symlink_to(tmp_path / "nowhere")
    assert free_path(tmp_path, "L0H1").name == "L0H1_3.py"


# ---- what they do ----------------------------------------------------------------------------------------------------


def test_a_fit_is_applied_as_an_edit_of_the_version_that_was_fitted(
    file: Path, answers: Answers, engines: list[FakeEngine]
) -> None:
    answers["fit"] = FITTED

    async def work(client: Client) -> None:
        accepts(client)
        found = await client.command("readhead.fit", client.open(file, version=4))
        assert found == {
            "source": NEW,
            "applied": True,
            "told": "1 constants moved, IoU 0.500 → 0.610 (dev)",
            "path": "",
        }
        (change,) = edits_of(client)[0]["documentChanges"]
        assert change["textDocument"]["version"] == 4
        assert [each["newText"] for each in change["edits"]] == ["2"]
        assert "only" not in engines[0].asked("fit")[0]

    talk(work, EDITS)


def test_only_the_number_under_the_cursor_is_fitted(file: Path, answers: Answers, engines: list[FakeEngine]) -> None:
    answers["fit"] = FITTED

    async def work(client: Client) -> None:
        place = at(PROGRAM, "0.5 *").start
        await client.command("readhead.fit", client.open(file), {"line": place.line, "character": place.character})
        (given,) = engines[0].asked("fit")
        assert PROGRAM.encode()[given["only"][0] :].startswith(b"0.5 *")

    talk(work)


def test_a_document_that_changes_meanwhile_is_left_alone_and_that_is_told(file: Path, answers: Answers) -> None:
    async def work(client: Client) -> None:
        accepts(client)
        uri = client.open(file)

        def fit(**_: Any) -> Any:
            client.change(uri, PROGRAM + "# more\n", 2)
            return FITTED

        answers["fit"] = fit
        found = await client.command("readhead.fit", uri)
        assert found["applied"] is False
        assert edits_of(client) == []
        assert client.shown == ["Fit near: near.py was changed meanwhile; nothing is applied"]

    talk(work, EDITS)


def test_what_was_kept_is_told_and_edits_nothing(file: Path, answers: Answers) -> None:
    answers["fit"] = FITTED | {"source": PROGRAM, "kept": "nothing better was found", "changes": []}

    async def work(client: Client) -> None:
        accepts(client)
        await client.command("readhead.fit", client.open(file))
        assert edits_of(client) == []
        assert client.shown == ["Fit near: kept as it was: nothing better was found"]

    talk(work, EDITS)


def test_an_error_of_the_engine_is_one_message_with_its_cure(file: Path, answers: Answers) -> None:
    answers["fit"] = EngineError("RH100", "nothing is free", "mark a literal")

    async def work(client: Client) -> None:
        assert await client.command("readhead.fit", client.open(file)) is None

    assert talk(work, PROGRESS).shown == ["Fit near: nothing is free\nmark a literal"]


def test_a_front_is_a_preview_and_one_of_it_is_picked_by_size_or_by_the_user(file: Path, answers: Answers) -> None:
    answers["front"] = FRONT

    async def work(client: Client) -> None:
        accepts(client)
        uri = client.open(file)
        rows = await client.command("readhead.front", uri, "L0H1")
        assert [(row["terms"], row["iou"]) for row in rows] == [(1, 0.3), (2, 0.6)]
        assert rows[1]["source"] == NEW
        assert edits_of(client) == []
        assert (await client.command("readhead.pick", uri, "L0H1", 2))["source"] == NEW
        client.handlers["window/showMessageRequest"] = lambda params: params["actions"][1]
        assert (await client.command("readhead.pick", uri, "L0H1"))["told"] == "2 terms, IoU 0.600, worth its size"
        assert len(edits_of(client)) == 2
        client.handlers["window/showMessageRequest"] = lambda _: None
        assert await client.command("readhead.pick", uri, "L0H1") is None
        await client.command("readhead.pick", uri, "L0H1", 5)
        assert client.shown[-1] == "Program for L0H1: there is none of 5 terms\nthere are those of 1, 2"

    talk(work, EDITS)


def test_a_refinement_waits_for_the_users_confirmation_in_the_edit(file: Path, answers: Answers) -> None:
    answers["refine"] = REFINED

    async def work(client: Client) -> None:
        accepts(client)
        await client.command("readhead.refine", client.open(file), "L0H1")
        (annotation,) = edits_of(client)[0]["changeAnnotations"].values()
        assert annotation["needsConfirmation"] is True
        assert "0.500 → 0.650 (dev)" in annotation["label"]
        assert client.messages("window/showMessageRequest") == []

    talk(work, CONFIRMS)


@pytest.mark.parametrize(("reason", "told"), [({}, []), ({"failureReason": "read-only"}, ["read-only"])])
def test_a_refinement_that_is_declined_in_the_edit_is_no_failure(
    file: Path, answers: Answers, reason: dict[str, str], told: list[str]
) -> None:
    answers["refine"] = REFINED

    async def work(client: Client) -> None:
        client.handlers["workspace/applyEdit"] = lambda _: {"applied": False, **reason}
        found = await client.command("readhead.refine", client.open(file), "L0H1")
        assert found["applied"] is False
        worth, *failures = client.shown
        assert "0.500 → 0.650 (dev)" in worth
        assert [message.rpartition(": ")[2] for message in failures] == told

    talk(work, CONFIRMS)


def test_commands_on_a_document_that_is_closed_say_so(file: Path) -> None:
    async def work(client: Client) -> None:
        uri = file.as_uri()
        for command, *arguments in (
            ("readhead.flip", "L0H1"), ("readhead.setBest", "L0H1"), ("readhead.score",), ("readhead.why",)
        ):  # fmt: skip
            await client.command(command, uri, *arguments)
            assert client.shown[-1] == f"{uri} is no open program of a workspace", command
        assert len(client.shown) == 4

    talk(work, EDITS)


def test_the_lens_of_findings_tells_the_first(file: Path) -> None:
    async def work(client: Client) -> None:
        uri = client.open(file, PROGRAM.replace("s.first", "s.frist"))
        await client.command("readhead.why", uri)
        assert "did you mean s.first?" in client.shown[-1]

    talk(work, EDITS)


@pytest.mark.parametrize(("answer", "edited"), [({"title": "Accept"}, 1), ({"title": "Decline"}, 0), (None, 0)])
def test_where_edits_cannot_ask_a_message_asks(
    file: Path, answers: Answers, answer: dict[str, str] | None, edited: int
) -> None:
    answers["refine"] = REFINED

    async def work(client: Client) -> None:
        accepts(client)
        client.handlers["window/showMessageRequest"] = lambda _: answer
        found = await client.command("readhead.refine", client.open(file), "L0H1")
        assert found["applied"] is bool(edited)
        assert len(edits_of(client)) == edited

    talk(work, EDITS)


def test_a_change_while_the_user_is_asked_counts_too(file: Path, answers: Answers) -> None:
    answers["refine"] = REFINED

    async def work(client: Client) -> None:
        accepts(client)
        uri = client.open(file)

        def accept_after_a_change(_: Any) -> dict[str, str]:
            client.change(uri, PROGRAM + "# more\n", 2)
            return {"title": "Accept"}

        client.handlers["window/showMessageRequest"] = accept_after_a_change
        assert (await client.command("readhead.refine", uri, "L0H1"))["applied"] is False
        assert edits_of(client) == []

    talk(work, EDITS)


def test_scores_are_recorded_as_an_edit(file: Path, answers: Answers) -> None:
    text = PROGRAM.replace("# ///\n\n", "# [tool.readhead.recorded]\n# ///\n\n")
    answers["record"] = {"source": text, "scores": [{"head": "L0H1", "iou": 0.51, "trivial_iou": 0.3}]}

    async def work(client: Client) -> None:
        accepts(client)
        found = await client.command("readhead.record", client.open(file))
        assert (found["applied"], found["told"]) == (True, "L0H1 IoU 0.510 (held-out)")
        (change,) = edits_of(client)[0]["documentChanges"]
        assert [each["newText"] for each in change["edits"]] == ["# [tool.readhead.recorded]\n"]

    talk(work, EDITS)


def test_a_new_program_is_a_file_beside_those_that_are_there(file: Path, answers: Answers) -> None:
    answers["front"] = FRONT
    (file.parent / "L1H0.py").touch()

    async def work(client: Client) -> None:
        accepts(client)
        found = await client.command("readhead.create", client.open(file), "L1H0")
        assert found["path"] == str(file.with_name("L1H0_2.py"))
        make, fill = edits_of(client)[0]["documentChanges"]
        assert (make["kind"], make["options"]) == ("create", {"overwrite": False, "ignoreIfExists": False})
        assert fill["edits"][0]["newText"] == FRONT[1]["source"]

    talk(work, EDITS)


def test_a_client_that_applies_no_edits_has_the_text_in_the_answer(file: Path, answers: Answers) -> None:
    answers.update(front=FRONT, fit=FITTED)

    async def work(client: Client) -> None:
        uri = client.open(file)
        for command, arguments in (("fit", [uri]), ("create", [uri, "L1H0"]), ("pick", [uri, "L0H1", 2])):
            found = await client.command(f"readhead.{command}", *arguments)
            assert (found["applied"], bool(found["source"])) == (False, True)

    assert talk(work).messages("workspace/applyEdit") == []


# ---- in the client's sight -------------------------------------------------------------------------------------------


def progress_of(client: Client) -> list[str]:
    return [params["value"]["kind"] for params in client.messages("$/progress")]


def test_long_work_begins_reports_what_the_engine_says_and_ends(
    file: Path, answers: Answers, engines: list[FakeEngine]
) -> None:
    async def work(client: Client) -> None:
        accepts(client)
        client.handlers["window/workDoneProgress/create"] = lambda _: None

        async def fit(**_: Any) -> Any:
            await client.until(lambda: progress_of(client))
            engines[0].tell("progress", {"stage": "fit", "done": 2, "total": 8})
            engines[0].tell("progress", {"stage": "score", "done": 1, "total": 2})
            return FITTED

        answers["fit"] = fit
        await client.command("readhead.fit", client.open(file))
        assert progress_of(client) == ["begin", "report", "end"]
        report = client.messages("$/progress")[1]["value"]
        assert (report["message"], report["percentage"]) == ("2 of 8", 25)
        assert client.server.work_done_progress.tokens == {}

    talk(work, PROGRESS)


def test_a_cancel_stops_the_engines_work_ends_the_progress_and_says_nothing(
    file: Path, answers: Answers, engines: list[FakeEngine]
) -> None:
    answers["fit"] = lambda **_: asyncio.sleep(60)

    async def work(client: Client) -> None:
        client.handlers["window/workDoneProgress/create"] = lambda _: None
        task = asyncio.create_task(client.command("readhead.fit", client.open(file)))
        await client.until(lambda: progress_of(client))
        client.notify("window/workDoneProgress/cancel", {"token": client.messages("$/progress")[0]["token"]})
        assert await task is None
        assert engines[0].cancelled == ["fit"]
        assert progress_of(client) == ["begin", "end"]
        assert client.shown == []

    talk(work, PROGRESS)


def test_cancelling_the_commands_request_stops_the_engines_work_too(
    file: Path, answers: Answers, engines: list[FakeEngine]
) -> None:
    answers["fit"] = lambda **_: asyncio.sleep(60)

    async def work(client: Client) -> None:
        client.handlers["window/workDoneProgress/create"] = lambda _: None
        task = asyncio.create_task(client.command("readhead.fit", client.open(file)))
        await client.until(lambda: progress_of(client))
        client.notify("$/cancelRequest", {"id": client.last_id})
        with pytest.raises(Refused):
            await task
        await client.until(lambda: engines[0].cancelled)
        assert progress_of(client) == ["begin", "end"]
        assert client.shown == []

    talk(work, PROGRESS)


def test_an_edit_that_the_editor_refuses_is_told(file: Path, answers: Answers) -> None:
    answers["fit"] = FITTED

    async def work(client: Client) -> None:
        uri = client.open(file)
        assert (await client.command("readhead.fit", uri))["applied"] is False
        client.handlers["workspace/applyEdit"] = lambda _: {"applied": False, "failureReason": "read-only"}
        assert (await client.command("readhead.fit", uri))["applied"] is False
        assert [message.rpartition(": ")[2] for message in client.shown] == ["it gives no reason", "read-only"]

    talk(work, EDITS)


def test_an_error_ends_the_progress(file: Path, answers: Answers) -> None:
    async def work(client: Client) -> None:
        client.handlers["window/workDoneProgress/create"] = lambda _: None

        async def fit(**_: Any) -> Any:
            await client.until(lambda: progress_of(client))
            return EngineError("RH100", "it failed", "")

        answers["fit"] = fit
        await client.command("readhead.fit", client.open(file))
        assert progress_of(client) == ["begin", "end"]

    talk(work, PROGRESS)


def test_a_client_that_makes_no_room_for_progress_gets_the_result_all_the_same(file: Path, answers: Answers) -> None:
    async def work(client: Client) -> None:
        hangs = asyncio.Event()
        client.handlers["window/workDoneProgress/create"] = lambda _: hangs.wait()

        async def fit(**_: Any) -> Any:
            await client.until(lambda: client.messages("window/workDoneProgress/create"))
            return FITTED

        answers["fit"] = fit
        assert (await client.command("readhead.fit", client.open(file)))["source"] == NEW
        hangs.set()  # the answer comes when nobody waits for it any more
        await asyncio.sleep(0.01)
        assert progress_of(client) == []
        assert [message for message in client.shown if "Error" in message] == []

    talk(work, {"window": {"workDoneProgress": True}})


def test_short_work_shows_no_progress(file: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "_QUIET_S", 5.0)
    answers["fit"] = FITTED

    async def work(client: Client) -> None:
        await client.command("readhead.fit", client.open(file))
        assert client.messages("window/workDoneProgress/create") == []

    talk(work, PROGRESS)


def test_work_that_goes_on_does_not_keep_the_server_from_ending(file: Path, answers: Answers) -> None:
    answers["fit"] = lambda **_: asyncio.sleep(60)

    async def work(client: Client) -> None:
        client.handlers["window/workDoneProgress/create"] = lambda _: None
        task = asyncio.create_task(client.command("readhead.fit", client.open(file)))
        await client.until(lambda: progress_of(client))
        assert await client.request("shutdown") is None
        with pytest.raises(Refused):
            await task
        await client.until(lambda: progress_of(client) == ["begin", "end"])

    talk(work, PROGRESS)

"""A language model renames and refines a program: only the same behaviour, or a better one, is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.conftest import Ran
from core.planted_patterns import plant_patterns, stories
from ollama_stand_in import Reply, StandIn
from readhead.corpus import Sizes
from readhead.errors import OllamaError, ProgramError, UsageError
from readhead.heads import HeadId
from readhead.program import Program, parse, read_program
from readhead.sandbox import Sandbox
from readhead.settings import OllamaSettings
from readhead.synthesis.ollama import schedule
from readhead.synthesis.ollama.prompts import Prompts
from readhead.synthesis.ollama.revise import refine_program, rename_programs
from readhead.synthesis.ollama.run import Desk, Drafting
from readhead.workspace import Workspace

HEAD = HeadId(0, 0)
METADATA = """# /// script
# [tool.readhead]
# heads = ["L0H0", "L3H2"]
# category = "boundaries"
#
# [tool.readhead.recorded]
# model = "bundled"
# ///
"""
PROGRAM = f'''"""Looks at things."""

{METADATA}
from readhead.language import Sentence, softmax


def head(s: Sentence):
    a = 3.0 * s.previous(1)
    return softmax(a + 1.0 * s.key.is_comma)
'''

pytestmark = pytest.mark.slow


def reply(code: str, explanation: str = "Looks at the token before, and at commas.") -> str:
    return json.dumps({"programs": [{"explanation": explanation, "code": code}]})


class Served:
    """A desk whose language model says what a test puts into `says`."""

    def __init__(self, folder: Path) -> None:
        self.says: Callable[[str], str | Reply] = lambda _: ""
        corpus = stories(Sizes(fit=6, dev=4, held_out=2, length=24))
        target = plant_patterns(
            folder / "patterns.f16", corpus, {"L0H0": lambda s: 4.0 * s.previous(1) + 2.0 * s.key.is_comma}
        )
        models = {"coder": {"context_length": 32768}}
        self.server = StandIn(lambda request: self.says(request.messages[-1]["content"]), models)
        self.server.start()
        settings = OllamaSettings(model="coder", host=self.server.url)
        self.sandbox = Sandbox()
        self.desk = Desk(target, settings, Workspace.open(folder), self.sandbox, Prompts.load())

    def close(self) -> None:
        self.desk.workspace.close()
        self.sandbox.close()
        self.server.stop()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    held = Served(tmp_path)
    yield held
    held.close()


def rename(served: Served, code: str, source: str = PROGRAM) -> tuple[Program, str, str]:
    served.says = lambda _: reply(code)
    (revision,) = rename_programs(served.desk, [parse(source, name="mine")])
    return revision.program, revision.source, revision.kept


BETTER = """def head(s: Sentence):
    just_before = 3.0 * s.previous(1)
    return softmax(just_before + 1.0 * s.key.is_comma)"""


def test_better_names_are_accepted_and_metadata_stays_word_for_word(served: Served) -> None:
    _, source, kept = rename(served, BETTER)
    assert kept == ""
    assert "just_before" in source
    assert METADATA in source
    renamed = parse(source)
    assert renamed.explanation == "Looks at the token before, and at commas."
    assert renamed.metadata == parse(PROGRAM).metadata
    assert not renamed.findings


def test_a_program_without_metadata_gets_none(served: Served) -> None:
    _, source, _ = rename(served, BETTER, PROGRAM.replace(METADATA, ""))
    assert "/// script" not in source


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (BETTER.replace("3.0", "3.01"), "predicts something else"),
        (BETTER.replace("is_comma", "is_comet"), "fails"),
        ("def head(s:\n    return", "no program"),
        (BETTER + "\nimport os", "fails"),
        (BETTER.replace("head(", "heads("), "no program"),
    ],
)
def test_what_does_not_behave_the_same_is_refused_with_the_reason(served: Served, code: str, why: str) -> None:
    program, source, kept = rename(served, code)
    assert source == program.source
    assert why in kept


def test_the_prompt_shows_the_program_without_the_names_of_its_heads(served: Served) -> None:
    rename(served, BETTER)
    (chat,) = served.server.chats
    assert "a = 3.0 * s.previous(1)" in chat.messages[-1]["content"]
    assert not any("L3H2" in message["content"] for message in chat.messages)


NAMED = PROGRAM.replace('"Looks at things."', '"L3H2 of Bundled looks at things."').replace(
    "    a = 3.0", "    # layer 3, head 2 of bundled\n    a = 3.0"
)


def test_the_prompt_names_neither_model_nor_head_and_comments_that_do_come_back(served: Served) -> None:
    served.says = lambda _: reply(BETTER.replace("    just", "    # layer it, head it of it\n    just", 1))
    (revision,) = rename_programs(served.desk, [parse(NAMED, name="mine")], model="bundled")
    (chat,) = served.server.chats
    shown = chat.messages[-1]["content"].partition("# A program")[2].lower()
    assert not any(name in shown for name in ("l3h2", "bundled", "layer 3", "head 2"))
    assert revision.kept == ""
    assert "    # layer 3, head 2 of bundled\n    just_before" in revision.source


def test_a_revision_that_loses_a_comment_is_refused(served: Served) -> None:
    _, source, kept = rename(served, BETTER, NAMED)
    assert source == NAMED
    assert "lost a comment: # layer 3, head 2 of bundled" in kept


def test_a_new_explanation_alone_is_told_as_that(served: Served) -> None:
    code = PROGRAM.partition("softmax\n\n\n")[2]
    served.says = lambda _: reply(code)
    (revision,) = rename_programs(served.desk, [parse(PROGRAM)])
    assert revision.is_changed
    assert revision.outcome == "new explanation; names as they were; it predicts the same"
    served.says = lambda _: reply(code, "Looks at other things.")
    (revision,) = rename_programs(served.desk, [parse(PROGRAM.replace("at things", "at other things"))])
    assert revision.outcome == "kept as it was: neither its names nor its explanation changed"


ALWAYS = PROGRAM.replace("s.previous(1)", "s.nothing")
SOMETIMES = PROGRAM.replace("    a =", "    b = 1 / (s.tokens[3] != {!r})\n    a =")


def test_a_program_that_fails_is_refused_before_anything_is_asked(served: Served) -> None:
    fourth = SOMETIMES.format(served.desk.target.corpus["fit"][1].text.surfaces[3].strip())
    with pytest.raises(ProgramError, match=r"program, line 16: .*nothing") as caught:
        rename_programs(served.desk, [parse(ALWAYS)])
    assert caught.value.hint
    with pytest.raises(ProgramError, match="program, line 16: "):
        refine_program(served.desk, parse(fourth), HEAD, ONE_ROUND)
    assert not served.server.chats


def test_a_program_is_refined_in_a_round_or_more(served: Served) -> None:
    with pytest.raises(UsageError, match="in a round or more"):
        refine_program(served.desk, parse(PROGRAM), HEAD, Drafting(rounds=0))


def test_an_answer_is_asked_for_once_and_a_changed_program_anew(served: Served) -> None:
    rename(served, BETTER)
    rename(served, BETTER)
    assert len(served.server.chats) == 1
    rename(served, BETTER.replace("3.0", "2.0"), PROGRAM.replace("3.0", "2.0"))
    assert len(served.server.chats) == 2


def test_a_program_with_findings_is_told_before_anything_is_asked(served: Served) -> None:
    with pytest.raises(ProgramError, match="RH201"):
        rename_programs(served.desk, [parse("def head(")])
    assert not served.server.chats


def test_a_server_that_fails_is_told(served: Served) -> None:
    served.says = lambda _: Reply(status=500)
    with pytest.raises(OllamaError, match="runner"):
        rename_programs(served.desk, [parse(PROGRAM)])


ONE_ROUND = Drafting(rounds=1, width=1)


def refine(served: Served, *codes: str) -> tuple[str, str, tuple[tuple[float, float], ...]]:
    drafts = [{"explanation": "closer", "code": code} for code in codes]
    served.says = lambda _: json.dumps({"programs": drafts})
    revision, _ = refine_program(served.desk, parse(PROGRAM), HEAD, ONE_ROUND)
    return revision.source, revision.kept, revision.iou


def test_a_closer_revision_is_taken_with_its_constants_fitted_and_without_the_old_record(served: Served) -> None:
    source, kept, ((fit, fit_after), (dev, dev_after)) = refine(
        served, "def head(s):\n    return softmax(3.5 * s.previous(1) + 1.5 * s.key.is_comma)"
    )
    assert kept == ""
    assert fit_after > max(fit, 0.99)
    assert dev_after > dev
    program = parse(source)
    assert program.metadata.heads == parse(PROGRAM).metadata.heads
    assert program.metadata.recorded is None
    assert program.explanation == "closer"
    (chat,) = served.server.chats
    prompt = chat.messages[-1]["content"]
    assert "real:" in prompt
    assert "program:" in prompt
    assert "a = 3.0 * s.previous(1)" in prompt
    assert "L3H2" not in prompt


def test_a_worse_revision_leaves_the_program_as_it_was(served: Served) -> None:
    source, kept, _ = refine(served, "def head(s):\n    return softmax(3 * s.previous(1) + 1 * s.itself)")
    assert source == PROGRAM
    assert "no revision is closer" in kept


def test_a_refused_revision_leaves_the_program_as_it_was(served: Served) -> None:
    source, kept, figures = refine(served, "import os\ndef head(s):\n    return s.first")
    assert source == PROGRAM
    assert "nothing that was answered can be used" in kept
    assert figures == ()


@pytest.fixture
def home(workspace: Path, served: Served) -> Path:
    """A workspace that names the server."""
    with (workspace / "readhead.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'\n[ollama]\nmodel = "coder"\nhost = "{served.server.url}"\n')
    return workspace


def files(home: Path, *heads: str) -> list[Path]:
    """Programs for these heads that are far from what they do."""
    paths = [home / "programs" / f"of_{head}.py" for head in heads]
    for path, head in zip(paths, heads, strict=True):
        path.write_text(f"# \x1b[2J{head}\ndef head(s):\n    return s.first * s.itself\n", "utf-8")
        path.write_text(METADATA.replace('"L0H0", "L3H2"', f'"{head}"') + path.read_text("utf-8"), "utf-8")
    return paths


CLOSER = reply("def head(s):\n    return s.every\n", "everywhere")


@pytest.mark.usefixtures("few_programs")
@pytest.mark.parametrize("fails", ["server", "file"])
def test_what_was_refined_before_a_failure_is_written_and_told(
    home: Path, run: Callable[..., Ran], served: Served, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_PAUSE_S", 0.0)
    first, second, third = files(home, "L0H0", "L0H1", "L1H0")
    if fails == "file":
        second.write_text(second.read_text("utf-8").replace("s.first", "s.nothing"), "utf-8")
    answers = iter([CLOSER])
    served.says = lambda _: next(answers, Reply(status=500))
    ran = run("refine", first, second, third, "--rounds", "1", "--json")
    assert ran.status == 2
    (row,) = ran.document["programs"]
    assert row["written"]
    assert read_program(first).explanation == "everywhere"
    assert ran.document["unreached"] == [str(second), str(third)]
    assert ("runner" if fails == "server" else "of_L0H1.py, line") in ran.err
    assert ran.err.splitlines()[-1].startswith("  ")


@pytest.mark.usefixtures("few_programs")
def test_a_server_that_fails_in_a_later_round_is_told_though_a_revision_is_written(
    home: Path, run: Callable[..., Ran], served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_PAUSE_S", 0.0)
    (path,) = files(home, "L0H0")
    answers = iter([CLOSER])
    served.says = lambda _: next(answers, Reply(status=500))
    ran = run("refine", path, "--rounds", "2", "--dry-run")
    assert ran.status == 2
    assert "+    return s.every" in ran.out
    assert "\x1b" not in ran.out
    assert "\\x1b[2JL0H0" in ran.out
    assert ran.err.startswith("readhead: Ollama refuses")


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(("flag", "told"), [("--candidates=3", "--candidates"), ("--rounds=0", "--rounds")])
def test_flags_that_say_nothing_to_refine_are_refused(
    home: Path, run: Callable[..., Ran], flag: str, told: str
) -> None:
    assert told in run("refine", *files(home, "L0H0"), flag).complaint


@pytest.mark.slow
@pytest.mark.usefixtures("few_programs")
def test_both_commands_write_the_file_or_only_show_it(workspace: Path, run: Callable[..., Ran], served: Served) -> None:
    settings = workspace / "readhead.toml"
    ollama = f'\n[ollama]\nmodel = "coder"\nhost = "{served.server.url}"\n'
    settings.write_text(settings.read_text("utf-8") + ollama, "utf-8")
    path = workspace / "programs" / "mine.py"
    path.write_text(PROGRAM.replace('"L3H2"', '"L1H0"'), "utf-8")
    before = path.read_text("utf-8")
    served.says = lambda _: reply(BETTER)
    shown = run("rename", path, "--dry-run")
    assert "just_before" in shown.out
    assert path.read_text("utf-8") == before
    (row,) = run("rename", path, "--json").document["programs"]
    assert row["written"]
    assert "just_before" in path.read_text("utf-8")
    assert len(served.server.chats) == 1
    served.says = lambda _: reply("def head(s):\n    return softmax(-0.7 * s.distance)", "nearby")
    (row,) = run("refine", path, "--rounds", "1", "--json").document["programs"]
    assert row["head"] == "L0H0"
    assert (row["kept"] is None) == row["written"]
    assert row["ollama"]["found"] == row["ollama"]["kept"] + sum(row["ollama"]["dropped"].values())
    assert read_program(path).explanation == (
        "nearby" if row["written"] else "Looks at the token before, and at commas."
    )

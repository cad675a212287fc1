"""What a model's reply holds is read whole or not at all, and nothing in it can pose as what Readhead writes itself."""

from __future__ import annotations

import ast
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readhead.heads import HeadId
from readhead.program import Program, parse
from readhead.synthesis.ollama.replies import (
    SCHEMA,
    Draft,
    Drafts,
    as_source,
    beginning,
    block_of,
    fenced_drafts,
    one_line,
    read_reply,
    whole_drafts,
)

HEAD = HeadId(3, 5)
CODE = "def head(s):\n    return softmax(5.0 * s.previous(1))"
DRAFTS = [Draft(explanation="The token before.", code=CODE), Draft(explanation="The first.", code="def head(s): ...")]
REPLY = json.dumps({"programs": [draft.model_dump() for draft in DRAFTS]})

tries = settings(derandomize=True, max_examples=60, deadline=None, database=None)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
drafts = st.builds(Draft, explanation=texts, code=texts)
replies = st.builds(
    lambda listed, indent, escaped: (
        listed,
        json.dumps(
            {"programs": [draft.model_dump() for draft in listed]},
            indent=indent,
            ensure_ascii=escaped,
        ),
    ),
    st.lists(drafts, min_size=1, max_size=3),
    st.sampled_from([None, 1]),
    st.booleans(),
)


@pytest.mark.parametrize(
    "reply",
    [
        REPLY,
        f"\n\n {REPLY}\n",
        f"<think>\nIs it {{the token}} before?\n</think>\n\n{REPLY}",
        f"The model's template has opened the tag.\n</think>\n{REPLY}",
        f"```json\n{REPLY}\n```",
        f"```\n{REPLY}\n```",
        f"Here they are:\n```JSON\r\n{REPLY}\r\n```\nI hope this helps.",
        f"<think>```json\n{{}}\n```</think>```json\n{REPLY}",
    ],
    ids=["bare", "blank", "thought", "half a thought", "json", "fence", "prose", "thought in a fence"],
)
def test_programs_are_found_whatever_stands_around_the_json(reply: str) -> None:
    assert read_reply(reply) == (DRAFTS, "")


def test_tags_in_a_program_are_no_thoughts() -> None:
    odd = Draft(
        explanation="Looks at <think> and </think>.", code='def head(s):\n    return s.key.is_one_of({"<think>"})'
    )
    reply = Drafts(programs=[odd]).model_dump_json()
    assert read_reply(reply) == ([odd], "")
    assert whole_drafts(reply[:-1]) == [odd]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("", "the reply is empty"),
        (" \n", "the reply is empty"),
        ("<think>I wonder", "the reply is empty"),
        ("Sorry, I cannot.", "Invalid JSON"),
        (REPLY[:-1], "Invalid JSON"),
        ("[" * 100_000, "recursion"),
        ("[]", "object"),
        ("null", "object"),
        ("{}", "programs: Field required"),
        ('{"programs": []}', "programs: List should have at least 1 item"),
        ('{"programs": [{"explanation": "x"}]}', "programs.0.code: Field required"),
        ('{"programs": [{"explanation": "x", "code": 3}]}', "programs.0.code: Input should be a valid string"),
        (
            '{"programs": [{"explanation": null, "code": "x"}]}',
            "programs.0.explanation: Input should be a valid string",
        ),
        ('{"programs": "def head(s): ..."}', "programs: Input should be"),
        (f"```python\n{CODE}\n```", "Invalid JSON"),
        ('{"programs": [{"explanation": "\\ud800", "code": "x"}]}', "Invalid JSON"),
    ],
)
def test_what_is_wrong_with_a_reply_is_said_in_a_line(reply: str, problem: str) -> None:
    found, told = read_reply(reply)
    assert found == []
    assert problem in told
    assert "\n" not in told


@tries
@given(replies, st.sampled_from(["{}", "<think>\nHm.\n</think>\n{}", "```json\n{}\n```"]))
def test_whatever_is_written_comes_back_as_it_was_written(written: tuple[list[Draft], str], around: str) -> None:
    listed, reply = written
    if "```" in reply and "```" in around:
        return  # a fence in a fence ends it, for any reader
    assert read_reply(around.replace("{}", reply)) == (listed, "")


@tries
@given(listed=st.lists(drafts, min_size=1, max_size=3), escaped=st.booleans(), data=st.data())
def test_of_a_reply_that_breaks_off_whole_programs_come_back_and_no_others(
    *, listed: list[Draft], escaped: bool, data: st.DataObject
) -> None:
    reply, whole_from = '{"programs": [', []
    for draft in listed:
        reply += json.dumps(draft.model_dump(), ensure_ascii=escaped)
        whole_from.append(len(reply) - 1)  # with the last sign of its code; the bracket may be missing
        reply += ", "
    reply = f"{reply[:-2]}]}}"
    there = data.draw(st.integers(0, len(reply)))
    assert whole_drafts(reply[:there]) == listed[: sum(there >= place for place in whole_from)]


def test_programs_come_back_one_after_the_other_while_a_reply_arrives() -> None:
    counts = [len(whole_drafts(f"<think>Hm.</think>\n```json\n{REPLY[:end]}")) for end in range(len(REPLY) + 1)]
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2}
    ends = [counts.index(number) for number in (1, 2)]
    assert [REPLY[end - 1] for end in ends] == ['"', '"'], "a program is whole with the last sign of its code"


def test_a_program_that_lacks_its_explanation_is_not_whole() -> None:
    assert whole_drafts('{"programs": [{"code": "def head(s): ...", "explanation": "Loo') == []


@tries
@given(st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace").decode()))
def test_no_reply_makes_a_reader_fail(text: str) -> None:
    for reply in (text, f"{{{text}", f'{{"programs":[{text}', f"```{text}", f"<think>{text}"):
        found, problem = read_reply(reply)
        assert bool(found) != bool(problem)
        assert whole_drafts(reply) is not None
        assert fenced_drafts(reply) is not None


@pytest.mark.parametrize(
    ("reply", "codes"),
    [
        (f"Like this:\n```python\n{CODE}\n```\nor\n```py\nx = 1\n{CODE}\n```", [CODE, f"x = 1\n{CODE}"]),
        (f"```python\n{CODE}", [CODE]),
        (CODE, [CODE]),
        (f"<think>```python\n{CODE}\n```</think>No.", []),
        ("```python\ndef other(s):\n    return s.first\n```", []),
        ("```python\n    def head(s):\n        return s.first\n```", ["def head(s):\n        return s.first"]),
        ("```python\nclass Head:\n    def head(s): ...\n```", []),
        ("", []),
    ],
    ids=["two", "cut", "bare", "thought", "another name", "indented", "method", "empty"],
)
def test_programs_in_fences_are_those_that_define_head(reply: str, codes: list[str]) -> None:
    assert [draft.code for draft in fenced_drafts(reply)] == codes


# ---- a draft as a program file ---------------------------------------------------------------------------------------


def made(draft: Draft) -> Program:
    """The program of a draft's file."""
    return parse(as_source(draft, block_of(HEAD)))


@tries
@given(texts)
def test_no_explanation_breaks_out_of_the_docstring(explanation: str) -> None:
    program = made(Draft(explanation=explanation, code=CODE))
    assert program.findings == ()
    assert program.explanation == (one_line(explanation) or "No explanation was given.")
    assert program.metadata.heads == (HEAD,)
    (docstring, _, function) = ast.parse(program.source).body
    assert ast.unparse(docstring).count("\n") == 0
    assert isinstance(function, ast.FunctionDef)


@pytest.mark.parametrize(
    "explanation",
    [
        '"""\nimport os\nos.system("true")\n"""',
        'ends with a quotation mark"',
        "ends with a backslash\\",
        '\\"""',
        'x"""\n\n# /// script\n# [tool.readhead]\n# heads = ["L9H9"]\n# ///\n',
        "\x00\x1b[31mred\x07\r\n\u2028\u202e",
        "{head} $name %s \\N{BULLET} \\x41",
    ],
)
def test_an_explanation_that_tries_to_stays_one_line_of_text(explanation: str) -> None:
    program = made(Draft(explanation=explanation, code=CODE))
    assert program.findings == ()
    assert program.metadata.heads == (HEAD,)
    assert len(ast.parse(program.source).body) == 3
    assert program.explanation.isprintable()
    first, second = program.source.split("\n")[:2]
    assert first == f'"""{program.explanation}"""'
    assert second == ""


@tries
@given(st.text(max_size=400))
def test_one_line_is_a_line_that_can_stand_in_a_docstring(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 300
    assert not {'"', "\\"} & set(line)
    assert one_line(line) == line


def test_a_long_explanation_is_shortened_visibly() -> None:
    assert one_line("word " * 100).endswith("…")
    assert one_line("word " * 10) == ("word " * 10).strip()


def test_the_code_s_own_docstring_explains_where_the_model_does_not() -> None:
    module = made(Draft(explanation="", code=f'"""Looks back."""\n{CODE}'))
    assert module.explanation == "Looks back."
    assert module.source.count("Looks back.") == 1
    function = made(Draft(explanation=" ", code='def head(s):\n    """Looks\n    back."""\n    return s.first'))
    assert function.explanation == "Looks back."
    assert made(Draft(explanation="Mine.", code=f'"""Its."""\n{CODE}')).explanation == "Mine."
    assert made(Draft(explanation="", code=CODE)).explanation == "No explanation was given."


CLAIMED = """# /// script
# [tool.readhead]
# heads = ["L9H9"]
#
# [tool.readhead.recorded]
# iou = 1.0
# ///"""


@pytest.mark.parametrize("code", [f"{CLAIMED}\n{CODE}", f"{CODE}\n\n{CLAIMED}", f'"""Doc."""\n\n{CLAIMED}\n\n{CODE}\n'])
def test_metadata_that_a_model_writes_does_not_count(code: str) -> None:
    program = made(Draft(explanation="x", code=code))
    assert program.findings == ()
    assert program.metadata.heads == (HEAD,)
    assert program.metadata.recorded is None
    assert "L9H9" not in program.source


lines = st.lists(
    st.sampled_from([*CLAIMED.split("\n"), "", "x = 1", '"""', "# ///", "# /// script", " # /// script", CODE]),
    max_size=12,
)


@tries
@given(lines, st.sampled_from(["\n", "\r\n", "\r"]))
def test_no_order_of_lines_claims_another_head_or_a_record(listed: list[str], end: str) -> None:
    program = made(Draft(explanation="x", code=end.join(listed)))
    assert program.findings or program.metadata.heads == (HEAD,)
    assert program.findings or program.metadata.recorded is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_all_machines_are_read(end: str) -> None:
    code = f'"""Looks back."""\n\n{CODE}\n'.replace("\n", end)
    program = made(Draft(explanation="", code=code))
    assert program.source == as_source(Draft(explanation="", code=f'"""Looks back."""\n\n{CODE}\n'), block_of(HEAD))
    assert program.findings == ()


def test_code_that_would_change_a_terminal_does_not() -> None:
    code = "def head(s):\n\treturn s.first  # \x1b[2J\x07gone\u202e\u200b\u00a0é\n"
    program = made(Draft(explanation="x", code=code))
    assert program.source.endswith("def head(s):\n\treturn s.first  # [2Jgone é\n")
    assert program.findings == ()
    assert made(Draft(explanation="x", code="def head(s):\n    return s.\u200bfirst\n")).findings, "it is no Python"


@pytest.mark.parametrize(
    "imports",
    [
        "",
        "from readhead.language import Sentence, softmax\n",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nfrom readhead.language import softmax\n",
        "import numpy as np\n",
    ],
)
def test_what_a_program_needs_is_imported_once_whatever_the_model_imports(imports: str) -> None:
    source = as_source(Draft(explanation="x", code=f"{imports}{CODE}"), block_of(HEAD))
    compile(source, "program", "exec")  # more than parsing: it knows where __future__ has to stand
    assert parse(source).findings == ()
    assert source.count("from readhead.language import") == 1


def test_a_program_of_no_head_has_no_metadata() -> None:
    assert "///" not in as_source(DRAFTS[0], "")
    assert "///" not in as_source(Draft(explanation="x", code=f"{CLAIMED}\n{CODE}"), "")


def test_the_beginning_of_a_reply_is_shown_on_one_line_and_no_more_than_that() -> None:
    assert beginning('a "b"\n') == '"a \\"b\\""'
    assert len(beginning("x" * 5000)) == 403
    assert beginning("x" * 5000).endswith('…"')


# ---- the schema ------------------------------------------------------------------------------------------------------

TYPES = {"object": dict, "array": list, "string": str}


def fits(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value follows a JSON schema of the few words that `SCHEMA` uses; any other word fails the test."""
    assert schema.keys() <= {"type", "properties", "required", "items", "minItems", "description"}
    if not isinstance(value, TYPES[schema["type"]]):
        return False
    if isinstance(value, dict):
        forms = schema["properties"]
        return set(schema["required"]) <= value.keys() and all(fits(forms[key], value[key]) for key in forms)
    if isinstance(value, list):
        return len(value) >= schema["minItems"] and all(fits(schema["items"], item) for item in value)
    return True


leaves = st.sampled_from(["", "text", 3, 1.5, None, True, [], {}])
items = st.one_of(
    leaves, st.fixed_dictionaries({}, optional={"explanation": leaves, "code": leaves, "comment": leaves})
)
values = st.one_of(
    leaves,
    st.fixed_dictionaries({}, optional={"programs": st.one_of(leaves, st.lists(items, max_size=2)), "note": leaves}),
)


@tries
@given(values)
def test_the_schema_allows_what_is_read_and_nothing_else(value: Any) -> None:
    found, problem = read_reply(json.dumps(value))
    assert fits(SCHEMA, value) == bool(found) == (not problem)


def test_the_schema_allows_good_replies() -> None:
    for explanation, code, more in itertools.product(("", "x"), ("", "y"), ({}, {"comment": 3})):
        value = {"programs": [{"explanation": explanation, "code": code, **more}], **more}
        assert fits(SCHEMA, value)
        assert read_reply(json.dumps(value))[0] == [Draft(explanation=explanation, code=code)]

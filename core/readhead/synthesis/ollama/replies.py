"""What a reply holds: drafts of programs, validated on our side; and a draft as a program file.

1. JSON by `SCHEMA`, which also steers the server's sampling and stands in the prompt. `<think>` parts and a fence
   around it are taken away first.
2. Where a reply breaks off, the drafts that are whole.
3. Where no reply is JSON, Python in fences.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any, Final
from unicodedata import category

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from readhead.heads import HeadId
from readhead.program import metadata_block, python_tree

_THOUGHT: Final = re.compile(r"\A(?:(?!<think>).)*?</think>|<think>.*?(?:</think>|\Z)", re.DOTALL)
"""The first one may lack its beginning, which some models' templates write for them."""
_FENCE: Final = re.compile(r"```[ \t]*(\w*)[ \t]*\r?\n(.*?)(?:```|\Z)", re.DOTALL)
_FUTURE: Final = re.compile(r"(?m)^from __future__ import annotations[ \t]*\n+")
"""It may stand before all other imports only, and says nothing of a program."""
_LONGEST_SENTENCE: Final = 300


class Draft(BaseModel):
    """A program as the model wrote it."""

    model_config = ConfigDict(strict=True, frozen=True)

    explanation: str = Field(description="one sentence of plain words: what the head looks at")
    code: str = Field(description="the whole Python function head(s), with its line breaks")


class Drafts(BaseModel):
    """A whole reply."""

    model_config = ConfigDict(strict=True, frozen=True)

    programs: list[Draft] = Field(min_length=1)


def _schema() -> dict[str, Any]:
    """The form of `Drafts`, without references: small models follow it better, and so do older servers."""
    whole = Drafts.model_json_schema()
    draft = {key: value for key, value in whole["$defs"]["Draft"].items() if key not in {"title", "description"}}
    draft["properties"] = {
        name: {key: value for key, value in form.items() if key != "title"}
        for name, form in draft["properties"].items()
    }
    programs = {"type": "array", "items": draft, "minItems": 1}
    return {"type": "object", "properties": {"programs": programs}, "required": ["programs"]}


SCHEMA: Final = _schema()
"""JSON schema of a reply."""


def read_reply(text: str) -> tuple[list[Draft], str]:
    """The drafts of a reply; or none, and in a line what is wrong with it."""
    bare = _without_thoughts(text)
    if not bare:
        return [], "the reply is empty"
    fenced = [body for language, body in _FENCE.findall(bare) if language.lower() in {"", "json"}]
    problem = ""
    for candidate in (bare, *fenced):
        try:
            return list(Drafts.model_validate_json(candidate).programs), ""
        except ValidationError as error:
            problem = problem or _first_problem(error)
    return [], problem


def whole_drafts(text: str) -> list[Draft]:
    """Those drafts of a reply that broke off which are whole."""
    bare = _without_thoughts(text)
    start = bare.find("{")
    try:
        read = from_json(bare[max(start, 0) :], allow_partial=True)
    except ValueError:
        return []
    listed = read.get("programs") if isinstance(read, dict) else None
    drafts = []
    for item in listed if isinstance(listed, list) else []:
        try:
            drafts.append(Draft.model_validate(item))
        except ValidationError:
            continue
    return drafts


def fenced_drafts(text: str) -> list[Draft]:
    """The programs in a reply's fences; a docstring is the explanation."""
    bare = _without_thoughts(text)
    bodies = [body.strip() for _, body in _FENCE.findall(bare)] or [bare]
    return [Draft(explanation="", code=body) for body in bodies if re.search(r"^def head\(", body, re.MULTILINE)]


def _without_thoughts(text: str) -> str:
    """A reply as it is meant; where it begins with JSON, tags in it are what its programs speak of."""
    bare = text.strip()
    return bare if bare.startswith("{") else _THOUGHT.sub("", bare).strip()


def block_of(head: HeadId) -> str:
    """The metadata of a program that was written for a head."""
    return f'# /// script\n# [tool.readhead]\n# heads = ["{head}"]\n# ///'


def as_source(draft: Draft, block: str) -> str:
    """A draft as the text of a program file, with a block of metadata, which may be empty.

    A fence around the code is taken away, and so is what cannot be printed. The explanation becomes the docstring, or
    else the code's own is it. What a model writes as metadata does not count: recorded scores are measured, not
    claimed.
    """
    code = draft.code.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    fenced = _FENCE.match(code.lstrip())
    code = fenced[2].strip("\n") if fenced else code
    code = _printable(code)
    claimed = metadata_block(f"{code}\n")
    if claimed is not None:
        code = (code[: claimed.start()] + code[claimed.end() :]).strip("\n")
    own, code = _without_docstring(_FUTURE.sub("", code))
    explanation = one_line(draft.explanation) or one_line(own) or "No explanation was given."
    metadata = f"{block}\n\n" if block else ""
    imports = (
        "" if "from readhead.language" in code else "from readhead.language import Sentence, normalize, softmax\n\n\n"
    )
    return f'"""{explanation}"""\n\n{metadata}{imports}{code}\n'


def _printable(code: str) -> str:
    """Code whose comments and strings change no terminal; what is no Python stays as it is, and is refused for it."""
    try:
        python_tree(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code
    return "".join(
        character if character.isprintable() or character in "\n\t" else " " * (category(character) == "Zs")
        for character in code
    )


def one_line(text: str) -> str:
    """A model's words as one printable line that can stand in a docstring."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(shown.replace("\\", "/").replace('"', "'").split())
    return line if len(line) <= _LONGEST_SENTENCE else f"{line[: _LONGEST_SENTENCE - 1]}…"


def _without_docstring(code: str) -> tuple[str, str]:
    """A module's docstring, or that of its function `head`, and the code without the module's."""
    try:
        tree = python_tree(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "", code
    first = tree.body[0] if tree.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        rest = code.split("\n")[(first.end_lineno or 1) :]
        return first.value.value, "\n".join(rest).strip("\n")
    named = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "head")
    head = next(named, None)
    return (ast.get_docstring(head) or "" if head else ""), code


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].replace("\n", " ")[:_LONGEST_SENTENCE]
    return f"{place}: {message}" if place else message


def beginning(text: str, characters: int = 400) -> str:
    """The beginning of a reply, to be shown to the model again."""
    bare = text.strip()
    return json.dumps(bare if len(bare) <= characters else f"{bare[:characters]}…", ensure_ascii=False)

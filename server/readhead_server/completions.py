"""Completion and signature help: the vocabulary behind a sentence and its sides, and the metadata block."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lsprotocol import types as lsp

from readhead.heads import Geometry
from readhead.language import VOCABULARY, Term
from readhead.program import CATEGORIES, metadata_block
from readhead_server.documents import Document
from readhead_server.names import SIDES, is_quoted, open_call, sentence_name, sentence_names, shape_of

TRIGGERS = (".", '"')
SIGNATURE_TRIGGERS = ("(", ",")
_CHAIN = re.compile(r"(?<![\w.)\]])(?:(?P<owner>\w+)\s*\.\s*(?:(?P<side>\w+)\s*\.\s*)?)?(?P<typed>\w*)$")
_CATEGORY = re.compile(r"^#\s*category\s*=\s*(?P<quote>\"?)(?P<typed>[^\"]*)$")
_HEADS = re.compile(r"heads\s*=\s*\[(?P<before>[^\]]*?)(?P<quote>\"?)(?P<typed>\w*)$")
_KEY = re.compile(r"^#\s*(?P<typed>\w*)$")
_ARGUMENTS: Mapping[str, tuple[str, str]] = {
    "s.previous(k)": ("${1:1}", "places back: 1 is the token just before, 0 the token itself"),
    "s.within(k)": ("${1:4}", "tokens before the query's own"),
    "s.decay(k)": ("${1:4}", "tokens back at which 0.37 is left: above 0, and no whole number need be"),
    "s.words_back(k)": ("${1:1}", "words back: 1 is the word or mark before, 0 the word itself"),
    "s.last(x)": ("${1:s.is_name}", "a feature without a side, such as s.is_name: one number a token"),
    "s.last_before(x)": ("${1:s.is_name}", "a feature without a side, such as s.is_name: one number a token"),
    "s.is_one_of(tokens)": ('{"${1: the}"}', 'a set of tokens, each with the space before it: {" the", "ing", "."}'),
    "softmax(scores)": ("$1", "[n, n], or anything that broadcasts to it; -inf shuts a key out"),
    "normalize(weights)": ("$1", "[n, n], or anything that broadcasts to it; negative weights count as 0"),
}
"""What stands in for the arguments of each name that takes some, and what they mean."""
_KINDS = {
    "side": lsp.CompletionItemKind.Struct,
    "value": lsp.CompletionItemKind.Value,
    "relation": lsp.CompletionItemKind.Field,
    "feature": lsp.CompletionItemKind.Property,
    "function": lsp.CompletionItemKind.Function,
}
_ORDER = {"side": 0, "relation": 1, "value": 2, "feature": 3}
_METADATA_KEYS = {
    "heads": ('heads = ["$1"]', "The heads that the program explains."),
    "category": ('category = "$1"', "What kind of idea the program is."),
}


@dataclass(frozen=True)
class _Place:
    """What is typed there, as one edit replaces it."""

    document: Document
    range: lsp.Range
    snippets: bool
    sentence: str


def completions(
    document: Document, position: lsp.Position, facts: Mapping[str, Any], *, snippets: bool
) -> list[lsp.CompletionItem]:
    """What may stand at a position; `facts` are the engine's, for the names of heads."""
    lines = document.lines
    row, column = lines.place(position)
    before = lines.lines[row][:column]
    offset = lines.offset(position)
    block = metadata_block(document.source)

    def place(typed: str) -> _Place:
        span = lines.range((row, column - len(typed)), (row, column))
        return _Place(document, span, snippets, sentence_name(document.source))

    if block is not None and block.start() < offset < block.end():
        return list(_in_metadata(before, place, facts, set(document.heads)))
    if is_quoted(document, offset):
        return []
    match = _CHAIN.search(before)
    if match is None:
        return []
    return list(_in_code(match, place(match["typed"]), _wants_feature(document, offset)))


# ---- code ------------------------------------------------------------------------------------------------------------


def _in_code(match: re.Match[str], place: _Place, wants_feature: bool) -> Iterator[lsp.CompletionItem]:  # noqa: FBT001
    owner, side = match["owner"], match["side"]
    if owner is None:
        if match["typed"] and not match["typed"][0].isdigit():
            yield from (_item(term, "", place, 0) for term in VOCABULARY if term.kind == "function")
        return
    if owner not in sentence_names(place.document.source):
        return
    if side is not None:
        if side in SIDES:
            yield from (_item(term, side, place, 0) for term in VOCABULARY if term.kind == "feature")
        return
    for term in VOCABULARY:
        if term.kind != "function":
            first = wants_feature and term.kind == "feature"
            yield _item(term, "", place, 0 if first else 1 + _ORDER[term.kind])


def _wants_feature(document: Document, offset: int) -> bool:
    """Whether a feature without a side is asked for: inside `s.last(…)`. In a sum, its side is to be written."""
    call = open_call(document, offset)
    return call is not None and call.term.name.endswith("(x)")


def _item(term: Term, side: str, place: _Place, group: int) -> lsp.CompletionItem:
    label = term.name.removeprefix("s.")
    name = label.split("(", maxsplit=1)[0]
    text, is_snippet = name, False
    if "(" in label and place.snippets:
        argument = _ARGUMENTS[term.name][0].replace("s.", f"{place.sentence}.")
        text, is_snippet = f"{name}({argument})", True
    kind = _KINDS[term.kind]
    if term.kind == "relation" and "(" in label:
        kind = lsp.CompletionItemKind.Method
    return lsp.CompletionItem(
        label=label,
        kind=kind,
        detail=shape_of(term, side),
        documentation=_markdown(term.meaning),
        filter_text=name,
        sort_text=f"{group}{VOCABULARY.index(term):03d}",
        text_edit=lsp.TextEdit(place.range, text),
        insert_text_format=lsp.InsertTextFormat.Snippet if is_snippet else lsp.InsertTextFormat.PlainText,
    )


def _markdown(text: str) -> lsp.MarkupContent:
    return lsp.MarkupContent(lsp.MarkupKind.Markdown, text)


# ---- metadata --------------------------------------------------------------------------------------------------------


def _in_metadata(
    before: str, place: Callable[[str], _Place], facts: Mapping[str, Any], listed: set[str]
) -> Iterator[lsp.CompletionItem]:
    if (match := _CATEGORY.match(before)) is not None:
        quote = "" if match["quote"] else '"'
        for number, category in enumerate(CATEGORIES):
            kind = lsp.CompletionItemKind.EnumMember
            yield _plain(category, f"{quote}{category}{quote}", kind, place(match["typed"]), number)
    elif (match := _HEADS.search(before)) is not None and match["before"].count('"') % 2 == 0:
        quote = "" if match["quote"] else '"'
        for number, head in enumerate(_heads(facts)):
            if head not in listed or head == match["typed"]:
                kind = lsp.CompletionItemKind.Value
                yield _plain(head, f"{quote}{head}{quote}", kind, place(match["typed"]), number)
    elif (match := _KEY.match(before)) is not None:
        for number, (key, (text, meaning)) in enumerate(_METADATA_KEYS.items()):
            item = _plain(key, text.replace("$1", ""), lsp.CompletionItemKind.Property, place(match["typed"]), number)
            item.documentation = _markdown(meaning)
            yield item


def _plain(label: str, text: str, kind: lsp.CompletionItemKind, place: _Place, number: int) -> lsp.CompletionItem:
    edit = lsp.TextEdit(place.range, text)
    return lsp.CompletionItem(label=label, kind=kind, sort_text=f"{number:05d}", filter_text=label, text_edit=edit)


def _heads(facts: Mapping[str, Any]) -> list[str]:
    """All heads of the model; none before the engine has told it."""
    geometry = Geometry(facts.get("layers", 0), facts.get("heads", 0))
    return [str(head) for head in geometry.head_ids()]


# ---- signatures ------------------------------------------------------------------------------------------------------


def signature_help(document: Document, position: lsp.Position) -> lsp.SignatureHelp | None:
    """Of the innermost call of a name of the language around a position."""
    offset = document.lines.offset(position)
    named = open_call(document, offset)
    if named is None:
        return None
    label = named.written.replace("s.", f"{sentence_name(document.source)}.", 1)
    parameter = label[label.index("(") + 1 : -1]
    shown = lsp.ParameterInformation(parameter, documentation=_markdown(_ARGUMENTS[named.term.name][1]))
    signature = lsp.SignatureInformation(
        label=f"{label} → {named.shape}", documentation=_markdown(named.term.meaning), parameters=[shown]
    )
    return lsp.SignatureHelp([signature], active_signature=0, active_parameter=0)

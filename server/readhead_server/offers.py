"""Edits of documents: small, of the version that they were made for, and applied to no other."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from lsprotocol import types as lsp

from readhead_server.convert import Lines
from readhead_server.working import answer_of, tell

if TYPE_CHECKING:
    from pathlib import Path

    from readhead_server.documents import Document
    from readhead_server.server import ReadheadServer

_ACCEPT, _DECLINE = "Accept", "Decline"
_ANNOTATION: Final = "readhead"


def changes_to(lines: Lines, new: str) -> list[lsp.TextEdit]:
    """What turns a text into a new one: the lines that differ, and of those the part that does."""
    old_lines, new_lines = lines.text.splitlines(keepends=True), new.splitlines(keepends=True)
    starts = [0]
    for line in old_lines:
        starts.append(starts[-1] + len(line))
    found = []
    matcher = SequenceMatcher(a=old_lines, b=new_lines, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            found.append(_narrowed(lines, starts[i1], "".join(old_lines[i1:i2]), "".join(new_lines[j1:j2])))
    return found


def _narrowed(lines: Lines, start: int, old: str, new: str) -> lsp.TextEdit:
    """The edit without what both texts begin and end with."""
    before = _alike(old, new)
    after = _alike(old[before:][::-1], new[before:][::-1])
    places = (start + before, start + len(old) - after)
    return lsp.TextEdit(lsp.Range(*(_at(lines, place) for place in places)), new[before : len(new) - after])


def _alike(one: str, other: str) -> int:
    """Characters with which both begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _at(lines: Lines, offset: int) -> lsp.Position:
    before = lines.text[:offset]
    return lines.position(before.count("\n"), len(before) - (before.rfind("\n") + 1))


def versioned(document: Document, new: str, capabilities: lsp.ClientCapabilities, *, confirm: str) -> lsp.WorkspaceEdit:
    """A document's new text as an edit of this version of it.

    Args:
        document: as it was when the work began.
        new: its text then.
        capabilities: of the client; one that knows no versions gets the edit without.
        confirm: what the user has to confirm, where the client can ask for that; empty for nothing.
    """
    edits = changes_to(document.lines, new)
    workspace = capabilities.workspace and capabilities.workspace.workspace_edit
    if not workspace or not workspace.document_changes:
        return lsp.WorkspaceEdit(changes={document.uri: edits})
    if not confirm or not confirms(capabilities):
        return of_this_version(document, new)
    identifier = lsp.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    annotated = [lsp.AnnotatedTextEdit(_ANNOTATION, edit.range, edit.new_text) for edit in edits]
    annotation = lsp.ChangeAnnotation(label=confirm, needs_confirmation=True)
    return lsp.WorkspaceEdit(
        document_changes=[lsp.TextDocumentEdit(identifier, annotated)], change_annotations={_ANNOTATION: annotation}
    )


def of_this_version(document: Document, new: str) -> lsp.WorkspaceEdit:
    """A document's new text as an edit that a client refuses where the document has changed meanwhile."""
    identifier = lsp.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    return lsp.WorkspaceEdit(document_changes=[lsp.TextDocumentEdit(identifier, [*changes_to(document.lines, new)])])


def confirms(capabilities: lsp.ClientCapabilities) -> bool:
    """Whether a client lets the user confirm an edit."""
    workspace = capabilities.workspace and capabilities.workspace.workspace_edit
    return bool(workspace and workspace.document_changes and workspace.change_annotation_support)


def creates(capabilities: lsp.ClientCapabilities) -> bool:
    """Whether a client makes files."""
    workspace = capabilities.workspace and capabilities.workspace.workspace_edit
    operations = workspace.resource_operations if workspace and workspace.document_changes else None
    return lsp.ResourceOperationKind.Create in (operations or ())


def created(path: Path, text: str) -> lsp.WorkspaceEdit:
    """A new file with a text; one that is there already makes the client refuse all of it."""
    start = lsp.Position(0, 0)
    options = lsp.CreateFileOptions(overwrite=False, ignore_if_exists=False)
    fill = lsp.TextDocumentEdit(
        lsp.OptionalVersionedTextDocumentIdentifier(path.as_uri()), [lsp.TextEdit(lsp.Range(start, start), text)]
    )
    return lsp.WorkspaceEdit(document_changes=[lsp.CreateFile(path.as_uri(), options=options), fill])


async def offer(ls: ReadheadServer, document: Document, new: str, label: str, *, confirm: str = "") -> bool:
    """Apply a new text to a document, unless it has changed since; whether that was done.

    Args:
        ls: the server.
        document: as it was when the work began.
        new: its text then.
        label: of the edit.
        confirm: what the user has to agree to first; empty for nothing.
    """
    if new == document.source or not _is_as_it_was(ls, document, label):
        return False
    if confirm and confirms(ls.client_capabilities):  # its preview shows the text, but not what that is worth
        tell(ls, confirm, "tick in the preview what to apply", kind=lsp.MessageType.Info)
    elif confirm and not await _agrees(ls, confirm):
        return False
    edit = versioned(document, new, ls.client_capabilities, confirm=confirm)
    return _is_as_it_was(ls, document, label) and await apply(ls, edit, label, may_be_declined=bool(confirm))


def _is_as_it_was(ls: ReadheadServer, document: Document, label: str) -> bool:
    now = ls.snapshot(document.uri)
    same = now is not None and (now.version, now.stamp) == (document.version, document.stamp)
    if not same:
        tell(
            ls, f"{label}: {document.path.name} was changed meanwhile; nothing is applied", kind=lsp.MessageType.Warning
        )
    return same


async def _agrees(ls: ReadheadServer, question: str) -> bool:
    actions = [lsp.MessageActionItem(title) for title in (_ACCEPT, _DECLINE)]
    params = lsp.ShowMessageRequestParams(lsp.MessageType.Info, question, actions)
    answer = await answer_of(ls.window_show_message_request_async(params))
    return answer is not None and answer.title == _ACCEPT


async def apply(ls: ReadheadServer, edit: lsp.WorkspaceEdit, label: str, *, may_be_declined: bool = False) -> bool:
    """Have the client apply an edit; where it does not, the user is told why, unless it was their wish."""
    workspace = ls.client_capabilities.workspace
    if workspace is None or not workspace.apply_edit:
        return False
    result = await answer_of(ls.workspace_apply_edit_async(lsp.ApplyWorkspaceEditParams(edit, label)))
    if result is not None and result.applied:
        return True
    if may_be_declined and result is not None and not result.failure_reason:
        return False
    why = (result and result.failure_reason) or "it gives no reason"
    tell(ls, f"{label}: the editor did not apply the edit: {why}", kind=lsp.MessageType.Warning)
    return False

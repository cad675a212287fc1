"""The client's settings, section `readhead`: asked for where the client has that, else taken from what it tells.

Trust is the exception: a setting may come with the workspace itself, so that it can only take trust away. What the
client gave at the start, or gives with the notification `readhead/trusted`, is the client's own word.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types as lsp

from readhead.settings import CONFIG
from readhead_server.working import answer_of

if TYPE_CHECKING:
    from readhead_server.options import ServerOptions
    from readhead_server.server import ReadheadServer

SECTION: Final = "readhead"
TRUSTED: Final = "readhead/trusted"
_GLOBS: Final = (f"**/{CONFIG}", "**/*.py")


def configured(given: ServerOptions, settings: Any) -> tuple[ServerOptions, list[str]]:  # noqa: ANN401 - JSON
    """What the client gave at the start, with its settings over it; and what is wrong with those."""
    options, problems = given.updated(settings)
    return replace(options, trusted=options.trusted and given.trusted), problems


def section_of(settings: Any) -> Any:  # noqa: ANN401 - JSON
    """Our part of what a client tells when its settings change; some tell only that part."""
    return settings.get(SECTION, settings) if isinstance(settings, dict) else None


def registrations(capabilities: lsp.ClientCapabilities) -> list[lsp.Registration]:
    """What to ask a client to tell of: changed settings, changed files."""
    workspace = capabilities.workspace
    found: list[lsp.Registration] = []
    if workspace is None:
        return found
    if workspace.did_change_configuration and workspace.did_change_configuration.dynamic_registration:
        wanted = lsp.DidChangeConfigurationRegistrationOptions(section=SECTION)
        found.append(lsp.Registration("readhead-settings", lsp.WORKSPACE_DID_CHANGE_CONFIGURATION, wanted))
    if workspace.did_change_watched_files and workspace.did_change_watched_files.dynamic_registration:
        watched = lsp.DidChangeWatchedFilesRegistrationOptions([lsp.FileSystemWatcher(glob) for glob in _GLOBS])
        found.append(lsp.Registration("readhead-files", lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, watched))
    return found


async def begin(ls: ReadheadServer) -> None:
    """After the start: ask to be told of changes, and for the settings."""
    wanted = registrations(ls.client_capabilities)
    if wanted:
        await answer_of(ls.client_register_capability_async(lsp.RegistrationParams(wanted)))
    await pull(ls, None)


async def pull(ls: ReadheadServer, told: Any) -> None:  # noqa: ANN401 - JSON
    """Take the settings that the client answers with, or else those that it told."""
    workspace = ls.client_capabilities.workspace
    if workspace is not None and workspace.configuration:
        params = lsp.ConfigurationParams([lsp.ConfigurationItem(section=SECTION)])
        answer = await answer_of(ls.workspace_configuration_async(params))
        settings = answer[0] if answer else None
    else:
        settings = section_of(told)
    if settings is not None:
        ls.configure(settings)

/** What to do where something is missing: `readhead`, a server that runs, a workspace. */

import * as vscode from "vscode";

const SETTINGS = "Open Settings";
const WALKTHROUGH = "Get Started";
const AGAIN = "Try Again";
const INIT = "Make This Folder a Workspace";
const RESTART = "Restart the Language Server";
const LOG = "Show the Log";

/** Tell what was looked for, with the ways out as buttons. */
export async function tellMissing(wanted: string): Promise<void> {
  const places = vscode.workspace.isTrusted
    ? "the workspace's .venv, the Python extension's interpreter, or PATH"
    : "PATH (what lies in a workspace that is not trusted is not looked at)";
  const message = wanted
    ? `Readhead: the setting readhead.path names ${wanted}, which cannot be run`
    : `Readhead: the command readhead was not found in ${places}. Install it with pip, or name it in the settings.`;
  const chosen = await vscode.window.showErrorMessage(message, SETTINGS, WALKTHROUGH, AGAIN);
  if (chosen === SETTINGS) {
    await vscode.commands.executeCommand("workbench.action.openSettings", "readhead.path");
  } else if (chosen === WALKTHROUGH) {
    await openWalkthrough();
  } else if (chosen === AGAIN) {
    await vscode.commands.executeCommand("readhead.restartServer");
  }
}

/** Tell that a command needs a workspace, with the way to one as a button. */
export async function offerWorkspace(): Promise<void> {
  const chosen = await vscode.window.showInformationMessage("Readhead: no folder with a readhead.toml is open.", INIT);
  if (chosen === INIT) {
    await vscode.commands.executeCommand("readhead.initWorkspace");
  }
}

/** Tell that a command needs the server, with the ways out as buttons. */
export async function tellStopped(): Promise<void> {
  const chosen = await vscode.window.showErrorMessage("Readhead: the language server does not run.", RESTART, LOG);
  if (chosen !== undefined) {
    await vscode.commands.executeCommand(chosen === RESTART ? "readhead.restartServer" : "readhead.showLog");
  }
}

export async function openWalkthrough(): Promise<void> {
  await vscode.commands.executeCommand("workbench.action.openWalkthrough", "readhead.readhead#readhead.start", false);
}

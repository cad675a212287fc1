/** Which folder with a `readhead.toml` the window is about. */

import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import { LEFT_OUT_GLOB, real } from "./places.ts";

const CONFIG = "readhead.toml";
const MOST = 20;

export class Workspaces implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<string | undefined>();
  readonly onCurrent = this.changed.event;
  private readonly disposables: vscode.Disposable[] = [this.changed];
  private roots: readonly string[] = [];
  /** Its root, with links resolved, as the server tells it. */
  current: string | undefined;

  constructor() {
    const watcher = vscode.workspace.createFileSystemWatcher(`**/${CONFIG}`, false, true, false);
    const look = () => void this.look();
    this.disposables.push(
      watcher,
      watcher.onDidCreate(look),
      watcher.onDidDelete(look),
      vscode.workspace.onDidChangeWorkspaceFolders(look),
      vscode.window.onDidChangeActiveTextEditor(() => this.choose()),
    );
  }

  /** Look through the window's folders. */
  async look(): Promise<void> {
    const files = await vscode.workspace.findFiles(`**/${CONFIG}`, LEFT_OUT_GLOB, MOST);
    this.roots = files
      .map((file) => path.dirname(file.fsPath))
      .sort((a, b) => a.length - b.length || a.localeCompare(b))
      .map(real);
    this.choose();
  }

  /** That of the active editor; else the one that was current, or the first. */
  private choose(): void {
    const document = vscode.window.activeTextEditor?.document;
    const own = document?.uri.scheme === "file" ? rootAbove(document.uri.fsPath) : undefined;
    const chosen = own ?? (this.isOfWindow(this.current) ? this.current : this.roots[0]);
    if (chosen !== this.current) {
      this.current = chosen;
      this.changed.fire(chosen);
    }
  }

  /** A folder may have been removed from the window, or stand in it only for a file that is open. */
  private isOfWindow(root: string | undefined): boolean {
    const opened = vscode.workspace.textDocuments.filter((document) => document.uri.scheme === "file");
    return (
      root !== undefined &&
      fs.existsSync(path.join(root, CONFIG)) &&
      (this.roots.includes(root) || opened.some((document) => rootAbove(document.uri.fsPath) === root))
    );
  }

  dispose(): void {
    for (const each of this.disposables) {
      each.dispose();
    }
  }
}

/** The nearest folder upwards that holds a `readhead.toml`. */
export function rootAbove(file: string): string | undefined {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    if (fs.existsSync(path.join(folder, CONFIG))) {
      return real(folder);
    }
    if (folder === path.dirname(folder)) {
      return undefined;
    }
  }
}

/** Whether a file says itself that it is a program: its heads, or none yet, stand in its metadata. */
export function isProgram(document: vscode.TextDocument): boolean {
  return document.languageId === "python" && document.getText().includes("# [tool.readhead]");
}

/** The status bar item: what the engine is at, and what the switchboard does to the perplexity. */

import * as vscode from "vscode";
import type { Connection } from "./connection.ts";
import type { Switchboard } from "./switchboard.ts";
import { type Condition, impactDetails, statusText } from "./words.ts";
import type { Workspaces } from "./workspaces.ts";

const BAD: ReadonlySet<Condition> = new Set(["missing", "failed", "stopped"]);

export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("readhead.status", vscode.StatusBarAlignment.Left, 50);
  private readonly disposables: vscode.Disposable[];
  private readonly connection: Connection;
  private readonly switchboard: Switchboard;
  private readonly workspaces: Workspaces;

  constructor(connection: Connection, switchboard: Switchboard, workspaces: Workspaces) {
    this.connection = connection;
    this.switchboard = switchboard;
    this.workspaces = workspaces;
    this.item.name = "Readhead";
    this.item.command = "readhead.menu";
    const show = () => this.show();
    this.disposables = [
      this.item,
      connection.onCondition(show),
      switchboard.onChange(show),
      workspaces.onCurrent(show),
    ];
  }

  /** From when on there is something to tell. */
  show(): void {
    const root = this.workspaces.current;
    const condition = this.connection.condition(root);
    const { impact, isMeasuring } = this.switchboard;
    this.item.text = statusText(condition, impact, isMeasuring);
    this.item.tooltip = this.tooltip(root, condition);
    this.item.backgroundColor = BAD.has(condition)
      ? new vscode.ThemeColor("statusBarItem.warningBackground")
      : undefined;
    this.item.show();
    void vscode.commands.executeCommand("setContext", "readhead.condition", root === undefined ? "empty" : condition);
  }

  private tooltip(root: string | undefined, condition: Condition): string {
    const engine = root === undefined ? undefined : this.connection.engine(root);
    const { found } = this.connection;
    const lines = [
      root === undefined ? "No readhead.toml in this window" : root,
      ...(engine?.model === undefined ? [] : [`Model: ${engine.model}`]),
      ...(engine?.error === undefined ? [] : [engine.error.message, engine.error.hint]),
      ...(condition === "ready" && this.switchboard.impact ? [impactDetails(this.switchboard.impact)] : []),
      ...(condition === "restricted" ? ["The workspace is not trusted: nothing of it runs"] : []),
      ...(found?.kind === "found" ? [`Server: ${found.command} (${found.origin})`] : []),
    ];
    return lines.filter((line) => line !== "").join("\n");
  }

  dispose(): void {
    for (const each of this.disposables) {
      each.dispose();
    }
  }
}

/** What the current switchboard does to the perplexity: asked for anew whenever the switchboard is another one. */

import * as vscode from "vscode";
import type { Connection } from "./connection.ts";
import type { Impacted } from "./protocol.ts";
import type { Workspaces } from "./workspaces.ts";

export class Switchboard implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onChange = this.changed.event;
  private readonly disposables: vscode.Disposable[] = [this.changed];
  private asking: vscode.CancellationTokenSource | undefined;
  /** Undefined while it is not known. */
  impact: Impacted | undefined;
  private root: string | undefined;
  private readonly connection: Connection;
  private readonly workspaces: Workspaces;
  private readonly log: vscode.LogOutputChannel;

  constructor(connection: Connection, workspaces: Workspaces, log: vscode.LogOutputChannel) {
    this.connection = connection;
    this.workspaces = workspaces;
    this.log = log;
    this.disposables.push(
      workspaces.onCurrent(() => this.measure()),
      connection.onCondition((root) => (root === undefined || root === workspaces.current) && this.measure()),
      connection.onSwitches((told) => told.root === workspaces.current && this.measure()),
      vscode.workspace.onDidChangeConfiguration(
        (event) => event.affectsConfiguration("readhead.perplexity") && this.measure(),
      ),
    );
  }

  /** Whether a newer figure is on its way; the one that is shown is then of another switchboard. */
  get isMeasuring(): boolean {
    return this.asking !== undefined;
  }

  private async measure(): Promise<void> {
    this.asking?.cancel();
    this.asking = undefined;
    const root = this.workspaces.current;
    if (root !== this.root) {
      this.impact = undefined;
      this.root = root;
    }
    const wanted = vscode.workspace.getConfiguration("readhead").get("perplexity", true);
    if (root === undefined || this.connection.condition(root) !== "ready" || !wanted) {
      this.impact = undefined;
      this.changed.fire();
      return;
    }
    const asking = new vscode.CancellationTokenSource();
    this.asking = asking;
    this.changed.fire();
    let found: Impacted | undefined;
    try {
      const uri = vscode.Uri.file(root).toString();
      found = await this.connection.request<Impacted>("readhead/perplexity", { uri }, asking.token);
    } catch (error) {
      if (this.asking === asking) {
        this.log.warn(`the switchboard's perplexity is not known: ${error}`);
      }
    }
    if (this.asking === asking) {
      this.asking = undefined;
      this.impact = found;
      this.changed.fire();
    }
    asking.dispose();
  }

  dispose(): void {
    this.asking?.cancel();
    for (const each of this.disposables) {
      each.dispose();
    }
  }
}

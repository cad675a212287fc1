/** The heads of the current workspace's model, asked for anew when the ranking or the switchboard is another one. */

import * as vscode from "vscode";
import type { Connection } from "./connection.ts";
import type { Card, Heads } from "./protocol.ts";
import type { Workspaces } from "./workspaces.ts";

export class Model implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onChange = this.changed.event;
  private readonly disposables: vscode.Disposable[];
  /** Undefined while they are not known. */
  heads: Heads | undefined;
  /** Of the workspace whose heads these are. */
  root: string | undefined;
  private asked = 0;
  private readonly connection: Connection;
  private readonly workspaces: Workspaces;
  private readonly log: vscode.LogOutputChannel;

  constructor(connection: Connection, workspaces: Workspaces, log: vscode.LogOutputChannel) {
    this.connection = connection;
    this.workspaces = workspaces;
    this.log = log;
    const own = (root: string | undefined) => root === undefined || root === workspaces.current;
    this.disposables = [
      this.changed,
      workspaces.onCurrent(() => this.learn()),
      connection.onCondition((root) => own(root) && this.learn()),
      connection.onSwitches((told) => own(told.root) && this.learn()),
      connection.onRanked((told) => own(told.root) && this.learn()),
    ];
  }

  card(head: string): Card | undefined {
    return this.heads?.cards.find((card) => card.head === head);
  }

  /** Any change may come while an older question is on its way: only the last answer counts. */
  async learn(): Promise<void> {
    this.asked += 1;
    const number = this.asked;
    const root = this.workspaces.current;
    if (root !== this.root) {
      this.root = root;
      this.heads = undefined;
      this.changed.fire(); // another workspace's heads are not shown until the model of this one is loaded
    }
    let found: Heads | undefined;
    // Asking starts the workspace's engine: it waits there until the model is loaded
    if (root !== undefined && this.connection.runs && vscode.workspace.isTrusted) {
      try {
        found = await this.connection.request<Heads>("readhead/heads", { uri: vscode.Uri.file(root).toString() });
      } catch (error) {
        if (number === this.asked) {
          this.log.warn(`the heads are not known: ${error}`);
        }
      }
    }
    if (number === this.asked) {
      this.heads = found;
      this.changed.fire();
    }
  }

  dispose(): void {
    for (const each of this.disposables) {
      each.dispose();
    }
  }
}

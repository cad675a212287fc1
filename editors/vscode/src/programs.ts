/** The active program: what the server knows of the file that is being edited. */

import * as vscode from "vscode";
import type { Connection } from "./connection.ts";
import type { ProgramDocument } from "./protocol.ts";

export interface ActiveProgram {
  readonly uri: vscode.Uri;
  readonly document: ProgramDocument;
}

export class Programs implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<ActiveProgram | undefined>();
  /** Another program is active, or more is known of it. */
  readonly onActive = this.changed.event;
  private readonly disposables: vscode.Disposable[];
  active: ActiveProgram | undefined;
  private readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
    const look = () => void this.look();
    this.disposables = [
      this.changed,
      vscode.window.onDidChangeActiveTextEditor(look),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.leave(uri)),
      connection.onCondition(look),
      connection.onScored((told) => told.uri === this.edited()?.toString() && look()),
    ];
  }

  private async look(): Promise<void> {
    const uri = this.edited();
    const document = uri === undefined || !this.connection.runs ? null : await this.ask(uri);
    if (uri?.toString() !== this.edited()?.toString()) {
      return; // it is another one by now
    }
    this.tell(uri === undefined || document === null ? undefined : { uri, document });
  }

  /** With the focus in a view, what was active is still what the views are about; in a new window, what is in sight. */
  private edited(): vscode.Uri | undefined {
    const editor = vscode.window.activeTextEditor;
    if (editor !== undefined) {
      return python(editor);
    }
    return this.active?.uri ?? vscode.window.visibleTextEditors.map(python).find((uri) => uri !== undefined);
  }

  /** At once: what is asked of the next one takes its time, and views would go on with what is closed. */
  private leave(uri: vscode.Uri): void {
    if (this.active?.uri.toString() === uri.toString()) {
      this.tell(undefined);
    }
  }

  private tell(active: ActiveProgram | undefined): void {
    this.active = active;
    void vscode.commands.executeCommand("setContext", "readhead.isProgram", active !== undefined);
    this.changed.fire(active);
  }

  private async ask(uri: vscode.Uri): Promise<ProgramDocument | null> {
    try {
      return await this.connection.request<ProgramDocument | null>("readhead/document", { uri: uri.toString() });
    } catch {
      return null; // the server is on its way out; the next look tells
    }
  }

  dispose(): void {
    for (const each of this.disposables) {
      each.dispose();
    }
  }
}

/** The text of a document that is open. */
export function openAt(uri: string): vscode.TextDocument | undefined {
  return vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri);
}

function python({ document }: vscode.TextEditor): vscode.Uri | undefined {
  return document.languageId === "python" && document.uri.scheme === "file" ? document.uri : undefined;
}

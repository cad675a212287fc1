/** Behind the line of `head`, as soon as it is measured: what the last edit did. The lens above it comes later. */

import * as vscode from "vscode";
import { type ActiveProgram, openAt, type Programs } from "./programs.ts";
import { Progress } from "./progress.ts";

/** Less is not seen in three decimals. */
const SEEN = 0.0005;

export class ProgressLine implements vscode.Disposable {
  private readonly shown = vscode.window.createTextEditorDecorationType({});
  private readonly known = new Map<string, Progress>();
  private readonly disposables: vscode.Disposable[];

  constructor(programs: Programs) {
    this.disposables = [
      this.shown,
      programs.onActive((active) => active && this.scored(active)),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        const progress = this.known.get(document.uri.toString());
        if (contentChanges.length > 0) {
          progress?.edited();
          this.show(document.uri, []);
        } else if (!document.isDirty) {
          progress?.saved(); // or an edit was undone: VS Code tells it after the change, as a change of nothing
        }
      }),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.known.delete(uri.toString())),
    ];
  }

  private scored({ uri, document }: ActiveProgram): void {
    const text = openAt(uri.toString());
    if (!document.current || text?.version !== document.version) {
      return;
    }
    const progress = this.known.get(uri.toString()) ?? new Progress();
    this.known.set(uri.toString(), progress);
    progress.scored(new Map(document.scores.map(({ head, iou }) => [head, iou])));
    const told = progress.told();
    this.show(uri, told === undefined ? [] : [behind(text.lineAt(document.line), told)]);
  }

  private show(uri: vscode.Uri, options: vscode.DecorationOptions[]): void {
    for (const editor of vscode.window.visibleTextEditors) {
      if (editor.document.uri.toString() === uri.toString()) {
        editor.setDecorations(this.shown, options);
      }
    }
  }

  dispose(): void {
    for (const each of this.disposables) {
      each.dispose();
    }
  }
}

function behind(
  line: vscode.TextLine,
  told: { readonly text: string; readonly gain: number },
): vscode.DecorationOptions {
  const color =
    Math.abs(told.gain) < SEEN ? "editorCodeLens.foreground" : told.gain > 0 ? "charts.green" : "charts.red";
  return {
    range: new vscode.Range(line.range.end, line.range.end),
    renderOptions: { after: { contentText: told.text, color: new vscode.ThemeColor(color), margin: "0 0 0 2em" } },
  };
}

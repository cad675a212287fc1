/** The head view: a panel beside the editor that follows the program at the cursor. */

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import type { Connection } from "./connection.ts";
import { type Mode, readFromView, type Shown, type ToView, type Worst } from "./messages.ts";
import type { Model } from "./model.ts";
import { type ActiveProgram, openAt, type Programs } from "./programs.ts";
import type { Card, Pattern } from "./protocol.ts";
import { signed } from "./words.ts";
import { rootAbove, type Workspaces } from "./workspaces.ts";

const TYPE = "readhead.head";

/** What is shown: a head with the text of an open program, or with its best program where `uri` is the workspace's. */
interface Target {
  /** Of the workspace. */
  readonly root: string | undefined;
  readonly uri: string;
  readonly head: string;
  readonly heads: readonly string[];
  /** Whether the program is open, and its text the one that predicts. */
  readonly isOpen: boolean;
  /** A head of the tree, which stays while programs come and go; else the active program's. */
  readonly picked: boolean;
}

export class HeadView implements vscode.Disposable, vscode.WebviewPanelSerializer {
  private readonly disposables: vscode.Disposable[];
  private panel: vscode.WebviewPanel | undefined;
  private target: Target | undefined;
  /** What was known last of the program that is shown: its editor need not be the active one. */
  private known: ActiveProgram | undefined;
  private sequence = 0;
  private text = "";
  /** What the drawing depends on; empty where there is none, or an outdated one. */
  private drawn = "";
  /** Stamp of the program text that it shows. */
  private stamp = "";
  /** The question that is on its way. */
  private asked: { readonly what: string; readonly source: vscode.CancellationTokenSource } | undefined;
  private readonly folder: vscode.Uri;
  private readonly connection: Connection;
  private readonly programs: Programs;
  private readonly model: Model;
  private readonly workspaces: Workspaces;

  constructor(folder: vscode.Uri, connection: Connection, programs: Programs, model: Model, workspaces: Workspaces) {
    this.folder = folder;
    this.connection = connection;
    this.programs = programs;
    this.model = model;
    this.workspaces = workspaces;
    this.disposables = [
      vscode.window.registerWebviewPanelSerializer(TYPE, this),
      vscode.commands.registerCommand("readhead.openHead", (row?: { readonly head?: string }) => this.open(row?.head)),
      programs.onActive(() => this.follow(false)),
      model.onChange(() => this.follow(false)),
      vscode.window.onDidChangeActiveTextEditor((editor) => editor !== undefined && this.follow(true)),
      vscode.workspace.onDidCloseTextDocument((document) => this.leave(document.uri.toString())),
    ];
  }

  /** With a head: that one and its best program. */
  open(head?: string): void {
    const root = this.workspaces.current;
    if (head !== undefined && root !== undefined) {
      const open = this.programs.active;
      this.target = open?.document.heads.includes(head)
        ? { root, uri: open.uri.toString(), head, heads: open.document.heads, isOpen: true, picked: false }
        : { ...withBest(root, head), picked: true };
    } else {
      this.retarget();
    }
    if (this.panel === undefined) {
      const panel = vscode.window.createWebviewPanel(
        TYPE,
        "Head",
        { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
        { retainContextWhenHidden: true, enableFindWidget: false },
      );
      this.fill(panel);
    } else {
      this.panel.reveal(undefined, true);
      void this.show();
    }
  }

  /** After a restart of the window. */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel): Promise<void> {
    this.retarget();
    this.fill(panel);
  }

  private fill(panel: vscode.WebviewPanel): void {
    this.panel?.dispose();
    this.panel = panel;
    this.drawn = "";
    panel.iconPath = vscode.Uri.joinPath(this.folder, "media", "icon.svg");
    panel.webview.options = { enableScripts: true, localResourceRoots: [vscode.Uri.joinPath(this.folder, "dist")] };
    panel.webview.onDidReceiveMessage((given) => this.hear(given));
    panel.onDidDispose(() => {
      if (this.panel === panel) {
        this.panel = undefined;
      }
    });
    panel.webview.html = page(panel.webview, this.folder);
  }

  private hear(given: unknown): void {
    const message = readFromView(given);
    const target = this.target;
    switch (message?.kind) {
      case "ready":
        this.drawn = "";
        void this.show();
        break;
      case "head":
        if (target !== undefined) {
          this.target = { ...target, head: message.head };
          void this.show(true);
        }
        break;
      case "sequence":
        this.sequence = message.sequence;
        this.text = "";
        void this.show(true);
        break;
      case "text":
        this.text = message.text;
        void this.show(true);
        break;
      case "flip":
        if (target !== undefined) {
          const command = target.isOpen ? "readhead.flip" : "readhead.flipBest";
          void this.run(command, target);
        }
        break;
      case "failures":
        if (target?.isOpen) {
          void this.run("readhead.compare", target);
        }
        break;
    }
  }

  private async run(command: string, { uri, head }: Target): Promise<void> {
    if (this.connection.runs) {
      await vscode.commands.executeCommand(command, uri, head);
    } else {
      this.send({ kind: "trouble", message: "The language server does not run: see the status bar." });
    }
  }

  /** The program that is shown was closed: its head stays, with its best program. */
  private leave(uri: string): void {
    if (this.known?.uri.toString() === uri) {
      this.known = undefined;
    }
    const { target } = this;
    if (target?.uri === uri) {
      this.target = target.root === undefined ? undefined : withBest(target.root, target.head);
      void this.show();
    }
  }

  /** Go on with the active program; a head of the tree stays until another program, or the same again, is edited. */
  private follow(editorChanged: boolean): void {
    if (this.panel === undefined) {
      return;
    }
    if (!this.target?.picked || (editorChanged && this.programs.active !== undefined)) {
      this.retarget();
    }
    void this.show();
  }

  private retarget(): void {
    const active = this.programs.active;
    if (active === undefined) {
      return; // what was shown last stays, beside files that are no programs
    }
    const { heads } = active.document;
    const uri = active.uri.toString();
    const before = this.target;
    const head = before !== undefined && heads.includes(before.head) ? before.head : heads[0];
    this.target =
      head === undefined
        ? undefined
        : { root: rootAbove(active.uri.fsPath), uri, head, heads, isOpen: true, picked: false };
  }

  /** Draw what the target is now, unless just that is drawn or asked for; a text that is being written only on demand. */
  private async show(demanded = false): Promise<void> {
    const target = this.target;
    if (this.panel === undefined) {
      return;
    }
    this.known = this.programs.active ?? this.known;
    if (target === undefined) {
      const open = this.programs.active?.document.name;
      this.send({
        kind: "trouble",
        message: open
          ? `${open} names no heads: give it a metadata block with # heads = ["L0H1"]`
          : "Open a program, or pick a head in the tree.",
      });
      return;
    }
    const wanted = this.key(target);
    if (wanted === this.drawn) {
      this.send({ kind: "facts", ...this.facts(target) });
      return;
    }
    if (wanted === this.asked?.what) {
      return;
    }
    this.asked?.source.cancel();
    this.drawn = "";
    this.send({ kind: "outdated" });
    const findings = this.documentOf(target)?.findings ?? 0;
    if (findings > 0) {
      this.send({ kind: "trouble", message: `The program is not run: ${findings} finding${findings > 1 ? "s" : ""}.` });
    } else if (demanded || !this.isBeingWritten(target)) {
      await this.draw(target, wanted);
    }
  }

  /** Ask for a drawing. */
  private async draw(target: Target, wanted: string): Promise<void> {
    const source = new vscode.CancellationTokenSource();
    this.asked = { what: wanted, source };
    const given = { uri: target.uri, head: target.head };
    const place = this.text ? { text: this.text } : { sequence: this.sequence };
    const told = (message: ToView) => !source.token.isCancellationRequested && this.send(message);
    try {
      const found = await this.connection.request<Pattern>("readhead/pattern", { ...given, ...place }, source.token);
      if (this.panel !== undefined && !source.token.isCancellationRequested) {
        this.drawn = wanted;
        this.stamp = found.stamp;
        this.panel.title = `Head ${target.head}`;
        told(this.shown(target, found));
        const texts = await this.connection.request<Worst["texts"]>("readhead/worst", given, source.token);
        told({ kind: "worst", texts });
      }
    } catch (error) {
      told({ kind: "trouble", message: error instanceof Error ? error.message : String(error) });
    } finally {
      if (this.asked?.source === source) {
        this.asked = undefined;
      }
      source.dispose();
    }
  }

  /** Whether the text is neither saved nor scored: when it is run is the user's setting, and the server's to know. */
  private isBeingWritten(target: Target): boolean {
    const document = this.documentOf(target);
    return document !== undefined && !document.current && (openAt(target.uri)?.isDirty ?? false);
  }

  /** What is known of the program that is shown. */
  private documentOf(target: Target): ActiveProgram["document"] | undefined {
    return this.known?.uri.toString() === target.uri ? this.known.document : undefined;
  }

  private cardOf(target: Target): Card | undefined {
    return target.root === this.model.root ? this.model.card(target.head) : undefined;
  }

  /** Of everything that a drawing depends on. */
  private key(target: Target): string {
    const program = openAt(target.uri)?.version ?? this.cardOf(target)?.best;
    const engine = this.connection.condition(target.root);
    return JSON.stringify([target.uri, target.head, program, this.sequence, this.text, engine]);
  }

  private shown(target: Target, found: Pattern): Shown {
    return {
      kind: "shown",
      head: target.head,
      heads: target.heads,
      program: found.prediction === null && found.stamp === "" ? "" : found.name,
      ...this.facts(target),
      tokens: found.tokens,
      pattern: found.pattern,
      prediction: found.prediction,
      sequence: found.sequence,
      of: found.of,
      isOpen: target.isOpen,
    };
  }

  private facts(target: Target): { facts: string; mode: Mode } {
    const card = this.cardOf(target);
    const isOther = card?.mode === "program" && this.model.heads?.board[target.head] !== this.stamp;
    const mode = isOther ? "other" : (card?.mode ?? "unknown");
    const document = this.documentOf(target);
    const score = document?.scores.find(({ head }) => head === target.head);
    if (score !== undefined) {
      const stale = document?.current ? "" : "stale: ";
      return {
        facts: `${stale}IoU ${score.iou.toFixed(3)} (${signed(score.iou - score.trivial_iou, 2)} over ${score.trivial})`,
        mode,
      };
    }
    if (!target.isOpen && card !== undefined && card.best_iou !== null) {
      const lift = signed(card.best_iou - card.trivial_iou, 2);
      return { facts: `IoU ${card.best_iou.toFixed(3)} (${lift} over ${card.trivial})`, mode };
    }
    return { facts: "", mode };
  }

  private send(message: ToView): void {
    void this.panel?.webview.postMessage(message);
  }

  dispose(): void {
    this.panel?.dispose();
    for (const each of this.disposables) {
      each.dispose();
    }
  }
}

function withBest(root: string, head: string): Target {
  return { root, uri: vscode.Uri.file(root).toString(), head, heads: [head], isOpen: false, picked: false };
}

/** The page: nothing but our own script and style, and nothing of the network. */
function page(webview: vscode.Webview, folder: vscode.Uri): string {
  const nonce = randomBytes(16).toString("base64");
  const at = (name: string) => webview.asWebviewUri(vscode.Uri.joinPath(folder, "dist", name)).toString();
  const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${at("head.css")}">
<title>Head</title>
</head>
<body>
<script nonce="${nonce}" src="${at("head.js")}"></script>
</body>
</html>`;
}

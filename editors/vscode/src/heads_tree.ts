/** The tree of layers and heads: a head's checkbox is its mode, and a click on it flips the head. */

import * as vscode from "vscode";
import { asWritten } from "./markdown.ts";
import type { Model } from "./model.ts";
import type { Card, Heads } from "./protocol.ts";
import { changedRows, type Row } from "./rows.ts";
import { cardText, counted, type Grade, gradeOf, layerOf } from "./words.ts";
import type { Workspaces } from "./workspaces.ts";

const ICONS: Readonly<Record<Grade, readonly [icon: string, colour: string]>> = {
  unknown: ["circle-outline", "disabledForeground"],
  inactive: ["circle-slash", "disabledForeground"],
  poor: ["arrow-down", "charts.red"],
  fair: ["dash", "charts.yellow"],
  good: ["arrow-up", "charts.green"],
};
const MEANINGS: Readonly<Record<Grade, string>> = {
  unknown: "no program is ranked yet",
  inactive: "looks at the first token almost always: inactive, whatever explains it",
  poor: "no program is better than its floor",
  fair: "little better than its floor",
  good: "explained",
};

export class HeadsTree implements vscode.TreeDataProvider<Row>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<Row[] | undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly disposables: vscode.Disposable[] = [this.changed];
  private readonly flipping = new Set<string>();
  private readonly rows = new Map<string, Row>();
  /** What the rows were drawn of. */
  private drawn: Heads | undefined;
  private readonly model: Model;
  private readonly workspaces: Workspaces;

  constructor(model: Model, workspaces: Workspaces) {
    this.model = model;
    this.workspaces = workspaces;
    const view = vscode.window.createTreeView<Row>("readhead.heads", {
      treeDataProvider: this,
      showCollapseAll: true,
      manageCheckboxStateManually: true,
    });
    this.disposables.push(
      view,
      model.onChange(() => {
        view.description = model.heads?.model ?? "";
        const isolation = model.heads?.isolation ?? "locked";
        view.message = isolation === "locked" ? "" : `Isolation of the programs: ${isolation}`;
        this.draw(changedRows(this.drawn, model.heads));
        this.drawn = model.heads;
      }),
      view.onDidChangeCheckboxState(({ items }) => {
        for (const [row] of items) {
          void this.flip(row);
        }
      }),
      vscode.workspace.onDidChangeConfiguration(
        (event) => event.affectsConfiguration("readhead") && this.draw(undefined),
      ),
      vscode.commands.registerCommand("readhead.flipHead", (row?: Row) => row && this.flip(row)),
      vscode.commands.registerCommand("readhead.openBest", (row?: Row) => row && this.openBest(row)),
    );
  }

  getChildren(row?: Row): Row[] {
    const { heads } = this.model;
    if (heads === undefined) {
      return [];
    }
    if (row === undefined) {
      return Array.from({ length: heads.layers }, (_, layer) => this.kept({ layer }));
    }
    return "layer" in row ? this.cards(row.layer).map(({ head }) => this.kept({ head })) : [];
  }

  getTreeItem(row: Row): vscode.TreeItem {
    if ("layer" in row) {
      return this.layerItem(row.layer);
    }
    const card = this.model.card(row.head);
    return card === undefined ? new vscode.TreeItem(row.head) : this.headItem(card);
  }

  private cards(layer: number): readonly Card[] {
    return this.model.heads?.cards.filter(({ head }) => layerOf(head) === layer) ?? [];
  }

  private layerItem(layer: number): vscode.TreeItem {
    const cards = this.cards(layer);
    const programs = cards.filter((card) => card.mode === "program").length;
    const item = new vscode.TreeItem(`Layer ${layer}`, vscode.TreeItemCollapsibleState.Expanded);
    item.id = `layer ${layer}`;
    item.description =
      programs === 0 ? counted(cards.length, "head") : `${programs} of ${cards.length} in program mode`;
    item.contextValue = "layer";
    return item;
  }

  private headItem(card: Card): vscode.TreeItem {
    const settings = vscode.workspace.getConfiguration("readhead");
    const grade = gradeOf(card, settings.get("leastLift", 0), settings.get("goodLift", 0.05));
    const [icon, colour] = this.flipping.has(card.head) ? ["loading~spin", "foreground"] : ICONS[grade];
    const item = new vscode.TreeItem(card.head);
    item.id = card.head;
    item.description = cardText(card);
    item.iconPath = new vscode.ThemeIcon(icon, new vscode.ThemeColor(colour));
    item.contextValue = card.path ? "head best" : "head";
    item.checkboxState = {
      state: card.mode === "program" ? vscode.TreeItemCheckboxState.Checked : vscode.TreeItemCheckboxState.Unchecked,
      tooltip: card.mode === "program" ? "In program mode: click for neural" : "Neural: click for its best program",
      accessibilityInformation: { label: `${card.head} in program mode`, role: "checkbox" },
    };
    item.tooltip = tooltip(card, grade);
    item.command = { command: "readhead.openHead", title: "Show the head", arguments: [row(card)] };
    return item;
  }

  private async flip(row: Row): Promise<void> {
    const root = this.workspaces.current;
    if (!("head" in row) || root === undefined) {
      return;
    }
    this.flipping.add(row.head);
    this.draw([row]);
    try {
      await vscode.commands.executeCommand("readhead.flipBest", vscode.Uri.file(root).toString(), row.head);
    } finally {
      this.flipping.delete(row.head);
      this.draw([row]); // a head that may not be flipped shows its mode again
    }
  }

  /** No more rows than have to be, undefined for all: VS Code loses a click on one that it draws just then. */
  private draw(rows: Row[] | undefined): void {
    if (rows?.length !== 0) {
      this.changed.fire(rows?.map((row) => this.kept(row)));
    }
  }

  /** The tree knows a row again by its identity. */
  private kept(row: Row): Row {
    const key = "layer" in row ? `layer ${row.layer}` : row.head;
    const found = this.rows.get(key) ?? row;
    this.rows.set(key, found);
    return found;
  }

  private async openBest(row: Row): Promise<void> {
    const path = "head" in row ? this.model.card(row.head)?.path : undefined;
    if (path) {
      await vscode.window.showTextDocument(vscode.Uri.file(path));
    }
  }

  dispose(): void {
    for (const each of this.disposables) {
      each.dispose();
    }
  }
}

function row(card: Card): Row {
  return { head: card.head };
}

function tooltip(card: Card, grade: Grade): vscode.MarkdownString {
  const lines = [
    `**${card.head}** (${card.mode}): ${MEANINGS[grade]}`,
    ...(card.best_iou === null
      ? []
      : [
          `Best program: ${asWritten(card.best)}, IoU ${card.best_iou.toFixed(3)}; floor: ${asWritten(card.trivial)}, IoU ${card.trivial_iou.toFixed(3)} (dev texts)`,
        ]),
    ...(card.explanation ? [asWritten(card.explanation)] : []),
    ...(card.category ? [`Category: ${asWritten(card.category)}`] : []),
  ];
  return new vscode.MarkdownString(lines.join("\n\n"));
}

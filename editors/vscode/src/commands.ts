/** Commands of the palette: each asks for what is not given, and hands the rest to the server. */

import { execFile } from "node:child_process";
import * as os from "node:os";
import * as vscode from "vscode";
import type { ExecuteCommandSignature } from "vscode-languageclient/node";
import type { Connection } from "./connection.ts";
import { offerWorkspace, openWalkthrough, tellMissing, tellStopped } from "./help.ts";
import type { ActiveProgram, Programs } from "./programs.ts";
import type { FrontRow, Heads } from "./protocol.ts";
import type { Workspaces } from "./workspaces.ts";

/** Server commands on the active program alone, by the palette's name. */
const ON_PROGRAM: Readonly<Record<string, string>> = {
  "readhead.program.fit": "readhead.fit",
  "readhead.program.record": "readhead.record",
  "readhead.program.score": "readhead.score",
};

/** Server commands on the active program and one of its heads. */
const ON_HEAD: Readonly<Record<string, string>> = {
  "readhead.program.flip": "readhead.flip",
  "readhead.program.pick": "readhead.pick",
  "readhead.program.refine": "readhead.refine",
  "readhead.program.failures": "readhead.compare",
};

export function registerCommands(
  connection: Connection,
  programs: Programs,
  workspaces: Workspaces,
  log: vscode.LogOutputChannel,
): vscode.Disposable[] {
  const register = vscode.commands.registerCommand;
  const send = vscode.commands.executeCommand;
  return [
    ...Object.entries(ON_PROGRAM).map(([own, command]) =>
      register(own, () => programs.active && send(command, programs.active.uri.toString())),
    ),
    register("readhead.program.fitHere", () => fitHere(programs.active)),
    ...Object.entries(ON_HEAD).map(([own, command]) =>
      register(own, async () => {
        const head = await headOf(programs.active);
        return head && programs.active && send(command, programs.active.uri.toString(), head);
      }),
    ),
    register("readhead.program.addHead", async () => {
      const root = await served(connection, workspaces);
      const head = root && (await headOfModel(connection, root, "Which head does the program explain, too?"));
      return head && programs.active && send("readhead.setBest", programs.active.uri.toString(), head);
    }),
    register("readhead.createProgram", async (item?: { readonly head?: string }) => {
      const root = await served(connection, workspaces);
      const head = root && (item?.head ?? (await headOfModel(connection, root, "Write a program for which head?")));
      return root && head && send("readhead.create", at(root), head);
    }),
    register("readhead.restartEngine", async () => {
      const root = await served(connection, workspaces);
      return root && send("readhead.restart", at(root));
    }),
    register("readhead.restartServer", () => connection.restart()),
    register("readhead.initWorkspace", () => initWorkspace(connection)),
    register("readhead.showLog", () => log.show()),
    register("readhead.openWalkthrough", openWalkthrough),
    register("readhead.menu", () => menu(connection, workspaces)),
  ];
}

/** `readhead.pick` without a size opens a list of all sizes, where the server's own question has room for few. */
export async function filterCommands(
  command: string,
  given: unknown[],
  next: ExecuteCommandSignature,
): Promise<unknown> {
  if (command !== "readhead.pick" || given.length !== 2) {
    return next(command, given);
  }
  const rows = (await next("readhead.front", given)) as FrontRow[] | null;
  if (!rows) {
    return null; // the server has told why
  }
  const items = rows.map((row) => ({
    label: `${row.terms} term${row.terms === 1 ? "" : "s"}`,
    description: `IoU ${row.iou.toFixed(3)}${row.chosen ? " · worth its size" : ""}`,
    detail: formula(row.source),
    terms: row.terms,
  }));
  const picked = await vscode.window.showQuickPick(items, {
    title: `Programs for ${given[1]} by size`,
    placeHolder: "The larger, the closer (IoU on dev texts)",
    matchOnDescription: true,
  });
  return picked === undefined ? null : next("readhead.pick", [...given, picked.terms]);
}

/** A program's last statement in a line, for a list. */
export function formula(source: string): string {
  const code = source.slice(source.lastIndexOf("return ")).replace(/#.*$/gm, "");
  return code
    .replace(/^return\s+/, "")
    .replace(/\s+/g, " ")
    .trim();
}

/** `readhead init` in the folder that is open; the user is asked where they are several. */
async function initWorkspace(connection: Connection): Promise<void> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length === 0) {
    await vscode.commands.executeCommand("workbench.action.files.openFolder");
    return;
  }
  const wanted =
    folders.length === 1
      ? folders[0]
      : await vscode.window.showWorkspaceFolderPick({ placeHolder: "Make which folder a workspace?" });
  if (wanted === undefined) {
    return;
  }
  const folder = wanted.uri.fsPath;
  const found = await connection.locate();
  if (found.kind === "missing") {
    await tellMissing(found.wanted);
    return;
  }
  if (!vscode.workspace.isTrusted) {
    await vscode.commands.executeCommand("workbench.trust.manage");
    return;
  }
  execFile(found.command, ["init", folder], { cwd: os.homedir() }, (error, _, stderr) => {
    if (error === null) {
      void vscode.window.showTextDocument(vscode.Uri.joinPath(vscode.Uri.file(folder), "readhead.toml"));
    } else {
      void vscode.window.showErrorMessage(`Readhead: ${stderr.trim() || error.message}`);
    }
  });
}

/** The workspace, once the server runs; where one of both is missing, the user is told what to do. */
async function served(connection: Connection, workspaces: Workspaces): Promise<string | undefined> {
  const root = workspaces.current;
  if (root === undefined) {
    void offerWorkspace();
    return undefined;
  }
  await connection.start(); // if it is missing, that is told
  if (!connection.runs && connection.condition(root) !== "missing") {
    void tellStopped();
  }
  return connection.runs ? root : undefined;
}

function at(root: string): string {
  return vscode.Uri.file(root).toString();
}

function fitHere(active: ActiveProgram | undefined): Thenable<unknown> | undefined {
  const editor = vscode.window.activeTextEditor;
  if (active === undefined || editor === undefined) {
    return undefined;
  }
  const { line, character } = editor.selection.active;
  return vscode.commands.executeCommand("readhead.fit", active.uri.toString(), { line, character });
}

/** One of a program's heads; the user is asked where they are several. */
async function headOf(active: ActiveProgram | undefined): Promise<string | undefined> {
  const heads = active?.document.heads ?? [];
  if (active !== undefined && heads.length === 0) {
    void vscode.window.showInformationMessage(
      `${active.document.name} names no heads. Give it a metadata block: # heads = ["L0H1"]`,
    );
  }
  return heads.length > 1 ? vscode.window.showQuickPick([...heads], { placeHolder: "Which head?" }) : heads[0];
}

async function headOfModel(connection: Connection, root: string, placeHolder: string): Promise<string | undefined> {
  // As a promise: the list stands there and says that it is busy while the model is being loaded
  const items = connection.request<Heads>("readhead/heads", { uri: at(root) }).then(({ cards }) =>
    cards.map((card) => ({
      label: card.head,
      description: card.best_iou === null ? "" : `IoU ${card.best_iou.toFixed(3)} · ${card.best}`,
      detail: card.explanation,
    })),
  );
  return (await vscode.window.showQuickPick(items, { placeHolder, matchOnDescription: true }))?.label;
}

async function menu(connection: Connection, workspaces: Workspaces): Promise<void> {
  const entries = [
    ["$(layout-sidebar-right) Show the head view", "readhead.openHead", connection.runs],
    ["$(list-tree) Show all heads", "readhead.heads.focus", true],
    ["$(refresh) Restart the engine", "readhead.restartEngine", connection.runs && workspaces.current !== undefined],
    ["$(debug-restart) Restart the language server", "readhead.restartServer", true],
    ["$(shield) Manage workspace trust", "workbench.trust.manage", !vscode.workspace.isTrusted],
    ["$(output) Show the log", "readhead.showLog", true],
    ["$(gear) Settings", "readhead.openSettings", true],
    ["$(book) Get started", "readhead.openWalkthrough", true],
  ] as const;
  const items = entries.filter(([, , usable]) => usable).map(([label, command]) => ({ label, command }));
  const picked = await vscode.window.showQuickPick(items, { placeHolder: "Readhead" });
  if (picked?.command === "readhead.openSettings") {
    await vscode.commands.executeCommand("workbench.action.openSettings", "@ext:readhead.readhead");
  } else if (picked !== undefined) {
    await vscode.commands.executeCommand(picked.command);
  }
}

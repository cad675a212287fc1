/** `readhead check` in the testing view: whether the recorded scores of program files still hold. */

import { execFile } from "node:child_process";
import * as path from "node:path";
import * as vscode from "vscode";
import type { Connection } from "./connection.ts";
import { offerWorkspace } from "./help.ts";
import { asOpened, isBelow, isLeftOut, LEFT_OUT_GLOB } from "./places.ts";
import { type Check, readChecks } from "./reports.ts";
import type { Workspaces } from "./workspaces.ts";

const MARK = "[tool.readhead.recorded";
const LONGEST = 64 * 1024 * 1024;

export class Checks implements vscode.Disposable {
  private readonly controller = vscode.tests.createTestController("readhead.check", "Readhead: recorded scores");
  private readonly disposables: vscode.Disposable[];
  private readonly connection: Connection;
  private readonly workspaces: Workspaces;
  private readonly folder: string;

  constructor(connection: Connection, workspaces: Workspaces, folder: string) {
    this.connection = connection;
    this.workspaces = workspaces;
    this.folder = folder;
    const watcher = vscode.workspace.createFileSystemWatcher("**/*.py");
    const look = (uri: vscode.Uri) => void this.look(uri);
    this.controller.refreshHandler = () => this.lookAround();
    this.controller.resolveHandler = async (item) => (item === undefined ? this.lookAround() : undefined);
    this.controller.createRunProfile("Check", vscode.TestRunProfileKind.Run, (asked) => this.run(asked), true);
    this.disposables = [
      this.controller,
      watcher,
      watcher.onDidCreate(look),
      watcher.onDidChange(look),
      watcher.onDidDelete((uri) => this.controller.items.delete(uri.toString())),
      workspaces.onCurrent(() => void this.lookAround()),
      vscode.commands.registerCommand("readhead.check", () => this.runAll()),
    ];
  }

  /** Of the workspace, as its files' addresses begin in this window. */
  private get root(): string | undefined {
    const folders = (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath);
    return this.workspaces.current === undefined ? undefined : asOpened(this.workspaces.current, folders);
  }

  /** All files of the workspace in which scores are recorded. */
  private async lookAround(): Promise<void> {
    const root = this.root;
    const files =
      root === undefined
        ? []
        : await vscode.workspace.findFiles(new vscode.RelativePattern(root, "**/*.py"), LEFT_OUT_GLOB);
    this.controller.items.replace([]);
    await Promise.all(files.map((file) => this.look(file)));
  }

  private async look(uri: vscode.Uri): Promise<void> {
    const root = this.root;
    const id = uri.toString();
    if (root === undefined || !isBelow(uri.fsPath, root) || isLeftOut(uri.fsPath, root)) {
      return;
    }
    const text = await textOf(uri);
    if (!text.includes(MARK)) {
      this.controller.items.delete(id);
      return;
    }
    const item =
      this.controller.items.get(id) ?? this.controller.createTestItem(id, path.basename(uri.fsPath, ".py"), uri);
    const line = text.slice(0, Math.max(0, text.indexOf("def head("))).split("\n").length - 1;
    item.range = new vscode.Range(line, 0, line, 0);
    item.description = path.relative(root, path.dirname(uri.fsPath));
    this.controller.items.add(item);
  }

  private async runAll(): Promise<void> {
    if (this.root === undefined) {
      await offerWorkspace();
      return;
    }
    await vscode.commands.executeCommand("workbench.view.testing.focus");
    await this.lookAround();
    await this.run(new vscode.TestRunRequest());
  }

  private async run(asked: vscode.TestRunRequest): Promise<void> {
    const left = new Set(asked.exclude ?? []);
    const items = asked.include ?? [...this.controller.items].map(([, item]) => item);
    const wanted = items.filter((item) => !left.has(item));
    if (wanted.length === 0) {
      // Without files the command would check the whole workspace, and there would be no row to show it in
      void vscode.window.showInformationMessage(
        "Readhead: no program here has recorded scores. Open one, and run Record the Scores in the Metadata.",
      );
      return;
    }
    const run = this.controller.createTestRun(asked);
    for (const item of wanted) {
      run.started(item);
    }
    try {
      const checks = await this.check(wanted, run);
      for (const item of wanted) {
        tell(
          run,
          item,
          checks.filter((check) => check.file === item.uri?.fsPath),
        );
      }
    } catch (error) {
      if (run.token.isCancellationRequested) {
        return; // the end of the run clears the rows that are still busy
      }
      const message = new vscode.TestMessage(error instanceof Error ? error.message : String(error));
      for (const item of wanted) {
        run.errored(item, message);
      }
    } finally {
      run.end();
    }
  }

  private async check(items: readonly vscode.TestItem[], run: vscode.TestRun): Promise<readonly Check[]> {
    const root = this.workspaces.current;
    if (!vscode.workspace.isTrusted) {
      throw new Error("The workspace is not trusted: nothing of it runs");
    }
    const found = await this.connection.locate();
    if (found.kind === "missing" || root === undefined) {
      throw new Error("The command readhead was not found: see the setting readhead.path");
    }
    const files = items.flatMap((item) => (item.uri === undefined ? [] : [item.uri.fsPath]));
    const given = ["check", "--json", "--workspace", root, ...files];
    const written = await new Promise<string>((resolve, reject) => {
      // Away from the workspace, whose files Python would otherwise import in the place of modules
      const child = execFile(
        found.command,
        given,
        { cwd: this.folder, maxBuffer: LONGEST },
        (error, stdout, stderr) => {
          run.appendOutput(stderr.replaceAll("\n", "\r\n"));
          if (stdout.trim() === "") {
            reject(new Error(stderr.trim() || String(error)));
          } else {
            resolve(stdout); // exit status 1 says that one does not hold
          }
        },
      );
      run.token.onCancellationRequested(() => child.kill());
    });
    return readChecks(written);
  }

  dispose(): void {
    for (const each of this.disposables) {
      each.dispose();
    }
  }
}

/** Empty where it cannot be read: it is gone by now, or not ours to read. */
async function textOf(uri: vscode.Uri): Promise<string> {
  try {
    return Buffer.from(await vscode.workspace.fs.readFile(uri)).toString("utf8");
  } catch {
    return "";
  }
}

function tell(run: vscode.TestRun, item: vscode.TestItem, checks: readonly Check[]): void {
  const broken = checks.filter((check) => !check.ok);
  if (checks.length === 0) {
    run.skipped(item);
  } else if (broken.length === 0) {
    run.passed(item);
    for (const check of checks) {
      run.appendOutput(`${item.label} ${check.head}: IoU ${check.recorded} holds\r\n`, undefined, item);
    }
  } else {
    run.failed(
      item,
      broken.map((check) => messageOf(check, item)),
    );
  }
}

function messageOf(check: Check, item: vscode.TestItem): vscode.TestMessage {
  const told = `${check.head}: ${check.reason}`;
  const message =
    check.measured === null
      ? new vscode.TestMessage(told)
      : vscode.TestMessage.diff(told, String(check.recorded), check.measured.toFixed(4));
  if (item.uri !== undefined && item.range !== undefined) {
    message.location = new vscode.Location(item.uri, item.range);
  }
  return message;
}

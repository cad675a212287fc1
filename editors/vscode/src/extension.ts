/** Wiring only: what the extension consists of, and when it begins. */

import * as vscode from "vscode";
import { Checks } from "./checks.ts";
import { filterCommands, registerCommands } from "./commands.ts";
import { Connection } from "./connection.ts";
import { HeadView } from "./head_view.ts";
import { HeadsTree } from "./heads_tree.ts";
import { tellMissing } from "./help.ts";
import { Model } from "./model.ts";
import { Programs } from "./programs.ts";
import { ProgressLine } from "./progress_line.ts";
import { Status } from "./status.ts";
import { Switchboard } from "./switchboard.ts";
import { isProgram, Workspaces } from "./workspaces.ts";

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("Readhead", { log: true });
  const connection = new Connection(log, filterCommands, (wanted) => void tellMissing(wanted));
  const workspaces = new Workspaces();
  const programs = new Programs(connection);
  const switchboard = new Switchboard(connection, workspaces, log);
  const model = new Model(connection, workspaces, log);
  const status = new Status(connection, switchboard, workspaces);
  context.subscriptions.push(
    log,
    connection,
    workspaces,
    programs,
    switchboard,
    status,
    model,
    new HeadsTree(model, workspaces),
    new HeadView(context.extensionUri, connection, programs, model, workspaces),
    new ProgressLine(programs),
    new Checks(connection, workspaces, context.extensionPath),
    ...registerCommands(connection, programs, workspaces, log),
  );

  let begun = false;
  const begin = () => {
    if (!begun && (workspaces.current !== undefined || vscode.workspace.textDocuments.some(isProgram))) {
      begun = true;
      status.show();
      void connection.start();
    }
  };
  context.subscriptions.push(
    workspaces.onCurrent(begin),
    vscode.workspace.onDidOpenTextDocument(begin),
    vscode.workspace.onDidGrantWorkspaceTrust(() => begun && void connection.restart()),
    vscode.workspace.onDidChangeConfiguration(
      (event) => begun && event.affectsConfiguration("readhead.path") && void connection.restart(),
    ),
  );
  await workspaces.look();
  begin();
}

/** The language server's process: found, started, restarted, and what it says of its engines. */

import * as fs from "node:fs";
import * as os from "node:os";
import * as vscode from "vscode";
import {
  type ExecuteCommandSignature,
  LanguageClient,
  type LanguageClientOptions,
  State,
} from "vscode-languageclient/node";
import { type Found, findReadhead } from "./finding.ts";
import { Pacing } from "./pacing.ts";
import { real } from "./places.ts";
import { type RankedTold, type ScoredTold, SERVER_SETTINGS, type StateTold, type SwitchesTold } from "./protocol.ts";
import type { Condition } from "./words.ts";

/** A server answers within a second or two; a command that is none may never do. */
const START_MS = 30_000;

/** Called instead of sending a command to the server; `next` sends it. */
export type CommandFilter = (command: string, given: unknown[], next: ExecuteCommandSignature) => unknown;

export class Connection implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<string | undefined>();
  private readonly switched = new vscode.EventEmitter<SwitchesTold>();
  private readonly newlyRanked = new vscode.EventEmitter<RankedTold>();
  private readonly measured = new vscode.EventEmitter<ScoredTold>();
  /** Of the root whose condition is another one; undefined for all. */
  readonly onCondition = this.changed.event;
  readonly onSwitches = this.switched.event;
  readonly onRanked = this.newlyRanked.event;
  readonly onScored = this.measured.event;
  /** What keeps the server from running; what was looked for in vain tells more where it is missing. */
  private own: Condition = "stopped";
  private readonly engines = new Map<string, StateTold>();
  private client: LanguageClient | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly lenses = new Pacing(() => this.refreshLenses());
  private readonly saves = vscode.workspace.onWillSaveTextDocument(() => this.lenses.changed());
  private readonly edits = vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
    const isSeen = document === vscode.window.activeTextEditor?.document && document.languageId === "python";
    if (isSeen && contentChanges.length > 0) {
      this.lenses.edited(); // of no other text does the editor ask for our lenses
    }
  });
  private readonly log: vscode.LogOutputChannel;
  private readonly filter: CommandFilter;
  private readonly missing: (wanted: string) => void;
  /** The command that runs, or ran last. */
  found: Found | undefined;

  constructor(log: vscode.LogOutputChannel, filter: CommandFilter, missing: (wanted: string) => void) {
    this.log = log;
    this.filter = filter;
    this.missing = missing;
  }

  /** Of a workspace's engine, or of what keeps it from running. */
  condition(root: string | undefined): Condition {
    if (this.own !== "ready") {
      return this.own;
    }
    const engine = root === undefined ? undefined : this.engines.get(root);
    return engine?.state ?? (vscode.workspace.isTrusted ? "closed" : "restricted");
  }

  /** What an engine told last. */
  engine(root: string): StateTold | undefined {
    return this.engines.get(root);
  }

  get runs(): boolean {
    return this.own === "ready";
  }

  /** Start the server, unless it runs. */
  start(): Promise<void> {
    return this.inTurn(async () => {
      if (this.client === undefined) {
        await this.launch();
      }
    });
  }

  /** Look for `readhead` again, and start it anew. */
  restart(): Promise<void> {
    return this.inTurn(async () => {
      await this.end();
      await this.launch();
    });
  }

  /** Ask the server, once it runs. */
  async request<T>(method: string, given: object, token?: vscode.CancellationToken): Promise<T> {
    await this.turn;
    if (this.client === undefined) {
      throw new Error("the language server does not run");
    }
    // A token that is there but undefined would be sent as a second parameter
    return token === undefined
      ? this.client.sendRequest<T>(method, given)
      : this.client.sendRequest<T>(method, given, token);
  }

  /** Look for the command, which may be another one by now. */
  async locate(): Promise<Found> {
    this.found = await search();
    return this.found;
  }

  dispose(): void {
    void this.inTurn(() => this.end());
    for (const each of [
      this.saves,
      this.edits,
      this.lenses,
      this.changed,
      this.switched,
      this.newlyRanked,
      this.measured,
    ]) {
      each.dispose();
    }
  }

  /** One start or stop after the other: two servers would both register their commands. */
  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.turn.then(work);
    this.turn = done.catch((error) => this.log.error(String(error)));
    return done;
  }

  private async launch(): Promise<void> {
    const found = await this.locate();
    if (found.kind === "missing") {
      this.log.error(found.wanted ? `there is no ${found.wanted}` : "the command readhead was not found");
      this.tell("missing");
      this.missing(found.wanted);
      return;
    }
    this.log.info(`starts ${found.command} (${found.origin})`);
    this.tell("starting");
    const client = this.newClient(found.command);
    this.client = client;
    client.onDidChangeState(({ newState }) => {
      if (this.client === client) {
        if (newState !== State.Running) {
          this.engines.clear();
        }
        this.tell(newState === State.Running ? "ready" : newState === State.Starting ? "starting" : "stopped");
      }
    });
    try {
      await Promise.race([client.start(), tooLate(START_MS)]);
    } catch (error) {
      this.log.error(`the language server could not be started: ${error}`);
      this.client = undefined; // one that never answers would keep the next start waiting
      this.tell("stopped");
      const choice = vscode.window.showErrorMessage(
        `Readhead: ${found.command} does not work as a language server`,
        "Show Log",
        "Open Settings",
      );
      void choice.then((chosen) => {
        if (chosen === "Show Log") {
          this.log.show();
        } else if (chosen !== undefined) {
          void vscode.commands.executeCommand("workbench.action.openSettings", "readhead.path");
        }
      });
    }
  }

  private newClient(command: string): LanguageClient {
    const options: LanguageClientOptions = {
      documentSelector: [{ scheme: "file", language: "python" }],
      outputChannel: this.log,
      initializationOptions: { trusted: vscode.workspace.isTrusted },
      middleware: {
        provideCodeLenses: async (document, token, next) => {
          this.lenses.asked();
          try {
            return await next(document, token);
          } finally {
            this.lenses.answered();
          }
        },
        executeCommand: (name, given, next) => this.filter(name, given, next),
        workspace: {
          configuration: async (params, token, next) => {
            const answers = await next(params, token);
            return Array.isArray(answers) ? answers.map(serverSettings) : answers;
          },
        },
      },
    };
    // Without a transport: naming stdio adds an argument `--stdio`.
    const run = { command, args: ["lsp"] };
    const client = new LanguageClient("readhead", "Readhead", run, options);
    // Comes after the client's own features, at each start: it takes the place of what they do at a refresh
    client.registerFeature({
      fillClientCapabilities: () => undefined,
      getState: () => ({ kind: "static" }),
      initialize: () => client.onRequest("workspace/codeLens/refresh", () => this.lenses.changed()),
      clear: () => undefined,
    });
    client.onNotification("readhead/state", (told: StateTold) => {
      this.log.info(`${told.root}: ${told.state}${told.error ? `: ${told.error.message}` : ""}`);
      this.engines.set(told.root, told);
      this.changed.fire(told.root);
    });
    client.onNotification("readhead/switches", (told: SwitchesTold) => this.switched.fire(told));
    client.onNotification("readhead/ranked", (told: RankedTold) => this.newlyRanked.fire(told));
    client.onNotification("readhead/scored", (told: ScoredTold) => this.measured.fire(told));
    return client;
  }

  private refreshLenses(): void {
    const feature = this.client?.getFeature("textDocument/codeLens");
    for (const document of vscode.workspace.textDocuments) {
      feature?.getProvider(document)?.onDidChangeCodeLensEmitter.fire();
    }
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.engines.clear();
    if (client !== undefined) {
      try {
        await client.dispose();
      } catch (error) {
        this.log.warn(`the language server did not end by itself: ${error}`);
      }
    }
    this.tell("stopped");
  }

  private tell(condition: Condition): void {
    this.own = condition;
    this.changed.fire(undefined);
  }
}

function tooLate(milliseconds: number): Promise<never> {
  return new Promise((_, reject) =>
    setTimeout(() => reject(new Error(`no answer within ${milliseconds / 1000} s`)), milliseconds).unref(),
  );
}

function serverSettings(given: unknown): unknown {
  if (typeof given !== "object" || given === null) {
    return given;
  }
  return Object.fromEntries(
    Object.entries(given).filter(([key]) => (SERVER_SETTINGS as readonly string[]).includes(key)),
  );
}

async function search(): Promise<Found> {
  const trusted = vscode.workspace.isTrusted;
  return findReadhead({
    setting: vscode.workspace.getConfiguration("readhead").get("path", ""),
    folders: (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath),
    trusted,
    interpreter: trusted ? await interpreter() : undefined,
    path: process.env.PATH ?? "",
    home: os.homedir(),
    windows: process.platform === "win32",
    runs,
    real,
  });
}

function runs(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** What the Python extension exports of its interpreters. */
interface PythonExports {
  readonly environments?: { getActiveEnvironmentPath(): { readonly path: string } };
}

async function interpreter(): Promise<string | undefined> {
  const python = vscode.extensions.getExtension<PythonExports>("ms-python.python");
  try {
    const exported = python === undefined ? undefined : await python.activate();
    return exported?.environments?.getActiveEnvironmentPath().path;
  } catch {
    return undefined; // its trouble is its own to tell
  }
}

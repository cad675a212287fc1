/** What the language server says beyond the protocol; `docs/server.md` of the project tells more. */

/** What a workspace's engine is doing. */
export type EngineState = "starting" | "loading" | "ready" | "failed" | "restarting" | "closed";

/** Of `readhead/state`. */
export interface StateTold {
  readonly root: string;
  readonly state: EngineState;
  readonly model?: string;
  readonly error?: { readonly message: string; readonly hint: string };
}

/** Of `readhead/switches`: heads in program mode, each with the stamp of its program's text. */
export interface SwitchesTold {
  readonly root: string;
  readonly heads: Readonly<Record<string, string>>;
}

/** Of `readhead/ranked`: which programs are best is known anew. */
export interface RankedTold {
  readonly root: string;
}

/** Of `readhead/scored`: something new is known of an open program. */
export interface ScoredTold {
  readonly uri: string;
  readonly version: number;
  /** Of the text that was measured. */
  readonly stamp: string;
}

/** One head, as `readhead/heads` tells of it. */
export interface Card {
  readonly head: string;
  readonly trivial: string;
  readonly trivial_iou: number;
  readonly inactive: boolean;
  readonly best: string;
  readonly best_iou: number | null;
  readonly explanation: string;
  readonly category: string;
  readonly path: string;
  readonly mode: "neural" | "program";
}

/** Of `readhead/heads`. */
export interface Heads {
  readonly model: string;
  readonly layers: number;
  readonly heads: number;
  readonly cards: readonly Card[];
  /** How programs are kept apart from the machine: `locked`, or in how far they are not. */
  readonly isolation: string;
  /** Heads in program mode, each with the stamp of its program's text. */
  readonly board: Readonly<Record<string, string>>;
}

/** Of `readhead/perplexity`. */
export interface Impacted {
  readonly perplexity: number;
  readonly neural_perplexity: number;
  readonly increase_percent: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly replaced: readonly string[];
}

/** Of `readhead/document`. */
export interface ProgramDocument {
  readonly name: string;
  readonly version: number;
  /** From 0; of `head`, over which the lenses stand. */
  readonly line: number;
  readonly heads: readonly string[];
  readonly findings: number;
  readonly scores: readonly {
    readonly head: string;
    readonly iou: number;
    readonly trivial: string;
    readonly trivial_iou: number;
  }[];
  /** Whether the scores are those of this version. */
  readonly current: boolean;
}

/** Of `readhead/pattern`. */
export interface Pattern {
  readonly head: string;
  readonly tokens: readonly string[];
  /** A row for each query, a column for each key. */
  readonly pattern: readonly (readonly number[])[];
  readonly prediction: readonly (readonly number[])[] | null;
  readonly stamp: string;
  readonly sequence: number | null;
  readonly of: number | null;
  readonly name: string;
}

/** A row of the command `readhead.front`. */
export interface FrontRow {
  readonly terms: number;
  readonly iou: number;
  readonly chosen?: boolean;
  readonly source: string;
}

/** Settings that are the server's; the others are ours, and it would call them unknown. */
export const SERVER_SETTINGS = ["scoreWhileTyping", "pause", "perplexity", "blame", "leastLift", "goodLift"] as const;

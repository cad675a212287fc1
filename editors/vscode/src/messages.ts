/** What the head view and the extension say to each other. Free of the editor and of the page. */

/** A head beside a program, on one text. */
export interface Shown {
  readonly kind: "shown";
  readonly head: string;
  /** That the program names; one, or the head itself where no program is open. */
  readonly heads: readonly string[];
  /** Name of what predicts; empty where nothing does. */
  readonly program: string;
  /** What is known in numbers, in words. */
  readonly facts: string;
  readonly mode: Mode;
  /** Whether the program is open in an editor: of others there is no page of failures. */
  readonly isOpen: boolean;
  readonly tokens: readonly string[];
  readonly pattern: readonly (readonly number[])[];
  readonly prediction: readonly (readonly number[])[] | null;
  /** Number of the dev text, and how many there are; null for a text of the user's. */
  readonly sequence: number | null;
  readonly of: number | null;
}

/** Of a head; `other` where a program stands in its place that is not the one that is shown. */
export type Mode = "neural" | "program" | "other" | "unknown";

/** What changes without another drawing. */
export interface Facts {
  readonly kind: "facts";
  readonly facts: string;
  readonly mode: Mode;
}

/** The drawing is of an older text; another one is on its way, or comes with the next score. */
export interface Outdated {
  readonly kind: "outdated";
}

/** The dev texts, from the one on that the program fails on most. */
export interface Worst {
  readonly kind: "worst";
  readonly texts: readonly { readonly sequence: number; readonly iou: number; readonly failed: boolean }[];
}

/** Why there is no drawing of the text as it is. */
export interface Trouble {
  readonly kind: "trouble";
  readonly message: string;
}

export type ToView = Shown | Facts | Outdated | Worst | Trouble;

export type FromView =
  | { readonly kind: "ready" }
  | { readonly kind: "head"; readonly head: string }
  | { readonly kind: "sequence"; readonly sequence: number }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "flip" }
  | { readonly kind: "failures" };

/** A message of the view, looked through: undefined for what is none. */
export function readFromView(given: unknown): FromView | undefined {
  if (typeof given !== "object" || given === null) {
    return undefined;
  }
  const message = given as Record<string, unknown>;
  switch (message.kind) {
    case "ready":
    case "flip":
    case "failures":
      return { kind: message.kind };
    case "head":
      return typeof message.head === "string" && /^L\d+H\d+$/.test(message.head)
        ? { kind: "head", head: message.head }
        : undefined;
    case "sequence":
      return Number.isSafeInteger(message.sequence) && (message.sequence as number) >= 0
        ? { kind: "sequence", sequence: message.sequence as number }
        : undefined;
    case "text":
      return typeof message.text === "string" ? { kind: "text", text: message.text } : undefined;
    default:
      return undefined;
  }
}

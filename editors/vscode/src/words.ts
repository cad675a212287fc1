/** What the status bar and the tree say. Free of the editor, so that it is tested without one. */

import type { Card, Impacted } from "./protocol.ts";

/** What the extension is at, of which the engine's states are a part. */
export type Condition =
  | "missing"
  | "restricted"
  | "stopped"
  | "starting"
  | "loading"
  | "ready"
  | "failed"
  | "restarting"
  | "closed";

const TEXTS: Readonly<Record<Condition, readonly [icon: string, text: string]>> = {
  missing: ["$(warning)", "Readhead: not found"],
  restricted: ["$(shield)", "Readhead: restricted"],
  stopped: ["$(error)", "Readhead: stopped"],
  starting: ["$(loading~spin)", "Readhead: starting"],
  loading: ["$(loading~spin)", "Readhead: loading the model"],
  ready: ["$(check)", "Readhead"],
  failed: ["$(error)", "Readhead: failed"],
  restarting: ["$(loading~spin)", "Readhead: restarting"],
  closed: ["$(circle-slash)", "Readhead"],
};

/** The status bar's text: state of the engine, and the switchboard's perplexity where it is known. */
export function statusText(condition: Condition, impact: Impacted | undefined, measuring: boolean): string {
  const [icon, text] = TEXTS[condition];
  if (condition !== "ready") {
    return `${icon} ${text}`;
  }
  if (impact === undefined) {
    return measuring ? `$(loading~spin) ${text}` : `${icon} ${text}`;
  }
  return `${measuring ? "$(loading~spin)" : icon} ${text}: ${perplexityText(impact)}`;
}

/** `perplexity 9.52 (+1.7 %, 3 heads)`; without heads in program mode only the neural figure. */
export function perplexityText(impact: Impacted): string {
  const count = impact.replaced.length;
  const figure = `perplexity ${impact.perplexity.toFixed(2)}`;
  return count === 0 ? figure : `${figure} (${percent(impact.increase_percent)}, ${counted(count, "head")})`;
}

/** The same with the interval, for a tooltip. */
export function impactDetails(impact: Impacted): string {
  if (impact.replaced.length === 0) {
    return `Neural perplexity ${impact.neural_perplexity.toFixed(3)} (dev texts). No head is in program mode.`;
  }
  const interval =
    impact.low === null || impact.high === null
      ? "preliminary: too few texts for an interval"
      : `95 % interval ${signed(impact.low, 1)} to ${percent(impact.high)}`;
  return (
    `Perplexity ${impact.perplexity.toFixed(3)}, neural ${impact.neural_perplexity.toFixed(3)} (dev texts): ` +
    `${percent(impact.increase_percent)}, ${interval}. In program mode: ${impact.replaced.join(", ")}.`
  );
}

/** What the tree says behind a head's name; the checkbox before it is the mode, which is said where it is unusual. */
export function cardText(card: Card): string {
  const mode = card.mode === "program" ? ["program"] : [];
  if (card.best_iou === null) {
    return ["not ranked yet", ...mode].join(" · ");
  }
  const lift = signed(card.best_iou - card.trivial_iou, 2);
  const inactive = card.inactive ? ["inactive"] : [];
  return [`IoU ${card.best_iou.toFixed(3)} (${lift})`, ...mode, card.best, ...inactive].join(" · ");
}

/** How well a head is explained, by the lift that the settings call good. */
export type Grade = "unknown" | "inactive" | "poor" | "fair" | "good";

export function gradeOf(card: Card, leastLift: number, goodLift: number): Grade {
  if (card.best_iou === null) {
    return "unknown";
  }
  if (card.inactive) {
    return "inactive";
  }
  const lift = card.best_iou - card.trivial_iou;
  return lift < leastLift ? "poor" : lift < goodLift ? "fair" : "good";
}

/** `L3H7` as layer and index. */
export function layerOf(head: string): number {
  return Number(/^L(\d+)H\d+$/.exec(head)?.[1] ?? Number.NaN);
}

export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

function percent(value: number): string {
  return `${signed(value, 1)} %`;
}

/** With its sign, and a true minus. */
export function signed(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  return `${value < 0 && Number(text) !== 0 ? "−" : "+"}${text}`;
}

/** The head view's page: three maps on one scale, a cell in numbers, a row as text. */

import "./head.css";
import { type Cell, cellAt, difference, inkOn, type Matrix, moved, shade, visible } from "../heat.ts";
import type { FromView, Mode, Shown, ToView, Worst } from "../messages.ts";
import { colours, drawMap, type Palette, sizeFor } from "./map.ts";

/** Which text is shown: it outlives the window. */
type Choice = Extract<FromView, { kind: "sequence" | "text" }>;

declare function acquireVsCodeApi(): {
  postMessage(message: FromView): void;
  getState(): Choice | undefined;
  setState(choice: Choice): void;
};

const editor = acquireVsCodeApi();
const title = make("h1", {}, "Head");
const heads = make("select", { "aria-label": "Head of the program" });
const facts = make("span", { class: "facts" });
const mode = make("span", { class: "mode" });
const flip = make("button", { title: "Put the program in the head's place, or the head back" }, "Flip");
const failures = make("button", { title: "The worst texts and rows in words" }, "Where it fails");
const number = make("input", { type: "number", min: "0", "aria-label": "Number of the text" });
const count = make("span");
const worst = make("select", { "aria-label": "Texts from the worst on" });
const own = make("input", { type: "text", placeholder: "your own text, and Enter", "aria-label": "Your own text" });
const trouble = make("p", { class: "trouble", role: "status" });
const readout = make("p", { class: "readout", "aria-live": "polite" });
const strip = make("div", { class: "strip" });
const legend = make("div", { class: "legend" });
const maps = make("div", { class: "maps" });

/** One of the three maps. */
interface Figure {
  readonly figure: HTMLElement;
  readonly caption: HTMLElement;
  readonly canvas: HTMLCanvasElement;
}
const pattern = figure("pattern", "The head's pattern: rows look, columns are looked at");
const prediction = figure("prediction", "The program's prediction");
const distance = figure("difference", "Prediction minus pattern");
const figures = [pattern, prediction, distance];

let shown: Shown | undefined;
let minus: Matrix | undefined;
let cell: Cell = { query: 0, key: 0 };
let palette: Palette = colours();

build();
listen();
const chosen = editor.getState();
if (chosen !== undefined) {
  own.value = chosen.kind === "text" ? chosen.text : "";
  editor.postMessage(chosen);
}
editor.postMessage({ kind: "ready" });

function build(): void {
  const numbered = make("label", {}, "Text");
  numbered.append(number, count);
  const ranked = make("label", {}, "Worst first");
  ranked.append(worst);
  const written = make("label", { class: "own" }, "or");
  written.append(own);
  const header = make("header");
  header.append(title, heads, facts, mode, flip, failures);
  const bar = make("div", { class: "bar" });
  bar.append(numbered, ranked, written);
  maps.append(...figures.map((each) => each.figure), legend);
  document.body.append(header, bar, trouble, maps, readout, strip);
  for (const each of [header, bar, maps, readout, strip]) {
    each.hidden = true;
  }
  trouble.textContent = "Waiting for the engine…";
}

function listen(): void {
  window.addEventListener("message", ({ data }: MessageEvent<ToView>) => take(data));
  window.addEventListener("resize", draw);
  new MutationObserver(() => {
    palette = colours();
    draw();
  }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  heads.addEventListener("change", () => editor.postMessage({ kind: "head", head: heads.value }));
  number.addEventListener("change", () => ask(number.valueAsNumber));
  worst.addEventListener("change", () => ask(Number(worst.value)));
  own.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) {
      choose({ kind: "text", text: own.value.trim() });
    }
  });
  flip.addEventListener("click", () => editor.postMessage({ kind: "flip" }));
  failures.addEventListener("click", () => editor.postMessage({ kind: "failures" }));
  for (const { canvas } of figures) {
    canvas.addEventListener("mousemove", (event) => point(canvas, event));
    canvas.addEventListener("keydown", (event) => {
      const next = shown && moved(cell, event.key, shown.tokens.length);
      if (next !== undefined) {
        event.preventDefault();
        move(next);
      }
    });
  }
}

function ask(sequence: number): void {
  if (Number.isSafeInteger(sequence) && sequence >= 0 && sequence < (shown?.of ?? Number.POSITIVE_INFINITY)) {
    choose({ kind: "sequence", sequence });
  } else if (shown !== undefined) {
    number.value = String(shown.sequence ?? "");
  }
}

function choose(choice: Choice): void {
  editor.setState(choice);
  editor.postMessage(choice);
}

function take(message: ToView): void {
  switch (message.kind) {
    case "shown":
      show(message);
      break;
    case "facts":
      tell(message.facts, message.mode);
      break;
    case "outdated":
      document.body.classList.add("stale");
      break;
    case "worst":
      offer(message.texts);
      break;
    case "trouble":
      trouble.textContent = message.message;
      trouble.hidden = false;
      document.body.classList.add("stale");
      break;
  }
}

function show(message: Shown): void {
  const before = shown;
  shown = message;
  minus = message.prediction === null ? undefined : difference(message.pattern, message.prediction);
  const length = message.tokens.length;
  if (before === undefined || before.tokens.join("\0") !== message.tokens.join("\0")) {
    cell = { query: length - 1, key: strongest(message.pattern[length - 1] ?? []) };
  }
  title.textContent = message.head;
  heads.replaceChildren(...message.heads.map((head) => new Option(head, head, false, head === message.head)));
  heads.hidden = message.heads.length < 2;
  failures.hidden = !message.isOpen;
  tell(message.facts, message.mode);
  number.value = message.sequence === null ? "" : String(message.sequence);
  number.max = message.of === null ? "" : String(message.of - 1);
  count.textContent = message.of === null ? "your own" : `of ${message.of}`;
  worst.value = String(message.sequence ?? "");
  pattern.caption.textContent = `${message.head}'s pattern`;
  prediction.caption.textContent = message.program ? `${message.program}'s prediction` : "No program";
  distance.caption.textContent = "Prediction − pattern";
  prediction.figure.hidden = distance.figure.hidden = message.prediction === null;
  trouble.hidden = message.prediction !== null || message.program === "";
  trouble.textContent = `${message.program} gives nothing on this text.`;
  document.body.classList.remove("stale");
  for (const each of document.body.children) {
    if (each instanceof HTMLElement && each !== trouble && each.tagName !== "SCRIPT") {
      each.hidden = false;
    }
  }
  draw();
}

function tell(words: string, how: Mode): void {
  facts.textContent = words;
  mode.textContent = how === "other" ? "program (another text)" : how;
  mode.hidden = how === "unknown";
}

function offer(texts: Worst["texts"]): void {
  const options = texts.map(({ sequence, iou, failed }) => {
    const label = `text ${sequence}: ${failed ? "nothing" : `IoU ${iou.toFixed(3)}`}`;
    return new Option(label, String(sequence), false, sequence === shown?.sequence);
  });
  worst.replaceChildren(...options);
  if (shown?.sequence === null) {
    worst.value = "";
  }
  worst.disabled = options.length === 0;
}

// ---- drawing --------------------------------------------------------------------------------------------------------

function draw(): void {
  if (shown === undefined) {
    return;
  }
  const length = shown.tokens.length;
  const pixels = sizeFor(maps.clientWidth, length, shown.prediction === null ? 1 : 3);
  drawMap(pattern.canvas, shown.pattern, pixels, palette, cell);
  if (shown.prediction !== null && minus !== undefined) {
    drawMap(prediction.canvas, shown.prediction, pixels, palette, cell);
    drawMap(distance.canvas, minus, pixels, { ...palette, full: palette.more, below: palette.less }, cell);
  }
  explainColours();
  tellCell();
  tellRow();
}

function point(canvas: HTMLCanvasElement, event: MouseEvent): void {
  const found = shown && cellAt(event.offsetX, event.offsetY, canvas.clientWidth, shown.tokens.length);
  if (found !== undefined && (found.query !== cell.query || found.key !== cell.key)) {
    move(found);
  }
}

function move(to: Cell): void {
  cell = to;
  draw();
}

function tellCell(): void {
  if (shown === undefined) {
    return;
  }
  const { query, key } = cell;
  const named = (place: number) => `“${visible(shown?.tokens[place] ?? "")}” (${place})`;
  const head = shown.pattern[query]?.[key] ?? 0;
  const parts = [`head ${head.toFixed(3)}`];
  if (shown.prediction !== null) {
    const program = shown.prediction[query]?.[key] ?? 0;
    const less = program < head ? "−" : "+";
    parts.push(`program ${program.toFixed(3)}`, `difference ${less}${Math.abs(program - head).toFixed(3)}`);
  }
  readout.textContent = `${named(query)} looks at ${query === key ? "itself" : named(key)}: ${parts.join(", ")}`;
}

function tellRow(): void {
  if (shown === undefined) {
    return;
  }
  const rows: [string, readonly number[] | undefined][] = [["head", shown.pattern[cell.query]]];
  if (shown.prediction !== null) {
    rows.push(["program", shown.prediction[cell.query]]);
  }
  strip.replaceChildren(
    ...rows.flatMap(([name, weights]) => {
      const tokens = make("div", { class: "tokens" });
      tokens.append(...(shown?.tokens ?? []).map((token, place) => tokenSpan(token, place, weights?.[place] ?? 0)));
      return [make("span", { class: "facts" }, name), tokens];
    }),
  );
}

function tokenSpan(token: string, place: number, weight: number): HTMLElement {
  const state = place === cell.query ? " query" : place > cell.query ? " later" : "";
  const span = make("span", { class: `token${state}`, title: place > cell.query ? "later" : weight.toFixed(3) });
  span.textContent = visible(token);
  const ground = shade(weight, palette.nothing, palette.full);
  span.style.backgroundColor = `rgb(${ground.join(" ")})`;
  if (place <= cell.query) {
    span.style.color = `rgb(${inkOn(ground).join(" ")})`;
  }
  return span;
}

function explainColours(): void {
  const samples = [0, 0.05, 0.25, 0.5, 1].map((weight) => swatch(String(weight), weight, palette.full));
  const signs =
    shown?.prediction === null
      ? []
      : [swatch("program looks too much", 0.6, palette.more), swatch("too little", 0.6, palette.less)];
  const scale = make("div", { class: "scale" });
  scale.append(...samples);
  legend.replaceChildren(make("span", {}, "Weight, on one scale for all"), scale, ...signs);
}

function swatch(label: string, weight: number, full: Palette["full"]): HTMLElement {
  const box = make("i", { class: "swatch" });
  box.style.backgroundColor = `rgb(${shade(weight, palette.nothing, full).join(" ")})`;
  const span = make("span");
  span.append(box, label);
  return span;
}

// ---- making ---------------------------------------------------------------------------------------------------------

function figure(id: string, label: string): Figure {
  const canvas = make("canvas", {
    class: "map",
    id,
    tabindex: "0",
    role: "img",
    "aria-label": `${label}. Arrow keys move.`,
  });
  const caption = make("figcaption");
  const whole = make("figure");
  whole.append(caption, canvas);
  return { figure: whole, caption, canvas };
}

function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  text = "",
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(text);
  return element;
}

function strongest(weights: readonly number[]): number {
  return weights.reduce((best, weight, place) => (weight > (weights[best] ?? 0) ? place : best), 0);
}

/** A pattern on a canvas, in the editor's colours. */

import { type Cell, type Colour, type Matrix, parseColour, shade } from "../heat.ts";

/** Colours of a map. */
export interface Palette {
  readonly nothing: Colour;
  readonly full: Colour;
  readonly below?: Colour;
  readonly more: Colour;
  readonly less: Colour;
  /** Of the lines through the chosen cell. */
  readonly line: string;
}

const LEAST = 200;
const MOST = 420;
const GAP = 24;

/** The theme's, as the page computes them. */
export function colours(): Palette {
  return {
    nothing: computed("--vscode-editor-background", [30, 30, 30]),
    full: computed("--cell-full", [55, 148, 255]),
    more: computed("--cell-more", [209, 134, 22]),
    less: computed("--cell-less", [177, 128, 215]),
    line: `rgb(${computed("--vscode-foreground", [204, 204, 204]).join(" ")} / 0.45)`,
  };
}

/** How large a map may be: as many beside each other as have room; cells are whole pixels. */
export function sizeFor(width: number, count: number, maps: number): number {
  const room = (beside: number) => Math.floor((width - (beside - 1) * GAP) / beside);
  const beside = Array.from({ length: maps }, (_, k) => maps - k).find((each) => room(each) >= LEAST) ?? 1;
  const wanted = Math.max(LEAST, Math.min(MOST, room(beside)));
  return Math.max(1, Math.floor(wanted / count)) * count;
}

/** Draw all cells up to the diagonal, and lines through the chosen one. */
export function drawMap(
  canvas: HTMLCanvasElement,
  weights: Matrix,
  pixels: number,
  palette: Palette,
  chosen: Cell,
): void {
  const scale = Math.max(1, Math.round(window.devicePixelRatio));
  canvas.dataset.count = String(weights.length);
  canvas.width = canvas.height = pixels * scale;
  canvas.style.width = canvas.style.height = `${pixels}px`;
  const context = canvas.getContext("2d");
  if (context === null) {
    return;
  }
  const side = (pixels * scale) / weights.length;
  weights.forEach((row, query) => {
    for (const [key, weight] of row.slice(0, query + 1).entries()) {
      context.fillStyle = `rgb(${shade(weight, palette.nothing, palette.full, palette.below).join(" ")})`;
      context.fillRect(key * side, query * side, side, side);
    }
  });
  context.strokeStyle = palette.line;
  context.lineWidth = scale;
  context.strokeRect(0.5, chosen.query * side + 0.5, (chosen.query + 1) * side - 1, side - 1);
  context.strokeRect(chosen.key * side + 0.5, chosen.key * side + 0.5, side - 1, canvas.height - chosen.key * side - 1);
}

/** A variable's colour: the page turns every way of writing one into numbers. */
function computed(variable: string, otherwise: Colour): Colour {
  const probe = document.createElement("i");
  probe.style.color = `var(${variable})`;
  document.body.append(probe);
  const found = parseColour(getComputedStyle(probe).color);
  probe.remove();
  return found ?? otherwise;
}

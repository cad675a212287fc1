/** Numbers and colours of heat maps. Free of the page, so that they are tested without one. */

export type Colour = readonly [red: number, green: number, blue: number];
export type Matrix = readonly (readonly number[])[];

/** Prediction minus pattern: above zero where the program looks too much. */
export function difference(pattern: Matrix, prediction: Matrix): number[][] {
  return pattern.map((row, query) => row.map((weight, key) => (prediction[query]?.[key] ?? 0) - weight));
}

/** How strong a weight is drawn, 0 to 1: its square root, in which faint weights are seen beside strong ones. */
export function strength(weight: number): number {
  return Math.sqrt(Math.min(1, Math.abs(weight)));
}

/** A weight's colour: from nothing, by `strength`, to the full colour; a second one is for weights below zero. */
export function shade(weight: number, nothing: Colour, full: Colour, below: Colour = full): Colour {
  return mixed(nothing, weight < 0 ? below : full, strength(weight));
}

export function mixed(from: Colour, to: Colour, share: number): Colour {
  const mix = (k: 0 | 1 | 2) => Math.round(from[k] + (to[k] - from[k]) * share);
  return [mix(0), mix(1), mix(2)];
}

/** Black or white, whichever is read better on a ground: by WCAG 2's relative luminance. */
export function inkOn(ground: Colour): Colour {
  const [red, green, blue] = ground.map((level) => {
    const share = level / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? [0, 0, 0] : [255, 255, 255];
}

/** `rgb(1, 2, 3)`, as the page computes every colour. */
export function parseColour(computed: string): Colour | undefined {
  const numbers = /^rgba?\(([\d.]+)[, ]+([\d.]+)[, ]+([\d.]+)/.exec(computed);
  return numbers === null ? undefined : [Number(numbers[1]), Number(numbers[2]), Number(numbers[3])];
}

/** The cell under a place in a map of so many pixels; undefined above the diagonal, where a causal head cannot look. */
export function cellAt(x: number, y: number, pixels: number, count: number): Cell | undefined {
  const key = Math.floor((x / pixels) * count);
  const query = Math.floor((y / pixels) * count);
  return key >= 0 && query < count && key <= query ? { query, key } : undefined;
}

/** A place in a pattern. */
export interface Cell {
  readonly query: number;
  readonly key: number;
}

/** Where a key of the keyboard leads from a cell; undefined for keys that lead nowhere. */
export function moved(cell: Cell, key: string, count: number): Cell | undefined {
  const within = (query: number, wanted: number): Cell => {
    const row = Math.max(0, Math.min(count - 1, query));
    return { query: row, key: Math.max(0, Math.min(row, wanted)) };
  };
  switch (key) {
    case "ArrowUp":
      return within(cell.query - 1, cell.key);
    case "ArrowDown":
      return within(cell.query + 1, cell.key);
    case "ArrowLeft":
      return within(cell.query, cell.key - 1);
    case "ArrowRight":
      return within(cell.query, cell.key + 1);
    case "Home":
      return within(cell.query, 0);
    case "End":
      return within(cell.query, cell.query);
    case "PageUp":
      return within(0, cell.key);
    case "PageDown":
      return within(count - 1, cell.key);
    default:
      return undefined;
  }
}

/** A token as it is shown: spaces and line breaks can be seen. */
export function visible(token: string): string {
  const shown = token.replaceAll("\n", "⏎").replaceAll("\t", "⇥");
  return shown.trim() === "" ? shown.replaceAll(" ", "␣") : shown.trim();
}

/** The rows of the tree of heads, and which of them are other ones. Free of the editor. */

import { isDeepStrictEqual } from "node:util";
import type { Heads } from "./protocol.ts";
import { layerOf } from "./words.ts";

/** A layer, or a head in it. */
export type Row = { readonly layer: number } | { readonly head: string };

/** The rows whose looks may differ, a layer with all of its heads; undefined where all may. */
export function changedRows(before: Heads | undefined, after: Heads | undefined): Row[] | undefined {
  if (before?.model !== after?.model || before?.cards.length !== after?.cards.length) {
    return undefined;
  }
  const known = new Map(before?.cards.map((card) => [card.head, card]));
  const cards = (after?.cards ?? []).filter((card) => !isDeepStrictEqual(card, known.get(card.head)));
  const flipped = cards.filter(({ head, mode }) => mode !== known.get(head)?.mode);
  const layers = new Set(flipped.map(({ head }) => layerOf(head)));
  const heads = cards.filter(({ head }) => !layers.has(layerOf(head)));
  return [...[...layers].map((layer) => ({ layer })), ...heads.map(({ head }) => ({ head }))];
}

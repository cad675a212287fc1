import assert from "node:assert/strict";
import { test } from "node:test";
import type { Card, Heads } from "../src/protocol.ts";
import { changedRows } from "../src/rows.ts";

function card(head: string, given: Partial<Card> = {}): Card {
  const floor = { trivial: "uniform", trivial_iou: 0.25, inactive: false };
  const best = { best: "near", best_iou: 0.5, explanation: "", category: "", path: "" };
  return { head, ...floor, ...best, mode: "neural", ...given };
}

function heads(...cards: Card[]): Heads {
  return { model: "small", layers: 2, heads: 2, cards, isolation: "locked", board: {} };
}

const BEFORE = heads(card("L0H0"), card("L0H1"), card("L1H0"), card("L1H1"));

test("what is the same is not drawn again", () => {
  assert.deepEqual(changedRows(BEFORE, structuredClone(BEFORE)), []);
});

test("a head with another program is drawn, and no other", () => {
  const after = heads(card("L0H0"), card("L0H1", { best: "far" }), card("L1H0"), card("L1H1"));
  assert.deepEqual(changedRows(BEFORE, after), [{ head: "L0H1" }]);
});

test("a layer counts its heads in program mode: it is drawn with them", () => {
  const after = heads(card("L0H0", { best: "far" }), card("L0H1", { mode: "program" }), card("L1H0"), card("L1H1"));
  assert.deepEqual(changedRows(BEFORE, after), [{ layer: 0 }]);
});

test("of another model, or where nothing was known, all is drawn", () => {
  assert.equal(changedRows(undefined, BEFORE), undefined);
  assert.equal(changedRows(BEFORE, undefined), undefined);
  assert.equal(changedRows(BEFORE, { ...BEFORE, model: "large" }), undefined);
  assert.equal(changedRows(BEFORE, heads(card("L0H0"))), undefined);
});

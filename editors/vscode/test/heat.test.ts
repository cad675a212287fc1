import assert from "node:assert/strict";
import { test } from "node:test";
import { type Colour, cellAt, difference, inkOn, moved, parseColour, shade, visible } from "../src/heat.ts";
import { readFromView } from "../src/messages.ts";

const BLACK: Colour = [0, 0, 0];
const WHITE: Colour = [255, 255, 255];
const RED: Colour = [255, 0, 0];

test("the difference is above zero where the program looks too much", () => {
  assert.deepEqual(difference([[1], [0.25, 0.75]], [[1], [0.5, 0.5]]), [[0], [0.25, -0.25]]);
});

test("no weight has the ground's colour, the whole weight the full one, below zero another one", () => {
  assert.deepEqual(shade(0, BLACK, WHITE), BLACK);
  assert.deepEqual(shade(1, BLACK, WHITE), WHITE);
  assert.deepEqual(shade(0.25, BLACK, WHITE), [128, 128, 128]);
  assert.deepEqual(shade(-1, BLACK, WHITE, RED), RED);
});

test("what stands on a shade can be read", () => {
  assert.deepEqual(inkOn(BLACK), WHITE);
  assert.deepEqual(inkOn(WHITE), BLACK);
  assert.deepEqual(inkOn([89, 164, 249]), BLACK); // the whole weight in the dark theme
  assert.deepEqual(inkOn([0, 99, 211]), WHITE); // and in the light one
});

test("every way of writing a colour that a page computes is read", () => {
  assert.deepEqual(parseColour("rgb(1, 2, 3)"), [1, 2, 3]);
  assert.deepEqual(parseColour("rgba(1, 2, 3, 0.5)"), [1, 2, 3]);
  assert.equal(parseColour("transparent"), undefined);
});

test("a place in a map is a cell, and none above the diagonal", () => {
  assert.deepEqual(cellAt(5, 95, 100, 10), { query: 9, key: 0 });
  assert.deepEqual(cellAt(99, 99.9, 100, 10), { query: 9, key: 9 });
  assert.equal(cellAt(95, 5, 100, 10), undefined);
  assert.equal(cellAt(5, 100, 100, 10), undefined);
});

test("the keyboard reaches every cell and leaves the triangle nowhere", () => {
  assert.deepEqual(moved({ query: 3, key: 3 }, "ArrowUp", 5), { query: 2, key: 2 });
  assert.deepEqual(moved({ query: 3, key: 3 }, "ArrowRight", 5), { query: 3, key: 3 });
  assert.deepEqual(moved({ query: 4, key: 1 }, "ArrowDown", 5), { query: 4, key: 1 });
  assert.deepEqual(moved({ query: 4, key: 1 }, "End", 5), { query: 4, key: 4 });
  assert.deepEqual(moved({ query: 4, key: 1 }, "PageUp", 5), { query: 0, key: 0 });
  assert.equal(moved({ query: 4, key: 1 }, "Tab", 5), undefined);
});

test("spaces and line breaks can be seen", () => {
  assert.deepEqual([" cat", "\n", " ", "ing"].map(visible), ["cat", "⏎", "␣", "ing"]);
});

test("what the page sends is looked through", () => {
  assert.deepEqual(readFromView({ kind: "sequence", sequence: 3, more: 1 }), { kind: "sequence", sequence: 3 });
  assert.deepEqual(readFromView({ kind: "head", head: "L0H3" }), { kind: "head", head: "L0H3" });
  const none = [null, 3, {}, { kind: "sequence", sequence: 1.5 }, { kind: "head", head: "../x" }, { kind: "text" }];
  assert.deepEqual(
    none.map(readFromView),
    none.map(() => undefined),
  );
});

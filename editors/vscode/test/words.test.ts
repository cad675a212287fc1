import assert from "node:assert/strict";
import { test } from "node:test";
import type { Card, Impacted } from "../src/protocol.ts";
import { cardText, gradeOf, impactDetails, layerOf, signed, statusText } from "../src/words.ts";

const NEURAL: Impacted = {
  perplexity: 9.35,
  neural_perplexity: 9.35,
  increase_percent: 0,
  low: 0,
  high: 0,
  replaced: [],
};
const HYBRID: Impacted = {
  ...NEURAL,
  perplexity: 9.52,
  increase_percent: 1.74,
  low: -0.2,
  high: 3.2,
  replaced: ["L0H3"],
};
const CARD: Card = {
  head: "L0H3",
  trivial: "uniform",
  trivial_iou: 0.25,
  inactive: false,
  best: "near",
  best_iou: 0.627,
  explanation: "",
  category: "",
  path: "",
  mode: "neural",
};

test("the status tells the switchboard's perplexity as soon as it is known", () => {
  assert.equal(statusText("ready", HYBRID, false), "$(check) Readhead: perplexity 9.52 (+1.7 %, 1 head)");
  assert.equal(statusText("ready", NEURAL, false), "$(check) Readhead: perplexity 9.35");
  assert.equal(statusText("ready", undefined, true), "$(loading~spin) Readhead");
  assert.equal(statusText("missing", HYBRID, false), "$(warning) Readhead: not found");
});

test("an older figure is marked while a newer one is measured", () => {
  assert.match(statusText("ready", NEURAL, true), /^\$\(loading~spin\) Readhead: perplexity 9.35$/);
});

test("an interval is told, or that there is none", () => {
  assert.match(impactDetails(HYBRID), /\+1\.7 %, 95 % interval −0\.2 to \+3\.2 %. In program mode: L0H3\./);
  assert.match(impactDetails({ ...HYBRID, low: null, high: null }), /preliminary/);
  assert.match(impactDetails(NEURAL), /No head is in program mode/);
});

test("no IoU stands without its lift", () => {
  assert.equal(cardText(CARD), "IoU 0.627 (+0.38) · near");
  assert.equal(cardText({ ...CARD, best_iou: null }), "not ranked yet");
  assert.equal(cardText({ ...CARD, inactive: true, mode: "program" }), "IoU 0.627 (+0.38) · program · near · inactive");
});

test("a grade is that of the settings, and an inactive head has none", () => {
  assert.deepEqual(
    [0.2, 0.28, 0.4].map((best_iou) => gradeOf({ ...CARD, best_iou }, 0, 0.05)),
    ["poor", "fair", "good"],
  );
  assert.equal(gradeOf({ ...CARD, inactive: true }, 0, 0.05), "inactive");
  assert.equal(gradeOf({ ...CARD, best_iou: null }, 0, 0.05), "unknown");
});

test("numbers have their sign, and zero is not below zero", () => {
  assert.deepEqual(
    [0.126, -0.126, -0.001].map((value) => signed(value, 2)),
    ["+0.13", "−0.13", "+0.00"],
  );
  assert.equal(layerOf("L12H3"), 12);
});

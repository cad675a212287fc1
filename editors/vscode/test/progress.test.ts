import assert from "node:assert/strict";
import { test } from "node:test";
import { Progress } from "../src/progress.ts";

const of = (iou: number) => new Map([["L0H3", iou]]);

test("scores are compared with those of the text that was saved last, until the next edit", () => {
  const progress = new Progress();
  progress.scored(of(0.5));
  assert.equal(progress.told(), undefined, "nothing was edited");
  progress.edited();
  assert.equal(progress.told(), undefined, "not measured yet");
  progress.scored(of(0.55));
  assert.equal(progress.told()?.text, "IoU 0.500 → 0.550");
  progress.edited();
  progress.scored(of(0.45));
  assert.equal(progress.told()?.text, "IoU 0.500 → 0.450");
  progress.saved();
  progress.scored(of(0.45));
  assert.equal(progress.told()?.text, "IoU 0.500 → 0.450", "a save keeps what it did in sight");
  progress.edited();
  progress.scored(of(0.45));
  assert.deepEqual(progress.told(), { text: "IoU 0.450, as before", gain: 0 });
});

test("a text that was saved before it was measured is nothing to compare with", () => {
  const progress = new Progress();
  progress.scored(of(0.5));
  progress.edited();
  progress.saved();
  progress.edited();
  progress.scored(of(0.6));
  assert.equal(progress.told(), undefined);
});

test("an edit that is undone begins anew", () => {
  const progress = new Progress();
  progress.scored(of(0.5));
  progress.edited();
  progress.edited();
  progress.saved();
  progress.scored(of(0.5));
  progress.edited();
  progress.scored(of(0.7));
  assert.equal(progress.told()?.text, "IoU 0.500 → 0.700");
});

test("several heads are named, those that came new are not compared", () => {
  const progress = new Progress();
  progress.scored(
    new Map([
      ["L0H3", 0.5],
      ["L1H0", 0.4],
    ]),
  );
  progress.edited();
  progress.scored(
    new Map([
      ["L0H3", 0.6],
      ["L1H0", 0.4],
      ["L2H2", 0.3],
    ]),
  );
  assert.equal(progress.told()?.text, "L0H3 0.500 → 0.600, L1H0 0.400, as before");
  progress.scored(new Map([["L2H2", 0.3]]));
  assert.equal(progress.told(), undefined);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Pacing } from "../src/pacing.ts";

test("many changes are told once, and the next one after the question", () => {
  let told = 0;
  let now = 0;
  const pacing = new Pacing(
    () => {
      told += 1;
    },
    () => now,
  );
  pacing.changed();
  pacing.changed();
  assert.equal(told, 1);
  pacing.asked();
  pacing.changed();
  assert.equal(told, 2);
  now = 5000;
  pacing.changed();
  assert.equal(told, 3, "a question that never came is not waited for");
});

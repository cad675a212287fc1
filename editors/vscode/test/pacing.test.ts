import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Pacing } from "../src/pacing.ts";

let told: number;
let pacing: Pacing;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  told = 0;
  pacing = new Pacing(() => {
    told += 1;
  });
});

test("many changes are told once until the editor asks, which hears all of them", () => {
  pacing.changed();
  pacing.changed();
  assert.equal(told, 1);
  pacing.asked();
  pacing.answered();
  mock.timers.tick(5000);
  assert.equal(told, 1);
  pacing.changed();
  assert.equal(told, 2);
});

test("what changes after the question is told once, when the answer to it is about to be drawn", () => {
  pacing.changed();
  pacing.asked();
  pacing.changed();
  pacing.answered();
  pacing.changed();
  mock.timers.tick(90);
  assert.equal(told, 1);
  mock.timers.tick(20);
  assert.equal(told, 2);
});

test("after an edit its editor asks without being told, and the others when that is about to be drawn", () => {
  pacing.edited();
  pacing.changed();
  pacing.asked();
  pacing.answered();
  mock.timers.tick(90);
  assert.equal(told, 0);
  mock.timers.tick(20);
  assert.equal(told, 1);
});

test("a question that never comes is not waited for", () => {
  pacing.edited();
  pacing.changed();
  mock.timers.tick(1100);
  assert.equal(told, 1);
  mock.timers.tick(1100);
  pacing.changed();
  assert.equal(told, 2);
});

test("nothing is told after the end", () => {
  pacing.edited();
  pacing.changed();
  pacing.dispose();
  mock.timers.tick(5000);
  assert.equal(told, 0);
});

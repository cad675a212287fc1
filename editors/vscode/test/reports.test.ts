import assert from "node:assert/strict";
import { test } from "node:test";
import { readChecks } from "../src/reports.ts";

test("a report's checks are read, and what is not measured stays unknown", () => {
  const checks = [{ file: "/w/a.py", head: "L0H1", recorded: 0.5, measured: null, ok: false, reason: "no such head" }];
  assert.deepEqual(readChecks(JSON.stringify({ ok: false, checks })), checks);
});

test("what is no report is told as that", () => {
  assert.throws(() => readChecks("{}"), /no report/);
  assert.throws(() => readChecks("usage: readhead"), SyntaxError);
});

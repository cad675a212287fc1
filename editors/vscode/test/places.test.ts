import assert from "node:assert/strict";
import { test } from "node:test";
import { asOpened, isBelow, isLeftOut } from "../src/places.ts";

const LINKS: Readonly<Record<string, string>> = { "/home/link": "/data/heads" };
const resolve = (file: string) => LINKS[file] ?? file;

test("a root is written as the folder that was opened, which may be a link to it or to a folder above it", () => {
  assert.equal(asOpened("/data/heads", ["/home/link"], resolve), "/home/link");
  assert.equal(asOpened("/data/heads/small", ["/other", "/home/link"], resolve), "/home/link/small");
  assert.equal(asOpened("/data/heads", ["/data/heads"], resolve), "/data/heads");
  assert.equal(asOpened("/data/heads2", ["/home/link"], resolve), "/data/heads2", "only its name begins like that");
  assert.equal(asOpened("/data", ["/home/link"], resolve), "/data", "no folder that is open reaches it");
});

test("a file is below its folders, not below one whose name only begins like theirs", () => {
  assert.ok(isBelow("/w/programs/near.py", "/w"));
  assert.ok(!isBelow("/w2/near.py", "/w"));
  assert.ok(isBelow("/near.py", "/"));
});

test("packages are left out, wherever they lie below the root, but not a root that lies among them", () => {
  assert.ok(isLeftOut("/w/venv/lib/python3.12/site-packages/a.py", "/w"));
  assert.ok(isLeftOut("/w/sub/env/a.py", "/w"));
  assert.ok(!isLeftOut("/w/programs/env.py", "/w"));
  assert.ok(!isLeftOut("/x/.venv/w/programs/a.py", "/x/.venv/w"));
});

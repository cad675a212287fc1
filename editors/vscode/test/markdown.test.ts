import assert from "node:assert/strict";
import { test } from "node:test";
import { asWritten } from "../src/markdown.ts";

test("nothing in a program's words is Markdown any more", () => {
  assert.equal(asWritten("![x](https://a.b/c)"), "\\!\\[x\\]\\(https\\:\\/\\/a\\.b\\/c\\)");
  assert.equal(asWritten("*a* `b` <i> &amp; \\"), "\\*a\\* \\`b\\` \\<i\\> \\&amp\\; \\\\");
});

test("a text stays one paragraph, and its letters stay as they are", () => {
  assert.equal(asWritten("Où\n\n    est L0H3"), "Où est L0H3");
});

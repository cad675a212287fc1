import assert from "node:assert/strict";
import { test } from "node:test";
import { findReadhead, type Surroundings } from "../src/finding.ts";

const AROUND: Surroundings = {
  setting: "",
  folders: ["/home/ada/demo"],
  trusted: true,
  interpreter: "/env/bin/python",
  path: "/usr/bin:.:/opt/bin",
  home: "/home/ada",
  windows: false,
  runs: () => true,
  real: (file) => file.replace("/link", "/home/ada/demo"),
};

function found(change: Partial<Surroundings>, ...there: string[]): string {
  const runs = there.length === 0 ? AROUND.runs : (file: string) => there.includes(file);
  const answer = findReadhead({ ...AROUND, runs, ...change });
  return answer.kind === "found" ? `${answer.origin} ${answer.command}` : `missing ${answer.wanted}`;
}

test("the workspace's environment comes before the interpreter's, and that before the PATH", () => {
  assert.equal(found({}), "workspace /home/ada/demo/.venv/bin/readhead");
  assert.equal(found({}, "/env/bin/readhead", "/opt/bin/readhead"), "interpreter /env/bin/readhead");
  assert.equal(found({}, "/opt/bin/readhead"), "PATH /opt/bin/readhead");
  assert.equal(found({}, "/elsewhere/readhead"), "missing ");
});

test("the setting decides alone, with the home and the workspace written short", () => {
  assert.equal(found({ setting: "~/bin/readhead" }), "setting /home/ada/bin/readhead");
  assert.equal(found({ setting: `$\{workspaceFolder}/bin/readhead` }), "setting /home/ada/demo/bin/readhead");
  assert.equal(found({ setting: "bin/readhead" }), "setting /home/ada/demo/bin/readhead");
  assert.equal(found({ setting: "/not/there" }, "/opt/bin/readhead"), "missing /not/there");
});

test("nothing that lies in a workspace is taken while it is not trusted", () => {
  assert.equal(found({ trusted: false }), "PATH /usr/bin/readhead");
  assert.equal(found({ trusted: false, path: "/home/ada/demo/bin:/opt/bin" }), "PATH /opt/bin/readhead");
  assert.equal(found({ trusted: false, path: "/home/ada/demo/..bin:/opt/bin" }), "PATH /opt/bin/readhead");
  assert.equal(found({ trusted: false, path: "/link/bin:/opt/bin" }), "PATH /opt/bin/readhead");
  assert.equal(
    found({ trusted: false, folders: ["/link"], path: "/home/ada/demo/bin:/opt/bin" }),
    "PATH /opt/bin/readhead",
  );
  assert.equal(found({ trusted: false, setting: "/home/ada/demo/evil" }), "missing /home/ada/demo/evil");
  assert.equal(found({ trusted: false, setting: "/home/ada/demo2/mine" }), "setting /home/ada/demo2/mine");
});

test("a relative folder of the PATH is never looked at", () => {
  assert.equal(found({ folders: [], interpreter: undefined, path: ".:bin" }), "missing ");
});

/** Where the command `readhead` is. Free of the editor, so that it is tested without one. */

import * as path from "node:path";
import { isBelow } from "./places.ts";

/** What the search may look at. */
export interface Surroundings {
  /** The setting `readhead.path`; empty where it is not set. */
  readonly setting: string;
  /** Folders of the workspace. */
  readonly folders: readonly string[];
  /** Whether the workspace is trusted. */
  readonly trusted: boolean;
  /** The interpreter that the Python extension has chosen, where there is one. */
  readonly interpreter: string | undefined;
  /** The environment's PATH. */
  readonly path: string;
  readonly home: string;
  readonly windows: boolean;
  /** Whether a file is there and may be run. */
  readonly runs: (file: string) => boolean;
  /** With links resolved. */
  readonly real: (file: string) => string;
}

export type Origin = "setting" | "workspace" | "interpreter" | "PATH";

export type Found =
  | { readonly kind: "found"; readonly command: string; readonly origin: Origin }
  /** `wanted` is what the setting names, where it names something that is not there. */
  | { readonly kind: "missing"; readonly wanted: string };

/**
 * The setting decides alone where it is given: a typing error in it must not start something else. Then the workspace's
 * `.venv`, the Python extension's interpreter, and PATH. In a workspace that is not trusted nothing that lies in it is
 * taken: whoever wrote the workspace would choose what runs.
 */
export function findReadhead(around: Surroundings): Found {
  const own = around.setting.trim();
  if (own !== "") {
    const command = resolved(own, around);
    const allowed = around.trusted || !isWithin(command, around);
    return allowed && around.runs(command)
      ? { kind: "found", command, origin: "setting" }
      : { kind: "missing", wanted: own };
  }
  for (const [origin, file] of places(around)) {
    if ((around.trusted || !isWithin(file, around)) && around.runs(file)) {
      return { kind: "found", command: file, origin };
    }
  }
  return { kind: "missing", wanted: "" };
}

function* places(around: Surroundings): Generator<[Origin, string]> {
  const name = around.windows ? "readhead.exe" : "readhead";
  if (around.trusted) {
    for (const folder of around.folders) {
      yield ["workspace", path.join(folder, ".venv", around.windows ? "Scripts" : "bin", name)];
    }
    if (around.interpreter !== undefined) {
      yield ["interpreter", path.join(path.dirname(around.interpreter), name)];
    }
  }
  for (const folder of around.path.split(path.delimiter)) {
    if (path.isAbsolute(folder)) {
      yield ["PATH", path.join(folder, name)];
    }
  }
}

/** With `~` and `${workspaceFolder}` replaced; what is relative is meant from the first folder. */
function resolved(given: string, around: Surroundings): string {
  const first = around.folders[0] ?? around.home;
  const plain = given.replace(/^~(?=[/\\]|$)/, around.home).replaceAll("$" + "{workspaceFolder}", first);
  return path.resolve(first, plain);
}

/** By its own path or by that of what it leads to: either would be the workspace's choice. */
function isWithin(file: string, { folders, real }: Surroundings): boolean {
  return folders.some((folder) => isBelow(file, folder) || isBelow(real(file), real(folder)));
}

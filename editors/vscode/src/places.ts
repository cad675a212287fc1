/** Where files lie, links resolved or not, and which of them nobody means when they say "all". Free of the editor. */

import * as fs from "node:fs";
import * as path from "node:path";

/** Folders of packages, of tools and of the engine: many files, none of them a program of the workspace's own. */
const LEFT_OUT = ["node_modules", ".venv", "venv", "env", "site-packages", ".readhead", ".git"];
/** The same for the editor's own search. */
export const LEFT_OUT_GLOB = `**/{${LEFT_OUT.join(",")}}/**`;

export function isLeftOut(file: string, root: string): boolean {
  const folders = path.relative(root, file).split(path.sep).slice(0, -1);
  return folders.some((folder) => LEFT_OUT.includes(folder));
}

export function isBelow(file: string, root: string): boolean {
  const relative = path.relative(root, file);
  return relative !== "" && relative.split(path.sep)[0] !== ".." && !path.isAbsolute(relative);
}

/**
 * A root whose links are resolved, as the window writes it: the paths of its editors and of what it watches go through
 * the folders as they were opened, which may be links.
 */
export function asOpened(root: string, folders: readonly string[], resolve: (file: string) => string = real): string {
  for (const folder of folders) {
    const resolved = resolve(folder);
    if (root === resolved || isBelow(root, resolved)) {
      return path.join(folder, path.relative(resolved, root));
    }
  }
  return root;
}

/** With links resolved, where it is there. */
export function real(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    return file;
  }
}

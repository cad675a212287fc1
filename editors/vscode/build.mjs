// The extension in one file, the head view's script and style beside it.
import { build } from "esbuild";

const shared = { bundle: true, minify: true, sourcemap: false, logLevel: "warning", legalComments: "none" };
await build({
  ...shared,
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.cjs",
  platform: "node",
  target: "node20",
  format: "cjs",
  external: ["vscode"],
  mainFields: ["module", "main"],
});
await build({
  ...shared,
  entryPoints: { head: "src/webview/head.ts" },
  outdir: "dist",
  platform: "browser",
  target: "es2022",
  format: "iife",
});

// Makes the built page smaller, in place: node pack.mjs <dist>.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync, transformSync } from "esbuild";

const [dist] = process.argv.slice(2);
const target = "es2022";
const home = dirname(fileURLToPath(import.meta.url));
const built = (ending) => join(dist, readdirSync(dist).find((name) => name.endsWith(ending)));
const wasm = built("_bg.wasm");
const js = built(".js");

// Prints the names that it shortens. The exports are wasm-streams': Leptos brings it for
// server functions. The rest compresses better than `-Oz` alone.
const printed = execFileSync(process.execPath, [
  join(home, "node_modules/.bin/wasm-opt"),
  "--remove-exports=*underlying*",
  "--low-memory-unused",
  "--one-caller-inline-max-function-size=40",
  "--skip-pass=local-cse",
  "--flatten",
  "--rereloop",
  "-Oz",
  "-Oz",
  "--minify-imports-and-exports-and-modules",
  "-o",
  wasm,
  wasm,
]);
const { imports, exports } = JSON.parse(printed);
const mangleCache = Object.fromEntries([
  ...imports.map(([module]) => [module, "a"]),
  ...imports.map(([, name, short]) => [name, short]),
  ...exports,
]);
buildSync({
  // Without its other exports, which nothing imports.
  stdin: { contents: `export { default } from "./${basename(js)}";`, resolveDir: dist },
  outfile: js,
  allowOverwrite: true,
  bundle: true,
  minify: true,
  format: "esm",
  target,
  // The classes of wasm-streams are unused but for this.
  define: { "Symbol.dispose": "undefined" },
  mangleProps: new RegExp(`^(${Object.keys(mangleCache).join("|")})$`),
  mangleQuoted: true,
  mangleCache,
});

// Named after what they are now: browsers keep them for good, and one fits the other only.
const digest = createHash("sha256").update(readFileSync(wasm)).update(readFileSync(js));
const [before] = basename(js, ".js").match(/[^-]+$/);
const after = digest.digest("hex").slice(0, before.length);
for (const file of [wasm, js]) renameSync(file, file.replace(before, after));

// Before the documents are rendered into it: nothing in them may be moved.
const page = join(dist, "index.html");
const minified = (loader) => (_, start, text, end) =>
  `${start}${transformSync(text, { loader, minify: true, target }).code.trim()}${end}`;
const html = readFileSync(page, "utf8")
  .replaceAll(before, after)
  .replace(/(<style>)([^]*?)(<\/style>)/g, minified("css"))
  .replace(/(<script(?: type="module")?>)([^]*?)(<\/script>)/g, minified("js"))
  .replace(/<!--[^]*?-->/g, "")
  .replace(/\n\s+/g, "\n");
writeFileSync(page, html);

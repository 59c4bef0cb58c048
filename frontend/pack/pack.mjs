// Makes the built page lighter, in place: node pack.mjs <dist>.
//
// Takes out what no browser needs: comments and margins, the names that wasm-bindgen gives to what the
// program calls in the script (a tenth of the script is their hashes), the names
// of source files, which only a panic would tell, and leptos' wrappers around
// streams, which are exported though nothing here uses them.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import binaryen from "binaryen";
import { transformSync } from "esbuild";

const [dist] = process.argv.slice(2);
const files = readdirSync(dist);
const only = (suffix) => {
  const found = files.filter((file) => file.endsWith(suffix));
  if (found.length !== 1) throw new Error(`${dist}: ${found.length} files ${suffix}`);
  return join(dist, found[0]);
};
const [scriptPath, programPath] = [only(".js"), only("_bg.wasm")];

// Bytes as characters: both files can be searched alike.
let script = readFileSync(scriptPath, "latin1");
let program = readFileSync(programPath, "latin1");

// Names keep their lengths, so that nothing in the program moves.
const names = [...new Set(script.match(/\b__wbg_\w+_[0-9a-f]{16}\b/g))].sort(
  (a, b) => a.length - b.length || (a < b ? -1 : 1),
);
names.forEach((name, index) => {
  const short = String(index).padStart(name.length, "_");
  script = script.replaceAll(name, short);
  program = program.replaceAll(name, short);
});

const sources = /(?:\/[\w.-]+)*\/(?:registry\/src|rustc|rust\/deps)\/[\w./-]+?\.rs|(?:frontend|shared)\/src\/[\w/]+\.rs/g;
program = program.replace(sources, (path) => " ".repeat(path.length));

script = script
  .replace(/^export class IntoUnderlying[^]*?^}$/gm, "")
  .replace(/^if \(Symbol\.dispose\) IntoUnderlying.*$/gm, "")
  .replace(/^const IntoUnderlying[^]*?;$/gm, "");

const module = binaryen.readBinary(Buffer.from(program, "latin1"));
for (let index = module.getNumExports() - 1; index >= 0; index -= 1) {
  const { name } = binaryen.getExportInfo(module.getExportByIndex(index));
  if (/intounderlying/.test(name)) module.removeExport(name);
}
binaryen.setOptimizeLevel(2);
binaryen.setShrinkLevel(1);
module.optimize();
if (!module.validate()) throw new Error("the program is no longer valid");

// The form is seen first, then comes the program: on a slow network it would
// compete with the form, and on a slow phone keep it from being drawn. A tab in
// the background draws nothing; there, a moment is enough.
const [scriptName, programName] = [scriptPath, programPath].map((path) => `/${basename(path)}`);
const loader = `<script type="module">
let begun;
const begin = async () => {
if (begun) return;
begun = true;
const program = fetch("${programName}");
const { default: start } = await import("${scriptName}");
await start({ module_or_path: program });
};
requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(begin)));
setTimeout(begin, 500);
</script>`;

const page = join(dist, "index.html");
const html = readFileSync(page, "utf8")
  .replace(/<script type="module">[^]*?<\/script>/, loader)
  .replace(/<link rel="(?:module)?preload"[^>]*>/g, "")
  .replace(/<!--[^]*?-->/g, "")
  .replace(/(?<=<style>)[^]*?(?=<\/style>)/, (style) =>
    transformSync(style, { loader: "css", minify: true, target: "es2022" }).code.trim(),
  )
  .replace(/\s*\n\s*/g, "\n");
writeFileSync(page, html);

const { code } = transformSync(Buffer.from(script, "latin1").toString("utf8"), {
  minify: true,
  format: "esm",
  target: "es2022",
});
writeFileSync(scriptPath, code);
writeFileSync(programPath, module.emitBinary());

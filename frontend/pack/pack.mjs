// Makes the built page's script and style smaller, in place: node pack.mjs <dist>.
// The program is wasm-opt's, which xtask runs.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { transformSync } from "esbuild";

const [dist] = process.argv.slice(2);
const target = "es2022";

for (const file of readdirSync(dist).filter((name) => name.endsWith(".js"))) {
  const path = join(dist, file);
  const { code } = transformSync(readFileSync(path, "utf8"), { minify: true, format: "esm", target });
  writeFileSync(path, code);
}

// Before the documents are rendered into it: nothing in them may be moved.
const page = join(dist, "index.html");
const minified = (loader) => (_, start, text, end) =>
  `${start}${transformSync(text, { loader, minify: true, target }).code.trim()}${end}`;
const html = readFileSync(page, "utf8")
  .replace(/(<style>)([^]*?)(<\/style>)/g, minified("css"))
  .replace(/(<script type="module">)([^]*?)(<\/script>)/g, minified("js"))
  .replace(/<!--[^]*?-->/g, "")
  .replace(/\n\s+/g, "\n");
writeFileSync(page, html);

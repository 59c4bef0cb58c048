// The real server in sandbox, on a free port, for the tests of one worker.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const binary =
  process.env.COUNTERSIGN_BIN ?? resolve(repository, "target/debug/countersign");

/** A key of the application that the variables make, and its hash. */
export function newKey() {
  const said = execFileSync(binary, ["--new-key", "default"], { encoding: "utf8" });
  return { secret: /^csk_\S+$/m.exec(said)[0], hash: /^sha256:\S+$/m.exec(said)[0] };
}

/** Begins a page for a number as the application's server does; answers its address. */
export async function beginPage({ origin, key }, recipient, more = {}) {
  const answer = await fetch(`${origin}/api/otp/send`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ recipient, page: true, ...more }),
  });
  const { page_url, message } = await answer.json();
  if (!page_url) throw new Error(message);
  return page_url;
}

/** Starts it; answers its origin, its log lines and a way to stop it. */
export async function startService(settings = {}) {
  const directory = mkdtempSync(join(tmpdir(), "countersign-e2e-"));
  const child = spawn(binary, {
    cwd: repository,
    env: {
      PATH: process.env.PATH,
      PLIVO_MODE: "sandbox",
      LISTEN_ADDR: "127.0.0.1:0",
      METRICS_ADDR: "off",
      LOG_FORMAT: "json",
      RESEND_WAITS: "1s,2s",
      LIMIT_REQUESTS_PER_ADDRESS: "off",
      STORE_URL: `sqlite:${directory}/countersign.db`,
      PAGE_DIR: resolve(repository, "frontend/dist"),
      ...settings,
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  // Also where it ends before anybody stops it.
  const ended = new Promise((end) => child.once("exit", end));
  const log = [];
  const address = await new Promise((found, failed) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      log.push(line);
      if (line.includes('"event":"server.started"')) {
        found(JSON.parse(line).address);
      }
    });
    ended.then(() => failed(new Error(`the server ended:\n${log.join("\n")}`)));
    child.on("error", failed);
  });
  return {
    origin: `http://${address}`,
    log,
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

// The application with accounts (backend/examples/accounts/) as its users meet
// it, and as an attacker does who edits what his browser sends.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { test as base, expect } from "@playwright/test";

import { newKey, startService } from "./service.js";

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const binary =
  process.env.ACCOUNTS_BIN ?? resolve(repository, "target/debug/examples/accounts");
const PASSWORD = "correct horse";

async function startAccounts(settings) {
  const directory = mkdtempSync(join(tmpdir(), "accounts-"));
  const child = spawn(binary, {
    env: { ACCOUNTS_DB: join(directory, "accounts.db"), ...settings },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const started = await new Promise((found, failed) => {
    createInterface({ input: child.stdout }).once("line", found);
    child.once("exit", () => failed(new Error("the application ended")));
  });
  return {
    origin: /http:\/\/\S+/.exec(started)[0],
    stop: () =>
      new Promise((gone) => {
        child.removeAllListeners("exit");
        child.once("exit", () => {
          rmSync(directory, { recursive: true, force: true });
          gone();
        });
        child.kill("SIGKILL");
      }),
  };
}

const test = base.extend({
  acceptsSandbox: ["true", { option: true }],
  world: async ({ acceptsSandbox }, use) => {
    const key = newKey();
    const service = await startService({
      API_KEY_HASHES: key.hash,
      RESEND_WAITS: "1s",
    });
    const accounts = await startAccounts({
      ACCOUNTS_ADDR: "127.0.0.1:0",
      COUNTERSIGN_URL: service.origin,
      COUNTERSIGN_KEY: key.secret,
      ACCEPT_SANDBOX: acceptsSandbox,
    });
    await use({ countersign: service.origin, origin: accounts.origin });
    await accounts.stop();
    await service.stop();
  },
});

async function newestCode(countersign, recipient) {
  const query = new URLSearchParams({ recipient });
  const answer = await fetch(`${countersign}/sandbox/messages?${query}`);
  return (await answer.json())[0].otp;
}

async function fillCredentials(page, number, button) {
  await page.getByLabel("Phone number").fill(number);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: button }).click();
}

async function verifyInPage(page, countersign, number) {
  await page.getByRole("button", { name: "Send the code" }).click();
  await expect(page.getByRole("status")).toHaveText("The code is on its way.");
  await page.getByLabel("Code").fill(await newestCode(countersign, number));
  await page.getByRole("button", { name: "Verify" }).click();
}

/** A browser without a browser: keeps the cookie, follows nothing. */
function visitor(origin) {
  let cookie = "";
  const request = async (path, form) => {
    const answer = await fetch(origin + path, {
      method: form ? "POST" : "GET",
      body: form && new URLSearchParams(form),
      headers: { cookie },
      redirect: "manual",
    });
    const set = answer.headers.get("set-cookie");
    if (set) cookie = set.split(";")[0];
    return { status: answer.status, to: answer.headers.get("location"), text: await answer.text() };
  };
  return { get: (path) => request(path), post: request };
}

async function signedUp(origin, number) {
  const someone = visitor(origin);
  const answer = await someone.post("/sign-up", { phone_number: number, password: PASSWORD });
  expect(answer.to).toBe("/verify");
  const page = await someone.get("/verify");
  return { someone, nonce: page.text.match(/data-nonce="(\w+)"/)[1] };
}

/** A proof as an honest browser gets it. */
async function proofOf(countersign, recipient, nonce, purpose = "sign_up") {
  const call = async (path, body) => {
    const answer = await fetch(countersign + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return answer.json();
  };
  const { session_uuid } = await call("/api/otp/send", { recipient, nonce, purpose });
  const otp = await newestCode(countersign, recipient);
  return (await call("/api/otp/verify", { session_uuid, otp })).proof;
}

test("sign-up, log-out and log-in with the code as second factor", async ({ page, world }) => {
  const number = "+14155550141";
  await page.goto(`${world.origin}/sign-up`);
  await fillCredentials(page, number, "Sign up");
  await verifyInPage(page, world.countersign, number);
  await expect(page.getByRole("heading")).toHaveText("Your account");
  await expect(page.getByText(`Signed in as ${number}, verified: yes`)).toBeVisible();

  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("link", { name: "Log in" }).click();
  await fillCredentials(page, number, "Log in");
  await expect(page.getByRole("heading")).toHaveText("Verify your number");
  // The password alone opens nothing.
  await page.goto(world.origin);
  await expect(page.getByRole("heading")).toHaveText("Verify your number");
  await expect(async () => {
    await page.getByRole("button", { name: "Send the code" }).click();
    await expect(page.getByRole("status")).toHaveText("The code is on its way.", { timeout: 500 });
  }).toPass();
  await page.getByLabel("Code").fill(await newestCode(world.countersign, number));
  await page.getByRole("button", { name: "Verify" }).click();
  await expect(page.getByRole("heading")).toHaveText("Your account");

  await page.getByRole("button", { name: "Switch" }).click();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("link", { name: "Log in" }).click();
  await fillCredentials(page, number, "Log in");
  await expect(page.getByRole("heading")).toHaveText("Your account");
});

test("a wrong code is told and the next one counts", async ({ page, world }) => {
  const number = "+14155550142";
  await page.goto(`${world.origin}/sign-up`);
  await fillCredentials(page, number, "Sign up");
  await page.getByRole("button", { name: "Send the code" }).click();
  await expect(page.getByRole("status")).toHaveText("The code is on its way.");
  const code = await newestCode(world.countersign, number);
  const wrong = code === "975310" ? "975311" : "975310";
  await page.getByLabel("Code").fill(wrong);
  await page.getByRole("button", { name: "Verify" }).click();
  await expect(page.getByRole("status")).toContainText("That code is wrong.");
  await page.getByLabel("Code").fill(code);
  await page.getByRole("button", { name: "Verify" }).click();
  await expect(page.getByRole("heading")).toHaveText("Your account");
});

test("an answer that was lost is fetched by the next press", async ({ page, world }) => {
  const number = "+14155550148";
  // Before the first page: a route that is set while a page loads may miss its requests.
  let lost = 0;
  await page.route("**/code/verify", async (route) => {
    if (lost > 0) return route.continue();
    lost += 1;
    await route.fetch();
    await route.abort();
  });
  await page.goto(`${world.origin}/sign-up`);
  await fillCredentials(page, number, "Sign up");
  await expect(page.getByRole("heading")).toHaveText("Verify your number");
  await verifyInPage(page, world.countersign, number);
  await expect(page.getByRole("status")).not.toHaveText("The code is on its way.");
  expect(lost).toBe(1);
  await page.getByRole("button", { name: "Verify" }).click();
  await expect(page.getByRole("heading")).toHaveText("Your account");
});

test("what the browser says is not believed", async ({ world }) => {
  const number = "+14155550143";
  const { someone, nonce } = await signedUp(world.origin, number);
  // The oldest attack: say that it was verified.
  for (const edited of ["", "true", '{"verified":true}', "eyJhbGciOiJub25lIn0.e30."]) {
    const answer = await someone.post("/verify", { proof: edited, verified: "true" });
    expect(answer.status).toBe(400);
  }
  // Another number's proof, honestly earned.
  const others = await proofOf(world.countersign, "+14155550144", nonce);
  const about = await someone.post("/verify", { proof: others });
  expect(about.text).toContain("about another number");
  // The right number's, earned for another visit.
  const elsewhere = await proofOf(world.countersign, number, "another-visit");
  const made = await someone.post("/verify", { proof: elsewhere });
  expect(made.text).toContain("made for another visit");
  const elsewise = await proofOf(world.countersign, number, nonce, "reset");
  const meant = await someone.post("/verify", { proof: elsewise });
  expect(meant.text).toContain("no proof");
  expect((await someone.get("/")).to).toBe("/verify");
});

test("a proof is worth something once", async ({ world }) => {
  const number = "+14155550145";
  const { someone, nonce } = await signedUp(world.origin, number);
  const proof = await proofOf(world.countersign, number, nonce);
  expect((await someone.post("/verify", { proof })).to).toBe("/");
  expect((await someone.get("/")).text).toContain("Your account");
  // Whoever has copied it, and knows the password too.
  const thief = visitor(world.origin);
  await thief.post("/log-in", { phone_number: number, password: PASSWORD });
  const replayed = await thief.post("/verify", { proof });
  expect(replayed.status).toBe(400);
  expect(replayed.text).toContain("not any more");
  expect((await thief.get("/")).to).toBe("/verify");
});

test("a number that was only claimed does not keep its owner out", async ({ world }) => {
  const number = "+14155550146";
  await signedUp(world.origin, number);
  const { someone: owner, nonce } = await signedUp(world.origin, number);
  const proof = await proofOf(world.countersign, number, nonce);
  expect((await owner.post("/verify", { proof })).to).toBe("/");
  const late = await visitor(world.origin).post("/sign-up", {
    phone_number: number,
    password: "another password",
  });
  expect(late.status).toBe(400);
});

test.describe("live", () => {
  test.use({ acceptsSandbox: "false" });

  test("a proof from a sandbox is worth nothing", async ({ world }) => {
    const number = "+14155550147";
    const { someone, nonce } = await signedUp(world.origin, number);
    const proof = await proofOf(world.countersign, number, nonce);
    const answer = await someone.post("/verify", { proof });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain("comes from a sandbox");
  });
});

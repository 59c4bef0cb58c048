// Every document as the server serves it is one that the program can bring to life:
// each language, each way to begin, each operator's looks. A difference of one node
// would stop the program, and the page would only look alive.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as base, atStep, expect, hold } from "./fixtures.js";
import { beginPage, newKey, startService } from "./service.js";

const LOCALES = readdirSync(new URL("../locales/", import.meta.url)).map((file) =>
  file.replace(".json", ""),
);
const APPLICATION = "https://shop.example";

const test = base.extend({
  services: [
    async ({}, use) => {
      const directory = mkdtempSync(join(tmpdir(), "countersign-looks-"));
      const [theme, logo] = [join(directory, "theme.css"), join(directory, "logo.svg")];
      writeFileSync(theme, ":root { --main: rgb(15, 118, 110); }");
      writeFileSync(logo, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"/>`);
      const key = newKey();
      const hosting = {
        API_KEY_HASHES: key.hash,
        RETURN_URLS: `${APPLICATION}/`,
        EMBED_ORIGINS: APPLICATION,
      };
      const services = {
        sandbox: await startService(hosting),
        live: await startService({
          ...hosting,
          PLIVO_MODE: "live",
          PLIVO_AUTH_ID: "MAXXXXXXXXXXXXXXXXXX",
          PLIVO_AUTH_TOKEN: "none",
          PLIVO_BASE_URL: "http://127.0.0.1:9",
          ALLOWED_COUNTRIES: "GB,US",
          SPEND_CAP: "off",
          BRAND_NAME: `A <b> & "c"`,
          THEME_FILE: theme,
          BRAND_LOGO_FILE: logo,
        }),
      };
      for (const service of Object.values(services)) {
        const known = { origin: service.origin, key: key.secret };
        service.known = await beginPage(known, "+14155550123", { return_to: `${APPLICATION}/` });
      }
      await use(services);
      await Promise.all(Object.values(services).map((service) => service.stop()));
      rmSync(directory, { recursive: true });
    },
    { scope: "worker" },
  ],
});

const link = (parameters) => (service) => `${service.origin}/?${new URLSearchParams(parameters)}`;

// Each way to open the page, with the step that it begins with.
const WAYS = {
  plain: ["enter-phone", link({})],
  hosted: [
    "enter-phone",
    link({ return_to: `${APPLICATION}/a?b="c"&d=<e>`, state: `"'<&>`, nonce: "n" }),
  ],
  framed: ["enter-phone", link({ embed: APPLICATION, state: "s" })],
  known: ["confirm-number", (service) => service.known],
  refused: ["refused", link({ return_to: "https://evil.example/" })],
};

for (const locale of LOCALES) {
  for (const service of ["sandbox", "live"]) {
    test(`${locale}, ${service}: each document comes to life`, async ({ page, services }) => {
      for (const [way, [step, address]] of Object.entries(WAYS)) {
        const url = new URL(address(services[service]));
        url.searchParams.set("locale", locale);
        await page.goto(url.href);
        await expect(page.locator("#app"), way).toHaveAttribute("data-ready", "");
        await expect(page.locator("html"), way).toHaveAttribute("lang", locale);
        await expect(page.locator("html"), way).not.toHaveAttribute("data-failed");
        await atStep(page, step);
        // A handler answers.
        if (step === "enter-phone") {
          await expect(page.locator("#country option").nth(1)).toBeAttached();
          await page.locator("#send").click();
          await expect(page.locator("#phone-failure"), way).not.toBeEmpty();
        } else {
          const other = locale === "de" ? "fr" : "de";
          await page.locator("#language").selectOption(other);
          await expect(page.locator("html"), way).toHaveAttribute("lang", other);
        }
      }
    });
  }
}

test("what was typed, chosen and focused before the program came stays", async ({
  page,
  services,
}) => {
  const release = await hold(page, "**/*_bg.wasm");
  await page.goto(services.sandbox.origin);
  await page.locator("#language").selectOption("fr");
  await page.locator("#phone").pressSequentially("+4477009");
  await page.locator("#phone").press("ArrowLeft");
  release();
  await expect(page.locator("#app")).toHaveAttribute("data-ready", "");
  await expect(page.locator("#phone")).toHaveValue("+4477009");
  await expect(page.locator("#phone")).toBeFocused();
  expect(await page.locator("#phone").evaluate((field) => field.selectionStart)).toBe(7);
  await expect(page.locator("#country")).toHaveValue("GB");
  await expect(page.locator("html")).toHaveAttribute("lang", "fr");
  await expect(page.locator("#language")).toHaveValue("fr");
});

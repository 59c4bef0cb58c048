// Every document as the server serves it is one that the program can bring to life:
// each language, each way to begin, each operator's looks. A difference of one node
// would stop the program, and the page would only look alive.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as base, expect } from "./fixtures.js";
import { startService } from "./service.js";

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
      const hosting = { RETURN_URLS: `${APPLICATION}/`, EMBED_ORIGINS: APPLICATION };
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
      await use(services);
      await Promise.all(Object.values(services).map((service) => service.stop()));
      rmSync(directory, { recursive: true });
    },
    { scope: "worker" },
  ],
});

const WAYS = {
  plain: {},
  hosted: { return_to: `${APPLICATION}/a?b="c"&d=<e>`, state: `"'<&>`, nonce: "n" },
  framed: { embed: APPLICATION, state: "s" },
  refused: { return_to: "https://evil.example/" },
};

for (const locale of LOCALES) {
  for (const service of ["sandbox", "live"]) {
    test(`${locale}, ${service}: each document comes to life`, async ({ page, services }) => {
      for (const [way, parameters] of Object.entries(WAYS)) {
        const query = new URLSearchParams({ ...parameters, locale });
        await page.goto(`${services[service].origin}/?${query}`);
        await expect(page.locator("#app"), way).toHaveAttribute("data-ready", "");
        await expect(page.locator("html"), way).toHaveAttribute("lang", locale);
        await expect(page.locator("html"), way).not.toHaveAttribute("data-failed");
        // A handler answers.
        if (way === "refused") {
          await page.locator("#language").selectOption(locale === "de" ? "fr" : "de");
          await expect(page.locator("html"), way).toHaveAttribute("lang", /de|fr/);
        } else {
          await expect(page.locator("#country option").nth(1)).toBeAttached();
          await page.locator("#send").click();
          await expect(page.locator("#phone-failure"), way).not.toBeEmpty();
        }
      }
    });
  }
}

test("what was typed, chosen and focused before the program came stays", async ({
  page,
  services,
}) => {
  let release;
  const gate = new Promise((open) => (release = open));
  await page.route("**/*_bg.wasm", async (route) => {
    await gate;
    await route.continue();
  });
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

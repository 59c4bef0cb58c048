// The operator's own looks, without a build.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as base, expect, open } from "./fixtures.js";
import { startService } from "./service.js";

const test = base.extend({
  theme: async ({}, use) => {
    const directory = mkdtempSync(join(tmpdir(), "countersign-theme-"));
    const theme = join(directory, "theme.css");
    const logo = join(directory, "logo.svg");
    writeFileSync(theme, ":root { --main: rgb(15, 118, 110); }");
    writeFileSync(
      logo,
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8z"/></svg>`,
    );
    const service = await startService({
      BRAND_NAME: "Example <Bank> & Co",
      THEME_FILE: theme,
      BRAND_LOGO_FILE: logo,
    });
    await use({ ...service, write: (css) => writeFileSync(theme, css) });
    await service.stop();
    rmSync(directory, { recursive: true });
  },
});

const hasColour = (page, colour) =>
  expect(page.locator("#send")).toHaveCSS("background-color", colour);

test("a name, a logo and a style are there at first sight", async ({ browser, theme }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(theme.origin);
  await expect(page.locator("#brand")).toHaveText("Example <Bank> & Co");
  await expect(page).toHaveTitle("Verify your phone number · Example <Bank> & Co");
  await hasColour(page, "rgb(15, 118, 110)");
  const logo = page.locator("img.logo");
  await expect.poll(() => logo.evaluate((image) => image.naturalWidth)).toBeGreaterThan(0);
  await context.close();
});

test("a style that is edited is seen after a reload", async ({ page, theme }) => {
  await open(page, theme.origin);
  await hasColour(page, "rgb(15, 118, 110)");
  theme.write(":root { --main: rgb(120, 20, 90); }");
  await page.reload();
  await expect(page.locator("#app")).toHaveAttribute("data-ready", "");
  await hasColour(page, "rgb(120, 20, 90)");
});

test("without a style of the operator's there is no request for one", async ({ page, request }) => {
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await open(page);
  expect(asked).not.toContain("/theme.css");
  expect(asked.length).toBeLessThanOrEqual(5);
  expect((await request.get("/theme.css")).status()).toBe(404);
  expect((await request.get("/brand-logo")).status()).toBe(404);
});

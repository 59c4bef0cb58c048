// The page before its program is there, or when it never comes.

import { test, expect, atStep, hold, messages } from "./fixtures.js";
import { isAccessible, picture } from "./states.js";

const program = "**/*_bg.wasm";

test("what is seen first is what stays", async ({ page }) => {
  const release = await hold(page, program);
  await page.goto("/");
  const seen = () =>
    page.evaluate(() =>
      ["#phone-heading", "#phone", "#send", "footer"].map((selector) => {
        const { x, y, width, height } = document.querySelector(selector).getBoundingClientRect();
        return [selector, x, y, width, height];
      }),
    );
  await expect(page.locator("#phone")).toBeVisible();
  const before = await seen();
  release();
  await expect(page.locator("#app")).toHaveAttribute("data-ready", "");
  await expect(page.locator("#country option").nth(1)).toBeAttached();
  expect(await seen()).toEqual(before);
});

test("a button that was pressed too early has been pressed", async ({ page, number }) => {
  const release = await hold(page, program);
  await page.goto("/");
  await page.locator("#phone").fill(number);
  await page.locator("#phone").press("Enter");
  await page.locator("#send").click();
  release();
  await atStep(page, "enter-code");
  expect(await messages(page, number)).toHaveLength(1);
});

test.describe("failing", () => {
  // The browser says on its console what did not load.
  test.use({ quiet: false });

  for (const [how, fail] of [
    ["blocked", (route) => route.abort()],
    ["missing", (route) => route.fulfill({ status: 404, body: "" })],
    ["garbled", (route) => route.fulfill({ contentType: "application/wasm", body: "garbage" })],
  ]) {
    for (const file of [program, "**/countersign-frontend-*.js"]) {
      test(`${file} ${how}: the page says so and keeps what was typed`, async ({ page }) => {
        await page.route(file, fail);
        const reported = page.waitForRequest("**/api/page/failures");
        await page.goto("/");
        await expect(page.locator(".load-failed")).toBeVisible();
        expect((await reported).postData()).toBeNull();
        await expect(page.locator(".load-failed")).toContainText("did not load");
        await isAccessible(page);
        await picture(page, "load-failed");
        await page.locator("#phone").fill("07700 900123");
        await page.locator("#phone").press("Enter");
        await expect(page.locator("#phone")).toHaveValue("07700 900123");
        await page.unroute(file);
        await page.getByRole("link", { name: "Reload" }).click();
        await expect(page.locator("#app")).toHaveAttribute("data-ready", "");
        await expect(page.locator(".load-failed")).toBeHidden();
      });
    }
  }
});

test("a program that dies says so, once; another script's failure is not its end", async ({ page }) => {
  const reports = [];
  page.on("request", (request) => request.url().endsWith("/failures") && reports.push(request));
  await page.goto("/");
  await expect(page.locator("#app")).toHaveAttribute("data-ready", "");
  const fail = (name) =>
    page.evaluate((name) => {
      const error = name === "trap" ? new WebAssembly.RuntimeError("unreachable") : new Error("x");
      dispatchEvent(new ErrorEvent("error", { error }));
    }, name);
  await fail("other");
  await expect(page.locator(".load-failed")).toBeHidden();
  await fail("trap");
  await fail("trap");
  await expect(page.locator(".load-failed")).toBeVisible();
  await expect.poll(() => reports.length).toBe(1);
});

test.describe("without WebAssembly", () => {
  test.use({ quiet: false });
  test("the page says exactly that, and asks for no program", async ({ page }) => {
    await page.addInitScript(() => delete window.WebAssembly);
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto("/");
    const notice = page.locator(".no-wasm");
    await expect(notice).toBeVisible();
    await expect(notice).toContainText("WebAssembly");
    await expect(page.locator(".load-failed")).toBeHidden();
    await expect(page.getByText(/connection/i).locator("visible=true")).toHaveCount(0);
    expect(asked.filter((url) => url.endsWith(".wasm"))).toEqual([]);
    await isAccessible(page);
    await picture(page, "no-wasm");
  });
});

test("without scripts nothing speaks of waiting", async ({ browser, service }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(service.origin);
  await expect(page.locator("noscript")).toBeVisible();
  await expect(page.locator(".slow")).toHaveCSS("display", "none");
  await context.close();
});

test("late, the page says that one can wait", async ({ page }) => {
  await page.route(program, () => {});
  await page.goto("/");
  const slow = page.locator(".slow");
  // The ten seconds are a style's: here they begin and end when the test says so.
  await page.evaluate(() =>
    document.getAnimations().forEach((animation) => {
      animation.pause();
      animation.currentTime = 0;
    }),
  );
  await expect(slow).toBeHidden();
  await page.evaluate(() => document.getAnimations().forEach((animation) => animation.finish()));
  await expect(slow).toBeVisible();
  await picture(page, "slow");
});

test("a page without its set-up asks for it again when the button is pressed", async ({
  page,
  number,
}) => {
  let asked = 0;
  await page.route("**/api/config", async (route) => {
    asked += 1;
    await (asked <= 1 ? route.abort() : route.continue());
  });
  await page.goto("/");
  await expect(page.locator("#app")).toHaveAttribute("data-ready", "");
  await page.locator("#phone").fill(number);
  await page.locator("#send").click();
  // The number that will be texted is seen before it is.
  await expect(page.locator("#phone-preview")).toContainText("We will text");
  await page.locator("#send").click();
  await atStep(page, "enter-code");
});

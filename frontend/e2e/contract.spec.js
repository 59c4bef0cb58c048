// The page to read the API's document and try it: Swagger UI, as the service serves it.

import AxeBuilder from "@axe-core/playwright";
import { test, expect, messages } from "./fixtures.js";

const SIZES = {
  phone: { width: 390, height: 844 },
  desktop: { width: 1280, height: 800 },
};

// What Swagger UI itself does wrong. Whatever else axe finds is ours.
const OF_SWAGGER_UI = ["color-contrast", "heading-order", "nested-interactive", "select-name", "target-size"];

async function isAccessible(page) {
  const found = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
    .disableRules(OF_SWAGGER_UI)
    .analyze();
  expect(found.violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)])).toEqual([]);
}

/** Opens the page. A violation of its policy is an error in the console, which stays clean. */
async function openDocs(page) {
  const origins = new Set();
  page.on("request", (request) => origins.add(new URL(request.url()).origin));
  await page.goto("/api/docs");
  await expect(page.locator(".opblock").first()).toBeVisible();
  return origins;
}

/** Opens the form of an operation. */
async function form(page, tag, id) {
  const section = page.locator(`#operations-${tag}-${id}`);
  await section.locator(".opblock-summary-control").click();
  await section.getByRole("button", { name: "Try it out" }).click();
  return section;
}

/** Sends what stands in it; answers the part with the answer. */
async function execute(section) {
  await section.getByRole("button", { name: "Execute" }).click();
  return section.locator(".live-responses-table");
}

for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    test.describe(`${colorScheme}, ${size}`, () => {
      test.use({ colorScheme, viewport });
      test("the page is ours alone, fits, and is dark where the system is", async ({ page, baseURL }) => {
        // axe reads ten screens.
        test.slow();
        const origins = await openDocs(page);
        await page.screenshot({ path: `pictures/contract-${size}-${colorScheme}.png` });
        const send = page.locator("#operations-Verification-send_otp");
        await send.locator(".opblock-summary-control").click();
        await expect(send.locator(".response")).not.toHaveCount(0);
        await isAccessible(page);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        expect(width).toBeLessThanOrEqual(viewport.width);
        // Not all of it: with its failures it is ten screens long.
        await page.screenshot({ path: `pictures/contract-send-${size}-${colorScheme}.png` });
        const paper = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
        expect(paper === "rgba(0, 0, 0, 0)").toBe(colorScheme === "light");
        // Pictures inside the style count for none.
        origins.delete("null");
        expect([...origins]).toEqual([baseURL]);
      });
    });
  }
}

test("every operation of the document is on the page, and no place for a key", async ({ page, request }) => {
  await openDocs(page);
  const { paths } = await (await request.get("/api/openapi.json")).json();
  const operations = Object.values(paths).flatMap((item) => Object.values(item));
  for (const { operationId, summary, tags } of operations) {
    const operation = page.locator(`#operations-${tags[0]}-${operationId}`);
    await expect(operation.locator(".opblock-summary-description")).toHaveText(summary);
  }
  await expect(page.locator(".opblock")).toHaveCount(operations.length);
  await expect(page.getByText("Authorize")).toHaveCount(0);
});

test("a whole verification can be tried", async ({ page, number }) => {
  await openDocs(page);
  const send = await form(page, "Verification", "send_otp");
  await send.getByRole("textbox", { name: "Request body" }).or(send.locator("textarea")).first()
    .fill(JSON.stringify({ recipient: number, nonce: "a-word-of-mine" }));
  await send.getByPlaceholder("Idempotency-Key").fill("a-key-of-sixteen-or-more");
  const sent = await execute(send);
  await expect(sent.locator(".response-col_status").nth(1)).toHaveText(/^200/);
  await expect(sent).toContainText("x-request-id:");
  const session = JSON.parse(await sent.locator(".highlight-code code").first().textContent());

  const look = await form(page, "Form", "get_session");
  await look.getByPlaceholder("session_uuid").fill(session.session_uuid);
  await expect(await execute(look)).toContainText('"status": "pending"');

  const [{ otp }] = await messages(page, number);
  const verify = await form(page, "Verification", "verify_otp");
  await verify.locator("textarea").first().fill(JSON.stringify({ session_uuid: session.session_uuid, otp }));
  await expect(await execute(verify)).toContainText('"verified": true');
  const again = await execute(verify);
  await expect(again.locator(".response-col_status").nth(1)).toHaveText(/^409/);
});

test("a form is sent as one", async ({ page }) => {
  await openDocs(page);
  const introspect = await form(page, "Verification", "introspect_proof");
  await introspect.getByPlaceholder("token").fill("no-proof-of-ours");
  await expect(await execute(introspect)).toContainText('"active": false');
});

test("without its document the page says so", async ({ page }) => {
  await page.route("**/api/openapi.json", (route) => route.abort());
  await page.goto("/api/docs");
  await expect(page.getByText("Failed to load API definition.")).toBeVisible();
});

// The page to read the contract and try it.

import { test, expect, messages } from "./fixtures.js";
import { isAccessible, picture } from "./states.js";

const SIZES = {
  phone: { width: 390, height: 844 },
  desktop: { width: 1280, height: 800 },
};

async function openDocs(page) {
  await page.goto("/api/docs");
  await expect(page.locator("#calls")).toHaveAttribute("data-ready", "");
}

/** Opens the form of a call. */
async function form(page, id) {
  const section = page.locator(`#${id}`);
  await section.getByText(`Try ${id}`).click();
  return section;
}

for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    test.describe(`${colorScheme}, ${size}`, () => {
      test.use({ colorScheme, viewport });
      test("the page passes axe, shut and open, and fits", async ({ page }) => {
        await openDocs(page);
        await isAccessible(page);
        await picture(page, `contract-${size}-${colorScheme}`);
        const send = page.locator("#send");
        await send.locator("details").evaluateAll((all) => all.forEach((it) => (it.open = true)));
        await expect(send.getByRole("group", { name: "Example of 504 of send" })).toBeVisible();
        await isAccessible(page);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        expect(width).toBeLessThanOrEqual(viewport.width);
        await send.screenshot({ path: `pictures/contract-send-${size}-${colorScheme}.png` });
      });
    });
  }
}

test("every call of the document is on the page", async ({ page, request }) => {
  await openDocs(page);
  const { paths, components } = await (await request.get("/api/openapi.json")).json();
  const calls = Object.values(paths).flatMap((item) => Object.values(item));
  for (const { operationId, summary } of calls) {
    await expect(page.locator(`#${operationId} h3`)).toHaveText(summary);
  }
  const codes = new Set(Object.values(components.examples).map(({ value }) => value.code));
  await expect(page.locator("#errors tbody tr")).toHaveCount(codes.size);
});

test("a whole verification can be tried, by keyboard where it matters", async ({ page, number }) => {
  await openDocs(page);
  const send = await form(page, "send");
  await send.getByRole("textbox", { name: "Body" }).fill(JSON.stringify({ recipient: number, nonce: "a-word-of-mine" }));
  await send.getByRole("textbox", { name: "Idempotency-Key" }).fill("a-key-of-sixteen-or-more");
  await page.keyboard.press("Enter");
  await expect(send.locator(".status b")).toHaveText("200");
  const answer = await send.locator(".answer code").textContent();
  expect(answer).toContain("x-request-id: ");
  const session = JSON.parse(answer.slice(answer.indexOf("{")));

  const look = await form(page, "session");
  await look.getByRole("textbox", { name: "session_uuid" }).fill(session.session_uuid);
  await look.getByRole("button", { name: "Send" }).click();
  await expect(look.locator(".answer code")).toContainText('"status": "pending"');

  const [{ otp }] = await messages(page, number);
  const verify = await form(page, "verify");
  const check = { session_uuid: session.session_uuid, otp };
  await verify.getByRole("textbox", { name: "Body" }).fill(JSON.stringify(check));
  await verify.getByRole("button", { name: "Send" }).click();
  await expect(verify.locator(".answer code")).toContainText('"verified": true');
  await verify.getByRole("button", { name: "Send" }).click();
  await expect(verify.locator(".status b")).toHaveText("409");
});

test("a stream is shown as it comes, and can be stopped", async ({ page, number, request }) => {
  const sent = await request.post("/api/otp/send", { data: { recipient: number } });
  const { session_uuid } = await sent.json();
  await openDocs(page);
  const events = await form(page, "events");
  await events.getByRole("textbox", { name: "session_uuid" }).fill(session_uuid);
  await events.getByRole("button", { name: "Send" }).click();
  await expect(events.locator(".answer code")).toContainText("event: session");
  await events.getByRole("button", { name: "Stop" }).click();
  await expect(events.locator(".status")).toContainText("stopped");
});

test("a form is sent as one", async ({ page }) => {
  await openDocs(page);
  const introspect = await form(page, "introspect");
  await introspect.getByRole("button", { name: "Send" }).click();
  await expect(introspect.locator(".answer code")).toContainText('"active": false');
});

test("without its document the page says so", async ({ page }) => {
  await page.route("**/api/openapi.json", (route) => route.abort());
  await page.goto("/api/docs");
  await expect(page.getByRole("status")).toHaveText(/could not be read/);
});

import { test, expect, atStep, codeFor, messages, open, sendCode, spaced } from "./fixtures.js";

const button = (page) => page.getByRole("button", { name: "Text me a code" });

test("offline, the page says so and loses nothing", async ({ page, context, number }) => {
  await open(page);
  await page.locator("#phone").fill(number);
  await context.setOffline(true);
  await button(page).click();
  await expect(page.getByRole("alert")).toContainText("You are offline");
  await expect(page.locator("#phone")).toHaveValue(spaced(number));
  await context.setOffline(false);
  await button(page).click();
  await atStep(page, "enter-code");
});

test("a lost answer costs no second message's key", async ({ page, number }) => {
  const keys = [];
  await page.route("**/api/otp/send", async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    await (keys.length === 1 ? route.abort() : route.continue());
  });
  await open(page);
  await page.locator("#phone").fill(number);
  await button(page).click();
  await expect(page.getByRole("alert")).toContainText("We cannot reach the service");
  await button(page).click();
  await atStep(page, "enter-code");
  expect(keys).toHaveLength(2);
  expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  expect(keys[1]).toBe(keys[0]);
});

test("after a timeout upstream the same is asked once more, then something new", async ({
  page,
  number,
}) => {
  const keys = [];
  await page.route("**/api/otp/send", (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    return route.fulfill({
      status: 504,
      contentType: "application/problem+json",
      body: JSON.stringify({
        type: "about:blank",
        title: "",
        status: 504,
        detail: "",
        message: "",
        code: "upstream_timeout",
        request_id: "00f3a1b2c3d4e5f6",
      }),
    });
  });
  await open(page);
  await page.locator("#phone").fill(number);
  for (const count of [1, 2, 3]) {
    await button(page).click();
    await expect.poll(() => keys.length).toBe(count);
    await expect(page.getByRole("alert")).toContainText("This took too long");
    await expect(page.getByText("Reference for support: 00f3a1b2c3d4e5f6")).toBeVisible();
  }
  expect(keys[1]).toBe(keys[0]);
  expect(keys[2]).not.toBe(keys[0]);
});

test("a proxy's page is not taken for an answer", async ({ page, number }) => {
  await open(page);
  await page.route("**/api/otp/send", (route) =>
    route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad gateway</h1>" }),
  );
  await page.locator("#phone").fill(number);
  await button(page).click();
  await expect(page.getByRole("alert")).toContainText("We cannot reach the service");
  await expect(page.locator("body")).not.toContainText("Bad gateway");
});

test("however often the button is pressed, one message goes out", async ({ page, number }) => {
  await open(page);
  await page.locator("#phone").fill(number);
  await button(page).evaluate((button) => {
    for (let press = 0; press < 20; press += 1) button.click();
  });
  await atStep(page, "enter-code");
  expect(await messages(page, number)).toHaveLength(1);
});

test("a session that the server forgot ends, and what was typed stays", async ({
  page,
  number,
}) => {
  await sendCode(page, number);
  await page.route("**/api/otp/verify", (route) =>
    route.fulfill({
      status: 404,
      contentType: "application/problem+json",
      body: JSON.stringify({
        type: "about:blank",
        title: "Session expired",
        status: 404,
        detail: "",
        code: "session_expired",
        message: "",
        verified: false,
      }),
    }),
  );
  await page.locator("#code").fill("000000");
  await expect(page.getByRole("alert")).toContainText("The code has expired");
  await expect(page.locator("#code")).toHaveValue("000000");
  await page.unroute("**/api/otp/verify");
  await expect(page.getByRole("button", { name: "Send a new code" })).toBeFocused();
});

test("without JavaScript the form is there and says what it needs", async ({ browser, service }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(service.origin);
  await expect(page.locator("#phone")).toBeVisible();
  await expect(page.locator("noscript")).toBeVisible();
  await context.close();
});

test("a hostile page cannot frame it, and nothing else may run", async ({ page }) => {
  const answer = await page.goto("/");
  const policy = answer.headers()["content-security-policy"];
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain("'unsafe-inline'");
  expect(policy).not.toContain("'unsafe-eval'");
  expect(answer.headers()["referrer-policy"]).toBe("no-referrer");
  expect(answer.headers()["x-content-type-options"]).toBe("nosniff");
});

test("neither number nor code is ever in an address or a log", async ({ page, number, service }) => {
  const addresses = [];
  page.on("request", (request) => {
    if (!request.url().includes("/sandbox/")) addresses.push(request.url());
  });
  await sendCode(page, number);
  const code = await codeFor(page, number);
  await page.locator("#code").fill(code);
  await atStep(page, "verified");
  for (const text of [page.url(), ...addresses, ...service.log]) {
    expect(text).not.toContain(number.slice(1));
  }
  for (const text of [page.url(), ...addresses]) {
    expect(text).not.toContain(code);
  }
  const spoken = service.log.map((line) => JSON.parse(line)).flatMap((line) => Object.values(line));
  expect(spoken.map(String)).not.toContain(code);
});

// Reloads, other tabs, lost networks.

import {
  test,
  expect,
  atStep,
  codeFor,
  codeSelected,
  hold,
  listen,
  messages,
  open,
  pressUntil,
  sendCode,
  wrong,
} from "./fixtures.js";

test("the countdown is the server's, and a reload does not begin it anew", async ({
  page,
  number,
  patient,
}) => {
  await sendCode(page, number, patient.origin);
  const left = async () => {
    const text = await page.locator("#resend").textContent();
    const [, minutes, seconds] = /(\d+):(\d\d)/.exec(text);
    return Number(minutes) * 60 + Number(seconds);
  };
  // A countdown that began anew would show more.
  await expect(page.locator("#resend")).toHaveText(/\d:\d\d/);
  await expect.poll(left).toBeLessThan(298);
  const before = await left();
  await page.reload();
  await expect(page.locator("#resend")).toHaveText(/\d:\d\d/);
  // The server rounds up.
  expect(await left()).toBeLessThanOrEqual(before + 1);
  expect(await left()).toBeGreaterThan(200);
});

test("away and back, the code can still be typed", async ({ page, number }) => {
  await sendCode(page, number);
  await page.goto("about:blank");
  await page.goBack();
  await atStep(page, "enter-code");
  await page.locator("#code").fill(await codeFor(page, number));
  await atStep(page, "verified");
  expect(await messages(page, number)).toHaveLength(1);
});

test("two tabs with one number do not fight", async ({ page, context, number }) => {
  await sendCode(page, number);
  const other = await context.newPage();
  await open(other);
  await other.locator("#phone").fill(number);
  await pressUntil(other.getByRole("button", { name: "Text me a code" }), (within) =>
    expect(other.locator("#code")).toBeVisible(within),
  );
  const code = await codeFor(page, number);
  await other.locator("#code").fill(wrong(code));
  await expect(other.getByRole("alert")).toContainText("4 tries left");
  await page.locator("#code").fill(code);
  await atStep(page, "verified");
});

test("a check whose answer was lost is not counted twice", async ({ page, number }) => {
  await sendCode(page, number);
  const code = await codeFor(page, number);
  const mend = await hold(page, "**/api/otp/verify");
  let lost = 0;
  await page.route("**/api/otp/verify", async (route) => {
    if (lost++ > 0) return route.fallback();
    await route.fetch();
    await route.abort();
  });
  await page.locator("#code").fill(code);
  await expect(page.getByRole("alert")).toContainText("We cannot reach the service");
  await expect(page.locator("#code")).toHaveValue(code);
  // The page asks once more by itself.
  mend();
  await atStep(page, "verified");
});

test("expiry wipes nothing, and one press brings a new code", async ({ page, number }) => {
  await page.clock.install();
  // The server's own clock does not jump along.
  await page.route("**/api/otp/sessions/**", (route) => route.abort());
  await sendCode(page, number);
  await page.locator("#code").pressSequentially("123");
  await page.clock.runFor(601_000);
  await expect(page.getByRole("alert")).toContainText("The code has expired");
  await expect(page.locator("#code")).toHaveValue("123");
  await pressUntil(page.getByRole("button", { name: "Send a new code" }), (within) =>
    expect(page.locator("#expires")).toContainText("Expires in", within),
  );
  await page.locator("#code").fill(await codeFor(page, number));
  await atStep(page, "verified");
});

test("a wrong code is sent again by the button only", async ({ page, number }) => {
  await sendCode(page, number);
  const seen = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/api/otp/verify")) seen.push(request);
  });
  const code = wrong(await codeFor(page, number));
  await page.locator("#code").fill(code);
  await expect(page.getByRole("alert")).toContainText("4 tries left");
  await codeSelected(page);
  expect(seen).toHaveLength(1);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("3 tries left");
  expect(seen).toHaveLength(2);
});

test("everything is announced once", async ({ page, number }) => {
  const announced = await listen(page);
  await sendCode(page, number);
  // Everything that comes by itself is over before the code is typed.
  await expect(page.locator("#deliveries .delivered")).toBeVisible();
  await expect.poll(announced).toContain("You can ask for the code again now.");
  await page.locator("#code").fill(wrong(await codeFor(page, number)));
  await expect(page.getByRole("alert")).toContainText("4 tries left");
  const heard = await announced();
  expect(heard[0]).toMatch(/^We texted a code to \+44/);
  expect(heard.at(-1)).toMatch(/4 tries left/);
  expect(new Set(heard).size, heard.join(" | ")).toBe(heard.length);
  // What a screen reader finds in the tree.
  const tree = await page.locator("#enter-code").ariaSnapshot();
  expect(tree).toContain('textbox "6-digit code"');
  expect(tree).toMatch(/alert: .*4 tries left/);
  expect(tree.match(/textbox/g)).toHaveLength(1);
});

test.describe("reduced motion", () => {
  test.use({ reducedMotion: "reduce" });
  test("nothing moves", async ({ page, number }) => {
    await sendCode(page, number);
    const moving = await page.evaluate(() =>
      [...document.querySelectorAll("*")].filter((element) => {
        const { transitionDuration, animationName } = getComputedStyle(element);
        return transitionDuration !== "0s" || animationName !== "none";
      }).length,
    );
    expect(moving).toBe(0);
  });
});

test("a computer that slept: the countdown goes on, and the service is asked", async ({
  page,
  number,
}) => {
  // The page's own clock stands still while the time of day goes on.
  await page.addInitScript(() => {
    const [now, day] = [performance.now.bind(performance), Date.now.bind(Date)];
    window.slept = 0;
    Date.now = () => day() + window.slept;
    performance.now = () => now();
  });
  await sendCode(page, number);
  const left = async () => {
    const text = await page.locator("#expires").textContent();
    const [, minutes, seconds] = /(\d+):(\d\d)/.exec(text);
    return Number(minutes) * 60 + Number(seconds);
  };
  await expect(page.locator("#expires")).toContainText(/\d:\d\d/);
  // Later news of the delivery would bring the service's own word on the time.
  await expect(page.locator("#deliveries .delivered")).toBeVisible();
  const before = await left();
  // The service is away, so that only the clock can tell.
  await page.route("**/api/otp/sessions/**", (route) => route.abort());
  await page.evaluate(() => (window.slept = 240_000));
  await expect.poll(left).toBeLessThanOrEqual(before - 235);
  const asked = page.waitForRequest(/sessions\/[^/]+$/);
  await page.evaluate(() => (window.slept = 900_000));
  await asked;
  await expect(page.getByRole("alert")).toContainText("The code has expired");
});

test("after two sleeps the service's latest word counts, not the clock's", async ({
  page,
  number,
}) => {
  await page.clock.install();
  await sendCode(page, number);
  // From then on nothing but a sleep makes the page ask.
  await expect(page.locator("#deliveries .delivered")).toBeVisible();
  const requests = [];
  await page.route(/sessions\/[^/]+$/, (route) => requests.push(route));
  // Somebody sets the time of day, twice, before there is an answer: the code lives.
  for (const count of [1, 2]) {
    const now = await page.evaluate(() => Date.now());
    await page.clock.setSystemTime(now + 3_600_000);
    await expect.poll(() => requests.length).toBe(count);
  }
  const failed = page.waitForEvent("requestfailed");
  await requests[0].abort();
  await failed;
  await page.clock.runFor(2_000);
  await requests[1].continue();
  await expect(page.locator("#expires")).toContainText(/[89]:\d\d/);
  await page.locator("#code").fill(await codeFor(page, number));
  await atStep(page, "verified");
});
